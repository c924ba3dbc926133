//! Both directions of one connection put together.

use super::alert::Alert;
use super::certificates::Certificates;
use super::decryption::{Decryption, Readable};
use super::guess::{Offer, Signs, Sized, WebSocketGuess};
use super::handshake::{CERTIFICATE_REQUEST, CLIENT_HELLO, Message, MessageReader, SERVER_HELLO_DONE};
use super::hello::{ClientHello, ServerHello};
use super::names::TlsVersion;
use super::record::{ContentType, LastRecord, Part, RecordHeader, RecordReader};
use super::sizes::plaintext;
use crate::limits::Limits;
use crate::units::{Origin, PerSide, Side, StreamOffset};

/// What one TLS connection shows to a listener without keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts {
    /// The first ClientHello.
    pub client_hello: Option<ClientHello>,
    /// The ServerHello; a HelloRetryRequest only until the real one comes.
    pub server_hello: Option<ServerHello>,
    /// Whether the server asked for another ClientHello first.
    pub hello_retry: bool,
    /// Whether the server resumed an earlier session: it selected a pre-shared key, or up to TLS 1.2 sent no ServerHelloDone
    /// before it encrypted (RFC 5246 §7.3). False where part of its handshake is missing.
    pub is_resumed: bool,
    /// The packet that completed the server's Certificate message, which is in clear up to TLS 1.2, and decrypted with keys.
    pub certificates_seen: Option<Origin>,
    /// What that message said; `None` when it was too long or broke its grammar.
    pub certificates: Option<Box<Certificates>>,
    /// Whether the server demanded a client certificate in clear (up to TLS 1.2). False says nothing about TLS 1.3.
    pub client_certificate_requested: bool,
    /// Whether the client of TLS 1.3 sent a record of the size of an empty list of certificates before it finished.
    pub empty_client_certificate: bool,
    /// Alerts that could be read, the first eight.
    pub alerts: Vec<Alert>,
    /// The packet with what is, or in TLS 1.3 may be, an encrypted alert, when that is the last thing a side sent.
    ///
    /// In TLS 1.3 only the length tells (two bytes of content), and two bytes of application data look the same.
    pub encrypted_alert_guess: PerSide<Option<Origin>>,
    /// Records of type 23. In TLS 1.3 encrypted handshake messages and alerts count as well.
    pub application_records: PerSide<u64>,
    /// The first record of type 23.
    pub first_application: PerSide<Option<Origin>>,
    /// The last record of type 23.
    pub last_application: PerSide<Option<Origin>>,
    /// The last complete record of any type.
    pub last_record: PerSide<Option<LastRecord>>,
    /// The packet with the client's Finished message, of which TLS 1.3 shows only the size.
    pub client_finished: Option<Origin>,
    /// How far the handshake came, as far as that can be told.
    pub finished_handshake: HandshakeState,
    /// The last record of either side before [`TlsFacts::last_record`] of a side.
    pub before_last: PerSide<Option<Origin>>,
    /// Bytes that the server's records of type 23 held after the handshake, if the cipher tells.
    pub server_bytes: u64,
    /// Whether what could not be read looks like a WebSocket; known at the end.
    pub websocket: Option<WebSocketGuess>,
    /// Where a side spoke something else.
    pub not_tls: Option<NotTls>,
    /// Hellos that were longer than [`Limits::tls_handshake_bytes`] and could not be read.
    pub hellos_too_long: u32,
    /// Hellos that broke their grammar.
    pub hellos_malformed: u32,
    /// How much could be decrypted.
    pub decryption: Decryption,
}

impl TlsFacts {
    /// The version the server chose, by its hello or by what could be decrypted.
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        self.server_hello.as_ref().map(|hello| hello.version).or(self.decryption.version)
    }

    /// Whether anything could be decrypted.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.decryption.sides.iter().any(|(_, side)| matches!(side, Readable::All | Readable::Part(_)))
    }

    /// Adds the server's Certificate message of TLS 1.3, which was decrypted; `None` when it was too long.
    pub fn add_certificates(&mut self, origin: Origin, body: Option<&[u8]>) {
        if self.version() == Some(TlsVersion::TLS_1_3) && self.certificates_seen.is_none() {
            self.certificates_seen = Some(origin);
            let shown = body.and_then(|body| Certificates::read_tls13(origin, body, self.asked_name()));
            self.certificates = shown.map(Box::new);
        }
    }

    /// Adds alerts that were decrypted, in the order of their packets.
    pub fn add_decrypted(&mut self, alerts: &[Alert]) {
        self.alerts.extend(alerts.iter().take(MAX_ALERTS - self.alerts.len().min(MAX_ALERTS)));
        self.alerts.sort_by_key(|alert| alert.origin.packet);
    }
}

/// Whether a TLS handshake went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum HandshakeState {
    /// Nothing shows it.
    #[default]
    No,
    /// TLS 1.3: the client sent what has the size of its Finished message, but the server, which may still refuse the
    /// client's certificate, nothing after that. Or application data of a connection whose start was not captured.
    Probably,
    /// Up to TLS 1.2: both sides sent an encrypted Finished message. TLS 1.3: the server went on after the client's.
    Yes,
}

