//! One connection recorded at two points: where on the way something was lost, and where a RST came from.
//!
//! The captures are written here, each packet with what became of it between a point next to the client and one next to the
//! server, 20 ms apart and with two routers in between. The host of the second has a clock of its own.

mod common;
mod support;

use common::case::Case;
use common::program::{command, ended, folder};
use serde_json::{Value, json};
use std::fs;
use support::conversation::START;
use support::net::{Content, Packet};
use support::{Acks, Capture, Conversation, Link, PcapFormat, PcapngWriter, TimeResolution};
use wsdissect::capture::Reader;

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// How long a packet takes from one point to the other.
const WAY: i64 = 20 * MILLISECOND;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    /// The point next to its sender saw it, and nobody else ever.
    LostBetween,
    /// Something between the points sent it: only the point next to its receiver sees it.
    SentBetween,
    /// It went all the way, and the recorder next to the server missed it.
    MissedAtServer,
    /// It went all the way, and the recorder next to the client missed it.
    MissedAtClient,
}

/// A conversation, and what became of its packets.
struct Journey {
    talk: Conversation,
    fates: Vec<(usize, Fate)>,
    /// What the clock at the server is ahead of the one at the client.
    clock: i64,
    /// Identifications of zero, as in IPv6.
    anonymous: bool,
    routers: u8,
}

impl Journey {
    /// After the opening handshake. Every packet takes longer than the way, so that each answers what had arrived.
    fn begin() -> Self {
        let mut talk = Conversation::new("10.0.0.1:40000", "10.9.0.2:80");
        talk.step(50 * MILLISECOND);
        talk.connect();
        talk.upgrade();
        Self { talk, fates: Vec::new(), clock: 0, anonymous: false, routers: 2 }
    }

    /// What the last `count` packets met with.
    fn last(&mut self, count: usize, fate: Fate) -> &mut Self {
        let all = self.talk.count();
        self.fates.extend((all - count..all).map(|index| (index, fate)));
        self
    }

    /// Sends the packet with this index again, as another IP packet.
    fn again(&mut self, index: usize) -> &mut Self {
        self.talk.retransmit(index);
        let all = self.talk.count();
        let packet = &mut self.talk.packets_mut()[all - 1];
        packet.segment_mut().identification += 1000 + all as u16;
        self
    }

    /// What the points recorded: next to the client, next to the server.
    fn recorded(&self) -> [Vec<Packet>; 2] {
        let mut points = [Vec::new(), Vec::new()];
        for (index, packet) in self.talk.packets().iter().enumerate() {
            let from_client = packet.segment().source.port() == 40000;
            let fate = self.fates.iter().find(|(at, _)| *at == index).map_or(Fate::Passes, |(_, fate)| *fate);
            let (near, far) = if from_client { (0, 1) } else { (1, 0) };
            let seen = |point: usize| match fate {
                Fate::Passes => true,
                Fate::LostBetween => point == near,
                Fate::SentBetween => point == far,
                Fate::MissedAtServer => point == 0,
                Fate::MissedAtClient => point == 1,
            };
            for point in [near, far].into_iter().filter(|&point| seen(point)) {
                let mut record = packet.clone();
                if point == far {
                    record.time += WAY;
                    record.segment_mut().hop_limit -= self.routers;
                }
                if point == 1 {
                    record.time += self.clock;
                }
                if self.anonymous {
                    record.segment_mut().identification = 0;
                }
                points[point].push(record);
            }
        }
        points
    }

    /// The report about both captures as two files.
    fn report(&self, test: &str) -> Report {
        let [client, server] = self.recorded().map(pcap);
        Report::of(test, &[("client.pcap", client), ("server.pcap", server)])
    }
}

fn pcap(packets: Vec<Packet>) -> Vec<u8> {
    let mut capture = Capture::new();
    capture.extend(packets);
    capture.pcap()
}

/// A connection that has nothing to do with the others, `after` the start, so that the recorder is seen recording.
fn bystander(after: i64) -> Vec<Packet> {
    let mut talk = Conversation::new("10.0.0.7:41000", "10.9.0.8:9000");
    talk.at(START + after);
    talk.connect();
    talk.into_packets()
}

struct Report {
    connection: Value,
    summary: Value,
    text: String,
}

