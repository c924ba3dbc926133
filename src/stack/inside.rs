//! What travels inside the messages of one connection: recognises the application protocol, and keeps the beginning of the
//! last message of each side so that it can be read at the end.
//!
//! Only the first messages of each side are compared with the protocols. If one is found, or if they are JSON, one prefix a
//! side stays, and is read once, when the connection ends; else nothing more is looked at and nothing is kept. So a message
//! costs at most a copy of its first bytes.

use super::Hashes;
use crate::application::{
    Application, Applications, Candidate, ControlPackets, FIRST_MESSAGES, Form, Glimpse, KnownBy, Label, LastMessage,
    Protocol,
};
use crate::connection::{Connection, MessageNote, Outcome, Preview};
use crate::crowd::Said;
use crate::units::{Origin, PerSide, Side};
use crate::websocket::{Content, Event, MessageKind, Opcode, PAYLOAD_PEEK_LEN, PayloadPiece, WholeMessage};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Whether a report may show what messages say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// No byte of it leaves the analysis.
    #[default]
    Hidden,
    /// The beginnings of the first and last messages are kept for the report.
    Shown,
}

/// The inside of one connection's messages.
#[derive(Debug)]
pub(super) struct Inside {
    known: Option<Box<Known>>,
    /// The protocol that the path or host of the request hints at, while no message speaks against it.
    hinted: Option<Box<Known>>,
    sides: PerSide<Of>,
}

/// How the messages of all connections are listened to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ears<'a> {
    pub(super) applications: &'a Applications,
    pub(super) payload: Payload,
    pub(super) hashes: &'a Hashes,
}

impl Ears<'_> {
    /// Whether the beginnings of messages are to be shown.
    fn show(&self) -> bool {
        self.payload == Payload::Shown
    }
}

/// A protocol, and what told of it.
#[derive(Debug)]
struct Known {
    protocol: Arc<Protocol>,
    by: KnownBy,
    at: Option<Origin>,
}

/// The messages of one side.
#[derive(Debug, Default)]
struct Of {
    /// Messages compared.
    compared: u8,
    /// Whether all of those were JSON.
    json: Option<bool>,
    /// One of those could not be read.
    unread: bool,
    /// What those said, and how many bytes it was.
    hash: u64,
    bytes: u64,
    /// The packet in which the first was complete.
    first: Option<Origin>,
    /// The side has sent its Close frame.
    closed: bool,
    /// The beginning of the message under way, or of the last one.
    prefix: Option<Box<Prefix>>,
    /// Of MQTT, which does not keep to messages.
    mqtt: Option<Box<ControlPackets>>,
}

impl Of {
    /// One of the first messages.
    fn add(&mut self, heard: &Heard<'_>, hashes: &Hashes) {
        self.hash = hashes.hash_one((self.hash, heard.beginning.is_text, heard.size, heard.beginning.bytes));
        self.unread |= heard.content != Content::Whole;
        self.bytes = self.bytes.saturating_add(heard.size);
        self.first = self.first.or(heard.last);
        self.compared += 1;
    }

    /// A message was passed over: what is kept is not the beginning of the last one any more.
    fn forget(&mut self) {
        if !self.closed {
            self.prefix = None;
        }
    }
}

#[derive(Debug)]
struct Prefix {
    /// At most [`PAYLOAD_PEEK_LEN`].
    bytes: Vec<u8>,
    kind: MessageKind,
    /// The packet with its last byte, if all of the message was sent and this is its beginning for certain.
    complete: Option<Origin>,
    is_whole: bool,
}

impl Prefix {
    fn empty(kind: MessageKind) -> Box<Self> {
        Box::new(Self { bytes: Vec::new(), kind, complete: None, is_whole: false })
    }

    fn fill(&mut self, position: u16, bytes: &[u8], kind: MessageKind) {
        if usize::from(position) + bytes.len() <= PAYLOAD_PEEK_LEN {
            self.bytes.resize(position.into(), 0);
            self.bytes.extend_from_slice(bytes);
            self.kind = kind;
        }
    }