/// Bytes where a TLS record should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTls {
    /// Who sent them.
    pub side: Side,
    /// The packet.
    pub origin: Origin,
    /// Where they start in that side's stream.
    pub offset: StreamOffset,
    /// What they look like.
    pub kind: NotTlsKind,
    /// Whether this side had sent records before: then the stream is damaged rather than plain.
    pub after_records: bool,
}

/// What stands in the place of a TLS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotTlsKind {
    /// `HTTP/`: a server that does not speak TLS on this port answered the ClientHello.
    HttpResponse,
    /// An HTTP method: a client that does not speak TLS.
    HttpRequest,
    /// Anything else.
    Other,
}

/// Follows the records of both directions of one connection; the caller says which side is the client.
///
/// Bytes of one side come in order, with a call to [`Observer::gap`] for those that are lost.
#[derive(Debug, Default)]
pub struct Observer {
    sides: PerSide<Half>,
    facts: TlsFacts,
    signs: Signs,
    /// The last complete record of either side.
    last: Option<Origin>,
}

#[derive(Debug, Default)]
struct Half {
    records: RecordReader,
    messages: MessageReader,
    /// The first bytes of an alert.
    alert: [u8; 2],
    alert_len: usize,
    /// Bytes of the current record are lost.
    is_torn: bool,
    said_hello_done: bool,
    changed_cipher: bool,
    sent_finished: bool,
}

impl Observer {
    /// An observer at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known so far.
    #[must_use]
    pub fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// What is known at the end.
    #[must_use]
    pub fn into_facts(self) -> TlsFacts {
        self.facts
    }

    /// Whether what could not be read looks like a WebSocket, when TCP ended so: the first FIN or RST of each side.
    #[must_use]
    pub fn websocket(&self, ends: PerSide<Option<Origin>>) -> Option<WebSocketGuess> {
        let offer = self.offer()?;
        let in_tls_1_3 = self.facts.version() == Some(TlsVersion::TLS_1_3);
        let alert = |side: Side| {
            let alert = self.facts.closing_alert(side, ends[side]).filter(|_| in_tls_1_3);
            alert.map(|alert| alert.at)
        };
        let alerts = PerSide { client: alert(Side::Client), server: alert(Side::Server) };
        let end = [ends.client, ends.server].into_iter().flatten().min_by_key(|end| end.packet);
        self.signs.judge(offer, alerts, end)
    }

    /// What the hellos say about the protocol inside; `None` before the client's.
    fn offer(&self) -> Option<Offer> {
        let hello = self.facts.client_hello.as_ref()?;
        let names = |list: &[Box<str>]| match list {
            [] => Offer::Unnamed,
            [one] if &**one == HTTP_1_1 => Offer::Http1,
            _ => Offer::Other,
        };
        let chosen = self.facts.server_hello.as_ref().and_then(|hello| hello.alpn.as_deref());
        Some(match chosen {
            Some(HTTP_1_1) => Offer::Http1,
            Some(_) => Offer::Other,
            None => names(&hello.alpn),
        })
    }

