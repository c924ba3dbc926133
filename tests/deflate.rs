//! permessage-deflate (RFC 7692) over whole captures: what is inflated, which promises are checked, and who is blamed
//! when something does not inflate.
//!
//! Compressed data that no compressor would write is made by hand from RFC 1951, token by token.

mod support;

use std::sync::Arc;
use support::conversation::Sender;
use support::frames::{Deflater, Frame, opcode, rsv};
use support::{Capture, Conversation, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::connection::{Connection, MessageNote, Outcome, Utf8State};
use wsdissect::limits::{LimitHits, Limits};
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::units::Side;
use wsdissect::violation::{Detail, Violation, ViolationRule as Rule};
use wsdissect::{Analyzer, ConnectionReport, Options};

/// What is left out at the end of each message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn talk(extension: &str) -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(&Upgrade::deflate(extension));
    c
}

fn reports(capture: &Capture) -> (Vec<ConnectionReport>, LimitHits) {
    let file = capture.pcap();
    let mut reader = Reader::open(&file[..]).expect("a capture file");
    let mut analyzer = Analyzer::new(Options::default());
    while let Ok(Some(packet)) = reader.next_packet() {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    (std::iter::from_fn(|| analyzer.next_report()).collect(), analyzer.summary().limits)
}

/// The only report of a capture.
fn report(capture: &Capture) -> ConnectionReport {
    let (mut reports, _) = reports(capture);
    assert_eq!(reports.len(), 1, "one connection");
    reports.remove(0)
}

fn connection_of(c: Conversation) -> Arc<Connection> {
    report(&Capture::of([c])).connection
}

fn text(report: &ConnectionReport) -> String {
    TextReport::new(&Speaker::new(Language::En), 2000).connection(report)
}

/// The violations as rule, side and packet number.
fn broken(connection: &Connection) -> Vec<(Rule, Side, u64)> {
    connection.violations.iter().map(|Violation { rule, side, at, .. }| (*rule, *side, at.packet.value())).collect()
}

fn last(connection: &Connection, side: Side) -> MessageNote {
    connection.traffic[side].last_message.expect("a message")
}

/// Every message of `side` was read to its end.
fn all_read(connection: &Connection, side: Side) -> bool {
    connection.traffic[side].unread_messages == 0
}

/// DEFLATE blocks as they are written (RFC 1951).
#[derive(Default)]
struct Blocks {
    bytes: Vec<u8>,
    /// Bits of the last byte that are in use; 0 for all.
    used: u32,
}

impl Blocks {
    /// Bits with the lowest first (§3.1.1).
    fn bits(&mut self, value: u32, count: u32) {
        for place in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("there is one");
            *last |= ((value >> place & 1) as u8) << self.used;
            self.used = (self.used + 1) % 8;
        }
    }

    /// A code word, its highest bit first.
    fn word(&mut self, word: u32, count: u32) {
        (0..count).rev().for_each(|place| self.bits(word >> place & 1, 1));
    }

    /// Bytes as they are, in stored blocks (§3.2.4).
    fn stored(mut self, bytes: &[u8]) -> Self {
        for part in bytes.chunks(0xFFFF) {
            self.bits(0, 3);
            self.used = 0;
            let len = part.len() as u16;
            self.bytes.extend([len.to_le_bytes(), (!len).to_le_bytes()].concat());
            self.bytes.extend(part);
        }
        self
    }

    /// A block with fixed codes (§3.2.6) that holds three bytes, copied from `distance` bytes before.
    fn copied(mut self, distance: u32) -> Self {
        const LEAST: [u32; 30] = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
            4097, 6145, 8193, 12289, 16385, 24577,
        ];
        self.bits(0b010, 3);
        self.word(0b0000001, 7);
        let symbol = LEAST.iter().rposition(|least| *least <= distance).expect("a distance is at least 1");
        self.word(symbol as u32, 5);
        self.bits(distance - LEAST[symbol], (symbol as u32).saturating_sub(2) / 2);
        self.word(0, 7);
        self
    }

    /// The payload of a message: the empty stored block that ends it, without its tail.
    fn message(mut self) -> Vec<u8> {
        self.bits(0, 3);
        self.bytes
    }
}

