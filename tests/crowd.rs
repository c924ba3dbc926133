//! What the other connections of a capture say about one: many that end at once, after the same silence, at the same age,
//! and the two legs of a proxy.
//!
//! What must come out follows from the scripts: who ended what, when, and which proxy passes what on (as measured with
//! nginx 1.22 and HAProxy 2.6). Each has a near miss beside it.

mod common;
mod support;

use std::io::Cursor;
use support::conversation::START;
use support::net::flags;
use support::{Capture, Conversation, Link, Packet, PcapngWriter, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::diagnosis::{Cause, Confidence, Party};
use wsdissect::evidence::{FactId, Known, Value, WhyUnknown};
use wsdissect::fleet::{ConnectionReport, Fleet};
use wsdissect::{Analyzer, Options, Patience};

const SERVER: &str = "10.9.0.1:80";

/// Reports in the order in which they come; asked for after each packet, as a live capture does.
fn reports_of(file: Vec<u8>) -> Vec<ConnectionReport> {
    let mut analyzer = Analyzer::new(Options { patience: Patience::Moment, ..Options::default() });
    let mut reader = Reader::open(Cursor::new(file)).expect("a capture");
    let mut reports = Vec::new();
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
        reports.extend(std::iter::from_fn(|| analyzer.next_report()));
    }
    analyzer.finish();
    reports.extend(std::iter::from_fn(|| analyzer.next_report()));
    reports
}

fn told(conversations: impl IntoIterator<Item = Conversation>) -> Vec<ConnectionReport> {
    reports_of(Capture::of(conversations).pcap())
}

/// The same file without a time in any packet.
fn told_without_time(conversations: impl IntoIterator<Item = Conversation>) -> Vec<ConnectionReport> {
    let mut writer = PcapngWriter::new();
    writer.section(false).interface(Link::Ethernet);
    Capture::of(conversations).packets().iter().for_each(|packet: &Packet| {
        writer.simple_packet(packet);
    });
    reports_of(writer.bytes())
}

fn fact(report: &ConnectionReport, name: &str) -> Known<Value> {
    report.facts.get(FactId::by_name(name).unwrap_or_else(|| panic!("no fact {name}"))).clone()
}

fn number(report: &ConnectionReport, name: &str) -> f64 {
    let value = fact(report, name);
    value.seen().and_then(Value::number).unwrap_or_else(|| panic!("{name}: {value:?}"))
}

fn word(report: &ConnectionReport, name: &str) -> String {
    let value = fact(report, name);
    value.seen().and_then(Value::text).unwrap_or_else(|| panic!("{name}: {value:?}")).to_owned()
}

fn rules(reports: &[ConnectionReport]) -> Vec<&str> {
    reports.iter().map(|report| report.diagnosis.rule.as_str()).collect()
}

fn count(reports: &[ConnectionReport], rule: &str) -> usize {
    rules(reports).iter().filter(|each| **each == rule).count()
}

fn verdict(report: &ConnectionReport) -> (&str, Cause, Party, Confidence) {
    let diagnosis = &report.diagnosis;
    (diagnosis.rule.as_str(), diagnosis.cause, diagnosis.party, diagnosis.confidence)
}

/// Seconds on the clock of the conversations.
fn at(seconds: f64) -> i64 {
    START + (seconds * 1e9) as i64
}

/// The `i`th client, which connects to `server` at that time and says something.
fn visitor_of(server: &str, i: u32, seconds: f64) -> Conversation {
    let client = format!("10.{}.{}.{}:{}", 1 + i / 62_500, i / 250 % 250, 1 + i % 250, 20_000 + i % 40_000);
    let mut talk = Conversation::new(&client, server);
    talk.at(at(seconds)).connect().upgrade();
    talk.client().text("hello");
    talk.server().text("welcome");
    talk
}

fn visitor(i: u32, seconds: f64) -> Conversation {
    visitor_of(SERVER, i, seconds)
}

/// Ends at this moment, said by the script to the nanosecond.
fn server_fin(talk: &mut Conversation, seconds: f64) {
    talk.at(at(seconds)).server().fin();
    talk.client().fin();
}

/// Seconds since the clock began at which the next packet of a conversation would come.
fn now(talk: &Conversation) -> f64 {
    (talk.now() - START) as f64 / 1e9
}

/// The last payload byte of a conversation went out one packet before now, and its ACK after it.
fn last_payload(talk: &Conversation) -> f64 {
    now(talk) - 0.0002
}

/// A connection that somebody at the same server opened long before and that stays open, in use.
fn regular(i: u32, from: f64, to: f64, every: f64) -> Conversation {
    let mut talk = visitor(i, from);
    let mut next = from + every;
    while next < to {
        talk.at(at(next)).server().text("tick");
        next += every;
    }
    talk
}

// Idle timers.

