//! Makes the corpora from the captures under `fixtures/`: `seeds FOLDER`.
//!
//! Each seed is named by its content, so that a second run changes nothing. What fuzzing found stays.

use std::collections::HashSet;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};
use wsdissect::capture::{LinkType, Reader};
use wsdissect::http::{HeadReader, RequestReader, ResponseReader, Role, Step, looks_like_http};
use wsdissect::limits::Limits;
use wsdissect::packet::{Decoder, Segment};
use wsdissect::stream::{Chunk, End, Gap, PerEnd, StreamEnd, StreamSink};
use wsdissect::tcp::FlowTable;
use wsdissect::units::{Endpoint, StreamOffset};
use wsdissect_fuzz::ORIGIN;
use wsdissect_fuzz::input::{PacketInput, SegmentInput, StreamInput};

/// Larger files only slow the fuzzer down.
const MOST_FILE: usize = 16 << 10;

/// As much as the other targets take.
const MOST_INPUT: usize = 4 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("corpus"), PathBuf::from);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut corpus = Corpus { folder, written: HashSet::new() };
    for capture in captures(&fixtures)? {
        let bytes = fs::read(&capture)?;
        if bytes.len() <= MOST_FILE {
            corpus.add("capture_reader", &bytes)?;
            corpus.add("whole", &bytes)?;
        }
        from_capture(&bytes, &mut corpus)?;
    }
    for packets in unusual() {
        let mut input = LinkType::RAW.0.to_le_bytes().to_vec();
        for bytes in &packets {
            PacketInput { bytes, cut: 0, interface: 0, quarters: 0 }.write(&mut input);
        }
        corpus.add("packet_decode", &input)?;
    }
    println!("{} seeds", corpus.written.len());
    Ok(())
}

/// Every capture below a folder, in a fixed order.
fn captures(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(captures(&path)?);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("capture.")) {
            found.push(path);
        }
    }
    Ok(found)
}

struct Corpus {
    folder: PathBuf,
    written: HashSet<(&'static str, u64)>,
}

impl Corpus {
    fn add(&mut self, target: &'static str, input: &[u8]) -> std::io::Result<()> {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let name = hasher.finish();
        if !self.written.insert((target, name)) {
            return Ok(());
        }
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name:016x}")), input)
    }
}

/// Packets, segments and streams of one capture.
fn from_capture(bytes: &[u8], corpus: &mut Corpus) -> Result<(), Box<dyn Error>> {
    let Ok(mut reader) = Reader::open(bytes) else { return Ok(()) };
    let mut decoder = Decoder::new(&Limits::default());
    let mut table = FlowTable::new(&Limits::default());
    let mut packets: Option<(LinkType, Vec<u8>)> = None;
    let mut script = Script::default();
    while let Ok(Some(packet)) = reader.next_packet() {
        let (link, input) = packets.get_or_insert_with(|| (packet.link, packet.link.0.to_le_bytes().to_vec()));
        if *link == packet.link && input.len() + 7 + packet.bytes.len() <= MOST_INPUT {
            let cut = (packet.original_len as usize).saturating_sub(packet.bytes.len()).try_into().unwrap_or(u16::MAX);
            PacketInput { bytes: packet.bytes, cut, interface: packet.interface as u8, quarters: 0 }.write(input);
        }
        if let Ok(segment) = decoder.decode(&packet) {
            script.add(&segment);
            table.push(&segment, &mut (), |_| Streams::default());
        }
    }
    table.finish(&mut ());
    if let Some((_, input)) = packets {
        corpus.add("packet_decode", &input)?;
    }
    corpus.add("tcp", &script.input)?;
    while let Some(flow) = table.pop_finished() {
        let streams = flow.sink.bytes;
        let request_from = End::BOTH.into_iter().find(|end| looks_like_http(&streams[*end]) == Some(Role::Request));
        let Some(client) = request_from else { continue };
        stream(0, &streams[client], RequestReader::new(), corpus)?;
        stream(1, &streams[client.other()], ResponseReader::new(), corpus)?;
    }
    Ok(())
}

