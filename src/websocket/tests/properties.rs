//! What must hold for every stream, however it is made and cut.

use super::reference::{self, hex};
use super::*;
use crate::websocket::deflate::Spares;
use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// How the streams of one test run are sent.
#[derive(Debug, Clone, Copy)]
struct Setup {
    sender: Side,
    deflate: Option<Deflate>,
}

/// One step of a conversation, from one side.
#[derive(Debug, Clone)]
enum Step {
    /// A legal data message, in fragments of these sizes (and one with the rest).
    Message { text: bool, compress: bool, content: Vec<u8>, fragments: Vec<usize>, ping_between: bool },
    /// A legal control frame.
    Control { opcode: u8, payload: Vec<u8> },
    /// Some frame, seldom legal.
    Odd(Wire),
    /// A compressed message whose bytes were not made by a compressor.
    NotDeflate { content: Vec<u8> },
    /// A compressed message that ends its DEFLATE stream (RFC 7692 §7.2.3.4), with the empty block behind it or without.
    FinalBlock { content: Vec<u8>, empty_block: bool },
    /// Not even a frame.
    Garbage(Vec<u8>),
}

fn setup() -> impl Strategy<Value = Setup> {
    let deflate = prop_oneof![
        1 => Just(None),
        3 => (any::<bool>(), 9u8..=15)
            .prop_map(|(no_context_takeover, window_bits)| Some(Deflate { no_context_takeover, window_bits })),
    ];
    (select(&Side::BOTH[..]), deflate).prop_map(|(sender, deflate)| Setup { sender, deflate })
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => ".{0,40}".prop_map(String::into_bytes),
        2 => ("[a-zéß€😀]{1,9}", 0usize..200).prop_map(|(word, times)| word.repeat(times).into_bytes()),
        // Far enough apart to need a large window.
        1 => (vec(any::<char>(), 300), 0usize..6)
            .prop_map(|(chars, times)| String::from_iter(chars).repeat(times).into_bytes()),
    ]
}

fn legal_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<bool>(), any::<bool>(), text(), vec(0usize..30, 0..5), any::<bool>()).prop_map(
            |(text, compress, content, fragments, ping_between)| Step::Message {
                text, compress, content, fragments, ping_between
            }
        ),
        1 => (select(&[9u8, 10][..]), vec(any::<u8>(), 0..=125))
            .prop_map(|(opcode, payload)| Step::Control { opcode, payload }),
    ]
}

fn odd_frame() -> impl Strategy<Value = Wire> {
    let first = prop_oneof![
        3 => any::<u8>(),
        3 => select(&[0x00u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x41, 0xC1, 0xC0, 0x88, 0x89][..]),
    ];
    let payload = prop_oneof![
        2 => vec(any::<u8>(), 0..12),
        1 => vec(any::<u8>(), 120..200),
        2 => text(),
        1 => (1000u16..1016, text()).prop_map(|(code, reason)| [&code.to_be_bytes()[..], &reason].concat()),
    ];
    let key = proptest::option::of(any::<[u8; 4]>());
    let form = select(&[LengthForm::Shortest, LengthForm::Shortest, LengthForm::Bits16, LengthForm::Bits64][..]);
    (first, key, form, payload).prop_map(|(first, key, form, payload)| Wire { first, key, form, payload })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => legal_step(),
        4 => odd_frame().prop_map(Step::Odd),
        1 => vec(any::<u8>(), 0..20).prop_map(|content| Step::NotDeflate { content }),
        1 => (text(), any::<bool>()).prop_map(|(content, empty_block)| Step::FinalBlock { content, empty_block }),
        1 => prop_oneof![
            vec(any::<u8>(), 0..20),
            (0usize..=12).prop_map(|len| b"HTTP/1.1 200"[..len].to_vec()),
            (select(&["GET /x", "HEAD /", "POST /", "PUT /", "PATCH /", "DELETE /", "OPTIONS *"][..]), 0usize..=9)
                .prop_map(|(request, len)| request.as_bytes()[..len.min(request.len())].to_vec()),
        ].prop_map(Step::Garbage),
    ]
}

