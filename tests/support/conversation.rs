//! Two TCP ends that talk: every call becomes segments with right numbers, at a clock that only moves when told.

use super::frames::{self, Deflater, Frame, Masking, opcode, rsv};
use super::net::{Content, Packet, Segment, flags};
use super::rng::Rng;
use std::net::SocketAddr;

/// The two ends. The support code has its own so that it depends on nothing it helps to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    /// The peer.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// When the receiving end answers with a bare ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// After every write, however many segments it took. The default.
    PerWrite,
    /// After every segment.
    PerSegment,
    /// Never; data segments still acknowledge what came before.
    Never,
}

/// One end of the conversation.
#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    next_seq: u32,
    window: u16,
    hop_limit: u8,
    identification: u16,
    mss: usize,
    held: Option<Vec<u8>>,
    deflater: Option<Deflater>,
}

impl Peer {
    fn new(address: SocketAddr, isn: u32) -> Self {
        let mss = if address.is_ipv4() { 1460 } else { 1440 };
        let (window, hop_limit) = (64240, 64);
        Self { address, next_seq: isn, window, hop_limit, identification: 1, mss, held: None, deflater: None }
    }
}

/// An opening handshake (RFC 6455 §4). `Upgrade::default()` is a plain one to `/`.
#[derive(Debug, Clone)]
pub struct Upgrade {
    pub path: String,
    pub host: String,
    /// `Sec-WebSocket-Key`; `None` for a fresh one.
    pub key: Option<String>,
    /// `Sec-WebSocket-Accept`; `None` for the right one.
    pub accept: Option<String>,
    pub extensions_offered: Option<String>,
    /// The server's answer; a `permessage-deflate` here compresses the text and binary messages that follow.
    pub extensions: Option<String>,
    pub subprotocols_offered: Option<String>,
    pub subprotocol: Option<String>,
    /// Header lines added to the request, as `Name: value`.
    pub request_headers: Vec<String>,
    /// Header lines added to the response.
    pub response_headers: Vec<String>,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self {
            path: "/".into(),
            host: "example.test".into(),
            key: None,
            accept: None,
            extensions_offered: None,
            extensions: None,
            subprotocols_offered: None,
            subprotocol: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
        }
    }
}

impl Upgrade {
    /// A handshake where the server accepts what the client offers: `permessage-deflate` with these parameters
    /// (`"; server_no_context_takeover"`, or `""`).
    pub fn deflate(parameters: &str) -> Self {
        let extension = Some(format!("permessage-deflate{parameters}"));
        Self { extensions_offered: extension.clone(), extensions: extension, ..Self::default() }
    }
}

/// A TCP connection being written, one packet after the other.
#[derive(Debug)]
pub struct Conversation {
    client: Peer,
    server: Peer,
    /// The time of the next packet, in nanoseconds since the Unix epoch.
    now: i64,
    /// Nanoseconds between one packet and the next.
    step: i64,
    acks: Acks,
    timestamps: bool,
    rng: Rng,
    packets: Vec<Packet>,
}

/// 2023-11-14T22:13:20Z: where the clock of a conversation starts.
pub const START: i64 = 1_700_000_000_000_000_000;

impl Conversation {
    /// A conversation between two `address:port` (IPv6 in brackets), which has not begun.
    pub fn new(client: &str, server: &str) -> Self {
        let parse = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is not an address and port"));
        Self::between(parse(client), parse(server))
    }

