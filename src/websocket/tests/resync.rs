//! Finding frames again: what must be found, and what must never be.

use super::rng::Rng;
use super::*;
use crate::stream::End;

impl Rng {
    fn words(&mut self, len: usize) -> Vec<u8> {
        const WORDS: [&str; 14] = [
            "hello",
            "price",
            "\"id\":",
            "größer",
            "{\"op\":\"tick\",\"p\":42}",
            "update",
            "消息",
            "状态:",
            "👍",
            "ok",
            "[1,2,3]",
            "naïve",
            "état",
            "null",
        ];
        let mut text = String::new();
        while text.len() < len {
            text.push_str(WORDS[self.below(WORDS.len())]);
            text.push(' ');
        }
        text.into_bytes()
    }

    /// The payload of a message as they are in the field.
    fn payload(&mut self, text: bool) -> Vec<u8> {
        let len = match self.below(10) {
            0 => self.below(4),
            1..7 => self.below(120),
            7 | 8 => self.below(3000),
            _ => self.below(20_000),
        };
        match (text, self.below(5)) {
            (true, _) => self.words(len),
            (false, 0) => vec![self.next() as u8 & 3; len],
            (false, 1) => (0..len).map(|i| if i % 4 == 3 { i as u8 } else { 0x82 }).collect(),
            (false, 2) => {
                // Records: a tag, a length, a value, as in CBOR, ASN.1 and their kin.
                let mut records = Vec::new();
                while records.len() < len {
                    let size = self.below(20);
                    records.extend([0x80 | self.below(16) as u8, size as u8]);
                    records.extend(self.words(size).into_iter().take(size));
                }
                records
            }
            _ => self.bytes(len),
        }
    }
}

/// One side's stream, cut into segments, and where its frames are.
struct Legal {
    bytes: Vec<u8>,
    /// Start, first byte and payload length of each frame.
    frames: Vec<(u64, u8, u64)>,
    /// Ends of segments.
    cuts: Vec<usize>,
}

fn legal(rng: &mut Rng, sender: Side, deflate: bool, messages: usize) -> Legal {
    let mut stream = Legal { bytes: Vec::new(), frames: Vec::new(), cuts: Vec::new() };
    // One frame for each write, several, or frames that pay no heed to segments.
    let style = rng.below(3);
    let mss = [536, 1448, 1460][rng.below(3)];
    let mut written = 0;
    let send = |rng: &mut Rng, stream: &mut Legal, first: u8, payload: &[u8]| {
        stream.frames.push((stream.bytes.len() as u64, first, payload.len() as u64));
        let mut wire = Wire::new(first, payload);
        if sender == Side::Client {
            wire.key = Some((rng.next() as u32).to_be_bytes());
        }
        stream.bytes.extend(wire.bytes());
    };
    for index in 0..messages {
        match rng.below(12) {
            0 => {
                let payload = rng.bytes(4);
                send(rng, &mut stream, 0x89, &payload);
            }
            1 => send(rng, &mut stream, 0x8A, b""),
            kind => {
                let text = kind < 9;
                let compressed = deflate && kind % 2 == 0;
                let payload = if compressed {
                    let len = rng.below(300);
                    rng.bytes(len)
                } else {
                    rng.payload(text)
                };
                let opcode = if text { 1 } else { 2 } | if compressed { 0x40 } else { 0 };
                if kind == 11 && payload.len() > 10 {
                    let third = payload.len() / 3;
                    send(rng, &mut stream, opcode, &payload[..third]);
                    send(rng, &mut stream, 0x00, &payload[third..2 * third]);
                    send(rng, &mut stream, 0x80, &payload[2 * third..]);
                } else {
                    send(rng, &mut stream, 0x80 | opcode, &payload);
                }
            }
        }
        if index + 1 == messages {
            let code = [1000u16, 1001, 1011, 4000][rng.below(4)];
            let reason: &[u8] = if rng.below(2) == 0 { b"" } else { b"bye" };
            send(rng, &mut stream, 0x88, &[&code.to_be_bytes()[..], reason].concat());
        }
        let flush = match style {
            0 => true,
            1 => rng.below(4) == 0,
            _ => stream.bytes.len() - written > mss,
        };
        if flush || index + 1 == messages {
            // The Close frame goes out alone more often than not.
            let end = stream.bytes.len();
            let close =
                stream.frames.last().filter(|frame| frame.1 == 0x88 && style == 0).map(|frame| frame.0 as usize);
            for end in close.into_iter().chain([end]) {
                while end - written > mss {
                    written += mss;
                    stream.cuts.push(written);
                }
                if end > written {
                    stream.cuts.push(end);
                    written = end;
                }
            }
        }
    }
    stream
}