/// A binary message with this payload and RSV1.
fn compressed(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(opcode::BINARY, payload).rsv(rsv::RSV1)
}

/// Bytes among which no compressor finds anything.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 7692u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Row 53: compressed messages are inflated and judged by what they say, also where plain ones stand between them.
#[test]
fn row_53_compressed_messages_are_inflated_and_judged() {
    let mut c = talk("");
    let words = "größer als vorher, und noch einmal größer";
    c.client().text(words).frame(Frame::text("plain")).text(words).binary(&[0xFF; 400]).text("");
    let connection = connection_of(c);
    assert_eq!(broken(&connection), []);
    let client = &connection.traffic.client;
    assert_eq!((client.text_messages, client.binary_messages, client.unread_messages), (4, 1, 0));
    let last = last(&connection, Side::Client);
    assert_eq!((last.size, last.wire_len, last.utf8), (0, 1, Utf8State::Valid));

    // The fault is counted in inflated bytes.
    let mut c = talk("");
    let at = c.count() as u64 + 1;
    let wrong = [&[b'a'; 300][..], b"\xFF"].concat();
    c.client().message(opcode::TEXT, &[&wrong]);
    let connection = connection_of(c);
    assert_eq!(broken(&connection), [(Rule::InvalidUtf8Text, Side::Client, at)]);
    assert!(connection.violations[0].detail.to_string().contains("offset 300"));
}

/// Row 54, recipes `snct` and `cnct`: only one side starts every message afresh, and all messages of both are read.
#[test]
fn row_54_context_takeover_belongs_to_each_side() {
    let words = "the same words again and again and again";
    for parameter in ["server_no_context_takeover", "client_no_context_takeover"] {
        let mut c = talk(&format!("; {parameter}"));
        for _ in 0..3 {
            c.client().text(words);
            c.server().text(words);
        }
        let connection = connection_of(c);
        assert_eq!(broken(&connection), [], "{parameter}");
        for side in Side::BOTH {
            let afresh = parameter.starts_with(side.name());
            assert!(all_read(&connection, side), "{parameter}, {side:?}");
            assert_eq!(last(&connection, side).size, words.len() as u64);
            // Only with the window of earlier messages is the third a handful of bytes.
            assert_eq!(last(&connection, side).wire_len > 12, afresh, "{parameter}, {side:?}");
        }
    }
    // A side that keeps its window although it promised not to: its second message refers to nothing.
    let mut c = talk("; server_no_context_takeover");
    c.negotiate("permessage-deflate");
    c.client().text(words).text(words);
    c.server().text(words);
    let at = c.count() as u64 + 1;
    c.server().text(words);
    assert_eq!(broken(&connection_of(c)), [(Rule::InflateFailed, Side::Server, at)]);
}

/// Row 55: a reference beyond the negotiated window is a violation of the side that sent it, one of the whole window is
/// not; within a message, into an earlier one, in every fragment.
#[test]
fn row_55_a_reference_beyond_the_window_is_a_violation() {
    for bits in 8..=15u32 {
        let window = 1 << bits;
        for (distance, takes_over) in [(window, true), (window, false), (window + 1, true), (window + 1, false)] {
            if distance > 1 << 15 {
                continue;
            }
            let afresh = if takes_over { "" } else { "; client_no_context_takeover" };
            let mut c = talk(&format!("; client_max_window_bits={bits}{afresh}"));
            let before = noise(window as usize + 100);
            let blocks = if takes_over {
                c.client().frame(compressed(Blocks::default().stored(&before).message()));
                Blocks::default()
            } else {
                Blocks::default().stored(&before)
            };
            let payload = blocks.copied(distance).message();
            let (head, tail) = payload.split_at(payload.len() - 2);
            c.client().frame(compressed(head).fin(false)).ping(b"between");
            let at = c.count() as u64 + 1;
            c.client().frame(Frame::new(opcode::CONTINUATION, tail));
            // The window of one side says nothing about the other.
            c.server().frame(compressed(Blocks::default().stored(&before).copied(window).message()));
            let connection = connection_of(c);
            let context = format!("{bits} bits, distance {distance}, takes over {takes_over}");
            assert!(all_read(&connection, Side::Client) && all_read(&connection, Side::Server), "{context}");
            if distance == window {
                assert_eq!(broken(&connection), [], "{context}");
                continue;
            }
            let [violation] = &connection.violations[..] else { panic!("{context}: {:?}", connection.violations) };
            assert_eq!((violation.rule, violation.side), (Rule::WindowExceeded, Side::Client), "{context}");
            assert!(violation.at.packet.value() <= at, "{context}");
            let inflated = if takes_over { 0 } else { before.len() as u64 };
            assert_eq!(violation.detail, Detail::Reference { distance, window, at: inflated }, "{context}");
        }
    }
}