/// Sixty connections that were last used at different ages and end after 60.0 s of silence.
fn idle_sixty() -> Vec<Conversation> {
    (0..60)
        .map(|i| {
            let mut talk = visitor(i, f64::from(i) * 7.3);
            talk.wait(f64::from(i % 13) * 1.7).client().text("one more thing");
            let end = last_payload(&talk) + 60.0 + f64::from(i % 5) * 0.01;
            server_fin(&mut talk, end);
            talk
        })
        .collect()
}

#[test]
fn row_108_sixty_connections_dying_after_the_same_silence_are_proof() {
    let reports = told(idle_sixty());
    assert_eq!(count(&reports, "no-close-idle-60"), 60);
    let last = reports.last().expect("sixty");
    assert_eq!(verdict(last), ("no-close-idle-60", Cause::IdleTimeout, Party::Unknown, Confidence::Certain));
    assert_eq!(number(last, "crowd.same_silence"), 59.0);
    assert_eq!(number(last, "crowd.same_silence_of"), 59.0);
    assert_eq!(fact(last, "crowd.outlasted"), Known::Absent);
    // The first could not know of the others; the incident is as sure as those that could.
    assert_eq!(reports[0].diagnosis.confidence, Confidence::Likely);
    let mut fleet = Fleet::default();
    reports.iter().for_each(|report| fleet.add(report));
    let confidences: Vec<_> = fleet.incidents().iter().map(|incident| incident.confidence).collect();
    assert_eq!(confidences, [Confidence::Certain]);
}

#[test]
fn row_108_one_death_at_sixty_seconds_is_a_hint() {
    let reports = told(idle_sixty().into_iter().take(1));
    assert_eq!(verdict(&reports[0]), ("no-close-idle-60", Cause::IdleTimeout, Party::Unknown, Confidence::Likely));
    assert_eq!(fact(&reports[0], "crowd.same_silence"), Known::Absent);
}

#[test]
fn a_longer_silence_that_another_connection_survived_refutes_the_timer() {
    let mut survivor = visitor(100, -500.0);
    survivor.at(at(-290.0)).server().text("still there?");
    survivor.client().text("yes");
    let reports = told(idle_sixty().into_iter().chain([survivor]));
    for report in reports.iter().filter(|report| report.connection.first_end().is_some()) {
        assert_eq!(number(report, "crowd.outlasted"), 1.0);
        assert!(number(report, "crowd.longest_survived_silence_s") > 200.0);
        assert!(!report.diagnosis.rule.as_str().starts_with("no-close-idle"), "{}", report.diagnosis.rule);
        assert!(report.diagnosis.confidence == Confidence::Possible, "{:?}", verdict(report));
    }
    assert!(count(&reports, "crowd-idle-outlasted") > 50, "{:?}", rules(&reports));
}

#[test]
fn a_longer_silence_that_the_connection_itself_survived_refutes_the_timer() {
    let mut talk = visitor(1, 0.0);
    talk.wait(90.0).client().text("back again");
    let survived = talk.count();
    let end = last_payload(&talk) + 60.0;
    server_fin(&mut talk, end);
    let reports = told([talk]);
    assert_eq!(verdict(&reports[0]), ("no-close-fin", Cause::Dropped, Party::Server, Confidence::Possible));
    assert!((number(&reports[0], "connection.longest_silence_s") - 90.0).abs() < 0.01);
    let evidence = reports[0].facts.evidence(FactId::by_name("crowd.outlasted").expect("a fact"));
    assert_eq!(evidence.packets.as_slice().last().map(|packet| packet.value() as usize), Some(survived - 1));
}

#[test]
fn data_that_was_never_acknowledged_survived_nothing() {
    // What goes into a path that forgot the connection is not acknowledged.
    let mut talk = visitor(1, 0.0);
    talk.wait(400.0).acks(support::Acks::Never).client().text("anybody?");
    talk.server().rst();
    let segment = talk.packets_mut().last_mut().expect("the RST").segment_mut();
    (segment.flags, segment.ack) = (flags::RST, 0);
    let report = &told([talk])[0];
    assert_eq!(fact(report, "connection.longest_silence_s"), Known::Seen(Value::Float(0.0)));
    assert_eq!(fact(report, "crowd.outlasted"), Known::Absent);
}

#[test]
fn decision_098_an_unusual_silence_that_many_share_is_an_unknown_timer() {
    let many = (0..8).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 11.0);
        talk.wait(f64::from(i)).server().text("news");
        let end = last_payload(&talk) + 47.2;
        server_fin(&mut talk, end);
        talk
    });
    let reports = told(many);
    let last = reports.last().expect("eight");
    assert_eq!(verdict(last), ("crowd-same-silence", Cause::IdleTimeout, Party::Unknown, Confidence::Certain));
    // The first four had not three others to compare with.
    assert_eq!(count(&reports, "crowd-same-silence"), 5, "{:?}", rules(&reports));
}

