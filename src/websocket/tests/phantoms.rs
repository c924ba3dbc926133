//! No frame is told that was not sent, whatever payloads look like and wherever holes are: random conversations with
//! payloads made to deceive, arbitrary ranges lost, a fixed seed.

use super::rng::Rng;
use super::*;

/// What the messages of a stream are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bait {
    /// Text without any ruse.
    Words,
    /// Compressed data, as far as anybody can tell.
    Compressed,
    Random,
    Zeros,
    /// `81 05 hello` again and again.
    Hellos,
    /// `82 00` again and again.
    EmptyFrames,
    /// `88 02 03 e8` and other short Close frames, back to back.
    Closes,
    /// The frames of another WebSocket, as a tunnel carries them: clear ones.
    ClearTunnel,
    /// The same: masked ones.
    MaskedTunnel,
    /// Records of SSH or VNC: small numbers, lengths, random bytes.
    Records,
}

const BAITS: [Bait; 10] = [
    Bait::Words,
    Bait::Compressed,
    Bait::Random,
    Bait::Zeros,
    Bait::Hellos,
    Bait::EmptyFrames,
    Bait::Closes,
    Bait::ClearTunnel,
    Bait::MaskedTunnel,
    Bait::Records,
];

impl Bait {
    /// First byte and payload of a message.
    fn message(self, rng: &mut Rng) -> (u8, Vec<u8>) {
        let len = match rng.below(8) {
            0 => rng.below(3),
            1..5 => rng.below(200),
            5 | 6 => rng.below(3000),
            _ => rng.below(30_000),
        };
        let repeat =
            |unit: &[u8]| unit.iter().copied().cycle().take(len / unit.len() * unit.len()).collect::<Vec<u8>>();
        match self {
            Self::Words => (0x81, b"the price is 42, said he; ".iter().copied().cycle().take(len).collect()),
            Self::Compressed => (0xC1, rng.bytes(len)),
            Self::Random => (0x82, rng.bytes(len)),
            Self::Zeros => (0x82, vec![0; len]),
            Self::Hellos => (0x82, repeat(b"\x81\x05hello")),
            Self::EmptyFrames => (0x82, repeat(b"\x82\x00")),
            Self::Closes => (0x82, repeat(b"\x88\x02\x03\xe8\x89\x00\x88\x05\x03\xe9bye")),
            Self::ClearTunnel | Self::MaskedTunnel => (0x82, tunnelled(self, len, rng)),
            Self::Records => {
                let mut records = Vec::new();
                while records.len() < len {
                    let size = rng.below(40);
                    records.extend([0, 0, 0, size as u8, [20, 94, 0x80, 0x82][rng.below(4)]]);
                    records.extend(rng.bytes(size));
                }
                (0x82, records)
            }
        }
    }
}

/// Frames of another WebSocket, about `len` bytes, never cut.
fn tunnelled(bait: Bait, len: usize, rng: &mut Rng) -> Vec<u8> {
    let mut inner = Vec::new();
    let mut index = 0;
    while inner.len() < len {
        index += 1;
        let payload = format!("{{\"id\":{index},\"message\":\"tunnelled words {}\"}}", rng.next());
        let mut wire = Wire::new(0x81, payload.as_bytes());
        wire.key = (bait == Bait::MaskedTunnel).then(|| rng.key());
        inner.extend(wire.bytes());
    }
    inner
}

/// One side's stream and its true frames.
struct Stream {
    bytes: Vec<u8>,
    /// Offset, first byte, payload length, and offset behind it.
    frames: Vec<(u64, u8, u64, u64)>,
    /// Where segments end.
    cuts: Vec<usize>,
}

fn stream(rng: &mut Rng, sender: Side, bait: Bait) -> Stream {
    let mut stream = Stream { bytes: Vec::new(), frames: Vec::new(), cuts: Vec::new() };
    let mss = [200, 536, 1460][rng.below(3)];
    let together = 1 + rng.below(4);
    let count = 20 + rng.below(30);
    for index in 0..=count {
        let (first, payload) = if index == count {
            (0x88, [&1001u16.to_be_bytes()[..], b"going away"].concat())
        } else {
            match rng.below(12) {
                0 => (0x89, rng.bytes(4)),
                _ => bait.message(rng),
            }
        };
        let mut wire = Wire::new(first, &payload);
        wire.key = (sender == Side::Client).then(|| rng.key());
        let start = stream.bytes.len() as u64;
        stream.bytes.extend(wire.bytes());
        stream.frames.push((start, first, payload.len() as u64, stream.bytes.len() as u64));
        if index % together == 0 || index + 1 >= count {
            let mut written = stream.cuts.last().copied().unwrap_or(0);
            while written < stream.bytes.len() {
                written = (written + mss).min(stream.bytes.len());
                stream.cuts.push(written);
            }
        }
    }
    stream
}

