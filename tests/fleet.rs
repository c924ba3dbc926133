//! Captures with many connections: what they share, what ended many at once, who comes back too fast, what is known
//! already, and how two captures differ.
//!
//! Each scene is written from a script, so that what must come out follows from the script. Beside each stands a near miss:
//! the same picture without the one thing that would make it what it looks like.

mod common;
mod support;

use common::program::{Run, feed, folder, run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use support::conversation::START;
use support::{Acks, Capture, Conversation, Rng, Upgrade};

const SERVER: &str = "10.0.3.7:8080";

/// A moment of the scene, in nanoseconds since the epoch.
fn at(seconds: f64) -> i64 {
    START + (seconds * 1e9) as i64
}

/// A client that opens a WebSocket at this second.
fn opened(client: &str, server: &str, start: f64) -> Conversation {
    opened_with(client, server, start, &Upgrade { host: "chat.example".to_owned(), ..Upgrade::default() })
}

fn opened_with(client: &str, server: &str, start: f64, upgrade: &Upgrade) -> Conversation {
    let mut talk = Conversation::new(client, server);
    talk.at(at(start)).connect().upgrade_with(upgrade);
    talk
}

/// The client says something every few seconds, at no rhythm, until a second.
fn chatters(talk: &mut Conversation, rng: &mut Rng, until: f64) {
    loop {
        let pause = 2.0 + rng.below(6000) as f64 / 1000.0;
        if talk.now() + (pause * 1e9) as i64 >= at(until) - 300_000_000 {
            break;
        }
        talk.wait(pause);
        talk.client().text("hello");
        talk.server().text("hello yourself");
    }
}

fn client(number: usize) -> String {
    format!("10.1.{}.{}:{}", number / 200, number % 200 + 1, 40_000 + number)
}

/// `count` chats with a server that began at different times; all are open at `until`.
fn chats(server: &str, first: usize, count: usize, until: f64) -> Vec<Conversation> {
    let mut rng = Rng::new(first as u64 + 7);
    let chat = |number: usize| {
        let mut talk = opened(&client(first + number), server, 1.0 + number as f64 * 1.7);
        chatters(&mut talk, &mut rng, until);
        talk
    };
    (0..count).map(chat).collect()
}

/// The server drops each of them, a little later each.
fn killed(mut talks: Vec<Conversation>, when: f64, within: f64) -> Vec<Conversation> {
    let step = within / talks.len().saturating_sub(1).max(1) as f64;
    for (place, talk) in talks.iter_mut().enumerate() {
        talk.at(at(when + step * place as f64));
        talk.server().fin();
    }
    talks
}

/// The server closes each of them with a code.
fn closed(mut talks: Vec<Conversation>, when: f64, within: f64, code: u16) -> Vec<Conversation> {
    let step = within / talks.len().saturating_sub(1).max(1) as f64;
    for (place, talk) in talks.iter_mut().enumerate() {
        talk.at(at(when + step * place as f64));
        talk.server().close(code, "");
        talk.client().close(code, "");
        talk.server().fin();
        talk.client().fin();
    }
    talks
}

/// A capture that goes on until this second, so that nothing is cut off by its end.
fn watcher(until: f64) -> Conversation {
    let mut talk = opened("10.9.9.9:50000", "10.0.9.9:80", 0.5);
    let mut rng = Rng::new(1);
    chatters(&mut talk, &mut rng, until);
    talk
}

fn capture(talks: impl IntoIterator<Item = Conversation>) -> Vec<u8> {
    Capture::of(talks).pcap()
}

fn summary(capture: &[u8], options: &[&str]) -> Value {
    let mut all = vec!["-T", "jsonl", "--lang", "en", "-"];
    all.splice(0..0, options.iter().copied());
    let run = feed(&all, capture, 1 << 16);
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    let summary = run.lines().pop().expect("a summary");
    fits(&summary);
    summary
}

/// Holds an object against the definition of its type in the schema that comes with the program.
#[track_caller]
fn fits(object: &Value) {
    let mut schema: Value = serde_json::from_str(wsdissect::report::schema::TEXT).expect("JSON");
    let keywords = schema.as_object_mut().expect("an object");
    keywords.remove("anyOf");
    let name = object["type"].as_str().expect("a type");
    keywords.insert("$ref".to_owned(), format!("#/$defs/{name}").into());
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(object).map(|error| error.instance_path().to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn text(capture: &[u8], language: &str) -> String {
    let run = feed(&["--lang", language, "-"], capture, 1 << 16);
    assert_eq!(run.code, Some(0), "{run:?}");
    run.text().to_owned()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no list at {pointer}: {value:#}"))
}

#[track_caller]
fn near(value: &Value, expected: f64, tolerance: f64) {
    let value = value.as_f64().unwrap_or_else(|| panic!("no number: {value}"));
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
}

/// The incident with so many connections.
fn incident(summary: &Value, count: u64) -> &Value {
    list(summary, "/incidents")
        .iter()
        .find(|incident| incident["count"] == count)
        .unwrap_or_else(|| panic!("no incident of {count}: {:#}", summary["incidents"]))
}

// What an incident shares.

/// Connections that a proxy cuts after a minute of silence, each at its own time.
fn idle(count: usize) -> Vec<Conversation> {
    let mut rng = Rng::new(11);
    let cut = |number: usize| {
        let headers = vec!["Server: nginx/1.25.3".to_owned()];
        let upgrade = Upgrade { host: "chat.example".to_owned(), response_headers: headers, ..Upgrade::default() };
        let mut talk = opened_with(&client(number), SERVER, 1.0 + number as f64 * 3.1, &upgrade);
        let last = 20.0 + number as f64 * 3.1 + rng.below(9000) as f64 / 1000.0;
        chatters(&mut talk, &mut rng, last);
        talk.wait(59.9 + 0.2 * number as f64 / (count - 1) as f64);
        talk.server().fin();
        talk.client().fin();
        talk
    };
    (0..count).map(cut).collect()
}

#[test]
fn row_108_the_same_silence_is_told_with_how_many_share_it() {
    let capture = capture(idle(71).into_iter().chain([watcher(400.0)]));
    let summary = summary(&capture, &[]);
    let incident = incident(&summary, 71);
    let shared = &incident["shared"];
    assert_eq!(shared["same"], "silence");
    let common = &shared["silence_s"]["common"];
    assert_eq!(common["count"], 71);
    near(&common["min"], 59.9, 0.01);
    near(&common["max"], 60.1, 0.01);
    near(&common["median"], 60.0, 0.3);
    assert_eq!(shared["hosts"][0]["value"], "chat.example");
    assert_eq!(shared["servers"][0], serde_json::json!({ "value": SERVER, "count": 71 }));
    assert_eq!(shared["clients"]["count"], 71);
    assert_eq!(shared["software"][0]["value"], "nginx/1.25.3");
    assert_eq!(shared["ends"][0], serde_json::json!({ "side": "server", "kind": "fin", "count": 71 }));
    assert_eq!((&shared["without_pings"], &shared["pings_seen"]), (&71.into(), &71.into()));
    let told = text(&capture, "en");
    let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("s of silence both ways, then FIN from 10.0.3.7: 71 of 71 connections, 59.9 s to 60.1 s"),
        "{told}"
    );
    assert_eq!(list(&summary, "/events").len(), 0, "a timer is no event");
}

/// Connections that live for an hour give or take a second, whatever is said on them.
fn hour(count: usize, age: impl Fn(usize) -> f64) -> Vec<Conversation> {
    let mut rng = Rng::new(12);
    let aged = |number: usize| {
        let start = 1.0 + number as f64 * 37.0;
        let end = start + age(number);
        let mut talk = opened(&client(number), SERVER, start);
        for part in 1..12 {
            talk.at(at(start + age(number) * f64::from(part) / 12.0 + rng.below(200_000) as f64 / 1000.0));
            talk.client().text("hello");
            talk.server().text("hello yourself");
        }
        talk.at(at(end));
        talk.server().fin();
        talk.client().fin();
        talk
    };
    (0..count).map(aged).collect()
}

#[test]
fn row_108_the_same_age_is_a_lifetime_limit_and_no_idle_timeout() {
    let scene = capture(hour(40, |number| 3599.0 + number as f64 / 20.0));
    let told = summary(&scene, &[]);
    let all: u64 = list(&told, "/incidents").iter().filter_map(|incident| incident["count"].as_u64()).sum();
    assert_eq!(all, 40);
    for incident in list(&told, "/incidents").iter().filter(|incident| incident["count"].as_u64() > Some(4)) {
        let shared = &incident["shared"];
        assert_eq!(shared["same"], "lifetime", "{incident:#}");
        near(&shared["lifetime_s"]["median"], 3600.0, 1.0);
        assert_eq!(shared["lifetime_s"]["common"]["count"], incident["count"]);
        assert_eq!(shared["silence_s"]["common"], Value::Null);
    }
    let words = text(&scene, "en").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("though they began at different times"), "{words}");

    // Ages without order are no limit.
    let scene = capture(hour(40, |number| 3000.0 + number as f64 * 29.0));
    for incident in list(&summary(&scene, &[]), "/incidents") {
        assert_ne!(incident["shared"]["same"], "lifetime", "{incident:#}");
    }
}

#[test]
fn row_108_connections_that_begin_and_end_together_prove_no_limit() {
    // All begin within a second and are killed a minute later.
    let mut rng = Rng::new(3);
    let together = |number: usize| {
        let mut talk = opened(&client(number), SERVER, 1.0 + number as f64 * 0.02);
        chatters(&mut talk, &mut rng, 60.0);
        talk
    };
    let talks: Vec<_> = (0..20).map(together).collect();
    let summary = summary(&capture(killed(talks, 61.0, 0.2).into_iter().chain([watcher(90.0)])), &[]);
    for incident in list(&summary, "/incidents") {
        assert_eq!(incident["shared"]["same"], Value::Null, "{incident:#}");
    }
    assert_eq!(summary["events"][0]["kind"], "same_age");
}

// Events.

#[test]
fn row_106_a_killed_server_is_one_event() {
    let talks = killed(chats(SERVER, 0, 20, 100.0), 100.0, 0.4);
    let others = chats("10.0.3.8:8080", 100, 5, 140.0);
    let scene = capture(talks.into_iter().chain(others));
    let told = summary(&scene, &[]);
    let events = list(&told, "/events");
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = &events[0];
    assert_eq!((&event["kind"], &event["count"], &event["open"]), (&"process_ended".into(), &20.into(), &20.into()));
    assert_eq!(event["servers"], serde_json::json!([SERVER]));
    near(&event["duration_s"], 0.4, 0.01);
    assert_eq!(event["by_kind"], serde_json::json!([{ "value": "fin", "count": 20 }]));
    let words = text(&scene, "en");
    assert!(words.contains("server 10.0.3.7:8080 ended 20 of 20 open connections within 400 ms"), "{words}");
}

#[test]
fn row_106_codes_tell_a_restart() {
    for (code, kind) in [(1012, "restart"), (1001, "restart"), (1000, "closed_by_server"), (4000, "code_for_all")] {
        let talks = closed(chats(SERVER, 0, 12, 60.0), 60.0, 0.3, code);
        let told = summary(&capture(talks.into_iter().chain([watcher(90.0)])), &[]);
        assert_eq!(told["events"][0]["kind"], kind, "{code}: {:#}", told["events"]);
        assert_eq!(told["events"][0]["count"], 12, "{code}");
    }
}

#[test]
fn row_106_a_part_of_the_connections_is_no_dead_process() {
    let mut talks = killed(chats(SERVER, 0, 8, 60.0), 60.0, 0.2);
    talks.extend(chats(SERVER, 50, 12, 90.0));
    let told = summary(&capture(talks), &[]);
    let event = &told["events"][0];
    assert_eq!((&event["kind"], &event["count"], &event["open"]), (&"part_dropped".into(), &8.into(), &20.into()));
}

#[test]
fn row_106_servers_one_after_the_other_are_a_rolling_deploy() {
    let servers = ["10.0.3.7:8080", "10.0.3.8:8080", "10.0.3.9:8080"];
    let part = |(place, server): (usize, &&str)| {
        let when = 80.0 + 30.0 * place as f64;
        closed(chats(server, place * 100, 10, when), when, 0.3, 1001)
    };
    let told = summary(&capture(servers.iter().enumerate().flat_map(part).chain([watcher(200.0)])), &[]);
    let events = list(&told, "/events");
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((&events[0]["kind"], &events[0]["count"]), (&"rolling".into(), &30.into()));
    assert_eq!(events[0]["servers"], serde_json::json!(servers));

    // Two servers that die for their own reasons an hour apart stay two events.
    let far = [("10.0.3.7:8080", 80.0, 0), ("10.0.3.8:8080", 3700.0, 100)];
    let part = |(server, when, first): (&str, f64, usize)| killed(chats(server, first, 10, when), when, 0.3);
    let told = summary(&capture(far.into_iter().flat_map(part)), &[]);
    let kinds: Vec<&Value> = list(&told, "/events").iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["process_ended", "process_ended"]);
}

#[test]
fn row_106_a_server_that_is_emptied_over_minutes_is_drained() {
    let leaving = closed(chats(SERVER, 0, 12, 100.0), 100.0, 150.0, 1001);
    // The other server goes on and gets what is new.
    let coming = (0..10).map(|number| {
        let mut talk = opened(&client(300 + number), "10.0.3.8:8080", 60.0 + 25.0 * number as f64);
        chatters(&mut talk, &mut Rng::new(number as u64), 400.0);
        talk
    });
    let told = summary(&capture(leaving.into_iter().chain(coming)), &[]);
    let events = list(&told, "/events");
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((&events[0]["kind"], &events[0]["count"]), (&"drain".into(), &12.into()));
}

#[test]
fn row_106_near_misses_are_no_events() {
    // A trickle: the server ends one connection every seven seconds, while new ones come.
    let trickle = (0..60).map(|number| {
        let start = 1.0 + 7.0 * number as f64;
        let mut talk = opened(&client(number), SERVER, start);
        chatters(&mut talk, &mut Rng::new(number as u64), start + 30.0);
        closed(vec![talk], start + 31.0 + (number % 5) as f64, 0.0, 1001).remove(0)
    });
    let told = summary(&capture(trickle.chain([watcher(500.0)])), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);

    // A busy server that always ends many a second.
    let busy = (0..600).map(|number| {
        let start = 1.0 + 0.1 * number as f64;
        let mut talk = opened(&client(number), SERVER, start);
        talk.client().text("job");
        talk.server().text("done");
        closed(vec![talk], start + 2.0 + (number % 7) as f64 * 0.3, 0.0, 1000).remove(0)
    });
    let told = summary(&capture(busy), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);

    // Each client sends a message that is too big, at one moment: each its own fault.
    let mut big = chats(SERVER, 0, 5, 60.0);
    for (place, talk) in big.iter_mut().enumerate() {
        talk.at(at(60.0 + 0.1 * place as f64));
        talk.client().text(&"x".repeat(70_000));
        talk.server().close(1009, "message too big");
        talk.client().close(1009, "");
        talk.server().fin();
    }
    let told = summary(&capture(big.into_iter().chain([watcher(90.0)])), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);

    // Two ends at one moment are a coincidence.
    let two = killed(chats(SERVER, 0, 2, 60.0), 60.0, 0.1);
    let told = summary(&capture(two.into_iter().chain(chats(SERVER, 50, 5, 90.0))), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);

    // The clients leave all at once, as when an office loses its power: not the server's doing.
    let mut leaving = chats(SERVER, 0, 12, 60.0);
    for talk in &mut leaving {
        talk.at(at(60.0));
        talk.client().fin();
        talk.server().fin();
    }
    let told = summary(&capture(leaving.into_iter().chain([watcher(90.0)])), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);
}

#[test]
fn row_106_one_cut_of_the_network_explains_all_that_went_silent() {
    let mut talks = chats(SERVER, 0, 6, 60.0);
    for (place, talk) in talks.iter_mut().enumerate() {
        // Nothing of the server comes through after 60 s.
        talk.at(at(61.0 + place as f64 * 0.7)).acks(Acks::Never);
        let lost = talk.count();
        talk.client().text("anybody there?");
        for pause in [0.2, 0.4, 0.8, 1.6, 3.2, 6.4] {
            talk.wait(pause).retransmit(lost);
        }
    }
    let told = summary(&capture(talks.into_iter().chain([watcher(120.0)])), &[]);
    let events = list(&told, "/events");
    assert_eq!(events.len(), 1, "{:#}", told["incidents"]);
    assert_eq!((&events[0]["kind"], &events[0]["count"]), (&"network_cut".into(), &6.into()));
}

// Reconnects.

/// One client that comes again after each of these pauses; each connection lasts a second and ends as told.
fn again(address: &str, pauses: &[f64], end: impl Fn(&mut Conversation)) -> Vec<Conversation> {
    let mut start = 5.0;
    let mut talks = Vec::new();
    for (place, pause) in [0.0].iter().chain(pauses).enumerate() {
        start += pause;
        let mut talk = opened(&format!("{address}:{}", 41_000 + place), SERVER, start);
        talk.client().text("hello");
        talk.wait(1.0);
        end(&mut talk);
        start = (talk.now() - START) as f64 / 1e9;
        talks.push(talk);
    }
    talks
}

fn reset(talk: &mut Conversation) {
    talk.server().rst();
}

fn finished(talk: &mut Conversation) {
    talk.server().close(1000, "");
    talk.client().close(1000, "");
    talk.server().fin();
    talk.client().fin();
}

#[test]
fn row_107_a_client_without_backoff_is_told_with_its_period() {
    let scene = capture(again("10.5.0.1", &[1.0; 11], reset).into_iter().chain([watcher(60.0)]));
    let told = summary(&scene, &[]);
    let series = list(&told, "/reconnects/series");
    assert_eq!(series.len(), 1, "{series:#?}");
    let one = &series[0];
    assert_eq!((&one["backoff"], &one["attempts"], &one["failed"]), (&"none".into(), &12.into(), &12.into()));
    assert_eq!((&one["client"], &one["server"]), (&"10.5.0.1".into(), &SERVER.into()));
    near(&one["pause_s"]["median"], 1.0, 0.01);
    assert!(one["jitter"].as_f64() < Some(0.05), "{one:#}");
    let words = text(&scene, "en").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("began 12 connections to 10.0.3.7:8080, each 1 s after the end of the one before"),
        "{words}"
    );
    assert!(words.contains("no backoff"), "{words}");
    assert!(words.contains("RFC 6455 §7.2.3"), "{words}");
}