#[test]
fn decision_098_silences_that_began_together_are_no_timer() {
    // One broadcast to all, and 47 s later all are gone: whatever ended them, their silences say nothing of it.
    let many = (0..8).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 3.0);
        talk.at(at(60.0 + f64::from(i) * 0.01)).server().text("broadcast");
        server_fin(&mut talk, 107.2 + f64::from(i) * 0.01);
        talk
    });
    let reports = told(many);
    assert_eq!(count(&reports, "crowd-same-silence"), 0, "{:?}", rules(&reports));
    assert!(reports.iter().all(|report| fact(report, "crowd.same_silence") == Known::Absent));
    assert_eq!(count(&reports, "crowd-server-ended"), 8, "{:?}", rules(&reports));
}

#[test]
fn a_broadcast_and_a_usual_timer_are_no_mass_disconnect() {
    // The same with 60.0 s: a timer explains it as well as a crash.
    let many = (0..8).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 3.0);
        talk.at(at(60.0 + f64::from(i) * 0.01)).server().text("broadcast");
        server_fin(&mut talk, 120.0 + f64::from(i) * 0.01);
        talk
    });
    let reports = told(many);
    // The first visitor had been silent for nearly as long before the broadcast, and was not cut.
    assert_eq!(rules(&reports)[0], "no-close-fin");
    assert_eq!(count(&reports, "no-close-idle-60"), 7, "{:?}", rules(&reports));
    assert!(reports.iter().all(|report| report.diagnosis.confidence < Confidence::Certain));
    assert_eq!(word(&reports[7], "crowd.also_shared"), "silence");
}

#[test]
fn an_idle_timeout_behind_a_normal_close_is_proved_by_many() {
    // cowboy closes an idle connection with 1000; one such close is likely an idle timeout, many prove it.
    let many = (0..12).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 5.1);
        talk.wait(f64::from(i % 5) * 1.3).client().text("last word");
        let end = last_payload(&talk) + 60.0;
        talk.at(at(end)).server().close(1000, "");
        talk.client().close(1000, "");
        talk.server().fin();
        talk.client().fin();
        talk
    });
    let reports = told(many);
    let expected = |confidence| ("close-stack-idle", Cause::IdleTimeout, Party::Server, confidence);
    assert_eq!(verdict(&reports[0]), expected(Confidence::Likely));
    assert_eq!(verdict(reports.last().expect("twelve")), expected(Confidence::Certain));
}

#[test]
fn pings_that_many_left_unanswered_are_no_idle_timer_and_no_crash() {
    // node websocket: an empty Ping, and FIN ten seconds after it.
    let many = (0..9).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 4.4);
        talk.wait(f64::from(i % 4)).client().text("last word");
        talk.wait(20.0).server().ping(b"");
        let end = last_payload(&talk) + 10.0;
        server_fin(&mut talk, end);
        talk
    });
    let reports = told(many);
    assert_eq!(count(&reports, "no-close-ping-timer"), 9, "{:?}", rules(&reports));
}

// Limits of age.

/// Forty connections, opened over twelve minutes, which the server ends at 3600 s ± 1 s while they are in use.
fn hour_long() -> Vec<Conversation> {
    (0..40)
        .map(|i| {
            let opened = f64::from(i) * 17.3;
            let mut talk = visitor(i, opened);
            for minute in 1..59 {
                talk.at(at(opened + f64::from(minute) * 60.0)).server().text("tick");
            }
            let end = opened + 3600.0 + f64::from(i % 9) * 0.25 - 1.0;
            talk.at(at(end - 0.3 - f64::from(i % 4))).client().text("busy");
            server_fin(&mut talk, end);
            talk
        })
        .collect()
}

#[test]
fn row_108_forty_connections_dying_at_one_hour_have_reached_a_maximum_lifetime() {
    let reports = told(hour_long());
    let last = reports.last().expect("forty");
    assert_eq!(verdict(last), ("crowd-same-lifetime", Cause::LifetimeLimit, Party::Unknown, Confidence::Certain));
    assert_eq!(number(last, "crowd.same_lifetime"), 39.0);
    assert!(count(&reports, "crowd-same-lifetime") >= 36, "{:?}", rules(&reports));
    assert!(reports.iter().all(|report| report.diagnosis.cause == Cause::LifetimeLimit), "{:?}", rules(&reports));
}

#[test]
fn row_108_a_connection_that_lives_longer_refutes_the_limit() {
    let reports = told(hour_long().into_iter().chain([regular(100, -3000.0, 4400.0, 30.0)]));
    assert_eq!(count(&reports, "crowd-same-lifetime"), 0, "{:?}", rules(&reports));
    let ended = reports.iter().filter(|report| report.connection.first_end().is_some());
    ended.for_each(|report| assert_eq!(number(report, "crowd.outlived"), 1.0));
}