    /// The same for parsed addresses.
    pub fn between(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client: Peer::new(client, 1000),
            server: Peer::new(server, 5000),
            now: START,
            step: 100_000,
            acks: Acks::PerWrite,
            timestamps: false,
            rng: Rng::new(u64::from(client.port()) << 16 | u64::from(server.port())),
            packets: Vec::new(),
        }
    }

    // Settings, to be made before they matter.

    /// Sets the clock, in nanoseconds since the Unix epoch.
    pub fn at(&mut self, nanos: i64) -> &mut Self {
        self.now = nanos;
        self
    }

    /// The time of the next packet, in nanoseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Sets the time between two packets, in nanoseconds (100 µs unless told).
    pub fn step(&mut self, nanos: i64) -> &mut Self {
        self.step = nanos;
        self
    }

    /// Seeds masking keys and handshake keys. Without it they follow from the ports.
    pub fn seed(&mut self, seed: u64) -> &mut Self {
        self.rng = Rng::new(seed);
        self
    }

    /// Initial sequence numbers of client and server.
    pub fn isn(&mut self, client: u32, server: u32) -> &mut Self {
        self.client.next_seq = client;
        self.server.next_seq = server;
        self
    }

    /// Payload bytes per segment, both ways.
    pub fn mss(&mut self, bytes: usize) -> &mut Self {
        self.client.mss = bytes;
        self.server.mss = bytes;
        self
    }

    /// Time to live (hop limit) of the packets of one side from now on.
    pub fn hop_limit(&mut self, side: Side, hops: u8) -> &mut Self {
        self.peer(side).hop_limit = hops;
        self
    }

    /// The window field of the packets of one side from now on.
    pub fn window(&mut self, side: Side, window: u16) -> &mut Self {
        self.peer(side).window = window;
        self
    }

    /// Puts TCP timestamps (RFC 7323 §3) into every segment from now on, in milliseconds of the clock.
    pub fn timestamps(&mut self) -> &mut Self {
        self.timestamps = true;
        self
    }

    /// When bare ACKs are sent.
    pub fn acks(&mut self, acks: Acks) -> &mut Self {
        self.acks = acks;
        self
    }

    /// Compresses the messages of both sides from now on as this accepted extension says; needed only when the
    /// handshake is not written by [`Self::upgrade_with`].
    pub fn negotiate(&mut self, extensions: &str) -> &mut Self {
        self.client.deflater = Deflater::negotiated(extensions, "client");
        self.server.deflater = Deflater::negotiated(extensions, "server");
        self
    }

    // What happens.

    /// The three-way handshake: packets SYN, SYN+ACK, ACK.
    pub fn connect(&mut self) -> &mut Self {
        self.segment(Side::Client, flags::SYN, &[]);
        self.segment(Side::Server, flags::SYN | flags::ACK, &[]);
        self.segment(Side::Client, flags::ACK, &[]);
        self
    }

    /// A plain opening handshake: request and 101.
    pub fn upgrade(&mut self) -> &mut Self {
        self.upgrade_with(&Upgrade::default())
    }

    /// An opening handshake as described.
    pub fn upgrade_with(&mut self, upgrade: &Upgrade) -> &mut Self {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        nonce[8..].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        let key = upgrade.key.clone().unwrap_or_else(|| frames::key_of(nonce));
        let accept = upgrade.accept.clone().unwrap_or_else(|| frames::accept_for(&key));

        let mut request = vec![
            format!("GET {} HTTP/1.1", upgrade.path),
            format!("Host: {}", upgrade.host),
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            format!("Sec-WebSocket-Key: {key}"),
            "Sec-WebSocket-Version: 13".to_owned(),
        ];
        request.extend(upgrade.extensions_offered.iter().map(|x| format!("Sec-WebSocket-Extensions: {x}")));
        request.extend(upgrade.subprotocols_offered.iter().map(|x| format!("Sec-WebSocket-Protocol: {x}")));
        request.extend(upgrade.request_headers.iter().cloned());
        self.request(&request.join("\n"));

        let mut response = vec![
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            format!("Sec-WebSocket-Accept: {accept}"),
        ];
        response.extend(upgrade.extensions.iter().map(|x| format!("Sec-WebSocket-Extensions: {x}")));
        response.extend(upgrade.subprotocol.iter().map(|x| format!("Sec-WebSocket-Protocol: {x}")));
        response.extend(upgrade.response_headers.iter().cloned());
        self.respond(101, &response.join("\n"), "");

        if let Some(extensions) = &upgrade.extensions {
            self.negotiate(extensions);
        }
        self
    }

    /// A request head: start line and header lines. Line ends become CRLF and the empty line is added.
    pub fn request(&mut self, head: &str) -> &mut Self {
        let bytes = head_bytes(head);
        self.write(Side::Client, &bytes);
        self
    }

    /// A response: status, header lines, body. `Content-Length` is added except to 1xx, 204 and 304.
    pub fn respond(&mut self, status: u16, headers: &str, body: &str) -> &mut Self {
        let mut head = format!("HTTP/1.1 {status} {}\n{headers}", phrase(status));
        if status >= 200 && status != 204 && status != 304 {
            head = format!("{}\nContent-Length: {}", head.trim_end(), body.len());
        }
        let mut bytes = head_bytes(&head);
        bytes.extend_from_slice(body.as_bytes());
        self.write(Side::Server, &bytes);
        self
    }

    /// The client acts.
    pub fn client(&mut self) -> Sender<'_> {
        Sender { conversation: self, side: Side::Client }
    }

    /// The server acts.
    pub fn server(&mut self) -> Sender<'_> {
        Sender { conversation: self, side: Side::Server }
    }

    /// One side acts.
    pub fn side(&mut self, side: Side) -> Sender<'_> {
        Sender { conversation: self, side }
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: f64) -> &mut Self {
        self.now += (seconds * 1e9).round() as i64;
        self
    }

    /// Sends a packet again now: same bytes, same sequence number. `index` counts from 0.
    pub fn retransmit(&mut self, index: usize) -> &mut Self {
        let copy = Packet { time: self.now, ..self.packets[index].clone() };
        self.push(copy);
        self
    }

    // What came of it.

    /// How many packets there are. Alone in a capture, packet `n` of it is the one that made this `n`.
    pub fn count(&self) -> usize {
        self.packets.len()
    }

    /// The packets so far.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The packets so far, to be bent, removed or moved.
    pub fn packets_mut(&mut self) -> &mut Vec<Packet> {
        &mut self.packets
    }

    /// Takes the packets so far out of it; the conversation goes on.
    pub fn take_packets(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.packets)
    }

    /// All packets.
    pub fn into_packets(self) -> Vec<Packet> {
        self.packets
    }

    fn peer(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn push(&mut self, packet: Packet) {
        self.packets.push(packet);
        self.now += self.step;
    }

    /// One segment with the next sequence number, which it consumes.
    fn segment(&mut self, side: Side, bits: u8, payload: &[u8]) {
        let ack = self.peer(side.other()).next_seq;
        let destination = self.peer(side.other()).address;
        let stamp = self.timestamps.then_some((self.now / 1_000_000) as u32);
        let peer = self.peer(side);
        let mut segment = Segment {
            seq: peer.next_seq,
            flags: bits,
            window: peer.window,
            hop_limit: peer.hop_limit,
            identification: peer.identification,
            payload: payload.to_vec(),
            ..Segment::new(peer.address, destination)
        };
        if bits & flags::ACK != 0 {
            segment.ack = ack;
        }
        if bits & flags::SYN != 0 {
            let mss = (peer.mss as u16).to_be_bytes();
            // Maximum segment size, SACK permitted, no-op, window scale 7.
            segment.options = vec![2, 4, mss[0], mss[1], 4, 2, 1, 3, 3, 7, 1, 1];
        }
        if let Some(stamp) = stamp {
            let echoed = if bits & flags::ACK != 0 { stamp } else { 0 };
            segment.options.extend([1, 1, 8, 10]);
            segment.options.extend([stamp.to_be_bytes(), echoed.to_be_bytes()].concat());
        }
        let syn_or_fin = u32::from(bits & flags::SYN != 0) + u32::from(bits & flags::FIN != 0);
        peer.next_seq = peer.next_seq.wrapping_add(payload.len() as u32).wrapping_add(syn_or_fin);
        peer.identification = peer.identification.wrapping_add(1);
        self.push(Packet::new(self.now, Content::Segment(segment)));
    }

    /// Stream bytes of one side, in segments of its size, unless they are held back.
    fn write(&mut self, side: Side, bytes: &[u8]) {
        if let Some(held) = &mut self.peer(side).held {
            held.extend_from_slice(bytes);
            return;
        }
        let mss = self.peer(side).mss;
        let mut parts = bytes.chunks(mss).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            self.segment(side, if last { flags::PSH | flags::ACK } else { flags::ACK }, part);
            if self.acks == Acks::PerSegment || (last && self.acks == Acks::PerWrite) {
                self.segment(side.other(), flags::ACK, &[]);
            }
        }
    }
}