#[test]
fn row_107_refused_attempts_count() {
    // One connection shows what the server is for; then it is down, and the client tries again and again.
    let mut talks = again("10.5.0.1", &[], reset);
    for attempt in 0..8 {
        let mut talk = Conversation::new(&format!("10.5.0.1:{}", 42_000 + attempt), SERVER);
        talk.at(at(8.0 + 0.5 * f64::from(attempt)));
        talk.acks(Acks::Never);
        support_syn(&mut talk);
        talks.push(talk);
    }
    let told = summary(&capture(talks.into_iter().chain([watcher(60.0)])), &[]);
    let one = &list(&told, "/reconnects/series")[0];
    assert_eq!((&one["backoff"], &one["attempts"]), (&"none".into(), &9.into()), "{one:#}");
    near(&one["pause_s"]["median"], 0.5, 0.05);
}

/// A SYN that is refused: the three packets of an opening, the second made a RST, the third left out.
fn support_syn(talk: &mut Conversation) {
    use support::net::flags;
    talk.connect();
    let packets = talk.packets_mut();
    packets.truncate(2);
    let refusal = packets[1].segment_mut();
    refusal.flags = flags::RST | flags::ACK;
    refusal.seq = 0;
    refusal.window = 0;
    refusal.options.clear();
}

