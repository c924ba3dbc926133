//! The examples of the RFCs, every rule with its near misses, and what is legal however odd.

use super::*;
use Content as C;
use ViolationRule as Rule;

fn server(bytes: &[u8]) -> Bench {
    decode(Side::Server, None, bytes)
}

fn decode(sender: Side, deflate: Option<Deflate>, bytes: &[u8]) -> Bench {
    let mut bench = Bench::new(sender, deflate);
    bench.push(bytes);
    bench
}

fn utf8_states(bench: &Bench) -> Vec<Utf8State> {
    bench.messages().iter().map(|message| message.utf8).collect()
}

// RFC 6455 §5.7

#[test]
fn single_frame_unmasked_text() {
    let bench = server(&[0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]);
    let header = FrameHeader::parse(&[0x81, 0x05]).expect("complete");
    let (offset, first, last, sender) = (StreamOffset(0), packet(1), packet(1), Side::Server);
    assert_eq!(
        bench.recorder.seen,
        [
            Seen::Frame(Frame { sender, header, offset, first }),
            Seen::Payload(MessageKind::Text, 0, b"Hello".to_vec()),
            Seen::FrameEnd(FrameEnd { sender, header, offset, first, last, payload_seen: 5 }),
            Seen::Message(Message {
                kind: MessageKind::Text,
                compressed: false,
                frames: 1,
                wire_len: 5,
                inflated_len: None,
                utf8: Utf8State::Valid,
                content: C::Whole,
                first,
                last,
                offset,
            }),
        ]
    );
}

#[test]
fn single_frame_masked_text() {
    let bytes = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    let bench = decode(Side::Client, None, &bytes);
    assert_eq!(bench.payloads(), [b"Hello"]);
    assert_eq!(utf8_states(&bench), [Utf8State::Valid]);
    assert_eq!(bench.rules(), []);
}

#[test]
fn fragmented_unmasked_text() {
    let mut bench = server(&[0x01, 0x03, 0x48, 0x65, 0x6C]);
    bench.push(&[0x80, 0x02, 0x6C, 0x6F]);
    assert_eq!(bench.payloads().concat(), b"Hello");
    let [message] = &bench.messages()[..] else { panic!("one message") };
    assert_eq!((message.frames, message.wire_len), (2, 5));
    assert_eq!((message.first, message.last), (packet(1), packet(2)));
    assert_eq!(bench.rules(), []);
}