/// The bytes of a conversation.
fn stream(setup: Setup, steps: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut deflater =
        setup.deflate.map(|deflate| Compress::new_with_window_bits(Compression::default(), false, deflate.window_bits));
    let send = |bytes: &mut Vec<u8>, first: u8, payload: &[u8]| {
        let wire = Wire::new(first, payload);
        bytes.extend(if setup.sender == Side::Client { wire.masked().bytes() } else { wire.bytes() });
    };
    for step in steps {
        match step {
            Step::Message { text, compress, content, fragments, ping_between } => {
                let mut payload = content.clone();
                let mut first = if *text { 0x01 } else { 0x02 };
                if *compress && let (Some(deflater), Some(deflate)) = (&mut deflater, setup.deflate) {
                    payload = compressed(deflater, deflate, content);
                    first |= 0x40;
                }
                let mut rest = &payload[..];
                for len in fragments {
                    let (fragment, left) = rest.split_at(rest.len().min(*len));
                    send(&mut bytes, first, fragment);
                    if *ping_between {
                        send(&mut bytes, 0x89, b"still there?");
                    }
                    (first, rest) = (0x00, left);
                }
                send(&mut bytes, first | 0x80, rest);
            }
            Step::Control { opcode, payload } => send(&mut bytes, 0x80 | opcode, payload),
            Step::Odd(wire) => bytes.extend(wire.bytes()),
            Step::NotDeflate { content } => send(&mut bytes, 0xC1, content),
            Step::FinalBlock { content, empty_block } => {
                let mut out = Vec::with_capacity(content.len() * 2 + 1000);
                let mut deflater = Compress::new(Compression::default(), false);
                deflater.compress_vec(content, &mut out, FlushCompress::Finish).expect("valid state");
                if *empty_block {
                    out.push(0x00);
                }
                send(&mut bytes, 0xC1, &out);
            }
            Step::Garbage(garbage) => bytes.extend(garbage),
        }
    }
    bytes
}

/// A message as RFC 7692 §7.2.1 has it.
fn compressed(deflater: &mut Compress, deflate: Deflate, content: &[u8]) -> Vec<u8> {
    if deflate.no_context_takeover {
        deflater.reset();
    }
    let mut out = Vec::with_capacity(content.len() * 2 + 1000);
    deflater.compress_vec(content, &mut out, FlushCompress::Sync).expect("valid state");
    if out.ends_with(&[0, 0, 0xFF, 0xFF]) {
        out.truncate(out.len() - 4);
    }
    out
}

/// The same for the reference decoder.
fn simple(setup: Setup) -> reference::Setup {
    reference::Setup {
        masks: setup.sender == Side::Client,
        takeover: setup.deflate.map(|deflate| !deflate.no_context_takeover),
    }
}

/// Decodes `stream` cut at `cuts`, all in one packet.
fn decode(setup: Setup, stream: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let mut bench = Bench::new(setup.sender, setup.deflate);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(stream.len());
    let mut start = 0;
    for cut in cuts {
        bench.packets = 0;
        bench.push(&stream[start..cut]);
        start = cut;
    }
    bench.finish();
    bench.recorder.seen
}