#[test]
fn row_107_backoff_is_recognised() {
    let pauses = [1.0, 2.0, 4.0, 8.0, 16.0, 16.0];
    let told = summary(&capture(again("10.5.0.1", &pauses, reset).into_iter().chain([watcher(90.0)])), &[]);
    assert_eq!(told["reconnects"]["series"][0]["backoff"], "growing", "{:#}", told["reconnects"]);
    let random = [0.4, 4.1, 2.7, 0.9, 3.6, 1.8, 4.9];
    let told = summary(&capture(again("10.5.0.1", &random, reset).into_iter().chain([watcher(90.0)])), &[]);
    assert_eq!(list(&told, "/reconnects/series").len(), 0, "random delays are what the RFC asks for");
}

#[test]
fn row_107_a_poller_is_no_storm() {
    let scene = capture(again("10.5.0.1", &[2.0; 15], finished).into_iter().chain([watcher(90.0)]));
    let told = summary(&scene, &[]);
    let one = &list(&told, "/reconnects/series")[0];
    assert_eq!((&one["backoff"], &one["failed"]), (&"regular".into(), &0.into()));
    assert!(text(&scene, "en").contains("no storm"), "{}", text(&scene, "en"));
}

#[test]
fn row_107_a_test_program_that_fails_in_all_ways_is_no_storm() {
    let codes = [1002, 1003, 1007, 1008, 1009, 1011, 4000];
    let mut talks = again("10.5.0.1", &[0.01; 20], |_| {});
    for (place, talk) in talks.iter_mut().enumerate() {
        talk.server().close(codes[place % codes.len()], "");
        talk.client().close(codes[place % codes.len()], "");
        talk.server().fin();
        talk.client().fin();
    }
    let told = summary(&capture(talks.into_iter().chain([watcher(60.0)])), &[]);
    assert_eq!(list(&told, "/reconnects/series").len(), 0, "{:#}", told["reconnects"]);
}