/// Recipe `cmwb9`: `client_max_window_bits=9`, small client messages, server data that cannot be compressed; and what
/// zlib writes with each window it has, on contents that need a large one, never exceeds it.
#[test]
fn recipe_cmwb9() {
    let mut c = talk("; client_max_window_bits=9");
    for _ in 0..20 {
        c.client().text("a small message of the client");
        c.server().binary(&noise(2000));
    }
    let connection = connection_of(c);
    assert_eq!(broken(&connection), []);
    assert!(all_read(&connection, Side::Client) && all_read(&connection, Side::Server));

    let piece = noise(60);
    for bits in 9..=15 {
        for afresh in ["", "; server_no_context_takeover"] {
            // zlib has no window of 8 bits; who agrees on one uses 9.
            for agreed in [bits, if bits == 9 { 8 } else { bits }] {
                let mut c = talk(&format!("; server_max_window_bits={agreed}{afresh}"));
                c.negotiate(&format!("permessage-deflate; server_max_window_bits={bits}{afresh}"));
                for gap in [190, 194, 196, 200, 255, 256, 450, 452, 512, 1000, 2000, 4000, 8000, 16_000, 33_000] {
                    c.server().binary(&[&piece[..], &noise(gap), &piece, &piece].concat());
                }
                let connection = connection_of(c);
                assert_eq!(broken(&connection), [], "{agreed} bits agreed on, {bits} used{afresh}");
                assert!(all_read(&connection, Side::Server));
            }
        }
    }
}

/// Row 56, recipe `fragdef`: compressed and in three frames with a Ping between, empty frames among them, then another.
#[test]
fn row_56_a_compressed_message_in_fragments_is_one_message() {
    let parts: [&[u8]; 3] = ["größer, ".as_bytes(), "größer, ".as_bytes(), "am größten".as_bytes()];
    let whole = parts.concat();
    let payload = Deflater::new(15, true).message(&whole);
    for cut in 0..=payload.len() {
        let mut c = talk("");
        c.client()
            .frame(Frame::new(opcode::TEXT, &payload[..cut]).rsv(rsv::RSV1).fin(false))
            .ping(b"between")
            .frame(Frame::new(opcode::CONTINUATION, []).fin(false))
            .frame(Frame::new(opcode::CONTINUATION, &payload[cut..]));
        c.negotiate("permessage-deflate");
        c.client().message(opcode::TEXT, &parts);
        let connection = connection_of(c);
        assert_eq!(broken(&connection), [], "cut at {cut}");
        assert!(all_read(&connection, Side::Client));
        assert_eq!(connection.traffic.client.text_messages, 2);
        assert_eq!(last(&connection, Side::Client).size, whole.len() as u64);
    }
}

