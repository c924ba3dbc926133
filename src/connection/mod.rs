//! What we know about one WebSocket connection: small owned facts, collected in packet order while its bytes go by.
//!
//! `stack` feeds a [`Connection`] with what the protocol layers found; `evidence` and the reports read it. It holds no
//! payload beyond Close reasons (and beginnings of messages, if those were asked for) and a constant number of observations, however long the connection lives.

mod api_view;
mod closing;
mod ending;
mod entry;
mod epilogue;
mod handshake;
mod heartbeat;
mod hops;
mod in_flight;
mod journal;
mod pings;
mod previews;
mod rare;
mod reaction;
mod round_trips;
mod silence;
mod sizes;
mod timeline;
mod traffic;
mod visibility;

pub use api_view::ApiView;
pub use closing::{ClosingEvent, ClosingHandshake, ClosingState, ClosingTimes, TRANSITIONS, Transition};
pub use ending::{EndSignal, EndSignalKind, LastWord};
pub use epilogue::{Copies, Epilogue, Oddities};
pub use handshake::{Handshake, Leg, Outcome};
pub use heartbeat::{Heartbeat, HeartbeatName, HeartbeatRole, Heartbeats};
pub use hops::{HopDoubt, HopLoss, HopPoint, HopReset, Hops, Path, Recorder, ResetSource, WhyDoubt};
pub use in_flight::InFlight;
pub use pings::Pings;
pub use previews::{Preview, Previews};
pub use rare::{Blank, Rare};
pub use reaction::Reaction;
pub use round_trips::RoundTrips;
pub use silence::{Broken, Silence};
pub use sizes::MessageSizes;
pub use timeline::{Observation, Observed, Timeline};
pub use traffic::{AfterClose, FrameCounts, MessageNote, Traffic, UnderWay};
pub use visibility::{Blind, Hole, Sight, Visibility};

// What the layers below found, for those above, which see connections only.
pub use crate::application::{
    Application, Applications, Fault, Group, KnownBy, Label, LabelClass, LastMessage, Meaning, Reading, Retry,
};
pub use crate::http::{AcceptValue, Extension, Names, Request, Response, Text};
pub use crate::tcp::{FlowEnd, HopLimits, IcmpError, IcmpKind, LostTail, Pending, Resent, Reset};
pub use crate::tls::{Alert, Certificates, NameMatch, Readable, TlsFacts, Validity, WhyNot, alert_name};
pub use crate::websocket::{CloseFrame, ClosePayload, Content, Opcode, Utf8State};

use crate::limits::Limits;
pub use crate::tcp::{CopyKinds, Point, PointFacts as PointSeen};

use crate::units::{Endpoint, Origin, PacketNumber, PerSide, Side, StreamOffset};
use crate::violation::Violation;
use crate::websocket::{self, Event, WholeControl, WholeMessage};
use entry::Entry;
use journal::{Journal, Line, What};
use std::ops::{Deref, DerefMut};

/// Which connection of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    /// The TCP connection, numbered as `tcp.stream` in Wireshark.
    pub flow: u64,
    /// The HTTP/2 or HTTP/3 stream inside it; `None` when the WebSocket has the TCP connection to itself.
    pub tunnel: Option<u64>,
}

/// What carries the WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain TCP: `ws://`.
    Ws,
    /// TLS: `wss://`.
    Wss,
}

impl Transport {
    /// The name in the JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// What told us which end is the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// It sent the upgrade request, or its peer the response.
    Upgrade,
    /// It sent the TLS ClientHello.
    ClientHello,
    /// It sent the SYN.
    Syn,
    /// It masks its frames (RFC 6455 §5.1); nothing of the handshake was seen.
    Masking,
    /// Its packet came first; a guess.
    FirstPacket,
}