impl Report {
    fn of(test: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let folder = folder(test);
        let mut arguments = vec!["--lang".to_owned(), "en".to_owned(), "-v".to_owned()];
        arguments.extend((files.len() > 1).then(|| "--pair".to_owned()));
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).expect("a file of our own");
            arguments.push((*name).to_owned());
        }
        let run =
            |arguments: &[String]| ended(command(arguments).current_dir(&folder).spawn().expect("the program starts"));
        let text = run(&arguments).text().to_owned();
        arguments.extend(["-T".to_owned(), "jsonl".to_owned()]);
        let lines = run(&arguments).lines();
        let connections: Vec<&Value> = lines.iter().filter(|line| line["type"] == "connection").collect();
        let [connection] = connections[..] else { panic!("{} connections: {text}", connections.len()) };
        let summary = lines.last().expect("a summary").clone();
        Self { connection: connection.clone(), summary, text }
    }

    fn hops(&self) -> &Value {
        &self.connection["hops"]
    }

    /// The file of each point.
    fn points(&self) -> Vec<&str> {
        let points = self.hops()["points"].as_array().expect("points");
        points.iter().map(|point| point["capture"].as_str().expect("a file")).collect()
    }

    /// Whether the text report says this, wherever its lines break.
    fn says(&self, what: &str) -> bool {
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        dense(&self.text).contains(&dense(what))
    }

    /// Nothing is said to be lost, and no RST to come from between.
    fn claims_nothing(&self) {
        assert_eq!(self.hops()["lost"], json!([]), "{:#}", self.hops());
        for reset in self.hops()["resets"].as_array().expect("a list") {
            assert_ne!(reset["source"], "between", "{:#}", self.hops());
        }
        assert!(!self.text.contains("lost between"), "{}", self.text);
        assert_ne!(self.connection["diagnosis"]["cause"], "reset_injected", "{}", self.text);
    }
}

/// Data in both directions, a farewell.
fn farewell(journey: &mut Journey) {
    journey.talk.client().close(1000, "bye");
    journey.talk.server().close(1000, "bye");
    journey.talk.server().fin();
    journey.talk.client().fin();
}

#[test]
fn row_104_two_points_are_ordered_and_their_clocks_agreed() {
    for (name, clock) in [("same", 0), ("ahead", 7 * SECOND), ("behind", -3 * SECOND), ("hour", 3600 * SECOND)] {
        for anonymous in [false, true] {
            let mut journey = Journey::begin();
            (journey.clock, journey.anonymous) = (clock, anonymous);
            journey.talk.client().text("hello");
            journey.talk.server().text("hello to you");
            farewell(&mut journey);
            let report = journey.report(&format!("order-{name}-{anonymous}"));
            let (connection, hops) = (&report.connection, report.hops());
            assert_eq!(report.points(), ["client.pcap", "server.pcap"]);
            assert_eq!(hops["ordered"], true);
            let delay = hops["points"][1]["delay_s"].as_f64().expect("a delay");
            assert!((delay - 0.02).abs() < 1e-6, "{delay}");
            assert_eq!([&hops["lost"], &hops["doubts"], &hops["resets"]], [&json!([]); 3], "{hops:#}");
            assert_eq!(hops["points"][0]["hop_limit"], json!({ "client": 64, "server": 62 }));
            // Each packet once, as at one point.
            let packets = journey.talk.count() as u64;
            assert_eq!(connection["copies"]["segments"], packets, "{}", report.text);
            assert_eq!(connection["diagnosis"]["cause"], "normal", "{}", report.text);
            assert_eq!(connection["visibility"]["holes"], json!([]));
            let span = (packets as f64 - 1.0) * 0.05 + 0.02;
            let duration = connection["duration_s"].as_f64().expect("a duration");
            assert!((duration - span).abs() < 1e-6, "{duration} {span}");
            let shift = report.summary["files"]
                .as_array()
                .expect("files")
                .iter()
                .find(|file| file["name"].as_str().is_some_and(|name| name.ends_with("server.pcap")));
            let shift = shift.expect("the file")["clock_shift_s"].as_f64().expect("a shift");
            assert!((shift + clock as f64 / 1e9).abs() < 1e-6, "{shift}");
        }
    }
}