    fn glimpse(&self) -> Glimpse<'_> {
        Glimpse { is_text: self.kind == MessageKind::Text, bytes: &self.bytes, is_whole: self.is_whole }
    }
}

/// A complete message, as far as it is looked at.
#[derive(Debug, Clone, Copy)]
struct Heard<'a> {
    beginning: Glimpse<'a>,
    /// Payload bytes of all of it, inflated if it could be.
    size: u64,
    content: Content,
    last: Option<Origin>,
    /// All of it was sent, and this is its beginning for certain.
    is_certain: bool,
}

impl Inside {
    /// How many of the first messages were looked at.
    pub(super) fn heard(&self) -> u8 {
        self.sides.client.compared + self.sides.server.compared
    }

    /// What was said first, by which another leg of the connection is recognised.
    pub(super) fn said(&self, hashes: &Hashes) -> Option<Said> {
        let PerSide { client, server } = &self.sides;
        let readable = !client.unread && !server.unread;
        readable.then(|| {
            let bytes = client.bytes.saturating_add(server.bytes);
            Said {
                hash: hashes.hash_one([client, server].map(|of| (of.compared, of.hash))),
                bytes,
                first: PerSide { client: client.first, server: server.first },
            }
        })
    }

    /// Before the first message: what the handshake tells.
    pub(super) fn new(applications: &Applications, connection: &Connection) -> Self {
        let response = connection.handshake.response.as_deref();
        let agreed = response.and_then(|response| response.protocol().map(|agreed| (agreed, response.last)));
        let known = agreed.and_then(|(agreed, at)| {
            let protocol = Arc::clone(applications.by_subprotocol(agreed.as_str())?);
            Some(Box::new(Known { protocol, by: KnownBy::Subprotocol, at: Some(at) }))
        });
        let request = connection.handshake.request.as_deref();
        let by_path = request.and_then(|request| applications.by_path(request.path.as_str()));
        let by_host = || applications.by_host(request?.host.as_ref()?.as_str());
        let by_path = by_path.map(|protocol| (protocol, KnownBy::Path));
        let hint = by_path.or_else(|| by_host().map(|protocol| (protocol, KnownBy::Host)));
        let at = request.map(|request| request.last);
        let hinted = hint.map(|(protocol, by)| Box::new(Known { protocol: Arc::clone(protocol), by, at }));
        Self { known, hinted, sides: PerSide::default() }
    }

    /// Bytes kept until the next message comes.
    pub(super) fn kept_bytes(&self) -> usize {
        let of = |of: &Of| {
            let prefix = of.prefix.as_ref().map_or(0, |prefix| size_of::<Prefix>() + prefix.bytes.capacity());
            prefix + of.mqtt.as_ref().map_or(0, |_| size_of::<ControlPackets>())
        };
        of(&self.sides.client) + of(&self.sides.server)
    }

    /// Whether the next message of a side will be looked at.
    pub(super) fn wants(&self, side: Side, ears: &Ears<'_>) -> bool {
        let of = &self.sides[side];
        !of.closed && (of.compared < FIRST_MESSAGES || self.keeps(side, ears))
    }

    /// Whether the beginning of a side's last message is kept: to be read, shown, or asked what it calls itself.
    fn keeps(&self, side: Side, ears: &Ears<'_>) -> bool {
        self.reads_messages() || ears.show() || self.sides[side].json == Some(true)
    }

    /// The protocol by which messages are read; it may still prove to be another.
    fn protocol(&self) -> Option<&Protocol> {
        self.known.as_deref().or(self.hinted.as_deref()).map(|known| &*known.protocol)
    }

    /// Whether the last message will be read.
    fn reads_messages(&self) -> bool {
        self.protocol().is_some_and(|protocol| protocol.form.is_some())
    }

    fn learn(&mut self, protocol: Arc<Protocol>, by: KnownBy, at: Option<Origin>) {
        self.known = Some(Box::new(Known { protocol, by, at }));
    }