#[test]
fn ping_and_masked_pong() {
    let ping = server(&[0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]);
    assert_eq!(ping.controls(), [(Opcode::Ping, b"Hello".to_vec())]);
    let pong = decode(Side::Client, None, &[0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
    assert_eq!(pong.controls(), [(Opcode::Pong, b"Hello".to_vec())]);
    assert_eq!((ping.rules(), pong.rules()), (vec![], vec![]));
}

#[test]
fn binary_with_16_and_64_bit_length() {
    for len in [256usize, 65_536] {
        let mut bytes =
            if len == 256 { vec![0x82, 0x7E, 0x01, 0x00] } else { vec![0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] };
        bytes.extend(vec![0xFF; len]);
        let bench = server(&bytes);
        let [message] = &bench.messages()[..] else { panic!("one message") };
        assert_eq!((message.kind, message.wire_len), (MessageKind::Binary, len as u64));
        assert_eq!(message.utf8, Utf8State::NotText);
        assert_eq!(bench.payloads(), [vec![0xFF; 256]]);
        assert_eq!(bench.rules(), []);
    }
}

// RFC 7692 §7.2.3

fn inflates_to_hello(deflate: Deflate, frames: &[Vec<u8>]) {
    let bench = decode(Side::Server, Some(deflate), &frames.concat());
    assert_eq!(bench.rules(), []);
    for message in bench.messages() {
        assert!(message.compressed);
        assert_eq!((message.inflated_len, message.utf8, message.content), (Some(5), Utf8State::Valid, C::Whole));
    }
    assert_eq!(bench.payloads().concat(), b"Hello".repeat(bench.messages().len()));
    assert!(!bench.messages().is_empty());
}

#[test]
fn one_compressed_block_whole_and_fragmented() {
    for deflate in [TAKEOVER, NO_TAKEOVER] {
        inflates_to_hello(deflate, &[frame(0xC1, &HELLO)]);
        inflates_to_hello(deflate, &[vec![0x41, 0x03, 0xF2, 0x48, 0xCD], vec![0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00]]);
    }
}

#[test]
fn shared_window_stored_block_final_block_and_two_blocks() {
    inflates_to_hello(TAKEOVER, &[frame(0xC1, &HELLO), frame(0xC1, &HELLO_AGAIN)]);
    let stored = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let two = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
    for deflate in [TAKEOVER, NO_TAKEOVER] {
        for block in [&stored[..], &last, &last[..7], &two] {
            inflates_to_hello(deflate, &[frame(0xC1, block), frame(0xC1, block), frame(0xC1, &HELLO)]);
        }
    }
}

#[test]
fn empty_compressed_messages() {
    // §7.2.3.6, and no byte at all: what zlib gives when asked to flush twice.
    for deflate in [TAKEOVER, NO_TAKEOVER] {
        let stream =
            [frame(0xC1, &HELLO), frame(0xC1, &[0x00]), frame(0xC1, &[]), frame(0xC1, &HELLO), frame(0xC2, &[])]
                .concat();
        let bench = decode(Side::Server, Some(deflate), &stream);
        let lens: Vec<_> = bench.messages().iter().map(|message| message.inflated_len).collect();
        assert_eq!(lens, [Some(5), Some(0), Some(0), Some(5), Some(0)]);
        assert_eq!(bench.rules(), []);
    }
}

#[test]
fn uncompressed_messages_between_compressed_ones() {
    let stream = [frame(0xC1, &HELLO), frame(0x81, b"plain"), frame(0x82, &[0xFF]), frame(0xC1, &HELLO_AGAIN)].concat();
    let bench = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(bench.payloads(), [&b"Hello"[..], b"plain", &[0xFF], b"Hello"]);
    assert_eq!(bench.rules(), []);
}

/// Three messages that refer to each other, compressed by zlib 1.2.13 (Python, `compressobj(level=9, wbits=-9)`): "κόσμε
/// grün", "grün κόσμε κόσμε" and, wrongly, "plain κ" with a surrogate.
#[test]
fn what_another_compressor_wrote() {
    let messages: [&[u8]; 3] = [
        &[
            0x3A, 0xB7, 0xEB, 0x7C, 0xCF, 0xF9, 0xE6, 0x73, 0x7B, 0xCE, 0x6D, 0x55, 0x48, 0x2F, 0x3A, 0xBC, 0x27, 0x0F,
            0x00,
        ],
        &[0x02, 0x13, 0x0A, 0xE7, 0x10, 0xA2, 0x08, 0x26, 0x00],
        &[0x2A, 0xC8, 0x49, 0xCC, 0x04, 0x49, 0xBD, 0x5D, 0xD0, 0x00, 0x00],
    ];
    let stream = messages.map(|payload| frame(0xC1, payload)).concat();
    let bench = decode(Side::Server, Some(Deflate { window_bits: 9, ..TAKEOVER }), &stream);
    assert_eq!(bench.payloads()[..2], ["κόσμε grün".as_bytes(), "grün κόσμε κόσμε".as_bytes()]);
    let lens: Vec<_> = bench.messages().iter().map(|message| message.inflated_len).collect();
    assert_eq!(lens, [Some(16), Some(27), Some(11)]);
    assert_eq!(bench.rules(), [Rule::InvalidUtf8Text]);
    assert_eq!(
        bench.violations()[0].detail,
        Detail::Character { offset: 8, fault: CharacterFault::Surrogate(0xED, 0xA0) }
    );
}

// Frame rules: the table of header rules is in `rules`; here they are met in a stream.

#[test]
fn a_header_is_judged_before_its_payload_comes() {
    let bench = server(&[0xB3, 0x7E, 0x01, 0x00]);
    assert_eq!(bench.rules(), [Rule::RsvNonzero, Rule::ReservedOpcode]);
    assert!(bench.violations().iter().all(|v| v.offset == Some(StreamOffset(0)) && v.at == packet(1)));
}

#[test]
fn a_violation_names_the_packet_that_completed_the_header() {
    let mut bench = Bench::new(Side::Client, None);
    bench.push(&masked_frame(0x81, b"ok")).push(&[0x82]).push(&[0x01, 0xAA]);
    let [violation] = &bench.violations()[..] else { panic!("one violation") };
    assert_eq!(violation.rule, Rule::UnmaskedClientFrame);
    assert_eq!((violation.at, violation.offset, violation.side), (packet(3), Some(StreamOffset(8)), Side::Client));
}

#[test]
fn framing_goes_on_after_each_violation() {
    let stream = [
        frame(0xF1, b"rsv"),
        frame(0x83, b"reserved"),
        masked_frame(0x81, b"masked"),
        Wire { form: LengthForm::Bits64, ..Wire::new(0x81, b"long form") }.bytes(),
        frame(0x80, b"nothing to continue"),
        frame(0x89, &[b'p'; 200]),
        frame(0x09, b"fragmented"),
        frame(0x81, b"fine"),
    ]
    .concat();
    let bench = server(&stream);
    assert_eq!(
        bench.rules(),
        [
            Rule::RsvNonzero,
            Rule::ReservedOpcode,
            Rule::MaskedServerFrame,
            Rule::BadLengthEncoding,
            Rule::UnexpectedContinuation,
            Rule::ControlFrameTooLong,
            Rule::ControlFrameFragmented
        ]
    );
    assert_eq!(bench.payloads(), [&b"masked"[..], b"long form", b"fine"]);
    assert_eq!(bench.controls(), [(Opcode::Ping, vec![b'p'; 125]), (Opcode::Ping, b"fragmented".to_vec())]);
    assert_eq!(bench.ends()[5].payload_seen, 200);
}

#[test]
fn a_length_with_the_top_bit_never_completes() {
    let mut bench = server(&[0x82, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    bench.push(&[0; 5000]).gap(Some(u64::MAX - 6000)).gap(Some(999)).finish();
    assert_eq!(bench.rules(), [Rule::BadLengthEncoding]);
    let Some(Seen::Unfinished(unfinished)) = bench.recorder.seen.last() else { panic!("unfinished") };
    assert_eq!(unfinished.frame.map(|frame| frame.payload_seen), Some(5000));
}

#[test]
fn a_new_message_replaces_an_unfinished_one() {
    let bench = server(&[frame(0x01, b"old\xC3"), frame(0x82, b"new"), frame(0x80, b"stray")].concat());
    assert_eq!(bench.rules(), [Rule::InterleavedDataFrame, Rule::UnexpectedContinuation]);
    let [message] = &bench.messages()[..] else { panic!("one message") };
    assert_eq!((message.kind, message.wire_len), (MessageKind::Binary, 3));
}

#[test]
fn rsv1_without_the_extension_is_no_reason_to_judge_the_payload() {
    let bench = server(&[frame(0xC1, &[0xFF, 0xFE]), frame(0xC2, &[0xFF]), frame(0x81, b"ok")].concat());
    assert_eq!(bench.rules(), [Rule::RsvNonzero, Rule::RsvNonzero]);
    assert_eq!(utf8_states(&bench), [Utf8State::Unknown, Utf8State::NotText, Utf8State::Valid]);
    assert_eq!(bench.messages()[0].content, C::UnknownExtension);
    assert!(!bench.messages()[0].compressed);
}

#[test]
fn rsv1_in_the_wrong_place_leaves_the_message_readable() {
    let stream = [frame(0x41, &HELLO[..3]), frame(0xC9, b"ping"), frame(0xC0, &HELLO[3..])].concat();
    let bench = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(bench.rules(), [Rule::Rsv1OnControl, Rule::Rsv1OnContinuation]);
    assert_eq!(bench.payloads().concat(), b"Hello");
    let plain = server(&stream);
    assert_eq!(plain.rules(), [Rule::RsvNonzero; 3]);
}

// Legal oddities

#[test]
fn legal_oddities_raise_nothing() {
    let stream = [
        frame(0x01, b""),
        frame(0x00, b""),
        frame(0x89, &[0xFF; 125]),
        frame(0x00, b"\xE2"),
        frame(0x8A, b""),
        frame(0x00, b""),
        frame(0x00, b"\x82"),
        frame(0x00, b"\xAC"),
        frame(0x80, b""),
        frame(0x81, b""),
        frame(0x82, b""),
        frame(0x81, b"\xEF\xBF\xBE\xEF\xBF\xBF"),
        frame(0x82, &[0x80; 126]),
        frame(0x82, &[0x80; 65_536]),
        frame(0x01, b"x"),
        // A Close may come in the middle of a message (RFC 6455 §5.4, §5.5).
        frame(0x88, b"\x03\xE8"),
    ]
    .concat();
    for deflate in [None, Some(TAKEOVER)] {
        for sender in Side::BOTH {
            let masked: Vec<u8>;
            let bytes = if sender == Side::Server {
                &stream
            } else {
                masked = remask(&stream);
                &masked
            };
            let bench = decode(sender, deflate, bytes);
            assert_eq!(bench.rules(), [], "{sender} {deflate:?}");
            assert_eq!(bench.messages().len(), 6);
            assert_eq!(bench.messages()[0].frames, 7);
            assert_eq!(bench.closes().len(), 1);
        }
    }
}

/// The frames of an unmasked stream as a client would send them.
fn remask(mut stream: &[u8]) -> Vec<u8> {
    let mut masked = Vec::new();
    while let Some(header) = FrameHeader::parse(stream) {
        let start = usize::from(header.header_len);
        let end = start + header.payload_len as usize;
        masked.extend(masked_frame(stream[0], &stream[start..end]));
        stream = &stream[end..];
    }
    masked
}

#[test]
fn a_compressed_message_in_many_fragments_with_pings_between() {
    let mut stream = Vec::new();
    for (i, byte) in HELLO.iter().enumerate() {
        let opcode = if i == 0 { 0x41 } else { 0x00 };
        stream.extend(frame(opcode, &[*byte]));
        stream.extend(frame(0x89, b"?"));
    }
    stream.extend(frame(0x80, b""));
    let bench = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(bench.rules(), []);
    assert_eq!(bench.messages()[0].frames, 8);
    assert_eq!(bench.messages()[0].inflated_len, Some(5));
}

// Text

#[test]
fn the_fault_is_told_once_with_its_packet() {
    let mut bench = Bench::new(Side::Server, None);
    // κόσμε and a surrogate, cut so that its second byte comes with the third packet, in a second frame.
    bench.push(&frame(0x01, b"\xCE\xBA\xE1\xBD\xB9")).push(&frame(0x00, b"\xCF\x83\xED"));
    bench.push(&frame(0x00, b"\xA0\x80")).push(&frame(0x80, b"\xFF"));
    let [violation] = &bench.violations()[..] else { panic!("one violation") };
    assert_eq!(violation.rule, Rule::InvalidUtf8Text);
    assert_eq!(violation.detail, Detail::Character { offset: 7, fault: CharacterFault::Surrogate(0xED, 0xA0) });
    assert_eq!((violation.at, violation.offset), (packet(3), Some(StreamOffset(12))));
    assert_eq!(utf8_states(&bench), [Utf8State::Invalid { offset: 7, value: Some(0xED), packet: packet(3) }]);
}

#[test]
fn a_fault_counts_even_if_the_message_never_ends() {
    let mut bench = server(&[0x81, 0x7E, 0x10, 0x00, b'a', 0xFF]);
    bench.finish();
    assert_eq!(bench.rules(), [Rule::InvalidUtf8Text]);
    assert_eq!(bench.messages(), []);
}

#[test]
fn a_text_must_not_end_inside_a_character() {
    let bench = server(&[frame(0x01, b"a\xE2\x82"), frame(0x80, b""), frame(0x01, b"\xE2\x82")].concat());
    assert_eq!(bench.rules(), [Rule::InvalidUtf8Text]);
    assert_eq!(bench.violations()[0].detail, Detail::Character { offset: 1, fault: CharacterFault::Cut });
    assert_eq!(utf8_states(&bench), [Utf8State::Invalid { offset: 1, value: None, packet: packet(1) }]);
}

#[test]
fn offsets_of_faults_count_inflated_bytes() {
    let mut deflater = flate2::Compress::new(flate2::Compression::default(), false);
    let text = [&[b'a'; 1000][..], b"\xFFb"].concat();
    let mut compressed = Vec::with_capacity(4096);
    deflater.compress_vec(&text, &mut compressed, flate2::FlushCompress::Sync).expect("room");
    compressed.truncate(compressed.len() - 4);
    let bench = decode(Side::Server, Some(TAKEOVER), &frame(0xC1, &compressed));
    assert_eq!(bench.rules(), [Rule::InvalidUtf8Text]);
    assert_eq!(utf8_states(&bench), [Utf8State::Invalid { offset: 1000, value: Some(0xFF), packet: packet(1) }]);
    assert_eq!(bench.messages()[0].inflated_len, Some(1002));
    // The same bytes are fine in a binary message.
    assert_eq!(decode(Side::Server, Some(TAKEOVER), &frame(0xC2, &compressed)).rules(), []);
}

// Compression

#[test]
fn a_failure_to_inflate_is_told_once_and_explains_what_follows() {
    let broken = [0x06, 0x00];
    let stream = [frame(0xC1, &HELLO), frame(0x41, &broken), frame(0x80, &HELLO), frame(0xC1, &HELLO)].concat();
    let kept = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(kept.rules(), [Rule::InflateFailed]);
    let contents: Vec<_> = kept.messages().iter().map(|message| message.content).collect();
    assert_eq!(contents, [C::Whole, C::InflateFailed, C::ContextLost]);
    assert_eq!(utf8_states(&kept), [Utf8State::Valid, Utf8State::Unknown, Utf8State::Unknown]);

    let fresh = decode(Side::Server, Some(NO_TAKEOVER), &stream);
    assert_eq!(fresh.rules(), [Rule::InflateFailed]);
    assert_eq!(fresh.messages()[2].inflated_len, Some(5));
}

#[test]
fn a_reference_before_the_first_message_fails() {
    let bench = decode(Side::Server, Some(TAKEOVER), &frame(0xC1, &HELLO_AGAIN));
    assert_eq!(bench.rules(), [Rule::InflateFailed]);
    // Unless we know that we came late.
    let mut late = Bench::new(Side::Server, Some(TAKEOVER));
    late.decoder.lose_context();
    late.push(&[frame(0xC1, &HELLO_AGAIN), frame(0xC1, &HELLO), frame(0xC1, &HELLO_AGAIN)].concat());
    assert_eq!(late.rules(), []);
    let contents: Vec<_> = late.messages().iter().map(|message| (message.content, message.inflated_len)).collect();
    assert_eq!(contents, [(C::ContextLost, Some(5)), (C::Whole, Some(5)), (C::Whole, Some(5))]);
    assert_eq!(utf8_states(&late), [Utf8State::Unknown, Utf8State::Valid, Utf8State::Valid]);
}

#[test]
fn giving_up_a_compressed_message_costs_the_context() {
    let stream = [frame(0x41, &HELLO[..3]), frame(0xC1, &HELLO_AGAIN), frame(0x81, b"plain")].concat();
    let kept = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(kept.rules(), [Rule::InterleavedDataFrame]);
    assert_eq!(utf8_states(&kept), [Utf8State::Unknown, Utf8State::Valid]);
    // Where every message starts afresh, there is no context to lose and the reference is a fault.
    let fresh = decode(Side::Server, Some(NO_TAKEOVER), &stream);
    assert_eq!(fresh.rules(), [Rule::InterleavedDataFrame, Rule::InflateFailed]);
}

#[test]
fn inflating_stops_at_the_limit_and_framing_goes_on() {
    let limits = Limits { inflated_message_bytes: 4, ..Limits::default() };
    for deflate in [TAKEOVER, NO_TAKEOVER] {
        let mut bench = Bench::with_limits(Side::Server, Some(deflate), &limits);
        bench.push(&[frame(0xC1, &HELLO), frame(0xC1, &[0x00]), frame(0x81, b"not limited")].concat());
        let contents: Vec<_> = bench.messages().iter().map(|message| message.content).collect();
        assert_eq!(contents, [C::Limit, C::Whole, C::Whole]);
        assert_eq!(bench.messages()[0].inflated_len, Some(4));
        assert_eq!(bench.scratch.inflate_limit_hits(), 1);
        assert_eq!(bench.rules(), []);
    }
}

/// A text in which 600 bytes are repeated, compressed with a window of 15 bits.
fn far_repetition() -> Vec<u8> {
    let noise: String = (1u32..=600).map(|i| char::from(((i.wrapping_mul(i) * 7919) >> 11) as u8 & 0x7F)).collect();
    let mut deflater = flate2::Compress::new(flate2::Compression::default(), false);
    let mut compressed = Vec::with_capacity(4096);
    let text = [noise.as_bytes(), noise.as_bytes(), b"\xFF"].concat();
    deflater.compress_vec(&text, &mut compressed, flate2::FlushCompress::Sync).expect("room");
    compressed.truncate(compressed.len() - 4);
    compressed
}

#[test]
fn a_window_that_is_exceeded_is_told_in_its_place_wherever_the_stream_is_cut() {
    let stream = [frame(0xC1, &far_repetition()), frame(0x81, b"next")].concat();
    for window_bits in 9..=15 {
        let deflate = Some(Deflate { no_context_takeover: false, window_bits });
        let whole = decode(Side::Server, deflate, &stream);
        let expected: &[Rule] =
            if window_bits < 10 { &[Rule::WindowExceeded, Rule::InvalidUtf8Text] } else { &[Rule::InvalidUtf8Text] };
        assert_eq!(whole.rules(), expected, "{window_bits} bits");
        assert_eq!(whole.messages()[0].inflated_len, Some(1201), "the message is read all the same");
        for len in [1, 2, 7, 100] {
            let mut bench = Bench::new(Side::Server, deflate);
            for piece in stream.chunks(len) {
                bench.packets = 0;
                bench.push(piece);
            }
            assert_eq!(bench.recorder.seen, whole.recorder.seen, "{window_bits} bits, pieces of {len}");
        }
    }
}

#[test]
fn a_window_is_not_judged_beyond_the_limit_or_by_a_guess() {
    let stream = frame(0xC1, &far_repetition());
    let deflate = Some(Deflate { no_context_takeover: true, window_bits: 9 });
    for (inflated_message_bytes, expected) in [(590, &[][..]), (1100, &[Rule::WindowExceeded])] {
        let limits = Limits { inflated_message_bytes, ..Limits::default() };
        for len in [1, stream.len()] {
            let mut bench = Bench::with_limits(Side::Server, deflate, &limits);
            for piece in stream.chunks(len) {
                bench.push(piece);
            }
            assert_eq!(bench.rules(), expected, "at most {inflated_message_bytes} bytes, pieces of {len}");
            assert_eq!(bench.messages()[0].content, C::Limit);
        }
    }
    let mut guessing = Bench::new(Side::Server, None);
    guessing.decoder = Decoder::after_unseen_handshake(Side::Server);
    assert_eq!(guessing.push(&stream).rules(), []);
}

// Close

#[test]
fn close_payloads_are_judged() {
    for (payload, expected) in [
        (&b""[..], None),
        (b"\x03\xE8", None),
        (b"\x0F\xA0bye", None),
        (b"\x03\xE8gr\xC3\xBCn", None),
        (b"\x03", Some((Rule::ClosePayloadOneByte, Detail::None))),
        (b"\x03\xED", Some((Rule::CloseCodeInvalid, Detail::Code(1005)))),
        (b"\x03\xE7", Some((Rule::CloseCodeInvalid, Detail::Code(999)))),
        (b"\x13\x88", Some((Rule::CloseCodeInvalid, Detail::Code(5000)))),
        (
            b"\x03\xE8ab\xFF",
            Some((Rule::InvalidUtf8CloseReason, Detail::Character { offset: 2, fault: CharacterFault::Unused(0xFF) })),
        ),
        (
            b"\x03\xE8ab\xC3",
            Some((Rule::InvalidUtf8CloseReason, Detail::Character { offset: 2, fault: CharacterFault::Cut })),
        ),
    ] {
        let bench = server(&frame(0x88, payload));
        let found: Vec<_> = bench.violations().into_iter().map(|v| (v.rule, v.detail)).collect();
        assert_eq!(found, Vec::from_iter(expected), "{payload:02x?}");
        assert_eq!(bench.closes()[0].payload, ClosePayload::parse(payload));
    }
}

#[test]
fn an_over_long_close_is_cut_and_not_blamed_for_the_cut() {
    // 123 bytes of reason are kept: 61 two-byte characters and half of the next.
    let payload = [b"\x03\xE8", "ü".repeat(100).as_bytes()].concat();
    let bench = server(&frame(0x88, &payload));
    assert_eq!(bench.rules(), [Rule::ControlFrameTooLong]);
    let closes = bench.closes();
    assert_eq!(closes[0].payload.reason().map(|reason| reason.as_bytes().len()), Some(123));
}

#[test]
fn a_close_says_where_it_was() {
    let mut bench = server(&frame(0x81, b"hi"));
    let close = frame(0x88, b"\x03\xE9away");
    bench.push(&close[..3]).push(&close[3..]);
    assert_eq!(
        bench.closes(),
        [CloseFrame {
            payload: ClosePayload::Status { code: CloseCode(1001), reason: CloseReason::new(b"away") },
            first: packet(2),
            last: packet(3),
            offset: StreamOffset(4),
        }]
    );
}

#[test]
fn frames_after_close_are_one_violation_and_a_count() {
    let mut bench = server(&[frame(0x88, b""), frame(0x81, b"late")].concat());
    bench.push(&frame(0x82, b"")).push(&frame(0x89, b""));
    assert_eq!(bench.rules(), [Rule::DataAfterClose]);
    assert_eq!(bench.violations()[0].offset, Some(StreamOffset(2)));
    assert_eq!(bench.decoder.frames_after_close(), 2);
    assert_eq!(bench.messages().len(), 2);
    // Control frames may come until the connection is closed (RFC 6455 §5.5.2).
    let bench = server(&[frame(0x88, b""), frame(0x89, b"ping"), frame(0x8A, b"pong"), frame(0x88, b"")].concat());
    assert_eq!((bench.rules(), bench.decoder.frames_after_close()), (vec![], 0));
    assert_eq!(server(&frame(0x88, b"")).decoder.frames_after_close(), 0);
}

#[test]
fn http_in_the_stream_is_recognised_wherever_it_is_cut() {
    let stream = [frame(0x81, b"hi"), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()].concat();
    for cut in 0..=stream.len() {
        let mut bench = server(&stream[..cut]);
        bench.push(&stream[cut..]).finish();
        assert_eq!(bench.rules(), [Rule::HttpInWebsocket], "cut at {cut}");
        assert_eq!(bench.violations()[0].offset, Some(StreamOffset(4)));
        assert!(matches!(bench.decoder.status(), DecoderStatus::Foreign { since: StreamOffset(4), .. }));
        assert!(matches!(bench.recorder.seen.last(), Some(Seen::Violation(_))), "silent afterwards");
    }
    let after_close = server(&[frame(0x88, b""), b"HTTP/1.1 200".to_vec()].concat());
    assert_eq!(after_close.rules(), [Rule::HttpInWebsocket]);
}

#[test]
fn http_that_is_cut_off_is_known_by_four_bytes() {
    for (stream, expected) in [
        (&b"HTTP"[..], vec![Rule::HttpInWebsocket]),
        (b"GET ", vec![Rule::HttpInWebsocket]),
        // So short, it may as well be a frame, and as such it breaks these.
        (b"HT", vec![Rule::RsvNonzero, Rule::ControlFrameFragmented]),
        (b"PUT", vec![Rule::RsvNonzero, Rule::UnexpectedContinuation]),
    ] {
        let mut ended = server(stream);
        assert_eq!(ended.rules(), [], "{stream:?}: more may come");
        assert_eq!(ended.finish().rules(), expected, "{stream:?}");
        let mut before_hole = server(stream);
        assert_eq!(before_hole.gap(Some(100)).rules(), expected, "{stream:?} before a hole");
    }
}

#[test]
fn a_header_that_is_cut_off_is_judged_by_what_came() {
    for (header, expected) in [
        (&[0x83][..], vec![Rule::ReservedOpcode]),
        (&[0x81, 0x80], vec![Rule::MaskedServerFrame]),
        (&[0x89, 0x7E], vec![Rule::ControlFrameTooLong]),
        // Too long or in too long a form: the last byte would have told.
        (&[0x89, 0x7E, 0], vec![Rule::ControlFrameTooLong]),
        (&[0x89, 0x7E, 0, 5], vec![Rule::BadLengthEncoding]),
        (&[0x82, 0x7F, 0x80], vec![Rule::BadLengthEncoding]),
        (&[0x82, 0x7E, 0], vec![]),
        (&[0x81], vec![]),
    ] {
        let mut bench = Bench::new(Side::Server, None);
        for byte in header {
            bench.push(&[*byte]);
        }
        assert_eq!(bench.finish().rules(), expected, "{header:02x?}");
        let mut before_hole = server(header);
        assert_eq!(before_hole.gap(Some(100)).rules(), expected, "{header:02x?} before a hole");
    }
    // The packet is the one that left no way out, not the one that tells which rule it is.
    let mut bench = Bench::new(Side::Server, None);
    bench.push(&[0x89]).push(&[0x7E]).push(&[0]).push(&[5]);
    assert_eq!((bench.rules(), bench.violations()[0].at), (vec![Rule::BadLengthEncoding], packet(2)));
}

#[test]
fn what_only_begins_like_http_is_a_frame() {
    let stream = [b"HTTP/2".to_vec(), vec![b'x'; 80], frame(0x89, b"ok")].concat();
    for cut in 0..=8 {
        let mut bench = server(&stream[..cut]);
        bench.push(&stream[cut..]);
        assert_eq!(bench.rules(), [Rule::RsvNonzero, Rule::ControlFrameFragmented, Rule::CloseCodeInvalid]);
        assert_eq!(bench.violations()[2].detail, Detail::Code(u16::from_be_bytes(*b"TP")));
        assert_eq!(bench.controls(), [(Opcode::Ping, b"ok".to_vec())]);
    }
    // In a payload it is just payload.
    assert_eq!(server(&frame(0x81, b"HTTP/1.1 200 OK")).rules(), []);
}

// Missing bytes

#[test]
fn a_gap_inside_a_payload_is_passed_over() {
    let stream = [frame(0x81, b"0123456789"), frame(0x81, b"next")].concat();
    let mut bench = server(&stream[..5]);
    bench.gap(Some(4)).push(&stream[9..]);
    let messages = bench.messages();
    assert_eq!((messages[0].content, messages[0].utf8, messages[0].wire_len), (C::Gap, Utf8State::Unknown, 10));
    assert_eq!(messages[1].utf8, Utf8State::Valid);
    assert_eq!(bench.ends()[0].payload_seen, 6);
    assert_eq!(bench.rules(), []);
}

#[test]
fn a_gap_may_end_a_frame_exactly() {
    let mut bench = server(&[0x81, 0x03, b'a']);
    bench.gap(Some(2)).push(&frame(0x88, b""));
    assert_eq!(bench.messages()[0].last, packet(2));
    assert_eq!(bench.closes().len(), 1);
    assert_eq!(bench.decoder.status(), DecoderStatus::Decoding);
}

#[test]
fn a_gap_that_hides_a_header_silences_the_decoder() {
    for (before, len) in [
        (&[0x81, 0x03, b'a'][..], Some(3)),
        (&[0x81, 0x03, b'a'], None),
        (&[0x81], Some(1)),
        (&[], Some(2)),
        (&[0x81, 0x01, b'a'], Some(2)),
    ] {
        let mut bench = server(before);
        let told = bench.recorder.seen.len();
        bench.gap(len).push(&frame(0xFF, b"")).gap(Some(1)).finish();
        assert_eq!(bench.recorder.seen.len(), told, "{before:02x?} {len:?}");
        let (since, at) = (StreamOffset(before.len() as u64), packet(2));
        assert_eq!(bench.decoder.status(), DecoderStatus::Lost { since, at });
        assert_eq!((bench.decoder.open_frame(), bench.decoder.open_message()), (None, None));
    }
    let mut empty = server(&[]);
    assert_eq!(empty.gap(Some(0)).decoder.status(), DecoderStatus::Decoding);
}

#[test]
fn a_gap_in_a_compressed_message_costs_the_context() {
    let mut kept = Bench::new(Side::Server, Some(TAKEOVER));
    kept.push(&frame(0xC1, &HELLO)[..4]).gap(Some(5)).push(&frame(0xC1, &HELLO_AGAIN)).push(&frame(0xC1, &HELLO));
    let contents: Vec<_> = kept.messages().iter().map(|message| (message.content, message.inflated_len)).collect();
    assert_eq!(contents, [(C::Gap, None), (C::ContextLost, Some(5)), (C::Whole, Some(5))]);
    assert_eq!(utf8_states(&kept), [Utf8State::Unknown, Utf8State::Unknown, Utf8State::Valid]);
    assert_eq!(kept.rules(), []);

    let mut fresh = Bench::new(Side::Server, Some(NO_TAKEOVER));
    fresh.push(&frame(0xC1, &HELLO)[..4]).gap(Some(5)).push(&frame(0xC1, &HELLO));
    assert_eq!(utf8_states(&fresh), [Utf8State::Unknown, Utf8State::Valid]);
}

#[test]
fn a_final_block_makes_earlier_data_unknown_and_nobody_guilty() {
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let stream = [frame(0xC1, &last), frame(0xC1, &HELLO_AGAIN), frame(0xC2, &HELLO_AGAIN)].concat();
    let bench = decode(Side::Server, Some(TAKEOVER), &stream);
    assert_eq!(bench.rules(), []);
    assert_eq!(utf8_states(&bench), [Utf8State::Valid, Utf8State::Unknown, Utf8State::NotText]);
    // What is no DEFLATE data at all is still a fault.
    let stream = [frame(0xC1, &last), frame(0xC1, &[0x06, 0x00])].concat();
    assert_eq!(decode(Side::Server, Some(TAKEOVER), &stream).rules(), [Rule::InflateFailed]);
}

#[test]
fn a_control_frame_with_a_gap_is_framed_but_not_read() {
    let mut bench = server(&[0x89, 0x04, b'a']);
    bench.gap(Some(2)).push(b"d").push(&[0x88, 0x02, 0x03]).gap(Some(1)).push(&frame(0x81, b"late"));
    assert_eq!(bench.controls(), []);
    assert_eq!(bench.closes(), []);
    assert_eq!(bench.ends().len(), 3);
    // That it was a Close frame is certain all the same.
    assert_eq!(bench.rules(), [Rule::DataAfterClose]);
}

// The end

#[test]
fn what_is_unfinished_is_told() {
    let none = |bytes: &[u8]| {
        let mut bench = server(bytes);
        bench.finish();
        bench.pick(|seen| if let Seen::Unfinished(unfinished) = seen { Some(unfinished.clone()) } else { None })
    };
    assert_eq!(none(&frame(0x81, b"done")), []);
    let header = none(&[0x81, 0x7E, 0x01]);
    assert_eq!(header[0].frame.map(|frame| (frame.header, frame.payload_seen)), Some((None, 0)));
    assert_eq!(header[0].message, None);
    let payload = none(&[frame(0x01, b"ab"), vec![0x80, 0x05, b'c']].concat());
    assert_eq!(payload[0].frame.map(|frame| (frame.offset, frame.payload_seen)), Some((StreamOffset(4), 1)));
    assert_eq!(payload[0].message.map(|message| (message.frames, message.wire_len)), Some((2, 3)));
    let between = none(&[frame(0x01, b"ab"), frame(0x89, b"")].concat());
    assert_eq!(between[0].frame, None);
    assert_eq!(between[0].message.map(|message| message.offset), Some(StreamOffset(0)));
}

#[test]
fn a_decoder_at_rest_is_small() {
    // Two of them and their connection should fit into a kilobyte. The inflater of a side that compresses with context
    // takeover comes on top, from its first compressed message on.
    assert!(size_of::<Decoder>() <= 48, "{} bytes", size_of::<Decoder>());
}