#[test]
fn row_104_bytes_lost_between_the_points_are_located() {
    for (clock, anonymous) in [(0, false), (5 * SECOND, false), (5 * SECOND, true)] {
        let mut journey = Journey::begin();
        (journey.clock, journey.anonymous) = (clock, anonymous);
        journey.talk.acks(Acks::Never);
        journey.talk.client().text("passes");
        journey.talk.client().binary(&[7; 500]);
        journey.last(1, Fate::LostBetween);
        let lost = journey.talk.count() - 1;
        let bytes = journey.talk.packets()[lost].segment().payload.len();
        journey.talk.client().text("passes too");
        journey.talk.wait(0.3);
        journey.again(lost);
        journey.talk.acks(Acks::PerWrite);
        journey.talk.server().text("got it");
        farewell(&mut journey);
        let report = journey.report(&format!("lost-{clock}-{anonymous}"));
        let hops = report.hops();
        let loss = &hops["lost"][0];
        assert_eq!(hops["lost"].as_array().map(Vec::len), Some(1), "{hops:#}");
        assert_eq!((&loss["side"], &loss["between"]), (&json!("client"), &json!([0, 1])));
        assert_eq!((&loss["bytes"], &loss["sent_again_bytes"]), (&json!(bytes), &json!(bytes)));
        assert_eq!((&loss["fin"], &loss["last_missing_packet"]), (&json!(false), &Value::Null));
        assert_eq!(hops["doubts"], json!([]), "{hops:#}");
        assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{}", report.text);
        assert_eq!(report.summary["hops"], json!({ "connections": 1, "with_losses": 1, "with_resets_between": 0 }));
        let said = format!("client: lost between client.pcap and server.pcap: {bytes} bytes, first at packet");
        assert!(report.says(&said), "{}", report.text);
    }
}

#[test]
fn row_104_a_path_that_breaks_is_located_by_what_never_arrives() {
    let mut journey = Journey::begin();
    journey.clock = -2 * SECOND;
    journey.talk.client().text("hello");
    journey.talk.server().text("hello to you");
    journey.talk.acks(Acks::Never);
    journey.talk.wait(1.0);
    journey.talk.client().text("is anybody there?");
    journey.last(1, Fate::LostBetween);
    let index = journey.talk.count() - 1;
    for wait in [0.2, 0.4, 0.8, 1.6, 3.2, 6.4] {
        journey.talk.wait(wait);
        journey.again(index).last(1, Fate::LostBetween);
    }
    journey.talk.wait(1.0);
    journey.talk.client().rst();
    journey.last(1, Fate::LostBetween);
    // The point next to the server sees others all the time.
    let [client, mut server] = journey.recorded();
    server.extend(bystander(30 * SECOND));
    let report = Report::of("cut", &[("client.pcap", pcap(client.clone())), ("server.pcap", pcap(server))]);
    let loss = &report.hops()["lost"][0];
    assert_eq!((&loss["side"], &loss["between"], &loss["segments"]), (&json!("client"), &json!([0, 1]), &json!(7)));
    assert_eq!(loss["sent_again_bytes"], 0, "{:#}", report.hops());
    assert!(loss["last_missing_packet"].is_u64());
    assert_eq!(report.connection["diagnosis"]["rule"], "no-close-path-cut", "{}", report.text);
    assert_eq!(report.connection["diagnosis"]["cause"], "network_loss");
    assert_eq!(report.connection["diagnosis"]["party"], "network");
    // It does not when its recording simply ends.
    let [_, server] = journey.recorded();
    let report = Report::of("cut-unseen", &[("client.pcap", pcap(client)), ("server.pcap", pcap(server))]);
    report.claims_nothing();
    assert_eq!(report.hops()["doubts"][0]["why"], "not_recording", "{:#}", report.hops());
    assert_eq!(report.connection["diagnosis"]["rule"], "no-close-peer-silent", "{}", report.text);
}