#[test]
fn row_108_those_that_opened_together_and_ended_together_have_no_common_lifetime_limit() {
    let many = (0..40).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 0.01);
        talk.at(at(777.0 + f64::from(i) * 0.01)).client().text("busy");
        server_fin(&mut talk, 777.7 + f64::from(i) * 0.005);
        talk
    });
    let reports = told(many);
    assert_eq!(count(&reports, "crowd-same-lifetime"), 0);
    assert_eq!(count(&reports, "crowd-server-ended"), 40, "{:?}", rules(&reports));
}

#[test]
fn row_108_a_limit_of_age_may_hide_behind_a_close_code() {
    let many = (0..12).map(|i| {
        let opened = f64::from(i) * 13.0;
        let mut talk = visitor(i, opened);
        talk.at(at(opened + 599.0 - f64::from(i % 3))).client().text("busy");
        talk.at(at(opened + 600.2)).server().close(1001, "Going away");
        talk.client().close(1001, "");
        talk.server().fin();
        talk.client().fin();
        talk
    });
    let reports = told(many);
    let last = reports.last().expect("twelve");
    let expected = ("crowd-same-lifetime-close", Cause::LifetimeLimit, Party::Server, Confidence::Certain);
    assert_eq!(verdict(last), expected);
}

// One event that ends many.

/// Thirty connections, opened at different times, that end within 50 ms: FIN, or RST where data was unread.
fn killed() -> Vec<Conversation> {
    (0..30)
        .map(|i| {
            let mut talk = visitor(i, f64::from(i) * 3.1);
            talk.wait(f64::from(i % 7) * 0.9).client().text("again");
            let end = 120.0 + f64::from(i) * 0.0016;
            if i % 4 == 0 {
                talk.at(at(end)).server().rst();
            } else {
                server_fin(&mut talk, end);
            }
            talk
        })
        .collect()
}

/// A client that comes back and finds nobody listening.
fn refused(seconds: f64) -> Conversation {
    let mut talk = Conversation::new("10.1.0.7:61000", SERVER);
    talk.at(at(seconds)).connect();
    let syn = talk.packets()[0].clone();
    talk.packets_mut().clear();
    talk.packets_mut().push(syn);
    talk.at(at(seconds + 0.0002)).server().rst();
    talk
}

#[test]
fn decision_065_thirty_connections_that_end_within_50_ms_are_one_killed_process() {
    let reports = told(killed());
    for report in &reports {
        let expected = ("crowd-server-ended", Cause::ProcessEnded, Party::Server, Confidence::Likely);
        assert_eq!(verdict(report), expected);
        assert_eq!(number(report, "crowd.ended_together"), 29.0);
        assert_eq!(number(report, "crowd.open_then"), 0.0);
        assert!(number(report, "crowd.ended_within_s") < 0.05);
    }
}

#[test]
fn decision_065_a_port_that_refuses_right_after_proves_it() {
    let reports = told(killed().into_iter().chain([refused(120.4)]));
    let of_server = reports.iter().filter(|report| report.connection.was_upgraded());
    for report in of_server {
        assert_eq!(report.diagnosis.confidence, Confidence::Certain, "{:?}", verdict(report));
        assert!(number(report, "crowd.refused_after_s") < 0.5);
    }
}

#[test]
fn decision_065_young_connections_count_when_all_end_at_once_and_none_around() {
    let young = |stragglers: u32| {
        (0..5).map(|i| (i, 10.0 + f64::from(i) * 0.02, 10.8)).chain((5..5 + stragglers).map(|i| (i, 10.1, 11.3)))
    };
    let conversations = |stragglers| {
        young(stragglers).map(|(i, opened, ended)| {
            let mut talk = visitor(i, opened);
            server_fin(&mut talk, ended + f64::from(i) * 0.0001);
            talk
        })
    };
    assert_eq!(rules(&told(conversations(0))), ["crowd-server-ended"; 5]);
    // Where others end half a second later, short lives are what is usual here.
    assert_eq!(count(&told(conversations(1)), "crowd-server-ended"), 0);
}

#[test]
fn decision_065_when_most_others_go_on_the_process_lives() {
    let others = (200..600).map(|i| regular(i, 0.0, 150.0, 20.0));
    let reports = told(killed().into_iter().chain(others));
    assert_eq!(count(&reports, "crowd-server-ended"), 0);
    let ended: Vec<_> = reports.iter().filter(|report| report.connection.first_end().is_some()).collect();
    assert_eq!(ended.len(), 30);
    ended.iter().for_each(|report| assert_eq!(number(report, "crowd.open_then"), 400.0));
}