    /// Whether, to a listener without keys, this is anybody's traffic whatever is still to come: its handshake went well, and
    /// what is inside is no WebSocket, or cannot be told because the server's hello could not be read and will not come again.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        let is_certain = match self.facts.server_hello {
            Some(_) => self.signs.are_refuted() && self.facts.finished_handshake == HandshakeState::Yes,
            None => self.sides.server.changed_cipher,
        };
        is_certain && self.facts.went_on()
    }

    /// Bytes kept of hellos that are not complete.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.sides.client.messages.kept_bytes() + self.sides.server.messages.kept_bytes()
    }

    /// The next bytes that `side` sent, at `offset` of its stream, in the packet `origin`.
    pub fn push(&mut self, limits: &Limits, side: Side, offset: StreamOffset, origin: Origin, bytes: &[u8]) {
        let mut consumed = 0;
        while consumed < bytes.len() {
            let at = offset.plus(consumed as u64);
            let (part, taken) = self.sides[side].records.next(at, &bytes[consumed..]);
            consumed += taken;
            match part {
                None => {}
                Some(Part::NotRecord { start, found, any_read }) => {
                    let kind = NotTlsKind::of(&found);
                    let not_tls = NotTls { side, origin, offset: start, kind, after_records: any_read };
                    self.facts.not_tls.get_or_insert(not_tls);
                }
                Some(Part::Body { header, start, bytes, is_first, is_last }) => {
                    if is_first {
                        self.sides[side].alert_len = 0;
                        self.sides[side].is_torn = false;
                    }
                    self.body(limits, side, origin, header, bytes);
                    if is_last {
                        self.record(side, origin, header, start);
                    }
                }
            }
        }
    }

    /// Tells that the next bytes of `side` are lost: `len` of them, `None` when that is not known.
    ///
    /// Records are followed on when the loss lies within one of them, else from the next chunk that starts with one.
    pub fn gap(&mut self, side: Side, len: Option<u64>) {
        let half = &mut self.sides[side];
        half.records.gap(len);
        half.messages.lose();
        half.is_torn = true;
        self.signs.gap();
    }

    /// Bytes of a record that is in the middle of coming.
    fn body(&mut self, limits: &Limits, side: Side, origin: Origin, header: RecordHeader, bytes: &[u8]) {
        match header.content_type {
            ContentType::Handshake if self.is_in_clear(side) => self.handshake(limits, side, origin, bytes),
            ContentType::Alert => {
                let half = &mut self.sides[side];
                for (kept, &byte) in half.alert[half.alert_len..].iter_mut().zip(bytes) {
                    *kept = byte;
                    half.alert_len += 1;
                }
            }
            _ => {}
        }
    }

    /// A record is complete.
    fn record(&mut self, side: Side, origin: Origin, header: RecordHeader, start: StreamOffset) {
        let RecordHeader { content_type, len } = header;
        self.facts.last_record[side] = Some(LastRecord { content_type, len, origin });
        self.facts.before_last[side] = self.last.replace(origin);
        self.facts.encrypted_alert_guess[side] = None;
        match content_type {
            ContentType::ChangeCipherSpec => {
                self.facts.is_resumed |= side == Side::Server && self.is_abbreviated();
                self.sides[side].changed_cipher = true;
            }
            ContentType::Handshake if !self.is_in_clear(side) => {
                self.sides[side].sent_finished = true;
                if side == Side::Client {
                    self.facts.client_finished.get_or_insert(origin);
                }
                if self.sides[side.other()].sent_finished {
                    self.reached(HandshakeState::Yes);
                }
            }
            ContentType::Alert => self.alert(side, origin, len, start),
            ContentType::ApplicationData => self.application_data(side, origin, len),
            ContentType::Handshake | ContentType::Heartbeat => {}
        }
    }

    fn handshake(&mut self, limits: &Limits, side: Side, origin: Origin, bytes: &[u8]) {
        let mut consumed = 0;
        while consumed < bytes.len() {
            let (message, taken) = self.sides[side].messages.next(limits, &bytes[consumed..]);
            consumed += taken;
            match message {
                None => {}
                Some(Message::Hello { kind: CLIENT_HELLO, body }) => match ClientHello::read(origin, &body) {
                    Some(hello) => drop(self.facts.client_hello.get_or_insert(hello)),
                    None => self.facts.hellos_malformed = self.facts.hellos_malformed.saturating_add(1),
                },
                Some(Message::Hello { body, .. }) => match ServerHello::read(origin, &body) {
                    Some(hello) => {
                        self.facts.hello_retry |= hello.hello_retry;
                        if self.facts.server_hello.as_ref().is_none_or(|known| known.hello_retry) {
                            self.facts.is_resumed = hello.psk_selected && !hello.hello_retry;
                            self.facts.server_hello = Some(hello);
                        }
                    }
                    None => self.facts.hellos_malformed = self.facts.hellos_malformed.saturating_add(1),
                },
                Some(Message::Certificates(body)) if side == Side::Server && self.facts.certificates_seen.is_none() => {
                    self.facts.certificates_seen = Some(origin);
                    let asked = self.facts.asked_name();
                    let shown = body.and_then(|body| Certificates::read(origin, &body, asked));
                    self.facts.certificates = shown.map(Box::new);
                }
                Some(Message::Other { kind: CERTIFICATE_REQUEST }) if side == Side::Server => {
                    self.facts.client_certificate_requested = true;
                }
                Some(Message::Other { kind: SERVER_HELLO_DONE }) => self.sides[side].said_hello_done = true,
                Some(Message::Certificates(_) | Message::Other { .. }) => {}
                Some(Message::TooLong { .. }) => {
                    self.facts.hellos_too_long = self.facts.hellos_too_long.saturating_add(1)
                }
            }
        }
    }

    /// Whether a ChangeCipherSpec of the server, if it comes now, ends a handshake that resumes a session up to TLS 1.2.
    fn is_abbreviated(&self) -> bool {
        let server = &self.sides.server;
        let is_old = self.facts.server_hello.as_ref().is_some_and(|hello| hello.version <= TlsVersion::TLS_1_2);
        is_old && !server.changed_cipher && !server.said_hello_done && server.messages.is_in_step()
    }

    fn alert(&mut self, side: Side, origin: Origin, len: u16, start: StreamOffset) {
        let half = &self.sides[side];
        match half.alert {
            // No cipher leaves an alert at its two bytes, so this one is in clear. OpenSSL clients refuse a TLS 1.3
            // certificate that way.
            [level @ 1..=2, description] if len == 2 && !half.is_torn => {
                if self.facts.alerts.len() < MAX_ALERTS {
                    let (clear, after_data) = (true, false);
                    self.facts.alerts.push(Alert {
                        side,
                        origin,
                        offset: start,
                        level,
                        description,
                        clear,
                        after_data,
                    });
                }
            }
            _ => self.facts.encrypted_alert_guess[side] = Some(origin),
        }
    }

    fn application_data(&mut self, side: Side, origin: Origin, len: u16) {
        self.facts.application_records[side] += 1;
        self.facts.first_application[side].get_or_insert(origin);
        self.facts.last_application[side] = Some(origin);
        if self.is_behind_handshake() {
            self.sized(side, origin, len);
        }
        let reached = match &self.facts.server_hello {
            Some(hello) if hello.version == TlsVersion::TLS_1_3 => {
                let overhead = INNER_TYPE_LEN + hello.cipher_suite.tag_len();
                let is_alert_sized = len == ALERT_LEN + overhead;
                if is_alert_sized {
                    self.facts.encrypted_alert_guess[side] = Some(origin);
                }
                if side == Side::Client && !self.sides.client.sent_finished {
                    self.facts.empty_client_certificate |= len == EMPTY_CERTIFICATE_LEN + overhead;
                }
                let finished_len = MESSAGE_HEADER_LEN + hello.cipher_suite.hash_len() + overhead;
                let early_data = self.facts.client_hello.as_ref().is_some_and(|hello| hello.early_data);
                match side {
                    Side::Client if !hello.hello_retry && len >= finished_len => {
                        self.sides.client.sent_finished = true;
                        self.facts.client_finished.get_or_insert(origin);
                        HandshakeState::Probably
                    }
                    // Early data may have passed for a Finished message.
                    Side::Server if self.sides.client.sent_finished && !is_alert_sized && !early_data => {
                        HandshakeState::Yes
                    }
                    _ => HandshakeState::No,
                }
            }
            // Up to TLS 1.2 the Finished messages tell.
            Some(_) => HandshakeState::No,
            None => HandshakeState::Probably,
        };
        self.reached(reached);
    }

    /// The handshake came at least so far.
    fn reached(&mut self, state: HandshakeState) {
        if state <= self.facts.finished_handshake {
            return;
        }
        self.facts.finished_handshake = state;
        // Now both hellos have been seen.
        if state == HandshakeState::Yes && self.offer() == Some(Offer::Other) {
            self.signs.refute();
        }
    }

    /// Whether records of type 23 are no handshake messages any more: in TLS 1.3 those are encrypted and look the same
    /// until the client's Finished message, and early data may pass for that one.
    fn is_behind_handshake(&self) -> bool {
        match &self.facts.server_hello {
            Some(hello) if hello.version == TlsVersion::TLS_1_3 => {
                let early_data = self.facts.client_hello.as_ref().is_none_or(|hello| hello.early_data);
                self.sides.client.sent_finished && !early_data
            }
            Some(_) => true,
            None => false,
        }
    }

    fn sized(&mut self, side: Side, origin: Origin, len: u16) {
        let Some(hello) = &self.facts.server_hello else { return };
        if let Some((least, most)) = plaintext(hello.version, hello.cipher_suite, len) {
            if side == Side::Server {
                self.facts.server_bytes = self.facts.server_bytes.saturating_add(most.into());
            }
            self.signs.record(Sized { side, least, most, origin });
        }
    }

    /// Whether handshake records of `side` can be read. In TLS 1.3 ChangeCipherSpec means nothing, and what is
    /// encrypted has another type.
    fn is_in_clear(&self, side: Side) -> bool {
        !self.sides[side].changed_cipher || self.facts.version() == Some(TlsVersion::TLS_1_3)
    }
}