/// What a lossy capture of `stream` gives: all that was told.
fn capture(stream: &Legal, decoder: Decoder, from: usize, mut lost: impl FnMut(usize) -> bool) -> Bench {
    let mut bench = Bench::new(Side::Client, None);
    bench.decoder = decoder;
    bench.recorder.payload = false;
    let mut start = 0;
    for (index, &end) in stream.cuts.iter().enumerate() {
        bench.offset = start as u64;
        if index >= from {
            if lost(index) {
                bench.gap(Some((end - start) as u64));
            } else {
                bench.push(&stream.bytes[start..end]);
            }
        }
        start = end;
    }
    bench.finish();
    bench
}

fn joined_late(sender: Side) -> Decoder {
    Decoder::joined_late(DecoderConfig { sender, deflate: None }, &Scratch::new(&Limits::default()))
}

#[derive(Default)]
struct Tally {
    frames: usize,
    captured: usize,
    phantoms: Vec<String>,
    closes: usize,
    closes_captured: usize,
    accusations: Vec<Violation>,
}

impl Tally {
    fn add(&mut self, stream: &Legal, bench: &Bench, from: usize, lost: &[bool]) {
        let mut start = 0;
        let mut seen = vec![false; stream.bytes.len()];
        for (index, &end) in stream.cuts.iter().enumerate() {
            seen[start..end].fill(index >= from && !lost.get(index).copied().unwrap_or(false));
            start = end;
        }
        let whole = |&(at, _, len): &(u64, u8, u64)| {
            let header = 2 + usize::from(len > 125) * 2 + 4;
            let end = (at as usize + header + len as usize).min(seen.len());
            seen[at as usize..end].iter().all(|seen| *seen)
        };
        self.captured += stream.frames.iter().filter(|frame| whole(frame)).count();
        for event in &bench.recorder.seen {
            if let Seen::Frame(frame) = event {
                let FrameHeader { fin, rsv, opcode, payload_len, .. } = frame.header;
                let first = u8::from(fin) << 7 | rsv.bits() << 4 | opcode.value();
                let told = (frame.offset.0, first, payload_len);
                if stream.frames.contains(&told) {
                    self.frames += usize::from(whole(&told));
                } else {
                    self.phantoms.push(format!("{told:x?}"));
                }
            }
        }
        let close = stream.frames.last().filter(|frame| frame.1 == 0x88 && whole(frame));
        self.closes_captured += usize::from(close.is_some());
        self.closes += usize::from(close.is_some() && !bench.closes().is_empty());
        self.accusations.extend(bench.violations());
    }

    fn print(&self, what: &str) {
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{what}: {:.2} % of {} frames, {:.2} % of {} Closes, {} phantoms",
            share(self.frames, self.captured),
            self.captured,
            share(self.closes, self.closes_captured),
            self.closes_captured,
            self.phantoms.len()
        );
    }
}

#[test]
fn lost_segments_never_make_a_frame_that_was_not_sent() {
    let mut all = Tally::default();
    for sender in Side::BOTH {
        for deflate in [false, true] {
            for (name, count) in [("one", 1), ("two", 2), ("many", 8)] {
                let mut tally = Tally::default();
                for seed in 0..100 {
                    let mut rng = Rng(seed);
                    let messages = 20 + rng.below(40);
                    let stream = legal(&mut rng, sender, deflate, messages);
                    let mut lost = vec![false; stream.cuts.len()];
                    for _ in 0..count {
                        lost[rng.below(stream.cuts.len())] = true;
                    }
                    let config = DecoderConfig { sender, deflate: deflate.then_some(NO_TAKEOVER) };
                    let bench = capture(&stream, Decoder::new(config), 0, |index| lost[index]);
                    tally.add(&stream, &bench, 0, &lost);
                }
                tally.print(&format!("{sender}, deflate {deflate}, {name} lost"));
                all.frames += tally.frames;
                all.captured += tally.captured;
                all.closes += tally.closes;
                all.closes_captured += tally.closes_captured;
                all.phantoms.extend(tally.phantoms);
            }
        }
    }
    all.print("all");
    assert_eq!(all.phantoms, Vec::<String>::new());
    assert!(all.frames * 100 >= all.captured * 93, "{} of {} frames", all.frames, all.captured);
    assert!(all.closes * 100 >= all.closes_captured * 94, "{} of {} Closes", all.closes, all.closes_captured);
}

#[test]
fn starting_anywhere_never_makes_a_frame_that_was_not_sent() {
    let mut all = Tally::default();
    for sender in Side::BOTH {
        for deflate in [false, true] {
            let mut tally = Tally::default();
            for seed in 0..300 {
                let mut rng = Rng(seed + 10_000);
                let messages = 10 + rng.below(40);
                let stream = legal(&mut rng, sender, deflate, messages);
                let from = rng.below(stream.cuts.len());
                let bench = capture(&stream, joined_late(sender), from, |_| false);
                tally.add(&stream, &bench, from, &[]);
            }
            tally.print(&format!("{sender}, deflate {deflate}, joined late"));
            all.frames += tally.frames;
            all.captured += tally.captured;
            all.closes += tally.closes;
            all.closes_captured += tally.closes_captured;
            all.phantoms.extend(tally.phantoms);
            all.accusations.extend(tally.accusations);
        }
    }
    all.print("all");
    assert_eq!(all.phantoms, Vec::<String>::new());
    assert_eq!(all.accusations, []);
    assert!(all.frames * 100 >= all.captured * 89, "{} of {} frames", all.frames, all.captured);
    assert!(all.closes * 100 >= all.closes_captured * 93, "{} of {} Closes", all.closes, all.closes_captured);
}