#[test]
fn decision_070_one_handler_that_fails_is_no_mass_disconnect() {
    let mut failed = visitor(1, 0.0);
    failed.wait(8.0).client().text("the message it dies of");
    let end = now(&failed) + 0.01;
    server_fin(&mut failed, end);
    let reports = told((2..12).map(|i| regular(i, 0.0, 30.0, 4.0)).chain([failed]));
    let report = reports.iter().find(|report| report.connection.first_end().is_some()).expect("one");
    assert_eq!(verdict(report).0, "no-close-after-message");
    assert_eq!(fact(report, "crowd.ended_together"), Known::Absent);
    assert_eq!(number(report, "crowd.open_then"), 10.0);
}

#[test]
fn short_connections_that_end_all_the_time_are_no_mass_disconnect() {
    // One request each, closed by the server after half a second, twenty in a second.
    let many = (0..200).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 0.05);
        let end = now(&talk) + 0.5;
        talk.at(at(end)).server().close(1000, "");
        talk.client().close(1000, "");
        talk.server().fin();
        talk.client().fin();
        talk
    });
    let reports = told(many);
    assert!(rules(&reports).iter().all(|rule| rule.starts_with("close-1000")), "{:?}", rules(&reports));
    // The same where each lives for four seconds: at every moment others are open and go on.
    let many = (0..200).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 0.05);
        let end = now(&talk) + 4.0;
        server_fin(&mut talk, end);
        talk
    });
    let reports = told(many);
    let crowd = rules(&reports).iter().filter(|rule| rule.starts_with("crowd-server")).count();
    // Only when the load itself stops do the last ones end with nobody left.
    assert!(crowd <= 20, "{crowd} of 200");
}

/// A server that is told to stop and says so to everybody with this code.
fn deploy(code: u16, reason: &str) -> Vec<Conversation> {
    (0..6)
        .map(|i| {
            let mut talk = visitor(i, f64::from(i) * 2.7);
            talk.at(at(40.0 + f64::from(i) * 0.02)).server().close(code, reason);
            talk.client().close(code, "");
            talk.server().fin();
            talk.client().fin();
            talk
        })
        .collect()
}

#[test]
fn decision_064_and_row_106_a_deploy_shows_whatever_code_the_server_says() {
    for (code, rule, confidence) in [
        (1001, "crowd-shutdown-1001", Confidence::Likely),
        (1012, "close-1012", Confidence::Certain),
        (1000, "crowd-shutdown-1000", Confidence::Possible),
        (1011, "crowd-shutdown-1011", Confidence::Likely),
    ] {
        let reports = told(deploy(code, ""));
        assert_eq!(reports.len(), 6);
        for report in &reports {
            let expected = (rule, Cause::ServiceRestart, Party::Server, confidence);
            assert_eq!(verdict(report), expected, "decision 64, {code}");
            assert_eq!(number(report, "crowd.ended_together"), 5.0, "{code}");
        }
    }
}

#[test]
fn decision_064_two_are_not_many_and_survivors_refute() {
    let two = told(deploy(1001, "").into_iter().take(2));
    assert_eq!(rules(&two), ["close-1001-by-server"; 2]);
    let others = (50..150).map(|i| regular(i, 0.0, 60.0, 9.0));
    let reports = told(deploy(1000, "").into_iter().chain(others));
    assert_eq!(count(&reports, "crowd-shutdown-1000"), 0);
    let one_by_one = |rule: &&&str| ["close-1000-by-server", "close-1000-idle"].contains(*rule);
    assert_eq!(rules(&reports).iter().filter(one_by_one).count(), 6, "{:?}", rules(&reports));
}

#[test]
fn decision_071_eleven_seconds_of_1011_in_answer_to_messages_is_no_shutdown() {
    let many = (0..6).map(|i| {
        let mut talk = visitor(i, f64::from(i) * 2.7);
        talk.at(at(40.0 + f64::from(i) * 0.02)).client().text("what the handler cannot take");
        talk.server().close(1011, "");
        talk.client().close(1011, "");
        talk.server().fin();
        talk.client().fin();
        talk
    });
    assert_eq!(rules(&told(many)), ["close-1011-after-message"; 6]);
}

#[test]
fn a_client_host_that_ends_all_its_connections_at_once_is_one_program() {
    let many = |servers: u32| {
        (0..6).map(move |i| {
            let server = format!("10.9.0.{}:443", 1 + i % servers);
            let mut talk = Conversation::new(&format!("10.5.5.5:{}", 30_000 + i), &server);
            talk.at(at(f64::from(i) * 4.0)).connect().upgrade();
            talk.server().text("welcome");
            talk.at(at(60.0 + f64::from(i) * 0.0003)).client().fin();
            talk.server().fin();
            talk
        })
    };
    let reports = told(many(3));
    for report in &reports {
        let expected = ("crowd-client-ended", Cause::ProcessEnded, Party::Client, Confidence::Likely);
        assert_eq!(verdict(report), expected);
    }
    // Other clients of the same servers do not matter; other connections of the same client do.
    let mut other = Conversation::new("10.5.5.5:39999", "10.9.0.9:443");
    other.at(at(0.0)).connect().upgrade();
    let mut later = told(many(3).chain([regular(9, 0.0, 90.0, 10.0)]));
    assert_eq!(count(&later, "crowd-client-ended"), 6);
    other.at(at(90.0)).server().text("still here");
    later = told(many(3).chain([other]));
    assert_eq!(count(&later, "crowd-client-ended"), 0, "{:?}", rules(&later));
}

