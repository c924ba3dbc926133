//! TCP as captures record it: order, repetition, contradiction, resets that others send, ports used again.
//!
//! What must come out follows from how each conversation was written and then bent, never from what the library said.

mod common;
mod support;

use common::findings::{difference, findings};
use common::program::{folder, run};
use common::{Analysis, at_key};
use serde_json::Value;
use std::io::Cursor;
use support::net::flags;
use support::{Acks, Capture, Conversation, Frame, Packet, Rng, Side};
use wsdissect::limits::Limits;

const MS: i64 = 1_000_000;

fn talk() -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade();
    c
}

fn bytes_of(packets: Vec<Packet>) -> Vec<u8> {
    let mut capture = Capture::new();
    capture.extend(packets);
    capture.pcap()
}

fn analyse(packets: Vec<Packet>) -> Analysis {
    common::analyse(Cursor::new(bytes_of(packets))).expect("a capture")
}

/// The only connection in these packets.
fn only(packets: Vec<Packet>) -> Value {
    let mut analysis = analyse(packets);
    assert_eq!(analysis.connections.len(), 1, "one connection");
    analysis.connections.remove(0)
}

#[track_caller]
fn assert_at(connection: &Value, key: &str, expected: impl Into<Value>) {
    assert_eq!(at_key(connection, key), Some(&expected.into()), "{key} of {connection:#}");
}

/// What the text report says about these packets.
fn text_of(name: &str, packets: Vec<Packet>) -> String {
    let path = folder(name).join("capture.pcap");
    std::fs::write(&path, bytes_of(packets)).expect("the folder is ours");
    let run = run(&[path]);
    // Lines break where they are full; words are what counts.
    run.text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A closing handshake of the server with this code, and both FINs.
fn part(c: &mut Conversation, code: u16) {
    c.server().close(code, "");
    c.client().close(code, "");
    c.server().fin();
    c.client().fin();
}

/// Gives packet `from` (from 0) the time of packet `to`, which moves it there, in front of what was there.
fn move_to(packets: &mut Vec<Packet>, from: usize, to: usize) {
    let packet = packets.remove(from);
    packets.insert(to, packet);
    let mut times: Vec<i64> = packets.iter().map(|packet| packet.time).collect();
    times.sort_unstable();
    for (packet, time) in packets.iter_mut().zip(times) {
        packet.time = time;
    }
}

// Row 15: order and repetition.

/// One 4000-byte frame in four segments, of which two are swapped (`ooo`), and the same across frames (`ooo2`).
#[test]
fn recipe_ooo_and_ooo2() {
    for frames in [1, 40] {
        let mut c = talk();
        c.acks(Acks::Never).mss(100);
        c.server().hold();
        for _ in 0..frames {
            c.server().text(&"x".repeat(4000 / frames));
        }
        let first = c.count();
        c.server().release();
        part(&mut c, 1001);
        let mut packets = c.into_packets();
        move_to(&mut packets, first + 20, first + 3);
        let found = only(packets);
        assert_at(&found, "frames.server.text", frames);
        assert_at(&found, "close.code", 1001);
        assert_at(&found, "visibility.server", "full");
    }
}

/// The acknowledgement is stored before the text, or before the Close frame, that it covers.
#[test]
fn recipe_ackfirst_and_ackfirst_close() {
    let mut c = talk();
    let text = c.count();
    c.server().text("hello");
    let close = c.count();
    c.server().close(1011, "boom");
    c.client().fin();
    c.server().fin();
    for data in [text, close] {
        let mut packets = c.packets().to_vec();
        move_to(&mut packets, data + 1, data);
        let found = only(packets);
        assert_at(&found, "messages.server.text", 1);
        assert_at(&found, "close.code", 1011);
        assert_at(&found, "visibility.server", "full");
    }
}

/// A 10-byte segment, sent again with 8 more bytes, then a Close frame; with and without an acknowledgement between.
fn extended(acknowledged: bool, other_bytes: bool) -> (Vec<Packet>, usize) {
    let mut c = talk();
    c.acks(Acks::Never);
    let (one, two) = (Frame::text("aaaaaaaa").encode(None), Frame::text("bbbbbb").encode(None));
    let first = c.count();
    c.server().bytes(&one);
    if acknowledged {
        c.client().ack();
    }
    c.wait(0.3);
    let again = c.count();
    c.server().bytes(&two);
    let segment = c.packets_mut()[again].segment_mut();
    segment.seq -= one.len() as u32;
    segment.payload = if other_bytes { Frame::text("aaaEVILa").encode(None) } else { one };
    segment.payload.extend_from_slice(&two);
    c.server().close(1001, "");
    c.client().fin();
    c.server().fin();
    (c.into_packets(), first)
}

#[test]
fn recipe_rtxext_and_rtxext2() {
    for acknowledged in [false, true] {
        let (packets, _) = extended(acknowledged, false);
        let found = only(packets);
        assert_at(&found, "messages.server.text", 2);
        assert_at(&found, "close.code", 1001);
        assert_at(&found, "conflicts", Value::Array(Vec::new()));
    }
}

#[test]
fn recipe_dup() {
    let mut c = talk();
    c.client().text("hello");
    c.server().text("world");
    part(&mut c, 1000);
    let once = only(c.packets().to_vec());
    let twice = c.packets().iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
    let analysis = analyse(twice);
    assert_eq!(analysis.summary.duplicates, c.count() as u64);
    assert_eq!(difference(&findings(&once), &findings(&analysis.connections[0])), None);
}

#[test]
fn recipe_wrap() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.isn(u32::MAX - 300, u32::MAX - 200).connect().upgrade();
    for _ in 0..20 {
        c.client().text("over the edge of the numbers");
        c.server().text("over the edge of the numbers");
    }
    part(&mut c, 1001);
    let found = only(c.into_packets());
    for side in ["client", "server"] {
        assert_at(&found, &format!("messages.{side}.text"), 20);
        assert_at(&found, &format!("messages.{side}.unread"), 0);
    }
    assert_at(&found, "close.clean", true);
}