/// What a run found.
#[derive(Default)]
struct Found {
    phantoms: Vec<String>,
    accusations: usize,
    /// Frames that begin behind the first hole and are captured whole, and those of them that were told.
    behind: [usize; 2],
    closes: [usize; 2],
}

impl Found {
    fn add(&mut self, other: Self) {
        self.phantoms.extend(other.phantoms);
        self.accusations += other.accusations;
        for index in 0..2 {
            self.behind[index] += other.behind[index];
            self.closes[index] += other.closes[index];
        }
    }

    fn print(&self, what: &str) {
        let share = |[whole, part]: [usize; 2]| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{what}: behind holes {:.1} % of {} frames, {:.1} % of {} Close frames; {} phantoms",
            share(self.behind),
            self.behind[0],
            share(self.closes),
            self.closes[0],
            self.phantoms.len()
        );
    }
}

/// Plays the stream with these ranges missing.
fn play(stream: &Stream, mut decoder: Decoder, holes: &[(usize, usize)], name: &str) -> Found {
    let mut missing = vec![false; stream.bytes.len()];
    for &(from, to) in holes {
        missing[from..to].fill(true);
    }
    let mut bench = Bench::new(Side::Client, None);
    std::mem::swap(&mut bench.decoder, &mut decoder);
    bench.recorder.payload = false;
    let mut start = 0;
    for &end in &stream.cuts {
        // A segment, or what is left of it between holes.
        while start < end {
            let lost = missing[start];
            let len = missing[start..end].iter().take_while(|missing| **missing == lost).count();
            bench.offset = start as u64;
            if lost {
                bench.gap(Some(len as u64));
            } else {
                bench.push(&stream.bytes[start..start + len]);
            }
            start += len;
        }
    }
    bench.finish();

    let mut found = Found { accusations: bench.violations().len(), ..Found::default() };
    let mut told = std::collections::HashSet::new();
    for event in &bench.recorder.seen {
        if let Seen::Frame(frame) = event {
            let FrameHeader { fin, rsv, opcode, payload_len, .. } = frame.header;
            let first = u8::from(fin) << 7 | rsv.bits() << 4 | opcode.value();
            let offset = frame.offset.0;
            told.insert(offset);
            let place = stream.frames.binary_search_by_key(&offset, |frame| frame.0);
            let sent =
                place.is_ok_and(|index| (stream.frames[index].1, stream.frames[index].2) == (first, payload_len));
            if !sent {
                found.phantoms.push(format!("{name}: {first:02x} of {payload_len} bytes at {offset}"));
            }
        }
    }
    // In a late capture all is behind what is missing.
    let first_hole = missing.iter().position(|missing| *missing).unwrap_or(0) as u64;
    for &(at, first, _, end) in &stream.frames {
        if at >= first_hole && missing[at as usize..end as usize].iter().all(|missing| !missing) {
            let hit = usize::from(told.contains(&at));
            found.behind = [found.behind[0] + 1, found.behind[1] + hit];
            if first == 0x88 {
                found.closes = [found.closes[0] + 1, found.closes[1] + hit];
            }
        }
    }
    found
}

/// Segments, or any ranges, one to three of them.
fn holes(rng: &mut Rng, stream: &Stream) -> Vec<(usize, usize)> {
    let count = 1 + rng.below(3);
    (0..count)
        .map(|_| {
            if rng.below(2) == 0 {
                let index = rng.below(stream.cuts.len());
                (if index == 0 { 0 } else { stream.cuts[index - 1] }, stream.cuts[index])
            } else {
                let from = rng.below(stream.bytes.len());
                (from, (from + 1 + rng.below(4000)).min(stream.bytes.len()))
            }
        })
        .collect()
}

/// Whether a message with tunnelled frames came whole before the first hole. Without it nothing tells the frames in a
/// tunnel from those around it.
fn shows_tunnel(stream: &Stream, holes: &[(usize, usize)]) -> bool {
    let first_hole = holes.iter().map(|hole| hole.0).min().unwrap_or(usize::MAX) as u64;
    stream.frames.iter().any(|&(_, first, len, end)| first == 0x82 && len > 0 && end <= first_hole)
}

