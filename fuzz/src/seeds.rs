//! First inputs of every target, made from the captures under `fixtures/` and recorded TLS handshakes.

use super::ORIGIN;
use super::input::{PacketInput, SegmentInput, StreamInput, TlsInput};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};
use wsdissect::capture::{LinkType, Reader};
use wsdissect::http::{HeadReader, Heads, RequestReader, ResponseReader, Role, Step, looks_like_http};
use wsdissect::limits::Limits;
use wsdissect::packet::{Decoder, Segment};
use wsdissect::stream::{Chunk, End, Gap, PerEnd, StreamEnd, StreamSink};
use wsdissect::tcp::FlowTable;
use wsdissect::tls::looks_like_client_hello;
use wsdissect::units::{Endpoint, StreamOffset};

/// Larger files only slow the fuzzer down.
const MOST_FILE: usize = 16 << 10;

/// As much as the other targets take.
const MOST_INPUT: usize = 4 << 10;

/// Takes the name of a target and an input of it. An input may come more than once.
pub type Add<'a> = dyn FnMut(&'static str, &[u8]) -> io::Result<()> + 'a;

/// Makes the inputs from the project in the folder `root`, in the same order each time.
///
/// # Errors
///
/// What reading the captures fails with, and what `add` does.
pub fn each(root: &Path, add: &mut Add<'_>) -> Result<(), Box<dyn Error>> {
    for capture in captures(&root.join("fixtures"))? {
        let bytes = fs::read(&capture)?;
        if bytes.len() <= MOST_FILE {
            add("capture_reader", &bytes)?;
            add("whole", &bytes)?;
        }
        from_capture(&bytes, add)?;
    }
    for packets in unusual() {
        let mut input = LinkType::RAW.0.to_le_bytes().to_vec();
        for bytes in &packets {
            PacketInput { bytes, cut: 0, interface: 0, quarters: 0 }.write(&mut input);
        }
        add("packet_decode", &input)?;
    }
    for path in sorted(&root.join("src/tls/recorded"))? {
        add("tls", &recorded_tls(&fs::read_to_string(path)?))?;
    }
    Ok(())
}

/// A recorded handshake: lines of `c` or `s` and hexadecimal digits.
fn recorded_tls(text: &str) -> Vec<u8> {
    let mut input = Vec::new();
    for line in text.lines() {
        let Some((side, digits)) = line.split_once(' ') else { continue };
        let pairs = digits.as_bytes().chunks_exact(2);
        let bytes: Vec<u8> =
            pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        TlsInput::write(side == "s", &bytes, &mut input);
    }
    input.truncate(MOST_INPUT);
    input
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

/// Every capture below a folder, in a fixed order.
fn captures(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        if path.is_dir() {
            found.extend(captures(&path)?);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("capture.")) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Packets, segments and streams of one capture.
fn from_capture(bytes: &[u8], add: &mut Add<'_>) -> Result<(), Box<dyn Error>> {
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
        add("packet_decode", &input)?;
    }
    add("tcp", &script.input)?;
    while let Some(flow) = table.pop_finished() {
        let streams = flow.sink.bytes;
        if let Some(client) = End::BOTH.into_iter().find(|end| looks_like_client_hello(&streams[*end]) == Some(true)) {
            let mut input = Vec::new();
            TlsInput::write(false, &streams[client][..streams[client].len().min(MOST_INPUT / 2)], &mut input);
            let server = &streams[client.other()];
            TlsInput::write(true, &server[..server.len().min(MOST_INPUT / 2)], &mut input);
            add("tls", &input)?;
        }
        let request_from = End::BOTH.into_iter().find(|end| looks_like_http(&streams[*end]) == Some(Role::Request));
        let Some(client) = request_from else { continue };
        stream(0, &streams[client], RequestReader::new(), add)?;
        stream(1, &streams[client.other()], ResponseReader::new(), add)?;
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
    add: &mut Add<'_>,
) -> io::Result<()> {
    let short = &bytes[..bytes.len().min(MOST_INPUT - 16)];
    add("http", &StreamInput::write(side, &[20, 100], &[], short))?;
    if let (Step::Head(_), head) = reader.push(&mut Heads::default(), StreamOffset(0), ORIGIN, bytes)
        && let frames @ [_, ..] = &bytes[head..]
    {
        let frames = &frames[..frames.len().min(MOST_INPUT - 16)];
        // Joined late, and with a hole near the start.
        add("websocket", &StreamInput::write(side | 16, &[20, 60], &[], frames))?;
        add("websocket", &StreamInput::write(side, &[20, 60], &[(9, 30)], frames))?;
        for deflate in [0, 2] {
            add("websocket", &StreamInput::write(side | deflate, &[1, 5, 7], &[], frames))?;
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