#[test]
fn row_107_many_clients_behind_one_address_are_no_storm() {
    let behind = |number: usize| {
        let mut talk = opened(&format!("10.5.0.1:{}", 43_000 + number), SERVER, 1.0 + number as f64 * 1.3);
        chatters(&mut talk, &mut Rng::new(number as u64), 20.0 + number as f64 * 1.3);
        talk.server().rst();
        talk
    };
    let told = summary(&capture((0..40).map(behind).chain([watcher(120.0)])), &[]);
    assert_eq!(list(&told, "/reconnects/series").len(), 0, "{:#}", told["reconnects"]);
}

/// A killed server, and when each of its clients comes back.
fn crash_and_return(delay: impl Fn(usize) -> f64) -> Vec<u8> {
    let talks = killed(chats(SERVER, 0, 15, 60.0), 60.0, 0.1);
    let back = |number: usize| {
        let address = client(number);
        let (ip, _) = address.split_once(':').expect("a port");
        let ended = 60.0 + 0.1 * number as f64 / 14.0;
        let mut talk = opened(&format!("{ip}:{}", 60_000 + number), SERVER, ended + delay(number));
        chatters(&mut talk, &mut Rng::new(number as u64), 100.0);
        talk
    };
    capture(talks.into_iter().chain((0..15).map(back)).chain([watcher(120.0)]))
}