// Two legs through a proxy.

const FRONT: (&str, &str) = ("203.0.113.9:51000", "10.0.0.2:443");
const BACK: (&str, &str) = ("10.0.0.2:39000", "10.0.0.3:8080");

/// Front and back leg of one WebSocket, with one message each way; `same_key` as nginx and HAProxy pass it on.
fn legs_between(front: (&str, &str), back: (&str, &str), same_key: bool) -> [Conversation; 2] {
    let upgrade = |key: &str| Upgrade { key: Some(key.to_owned()), ..Upgrade::default() };
    let (key, other) =
        ("dGhlIHNhbXBsZSBub25jZQ==", if same_key { "dGhlIHNhbXBsZSBub25jZQ==" } else { "AQIDBAUGBwgJCgsMDQ4PEA==" });
    let mut legs = [Conversation::new(front.0, front.1), Conversation::new(back.0, back.1)];
    // The back leg is made while the front leg's request waits.
    legs[0].at(at(0.0)).step(5_000_000).connect().upgrade_with(&upgrade(key));
    legs[1].at(at(0.0161)).connect().upgrade_with(&upgrade(other));
    let [front, back] = &mut legs;
    front.step(100_000);
    front.at(at(1.0)).client().text("what is the time?");
    back.at(at(1.001)).client().text("what is the time?");
    back.at(at(1.002)).server().text("twelve");
    front.at(at(1.003)).server().text("twelve");
    legs
}

fn legs() -> [Conversation; 2] {
    legs_between(FRONT, BACK, true)
}

/// Both legs are told of, first the front.
fn told_of_legs(legs: [Conversation; 2]) -> [ConnectionReport; 2] {
    let mut reports = told(legs);
    assert_eq!(reports.len(), 2);
    reports.sort_by_key(|report| report.connection.id.flow);
    let mut reports = reports.into_iter();
    [reports.next().expect("the front leg"), reports.next().expect("the back leg")]
}

fn upstream_crashes(mut legs: [Conversation; 2]) -> [Conversation; 2] {
    let [front, back] = &mut legs;
    back.at(at(9.0)).server().fin();
    front.at(at(9.0004)).server().fin();
    back.at(at(9.0008)).client().fin();
    front.at(at(9.001)).client().fin();
    legs
}

#[test]
fn row_105_front_and_back_leg_are_paired_by_key_and_the_first_to_close_is_named() {
    let [front, back] = told_of_legs(upstream_crashes(legs()));
    assert_eq!((word(&front, "leg.role"), word(&back, "leg.role")), ("front".into(), "back".into()));
    assert_eq!((number(&front, "leg.stream"), number(&back, "leg.stream")), (1.0, 0.0));
    assert_eq!((word(&front, "leg.ended_first"), word(&back, "leg.ended_first")), ("other".into(), "this".into()));
    assert!((number(&front, "leg.ended_before_s") - 0.0004).abs() < 1e-6);
    for report in [&front, &back] {
        let expected = ("leg-server-ended-first", Cause::ProcessEnded, Party::Server, Confidence::Likely);
        assert_eq!(verdict(report), expected);
        assert_eq!(word(report, "leg.first_ender"), "server");
    }
    // The proof is in the other leg: its FIN is among the packets.
    let fin = back.connection.first_end().expect("it ended").at.packet;
    let proof = front.diagnosis.because.iter().find(|evidence| evidence.fact.name() == "leg.first_ender");
    assert_eq!(proof.map(|evidence| evidence.packets.as_slice()), Some(&[fin][..]));
}

#[test]
fn row_105_legs_with_keys_of_their_own_are_paired_by_what_was_said() {
    let [front, back] = told_of_legs(upstream_crashes(legs_between(FRONT, BACK, false)));
    assert_eq!((word(&front, "leg.role"), word(&back, "leg.role")), ("front".into(), "back".into()));
    assert_eq!((front.diagnosis.party, back.diagnosis.party), (Party::Server, Party::Server));
}

#[test]
fn row_105_three_that_said_the_same_are_not_paired() {
    let third = upstream_crashes(legs_between(
        ("203.0.113.10:51001", "10.0.0.2:443"),
        ("10.0.0.2:39001", "10.0.0.3:8080"),
        false,
    ));
    let [third, _] = third;
    let reports = told(upstream_crashes(legs_between(FRONT, BACK, false)).into_iter().chain([third]));
    assert!(reports.iter().all(|report| fact(report, "leg.role") == Known::Absent));
}