#[test]
fn row_104_a_rst_that_never_passed_the_point_next_to_its_sender_comes_from_between() {
    for (clock, anonymous) in [(0, false), (4 * SECOND, true)] {
        let mut journey = Journey::begin();
        (journey.clock, journey.anonymous) = (clock, anonymous);
        journey.talk.client().text("hello");
        journey.talk.server().text("hello to you");
        journey.talk.wait(3.0);
        journey.talk.acks(Acks::Never);
        // With the hop limit that the server's own packets have at the client.
        journey.talk.server().rst();
        journey.last(1, Fate::SentBetween);
        let [client, mut server] = journey.recorded();
        server.extend(bystander(10 * SECOND + clock));
        let files = [("client.pcap", pcap(client.clone())), ("server.pcap", pcap(server))];
        let report = Report::of(&format!("injected-{clock}"), &files);
        let reset = &report.hops()["resets"][0];
        assert_eq!((&reset["side"], &reset["source"]), (&json!("server"), &json!("between")), "{:#}", report.hops());
        assert_eq!((&reset["between"], &reset["packets"][1]), (&json!([1, 0]), &Value::Null));
        let diagnosis = &report.connection["diagnosis"];
        assert_eq!(diagnosis["rule"], "no-close-reset-between", "{}", report.text);
        assert_eq!((&diagnosis["cause"], &diagnosis["party"]), (&json!("reset_injected"), &json!("network")));
        assert_eq!(diagnosis["confidence"], "likely");
        assert_eq!(report.summary["hops"]["with_resets_between"], 1);
        // One capture cannot tell: this RST looks as the server's.
        let alone = Report::of(&format!("injected-alone-{clock}"), &[("client.pcap", pcap(client))]);
        assert_eq!(alone.hops(), &Value::Null);
        assert_ne!(alone.connection["diagnosis"]["cause"], "reset_injected");
    }
}

#[test]
fn row_104_a_server_that_goes_on_behind_the_rst_proves_it() {
    let mut journey = Journey::begin();
    journey.clock = 4 * SECOND;
    journey.talk.client().text("hello");
    journey.talk.server().text("hello to you");
    journey.talk.acks(Acks::Never);
    journey.talk.server().rst();
    journey.last(1, Fate::SentBetween);
    journey.talk.wait(1.0);
    journey.talk.server().text("still here");
    journey.talk.client().rst();
    let report = journey.report("proved");
    let diagnosis = &report.connection["diagnosis"];
    assert_eq!(diagnosis["rule"], "no-close-reset-between-proved", "{}", report.text);
    assert_eq!((&diagnosis["cause"], &diagnosis["confidence"]), (&json!("reset_injected"), &json!("certain")));
    // The client's own RST, in answer, passed both points.
    assert_eq!(report.hops()["resets"][1]["source"], "beyond", "{:#}", report.hops());
}

#[test]
fn row_104_a_rst_of_the_server_passes_both_points() {
    let mut journey = Journey::begin();
    journey.clock = 4 * SECOND;
    journey.talk.client().text("hello");
    journey.talk.server().text("hello to you");
    journey.talk.server().rst();
    let report = journey.report("passed");
    report.claims_nothing();
    let reset = &report.hops()["resets"][0];
    assert_eq!((&reset["side"], &reset["source"]), (&json!("server"), &json!("beyond")), "{:#}", report.hops());
    assert!(reset["packets"].as_array().is_some_and(|packets| packets.iter().all(Value::is_u64)));
    assert_ne!(report.connection["diagnosis"]["cause"], "reset_injected");
}

#[test]
fn row_104_a_capture_that_starts_late_or_ends_early_proves_no_loss() {
    let mut journey = Journey::begin();
    journey.clock = 2 * SECOND;
    for text in ["one", "two", "three", "four", "five", "six"] {
        journey.talk.client().text(text);
        journey.talk.server().text(text);
        journey.talk.wait(0.5);
    }
    farewell(&mut journey);
    let [client, server] = journey.recorded();
    let some = |from: usize, to: usize| pcap(server[from.min(server.len())..to.min(server.len())].to_vec());
    for from in (0..server.len()).step_by(3) {
        let files = [("client.pcap", pcap(client.clone())), ("server.pcap", some(from, server.len()))];
        let report = Report::of("late", &files);
        assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{from}: {}", report.text);
        if !report.hops().is_null() {
            report.claims_nothing();
        }
    }
    for to in (3..server.len()).step_by(3) {
        let report = Report::of("early", &[("client.pcap", pcap(client.clone())), ("server.pcap", some(0, to))]);
        assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{to}: {}", report.text);
        report.claims_nothing();
    }
}