/// Everything known about one connection. What comes with its end is the [`Epilogue`], whose fields read as if they were its
/// own.
///
/// In this order, because every packet with payload touches the first fields and hardly any of the others.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Connection {
    /// What the capture shows of each side's bytes.
    pub visibility: PerSide<Visibility>,
    /// The last packet that carried a payload byte of each side.
    pub last_payload_of: PerSide<Option<Origin>>,
    /// The longest silence that it survived: neither side sent a payload byte, then one did before the first sign of the
    /// end, and it was acknowledged. `None` below [`Silence::LEAST_SECONDS`].
    pub longest_silence: Option<Box<Silence>>,
    journal: Journal,
    /// Of each side, the other's TCP has everything before this.
    acked: PerSide<StreamOffset>,
    epilogue: Option<Box<Epilogue>>,
    /// What each side sent. While it is open, what is still [in the journal](Self::catch_up) comes on top.
    pub traffic: Rare<PerSide<Traffic>>,
    /// What TLS showed; `None` without TLS.
    pub tls: Option<Box<TlsFacts>>,
    /// The first and last observations.
    pub timeline: Timeline,
    /// The opening handshake.
    pub handshake: Handshake,
    /// Its number.
    pub id: ConnectionId,
    /// Which application protocol its messages are of; `None` when that is not known.
    pub application: Option<Box<Application>>,
    /// The beginnings of messages; `None` unless the user asked for them.
    pub previews: Option<Box<Previews>>,
    /// First packet of its TCP connection.
    pub first: Origin,
    /// Last packet of its TCP connection.
    pub last: Origin,
    /// Addresses and ports.
    pub endpoints: PerSide<Endpoint>,
    /// The closing handshake.
    pub closing: ClosingHandshake,
    /// What carries it.
    pub transport: Transport,
    /// Why we believe that the client is the client.
    pub basis: Basis,
    /// Whether all of each side's first messages are JSON; `None` when none of them could be looked at.
    pub json: PerSide<Option<bool>>,
}

impl Deref for Connection {
    type Target = Epilogue;

    fn deref(&self) -> &Epilogue {
        self.epilogue.as_deref().unwrap_or_else(|| Epilogue::unwritten())
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Epilogue {
        self.epilogue.get_or_insert_default()
    }
}

impl Connection {
    /// Clock steps kept. With as many there may have been more, anywhere.
    pub const CLOCK_STEPS: usize = 64;

    /// Whether the clock may have stepped between two packets, so that their times do not tell a duration.
    #[must_use]
    pub fn clock_stepped(&self, from: PacketNumber, to: PacketNumber) -> bool {
        self.clock_steps.len() >= Self::CLOCK_STEPS
            || self.clock_steps.iter().any(|step| from < step.packet && step.packet <= to)
    }

    /// A connection of which nothing but its addresses is known.
    #[must_use]
    pub fn new(id: ConnectionId, endpoints: PerSide<Endpoint>, first: Origin, limits: &Limits) -> Self {
        Self {
            id,
            endpoints,
            transport: Transport::Ws,
            basis: Basis::FirstPacket,
            first,
            last: first,
            handshake: Handshake::default(),
            tls: None,
            traffic: Rare::default(),
            json: PerSide::default(),
            application: None,
            previews: None,
            closing: ClosingHandshake::default(),
            timeline: Timeline::new(limits),
            visibility: PerSide::default(),
            last_payload_of: PerSide::default(),
            longest_silence: None,
            epilogue: None,
            journal: Journal::default(),
            acked: PerSide::default(),
        }
    }

    /// Reads a little of what the next payload will need.
    #[must_use]
    #[inline]
    pub fn touch(&self) -> u64 {
        u64::from(self.longest_silence.is_some()) ^ self.acked.client.0 ^ u64::from(self.journal.is_empty())
    }

    /// Notes that a packet carried payload of `side`.
    pub fn payload(&mut self, side: Side, at: Origin) {
        // What waited behind a hole comes late.
        let last = &mut self.last_payload_of[side];
        if last.is_none_or(|last| last.packet <= at.packet) {
            *last = Some(at);
        }
    }

    /// The last packet that carried a payload byte of either side.
    #[must_use]
    #[inline]
    pub fn last_payload(&self) -> Option<Origin> {
        let PerSide { client, server } = self.last_payload_of;
        if client.map(|at| at.packet) > server.map(|at| at.packet) { client } else { server }
    }