#[test]
fn row_107_a_crowd_that_comes_back_together_has_no_jitter() {
    let scene = crash_and_return(|_| 1.0);
    let told = summary(&scene, &[]);
    let herds = list(&told, "/reconnects/herds");
    assert_eq!(herds.len(), 1, "{:#}", told["reconnects"]);
    assert_eq!((&herds[0]["count"], &herds[0]["clients"]), (&15.into(), &15.into()));
    near(&herds[0]["within_s"], 0.1, 0.02);
    near(&herds[0]["delay_s"]["median"], 1.0, 0.02);
    assert!(text(&scene, "en").contains("no jitter"));

    // As the RFC asks: anything from 0 to 5 s.
    let told = summary(&crash_and_return(|number| 0.2 + number as f64 * 0.31), &[]);
    assert_eq!(list(&told, "/reconnects/herds").len(), 0, "{:#}", told["reconnects"]);
}

// Known findings.

/// A folder with a capture of a killed server in it.
fn known(test: &str) -> (PathBuf, String) {
    let folder = folder(test);
    let file = folder.join("capture.pcap");
    let talks = killed(chats(SERVER, 0, 6, 60.0), 60.0, 0.4);
    fs::write(&file, capture(talks.into_iter().chain([watcher(90.0)]))).expect("written");
    let name = file.to_str().expect("UTF-8").to_owned();
    (folder, name)
}