/// Row 57, recipe `bfinal`: three messages that each end their DEFLATE stream, with the byte 00 behind it or without.
#[test]
fn row_57_all_messages_with_a_final_block_are_inflated() {
    // RFC 7692 §7.2.3.4: "Hello" in a block with BFINAL.
    let hello = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    for bits in [15, 9] {
        for padding in [&[0x00][..], &[]] {
            for afresh in ["", "; client_no_context_takeover"] {
                let mut c = talk(&format!("; client_max_window_bits={bits}{afresh}"));
                let payload = [&hello[..], padding].concat();
                for _ in 0..3 {
                    c.client().frame(Frame::new(opcode::TEXT, payload.clone()).rsv(rsv::RSV1));
                    assert_eq!(c.count() % 2, 1, "one packet and its ACK each");
                }
                let connection = connection_of(c);
                assert_eq!(broken(&connection), []);
                assert!(all_read(&connection, Side::Client));
                assert_eq!(connection.traffic.client.text_messages, 3);
                assert_eq!(last(&connection, Side::Client).size, 5);
            }
        }
    }
}

/// Empty messages as they are seen: the empty block (RFC 7692 §7.2.3.6), the same several times, none at all, and in
/// frames of which the first has nothing.
#[test]
fn empty_messages_and_empty_blocks_are_legal() {
    let flushed = [&[0][..], &TAIL, &[0], &TAIL, &[0]].concat();
    for payload in [&[0][..], &[], &flushed, &[2, 0]] {
        let mut c = talk("; client_max_window_bits=8");
        c.client().frame(Frame::new(opcode::TEXT, payload).rsv(rsv::RSV1));
        c.client().frame(Frame::new(opcode::TEXT, []).rsv(rsv::RSV1).fin(false));
        c.client().frame(Frame::new(opcode::CONTINUATION, payload));
        let connection = connection_of(c);
        assert_eq!(broken(&connection), [], "{payload:02x?}");
        assert!(all_read(&connection, Side::Client));
        assert_eq!((connection.traffic.client.text_messages, last(&connection, Side::Client).size), (2, 0));
    }
}

/// Row 58: one message of 1 MB that is 1 GB inflated. Reading it stops at the limit, its ratio is told, and the rest of
/// the connection goes on.
#[test]
fn row_58_a_megabyte_that_is_a_gigabyte_stops_at_the_limit() {
    let zeros = vec![0; 16 * MIB];
    let mut deflater = Deflater::new(15, true);
    let first = [deflater.message(&zeros), TAIL.to_vec()].concat();
    // With the window full of zeros, every further 16 MiB of them are the same bytes.
    let further = [deflater.message(&zeros), TAIL.to_vec()].concat();
    let mut bomb = [first, further.repeat(63)].concat();
    bomb.truncate(bomb.len() - TAIL.len());
    assert!((1000 * KIB..1100 * KIB).contains(&bomb.len()), "{} bytes", bomb.len());

    let mut c = talk("");
    c.client().text("before").frame(compressed(bomb.clone()));
    c.client().text("after").frame(Frame::text("not compressed"));
    c.server().text("the other side").close(1009, "too big");
    c.client().close(1009, "");
    let (reports, hits) = reports(&Capture::of([c]));
    let [report] = &reports[..] else { panic!("one connection") };
    let connection = &report.connection;
    assert_eq!(hits, LimitHits { inflate: 1, ..LimitHits::default() });
    assert_eq!(broken(connection), []);
    let client = &connection.traffic.client;
    assert_eq!((client.text_messages, client.binary_messages, connection.traffic.server.text_messages), (3, 1, 1));
    let limit = Limits::default().inflated_message_bytes;
    let ratio = limit / bomb.len() as u64;
    let told = text(report);
    assert!(told.contains(&format!("more than 268,435,456 bytes, over {ratio} times")), "{told}");
    assert!(told.contains("Close 1009"), "{told}");
}