/// Several messages in one segment; one message in several frames in one segment; one byte per segment; overlaps.
#[test]
fn recipe_frag22_frag5_split1_and_overlap() {
    let mut several = talk();
    several.server().hold().text("one").text("two").release();
    several.server().hold().message(1, &[b"a", b"b", b"c", b"d", b"e"]).release();
    part(&mut several, 1000);
    let found = only(several.into_packets());
    assert_at(&found, "messages.server.text", 3);
    assert_at(&found, "frames.server.continuation", 4);

    let mut single = talk();
    single.mss(1).acks(Acks::PerSegment);
    single.server().text("split");
    single.client().text("split");
    part(&mut single, 1000);
    let found = only(single.into_packets());
    assert_at(&found, "messages.client.text", 1);
    assert_at(&found, "close.clean", true);

    let mut c = talk();
    c.acks(Acks::Never).mss(10);
    let first = c.count();
    c.server().text(&"overlapping ".repeat(8));
    part(&mut c, 1000);
    let mut packets = c.into_packets();
    // The second to fifth segment once more as one, from the middle of the first to the middle of the sixth.
    let whole: Vec<u8> = packets[first..first + 7].iter().flat_map(|packet| packet.segment().payload.clone()).collect();
    let mut again = packets[first].clone();
    again.segment_mut().seq += 5;
    again.segment_mut().payload = whole[5..55].to_vec();
    again.time = packets[first + 3].time + 1;
    packets.push(again);
    let found = only(packets);
    assert_at(&found, "messages.server.text", 1);
    assert_at(&found, "close.clean", true);
    assert_at(&found, "conflicts", Value::Array(Vec::new()));
}

/// Data both ways in small segments, so that frames lie across many of them, closed in one of several ways.
fn scripted(rng: &mut Rng) -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.seed(rng.next_u64()).mss(rng.between(1, 60) as usize + 20).connect().upgrade();
    for _ in 0..rng.between(3, 20) {
        let side = if rng.chance(0.5) { Side::Client } else { Side::Server };
        let text = "abcdefgh ".repeat(rng.between(0, 20) as usize);
        if rng.chance(0.1) {
            c.side(side).ping(b"there?");
        } else {
            c.side(side).text(&text);
        }
    }
    let code = [1000, 1001, 1011, 4000][rng.between(0, 3) as usize];
    match rng.between(0, 2) {
        0 => part(&mut c, code),
        1 => {
            c.server().close(code, "no answer").fin();
            c.client().fin();
        }
        _ => {
            c.client().fin();
            c.server().fin();
        }
    }
    c
}