fn with_ignore(folder: &std::path::Path, list: &str, more: &[&str]) -> Run {
    let file = folder.join("known.toml");
    fs::write(&file, list).expect("written");
    let capture = folder.join("capture.pcap");
    let mut args = vec!["--lang", "en", "--ignore", file.to_str().expect("UTF-8"), capture.to_str().expect("UTF-8")];
    args.extend(more);
    run(&args)
}

#[test]
fn row_129_what_is_known_is_left_out_and_counted() {
    let (folder, capture) = known("known");
    let baseline = folder.join("baseline.toml");
    let baseline = baseline.to_str().expect("UTF-8");
    let first = run(&["--fail-on", "abnormal", "--write-baseline", baseline, &capture]);
    assert_eq!(first.code, Some(1), "{first:?}");
    let second = run(&["-T", "jsonl", "--fail-on", "abnormal", "--ignore", baseline, &capture]);
    assert_eq!(second.code, Some(0), "{second:?}");
    let lines = second.lines();
    let summary = lines.last().expect("a summary");
    fits(summary);
    assert_eq!(summary["ignored"]["connections"], 6);
    assert_eq!(lines.len(), 2, "the watcher and the summary");
    let counts: u64 = list(summary, "/ignored/entries").iter().filter_map(|entry| entry["count"].as_u64()).sum();
    assert_eq!(counts, 6);
    assert_eq!(list(summary, "/events").len(), 0);
    let told = run(&["--lang", "en", "--ignore", baseline, &capture]);
    assert!(told.text().contains("known and left out by"), "{}", told.text());
}

#[test]
fn row_129_an_entry_fits_by_rule_place_and_day() {
    let (folder, capture) = known("places");
    let rules = |run: &Run| {
        let lines = run.lines();
        let abnormal =
            lines.iter().filter(|line| line["type"] == "connection" && line["close"]["tcp_end"]["kind"] == "fin");
        abnormal.count()
    };
    let all = run(&["-T", "jsonl", &capture]);
    let rule =
        all.lines().iter().find(|line| line["server"]["ip"] == "10.0.3.7").expect("one")["diagnosis"]["rule"].clone();
    let rule = rule.as_str().expect("a rule");
    let count = list(all.lines().last().expect("a summary"), "/incidents")
        .iter()
        .filter(|incident| incident["rule"] == rule)
        .filter_map(|incident| incident["count"].as_u64())
        .sum::<u64>() as usize;
    let entry = |place: &str| format!("[[known]]\nrule = \"{rule}\"\n{place}\n");
    for (place, ignored) in [
        ("server = \"10.0.3.7\"", count),
        ("server = \"10.0.3.7:8080\"", count),
        ("server = \"10.0.3.7:8081\"", 0),
        ("server = \"10.0.3.8\"", 0),
        ("host = \"CHAT.example\"", count),
        ("host = \"chat.example\"\npath = \"/\"", count),
        ("host = \"chat.example\"\npath = \"/other\"", 0),
        // The capture is of 2023-11-14.
        ("host = \"chat.example\"\nuntil = 2023-11-14", count),
        ("host = \"chat.example\"\nuntil = 2023-11-13", 0),
    ] {
        let told = with_ignore(&folder, &entry(place), &["-T", "jsonl"]);
        assert_eq!(rules(&told), rules(&all) - ignored, "{place}");
        let summary = told.lines().pop().expect("a summary");
        assert_eq!(summary["ignored"]["connections"], ignored, "{place}");
    }
    let told = with_ignore(&folder, &entry("server = \"10.0.3.8\""), &[]);
    assert!(told.text().contains("that nothing fits, by line: 1"), "{}", told.text());
    let told = with_ignore(&folder, &entry("host = \"chat.example\"\nuntil = 2023-11-13"), &[]);
    assert!(told.text().contains("whose date is over, by line: 1"), "{}", told.text());
}