#[test]
fn row_105_what_was_said_alone_makes_no_pair() {
    // The same words, but the server of the one is not the client of the other.
    let elsewhere = ("10.0.0.77:39000", "10.0.0.3:8080");
    let reports = told(upstream_crashes(legs_between(FRONT, elsewhere, false)));
    assert!(reports.iter().all(|report| fact(report, "leg.role") == Known::Absent));
    // The words came on the alleged back leg first.
    let mut legs = legs_between(FRONT, BACK, false);
    legs[0].packets_mut().iter_mut().for_each(|packet| packet.time += 3_000_000_000);
    legs[0].wait(3.0);
    let reports = told(upstream_crashes(legs));
    assert!(reports.iter().all(|report| fact(report, "leg.role") == Known::Absent));
}

#[test]
fn row_105_a_client_that_leaves_is_the_cause_on_both_legs() {
    let mut legs = legs();
    let [front, back] = &mut legs;
    front.at(at(9.0)).client().fin();
    back.at(at(9.0004)).client().fin();
    back.at(at(9.0008)).server().fin();
    front.at(at(9.001)).server().fin();
    for report in told_of_legs(legs) {
        let expected = ("leg-client-ended-first", Cause::Dropped, Party::Client, Confidence::Likely);
        assert_eq!(verdict(&report), expected);
    }
}

/// The proxy ends both legs after this silence: FIN to the client, FIN or RST to the server.
fn cut_by_proxy(mut legs: [Conversation; 2], silence: f64, rst: bool) -> [Conversation; 2] {
    let [front, back] = &mut legs;
    let end = last_payload(front) + silence;
    front.at(at(end)).server().fin();
    if rst {
        back.at(at(end + 0.0001)).client().rst();
    } else {
        back.at(at(end + 0.0003)).client().fin();
        back.at(at(end + 0.001)).server().fin();
    }
    front.at(at(end + 0.002)).client().fin();
    legs
}

#[test]
fn decision_087_fin_to_the_client_and_rst_to_the_server_is_timeout_tunnel() {
    for silence in [3.0, 60.0, 47.0] {
        for report in told_of_legs(cut_by_proxy(legs(), silence, true)) {
            let expected = ("leg-proxy-idle-haproxy", Cause::IdleTimeout, Party::Proxy, Confidence::Likely);
            assert_eq!(verdict(&report), expected, "{silence}");
        }
    }
}

#[test]
fn row_105_a_proxy_that_ends_both_legs_after_a_round_silence_is_idle() {
    for report in told_of_legs(cut_by_proxy(legs(), 60.0, false)) {
        let expected = ("leg-proxy-idle-round", Cause::IdleTimeout, Party::Proxy, Confidence::Likely);
        assert_eq!(verdict(&report), expected);
    }
    for report in told_of_legs(cut_by_proxy(legs(), 3.0, false)) {
        assert_eq!(verdict(&report), ("leg-proxy-idle", Cause::IdleTimeout, Party::Proxy, Confidence::Possible));
    }
    for report in told_of_legs(cut_by_proxy(legs(), 0.3, false)) {
        assert_eq!(verdict(&report), ("leg-proxy-ended", Cause::ProcessEnded, Party::Proxy, Confidence::Possible));
    }
}

#[test]
fn row_105_a_server_that_is_idle_behind_a_proxy_is_the_one_to_change() {
    let mut legs = legs();
    let [front, back] = &mut legs;
    let end = last_payload(back) + 60.0;
    back.at(at(end)).server().fin();
    front.at(at(end + 0.0005)).server().fin();
    back.at(at(end + 0.001)).client().fin();
    front.at(at(end + 0.002)).client().fin();
    for report in told_of_legs(legs) {
        assert_eq!(verdict(&report), ("leg-server-idle", Cause::IdleTimeout, Party::Server, Confidence::Likely));
    }
}

#[test]
fn row_106_a_proxy_that_is_stopped_ends_both_legs_of_all() {
    let many = (0..5).flat_map(|i: u32| {
        let key = |n: u32| format!("AQIDBAUGBwgJCgsMDQ4{}A==", char::from(b'A' + n as u8));
        let (front, back) = (format!("203.0.113.{i}:51000"), format!("10.0.0.2:{}", 39_000 + i));
        let upgrade = Upgrade { key: Some(key(i)), ..Upgrade::default() };
        let mut legs = [Conversation::new(&front, FRONT.1), Conversation::new(&back, BACK.1)];
        let begin = f64::from(i) * 2.0;
        legs[0].at(at(begin)).step(5_000_000).connect().upgrade_with(&upgrade);
        legs[1].at(at(begin + 0.0161)).connect().upgrade_with(&upgrade);
        let [front, back] = &mut legs;
        front.at(at(begin + 1.0)).step(100_000).client().text("question");
        back.at(at(begin + 1.001)).client().text("question");
        front.at(at(30.0 + f64::from(i) * 0.001)).server().fin();
        back.at(at(30.0003 + f64::from(i) * 0.001)).client().fin();
        back.server().fin();
        front.at(at(30.1)).client().fin();
        legs
    });
    for report in told(many) {
        let expected = ("leg-proxy-ended", Cause::ProcessEnded, Party::Proxy, Confidence::Likely);
        assert_eq!(verdict(&report), expected);
    }
}