/// The events in the words of the reference decoder, the violations of each header in order of their names.
fn lines(seen: &[Seen]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut from_header: Vec<String> = Vec::new();
    for seen in seen {
        let line = match seen {
            // The reference decoder does not look into compressed data; `compression` has tests of its own.
            Seen::Violation(violation) if violation.rule == ViolationRule::WindowExceeded => continue,
            Seen::Violation(violation) => {
                let fault = match violation.detail {
                    Detail::Character { offset, fault } => format!(" {:?}", (offset, fault.first_byte())),
                    _ => String::new(),
                };
                let line = format!("@{} {}{fault}", violation.offset.map_or(0, |offset| offset.0), violation.rule);
                from_header.push(line);
                continue;
            }
            Seen::Payload(..) => continue,
            Seen::Frame(frame) => {
                let FrameHeader { fin, rsv, opcode, masking_key, payload_len, .. } = frame.header;
                let first = u8::from(fin) << 7 | rsv.bits() << 4 | opcode.value();
                let masked = masking_key.is_some();
                format!("@{} frame {first:02x} masked {masked} len {payload_len}", frame.offset.0)
            }
            Seen::FrameEnd(end) => format!("@{} end", end.offset.0),
            Seen::Control(opcode, payload, ..) => format!("control {} {}", opcode.value(), hex(payload)),
            Seen::Close(close) => match &close.payload {
                ClosePayload::Empty => "close ".into(),
                ClosePayload::OneByte(byte) => format!("close {byte:02x}"),
                ClosePayload::Status { code, reason } => format!("close {:04x}{}", code.0, hex(reason.as_bytes())),
            },
            Seen::Message(message) => {
                let utf8 = match message.utf8 {
                    Utf8State::NotText => "not text".into(),
                    Utf8State::Valid => "valid".into(),
                    Utf8State::Unknown => "unknown".into(),
                    Utf8State::Invalid { offset, value, .. } => format!("{:?}", (offset, value)),
                };
                format!(
                    "message text {} compressed {} frames {} wire {} inflated {:?} utf8 {utf8}",
                    message.kind == MessageKind::Text,
                    message.compressed,
                    message.frames,
                    message.wire_len,
                    message.inflated_len,
                )
            }
            Seen::Unfinished(_) => "unfinished".into(),
            Seen::Resynchronised(_) => "resynchronised".into(),
        };
        // What payload and its end broke comes in a fixed order and has a place of its own.
        sort_header_rules(&mut from_header);
        lines.append(&mut from_header);
        lines.push(line);
    }
    sort_header_rules(&mut from_header);
    lines.append(&mut from_header);
    lines
}