    /// The other side acknowledged everything of `side` before `upto`.
    pub fn acknowledged(&mut self, side: Side, upto: StreamOffset) {
        self.acked[side] = self.acked[side].max(upto);
    }

    /// Complete data messages of `side` of which some byte lies at or after `acked` and was not acknowledged either while
    /// the connection was followed; at most [`InFlight::MAX`].
    #[must_use]
    pub fn messages_beyond(&self, side: Side, acked: StreamOffset) -> u64 {
        self.traffic[side].messages_beyond(acked.max(self.acked[side]))
    }

    /// Whether the bytes of `side`'s message under way are wanted ([`Event::Payload`]).
    #[must_use]
    pub fn wants_payload(&self, side: Side) -> bool {
        self.traffic[side].is_small_message_open()
    }

    /// Takes in what the frame decoder of one side found.
    pub fn websocket_event(&mut self, side: Side, event: &Event<'_>, limits: &Limits) {
        self.catch_up();
        match event {
            Event::Frame(frame) => {
                self.traffic[side].frame(frame);
                if frame.header.opcode != Opcode::Close {
                    self.payload(side, frame.first);
                }
            }
            Event::Message(message) => {
                let note = self.traffic[side].message(message, self.acked[side]);
                if note.wire_len <= heartbeat::SMALL {
                    let answers = self.traffic[side].heartbeats.get_or_insert_default().message(&note);
                    self.answered(side, answers);
                }
                let observed = match (message.content, message.inflated_len) {
                    (Content::Limit, Some(at_least)) => {
                        Observed::InflatedInPart { wire_len: message.wire_len, at_least }
                    }
                    (_, None) if note.compressed => Observed::NotInflated { wire_len: message.wire_len },
                    _ => observed_message(&note),
                };
                self.observe(note.last.unwrap_or(note.first), Some(side), observed);
            }
            Event::Control { opcode, payload, last, .. } => {
                let observed = self.control(side, *opcode, payload.len() as u64, pings::fingerprint(payload), *last);
                self.observe(*last, Some(side), observed);
            }
            Event::Close(close) => self.close_frame(side, close),
            Event::Violation(violation) => self.violation(violation.clone(), limits),
            Event::Unfinished(unfinished) => self.traffic[side].unfinished(unfinished),
            Event::Resynchronised(found) => {
                // The message under way at the loss is not the one that goes on here.
                self.traffic[side].open_message.end();
                let told = self.last_payload().map_or(found.origin.packet, |last| last.packet.max(found.origin.packet));
                self.visibility[side].resynchronised(found, told);
            }
            Event::FrameEnd(end) => self.traffic[side].frame_end = end.end(),
            Event::Payload(piece) => {
                if self.wants_payload(side) {
                    self.traffic[side].heartbeats.get_or_insert_default().peek(piece);
                }
            }
        }
    }

    /// Takes note of a message that came whole. The same as its events one by one, but that it goes to the
    /// [journal](Self::catch_up) first.
    pub fn whole_message(&mut self, side: Side, whole: &WholeMessage<'_>) {
        let WholeMessage { kind, len, at, beginning, .. } = *whole;
        let beat = if u64::from(len) <= heartbeat::SMALL { heartbeat::recognise(kind, beginning) } else { None };
        self.write(Line { at, what: What::Message(kind), word: whole.end().0, len, side, beat });
    }

    /// The same of a Ping or Pong.
    pub fn whole_control(&mut self, side: Side, whole: &WholeControl<'_>) {
        let what = if whole.is_ping { What::Ping } else { What::Pong };
        let (at, word, len) = (whole.at, pings::fingerprint(whole.payload), whole.header.payload_len);
        // At most 125.
        self.write(Line { at, what, word, len: len as u32, side, beat: None });
    }

    #[inline]
    fn write(&mut self, line: Line) {
        if self.journal.is_full() {
            self.catch_up();
        }
        self.journal.write(line);
    }

    /// Takes in what is in the journal: before anything else that happens, and before its traffic or timeline are read. When
    /// the connection is over that is left to who reads it, since many may wait for their turn then.
    #[inline]
    pub fn catch_up(&mut self) {
        if !self.journal.is_empty() {
            self.take_in_journal();
        }
    }