/// Frames that the decoder of a stream with such payloads tells behind holes, all of which were sent.
#[test]
fn no_payload_behind_a_hole_is_taken_for_frames() {
    let mut all = Found::default();
    for bait in BAITS {
        for sender in Side::BOTH {
            let mut sum = Found::default();
            for seed in 0..40 {
                let mut rng = Rng(seed << 8 | bait as u64);
                let stream = stream(&mut rng, sender, bait);
                let holes = holes(&mut rng, &stream);
                if bait == Bait::ClearTunnel && sender == Side::Server && !shows_tunnel(&stream, &holes) {
                    continue;
                }
                let deflate = (bait == Bait::Compressed).then_some(NO_TAKEOVER);
                let decoder = Decoder::new(DecoderConfig { sender, deflate });
                sum.add(play(&stream, decoder, &holes, &format!("{bait:?} of {sender}, seed {seed}")));
            }
            sum.print(&format!("{bait:?} of {sender}"));
            all.add(sum);
        }
    }
    all.print("all");
    assert_eq!(all.phantoms, Vec::<String>::new());
    assert!(all.behind[1] * 100 >= all.behind[0] * 90 && all.closes[1] * 100 >= all.closes[0] * 97);
}

/// The same where the capture begins inside the stream.
#[test]
fn no_payload_of_a_late_capture_is_taken_for_frames() {
    let mut all = Found::default();
    for bait in BAITS {
        for sender in Side::BOTH {
            if bait == Bait::ClearTunnel && sender == Side::Server {
                // Nothing tells the frames in a tunnel from those around it when the capture begins inside it.
                continue;
            }
            let mut sum = Found::default();
            for seed in 0..40 {
                let mut rng = Rng(1 << 32 | seed << 8 | bait as u64);
                let stream = stream(&mut rng, sender, bait);
                let from = stream.cuts[rng.below(stream.cuts.len())];
                let decoder =
                    Decoder::joined_late(DecoderConfig { sender, deflate: None }, &Scratch::new(&Limits::default()));
                // The bytes before the capture are no gap of it.
                let late = Stream {
                    bytes: stream.bytes[from..].to_vec(),
                    frames: stream
                        .frames
                        .iter()
                        .filter(|frame| frame.0 >= from as u64)
                        .map(|&(at, first, len, end)| (at - from as u64, first, len, end - from as u64))
                        .collect(),
                    cuts: stream.cuts.iter().filter(|cut| **cut > from).map(|cut| cut - from).collect(),
                };
                sum.add(play(&late, decoder, &[], &format!("{bait:?} of {sender}, seed {seed}")));
            }
            sum.print(&format!("{bait:?} of {sender}, joined late"));
            all.add(sum);
        }
    }
    all.print("all");
    assert_eq!(all.phantoms, Vec::<String>::new());
}

/// A search costs so much for each byte and no more, whatever lies behind the hole, however it is cut and however many
/// holes there are: twice the bytes take about twice as long.
#[test]
fn a_search_takes_time_in_proportion_to_its_bytes() {
    /// Seconds that a decoder needs for so many bytes of a pattern, in segments of a size, with a hole every so many.
    fn seconds(pattern: &[u8], bytes: usize, segment: usize, hole_every: usize, sender: Side) -> f64 {
        let data: Vec<u8> = pattern.iter().copied().cycle().take(bytes).collect();
        let mut bench = Bench::new(sender, None);
        bench.recorder.payload = false;
        bench.gap(Some(1 << 40));
        let start = std::time::Instant::now();
        for (index, part) in data.chunks(segment).enumerate() {
            if index % hole_every == hole_every - 1 {
                bench.gap(Some(part.len() as u64));
            } else {
                bench.push(part);
            }
        }
        bench.finish();
        start.elapsed().as_secs_f64()
    }
    let noise = Rng(7).bytes(1 << 16);
    let patterns: [(&str, &[u8]); 8] = [
        ("zeros", &[0]),
        ("empty frames", &[0x82, 0]),
        ("frames with a fault", b"\x82\x05hello\x82\x05hello\x82\x05hello\x83"),
        ("long lengths", &[0x82, 0x7E, 0x7F, 0xFF]),
        ("masked", &[0x81, 0x81, 1, 2, 3, 4, 0x60]),
        ("first bytes", &[0x81]),
        ("text", b"GET some words "),
        ("noise", &noise),
    ];
    for (name, pattern) in patterns {
        for sender in Side::BOTH {
            for (segment, hole_every) in [(1460, 1 << 30), (1460, 2), (1, 1 << 30), (60_000, 3)] {
                let bytes = if segment == 1 { 4_000 } else { 30_000 };
                let once = seconds(pattern, bytes, segment, hole_every, sender);
                let many = seconds(pattern, 4 * bytes, segment, hole_every, sender);
                println!("{name} of {sender}, {segment} bytes each, hole every {hole_every}: {once:.3} s, {many:.3} s");
                // Four times the bytes; a search that is quadratic would take sixteen times as long.
                assert!(many < 10.0 * once + 0.5, "{name} of {sender}, {segment}: {once:.3} s, {many:.3} s");
            }
        }
    }
}