#[test]
fn row_104_what_a_recorder_missed_is_no_loss() {
    // Each data segment in turn, missed by the recorder next to its receiver although it arrived.
    let talk = |missed: Option<(usize, Fate)>| {
        let mut journey = Journey::begin();
        journey.clock = 2 * SECOND;
        for text in ["one", "two", "three"] {
            journey.talk.client().text(text);
            journey.talk.server().text(text);
        }
        farewell(&mut journey);
        journey.talk.wait(1.0);
        journey.fates.extend(missed);
        journey
    };
    for index in 0..talk(None).talk.count() {
        for fate in [Fate::MissedAtServer, Fate::MissedAtClient] {
            let journey = talk(Some((index, fate)));
            let [mut client, mut server] = journey.recorded();
            client.extend(bystander(20 * SECOND));
            server.extend(bystander(20 * SECOND + journey.clock));
            let report = Report::of("missed", &[("client.pcap", pcap(client)), ("server.pcap", pcap(server))]);
            report.claims_nothing();
            assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{index} {fate:?}: {}", report.text);
        }
    }
}

/// Both points as interfaces of one pcapng file, with packets that the second one lost according to its statistics.
fn two_interfaces(points: [Vec<Packet>; 2], dropped: u64) -> Vec<u8> {
    let mut writer = PcapngWriter::new();
    writer.section(false);
    for _ in 0..2 {
        writer.interface_with(Link::Ethernet, 0, TimeResolution::Decimal(9), 0);
    }
    let mut all: Vec<(u32, Packet)> =
        (0..).zip(points).flat_map(|(point, packets)| packets.into_iter().map(move |packet| (point, packet))).collect();
    all.sort_by_key(|(_, packet)| packet.time);
    for (point, packet) in &all {
        writer.packet(*point, packet);
    }
    // Interface Statistics Block: interface 1, a time, isb_ifdrop, end of options.
    let mut body = [&1_u32.to_le_bytes()[..], &[0; 8], &5_u16.to_le_bytes(), &8_u16.to_le_bytes()].concat();
    body.extend(dropped.to_le_bytes());
    body.extend([0; 4]);
    writer.block(5, &body);
    writer.bytes()
}

#[test]
fn row_104_a_recorder_that_dropped_packets_proves_no_loss() {
    let mut journey = Journey::begin();
    journey.talk.acks(Acks::Never);
    journey.talk.client().text("passes");
    journey.talk.client().text("does not");
    journey.last(1, Fate::LostBetween);
    let lost = journey.talk.count() - 1;
    journey.talk.client().text("passes too");
    journey.talk.wait(0.3);
    journey.again(lost);
    journey.talk.server().text("got it");
    farewell(&mut journey);
    for dropped in [0, 3] {
        let report = Report::of("dropped", &[("both.pcapng", two_interfaces(journey.recorded(), dropped))]);
        let hops = report.hops();
        assert_eq!(hops["ordered"], true);
        if dropped == 0 {
            assert_eq!(hops["lost"][0]["between"], json!([0, 1]), "{hops:#}");
        } else {
            report.claims_nothing();
            assert_eq!(hops["doubts"][0]["why"], "recorder_dropped", "{hops:#}");
        }
    }
}

#[test]
fn row_104_a_snapshot_length_makes_no_loss() {
    let mut journey = Journey::begin();
    journey.clock = SECOND;
    journey.talk.client().binary(&[1; 4000]);
    journey.talk.server().binary(&[2; 4000]);
    farewell(&mut journey);
    let [client, server] = journey.recorded();
    let mut short = Capture::new().snap_len(80);
    short.extend(server);
    let report = Report::of("snapped", &[("client.pcap", pcap(client)), ("server.pcap", short.pcap())]);
    report.claims_nothing();
    assert_eq!(report.hops()["doubts"], json!([]));
    assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{}", report.text);
}

#[test]
fn row_104_offload_that_joins_segments_makes_no_loss() {
    // The server's network card joins what the client sent in pieces.
    let mut journey = Journey::begin();
    journey.clock = SECOND;
    journey.talk.mss(1000);
    journey.talk.acks(Acks::Never);
    journey.talk.step(MILLISECOND);
    journey.talk.client().binary(&[1; 2900]);
    journey.talk.step(50 * MILLISECOND);
    journey.talk.wait(0.1);
    journey.talk.server().text("thanks");
    farewell(&mut journey);
    let [client, mut server] = journey.recorded();
    let large: Vec<usize> = (0..server.len()).filter(|&at| server[at].segment().payload.len() == 1000).collect();
    let [first, second] = large[..] else { panic!("{large:?}") };
    let rest = server[second].segment().payload.clone();
    server[first].segment_mut().payload.extend(rest);
    server.remove(second);
    let report = Report::of("offload", &[("client.pcap", pcap(client)), ("server.pcap", pcap(server))]);
    report.claims_nothing();
    assert_eq!(report.hops()["doubts"], json!([]), "{:#}", report.hops());
    assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{}", report.text);
}