    fn take_in_journal(&mut self) {
        let lines = self.journal.take();
        self.timeline.expect(lines.len());
        for line in &lines {
            let &Line { at, side, .. } = line;
            match line.what {
                What::Message(kind) => {
                    let traffic = &mut self.traffic[side];
                    let (note, answers) = traffic.whole_message(kind, line, self.acked[side]);
                    let entry = Entry::message(at, side, kind, line.len, note.number);
                    self.timeline.push_overdue(entry, || observed_message(note));
                    self.answered(side, answers);
                }
                What::Ping | What::Pong => {
                    let observed = self.whole_control_frame(line);
                    let entry = Entry::of(&Observation { at, side: Some(side), observed });
                    self.timeline.push_overdue(entry, || observed);
                }
            }
            self.payload(side, at);
        }
        self.journal.give_back(lines);
    }

    fn whole_control_frame(&mut self, line: &Line) -> Observed {
        let (side, len) = (line.side, line.len.into());
        let opcode = if line.what == What::Ping { Opcode::Ping } else { Opcode::Pong };
        self.traffic[side].count(opcode, len, line.at);
        self.control(side, opcode, len, line.word, line.at)
    }

    /// A small message of `side` may answer a heartbeat.
    fn answered(&mut self, side: Side, answers: Option<HeartbeatName>) {
        if let Some(name) = answers
            && let Some(asked) = &mut self.traffic[side.other()].heartbeats
        {
            asked.answered(name);
        }
    }

    /// A Ping or Pong with so many bytes of payload, of this fingerprint.
    fn control(&mut self, side: Side, opcode: Opcode, len: u64, fingerprint: u64, at: Origin) -> Observed {
        if opcode == Opcode::Ping {
            self.traffic[side].pings.sent(len, fingerprint, at);
            Observed::Ping { len }
        } else {
            self.traffic[side.other()].pings.answered(fingerprint, at);
            Observed::Pong { len }
        }
    }

    fn close_frame(&mut self, side: Side, close: &websocket::CloseFrame) {
        self.observe(close.last, Some(side), Observed::Close(close_code(&close.payload)));
        if self.traffic[side].close.is_some() {
            return;
        }
        self.end_signal(EndSignalKind::CloseFrame, side, close.last);
        if let Some(other) = &self.traffic[side.other()].close {
            // A segment acknowledges all that its sender has got.
            self.closing.crossed = self.acked[side.other()] <= other.offset;
        }
        self.closing.close_frame(side);
        self.closing.initiator = self.first_close().map(|signal| signal.by);
        self.traffic[side].close = Some(Box::new(close.clone()));
    }

    /// Notes a broken rule.
    pub fn violation(&mut self, violation: Violation, limits: &Limits) {
        self.observe(violation.at, Some(violation.side), Observed::Violation(violation.rule));
        let Oddities { violations: kept, violations_dropped, .. } = &mut ***self;
        if kept.len() < limits.violations {
            kept.push(violation);
            return;
        }
        *violations_dropped += 1;
        // A client that never masks fills the list; what it breaks at last is worth more than one more of the same.
        let same = |one: &Violation, other: &Violation| (one.rule, one.side) == (other.rule, other.side);
        if !kept.iter().any(|known| same(known, &violation))
            && let Some(repeated) = (1..kept.len()).rfind(|&i| kept[..i].iter().any(|known| same(known, &kept[i])))
        {
            kept.remove(repeated);
            kept.push(violation);
        }
    }

    /// Rules that were broken, of which more may come to be known. Takes no memory where there are none.
    pub fn violations_mut(&mut self) -> &mut [Violation] {
        self.known_oddities().map_or(&mut [], |oddities| &mut oddities.violations)
    }

    /// What each of several points of capture saw, for whoever interprets it. Takes no memory where there was one.
    pub fn take_path(&mut self) -> Option<Path> {
        self.known_oddities()?.path.take()
    }