    /// Takes in what the decoder of a side tells, before the connection does.
    pub(super) fn event(&mut self, side: Side, event: &Event<'_>, ears: &Ears<'_>) {
        match event {
            Event::Frame(frame) if matches!(frame.header.opcode, Opcode::Text | Opcode::Binary) => {
                // A message without a byte has no piece either.
                let of = &mut self.sides[side];
                if let Some(prefix) = of.prefix.as_mut().filter(|_| !of.closed) {
                    prefix.bytes.clear();
                    prefix.complete = None;
                }
            }
            // Others may have asked for it.
            Event::Payload(piece) if self.wants(side, ears) => self.piece(side, piece),
            Event::Close(_) => self.sides[side].closed = true,
            // Of what the hole has hidden, the protocol's part is lost.
            Event::Resynchronised(_) => self.sides[side].mqtt.get_or_insert_default().lost(),
            _ => {}
        }
    }

    fn piece(&mut self, side: Side, piece: &PayloadPiece<'_>) {
        let prefix = self.sides[side].prefix.get_or_insert_with(|| Prefix::empty(piece.kind));
        prefix.fill(piece.position, piece.bytes, piece.kind);
    }

    /// A message of `side` is complete that came in pieces. Gives its beginning if that is to be shown.
    pub(super) fn message(&mut self, side: Side, note: &MessageNote, ears: &Ears<'_>) -> Option<Preview> {
        let of = &mut self.sides[side];
        if of.closed {
            return None;
        }
        let mut prefix = of.prefix.take()?;
        prefix.is_whole = note.content == Content::Whole && note.size == prefix.bytes.len() as u64;
        // Where earlier data is missing, some bytes of it are not the message's.
        let is_certain = !matches!(note.content, Content::ContextLost | Content::UnknownExtension);
        prefix.complete = note.last.filter(|_| is_certain);
        let (size, content, last) = (note.size, note.content, note.last);
        let is_certain = prefix.complete.is_some();
        self.look(side, &Heard { beginning: prefix.glimpse(), size, content, last, is_certain }, ears);
        let shown = (ears.show() && is_certain).then(|| Preview::new(side, note, &prefix.bytes));
        if self.keeps(side, ears) {
            self.sides[side].prefix = Some(prefix);
        }
        shown
    }

    /// The same of a message that came at once. Whether its beginning is to be shown.
    #[inline]
    pub(super) fn whole_message(&mut self, side: Side, whole: &WholeMessage<'_>, ears: &Ears<'_>) -> bool {
        if !self.wants(side, ears) {
            self.sides[side].forget();
            return false;
        }
        self.wanted_whole_message(side, whole, ears)
    }

    fn wanted_whole_message(&mut self, side: Side, whole: &WholeMessage<'_>, ears: &Ears<'_>) -> bool {
        let WholeMessage { kind, len, at, beginning: bytes, .. } = *whole;
        // A message without a byte has no piece to look at, unless there is room for it already.
        if bytes.is_empty() && self.sides[side].prefix.is_none() {
            return false;
        }
        let (size, content, last) = (u64::from(len), Content::Whole, Some(at));
        let is_whole = size == bytes.len() as u64;
        let beginning = Glimpse { is_text: kind == MessageKind::Text, bytes, is_whole };
        self.look(side, &Heard { beginning, size, content, last, is_certain: true }, ears);
        if self.keeps(side, ears) {
            let prefix = self.sides[side].prefix.get_or_insert_with(|| Prefix::empty(kind));
            prefix.fill(0, bytes, kind);
            (prefix.complete, prefix.is_whole) = (last, is_whole);
        } else {
            self.sides[side].prefix = None;
        }
        ears.show()
    }

    /// Looks at a message.
    fn look(&mut self, side: Side, heard: &Heard<'_>, ears: &Ears<'_>) {
        let of = &mut self.sides[side];
        if of.compared < FIRST_MESSAGES {
            of.add(heard, ears.hashes);
            if heard.is_certain {
                of.json = Some(of.json.unwrap_or(true) && heard.beginning.is_likely_json());
                self.compare(side, heard.beginning, heard.last, ears.applications);
            }
        }
        self.follow(side, heard);
    }