/// Whatever the order within a window of eight packets, also an ACK before its data, the findings are those of the
/// order in which the packets were sent.
#[test]
fn row_15_any_permutation_within_a_window_gives_identical_frames() {
    let mut rng = Rng::new(15);
    for round in 0..60 {
        let c = scripted(&mut rng);
        let expected = findings(&only(c.packets().to_vec()));
        for _ in 0..5 {
            let mut packets = c.packets().to_vec();
            // TCP is opened first; from there on windows of eight are shuffled.
            let mut at = 3;
            while at < packets.len() {
                let end = (at + rng.between(1, 8) as usize).min(packets.len());
                for one in (at + 1..end).rev() {
                    let other = rng.between(at as u64, one as u64) as usize;
                    support::impair::swap(&mut packets, one, other);
                    packets.swap(one, other);
                }
                at = end;
            }
            let found = findings(&only(packets));
            assert_eq!(without_order(&expected), without_order(&found), "round {round}");
        }
    }
}

/// What does not depend on who was first, which a permutation may change.
fn without_order(findings: &Value) -> [Value; 4] {
    ["messages", "frames", "handshake", "visibility"].map(|key| findings[key].clone())
}

// Row 16: contradiction.

/// The other version is in the file, and the one that is not analysed too: both are named.
#[test]
fn row_16_a_contradicting_retransmission_is_a_finding_with_both_packets() {
    for acknowledged in [false, true] {
        let (packets, first) = extended(acknowledged, true);
        let other = first + 1 + usize::from(acknowledged);
        let text = text_of(&format!("conflict-{acknowledged}"), packets.clone());
        let found = only(packets);
        assert_at(&found, "messages.server.text", 2);
        assert_at(&found, "conflicts.0.side", "server");
        assert_at(&found, "conflicts.0.kept_packet", first as u64 + 1);
        assert_at(&found, "conflicts.0.other_packet", other as u64 + 1);
        assert_at(&found, "conflicts.0.segments", 1);
        // Once it has acknowledged the bytes, the receiver has read the first version.
        assert_at(&found, "conflicts.0.receiver", if acknowledged { "kept" } else { "either" });
        let line = format!("server sends other bytes than packet #{} for the same place", first + 1);
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn recipe_conflict() {
    row_16_a_contradicting_retransmission_is_a_finding_with_both_packets();
}

/// While the receiver may have read other bytes, nothing is certain, and the diagnosis says why.
#[test]
fn row_16_a_diagnosis_on_contradicted_bytes_is_not_certain() {
    let mut c = talk();
    c.client().binary(&[7; 9000]);
    c.acks(Acks::Never);
    let close = c.count();
    part(&mut c, 1009);
    let certain = only(c.packets().to_vec());
    assert_at(&certain, "diagnosis.confidence", "certain");
    let mut again = c.packets()[close].clone();
    again.segment_mut().payload = Frame::close(1011, "").encode(None);
    // Just behind the first version, before anything acknowledges it.
    again.time += 20_000;
    let mut packets = c.packets().to_vec();
    packets.push(again);
    let found = only(packets);
    assert_at(&found, "close.code", 1009);
    assert_at(&found, "conflicts.0.receiver", "either");
    assert_at(&found, "diagnosis.confidence", "likely");
    let evidence = found["diagnosis"]["evidence"].as_array().expect("a list");
    let conflict = evidence.iter().find(|each| each["fact"] == "tcp.conflict").expect("the doubt is told");
    assert_eq!(conflict["packets"], serde_json::json!([close as u64 + 1, close as u64 + 2]));
}

#[test]
fn row_16_an_honest_retransmission_is_no_contradiction() {
    let mut rng = Rng::new(16);
    for _ in 0..20 {
        let c = scripted(&mut rng);
        let mut packets = c.packets().to_vec();
        for packet in c.packets() {
            if rng.chance(0.3) {
                packets.push(Packet { time: packet.time + rng.between(1, 300) as i64 * MS, ..packet.clone() });
            }
        }
        assert_at(&only(packets), "conflicts", Value::Array(Vec::new()));
    }
}

// Row 23: ports used again.

/// The same five-tuple twice: closed in order, reset, or without a trace of the end; and old segments that linger.
#[test]
fn row_23_a_reused_five_tuple_is_two_connections() {
    for ending in ["close", "rst", "none"] {
        let mut one = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        one.connect().upgrade();
        one.server().text("first");
        match ending {
            "close" => part(&mut one, 1001),
            "rst" => drop(one.server().rst()),
            _ => {}
        }
        let mut two = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        two.isn(700_000_000, 2_900_000_000).at(one.now() + 400 * MS).connect().upgrade();
        two.server().text("second").text("third");
        part(&mut two, 4000);
        let mut packets = one.into_packets();
        let lingering = Packet { time: two.packets()[4].time + 1, ..packets[5].clone() };
        packets.extend(two.into_packets());
        packets.push(lingering);
        let analysis = analyse(packets);
        assert_eq!(analysis.connections.len(), 2, "{ending}");
        let [first, second] = &analysis.connections[..] else { unreachable!("two") };
        assert_at(first, "messages.server.text", 1);
        assert_at(second, "messages.server.text", 2);
        assert_at(second, "close.code", 4000);
        assert_at(second, "visibility.server", "full");
        assert_at(second, "stream", 1);
    }
}

#[test]
fn recipe_reuse2() {
    row_23_a_reused_five_tuple_is_two_connections();
}

// Row 24: who ended it, in one line.

#[test]
fn row_24_one_line_tells_who_ended_tcp_and_who_sent_no_close() {
    let mut c = talk();
    c.acks(Acks::Never);
    c.server().text("last").wait(60.001 - 0.0001);
    c.server().fin();
    let fin = c.count();
    c.client().fin();
    let text = text_of("row-24", c.into_packets());
    let line = format!("end server sent FIN 60.0 s after the last byte (#{fin}), neither side sent a Close frame");
    assert!(text.contains(&line), "{text}");

    let mut c = talk();
    c.server().close(1011, "");
    let close = c.count() - 1;
    c.server().fin();
    let fin = c.count() - 1;
    let text = text_of("row-24-close", c.into_packets());
    let line = format!(
        "end server sent FIN 0.000 s after the last byte (#{fin}), client never sent a Close frame, server had sent a Close \
         frame (#{close})"
    );
    assert!(text.contains(&line), "{text}");
}

// Row 25: resets that are not from the peer.

fn cause(found: &Value) -> (&str, &str) {
    let text = |key: &str| found["diagnosis"][key].as_str().unwrap_or_default();
    (text("cause"), text("confidence"))
}

/// A conversation whose server is 13 hops away and is reset in its name with this time to live.
fn reset_with(hop_limit: u8) -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.hop_limit(Side::Server, 51).connect().upgrade();
    c.server().text("hello").wait(2.0);
    c.hop_limit(Side::Server, hop_limit).server().rst();
    c.hop_limit(Side::Server, 51);
    c
}

#[test]
fn row_25_a_reset_with_another_time_to_live_is_not_from_the_peer() {
    let c = reset_with(62);
    let rst = c.count();
    let found = only(c.packets().to_vec());
    assert_eq!(cause(&found), ("reset_injected", "likely"));
    assert_at(&found, "diagnosis.party", "network");
    let explanation = found["diagnosis"]["explanation"].as_str().expect("a text");
    assert!(["not from the peer", "62", "51"].iter().all(|part| explanation.contains(part)), "{explanation}");
    let text = text_of("row-25", c.into_packets());
    assert!(text.contains("RST not from the peer"), "{text}");
    // The RST, and the SYN-ACK that came first with the other value.
    let evidence = found["diagnosis"]["evidence"].as_array().expect("a list");
    let of = |fact: &str| evidence.iter().find(|each| each["fact"] == fact).expect("it is told");
    assert_eq!((&of("end.rst_hop_limit")["value"], &of("end.rst_hop_limit")["packets"][0]), (&62.into(), &rst.into()));
    assert_eq!((&of("end.hop_limit")["value"], &of("end.hop_limit")["packets"][0]), (&51.into(), &2.into()));
}

/// Its sender knows nothing of it and goes on; the other side believed it and is silent.
#[test]
fn row_25_a_reset_whose_sender_goes_on_is_forged_for_certain() {
    let mut c = reset_with(62);
    c.acks(Acks::Never).wait(0.03);
    c.server().text("still here");
    let found = only(c.into_packets());
    assert_eq!(cause(&found), ("reset_injected", "certain"));
    assert_at(&found, "diagnosis.rule", "no-close-reset-disproved");
}

/// The same number of hops from another start, no difference at all, and one hop only.
#[test]
fn row_25_a_host_that_resets_in_earnest_is_not_accused() {
    for hop_limit in [51, 115, 242] {
        let found = only(reset_with(hop_limit).into_packets());
        assert_ne!(cause(&found).0, "reset_injected", "{hop_limit}");
    }
    assert_eq!(cause(&only(reset_with(52).into_packets())), ("reset_injected", "possible"));
}

/// Nobody believed it: the connection goes on to its closing handshake, and the RST is no end.
#[test]
fn row_25_a_reset_that_nobody_believes_does_not_end_the_connection() {
    let mut c = reset_with(62);
    c.server().text("still here");
    c.client().text("so am I");
    part(&mut c, 1001);
    let text = text_of("row-25-outlived", c.packets().to_vec());
    let found = only(c.into_packets());
    assert_at(&found, "close.code", 1001);
    assert_at(&found, "close.clean", true);
    assert_at(&found, "close.tcp_end.kind", "fin");
    assert_at(&found, "messages.server.text", 2);
    assert!(found["visibility"]["notes"].to_string().contains("is not from the server"), "{found:#}");
    assert!(text.contains("1001"), "{text}");
}

/// Three resets that try places further on, and two in the names of both at once.
#[test]
fn row_25_resets_that_guess_or_come_both_ways_are_suspected() {
    let mut c = reset_with(51);
    for ahead in [1460, 4380] {
        let mut again = c.packets()[c.count() - 1].clone();
        again.time += i64::from(ahead);
        again.segment_mut().seq += ahead as u32;
        c.packets_mut().push(again);
    }
    let found = only(c.into_packets());
    assert_eq!(cause(&found), ("reset_injected", "likely"));
    assert_at(&found, "diagnosis.rule", "no-close-reset-places");

    let mut c = reset_with(51);
    c.client().rst();
    let found = only(c.into_packets());
    assert_eq!(cause(&found), ("reset_injected", "possible"));
    assert_at(&found, "diagnosis.rule", "no-close-reset-both");
}

/// An answer that never comes, and a silence that a device on the path does not like.
#[test]
fn row_25_resets_instead_of_an_answer_and_after_a_silence() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.hop_limit(Side::Server, 51).connect();
    c.request("GET / HTTP/1.1\nHost: a.test\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    c.hop_limit(Side::Server, 62).server().rst();
    assert_eq!(cause(&only(c.into_packets())), ("reset_injected", "likely"));

    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.hop_limit(Side::Server, 51).connect().upgrade();
    c.server().text("hello").wait(350.0);
    c.hop_limit(Side::Server, 62).server().rst();
    let found = only(c.into_packets());
    assert_eq!(cause(&found), ("idle_timeout", "likely"));
    assert_at(&found, "diagnosis.party", "network");
}

// What ends and probes look like.

#[test]
fn a_half_closed_connection_is_followed_to_its_end() {
    let mut c = talk();
    c.client().fin();
    c.wait(3.0).server().text("more").text("and more").close(1001, "");
    c.server().fin();
    let found = only(c.into_packets());
    assert_at(&found, "messages.server.text", 2);
    assert_at(&found, "close.code", 1001);
    assert_at(&found, "close.client_frame", Value::Null);
    assert_at(&found, "close.tcp_end.side", "client");
}

#[test]
fn fins_at_once_again_and_a_reset_after_them_change_nothing() {
    let mut c = talk();
    c.server().text("hi");
    c.acks(Acks::Never);
    c.server().close(1000, "");
    c.client().close(1000, "");
    let fins = c.count();
    c.server().fin();
    c.client().fin();
    let plain = only(c.packets().to_vec());
    // Both were under way before either saw the other: the client's acknowledges no FIN.
    c.packets_mut()[fins + 1].segment_mut().ack -= 1;
    let mut again = c.packets()[fins].clone();
    again.time += 300 * MS;
    c.packets_mut().push(again);
    c.wait(1.0).client().rst();
    let found = only(c.into_packets());
    assert_eq!(difference(&findings(&plain), &findings(&found)), None);
    assert_at(&found, "diagnosis.cause", "normal");
}

/// Keep-alives of no byte and of one, probes of a closed window, window updates: none is data.
#[test]
fn probes_are_no_data() {
    let mut c = talk();
    c.server().text("hello").wait(10.0).keep_alive();
    let last = c.count() - 2;
    // Some stacks put one byte into the probe, which is not the byte that was there.
    let mut one_byte = c.packets()[last].clone();
    one_byte.time += 5_000 * MS;
    one_byte.segment_mut().payload = vec![0];
    c.packets_mut().push(one_byte);
    c.wait(10.0).window(Side::Client, 0).client().ack();
    c.wait(1.0).window(Side::Client, 64240).client().ack();
    part(&mut c, 1001);
    let found = only(c.into_packets());
    assert_at(&found, "messages.server.text", 1);
    assert_at(&found, "close.clean", true);
    assert_at(&found, "conflicts", Value::Array(Vec::new()));
    assert_at(&found, "visibility.server", "full");
}

/// The capture begins between SYN and SYN-ACK, or both ends open at once (RFC 9293 §3.5).
#[test]
fn an_opening_seen_in_part_or_from_both_ends_is_an_opening() {
    let mut c = talk();
    c.client().text("hello");
    part(&mut c, 1000);
    let mut packets = c.packets().to_vec();
    packets.remove(0);
    let found = only(packets);
    assert_at(&found, "close.clean", true);
    assert_at(&found, "visibility.client", "full");

    let mut packets = c.into_packets();
    // SYN, SYN of the server, SYN-ACK, SYN-ACK.
    packets[1].segment_mut().flags = flags::SYN;
    packets[1].segment_mut().ack = 0;
    let mut of_server = packets[1].clone();
    of_server.segment_mut().flags = flags::SYN | flags::ACK;
    of_server.segment_mut().ack = packets[0].segment().seq + 1;
    of_server.time = packets[2].time + 1;
    packets[2].segment_mut().flags = flags::SYN | flags::ACK;
    packets[2].segment_mut().seq -= 1;
    packets.insert(3, of_server);
    let found = only(packets);
    assert_at(&found, "close.clean", true);
    assert_at(&found, "visibility.server", "full");
    assert_at(&found, "messages.client.text", 1);
}

/// TCP Fast Open (RFC 7413): the request is in the SYN.
#[test]
fn data_on_the_syn_is_data() {
    let mut c = talk();
    part(&mut c, 1000);
    let mut packets = c.into_packets();
    let request = packets.remove(3);
    packets[0].segment_mut().payload = request.segment().payload.clone();
    packets[1].segment_mut().ack += request.segment().payload.len() as u32;
    packets[2].segment_mut().seq += request.segment().payload.len() as u32;
    let found = only(packets);
    assert_at(&found, "handshake.outcome", "accepted");
    assert_at(&found, "handshake.request_packet", 1);
    assert_at(&found, "close.clean", true);
}

/// What lies beyond the FIN or far from the stream is not of it.
#[test]
fn segments_beyond_the_fin_or_from_elsewhere_are_ignored() {
    let mut c = talk();
    c.server().text("hello");
    let data = c.count() - 2;
    part(&mut c, 1001);
    let plain = findings(&only(c.packets().to_vec()));
    let mut packets = c.packets().to_vec();
    let last = packets[packets.len() - 1].time;
    for (ahead, at) in
        [(400, last + 1000), (1 << 31, packets[data].time + 10), ((1 << 30) + 5000, packets[data].time + 20)]
    {
        let mut stray = packets[data].clone();
        stray.time = at;
        stray.segment_mut().seq = stray.segment().seq.wrapping_add(ahead);
        packets.push(stray);
    }
    assert_eq!(difference(&plain, &findings(&only(packets))), None);
}

// Bounds.

/// What is not waited for because a bound is reached is told as such, in the connection and in the summary.
#[test]
fn bytes_given_up_at_a_bound_are_our_limit_and_not_the_capture_s() {
    let default = Limits::default();
    let bounds = (default.reorder_segments_per_end, default.reorder_bytes_per_end, default.reorder_bytes_total);
    assert_eq!(bounds, (4096, 4 << 20, 256 << 20));
    // A hole, and behind it more segments than may wait. Nothing acknowledges them, so it is not known to be lost.
    let mut c = talk();
    c.acks(Acks::Never).mss(20).step(1000);
    let hole = c.count();
    c.server().binary(&[0; 100_000]);
    let mut packets = c.into_packets();
    packets.remove(hole + 1);
    let analysis = analyse(packets.clone());
    assert!(analysis.summary.limits.reorder > 0);
    let notes = analysis.connections[0]["visibility"]["notes"].to_string();
    assert!(notes.contains("20 bytes not waited for (limit reorder)"), "{notes}");
    let text = text_of("reorder-limit", packets);
    assert!(text.contains("times that out-of-order data did not fit and missing bytes were given up: 1"), "{text}");
}

/// Segments that lie over each other in ever other cuts, and one byte each in no order: no panic, no crawl, and the
/// message comes out.
#[test]
fn floods_of_overlaps_and_of_single_bytes_come_out_right() {
    let mut c = talk();
    c.acks(Acks::Never).mss(1).step(100);
    let first = c.count();
    c.server().binary(&(0..3000_u32).map(|at| at as u8).collect::<Vec<_>>());
    let last = c.count();
    part(&mut c, 1001);
    let plain = findings(&only(c.packets().to_vec()));
    let mut packets = c.packets().to_vec();
    let mut rng = Rng::new(5);
    for one in (first + 1..last).rev() {
        let other = rng.between(first as u64, one as u64) as usize;
        support::impair::swap(&mut packets, one, other);
    }
    let whole: Vec<u8> = c.packets()[first..last].iter().flat_map(|packet| packet.segment().payload.clone()).collect();
    for _ in 0..3000 {
        let from = rng.between(0, whole.len() as u64 - 1) as usize;
        let to = (from + rng.between(1, 1400) as usize).min(whole.len());
        let mut piece = c.packets()[first + from].clone();
        piece.time = c.packets()[first + rng.between(0, 2000) as usize].time + 50;
        piece.segment_mut().payload = whole[from..to].to_vec();
        packets.push(piece);
    }
    let found = only(packets);
    assert_eq!(without_order(&plain), without_order(&findings(&found)));
    assert_at(&found, "close.code", 1001);
    assert_at(&found, "conflicts", Value::Array(Vec::new()));
}

/// More connections than are followed at once: the rest is reported as it stands, and the summary says how often.
#[test]
fn connections_beyond_the_bound_are_counted() {
    assert_eq!(Limits::default().flows, 1 << 20);
    let limits = Limits { flows: 10, ..Limits::default() };
    let mut analyzer = wsdissect::Analyzer::new(wsdissect::Options { limits, ..wsdissect::Options::default() });
    let conversations = (0..50).map(|port| {
        let mut c = Conversation::new(&format!("10.0.0.1:{}", 40_000 + port), "10.0.0.2:80");
        c.connect().upgrade();
        c
    });
    let file = Capture::of(conversations).pcap();
    let mut reader = wsdissect::capture::Reader::open(Cursor::new(file)).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("a whole capture") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let reports = std::iter::from_fn(|| analyzer.next_report()).count();
    assert!(analyzer.summary().limits.flows >= 40, "{:?}", analyzer.summary().limits);
    assert!(reports >= 50, "{reports}: none is lost");
}