fn sort_header_rules(lines: &mut [String]) {
    let headers =
        lines.iter().take_while(|line| !["utf8", "inflate", "close_code"].iter().any(|word| line.contains(word)));
    let count = headers.count();
    lines[..count].sort_unstable();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_the_stream_anywhere_changes_nothing(
        setup in setup(),
        steps in vec(any_step(), 0..8),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let stream = stream(setup, &steps);
        let whole = decode(setup, &stream, &[]);
        prop_assert_eq!(&decode(setup, &stream, &cuts), &whole);
        let everywhere: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(&decode(setup, &stream, &everywhere), &whole);
    }

    #[test]
    fn legal_streams_raise_nothing_and_keep_their_content(
        setup in setup(),
        steps in vec(legal_step(), 0..8),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let seen = decode(setup, &stream(setup, &steps), &cuts);
        let expected = steps.iter().filter_map(|step| match step {
            Step::Message { text, compress, content, .. } => Some((*text, *compress && setup.deflate.is_some(), content)),
            _ => None,
        });
        let messages: Vec<&Message> =
            seen.iter().filter_map(|seen| if let Seen::Message(message) = seen { Some(message) } else { None }).collect();
        prop_assert_eq!(messages.len(), expected.clone().count());
        for (message, (text, compress, content)) in messages.iter().zip(expected.clone()) {
            prop_assert_eq!(message.kind == MessageKind::Text, text);
            prop_assert_eq!(message.compressed, compress);
            prop_assert_eq!(message.content, Content::Whole);
            prop_assert_eq!(message.utf8, if text { Utf8State::Valid } else { Utf8State::NotText });
            let len = if compress { message.inflated_len } else { Some(message.wire_len) };
            prop_assert_eq!(len, Some(content.len() as u64));
        }
        let mut shown = Vec::new();
        for seen in &seen {
            match seen {
                Seen::Payload(_, 0, bytes) => shown.push(bytes.clone()),
                Seen::Payload(_, _, bytes) => shown.last_mut().expect("begun at 0").extend(bytes),
                Seen::Violation(violation) => prop_assert!(false, "{:?}", violation),
                _ => {}
            }
        }
        let starts: Vec<Vec<u8>> = expected
            .map(|(_, _, content)| content[..content.len().min(PAYLOAD_PEEK_LEN)].to_vec())
            .filter(|start| !start.is_empty())
            .collect();
        prop_assert_eq!(shown, starts);
    }

    #[test]
    fn a_simple_decoder_finds_the_same(
        setup in setup(),
        steps in vec(any_step(), 0..8),
        cuts in vec(any::<usize>(), 0..12),
        flipped in proptest::option::of((any::<Index>(), 0u8..8)),
        end in proptest::option::of(any::<Index>()),
    ) {
        let mut stream = stream(setup, &steps);
        if !stream.is_empty() && let Some((index, bit)) = flipped {
            let at = index.index(stream.len());
            stream[at] ^= 1 << bit;
        }
        if let Some(end) = end {
            stream.truncate(end.index(stream.len() + 1));
        }
        prop_assert_eq!(lines(&decode(setup, &stream, &cuts)), reference::decode(&simple(setup), &stream));
    }

    /// The packet of a violation is the first after which a decoder that has seen nothing else, and to which nothing
    /// more comes, finds it.
    #[test]
    fn a_violation_is_told_with_the_first_byte_that_shows_it(
        setup in setup(),
        steps in vec(any_step(), 0..5),
    ) {
        let mut stream = stream(setup, &steps);
        stream.truncate(300);
        let simple = simple(setup);
        let prefixes: Vec<Vec<String>> =
            (0..=stream.len()).map(|len| reference::decode(&simple, &stream[..len])).collect();
        let mut bench = Bench::new(setup.sender, setup.deflate);
        for byte in &stream {
            bench.push(&[*byte]);
        }
        bench.finish();
        for violation in bench.violations() {
            // The reference takes any window.
            if violation.rule == ViolationRule::WindowExceeded {
                continue;
            }
            let offset = violation.offset.expect("frames have a place").0;
            // Until it is clear that it is no HTTP, nothing is told.
            if b"HGPDO".contains(&stream[offset as usize]) {
                continue;
            }
            // Which of the two rules for lengths it is shows later than that it must be one of them.
            let rules = match violation.rule {
                ViolationRule::BadLengthEncoding | ViolationRule::ControlFrameTooLong => {
                    vec!["bad_length_encoding", "control_frame_too_long"]
                }
                rule => vec![rule.name()],
            };
            let shows = |lines: &Vec<String>| {
                let told = |rule: &&str| lines.iter().any(|line| line.starts_with(&format!("@{offset} {rule}")));
                rules.iter().any(told)
            };
            let first = prefixes.iter().position(shows).map(|len| packet(len as u64));
            prop_assert_eq!(Some(violation.at), first, "{:?}", violation);
        }
    }

    #[test]
    fn random_bytes_and_gaps_never_panic_and_leave_nothing_behind(
        setup in setup(),
        pieces in vec((vec(any::<u8>(), 0..300), proptest::option::weighted(0.1, proptest::option::of(0u64..50))), 0..20),
    ) {
        let mut bench = Bench::new(setup.sender, setup.deflate);
        bench.recorder.payload = false;
        for (bytes, gap) in &pieces {
            bench.push(bytes);
            if let Some(len) = gap {
                bench.gap(*len);
            }
        }
        bench.finish();
        prop_assert!(bench.scratch.spares.most_kept() <= Spares::MOST);
    }

    #[test]
    fn packets_are_named_right(setup in setup(), steps in vec(legal_step(), 0..5)) {
        let stream = stream(setup, &steps);
        let mut bench = Bench::new(setup.sender, setup.deflate);
        for byte in &stream {
            bench.push(&[*byte]);
        }
        // Byte n travels in packet n + 1.
        for seen in &bench.recorder.seen {
            if let Seen::Frame(frame) = seen {
                prop_assert_eq!(frame.first, packet(frame.offset.0 + 1));
            }
            if let Seen::FrameEnd(end) = seen {
                let after = end.offset.0 + u64::from(end.header.header_len) + end.header.payload_len;
                prop_assert_eq!((end.first, end.last), (packet(end.offset.0 + 1), packet(after)));
            }
            if let Seen::Message(message) = seen {
                prop_assert_eq!(message.first, packet(message.offset.0 + 1));
            }
        }
    }
}
