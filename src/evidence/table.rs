//! The fact table: one row for each named fact.

use super::Value;
use super::extract::{
    Answer, View, application, close, crowd, devices, end, handshake, hops, loss, path, peer, software, tls, tls_clear,
    tls_end, whole,
};
use crate::connection::{IcmpKind, KnownBy, Retry};
use crate::software::{HandlerError, KnownBy as SoftwareKnownBy, Sureness};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What kind of value a fact has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactType {
    /// Yes or no.
    Bool,
    /// A plain number: a code, a count, a version.
    Int,
    /// A number of bytes.
    Bytes,
    /// Seconds, with fractions.
    Seconds,
    /// Text from the wire.
    Text,
    /// One of these words.
    Enum(&'static [&'static str]),
}

impl FactType {
    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "integer",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Text => "text",
            Self::Enum(_) => "enum",
        }
    }

    /// Whether values of this type are numbers.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Bytes | Self::Seconds)
    }

    /// Whether a fact of this type may have this value.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool, Value::Bool(_))
            | (Self::Int | Self::Bytes, Value::Int(_))
            | (Self::Seconds, Value::Float(_))
            | (Self::Text, Value::Text(_)) => true,
            (Self::Enum(words), Value::Enum(word)) => words.contains(word),
            _ => false,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// The stable name, `group.what`; seconds end in `_s`.
    pub name: &'static str,
    /// The kind of value.
    pub ty: FactType,
    /// What it says, and what its absence says.
    pub doc: &'static str,
    /// Whether tables must be searched for it, of libraries or of devices.
    pub is_looked_up: bool,
    /// Reads it off a connection.
    pub(super) extract: Extract,
}

/// How a fact is read off a connection.
pub(super) type Extract = fn(&View<'_>) -> Answer;

/// Position of a fact in [`FACTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(u16);

impl FactId {
    /// The fact with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        static BY_NAME: LazyLock<HashMap<&str, FactId>> =
            LazyLock::new(|| FactId::all().map(|fact| (fact.name(), fact)).collect());
        BY_NAME.get(name).copied()
    }

    /// All facts, in the order of [`FACTS`].
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// The row of the table.
    #[must_use]
    pub fn fact(self) -> &'static Fact {
        &FACTS[self.index()]
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.fact().name
    }

    /// The kind of value.
    #[must_use]
    pub fn ty(self) -> FactType {
        self.fact().ty
    }

    /// Whether its values are keys of what application protocols mean, for which there are words in every language.
    #[must_use]
    pub fn is_meaning(self) -> bool {
        self.name().ends_with("_meaning")
    }

    /// Whether its values are keys of advice, for which there are words in every language.
    #[must_use]
    pub fn is_advice(self) -> bool {
        self.name().ends_with(".advice")
    }

    /// Position in the table.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The fact with this name, where the name is part of the program: one that does not exist fails to compile in a constant.
    ///
    /// # Panics
    /// There is no such fact.
    #[must_use]
    pub const fn named(name: &str) -> Self {
        let mut index = 0;
        while index < COUNT {
            if same(FACTS[index as usize].name.as_bytes(), name.as_bytes()) {
                return Self(index);
            }
            index += 1;
        }
        panic!("no fact has this name")
    }
}

/// Rows of the table.
const COUNT: u16 = FACTS.len() as u16;

/// What `==` does, for constants.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const fn fact(name: &'static str, ty: FactType, extract: Extract, doc: &'static str) -> Fact {
    Fact { name, ty, doc, is_looked_up: false, extract }
}

/// A fact for which tables must be searched.
const fn looked_up(name: &'static str, ty: FactType, extract: Extract, doc: &'static str) -> Fact {
    Fact { is_looked_up: true, ..fact(name, ty, extract, doc) }
}

const SIDE: FactType = FactType::Enum(&["client", "server"]);
const TLS_END: FactType = FactType::Enum(&["close_notify", "alert", "cut_off"]);
const BOOL: FactType = FactType::Bool;
const INT: FactType = FactType::Int;
const BYTES: FactType = FactType::Bytes;
const SECONDS: FactType = FactType::Seconds;
const TEXT: FactType = FactType::Text;