#[test]
fn row_104_points_that_nothing_orders_prove_nothing() {
    // No router, no handshake: which of the two is nearer the client, nobody can tell.
    let mut journey = Journey::begin();
    journey.routers = 0;
    for _ in 0..30 {
        journey.talk.client().text("hello");
        journey.talk.server().text("hello to you");
    }
    journey.talk.wait(1.0);
    journey.talk.server().rst();
    journey.last(1, Fate::SentBetween);
    let [client, server] = journey.recorded();
    let files = [
        ("client.pcap", pcap(client[3..].to_vec())),
        ("server.pcap", pcap([&server[3..], &bystander(60 * SECOND)].concat())),
    ];
    let report = Report::of("unordered", &files);
    assert_eq!(report.hops()["ordered"], false, "{:#}", report.hops());
    report.claims_nothing();
    assert_eq!(report.hops()["resets"][0]["why"], "order_unknown");
    // With the handshake, they are.
    let files = [("client.pcap", pcap(client)), ("server.pcap", pcap([server, bystander(60 * SECOND)].concat()))];
    let report = Report::of("ordered-by-delay", &files);
    assert_eq!(report.hops()["ordered"], true);
    assert_eq!(report.hops()["resets"][0]["source"], "between", "{:#}", report.hops());
}

#[test]
fn row_104_each_direction_at_a_point_of_its_own_proves_nothing() {
    let mut journey = Journey::begin();
    journey.talk.client().text("hello");
    journey.talk.server().text("hello to you");
    journey.talk.server().rst();
    let client_port = 40000;
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for packet in journey.talk.packets() {
        let list = if packet.segment().source.port() == client_port { &mut one } else { &mut other };
        list.push(packet.clone());
    }
    one.extend(bystander(60 * SECOND));
    other.extend(bystander(60 * SECOND));
    let report = Report::of("asymmetric", &[("there.pcap", pcap(one)), ("back.pcap", pcap(other))]);
    assert_eq!(report.hops(), &Value::Null);
    assert_ne!(report.connection["diagnosis"]["cause"], "reset_injected", "{}", report.text);
}

#[test]
fn row_104_a_close_frame_that_never_arrived_is_located() {
    let mut journey = Journey::begin();
    journey.clock = 9 * SECOND;
    journey.talk.client().text("hello");
    journey.talk.server().text("hello to you");
    journey.talk.acks(Acks::Never);
    journey.talk.server().close(1001, "going away");
    journey.last(1, Fate::LostBetween);
    let close = journey.talk.count() - 1;
    for wait in [0.2, 0.4, 0.8, 1.6] {
        journey.talk.wait(wait);
        journey.again(close).last(1, Fate::LostBetween);
    }
    let [mut client, server] = journey.recorded();
    client.extend(bystander(30 * SECOND));
    let report = Report::of("close", &[("client.pcap", pcap(client)), ("server.pcap", pcap(server))]);
    let loss = &report.hops()["lost"][0];
    assert_eq!((&loss["side"], &loss["between"]), (&json!("server"), &json!([1, 0])), "{:#}", report.hops());
    assert_eq!(loss["first_packet"], report.connection["close"]["server_frame"]["packet"]);
    assert_eq!(loss["segments"], 5);
}