/// Row 59: the first message that does not inflate, its packet, the compressed byte in it, and how many later ones
/// cannot be read because of it. They are not accused.
#[test]
fn row_59_damage_is_located_and_explains_what_follows() {
    let words = "the same words again and again and again";
    for (extension, unreadable) in [("", 3), ("; server_no_context_takeover", 0)] {
        let mut c = talk(extension);
        c.server().text(words).text(words);
        // Three good bytes, and then a block of type 3, which does not exist (RFC 1951 §3.2.3).
        let damaged = [Blocks::default().stored(b"abc").bytes, vec![0x06, 0, 0]].concat();
        let at = c.count() as u64 + 1;
        c.server().frame(compressed(&damaged[..4]).fin(false)).frame(Frame::new(opcode::CONTINUATION, &damaged[4..]));
        let mut deflater = Deflater::new(15, unreadable > 0);
        for _ in 0..3 {
            c.server().frame(compressed(deflater.message(words.as_bytes())));
        }
        c.client().close(1002, "");
        let connection = connection_of(c);
        let [violation] = &connection.violations[..] else { panic!("{:?}", connection.violations) };
        assert_eq!((violation.rule, violation.side), (Rule::InflateFailed, Side::Server));
        // The second frame of the message carries the faulty byte: behind 1 + 4 bytes of head and the three.
        assert_eq!(violation.at.packet.value(), at + 2);
        assert_eq!(violation.detail, Detail::Inflate { byte: Some(8), inflated: 3, unreadable });
        let told = violation.detail.to_string();
        assert!(told.starts_with("compressed byte 8 of the message, after 3 inflated bytes"), "{told}");
        assert_eq!(told.contains("3 later messages that may refer to it were not read"), unreadable == 3, "{told}");
        assert_eq!(connection.traffic.server.unread_messages, 1 + unreadable);
    }
}

/// The same data behind a hole, or where the capture joined late, accuses nobody: a block may go on from what was not
/// seen. Where a message in between was read to its end, or every one stands alone, that is no excuse.
#[test]
fn row_59_lost_context_is_no_fault() {
    let broken_block = compressed([0x06, 0, 0]);
    let good = || compressed(Blocks::default().stored(b"good").message());
    for (extension, good_between, blamed) in [
        ("", false, false),
        ("", true, true),
        ("; client_no_context_takeover", false, true),
        ("; client_max_window_bits=9", false, false),
    ] {
        let mut c = talk(extension);
        let start = c.count();
        c.client().frame(good());
        let lost = c.count() + 2;
        // A message of two segments; the second is not in the capture, and the frame's length steps over it.
        c.client().frame(compressed(Blocks::default().stored(&noise(3000)).message()));
        if good_between {
            c.client().frame(good());
        }
        c.client().frame(broken_block.clone()).frame(good());
        c.server().close(1002, "");
        let mut late = Capture::new();
        late.extend(c.packets()[start..].to_vec());
        c.packets_mut().remove(lost - 1);
        let connection = connection_of(c);
        let rules: Vec<Rule> = connection.violations.iter().map(|violation| violation.rule).collect();
        let expected: &[Rule] = if blamed { &[Rule::InflateFailed] } else { &[] };
        assert_eq!(rules, expected, "{extension}, good between: {good_between}");

        // Without the handshake nobody even knows that it is compressed.
        assert_eq!(broken(&report(&late).connection), [], "{extension}, joined late");
    }
}

/// A window that is exceeded behind a hole: the distance needs no context, but where the block begins does.
#[test]
fn a_window_is_judged_behind_a_hole_once_a_message_was_read() {
    for (good_between, blamed) in [(false, false), (true, true)] {
        let mut c = talk("; client_max_window_bits=9");
        let lost = c.count() + 2;
        c.client().frame(compressed(Blocks::default().stored(&noise(3000)).message()));
        if good_between {
            c.client().frame(compressed(Blocks::default().stored(b"good").message()));
        }
        let at = c.count() as u64;
        c.client().frame(compressed(Blocks::default().copied(600).message()));
        c.packets_mut().remove(lost - 1);
        let expected: &[_] = if blamed { &[(Rule::WindowExceeded, Side::Client, at)] } else { &[] };
        assert_eq!(broken(&connection_of(c)), expected, "good between: {good_between}");
    }
}