/// Every fact. "Ender" is the side that ended the connection: the sender of the first Close frame or, without a Close
/// frame, of the first FIN or RST. "Peer" is the other side.
#[rustfmt::skip]
pub static FACTS: &[Fact] = &[
    fact("capture.visibility", FactType::Enum(&["full", "gap", "cut", "one_sided", "joined_late", "encrypted"]), whole::visibility, "How much of the connection the capture shows: the worse of the two sides."),
    fact("capture.missing_bytes", BYTES, whole::missing_bytes, "Bytes of both sides that are in no packet of the capture, with the packets around them; absent when none is missing."),
    fact("connection.open_at_capture_end", BOOL, whole::open_at_capture_end, "No Close frame, FIN or RST came before the capture ended; unknown when one may have been missed."),
    fact("connection.lifetime_s", SECONDS, whole::lifetime_s, "From the 101 response (or the first packet) to the first sign of the end."),
    fact("connection.longest_silence_s", SECONDS, devices::longest_silence_s, "The longest silence that the connection survived: from a payload byte of either side to the next one, which came before the first sign of the end and was acknowledged; 0 below one second."),
    fact("connection.messages", INT, whole::messages, "Data messages of both sides."),
    fact("connection.http_status", INT, whole::http_status, "Status of the HTTP response that a side wrote into the upgraded stream; absent when there was none."),
    fact("client.browser", BOOL, whole::browser, "The request looks like a browser's: `Origin` with `Sec-Fetch-*`, or a Mozilla user agent."),
    looked_up("client.stack", TEXT, software::client_stack, "The WebSocket library of the client, as `wsdissect stacks` names it; absent when nothing tells, or several fit."),
    looked_up("client.stack_confidence", FactType::Enum(Sureness::NAMES), software::client_stack_confidence, "How sure that name is: certain when it names itself and nothing contradicts, likely when nothing else that is known does so, possible when it fits best."),
    looked_up("client.stack_known_by", FactType::Enum(SoftwareKnownBy::NAMES), software::client_stack_known_by, "What tells it best: a header that names it, the order of its header fields, the words of its Close reasons, or its behaviour."),
    looked_up("client.keepalive_setting", TEXT, software::client_keepalive_setting, "How to make that library send Pings or heartbeats, with an interval below half of the silence at the end."),
    looked_up("server.stack", TEXT, software::server_stack, "The WebSocket library of the server; behind a proxy that writes the response anew, often unknown."),
    looked_up("server.stack_confidence", FactType::Enum(Sureness::NAMES), software::server_stack_confidence, "How sure that name is, as for the client."),
    looked_up("server.stack_known_by", FactType::Enum(SoftwareKnownBy::NAMES), software::server_stack_known_by, "What tells it best, as for the client."),
    looked_up("server.keepalive_setting", TEXT, software::server_keepalive_setting, "How to make that library send Pings or heartbeats, with an interval below half of the silence at the end."),
    fact("tcp.open", FactType::Enum(&["completed", "refused", "unanswered", "unreachable", "unacknowledged", "not_captured"]), path::tcp_open, "Whether the SYN was answered by SYN-ACK, by RST, not at all, by an ICMP error, or was not seen; unacknowledged: the client never took the SYN-ACK."),
    fact("tcp.syns", INT, path::syns, "How often the client sent its SYN."),
    fact("tcp.syn_waited_s", SECONDS, path::syn_waited_s, "From the first SYN to the client's last packet; absent when the SYN was sent once."),
    fact("tcp.setup_s", SECONDS, path::setup_s, "From the first SYN to the SYN-ACK; absent when none came."),
    fact("tcp.payload", BOOL, path::payload, "Either side sent a byte of payload."),
    fact("tcp.mss", BYTES, path::mss, "Largest data segment in bytes that both ends allow in their SYN; absent when one of them names none."),
    fact("icmp.error", FactType::Enum(IcmpKind::NAMES), path::icmp_error, "What the last ICMP error about a segment of this connection says; absent when the capture has none, which a capture filter on TCP sees to."),
    fact("icmp.side", SIDE, path::icmp_side, "Who had sent that segment."),
    fact("icmp.from", TEXT, path::icmp_from, "Address that the error comes from: a router, or the host itself."),
    fact("icmp.mtu", BYTES, path::icmp_mtu, "The largest IP packet in bytes that the next link takes, as that error says; absent when it says nothing of it."),
    fact("end.tcp", FactType::Enum(&["fin", "rst"]), end::tcp, "The first TCP sign of the end; absent when there was none before the capture ended."),
    fact("end.tcp_side", SIDE, end::tcp_side, "Who sent the first FIN or RST."),
    fact("end.side", SIDE, end::ender, "The ender."),
    fact("peer.side", SIDE, end::peer, "The peer: the other side of `end.side`."),
    fact("end.silence_s", SECONDS, end::silence_s, "Seconds without a payload byte in either direction before the first sign of the end, or before the capture's end."),
    fact("end.client_silence_s", SECONDS, devices::client_silence_s, "The same without a payload byte of the client alone; absent when it sent none."),
    fact("end.server_silence_s", SECONDS, devices::server_silence_s, "The same without a payload byte of the server alone; absent when it sent none."),
    fact("end.since_peer_data_s", SECONDS, end::since_peer_data_s, "From the peer's last data message to the ender's first sign of the end; absent when the peer sent none."),
    looked_up("end.set_off_by_message", BOOL, software::set_off_by_message, "The end followed the peer's last data message within a second, unanswered, and so closely that chance is unlikely."),
    fact("end.unfinished_frame", SIDE, end::unfinished_frame, "This side began a frame and never completed it."),
    fact("end.unacked_side", SIDE, loss::unacked_side, "This side's last bytes were never acknowledged, sent again or not."),
    fact("end.unanswered_retransmissions", INT, loss::unanswered_retransmissions, "How often a side sent its last bytes again without an acknowledgement; absent when none did."),
    fact("end.first_retry_s", SECONDS, loss::first_retry_s, "Between the first two times that the oldest of those bytes were sent again; absent when they were not sent again twice."),
    fact("end.last_retry_s", SECONDS, loss::last_retry_s, "The same between the last two times."),
    fact("end.backoff", BOOL, loss::backoff, "The waits between those times doubled, as a TCP does that gets no answer; absent with fewer than two waits."),
    fact("end.silent_side", SIDE, loss::silent_side, "Nothing but perhaps a RST came from this side any more while the other side sent the same bytes again."),
    fact("end.silent_s", SECONDS, loss::silent_s, "From that side's last packet to the first FIN or RST, or to the capture's end."),
    fact("end.idle_before_s", SECONDS, loss::idle_before_s, "Seconds without any packet before the bytes were sent that were never acknowledged; absent below ten, or when others were on their way with them."),
    fact("end.connection_unknown", BOOL, loss::connection_unknown, "The RST that ended TCP acknowledges nothing: it comes from a host that does not know the connection; absent without a RST."),
    fact("client.unacked_bytes", BYTES, loss::client_bytes, "Bytes of the client that were never acknowledged; absent when all were."),
    fact("client.unacked_messages", INT, loss::client_messages, "Data messages of the client of which some byte was never acknowledged, at most 256; absent when there are none."),
    fact("server.unacked_bytes", BYTES, loss::server_bytes, "Bytes of the server that were never acknowledged; absent when all were."),
    fact("server.unacked_messages", INT, loss::server_messages, "Data messages of the server of which some byte was never acknowledged, at most 256; absent when there are none."),
    fact("mtu.stuck_bytes", BYTES, loss::stuck_bytes, "Size of a data segment that was sent again and again in vain, while nothing as large ever got through and the other side was still heard, or a router had said that it is too big."),
    fact("mtu.stuck_side", SIDE, loss::stuck_side, "Who sent it."),
    fact("mtu.largest_acked", BYTES, loss::largest_acked, "The largest data segment of that side that got through; absent when none did."),
    fact("end.zero_window_side", SIDE, end::zero_window_side, "This side had closed its receive window (zero window) and not opened it again, or only within a second, when the end came."),
    fact("end.zero_window_s", SECONDS, end::zero_window_s, "For how long that window was closed, until the first sign of the end or the capture's end at most."),
    fact("end.rst_hop_limit", INT, end::rst_hop_limit, "Time to live (IPv4) or hop limit (IPv6) of the RST that ended TCP first."),
    fact("end.hop_limit", INT, end::hop_limit, "The same of the other packets of that RST's sender, of several the nearest; unknown when there is no other packet."),
    fact("end.rst_hops_off", INT, end::rst_hops_off, "By how many hops the way of that RST differs from theirs; other starting values (64, 128, 255) of the same way count as no difference."),
    fact("end.rst_went_on_s", SECONDS, end::rst_went_on_s, "How long after that RST its sender still sent new data or acknowledged something new; absent when it fell silent."),
    fact("end.rst_places", INT, end::rst_places, "At how many different places beyond the end of its sender's stream that RST and further ones stand; a host that resets knows one."),
    fact("end.rst_both_s", SECONDS, end::rst_both_s, "Time between that RST and the first one of the other side; absent when the other side sent none."),
    fact("end.rst_injected_between", BOOL, hops::rst_injected_between, "Of several points of capture, only those nearer its receiver saw the RST that ended TCP, so that something between two of them sent it; absent without a RST, and when the connection was recorded at one point."),
    fact("end.lost_between", BOOL, hops::end_lost_between, "Of several points of capture, one saw the last bytes of `end.unacked_side` and the next one on their way never did; false when they passed the last point, absent when all bytes were acknowledged or there is one point."),
    fact("path.lost_between", BYTES, hops::lost_between, "Bytes that one of several points of capture saw and the next one on their way never did, each time they were sent; absent when all passed or there is one point."),
    fact("path.lost_side", SIDE, hops::lost_side, "Whose bytes these were; of both, the side that lost more."),
    fact("tcp.conflict", FactType::Enum(&["settled", "unsettled"]), whole::tcp_conflict, "Bytes were sent again with another content: settled when they had been acknowledged, so that the receiver has read the first version."),
    fact("handshake.outcome", FactType::Enum(&["accepted", "rejected", "failed", "not_captured", "none"]), handshake::outcome, "How the opening handshake ended: 101 in order, another status, 101 that breaks a rule, not captured, never answered."),
    fact("handshake.status", INT, handshake::status, "Status of the response to the upgrade request; absent when there was no response."),
    fact("handshake.body_code", INT, handshake::body_code, "The number that a JSON object in the first 512 bytes of a response which refused the upgrade calls its `code`; absent when there is none."),
    fact("handshake.engine_io", BOOL, handshake::engine_io, "The query of the request has the names `EIO` and `transport`, as that of Engine.IO and Socket.IO has."),
    fact("handshake.answer_s", SECONDS, handshake::answer_s, "From the end of the upgrade request to the end of the response; absent when there was no response."),
    fact("handshake.upgrade_token", BOOL, handshake::upgrade_token, "The request carries `Upgrade: websocket`; absent when there was no request."),
    fact("handshake.connection_token", BOOL, handshake::connection_token, "The request carries the `upgrade` token in `Connection`."),
    fact("handshake.http_version", TEXT, handshake::http_version, "HTTP version of the request, `1.0` or `1.1`."),
    fact("handshake.version", INT, handshake::version, "The requested `Sec-WebSocket-Version`."),
    fact("handshake.accepted_version", TEXT, handshake::accepted_version, "The `Sec-WebSocket-Version` list of the response."),
    fact("handshake.version_listed", BOOL, handshake::version_listed, "That list names the requested version; absent without a list or without a request for a version."),
    fact("handshake.accept", FactType::Enum(&["valid", "wrong", "missing"]), handshake::accept, "Whether `Sec-WebSocket-Accept` of a 101 answers the key."),
    fact("handshake.response_upgrade", BOOL, handshake::response_upgrade, "A 101 carries the `Upgrade` and `Connection` tokens."),
    fact("handshake.extensions_offered", TEXT, handshake::extensions_offered, "`Sec-WebSocket-Extensions` of the request."),
    fact("handshake.extensions", TEXT, handshake::extensions, "`Sec-WebSocket-Extensions` of the response."),
    fact("handshake.extensions_missing", TEXT, handshake::extensions_missing, "Extensions that were offered and not answered; absent when all were answered or none was offered."),
    fact("handshake.subprotocols_offered", TEXT, handshake::subprotocols_offered, "`Sec-WebSocket-Protocol` of the request."),
    fact("handshake.subprotocol", TEXT, handshake::subprotocol, "`Sec-WebSocket-Protocol` of the response."),
    fact("handshake.origin", TEXT, handshake::origin, "`Origin` of the request."),
    fact("handshake.origin_matches_host", BOOL, handshake::origin_matches_host, "`Origin` names the same host as `Host`; absent without `Origin`."),
    fact("handshake.location", TEXT, handshake::location, "Target of a redirect, without its query."),
    fact("handshake.challenge", TEXT, handshake::challenge, "Schemes of `WWW-Authenticate`."),
    fact("handshake.content_type", TEXT, handshake::content_type, "`Content-Type` of the response."),
    fact("handshake.server", TEXT, handshake::server, "`Server` of the response."),
    fact("handshake.proxy", TEXT, handshake::proxy, "What in the headers names an intermediary, such as `Via` or `CF-RAY`."),
    looked_up("proxy.device", TEXT, devices::proxy_device, "The proxies and load balancers that the handshake gives away, by their headers or the host; absent when none does."),
    looked_up("proxy.side", SIDE, devices::proxy_side, "At which end of this connection the first of them stands: server when its mark is in the response, client when it is in the request."),
    looked_up("idle.limit_s", SECONDS, devices::idle_limit_s, "The idle timer that the silence before the end is as good as, of a known device or just a round one; absent when it is none, and when the connection had outlived a silence as long."),
    looked_up("idle.candidates", TEXT, devices::idle_candidates, "The devices, with their settings, whose idle timer fits the silence and the way the connection ended, those that show themselves first; `(?)` marks what nobody has verified."),
    looked_up("idle.device", TEXT, devices::idle_device, "The first of them, when the handshake gives it away at the end from which the connection was cut."),
    looked_up("idle.setting", TEXT, devices::idle_setting, "The setting of that timer; absent when it cannot be changed."),
    looked_up("idle.snippet", TEXT, devices::idle_snippet, "How that setting is written with a value that would have been enough: twice the timer, or twice the interval between Pings."),
    looked_up("idle.fixed_by", TEXT, devices::idle_fixed_by, "That device, when its timer cannot be raised."),
    looked_up("idle.examples", TEXT, devices::idle_examples, "Without such a device: how the settings of the most likely ones are written."),
    looked_up("idle.ping_interval", INT, devices::idle_ping_interval, "Seconds between two Pings that keep a connection in spite of `idle.limit_s`."),
    looked_up("idle.survived_s", SECONDS, devices::idle_survived_s, "An earlier silence that was at least as long as the last and that the connection outlived: an idle timer would have ended it then; absent when there was none."),
    looked_up("idle.rhythm_s", SECONDS, devices::idle_rhythm_s, "Interval of the Pings of the side whose last words nobody took, when it had pinged at least three times and then left out two or more before them, as a machine that sleeps does."),
    looked_up("lifetime.limit_s", SECONDS, devices::lifetime_limit_s, "The limit to the age of connections that `connection.lifetime_s` is as good as, of a known device or service or just a round one."),
    looked_up("lifetime.candidates", TEXT, devices::lifetime_candidates, "The devices and services, with their settings, that end connections of that age so."),
    looked_up("lifetime.device", TEXT, devices::lifetime_device, "The first of them, when the handshake gives it away at the end from which the connection was cut."),
    looked_up("lifetime.by", FactType::Enum(&["proxy", "server"]), devices::lifetime_by, "Whether that is a device on the path or the server's own operator."),
    looked_up("lifetime.setting", TEXT, devices::lifetime_setting, "The setting of that limit; absent when it cannot be changed."),
    looked_up("lifetime.snippet", TEXT, devices::lifetime_snippet, "How that setting is written with a higher value."),
    looked_up("drain.device", TEXT, devices::drain_device, "The device that the handshake gives away and that ends connections this way when it is reloaded or stopped."),
    looked_up("drain.setting", TEXT, devices::drain_setting, "The setting that lets connections live on then."),
    looked_up("drain.snippet", TEXT, devices::drain_snippet, "How that setting is written."),
    fact("handshake.front", TEXT, handshake::front, "Where the same request still asked for the upgrade before a proxy passed it on: the address there and the connection; absent when no such connection is in the capture."),
    fact("handshake.behind", TEXT, handshake::behind, "Where a proxy passed this request on without the upgrade; absent when no such connection is in the capture."),
    fact("handshake.violation", TEXT, handshake::violation, "Name of the first rule that the opening handshake broke."),
    fact("handshake.violation_side", SIDE, handshake::violation_side, "Who broke it."),
    fact("close.initiator", SIDE, close::initiator, "Who sent the first Close frame; absent when neither side sent one."),
    fact("close.payload", FactType::Enum(&["empty", "one_byte", "status"]), close::payload, "What the first Close frame carried."),
    fact("close.code", INT, close::code, "Status code of the first Close frame; absent without a Close frame or when it is empty."),
    fact("close.reason", TEXT, close::reason, "Reason text of the first Close frame; absent when empty."),
    fact("close.code_allowed", BOOL, close::code_allowed, "RFC 6455 §7.4 lets this code travel."),
    fact("close.echoed", BOOL, close::echoed, "The peer sent a Close frame too."),
    fact("close.echo_code", INT, close::echo_code, "Status code of the peer's Close frame."),
    fact("close.wait_s", SECONDS, close::wait_s, "How long the ender waited for the peer's Close frame until TCP ended; absent when it came."),
    fact("close.after_handshake_s", SECONDS, close::after_handshake_s, "From the 101 response to the first Close frame."),
    fact("close.violation", TEXT, close::violation, "Name of the first rule that the first Close frame itself breaks, so that it is no valid Close frame; absent when it breaks none."),
    fact("close.refused", BOOL, close::refused, "The peer took that faulty Close frame for an error: it answered 1002 or the like, or dropped TCP, rather than echoing it or closing normally."),
    fact("close.stated_limit_bytes", BYTES, software::stated_limit_bytes, "The limit that the reason of the Close frame names; absent when it names none."),
    fact("close.after_fin_s", SECONDS, software::after_fin_s, "From the peer's FIN to the first Close frame; absent when the Close frame came first."),
    fact("close.tcp_held_s", SECONDS, software::tcp_held_s, "From the end of the closing handshake to the client's FIN, where the server had sent none; absent when the server ended TCP first."),
    fact("peer.last_kind", FactType::Enum(&["text", "binary"]), peer::last_kind, "Kind of the peer's last data message, complete or begun; absent when it sent none."),
    fact("peer.last_size", BYTES, peer::last_size, "Its payload bytes: inflated when compressed, declared when it was cut off."),
    fact("peer.last_wire_size", BYTES, software::last_wire_size, "Bytes of the peer's last data message on the wire, when it was compressed; absent when it was not."),
    fact("peer.json", BOOL, peer::json, "All of the first four messages of the peer are JSON; absent when it sent none."),
    fact("peer.last_complete", BOOL, peer::last_complete, "It was completed."),
    fact("peer.last_utf8", FactType::Enum(&["valid", "invalid", "not_text"]), peer::last_utf8, "Whether it is valid UTF-8."),
    fact("peer.other_kind_before", BOOL, peer::other_kind_before, "The peer had sent messages of the other kind earlier, and the connection went on."),
    fact("peer.largest_before", BYTES, peer::largest_before, "Largest earlier message of the peer that went through."),
    fact("peer.violation", TEXT, peer::violation, "Name of the first framing rule that the peer broke; one that it began to break in the last 2 s goes before those that were borne longer."),
    fact("peer.compression_mark", BOOL, peer::compression_mark, "That violation is RSV1 alone on the first frame of a message, which is how permessage-deflate marks a compressed one."),
    fact("peer.violation_s", SECONDS, peer::violation_s, "From that violation to the first sign of the end."),
    fact("peer.broken_byte", INT, peer::broken_byte, "Where the peer's compressed message ceases to be DEFLATE data: bytes of its payload as sent, from 0; absent when `peer.violation` is not that it does not inflate, and when only the end of its data is missing."),
    fact("peer.reference_distance", BYTES, peer::reference_distance, "How far the peer's compressed message refers back; absent when `peer.violation` is not that this exceeds the agreed window."),
    fact("peer.agreed_window", BYTES, peer::agreed_window, "How far it might; absent when `peer.reference_distance` is."),
    fact("peer.messages", INT, peer::messages, "Data messages of the peer."),
    looked_up("peer.stack", TEXT, software::peer_stack, "The WebSocket library of the peer, when it is at least likely."),
    fact("own.violation", TEXT, peer::own_violation, "The same of the ender itself."),
    fact("own.messages", INT, peer::own_messages, "Data messages of the ender."),
    looked_up("own.stack", TEXT, software::own_stack, "The WebSocket library of the ender, when it is at least likely."),
    looked_up("own.limit_bytes", BYTES, software::limit_bytes, "The largest message that the ender takes: as its Close reason states, else the default of its library, where the peer's last message is the first above it and the connection ended as that library ends it."),
    looked_up("own.limit_exceeded", BOOL, software::limit_exceeded, "The peer's last message is larger than that."),
    looked_up("own.limit_setting", TEXT, software::limit_setting, "How that limit is raised in the ender's library, to a power of two above the message; absent when its size had nothing to do with the end."),
    looked_up("own.idle_timer_s", SECONDS, software::idle_timer_s, "Default idle timeout of the ender's library, when the silence and the way it ended the connection fit; where no library could be named, of those whose Close frame fits."),
    looked_up("own.idle_timer_of", TEXT, software::idle_timer_of, "The libraries that have this timeout."),
    looked_up("own.idle_setting", TEXT, software::idle_setting, "How that timeout is raised, when only one library has it."),
    looked_up("own.ping_timer_of", TEXT, software::ping_timer_of, "The libraries that wait for a Pong by default as long as the ender's unanswered Ping was old, and end the connection so."),
    looked_up("own.ping_setting", TEXT, software::ping_setting, "How the ender's library is made to wait longer for a Pong."),
    looked_up("own.close_timer_of", TEXT, software::close_timer_of, "The libraries that wait for the answer to a Close frame by default as long as the ender did before it ended TCP."),
    looked_up("own.handler_error", FactType::Enum(HandlerError::NAMES), software::handler_error, "How the ender's library ends a connection whose handler fails."),
    looked_up("own.shutdown_code", INT, software::shutdown_code, "The code with which the ender's library closes connections when its program is told to stop; absent when it sends none."),
    fact("app.protocol", TEXT, application::protocol, "Which application protocol the messages are of, as `wsdissect` names it; absent when it is none that is known here."),
    fact("app.known_by", FactType::Enum(KnownBy::NAMES), application::known_by, "What told that protocol: the subprotocol that was agreed on, one of the first messages, the path of the request, or only the name of the server."),
    fact("app.close_meaning", TEXT, application::close_meaning, "What the first Close frame means by its code in that protocol, or by its code or reason in the user's own catalog; absent when neither says so."),
    fact("app.end_meaning", TEXT, application::end_meaning, "What the application said of the end: by the code of its Close frame, else by the last message of the ender, else by that of the peer; absent for everyday messages."),
    fact("app.end_side", SIDE, application::end_side, "Who said that."),
    fact("app.end_s", SECONDS, application::end_s, "From that word to the first sign of the end."),
    fact("app.end_group", TEXT, application::end_group, "Of which kind that is, such as `auth`, `limit` or `restart`: the groups of the table of meanings; `own` for what a user wrote down."),
    fact("app.fault", TEXT, application::fault, "Who can change it: `client`, `server`, `proxy`, `network` or `none`; absent when the table does not say."),
    fact("app.fault_side", SIDE, application::fault_side, "The same, when it is a side."),
    fact("app.retry", FactType::Enum(Retry::NAMES), application::retry, "Whether the client is to connect again after it: with growing pauses, at once, later, with a new session, elsewhere, or not until something has changed."),
    fact("app.advice", TEXT, application::advice, "What the table of meanings, or the user's own catalog, advises."),
    fact("app.last_word", TEXT, application::last_word, "What the last JSON message of the ender in the last second calls itself in its type and code fields, or that of the peer when only that tells more; absent when there was none. Never text of a message."),
    fact("app.last_word_class", TEXT, application::last_word_class, "What kind of word that is: `error`, `auth`, `limit`, `replaced`, `restart`, `farewell`, or `plain` for an everyday message."),
    fact("app.last_word_side", SIDE, application::last_word_side, "Who sent that message."),
    fact("app.own_kind", TEXT, application::own_kind, "Kind of the ender's last complete message, as that protocol names it; absent when it is none of its kinds."),
    fact("app.own_code", INT, application::own_code, "The number in that message by which the protocol says more, such as the reason code of MQTT."),
    fact("app.own_meaning", TEXT, application::own_meaning, "What that message announces; absent for everyday messages."),
    fact("app.peer_kind", TEXT, application::peer_kind, "Kind of the peer's last complete message, as that protocol names it; absent when it is none of its kinds."),
    fact("app.peer_code", INT, application::peer_code, "The number in that message by which the protocol says more."),
    fact("app.peer_meaning", TEXT, application::peer_meaning, "What that message announces; absent for everyday messages."),
    fact("ping.unanswered_s", SECONDS, whole::ping_unanswered_s, "Age of the ender's oldest Ping without a Pong at the first sign of the end; absent when all were answered or none was sent."),
    fact("ping.sent", INT, whole::ping_sent, "Pings of the ender."),
    fact("ping.interval_s", SECONDS, whole::ping_interval_s, "Mean distance of the ender's Pings."),
    fact("ping.answered_late_s", SECONDS, software::answered_late_s, "How late the Pong came to a Ping of the ender that had closed meanwhile; absent when none came."),
    fact("heartbeat.unanswered_s", SECONDS, whole::heartbeat_unanswered_s, "Age of the ender's oldest heartbeat message without an answer at the first sign of the end, where its peer had answered earlier ones or must answer; absent when there is none."),
    fact("keepalive.tcp_interval_s", SECONDS, path::tcp_probe_interval_s, "Mean distance of the TCP keep-alive probes, of the side that probes more often; absent with fewer than two."),
    fact("keepalive.ping_interval_s", SECONDS, path::ping_interval_s, "Mean distance of the Pings, of the side that pings more often; absent with fewer than two."),
    fact("crowd.ended_together", INT, crowd::ended_together, "How many other connections the same host (the server's address and port, or the client's address) ended within one second in the same way; those open for less than two seconds count only when all ended at once and none just before or after. Absent when none."),
    fact("crowd.ended_within_s", SECONDS, crowd::ended_within_s, "From the first to the last of these ends."),
    fact("crowd.also_shared", FactType::Enum(&["silence", "lifetime", "nothing"]), crowd::also_shared, "What else all of these share that would explain a common end: the same silence before it, or the same round age."),
    fact("crowd.open_then", INT, crowd::open_then, "How many other connections of the same host were open at that moment and still one second later."),
    fact("crowd.all_ended", BOOL, crowd::all_ended, "At most one of ten connections of the same host went on; absent when none ended with this one."),
    fact("crowd.one_event", BOOL, crowd::one_event, "Three or more connections ended together, practically all of the host, and share nothing besides that would explain it; absent when none ended with this one."),
    fact("crowd.refused_after_s", SECONDS, crowd::refused_after_s, "How soon after the end the server's port refused a new connection; absent when none was refused within five seconds."),
    fact("crowd.same_silence", INT, crowd::same_silence, "How many others the same host ended in the same way after the same silence of 1.5 seconds or more, which began at another time; absent when none."),
    fact("crowd.same_silence_of", INT, crowd::same_silence_of, "How many others it ended in the same way after any such silence; absent when no other had the same."),
    fact("crowd.lifetimes_differ", BOOL, crowd::lifetimes_differ, "Those with the same silence were of different ages, so that the silence and not the age is what they share."),
    fact("crowd.longest_survived_silence_s", SECONDS, crowd::longest_survived_silence_s, "The longest silence that any connection of the same host outlasted so far, this one included."),
    fact("crowd.outlasted", INT, crowd::outlasted, "How many connections of the same host, this one included, outlasted a clearly longer silence than the one before this end; absent when none did."),
    fact("crowd.same_lifetime", INT, crowd::same_lifetime, "How many others the same host ended in the same way at the same age, opened at another time; absent when none."),
    fact("crowd.silences_differ", BOOL, crowd::silences_differ, "Those of the same age ended after different silences."),
    fact("crowd.outlived", INT, crowd::outlived, "How many others of the same host lived clearly longer, or are open and older; absent when none."),
    fact("leg.role", FactType::Enum(&["front", "back"]), crowd::leg_role, "Which leg of a WebSocket through a proxy this connection is, when the other one is in the capture too: front is between client and proxy."),
    fact("leg.stream", INT, crowd::leg_stream, "The number of the other leg, as `tcp.stream` in Wireshark."),
    fact("leg.ended_first", FactType::Enum(&["this", "other"]), crowd::leg_ended_first, "Which of the two legs ended first."),
    fact("leg.ended_before_s", SECONDS, crowd::leg_ended_before_s, "Between the first signs of the end on the two legs; absent while one of them goes on."),
    fact("leg.other_end", FactType::Enum(&["fin", "rst", "close"]), crowd::leg_other_end, "The first sign of the end on the other leg; absent while it goes on."),
    fact("leg.other_ender", FactType::Enum(&["client", "server", "proxy"]), crowd::leg_other_ender, "Who sent that."),
    fact("leg.first_end", FactType::Enum(&["fin", "rst", "close"]), crowd::leg_first_end, "The first sign of the end on either leg."),
    fact("leg.first_ender", FactType::Enum(&["client", "server", "proxy"]), crowd::leg_first_ender, "Who sent that, and so began the end."),
    fact("leg.both_by_proxy", BOOL, crowd::leg_both_by_proxy, "The proxy ended both legs; absent while one goes on."),
    fact("leg.front_end", FactType::Enum(&["fin", "rst", "close"]), crowd::leg_front_end, "The first sign of the end on the front leg; absent while it goes on."),
    fact("leg.back_end", FactType::Enum(&["fin", "rst", "close"]), crowd::leg_back_end, "The same on the back leg."),
    fact("tls.outcome", FactType::Enum(&["completed", "failed"]), tls::outcome, "How the TLS handshake ended; absent without TLS."),
    fact("tls.alert", INT, tls::alert, "First fatal TLS alert in clear."),
    fact("tls.alert_side", SIDE, tls::alert_side, "Who sent it."),
    fact("tls.client_certificate_requested", BOOL, tls::client_certificate_requested, "The server asked for a client certificate, in clear (TLS 1.2)."),
    fact("tls.plain_answer", BOOL, tls::plain_answer, "The server answered a ClientHello with something that is not TLS."),
    fact("tls.to_plain_request", BOOL, tls::to_plain_request, "A plain HTTP upgrade request was answered by a TLS alert or record, or by a page that says that the port wants TLS."),
    fact("tls.version", TEXT, tls::version, "The TLS version."),
    fact("tls.setup_s", SECONDS, tls::setup_s, "From the ClientHello to the client's Finished message, of which TLS 1.3 shows only the size; absent when none came, or without TLS."),
    fact("tls.ended_by", SIDE, tls::ended_by, "Who ended TCP during, or right after, the TLS handshake."),
    fact("tls.client_hello_answered", BOOL, tls::client_hello_answered, "The server answered the ClientHello."),
    fact("tls.application_data", BOOL, tls::application_data, "Application data followed the TLS handshake."),
    fact("tls.sni", TEXT, tls_clear::sni, "Host name in the ClientHello; absent when it names none."),
    fact("tls.alpn_offered", TEXT, tls_clear::alpn_offered, "Application protocols that the client offered, in its order (ALPN); absent when it offered none."),
    fact("tls.alpn", TEXT, tls_clear::alpn, "The one that the server chose; unknown in TLS 1.3, which encrypts the choice, and absent when it chose none."),
    fact("tls.certificate_validity", FactType::Enum(&["valid", "expired", "not_yet_valid"]), tls_clear::certificate_validity, "The server's certificate at the time of the packet that showed it; unknown in TLS 1.3 without keys, which encrypts certificates, and absent when none was shown."),
    fact("tls.certificate_not_before", TEXT, tls_clear::certificate_not_before, "From when the server's certificate is valid."),
    fact("tls.certificate_not_after", TEXT, tls_clear::certificate_not_after, "Until when the server's certificate is valid."),
    fact("tls.certificate_covers_name", BOOL, tls_clear::certificate_covers_name, "The host name in the ClientHello is among the certificate's subject alternative names (RFC 9525); absent without such a name, or certificate."),
    fact("tls.certificate_names", TEXT, tls_clear::certificate_names, "The certificate's subject alternative names, the first five; absent when it has none."),
    fact("tls.certificate_issuer", TEXT, tls_clear::certificate_issuer, "Who issued the server's certificate."),
    fact("tls.certificate_defect", FactType::Enum(&["expired", "not_yet_valid", "name", "self_signed", "weak_key", "weak_signature", "usage", "stale_issuer", "issuer_missing", "disordered"]), tls_clear::certificate_defect, "The worst that anybody can see to be wrong with the server's certificates at the time of their packet; absent when nothing is."),
    fact("tls.refused_by_client", BOOL, tls_clear::refused_by_client, "The client said in an alert that it does not take the server's certificate, or left without a word after it was shown."),
    fact("tls.closed_by", SIDE, tls_clear::closed_by, "The first side to close: by a closing alert, which in TLS 1.3 only its length and place tell, or else by FIN or RST. Absent when TCP did not end or the TLS handshake failed."),
    fact("tls.close_notify", FactType::Enum(&["sent", "probably_sent", "not_sent", "probably_not_sent"]), tls_clear::close_notify, "Whether `tls.closed_by` sent a closing alert (close_notify) before its FIN or RST; in TLS 1.3 without keys its length and place say so only probably."),
    fact("tls.client_end", TLS_END, tls_end::client_end, "How the client's stream ended inside TLS that was decrypted: by close_notify, by a fatal alert, or cut off by FIN or RST without either; absent when it did not end."),
    fact("tls.server_end", TLS_END, tls_end::server_end, "The same of the server's stream."),
    fact("tls.notified_first", SIDE, tls_end::notified_first, "Who sent the first close_notify that was decrypted; absent when neither side sent one."),
    fact("tls.notify_after_close_s", SECONDS, tls_end::notify_after_close_s, "From that side's own Close frame to this close_notify; absent when it sent none."),
    fact("tls.notify_before_end_s", SECONDS, tls_end::notify_before_end_s, "From this close_notify to the first FIN or RST; absent when TCP did not end."),
    fact("tls.notify_answered_s", SECONDS, tls_end::notify_answered_s, "From this close_notify to the other side's; absent when the other side sent none."),
    fact("tls.data_alert", INT, tls_end::data_alert, "First fatal TLS alert behind the handshake, which only keys show; absent when there was none."),
    fact("tls.data_alert_name", TEXT, tls_end::data_alert_name, "Its name in the IANA registry."),
    fact("tls.data_alert_side", SIDE, tls_end::data_alert_side, "Who sent it."),
    fact("tls.probable_alert", SIDE, tls_clear::probable_alert, "This side's last record in TLS 1.3 has the length of an alert, and TCP ended within a round trip; absent when neither side's was so."),
    fact("tls.finished_refused", BOOL, tls_clear::finished_refused, "The server of TLS 1.3 left when the client had finished, with nothing but a record of the size of an alert, or without a word when the client seems to have sent no certificate that was asked for."),
    fact("tls.answered_as_http2", BOOL, tls_clear::answered_as_http2, "The server chose HTTP/2 (ALPN), answered the client's first request with less than a response and ended TCP at once."),
    fact("tls.websocket", FactType::Enum(&["likely", "possible"]), tls_clear::websocket, "Sizes and times of the encrypted records look like a WebSocket's; never more than an inference. Absent when they do not."),
    fact("tls.probable_close", SIDE, tls_clear::probable_close, "This side sent the first of two last records that have the size of Close frames; an inference."),
    fact("tls.probable_close_bytes", BYTES, tls_clear::probable_close_bytes, "Payload of that frame: 0 without a status code, 2 with one, more with a reason."),
    fact("tls.probable_ping_s", SECONDS, tls_clear::probable_ping_s, "Mean distance of small records of one size that were answered, as Pings are; an inference, absent with fewer than three."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_seconds_say_so() {
        let names: HashSet<_> = FACTS.iter().map(|fact| fact.name).collect();
        assert_eq!(names.len(), FACTS.len());
        for fact in FACTS {
            assert!(fact.name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_' | b'0'..=b'9')));
            assert_eq!(fact.name.matches('.').count(), 1, "{}", fact.name);
            assert_eq!(fact.ty == FactType::Seconds, fact.name.ends_with("_s"), "{}", fact.name);
            assert!(fact.doc.ends_with('.'), "{}", fact.name);
        }
    }

    #[test]
    fn a_type_fits_only_its_own_values() {
        assert!(FactType::Int.fits(&Value::Int(1)));
        assert!(!FactType::Int.fits(&Value::Float(1.0)));
        assert!(SIDE.fits(&Value::Enum("client")));
        assert!(!SIDE.fits(&Value::Enum("proxy")));
    }
}