// What a capture cannot tell.

#[test]
fn without_time_nothing_is_said_of_the_others() {
    let reports = told_without_time(killed());
    assert_eq!(reports.len(), 30);
    for report in &reports {
        assert_eq!(fact(report, "crowd.ended_together"), Known::Unknown(WhyUnknown::NoTime));
        assert_eq!(fact(report, "crowd.outlasted"), Known::Unknown(WhyUnknown::NoTime));
        assert!(report.diagnosis.confidence == Confidence::Possible, "{:?}", verdict(report));
    }
    // The order of packets tells the legs all the same.
    let mut reports = told_without_time(upstream_crashes(legs()));
    reports.sort_by_key(|report| report.connection.id.flow);
    assert_eq!(word(&reports[0], "leg.first_ender"), "server");
    assert_eq!(fact(&reports[0], "leg.ended_before_s"), Known::Unknown(WhyUnknown::NoTime));
}

#[test]
fn a_capture_that_ends_with_the_crash_does_not_claim_that_others_died() {
    // Ten others are open, and the capture stops 0.3 s after the end of thirty.
    let others = (200..210).map(|i| {
        let mut talk = visitor(i, 0.0);
        talk.at(at(120.35)).server().text("tick");
        talk
    });
    let reports = told(killed().into_iter().chain(others));
    let ended: Vec<_> = reports.iter().filter(|report| report.connection.first_end().is_some()).collect();
    assert_eq!(ended.len(), 30);
    for report in ended {
        assert_eq!(fact(report, "crowd.open_then"), Known::Unknown(WhyUnknown::CaptureEnded));
        assert_ne!(report.diagnosis.rule.as_str(), "crowd-server-ended");
    }
}

#[test]
fn a_clock_that_was_set_back_makes_moments_incomparable() {
    let mut capture = Capture::of(killed());
    let half = capture.packets().len() / 2;
    capture.packets_mut()[half..].iter_mut().for_each(|packet| packet.time -= 3_600_000_000_000);
    let reports = reports_of(capture.pcap());
    assert!(reports.iter().all(|report| fact(report, "crowd.ended_together") == Known::Unknown(WhyUnknown::ClockStep)));
    assert!(rules(&reports).iter().all(|rule| !rule.starts_with("crowd")), "{:?}", rules(&reports));
}

#[test]
fn who_reads_a_file_hears_of_the_first_what_the_last_one_shows() {
    let mut analyzer = Analyzer::new(Options::default());
    let mut reader = Reader::open(Cursor::new(Capture::of(idle_sixty()).pcap())).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let reports: Vec<_> = std::iter::from_fn(|| analyzer.next_report()).collect();
    let first = reports.iter().find(|report| report.connection.id.flow == 0).expect("the first");
    assert_eq!(verdict(first), ("no-close-idle-60", Cause::IdleTimeout, Party::Unknown, Confidence::Certain));
    assert_eq!(number(first, "crowd.same_silence"), 59.0);
}

/// What is known of the others must not depend on when the caller asks.
#[test]
fn reports_are_the_same_whether_asked_for_at_once_or_at_the_end() {
    let file = Capture::of(idle_sixty()).pcap();
    let at_once = reports_of(file.clone());
    let mut analyzer = Analyzer::new(Options { patience: Patience::Moment, ..Options::default() });
    let mut reader = Reader::open(Cursor::new(file)).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let at_end: Vec<_> = std::iter::from_fn(|| analyzer.next_report()).collect();
    let facts = |reports: &[ConnectionReport]| reports.iter().map(|report| report.facts.clone()).collect::<Vec<_>>();
    assert!(facts(&at_once) == facts(&at_end));
    assert_eq!(rules(&at_once), rules(&at_end));
}

#[test]
fn a_report_waits_until_those_that_end_just_after_are_known() {
    let mut analyzer = Analyzer::new(Options { patience: Patience::Moment, ..Options::default() });
    let mut reports = 0;
    let mut reader = Reader::open(Cursor::new(Capture::of(killed()).pcap())).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
        reports += std::iter::from_fn(|| analyzer.next_report()).count();
    }
    assert_eq!(reports, 0, "the capture ends 50 ms after the first end");
    analyzer.finish();
    assert_eq!(std::iter::from_fn(|| analyzer.next_report()).count(), 30);
}