/// Row 60: RSV1 without an agreement is named "compressed without agreement", whoever ended the connection and how.
#[test]
fn row_60_compression_without_agreement_is_named() {
    type Ending = fn(Sender<'_>);
    let endings: [(&str, Ending); 3] = [
        ("1002", |server| _ = server.close(1002, "").fin()),
        ("FIN", |server| _ = server.fin()),
        ("RST", |server| _ = server.rst()),
    ];
    for (name, end) in endings {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.connect().upgrade_with(&Upgrade {
            extensions_offered: Some("permessage-deflate; client_max_window_bits".into()),
            ..Upgrade::default()
        });
        c.client().frame(Frame::text("fine"));
        c.server().frame(Frame::text("fine"));
        let at = c.count() as u64 + 1;
        let payload = Deflater::new(15, true).message(b"compressed all the same");
        c.client().frame(Frame::new(opcode::TEXT, payload).rsv(rsv::RSV1));
        end(c.server());
        let report = report(&Capture::of([c]));
        assert_eq!(broken(&report.connection), [(Rule::RsvNonzero, Side::Client, at)], "{name}");
        assert_eq!(report.diagnosis.rule.as_str(), "violation-compressed-unnegotiated", "{name}");
        let told = text(&report);
        assert!(told.contains("Compressed frames, although compression was not negotiated"), "{name}: {told}");
        assert!(told.contains("permessage-deflate; client_max_window_bits"), "what was offered: {told}");
    }
}

/// Row 60: extensions that give RSV1 another meaning, old ones and unknown ones, are named and nobody is accused for
/// using it; what they do to a text nobody judges.
#[test]
fn row_60_other_extensions_are_named_and_not_judged() {
    for extension in ["x-webkit-deflate-frame", "permessage-bzip2", "permessage-compress; method=deflate", "bbf-own"] {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        let name = Some(extension.to_owned());
        c.connect().upgrade_with(&Upgrade { extensions_offered: name.clone(), extensions: name, ..Upgrade::default() });
        c.client().frame(Frame::new(opcode::TEXT, b"\xF2\x48\xCD").rsv(rsv::RSV1));
        c.server().frame(Frame::new(opcode::TEXT, b"\xF2\x48").rsv(rsv::RSV1).fin(false));
        c.server().frame(Frame::new(opcode::CONTINUATION, b"\xCD").rsv(rsv::RSV1)).close(1000, "");
        c.client().close(1000, "").fin();
        c.server().fin();
        let report = report(&Capture::of([c]));
        assert_eq!(broken(&report.connection), [], "{extension}");
        assert_eq!(report.connection.handshake.outcome, Outcome::Accepted);
        assert_eq!(last(&report.connection, Side::Client).utf8, Utf8State::Unknown, "{extension}");
        let object = ConnectionObject::new(&report, "capture", &Speaker::new(Language::En));
        let object = serde_json::to_value(object).expect("a report is JSON");
        assert_eq!(object["handshake"]["extensions"], extension);
    }
    // Beside permessage-deflate, RSV1 has its meaning, and the bits that are left belong to the other one.
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    let both = Some("x-own, permessage-deflate".to_owned());
    c.connect().upgrade_with(&Upgrade { extensions_offered: both.clone(), extensions: both, ..Upgrade::default() });
    c.client().frame(Frame::new(opcode::BINARY, b"?").rsv(0b010)).frame(Frame::new(opcode::PING, []).rsv(rsv::RSV1));
    let rules: Vec<Rule> = connection_of(c).violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Rsv1OnControl]);
}

/// RSV1 belongs to the first frame of a data message (RFC 7692 §6.1), and a message without it is not compressed.
#[test]
fn rsv1_elsewhere_is_a_violation_and_its_absence_none() {
    let mut c = talk("");
    c.client().frame(Frame::text("not compressed, and legal"));
    let at = c.count() as u64 + 1;
    c.client().frame(Frame::new(opcode::PING, b"p").rsv(rsv::RSV1));
    c.client().text("compressed").frame(Frame::new(opcode::TEXT, b"in ").fin(false));
    let continued = c.count() as u64 + 1;
    c.client().frame(Frame::new(opcode::CONTINUATION, b"two").rsv(rsv::RSV1));
    let connection = connection_of(c);
    assert_eq!(
        broken(&connection),
        [(Rule::Rsv1OnControl, Side::Client, at), (Rule::Rsv1OnContinuation, Side::Client, continued)]
    );
    assert!(all_read(&connection, Side::Client));
}