#[test]
fn row_129_a_bad_file_is_refused_with_its_line() {
    let (folder, _) = known("faults");
    for (list, says) in [
        ("[[known]]\nrule = \"no-such-rule\"\nhost = \"x\"\n", "line 2: there is no rule `no-such-rule`"),
        ("[[known]]\nrule = \"open-at-capture-end\"\n", "line 1: neither `server` nor `host`"),
        ("[[known]]\nrule = \n", "line 2"),
    ] {
        let told = with_ignore(&folder, list, &[]);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.stderr.contains(says), "{}", told.stderr);
        assert!(told.stdout.is_empty());
    }
}

// Before and after.

/// Two folders: idle cuts among normal ends before, and what is there after.
fn two(test: &str, after: Vec<Conversation>) -> (String, String) {
    let folder = folder(test);
    let mut before = idle(20);
    before.extend((0..20).map(|number| again(&format!("10.6.0.{}", number + 1), &[], finished).remove(0)));
    let write = |name: &str, talks: Vec<Conversation>| {
        let file = folder.join(name);
        fs::write(&file, capture(talks)).expect("written");
        file.to_str().expect("UTF-8").to_owned()
    };
    (write("before.pcap", before), write("after.pcap", after))
}

fn normal(count: usize) -> Vec<Conversation> {
    (0..count).map(|number| again(&format!("10.6.1.{}", number + 1), &[], finished).remove(0)).collect()
}