impl NotTlsKind {
    fn of(found: &[u8; 5]) -> Self {
        let method = found.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        match found {
            b"HTTP/" => Self::HttpResponse,
            _ if method >= 3 && found.get(method).is_none_or(|&byte| byte == b' ') => Self::HttpRequest,
            _ => Self::Other,
        }
    }
}

/// Alerts kept; a connection has no use for more than two.
pub(super) const MAX_ALERTS: usize = 8;

/// The name of HTTP/1.1 (RFC 7301 §6).
pub(super) const HTTP_1_1: &str = "http/1.1";

/// Bytes of an alert.
const ALERT_LEN: u16 = 2;

/// Bytes of the type and length before a handshake message.
const MESSAGE_HEADER_LEN: u16 = 4;

/// A Certificate message without certificates (RFC 8446 §4.4.2): header, no context, no list.
const EMPTY_CERTIFICATE_LEN: u16 = MESSAGE_HEADER_LEN + 1 + 3;

/// The true content type inside an encrypted record of TLS 1.3 (RFC 8446 §5.2).
const INNER_TYPE_LEN: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};

    /// Segments of handshakes recorded on loopback: `c` or `s`, then hex. The server is OpenSSL 3.0.22, as is the
    /// client unless the name says otherwise.
    const TLS_1_3: &str = include_str!("recorded/tls13.txt");
    const TLS_1_2: &str = include_str!("recorded/tls12.txt");
    const EXPIRED_1_3: &str = include_str!("recorded/expired13.txt");
    const VERSION_MISMATCH: &str = include_str!("recorded/version.txt");
    const PLAIN_SERVER: &str = include_str!("recorded/plain.txt");
    const CLIENT_CERTIFICATE_1_2: &str = include_str!("recorded/mtls12.txt");
    const CLIENT_CERTIFICATE_1_3: &str = include_str!("recorded/mtls13.txt");
    const HELLO_RETRY_1_3: &str = include_str!("recorded/retry13.txt");
    const CHROMIUM_REFUSES_1_3: &str = include_str!("recorded/chromium13.txt");
    const NODE_REFUSES_1_2: &str = include_str!("recorded/node12.txt");

    fn packet(number: usize) -> Origin {
        Origin { packet: PacketNumber::new(number as u64).expect("tests count from 1"), time: None }
    }

    fn segments(recorded: &str) -> Vec<(Side, Vec<u8>)> {
        let segment = |line: &str| {
            let (side, hex) = line.split_once(' ').expect("a side and hex");
            let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("hex") as u8).collect();
            let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            (if side == "c" { Side::Client } else { Side::Server }, bytes)
        };
        recorded.lines().map(segment).collect()
    }

    /// Feeds the segments as packets 1, 2, …, each of them cut into pieces of `piece` bytes.
    fn observe(recorded: &str, piece: usize) -> TlsFacts {
        let mut observer = Observer::new();
        let mut sent = PerSide { client: 0, server: 0 };
        for (index, (side, bytes)) in segments(recorded).iter().enumerate() {
            for piece in bytes.chunks(piece) {
                observer.push(&Limits::default(), *side, StreamOffset(sent[*side]), packet(index + 1), piece);
                sent[*side] += piece.len() as u64;
            }
        }
        observer.into_facts()
    }

    const WHOLE: usize = usize::MAX;

    fn alerts(facts: &TlsFacts) -> Vec<(Side, u64, u8, u8, &'static str)> {
        let shown =
            |alert: &Alert| (alert.side, alert.origin.packet.value(), alert.level, alert.description, alert.name());
        facts.alerts.iter().map(shown).collect()
    }

    #[test]
    fn a_tls_1_3_connection() {
        let facts = observe(TLS_1_3, WHOLE);
        let client = facts.client_hello.as_ref().unwrap();
        assert_eq!(client.sni.as_deref(), Some("localhost"));
        assert_eq!(client.alpn, [Box::from("http/1.1")]);
        assert_eq!(client.versions, [TlsVersion::TLS_1_3, TlsVersion::TLS_1_2]);
        assert_eq!(client.cipher_suites[0].name(), Some("TLS_AES_256_GCM_SHA384"));
        let server = facts.server_hello.as_ref().unwrap();
        assert_eq!((server.version.to_string(), server.cipher_suite.0), ("1.3".to_owned(), 0x1302));
        assert_eq!((server.alpn.as_deref(), server.hello_retry), (None, false));
        // Server: flight of 4, two session tickets, data, close_notify. Client: Finished, data, close_notify.
        assert_eq!(facts.application_records, PerSide { client: 3, server: 8 });
        assert_eq!(facts.encrypted_alert_guess.map(|at| at.is_some()), PerSide { client: true, server: true });
        assert_eq!(facts.last_record.client.map(|record| record.len), Some(19));
        assert_eq!(facts.finished_handshake, HandshakeState::Yes);
        assert_eq!((facts.certificates_seen, facts.not_tls, alerts(&facts)), (None, None, vec![]));
    }

    #[test]
    fn a_tls_1_2_connection() {
        let facts = observe(TLS_1_2, WHOLE);
        let server = facts.server_hello.as_ref().unwrap();
        assert_eq!(server.version, TlsVersion::TLS_1_2);
        assert_eq!(server.cipher_suite.name(), Some("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
        assert_eq!(server.alpn.as_deref(), Some("http/1.1"));
        assert_eq!(facts.certificates_seen, Some(packet(2)));
        assert!(!facts.client_certificate_requested);
        assert_eq!(facts.application_records, PerSide { client: 1, server: 1 });
        assert_eq!(facts.finished_handshake, HandshakeState::Yes);
        assert_eq!(facts.encrypted_alert_guess.map(|at| at.is_some()), PerSide { client: true, server: true });
        assert_eq!(alerts(&facts), []);
    }

    #[test]
    fn refusals_as_they_were_recorded() {
        for (recorded, alert, version) in [
            (EXPIRED_1_3, (Side::Client, 3, 2, 45, "certificate_expired"), Some(TlsVersion::TLS_1_3)),
            (VERSION_MISMATCH, (Side::Server, 2, 2, 70, "protocol_version"), None),
            (CLIENT_CERTIFICATE_1_2, (Side::Server, 4, 2, 40, "handshake_failure"), Some(TlsVersion::TLS_1_2)),
        ] {
            let facts = observe(recorded, WHOLE);
            assert_eq!(alerts(&facts), [alert]);
            assert_eq!((facts.version(), facts.finished_handshake), (version, HandshakeState::No), "{alert:?}");
            assert_eq!(facts.client_certificate_requested, recorded == CLIENT_CERTIFICATE_1_2);
        }
        // In TLS 1.3 the refusal of a missing client certificate is encrypted, and the client had gone on to send.
        let facts = observe(CLIENT_CERTIFICATE_1_3, WHOLE);
        assert_eq!((alerts(&facts), facts.finished_handshake), (vec![], HandshakeState::Probably));
        assert_eq!(facts.encrypted_alert_guess, PerSide { client: None, server: Some(packet(4)) });
    }

    #[test]
    fn chromium_156_leaves_without_an_alert() {
        let facts = observe(CHROMIUM_REFUSES_1_3, WHOLE);
        // As tshark 4.0.17 shows it, GREASE left out.
        let client = facts.client_hello.as_ref().unwrap();
        assert_eq!((client.sni.as_deref(), &client.alpn[..]), (Some("localhost"), &[Box::from("http/1.1")][..]));
        assert_eq!(client.versions, [TlsVersion::TLS_1_3, TlsVersion::TLS_1_2]);
        let suites: Vec<u16> = client.cipher_suites.iter().map(|suite| suite.0).collect();
        assert_eq!(suites[..4], [0x1301, 0x1302, 0x1303, 0xc02b]);
        assert_eq!(suites.len(), 15);
        // The server's flight of four, and its close_notify after the client's FIN; nothing more from the client.
        assert_eq!(facts.application_records, PerSide { client: 0, server: 5 });
        assert_eq!((alerts(&facts), facts.finished_handshake), (vec![], HandshakeState::No));
    }

    #[test]
    fn node_20_refuses_only_after_a_whole_tls_1_2_handshake() {
        let facts = observe(NODE_REFUSES_1_2, WHOLE);
        assert_eq!((alerts(&facts), facts.finished_handshake), (vec![], HandshakeState::Yes));
        assert_eq!(facts.application_records, PerSide { client: 0, server: 0 });
        assert_eq!(facts.encrypted_alert_guess.map(|at| at.is_some()), PerSide { client: false, server: true });
    }

    #[test]
    fn a_recorded_hello_retry_request() {
        let facts = observe(HELLO_RETRY_1_3, WHOLE);
        let server = facts.server_hello.as_ref().unwrap();
        assert!(facts.hello_retry && !server.hello_retry);
        assert_eq!((server.cipher_suite.0, server.origin), (0x1303, packet(4)));
        assert_eq!(facts.client_hello.as_ref().map(|hello| hello.origin), Some(packet(1)));
        assert_eq!(facts.client_hello.as_ref().map(|hello| hello.alpn.len()), Some(2));
        assert_eq!(facts.finished_handshake, HandshakeState::Yes);
    }

    #[test]
    fn a_plain_server_answers_a_client_hello() {
        let facts = observe(PLAIN_SERVER, WHOLE);
        let not_tls = facts.not_tls.unwrap();
        assert_eq!((not_tls.side, not_tls.kind, not_tls.origin), (Side::Server, NotTlsKind::HttpResponse, packet(2)));
        assert!(!not_tls.after_records && facts.client_hello.is_some() && facts.server_hello.is_none());
    }

    #[test]
    fn facts_are_the_same_wherever_the_stream_is_cut() {
        for recorded in [
            TLS_1_3,
            TLS_1_2,
            EXPIRED_1_3,
            VERSION_MISMATCH,
            PLAIN_SERVER,
            CLIENT_CERTIFICATE_1_2,
            CLIENT_CERTIFICATE_1_3,
            HELLO_RETRY_1_3,
            CHROMIUM_REFUSES_1_3,
            NODE_REFUSES_1_2,
        ] {
            let whole = observe(recorded, WHOLE);
            for piece in (1..64).chain([511, 512, 513]) {
                assert_eq!(observe(recorded, piece), whole, "pieces of {piece}");
            }
        }
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3], &(body.len() as u16).to_be_bytes()[..], body].concat()
    }

    #[test]
    fn a_hello_may_span_records() {
        let segments = segments(TLS_1_2);
        let message = &segments[0].1[5..];
        for size in [1, 3, 4, 5, 100] {
            let mut observer = Observer::new();
            for (index, piece) in message.chunks(size).enumerate() {
                let bytes = record(22, piece);
                observer.push(&Limits::default(), Side::Client, StreamOffset(0), packet(index + 1), &bytes);
            }
            let hello = observer.facts().client_hello.as_ref().expect("complete");
            assert_eq!(hello.origin, packet(message.len().div_ceil(size)));
            assert_eq!(hello.sni.as_deref(), Some("localhost"));
        }
    }

    #[test]
    fn long_hellos_are_counted_and_long_certificates_pass_by() {
        let limits = Limits { tls_handshake_bytes: 100, ..Limits::default() };
        let mut observer = Observer::new();
        for (index, (side, bytes)) in segments(TLS_1_2).iter().enumerate() {
            observer.push(&limits, *side, StreamOffset(0), packet(index + 1), bytes);
        }
        let facts = observer.into_facts();
        assert_eq!((facts.hellos_too_long, facts.client_hello), (1, None));
        assert_eq!(facts.certificates_seen, Some(packet(2)));
        // A claim of 16 MiB keeps nothing.
        let mut observer = Observer::new();
        observer.push(&limits, Side::Client, StreamOffset(0), packet(1), &record(22, &[1, 0xff, 0xff, 0xff, 3, 3]));
        assert_eq!(observer.facts().client_hello, None);
    }

    #[test]
    fn gaps_inside_a_record_and_across_records() {
        let limits = Limits::default();
        let data = record(23, &[7; 100]);
        let alert = record(21, &[2, 40]);
        let mut observer = Observer::new();
        observer.push(&limits, Side::Server, StreamOffset(0), packet(1), &data[..15]);
        observer.gap(Side::Server, Some(90));
        observer.push(&limits, Side::Server, StreamOffset(105), packet(2), &alert);
        assert_eq!(alerts(observer.facts()), [(Side::Server, 2, 2, 40, "handshake_failure")]);

        observer.gap(Side::Server, Some(1000));
        observer.push(&limits, Side::Server, StreamOffset(1112), packet(3), &[7; 50]);
        assert_eq!(observer.facts().application_records.server, 0);
        observer.push(&limits, Side::Server, StreamOffset(1162), packet(4), &[data.clone(), data].concat());
        assert_eq!(observer.facts().application_records.server, 2);
        assert_eq!(observer.facts().finished_handshake, HandshakeState::Probably);
        assert_eq!(observer.facts().not_tls, None);
    }

    #[test]
    fn a_message_with_a_hole_is_not_read_on() {
        let limits = Limits::default();
        let (_, hello) = &segments(TLS_1_2)[0];
        let mut observer = Observer::new();
        observer.push(&limits, Side::Client, StreamOffset(0), packet(1), &hello[..100]);
        observer.gap(Side::Client, Some(100));
        observer.push(&limits, Side::Client, StreamOffset(200), packet(2), &hello[200..]);
        observer.push(&limits, Side::Client, StreamOffset(517), packet(3), hello);
        assert_eq!((&observer.facts().client_hello, observer.facts().hellos_malformed), (&None, 0));
        assert_eq!(observer.facts().last_record.client.map(|record| record.origin), Some(packet(3)));
    }

    #[test]
    fn early_data_is_not_taken_for_a_finished_message() {
        // An empty encrypt_then_mac extension, as OpenSSL sends it, turned into an empty early_data.
        let mut segments = segments(TLS_1_3);
        let hello = &mut segments[0].1;
        let at = hello.windows(4).position(|bytes| bytes == [0, 0x16, 0, 0]).expect("sent by OpenSSL");
        hello[at + 1] = 42;
        let mut observer = Observer::new();
        for (index, (side, bytes)) in segments.iter().enumerate() {
            observer.push(&Limits::default(), *side, StreamOffset(0), packet(index + 1), bytes);
        }
        assert_eq!(observer.facts().finished_handshake, HandshakeState::Probably);
    }

    /// Whether the connection is ordinary after each of these records of application data, given by their lengths. They
    /// follow the first `handshake` of the recorded segments, packet by packet, 10 ms apart.
    fn ordinary_since(observer: &mut Observer, recorded: &str, handshake: usize, said: &[(Side, usize)]) -> Vec<bool> {
        let at = |number: u64| Origin {
            packet: PacketNumber::new(number).expect("counted from 1"),
            time: Some(Timestamp::from_nanos(i64::try_from(number).expect("few") * 10_000_000)),
        };
        let mut packets = 1..;
        let mut push = |side: Side, bytes: &[u8]| {
            observer.push(&Limits::default(), side, StreamOffset(0), at(packets.next().expect("endless")), bytes);
            observer.is_ordinary()
        };
        for (side, bytes) in segments(recorded).iter().take(handshake) {
            assert!(!push(*side, bytes), "the handshake alone says nothing");
        }
        said.iter().map(|(side, len)| push(*side, &record(23, &vec![7; *len]))).collect()
    }

    const C: Side = Side::Client;
    const S: Side = Side::Server;

    #[test]
    fn what_cannot_become_a_websocket_any_more_is_ordinary() {
        for (recorded, handshake, said, expected) in [
            // In TLS 1.3 a record is 17 bytes longer than what it holds. A request and an answer as of an upgrade.
            (TLS_1_3, 3, &[(S, 266), (C, 317), (S, 217), (C, 40), (S, 36)][..], &[false; 5][..]),
            // A large answer, and the next request.
            (TLS_1_3, 3, &[(S, 266), (C, 317), (S, 5000), (S, 5000), (C, 317)], &[false, false, false, false, true]),
            // Too little for an upgrade request.
            (TLS_1_3, 3, &[(C, 100), (S, 217), (C, 40)], &[false, true, true]),
            // ALPN offers HTTP/2. The server's first record behind the client's Finished shows that it agrees.
            (HELLO_RETRY_1_3, 5, &[(S, 234), (C, 317)], &[true, true]),
            // It may be a refusal of HTTP/2's.
            (HELLO_RETRY_1_3, 5, &[(S, 40), (S, 40), (C, 317)], &[false, false, true]),
        ] {
            assert_eq!(ordinary_since(&mut Observer::new(), recorded, handshake, said), expected, "{said:?}");
        }
        let mut alerted = Observer::new();
        alerted.push(&Limits::default(), S, StreamOffset(0), packet(1), &record(21, &[2, 40]));
        let said = [(C, 100), (S, 217), (C, 40)];
        assert_eq!(ordinary_since(&mut alerted, TLS_1_3, 3, &said), [false; 3], "an alert may be reported");
    }

    #[test]
    fn without_the_hello_of_the_server_nothing_inside_can_be_told() {
        let unread = |server: &[u8]| {
            let mut observer = Observer::new();
            observer.push(&Limits::default(), C, StreamOffset(0), packet(1), &segments(TLS_1_3)[0].1);
            observer.push(&Limits::default(), S, StreamOffset(0), packet(2), server);
            [(C, 69), (S, 266), (C, 317)].map(|(side, len)| {
                observer.push(&Limits::default(), side, StreamOffset(0), packet(3), &record(23, &vec![7; len]));
                observer.is_ordinary()
            })
        };
        let malformed = record(22, &[2, 0, 0, 4, 3, 3, 9, 9]);
        assert_eq!(unread(&[malformed.clone(), record(20, &[1])].concat()), [false, false, true]);
        assert_eq!(unread(&malformed), [false; 3], "another may follow");
    }

    #[test]
    fn whatever_follows_what_is_ordinary_is_no_reason_to_report_it() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut followed = 0;
        for round in 0..2000 {
            let (recorded, handshake) = [(TLS_1_3, 3), (HELLO_RETRY_1_3, 5), (TLS_1_2, 4)][round % 3];
            let said: Vec<(Side, usize)> = (0..40)
                .map(|_| (if next(2) == 0 { C } else { S }, [20, 23, 25, 40, 200, 400, 5000][next(7) as usize]))
                .collect();
            let mut observer = Observer::new();
            let since = ordinary_since(&mut observer, recorded, handshake, &said);
            let Some(first) = since.iter().position(|is_ordinary| *is_ordinary) else { continue };
            followed += 1;
            assert!(since[first..].iter().all(|is_ordinary| *is_ordinary), "{said:?}");
            for ends in [(Some(50), None), (None, Some(50)), (Some(50), Some(51)), (Some(51), Some(50)), (None, None)] {
                let end = |number: Option<u64>| {
                    let time = Some(Timestamp::from_nanos(500_000_000));
                    Some(Origin { packet: PacketNumber::new(number?).expect("from 1"), time })
                };
                let ends = PerSide { client: end(ends.0), server: end(ends.1) };
                assert_eq!(observer.websocket(ends), None);
                let facts = observer.facts();
                assert!(!facts.failed(true) && !facts.unanswered() && !facts.left_after_handshake(ends));
                assert!(!facts.answered_as_http2(ends) && !facts.finished_refused(ends));
            }
        }
        assert!(followed > 500, "{followed}");
    }

    #[test]
    fn a_hello_retry_request_gives_way_to_the_server_hello() {
        // RFC 8446 §4.1.4: a ServerHello whose random is SHA-256 of "HelloRetryRequest".
        let (_, server) = &segments(TLS_1_3)[1];
        let hello = &server[..127];
        let mut retry = hello.to_vec();
        let random = [
            0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
            0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
        ];
        retry[11..43].copy_from_slice(&random);
        let mut observer = Observer::new();
        let limits = Limits::default();
        observer.push(&limits, Side::Server, StreamOffset(0), packet(1), &retry);
        assert!(observer.facts().server_hello.as_ref().is_some_and(|hello| hello.hello_retry));
        observer.push(&limits, Side::Server, StreamOffset(127), packet(2), &record(20, &[1]));
        observer.push(&limits, Side::Server, StreamOffset(133), packet(3), hello);
        let facts = observer.into_facts();
        assert_eq!(facts.server_hello.map(|hello| (hello.hello_retry, hello.origin)), Some((false, packet(3))));
        assert!(facts.hello_retry);
    }

    #[test]
    fn damaged_connections_end_without_panic() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..3000 {
            let recorded = [TLS_1_3, TLS_1_2, CLIENT_CERTIFICATE_1_2][round % 3];
            let mut observer = Observer::new();
            for (side, mut bytes) in segments(recorded) {
                for _ in 0..next() % 6 {
                    let at = next() as usize % bytes.len().min(200);
                    bytes[at] = next() as u8;
                }
                let cut = next() as usize % bytes.len();
                observer.push(&Limits::default(), side, StreamOffset(0), packet(1), &bytes[..cut]);
                if next() % 8 == 0 {
                    observer.gap(side, Some(next() % 300));
                }
                observer.push(&Limits::default(), side, StreamOffset(0), packet(1), &bytes[cut..]);
            }
            assert!(observer.facts().alerts.len() <= MAX_ALERTS);
        }
    }
}