    fn known_oddities(&mut self) -> Option<&mut Oddities> {
        self.epilogue.as_mut()?.known_oddities()
    }

    /// Whether there was a sign of the end.
    #[must_use]
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.epilogue.as_ref().is_some_and(|epilogue| !epilogue.ending.is_empty())
    }

    /// Whether its content went by in TLS and nothing of it could be read.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.is_read())
    }

    /// Notes a sign that the connection is ending, with the last word of the other side at that moment.
    pub fn end_signal(&mut self, kind: EndSignalKind, by: Side, at: Origin) {
        self.catch_up();
        // Little follows, and many wait for the rest of it.
        self.journal = Journal::default();
        let peer = LastWord::of(&self.traffic[by.other()]);
        let (quiet_since, quiet_since_of) = (self.last_payload(), self.last_payload_of);
        let ending = &mut self.ending;
        if kind == EndSignalKind::Rst {
            // TCP tells of another one only when the connection has outlived the one before.
            ending.retain(|signal| signal.kind != kind || signal.by != by);
        }
        // A hole that is given up late delivers its other side late too: packets, not deliveries, are in order.
        let place = ending.partition_point(|signal| signal.at.packet <= at.packet);
        let signal = EndSignal { kind, by, at, quiet_since, quiet_since_of, peer };
        if ending.len() == ending.capacity() {
            // A Close frame and a FIN of each side.
            ending.reserve_exact(4);
        }
        ending.insert(place, signal);
    }

    /// Adds a line to the timeline.
    pub fn observe(&mut self, at: Origin, side: Option<Side>, observed: Observed) {
        self.catch_up();
        self.timeline.push(Observation { at, side, observed });
    }

    /// The first sign of the end: the first Close frame, or without one the first end of a side's stream.
    ///
    /// A TLS alert or FIN that only follows a Close frame is no sign of its own.
    #[must_use]
    pub fn first_end(&self) -> Option<&EndSignal> {
        self.first_close().or_else(|| self.stream_end()).or_else(|| self.ending.first())
    }

    /// The first sign that a side's stream is over: FIN or RST, or of a TLS connection that was decrypted `close_notify` or
    /// a fatal alert, which say so before TCP does.
    #[must_use]
    pub fn stream_end(&self) -> Option<&EndSignal> {
        self.ending.iter().find(|signal| match signal.kind {
            EndSignalKind::Fin | EndSignalKind::Rst | EndSignalKind::CloseNotify => true,
            EndSignalKind::TlsAlert => !self.is_sealed(),
            EndSignalKind::CloseFrame | EndSignalKind::HandshakeRejected => false,
        })
    }

    /// The signal of the first Close frame.
    #[must_use]
    pub fn first_close(&self) -> Option<&EndSignal> {
        self.ending.iter().find(|signal| signal.kind == EndSignalKind::CloseFrame)
    }

    /// The first FIN or RST.
    #[must_use]
    pub fn tcp_end(&self) -> Option<&EndSignal> {
        self.ending.iter().find(|signal| matches!(signal.kind, EndSignalKind::Fin | EndSignalKind::Rst))
    }

    /// It became a WebSocket, or was one when the capture began.
    #[must_use]
    pub fn was_upgraded(&self) -> bool {
        matches!(self.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured)
            || self.handshake.response.as_ref().is_some_and(|response| response.status == 101)
    }

    /// Seconds from the accepting response (or, without one, from the first packet) to `end`.
    #[must_use]
    pub fn lifetime(&self, end: Origin) -> Option<f64> {
        let start = self.handshake.response.as_ref().map_or(self.first, |response| response.last);
        end.seconds_since(&start)
    }
}

fn observed_message(note: &MessageNote) -> Observed {
    let MessageNote { kind, size: len, compressed, number, .. } = *note;
    Observed::Message { kind, len, compressed, number }
}

/// The code of a Close payload that has one.
pub(crate) fn close_code(payload: &ClosePayload) -> Option<u16> {
    match payload {
        ClosePayload::Status { code, .. } => Some(code.0),
        ClosePayload::Empty | ClosePayload::OneByte(_) => None,
    }
}