#[test]
fn row_132_what_is_gone_and_what_is_new_is_told_by_cause() {
    let (before, after) = two("gone", normal(40));
    let told = run(&["diff", "-T", "json", "--fail-on", "worse", &before, &after]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let diff: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    fits(&diff);
    assert_eq!((&diff["before"]["ended"], &diff["after"]["ended"]), (&40.into(), &40.into()));
    assert_eq!(diff["abnormal"]["change"], "gone");
    assert_eq!((&diff["worse"], &diff["better"]), (&false.into(), &true.into()));
    let normal = list(&diff, "/causes").iter().find(|row| row["name"] == "normal").expect("a row");
    assert_eq!((&normal["before"], &normal["after"], &normal["change"]), (&20.into(), &40.into(), &"more".into()));
    near(&normal["per_100_before"], 50.0, 1e-9);

    // The other way round it is worse, and a pipeline stops.
    let told = run(&["diff", "--lang", "en", "--fail-on", "worse", &after, &before]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.text().contains("Worse:"), "{}", told.text());
    assert!(told.text().contains("The captures differ in length"), "{}", told.text());
}

#[test]
fn row_132_few_connections_tell_nothing() {
    let (_, few) = two("few", normal(2));
    let folder = folder("one");
    let one = folder.join("one.pcap");
    fs::write(&one, capture(idle(2))).expect("written");
    let told = run(&["diff", "--lang", "en", "--fail-on", "worse,changed", &few, one.to_str().expect("UTF-8")]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.text().contains("Too few connections"), "{}", told.text());
    assert!(told.text().contains("too few to tell"), "{}", told.text());
}

#[test]
fn row_132_the_same_capture_has_not_changed_and_a_folder_is_a_side() {
    let (before, after) = two("same", normal(40));
    let told = run(&["diff", "--lang", "en", "--fail-on", "changed", &before, &before]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.text().contains("No clear change"), "{}", told.text());
    let both = PathBuf::from(&before);
    let both = both.parent().expect("a folder").to_str().expect("UTF-8");
    let told = run(&["diff", "-T", "json", both, &after]);
    let diff: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(diff["before"]["ended"], 80, "{diff:#}");
    let told = run(&["diff", &before, "no-such-file.pcap"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.stderr.contains("no-such-file.pcap"));
}

// In all languages.

#[test]
fn the_first_screen_fits_eighty_columns_in_every_language() {
    let scene = crash_and_return(|_| 1.0);
    for language in ["en", "zh", "de", "tr", "fr"] {
        let told = text(&scene, language);
        assert!(!told.contains('{') && !told.contains('}'), "{language}: {told}");
        assert!(told.contains("10.0.3.7:8080"), "{language}: {told}");
    }
}

#[test]
fn the_lines_about_many_connections_keep_to_the_width() {
    use wsdissect::capture::Reader;
    use wsdissect::catalog::language::Language;
    use wsdissect::fleet::Fleet;
    use wsdissect::report::{Closing, Speaker, text::TextReport};
    use wsdissect::{Analyzer, Options};

    let mut talks = idle(12);
    talks.extend(killed(chats("10.0.3.8:8080", 300, 12, 60.0), 60.0, 0.3));
    talks.extend(again("10.5.0.1", &[1.0; 6], reset));
    let bytes = capture(talks);
    let mut reader = Reader::open(&bytes[..]).expect("a capture");
    let mut analyzer = Analyzer::new(Options::default());
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let mut fleet = Fleet::default();
    std::iter::from_fn(|| analyzer.next_report()).for_each(|report| fleet.add(&report));
    let closing = Closing { capture: "capture.pcap", summary: analyzer.summary(), ..Closing::default() };
    for language in Language::ALL {
        let speaker = Speaker::new(language);
        let told = TextReport::new(&speaker, 80).overview(&closing, &fleet.overview());
        // Wide characters take two columns: counting each character of theirs as two is what a terminal does.
        let columns = |line: &str| -> usize {
            let mut plain = String::new();
            let mut rest = line;
            while let Some((before, after)) = rest.split_once('\u{1b}') {
                plain.push_str(before);
                rest = after.split_once('m').map_or("", |(_, rest)| rest);
            }
            plain.push_str(rest);
            plain.chars().map(|c| if ('\u{2e80}'..='\u{ffef}').contains(&c) { 2 } else { 1 }).sum()
        };
        for line in told.lines().filter(|line| !line.contains("tcp.stream")) {
            assert!(columns(line) <= 80, "{language:?}: {} columns: {line}", columns(line));
        }
        assert!(told.contains("10.5.0.1"), "{language:?}: {told}");
    }
}

#[test]
fn row_106_connections_that_are_alike_in_everything_are_no_event() {
    // As in a load test: all begin together, say one thing, and are cut by a short idle timeout.
    let alike = |number: usize| {
        let mut talk = opened(&client(number), SERVER, 1.0 + number as f64 * 0.01);
        talk.client().text("hello");
        talk.server().text("hello yourself");
        talk.wait(3.0);
        talk.server().fin();
        talk.client().fin();
        talk
    };
    let told = summary(&capture((0..8).map(alike).chain([watcher(30.0)])), &[]);
    assert_eq!(list(&told, "/events").len(), 0, "{:#}", told["events"]);
}

/// What is kept of all connections together does not grow with them.
#[test]
fn many_connections_cost_little_together() {
    use std::net::{IpAddr, Ipv4Addr};
    use wsdissect::capture::Reader;
    use wsdissect::evidence::{FactId, Known, PacketRefs, Value as FactValue};
    use wsdissect::fleet::{Fleet, Incident, events::Event, reconnects::Reconnects};
    use wsdissect::units::Timestamp;
    use wsdissect::{Analyzer, Options};

    let bytes = capture(killed(chats(SERVER, 0, 1, 60.0), 60.0, 0.0));
    let mut reader = Reader::open(&bytes[..]).expect("a capture");
    let mut analyzer = Analyzer::new(Options::default());
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let mut report = analyzer.next_report().expect("one connection");
    let mut fleet = Fleet::default();
    let mut rng = Rng::new(9);
    const MANY: u64 = 100_000;
    for number in 0..MANY {
        let connection = Arc::make_mut(&mut report.connection);
        // Bursts of ten at thousands of servers, too far apart to be a row, and ever other clients.
        let moment = at((number / 10) as f64 * 400.0 + rng.below(300) as f64 / 1000.0);
        connection.endpoints.server.ip = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (number / 10 % 6000) as u32));
        connection.endpoints.client.ip = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number as u32));
        connection.first.time = Some(Timestamp::from_nanos(moment - 50_000_000_000 - rng.below(1 << 34) as i64));
        for signal in &mut connection.ending {
            signal.at.time = Some(Timestamp::from_nanos(moment));
        }
        for fact in ["end.silence_s", "connection.lifetime_s"] {
            let seconds = Known::Seen(FactValue::Float(rng.below(100_000) as f64 / 1000.0));
            report.facts.set(FactId::by_name(fact).expect("a fact"), seconds, PacketRefs::default());
        }
        fleet.add(&report);
    }
    let overview = fleet.overview();
    assert_eq!(overview.counts.total, MANY);
    assert_eq!(overview.incidents.len(), 1);
    let incident = overview.incidents[0];
    assert_eq!((incident.count, incident.streams.len()), (MANY, Incident::STREAMS));
    assert!(incident.shared.clients.has_more());
    assert_eq!(overview.events.len(), Event::MOST);
    assert!(overview.more_events > 0);
    assert!(overview.reconnects.series.len() <= Reconnects::TOLD);
}