/// What no recorded capture holds: fragments, tunnels, and fragments in tunnels. Each is a list of IP packets.
fn unusual() -> Vec<Vec<Vec<u8>>> {
    let mut tcp = vec![0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0, 9, 0, 0, 0, 0];
    tcp.extend(b"GET / HTTP/1.1\r\n\r\n");
    let plain = ipv4(6, 0, &tcp);
    let udp = |port: u16, header: &[u8]| {
        let len = (8 + header.len() + plain.len()) as u16;
        let ports = [[0x30, 0x39], port.to_be_bytes(), len.to_be_bytes(), [0, 0]].concat();
        ipv4(17, 0, &[&ports[..], header, &plain].concat())
    };
    let ethernet = [&[2; 12][..], &[8, 0]].concat();
    let fragments = vec![ipv4(6, 0x2000, &tcp[..16]), ipv4(6, 2, &tcp[16..])];
    vec![
        fragments.clone(),
        fragments.iter().rev().cloned().collect(),
        fragments.iter().map(|fragment| ipv4(4, 0, fragment)).collect(),
        // IP in IP (RFC 2003), GRE (RFC 2784), VXLAN (RFC 7348), GENEVE (RFC 8926), GTP-U (3GPP TS 29.281).
        vec![ipv4(4, 0, &ipv4(4, 0, &plain))],
        vec![ipv4(47, 0, &[&[0, 0, 8, 0][..], &plain].concat())],
        vec![udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &ethernet].concat())],
        vec![udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 7, 0][..], &ethernet].concat())],
        vec![udp(2152, &[0x30, 0xff, 0, plain.len() as u8, 0, 0, 0, 7])],
    ]
}

/// An IPv4 packet (RFC 791 §3.1); `fragment` is the field with flags and offset.
fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = ((20 + payload.len()) as u16).to_be_bytes();
    let place = fragment.to_be_bytes();
    let header = [0x45, 0, len[0], len[1], 0, 7, place[0], place[1], 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&header[..], payload].concat()
}

/// One direction: its HTTP, and what follows the first head as WebSocket.
fn stream<H: wsdissect::http::Head>(
    side: u8,
    bytes: &[u8],
    mut reader: HeadReader<H>,
    corpus: &mut Corpus,
) -> std::io::Result<()> {
    let short = &bytes[..bytes.len().min(MOST_INPUT - 16)];
    corpus.add("http", &StreamInput::write(side, &[20, 100], short))?;
    if let (Step::Head(_), head) = reader.push(&Limits::default(), StreamOffset(0), ORIGIN, bytes)
        && let frames @ [_, ..] = &bytes[head..]
    {
        let frames = &frames[..frames.len().min(MOST_INPUT - 16)];
        for deflate in [0, 2] {
            corpus.add("websocket", &StreamInput::write(side | deflate, &[1, 5, 7], frames))?;
        }
    }
    Ok(())
}

/// The segments of a capture as a script. Each connection's numbers start where the script lets them start.
#[derive(Default)]
struct Script {
    input: Vec<u8>,
    connections: Vec<(Endpoint, Endpoint, PerEnd<Option<u32>>)>,
    last: Option<i64>,
}

impl Script {
    fn add(&mut self, segment: &Segment<'_>) {
        let known = self.connections.iter().position(|(a, b, _)| {
            (*a, *b) == (segment.source, segment.destination) || (*b, *a) == (segment.source, segment.destination)
        });
        let index = known.unwrap_or(self.connections.len());
        if index > 3 || self.input.len() >= MOST_INPUT {
            return;
        }
        if known.is_none() {
            self.connections.push((segment.source, segment.destination, PerEnd::default()));
        }
        let (a, _, next) = &mut self.connections[index];
        let from = if *a == segment.source { End::A } else { End::B };
        // The data of one segment of a script ends at 4095 bytes; what is longer leaves a hole.
        let len = segment.payload.len().min(4095) as u16;
        let relative = |to: Option<u32>, number: u32| to.map_or(0, |to| number.wrapping_sub(to) as i16);
        let nanos = segment.origin.time.map_or(0, |time| time.nanos());
        let delay = nanos.saturating_sub(self.last.replace(nanos).unwrap_or(nanos)) / 1_000_000;
        SegmentInput {
            place: index as u8 | if from == End::A { 0 } else { 4 },
            flags: segment.flags.0,
            seq: relative(next[from], segment.seq.0),
            seq_jump: 0,
            ack: segment.ack.map_or(0, |ack| relative(next[from.other()], ack.0)),
            len,
            cut: segment.payload_cut.min(255) as u8,
            window: (segment.window >> 8) as u8,
            delay: if delay < 128 { delay.max(0) as u8 } else { (delay / 500).min(127) as u8 | 0x80 },
            hop_limit: segment.hop_limit,
        }
        .write(&mut self.input);
        next[from] = Some(segment.seq.plus(segment.sequence_len()).0);
    }
}

/// Collects both directions of a connection up to the first hole.
#[derive(Default)]
struct Streams {
    bytes: PerEnd<Vec<u8>>,
    holes: PerEnd<bool>,
}

impl StreamSink for Streams {
    type Context = ();

    fn chunk(&mut self, (): &mut (), chunk: Chunk<'_>) {
        if !self.holes[chunk.from] {
            self.bytes[chunk.from].extend(chunk.bytes);
        }
    }

    fn gap(&mut self, (): &mut (), gap: Gap) {
        self.holes[gap.from] = true;
    }

    fn end(&mut self, (): &mut (), _: StreamEnd) {}
}