/// One side of a [`Conversation`], about to do something.
pub struct Sender<'a> {
    conversation: &'a mut Conversation,
    side: Side,
}

impl Sender<'_> {
    /// A text message, compressed when that was negotiated.
    pub fn text(self, text: &str) -> Self {
        self.message(opcode::TEXT, &[text.as_bytes()])
    }

    /// A binary message, compressed when that was negotiated.
    pub fn binary(self, bytes: &[u8]) -> Self {
        self.message(opcode::BINARY, &[bytes])
    }

    /// A message in one frame per part. When compression was negotiated, the whole is compressed and its bytes are
    /// spread over as many frames.
    pub fn message(mut self, opcode: u8, parts: &[&[u8]]) -> Self {
        let peer = self.conversation.peer(self.side);
        let compressed = peer.deflater.as_mut().map(|deflater| deflater.message(&parts.concat()));
        let first_rsv = if compressed.is_some() { rsv::RSV1 } else { 0 };
        let parts: Vec<Vec<u8>> = match compressed {
            None => parts.iter().map(|part| part.to_vec()).collect(),
            Some(bytes) => {
                let step = bytes.len().div_ceil(parts.len()).max(1);
                (0..parts.len()).map(|i| bytes.iter().copied().skip(i * step).take(step).collect()).collect()
            }
        };
        let count = parts.len();
        for (i, part) in parts.into_iter().enumerate() {
            let (opcode, rsv) = if i == 0 { (opcode, first_rsv) } else { (opcode::CONTINUATION, 0) };
            self = self.frame(Frame::new(opcode, part).rsv(rsv).fin(i + 1 == count));
        }
        self
    }

    /// A Ping.
    pub fn ping(self, payload: &[u8]) -> Self {
        self.frame(Frame::new(opcode::PING, payload))
    }

    /// A Pong.
    pub fn pong(self, payload: &[u8]) -> Self {
        self.frame(Frame::new(opcode::PONG, payload))
    }

    /// A Close frame with a status code.
    pub fn close(self, code: u16, reason: &str) -> Self {
        self.frame(Frame::close(code, reason))
    }

    /// A Close frame without payload.
    pub fn close_empty(self) -> Self {
        self.frame(Frame::new(opcode::CLOSE, []))
    }

    /// A frame exactly as described: never compressed; masked as it says.
    pub fn frame(self, frame: Frame) -> Self {
        let key = match (self.side, frame.masking) {
            (Side::Client, Masking::ByRole) => Some(self.conversation.rng.key()),
            _ => None,
        };
        self.bytes(&frame.encode(key))
    }

    /// Bytes of the TCP stream as they are.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.conversation.write(self.side, bytes);
        self
    }

    /// From now on, collects the bytes of this side instead of sending them, until [`Self::release`].
    pub fn hold(self) -> Self {
        self.conversation.peer(self.side).held.get_or_insert_default();
        self
    }

    /// Sends what was held as one write, so that frames share segments.
    pub fn release(self) -> Self {
        if let Some(bytes) = self.conversation.peer(self.side).held.take() {
            self.conversation.write(self.side, &bytes);
        }
        self
    }

    /// Bytes that were sent (the peer gets and acknowledges them) but that the capture misses.
    pub fn lost(self, bytes: &[u8]) -> Self {
        let peer = self.conversation.peer(self.side);
        peer.next_seq = peer.next_seq.wrapping_add(bytes.len() as u32);
        self.conversation.now += self.conversation.step;
        self
    }

    /// A FIN, and the peer's ACK of it unless ACKs are off.
    pub fn fin(self) -> Self {
        self.conversation.segment(self.side, flags::FIN | flags::ACK, &[]);
        if self.conversation.acks != Acks::Never {
            self.conversation.segment(self.side.other(), flags::ACK, &[]);
        }
        self
    }

    /// A reset.
    pub fn rst(self) -> Self {
        self.conversation.segment(self.side, flags::RST | flags::ACK, &[]);
        self
    }

    /// A bare ACK.
    pub fn ack(self) -> Self {
        self.conversation.segment(self.side, flags::ACK, &[]);
        self
    }

    /// A TCP keep-alive: an empty segment one before the next sequence number (RFC 9293 §3.8.4), and its ACK.
    pub fn keep_alive(self) -> Self {
        let peer = self.conversation.peer(self.side);
        peer.next_seq = peer.next_seq.wrapping_sub(1);
        self.conversation.segment(self.side, flags::ACK, &[]);
        let peer = self.conversation.peer(self.side);
        peer.next_seq = peer.next_seq.wrapping_add(1);
        self.conversation.segment(self.side.other(), flags::ACK, &[]);
        self
    }

    /// Lets time pass in the middle of a chain.
    pub fn wait(self, seconds: f64) -> Self {
        self.conversation.wait(seconds);
        self
    }
}

/// Lines to an HTTP head with CRLF and the empty line.
fn head_bytes(head: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(head.len() + 16);
    for line in head.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