/// Streams of other protocols, begun anywhere and cut into segments.
fn foreign(rng: &mut Rng, kind: usize) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for _ in 0..3 + rng.below(4) {
        let len = 1 + rng.below(70);
        let bytes = match kind {
            0 => rng.bytes(len),
            1 => (0..len).map(|_| 0x20 + (rng.next() % 95) as u8).collect(),
            2 => rng.words(len),
            3 => {
                let body = rng.words(len);
                [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
            }
            4 => [&[0x17, 3, 3, (len >> 8) as u8, len as u8][..], &rng.bytes(len)].concat(),
            // MQTT: SUBSCRIBE, PUBLISH, PINGREQ.
            5 => {
                let topic = rng.words(3 + len % 30);
                match rng.below(5) {
                    0 => vec![0xC0, 0],
                    1 => [&[0x30, topic.len() as u8 + 2, 0, topic.len() as u8][..], &topic].concat(),
                    _ => [&[0x82, topic.len() as u8 + 5, 0, rng.next() as u8, 0, topic.len() as u8][..], &topic, &[0]]
                        .concat(),
                }
            }
            6 => format!("*2\r\n$3\r\nGET\r\n${len}\r\n{}\r\n", String::from_utf8_lossy(&rng.words(len))).into_bytes(),
            // PostgreSQL DataRow messages.
            7 => [&[b'D', 0, 0, (len >> 8) as u8, len as u8, 0, 1][..], &rng.bytes(len)].concat(),
            // A certificate's names.
            8 => {
                let mut names = Vec::new();
                while names.len() < len {
                    let size = 4 + rng.below(20);
                    let name = rng.words(size);
                    names.extend([[0x81, 0x82, 0x82, 0x82][rng.below(4)], name.len() as u8]);
                    names.extend(name);
                }
                names
            }
            // Runs and short periods.
            9 => {
                let period = 1 + rng.below(12);
                let pattern = rng.bytes(period);
                pattern.into_iter().cycle().take(len).collect()
            }
            10 => vec![[0, 1, 2, 0x80, 0x81, 0x82, 0x88][rng.below(7)]; len],
            // Small numbers, big-endian.
            _ => (0..len).flat_map(|_| [0, (rng.next() % 8) as u8]).collect(),
        };
        segments.push(bytes);
    }
    // A name in a segment of its own would be a frame.
    if kind != 8 && rng.below(2) == 0 {
        return segments;
    }
    let size = 1 + rng.below(120);
    segments.concat().chunks(size).map(<[u8]>::to_vec).collect()
}

#[test]
fn nothing_else_is_taken_for_websocket() {
    let mut taken = Vec::new();
    for seed in 0..100_000u64 {
        let mut rng = Rng(seed + 1_000_000);
        let kind = seed as usize % 12;
        let mut probe = Probe::default();
        let mut offsets = [0u64; 2];
        let mut verdicts = Vec::new();
        for (index, segment) in foreign(&mut rng, kind).iter().enumerate() {
            let (from, side) = if rng.below(2) == 0 { (End::A, 0) } else { (End::B, 1) };
            verdicts.push(probe.push(from, StreamOffset(offsets[side]), packet(index as u64 + 1), segment));
            offsets[side] += segment.len() as u64;
        }
        verdicts.extend(End::BOTH.map(|end| probe.finish(end)));
        if verdicts.iter().any(|verdict| matches!(verdict, ProbeVerdict::WebSocket { .. })) {
            taken.push((kind, seed));
        }
    }
    assert_eq!(taken, []);
}

/// A sequence number is an enemy's: a hole may claim any length, and a walk over it byte by byte would not end.
#[test]
fn a_hole_of_any_length_is_stepped_over_at_once() {
    struct Nothing;
    impl EventSink for Nothing {
        fn event(&mut self, event: Event<'_>) {
            panic!("nothing may be told of a hole: {event:?}");
        }
    }
    let origin = Origin { packet: PacketNumber::FIRST, time: None };
    let mut scratch = Scratch::new(&Limits::default());
    let mut decoder = Decoder::new(DecoderConfig { sender: Side::Client, deflate: None });
    let mut offset = StreamOffset(0);
    for _ in 0..64 {
        decoder.gap(&mut scratch, offset, Some(1 << 50), origin, &mut Nothing);
        offset = offset.plus(1 << 50);
        decoder.push(&mut scratch, offset, origin, &[0x20; 3], &mut Nothing);
        offset = offset.plus(3);
    }
    decoder.settle(&mut scratch, &mut Nothing);
}