#[test]
fn row_104_hundreds_of_segments_on_their_way_are_told_apart() {
    let mut journey = Journey::begin();
    journey.clock = 3 * SECOND;
    journey.talk.acks(Acks::Never);
    journey.talk.step(MILLISECOND / 10);
    for number in 0..1000_u32 {
        journey.talk.client().text(&format!("message {number}"));
    }
    journey.last(500, Fate::LostBetween);
    journey.fates.truncate(1);
    let lost = journey.fates[0].0;
    journey.talk.step(50 * MILLISECOND);
    journey.talk.wait(0.3);
    journey.again(lost);
    journey.talk.server().text("got it all");
    farewell(&mut journey);
    let report = journey.report("many");
    let hops = report.hops();
    let bytes = journey.talk.packets()[lost].segment().payload.len();
    assert_eq!(hops["lost"].as_array().map(Vec::len), Some(1), "{hops:#}");
    assert_eq!((&hops["lost"][0]["bytes"], &hops["lost"][0]["segments"]), (&json!(bytes), &json!(1)));
    assert_eq!(hops["doubts"], json!([]));
}

/// What tcpdump recorded at the two ends of a cable of our own (`fixtures/record`), as two files, the clock of the second
/// wrong.
fn recorded_at_both_ends(case: &str, clock: i64) -> Report {
    let file = fs::read(Case::named(case).capture).expect("a capture");
    let mut reader = Reader::open(&file[..]).expect("a capture");
    let format = PcapFormat::default();
    let mut files = [format.header(Link::Raw), format.header(Link::Raw)];
    while let Some(packet) = reader.next_packet().expect("a whole capture") {
        let point = packet.interface as usize;
        let time = packet.time.expect("a time").nanos() + if point == 1 { clock } else { 0 };
        let record = Packet::new(time, Content::Link(packet.bytes.to_vec()));
        format.record(&record, Link::Raw, &mut files[point]);
    }
    let [client, server] = files;
    Report::of(&case.replace('/', "-"), &[("client.pcap", client), ("server.pcap", server)])
}

#[test]
fn row_104_what_a_cable_lost_and_forged_is_located_from_two_recorded_files() {
    for clock in [0, 3 * SECOND, -SECOND / 2] {
        let report = recorded_at_both_ends("network/loss-between-points", clock);
        let loss = &report.hops()["lost"][0];
        assert_eq!(report.points(), ["client.pcap", "server.pcap"]);
        assert_eq!((&loss["side"], &loss["between"], &loss["bytes"]), (&json!("client"), &json!([0, 1]), &json!(9)));
        assert_eq!(report.hops()["doubts"], json!([]));
        assert_eq!(report.connection["diagnosis"]["cause"], "normal", "{}", report.text);
        assert!(report.says("client: lost between client.pcap and server.pcap: 9 bytes"), "{}", report.text);

        let report = recorded_at_both_ends("network/reset-between-points", clock);
        let reset = &report.hops()["resets"][0];
        assert_eq!((&reset["side"], &reset["source"]), (&json!("server"), &json!("between")));
        assert_eq!(report.hops()["lost"], json!([]), "{:#}", report.hops());
        assert_eq!(report.connection["diagnosis"]["rule"], "no-close-reset-between-proved", "{}", report.text);
        assert!(report.says("comes from between server.pcap and client.pcap"), "{}", report.text);
    }
}

#[test]
fn row_104_one_point_has_no_hops() {
    let mut journey = Journey::begin();
    farewell(&mut journey);
    let [client, _] = journey.recorded();
    let report = Report::of("one-point", &[("client.pcap", pcap(client))]);
    assert_eq!(report.hops(), &Value::Null);
    assert_eq!(report.summary["hops"]["connections"], 0);
}

#[test]
fn row_104_a_pair_that_shares_no_connection_is_told() {
    let folder = folder("hops-no-pair");
    let one = |name: &str, client: &str| {
        let mut talk = Conversation::new(client, "10.9.0.8:9000");
        talk.connect().upgrade();
        talk.client().text("hello").close(1000, "");
        talk.server().close(1000, "").fin();
        talk.client().fin();
        fs::write(folder.join(name), Capture::of([talk]).pcap()).expect("a file of our own");
    };
    one("a.pcap", "10.0.0.7:41000");
    one("b.pcap", "10.0.0.7:41001");
    let run = |arguments: &[&str]| ended(command(arguments).current_dir(&folder).spawn().expect("the program starts"));
    let both = run(&["--pair", "a.pcap", "b.pcap"]);
    assert_eq!(both.code, Some(3), "{both:?}");
    assert!(both.stderr.contains("no WebSocket connection is in more than one"), "{both:?}");
    assert_eq!(run(&["a.pcap", "b.pcap"]).code, Some(0));
    assert_eq!(run(&["--pair", "a.pcap"]).code, Some(2));
}