    /// Follows the packets of a protocol that does not keep to messages.
    fn follow(&mut self, side: Side, heard: &Heard<'_>) {
        let form = self.known.as_ref().and_then(|known| known.protocol.form.as_ref());
        if form != Some(&Form::Mqtt) {
            return;
        }
        let packets = self.sides[side].mqtt.get_or_insert_default();
        match heard.last {
            Some(at) if heard.content == Content::Whole && !heard.beginning.is_text => {
                packets.push(heard.beginning.bytes, heard.size, at);
            }
            _ => packets.lost(),
        }
    }

    /// Compares one of the first messages with the protocols.
    fn compare(&mut self, side: Side, glimpse: Glimpse<'_>, at: Option<Origin>, applications: &Applications) {
        let known = self.known.as_deref();
        if known.is_some_and(|known| known.by == KnownBy::Subprotocol) {
            return;
        }
        let candidate = Candidate::new(side, glimpse);
        let family = known.map(|known| &*known.protocol);
        if let Some(found) = applications.by_message(&candidate, family) {
            // The path may tell which dialect it is.
            let hinted = self.hinted.as_deref().map(|hint| &hint.protocol);
            let dialect = hinted.filter(|protocol| protocol.refines.as_deref() == Some(&*found.name));
            let protocol = Arc::clone(dialect.unwrap_or(found));
            self.learn(protocol, KnownBy::Messages, at);
        } else if known.is_none()
            && let Some(Known { protocol: hint, by, .. }) = self.hinted.as_deref()
            // Some services also send the same in a form that is not read here.
            && (*by == KnownBy::Path || glimpse.is_text)
            && hint.form.is_some()
            && hint.read(side, &glimpse).is_none()
        {
            self.hinted = None;
        }
    }

    /// Whether all of the first messages of a side are JSON; `None` when none of them could be looked at.
    pub(super) fn json(&self, side: Side) -> Option<bool> {
        self.sides[side].json
    }

    /// What the last complete message of a side calls itself, and the packet with its last byte; `None` unless it is JSON.
    pub(super) fn label(&self, side: Side) -> Option<(Label, Origin)> {
        let prefix = self.sides[side].prefix.as_deref()?;
        Some((Label::of(&prefix.glimpse())?, prefix.complete?))
    }

    /// What came of it, when the connection is over.
    pub(super) fn finish(&mut self, connection: &Connection) -> Option<Box<Application>> {
        if self.known.is_none() && matches!(connection.handshake.outcome, Outcome::Accepted) {
            self.known = self.hinted.take();
        }
        let Known { protocol, by, at } = *self.known.take()?;
        let last = PerSide { client: Side::Client, server: Side::Server }.map(|side| {
            match self.sides[side].prefix.as_deref() {
                _ if protocol.form == Some(Form::Mqtt) => {
                    last_packet(side, &protocol, self.sides[side].mqtt.as_deref())
                }
                Some(prefix) if protocol.form.is_some() => {
                    match (prefix.complete, protocol.read(side, &prefix.glimpse())) {
                        (Some(at), Some(reading)) => LastMessage::Read { reading, at },
                        (Some(_), None) => LastMessage::Other,
                        (None, _) => LastMessage::Unread,
                    }
                }
                _ => LastMessage::None,
            }
        });
        Some(Box::new(Application { protocol, known_by: by, at, last }))
    }
}

/// What the last control packet of a side says.
fn last_packet(side: Side, protocol: &Protocol, packets: Option<&ControlPackets>) -> LastMessage {
    let Some(packets) = packets else { return LastMessage::None };
    match packets.last() {
        Some((fields, at)) => match protocol.interpret(side, &fields, &[]) {
            Some(reading) => LastMessage::Read { reading, at },
            None => LastMessage::Other,
        },
        None if packets.is_followed() => LastMessage::None,
        None => LastMessage::Unread,
    }
}
