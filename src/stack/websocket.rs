//! An upgraded connection: each direction has its frame decoder, and all they find goes into the connection.

use super::early::Crossing;
use super::inside::{Ears, Inside};
use super::{Shared, record_alert, record_end, record_gap, side_of};
use crate::connection::{Basis, Broken, Connection, Outcome, Preview};
use crate::http;
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, GapReason, StreamEnd, StreamEndKind};
use crate::tls::Alert;
use crate::units::{Origin, PerSide, Side, StreamOffset};
use crate::violation::{Detail, Violation, ViolationRule};
use crate::websocket::{Decoder, DecoderStatus, Event, EventSink, Resynchronised, Scratch, WholeControl, WholeMessage};

#[derive(Debug)]
pub(super) struct WebSocketStage {
    client: End,
    basis: Basis,
    connection: Box<Connection>,
    decoders: PerSide<Decoder>,
    inside: Inside,
    finished: PerSide<bool>,
    /// That the server accepted is known only from the frames of the client.
    answer_unseen: bool,
    /// The client has not sent anything behind the 101 yet.
    crossing: Option<Box<Crossing>>,
    /// The last silence that was broken, until it is known to be survived.
    broken: Option<Box<Broken>>,
    crowd_knows: CrowdKnows,
    cut: Option<Box<Cut>>,
}

/// What is kept where heads of HTTP may be cut.
#[derive(Debug, Default)]
struct Cut {
    /// Where the segment ends with the head of the response, if that was recorded short.
    head_end: Option<StreamOffset>,
    /// Only while a status line may be cut.
    recent: PerSide<Option<Recent>>,
}

/// What of this connection the crowd has been told.
#[derive(Debug, Default)]
struct CrowdKnows {
    ended: bool,
    /// The silence that is the longest now.
    longest_silence: bool,
    messages: u8,
}

impl WebSocketStage {
    pub(super) fn new(
        client: End,
        basis: Basis,
        mut connection: Box<Connection>,
        decoders: PerSide<Decoder>,
        shared: &mut Shared,
    ) -> Self {
        let handshake = &connection.handshake;
        let heads = [
            (Side::Client, handshake.request.as_ref().map(|request| request.last)),
            (Side::Server, handshake.response.as_ref().map(|response| response.last)),
        ];
        for (side, last) in heads {
            if let Some(last) = last {
                connection.visibility[side].note_bytes(last);
            }
        }
        let inside = Inside::new(&shared.applications, &connection);
        shared.notices.opened(&connection);
        Self {
            client,
            basis,
            connection,
            decoders,
            inside,
            finished: PerSide::default(),
            answer_unseen: false,
            crossing: None,
            broken: None,
            crowd_knows: CrowdKnows::default(),
            cut: None,
        }
    }

    pub(super) fn client(&self) -> End {
        self.client
    }

    /// What told which end is the client.
    pub(super) fn basis(&self) -> Basis {
        self.basis
    }

    /// Bytes of `from` came before, since `at`, in which no frames were looked for.
    pub(super) fn begins_without_frames(&mut self, from: End, at: Origin) {
        self.connection.visibility[side_of(from, self.client)].note_lost_start(at);
    }

    /// No answer to the upgrade request was seen.
    pub(super) fn answer_unseen(&mut self) {
        self.answer_unseen = true;
    }

    /// All bytes of the server were seen, or not: if so, it never answered, and the client sent frames too early.
    pub(super) fn judge_unseen_answer(&mut self, server_seen_whole: bool) {
        if self.answer_unseen && server_seen_whole {
            self.connection.handshake.outcome = Outcome::None;
        }
    }

    /// The rest of the segment with the server's response was not recorded.
    pub(super) fn head_cut(&mut self, shared: &mut Shared, gap: Gap) {
        self.cut.get_or_insert_default().head_end = gap.len.map(|len| gap.offset.plus(len));
        self.gap(shared, gap);
    }

    /// The client's next bytes are its first behind the 101.
    pub(super) fn watch_crossing(&mut self, crossing: Crossing) {
        self.crossing = Some(Box::new(crossing));
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.decoders.client.kept_bytes() + self.decoders.server.kept_bytes() + self.inside.kept_bytes()
    }

    pub(super) fn chunk(&mut self, shared: &mut Shared, chunk: Chunk<'_>) {
        let side = side_of(chunk.from, self.client);
        self.connection.visibility[side].note_bytes(chunk.origin);
        if side == Side::Client
            && let Some(crossing) = self.crossing.take()
            && let Some(violation) = crossing.judge(chunk.origin, chunk.offset)
        {
            self.connection.violation(violation, &shared.limits);
        }
        let quiet_since = self.connection.last_payload();
        let (decoder, scratch, mut recorder) = self.parts(side, shared);
        decoder.push(scratch, chunk.offset, chunk.origin, chunk.bytes, &mut recorder);
        self.note_http_status(side, &chunk);
        self.note_silence(side, quiet_since, &chunk);
        self.connection.payload(side, chunk.origin);
        self.tell_crowd(shared);
    }

    /// Notes a silence that is over, unless the connection is ending.
    #[inline]
    fn note_silence(&mut self, side: Side, since: Option<Origin>, chunk: &Chunk<'_>) {
        let end = chunk.offset.plus(chunk.bytes.len() as u64);
        if let Some(broken) = Broken::between(since, chunk.origin, side, end)
            && !self.connection.is_ending()
        {
            let longest = self.connection.longest_silence.as_ref().map_or(0.0, |longest| longest.seconds);
            // Shorter ones tell nothing new.
            if broken.seconds() > longest {
                match &mut self.broken {
                    Some(earlier) => **earlier = broken,
                    none => *none = Some(Box::new(broken)),
                }
            }
        }
    }

    /// Tells the crowd what is new.
    fn tell_crowd(&mut self, shared: &mut Shared) {
        // What a hole hides may have broken the silence.
        if !self.crowd_knows.longest_silence
            && let Some(survived) = self.connection.longest_silence.as_deref()
            && self.connection.visibility.iter().all(|(_, seen)| seen.gap.is_none())
        {
            self.crowd_knows.longest_silence = true;
            shared.notices.survived(&self.connection, *survived);
        }
        if self.inside.heard() > self.crowd_knows.messages {
            self.crowd_knows.messages = self.inside.heard();
            if let Some(said) = self.inside.said(&shared.hashes) {
                shared.notices.spoke(&self.connection, &said);
            }
        }
        if !self.crowd_knows.ended && self.connection.is_ending() {
            self.crowd_knows.ended = true;
            shared.notices.ended(&self.connection);
        }
    }

    pub(super) fn gap(&mut self, shared: &mut Shared, gap: Gap) {
        let side = side_of(gap.from, self.client);
        record_gap(&mut self.connection, gap, side);
        let (decoder, scratch, mut recorder) = self.parts(side, shared);
        // The one number at the end of a stream that may be a byte or the FIN: no frame is so short.
        let is_tail = gap.len.is_none() && gap.reason == GapReason::NotCaptured;
        if is_tail && decoder.open_frame().is_none() && !matches!(decoder.status(), DecoderStatus::Lost { .. }) {
            return;
        }
        decoder.gap(scratch, gap.offset, gap.len, gap.origin, &mut recorder);
        self.note_loss(side);
    }

    /// Reads a little of what the next bytes will need.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.connection.touch()
    }

    pub(super) fn acknowledged(&mut self, from: End, upto: StreamOffset) {
        if from != self.client
            && let Some(crossing) = &mut self.crossing
        {
            crossing.acknowledged(upto);
        }
        let side = side_of(from, self.client);
        if let Some(survived) = self.broken.as_ref().and_then(|broken| broken.survived(side, upto)) {
            self.broken = None;
            let longest = &mut self.connection.longest_silence;
            if longest.as_ref().is_none_or(|longest| longest.seconds < survived.seconds) {
                match longest {
                    Some(shorter) => **shorter = survived,
                    none => *none = Some(Box::new(survived)),
                }
                self.crowd_knows.longest_silence = false;
            }
        }
        self.connection.acknowledged(side, upto);
    }

    pub(super) fn end(&mut self, shared: &mut Shared, end: StreamEnd, tcp_ended: bool) {
        let side = side_of(end.from, self.client);
        self.settle(shared, side);
        if end.kind == StreamEndKind::Fin {
            // Nothing follows a FIN, while a RST may be forged and the conversation go on.
            self.finish_side(shared, side);
        }
        record_end(&mut self.connection, end, side);
        if end.kind == StreamEndKind::Fin {
            self.connection.closing.fin(side);
        }
        // Whether the connection outlives a RST is not known yet.
        if tcp_ended && end.kind == StreamEndKind::Fin {
            self.connection.closing.tcp_ended();
        }
        self.tell_crowd(shared);
    }

    pub(super) fn alert(&mut self, shared: &mut Shared, from: End, alert: &Alert) {
        let side = side_of(from, self.client);
        self.settle(shared, side);
        record_alert(&mut self.connection, alert, side);
        self.tell_crowd(shared);
    }

    /// What a search holds back is due before an end is noted.
    fn settle(&mut self, shared: &mut Shared, ended: Side) {
        for searching in [ended, ended.other()] {
            let (decoder, scratch, mut recorder) = self.parts(searching, shared);
            decoder.settle(scratch, &mut recorder);
        }
    }

    fn finish_side(&mut self, shared: &mut Shared, side: Side) {
        if !std::mem::replace(&mut self.finished[side], true) {
            let (decoder, scratch, mut recorder) = self.parts(side, shared);
            decoder.finish(scratch, &mut recorder);
            self.note_loss(side);
        }
    }

    pub(super) fn finish(mut self, shared: &mut Shared) -> Box<Connection> {
        for side in Side::BOTH {
            self.finish_side(shared, side);
            self.count_frames_after_close(side);
            self.count_unreadable_messages(side);
        }
        self.accept_what_the_client_accepted();
        for side in Side::BOTH {
            self.connection.json[side] = self.inside.json(side);
            if let Some(label) = self.inside.label(side) {
                self.connection.traffic[side].label = Some(Box::new(label));
            }
        }
        self.connection.application = self.inside.finish(&self.connection);
        self.tell_crowd(shared);
        shared.notices.left(&self.connection);
        self.connection
    }

    /// The violation was noted at the first frame behind the Close frame; now all of them are counted.
    fn count_frames_after_close(&mut self, side: Side) {
        let frames = self.decoders[side].frames_after_close();
        let broken =
            |violation: &&mut Violation| violation.rule == ViolationRule::DataAfterClose && violation.side == side;
        if let Some(violation) = self.connection.violations_mut().iter_mut().find(broken) {
            violation.detail = Detail::Frames(frames);
        }
    }

    /// Says of an HTTP response in the place of a frame what its status line says, as soon as that is there.
    #[inline]
    fn note_http_status(&mut self, side: Side, chunk: &Chunk<'_>) {
        let may_be_http = self.decoders[side].may_be_inside_http();
        if may_be_http || self.cut.is_some() || !self.connection.violations_mut().is_empty() {
            self.read_http_status(side, chunk, may_be_http);
        }
    }

    /// `may_be_http`: what comes next may belong to an HTTP message.
    #[cold]
    fn read_http_status(&mut self, side: Side, chunk: &Chunk<'_>, may_be_http: bool) {
        let is_unread = |violation: &&mut Violation| {
            violation.rule == ViolationRule::HttpInWebsocket
                && violation.side == side
                && violation.detail == Detail::None
        };
        let recent = self.cut.as_ref().and_then(|cut| cut.recent[side].as_ref());
        if let Some(violation) = self.connection.violations_mut().iter_mut().find(is_unread)
            && let Some(at) = violation.offset
            && let Some(status) = recent.unwrap_or(&Recent::NOTHING).status_at(at, chunk)
        {
            violation.detail = Detail::HttpStatus(status);
        }
        if may_be_http {
            self.cut.get_or_insert_default().recent[side].get_or_insert(Recent::NOTHING).keep(chunk);
        } else if let Some(cut) = &mut self.cut {
            cut.recent[side] = None;
        }
    }

    /// The violation was noted when a message did not inflate; now those are counted that may refer to it.
    fn count_unreadable_messages(&mut self, side: Side) {
        let count = self.decoders[side].unreadable_messages();
        for violation in self.connection.violations_mut().iter_mut().filter(|violation| violation.side == side) {
            if let Detail::Inflate { unreadable, .. } = &mut violation.detail {
                *unreadable = count;
            }
        }
    }

    /// A client that goes on sending frames after a faulty 101 has accepted it, whatever RFC 6455 §4.1 asks.
    fn accept_what_the_client_accepted(&mut self) {
        if self.connection.handshake.outcome == Outcome::Failed {
            self.connection.catch_up();
            let frames = &self.connection.traffic.client.frames;
            if frames.text + frames.binary > 0 {
                self.connection.handshake.outcome = Outcome::Accepted;
            }
        }
    }

    /// Notes since when frames are missing, if they are.
    fn note_loss(&mut self, side: Side) {
        if let DecoderStatus::Lost { at, .. } = self.decoders[side].status() {
            self.connection.visibility[side].note_lost_frames(at);
        }
    }

    fn parts<'s>(&'s mut self, side: Side, shared: &'s mut Shared) -> (&'s mut Decoder, &'s mut Scratch, Recorder<'s>) {
        let Shared { limits, scratch, applications, payload, hashes, .. } = shared;
        let cut_head_end = if side == Side::Server { self.cut.as_ref().and_then(|cut| cut.head_end) } else { None };
        let recorder = Recorder {
            connection: &mut self.connection,
            inside: &mut self.inside,
            side,
            limits,
            ears: Ears { applications, payload: *payload, hashes },
            cut_head_end,
        };
        (&mut self.decoders[side], scratch, recorder)
    }
}

/// The last bytes of a side, for a status line that is cut.
#[derive(Debug)]
struct Recent {
    bytes: [u8; STATUS_LINE],
    len: u8,
    end: StreamOffset,
}

/// Bytes of a status line up to the space behind the status, with one to spare for a longer version.
const STATUS_LINE: usize = 16;

impl Recent {
    const NOTHING: Self = Self { bytes: [0; STATUS_LINE], len: 0, end: StreamOffset(0) };

    /// The status in the status line at `at`, which lies in what is kept or in `chunk`.
    fn status_at(&self, at: StreamOffset, chunk: &Chunk<'_>) -> Option<u16> {
        let mut line = Vec::with_capacity(STATUS_LINE);
        match at.0.checked_sub(chunk.offset.0) {
            Some(skipped) => line.extend(chunk.bytes.iter().skip(usize::try_from(skipped).ok()?).take(STATUS_LINE)),
            None if self.end == chunk.offset => {
                let kept = self.kept().len().checked_sub(usize::try_from(self.end.0 - at.0).ok()?)?;
                line.extend(self.kept()[kept..].iter().chain(chunk.bytes).take(STATUS_LINE));
            }
            None => return None,
        }
        http::status_of(&line)
    }

    fn kept(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn keep(&mut self, chunk: &Chunk<'_>) {
        if self.end != chunk.offset {
            self.len = 0;
        }
        let last = &chunk.bytes[chunk.bytes.len().saturating_sub(STATUS_LINE)..];
        let kept = self.kept().len();
        let left = kept.min(STATUS_LINE - last.len());
        self.bytes.copy_within(kept - left..kept, 0);
        self.bytes[left..left + last.len()].copy_from_slice(last);
        // At most STATUS_LINE.
        self.len = (left + last.len()) as u8;
        self.end = chunk.offset.plus(chunk.bytes.len() as u64);
    }
}

/// Hands what the decoder of one side finds to the connection.
struct Recorder<'a> {
    connection: &'a mut Connection,
    inside: &'a mut Inside,
    side: Side,
    limits: &'a Limits,
    ears: Ears<'a>,
    cut_head_end: Option<StreamOffset>,
}

impl Recorder<'_> {
    /// The beginning of the message that was complete last is to be shown.
    fn show(&mut self, beginning: &[u8]) {
        self.connection.catch_up();
        if let Some(note) = self.connection.traffic[self.side].last_message {
            let preview = Preview::new(self.side, &note, beginning);
            self.connection.previews.get_or_insert_default().push(preview, self.limits);
        }
    }

    /// The message that the connection took note of last is looked into.
    fn message(&mut self) {
        let Some(note) = self.connection.traffic[self.side].last_message else { return };
        if let Some(preview) = self.inside.message(self.side, &note, &self.ears) {
            self.connection.previews.get_or_insert_default().push(preview, self.limits);
        }
    }

    /// An extension besides permessage-deflate may give the reserved bits and opcodes a meaning (RFC 6455 §5.2).
    fn may_be_an_extension(&self, rule: ViolationRule) -> bool {
        matches!(rule, ViolationRule::RsvNonzero | ViolationRule::ReservedOpcode)
            && !self.connection.handshake.negotiated().other_extensions.is_empty()
    }
}

impl EventSink for Recorder<'_> {
    fn whole_message(&mut self, whole: &WholeMessage<'_>) {
        self.connection.whole_message(self.side, whole);
        if self.inside.whole_message(self.side, whole, &self.ears) {
            self.show(whole.beginning);
        }
    }

    fn whole_control(&mut self, whole: &WholeControl<'_>) {
        self.connection.whole_control(self.side, whole);
    }

    fn wants_payload(&self) -> bool {
        self.inside.wants(self.side, &self.ears) || self.connection.wants_payload(self.side)
    }

    fn event(&mut self, event: Event<'_>) {
        self.inside.event(self.side, &event, &self.ears);
        match event {
            // Nothing but the head was in the hole: a Close frame behind it would have been the last one.
            Event::Resynchronised(found) if Some(found.found) == self.cut_head_end => {
                let found = Resynchronised { lost_from: found.found, ..found };
                self.connection.websocket_event(self.side, &Event::Resynchronised(found), self.limits);
            }
            Event::Violation(violation) if self.may_be_an_extension(violation.rule) => {}
            event => {
                self.connection.websocket_event(self.side, &event, self.limits);
                if matches!(event, Event::Message(_)) {
                    self.message();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Applications, Form, PathPattern, Protocol, Shape, Test};
    use crate::connection::{ConnectionId, MessageNote, Timeline, Traffic, Visibility};
    use crate::stack::Payload;
    use crate::units::{Endpoint, PacketNumber, Timestamp};
    use crate::websocket::DecoderConfig;
    use std::sync::Arc;

    fn at(packet: u64) -> Origin {
        let time = Some(Timestamp::from_nanos(packet as i64 * 500_000_000));
        Origin { packet: PacketNumber::new(packet).unwrap(), time }
    }

    fn frame(side: Side, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = if side == Side::Client { 0x80 } else { 0 };
        let mut frame = match payload.len() {
            len @ 0..=125 => vec![0x80 | opcode, mask | len as u8],
            len => [&[0x80 | opcode, mask | 126][..], &(len as u16).to_be_bytes()].concat(),
        };
        if side == Side::Server {
            frame.extend(payload);
        } else {
            let key = [7, 0, 200, 33];
            frame.extend(key);
            frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        frame
    }

    /// The connection on which these frames were sent, each in one packet, handed over in pieces of this many bytes.
    fn followed(frames: &[(Side, Vec<u8>)], piece: usize, payload: Payload, protocol: &Protocol) -> String {
        let applications = Arc::new(Applications::new(vec![protocol.clone()]));
        let mut shared = Shared::new(Limits::default(), applications, payload);
        let ends = ["10.0.0.1", "10.0.0.2"].map(|ip| Endpoint { ip: ip.parse().unwrap(), port: 80 });
        let endpoints = PerSide { client: ends[0], server: ends[1] };
        let id = ConnectionId { flow: 0, tunnel: None };
        let connection = Box::new(Connection::new(id, endpoints, at(1), &shared.limits));
        let decoder = |sender| Decoder::new(DecoderConfig { sender, deflate: None });
        let decoders = PerSide { client: decoder(Side::Client), server: decoder(Side::Server) };
        let mut stage = WebSocketStage::new(End::A, Basis::Upgrade, connection, decoders, &mut shared);
        let mut offsets = PerSide { client: 0, server: 0 };
        for (packet, (side, bytes)) in (2..).zip(frames) {
            let from = if *side == Side::Client { End::A } else { End::B };
            // A sign of the end looks at what came before it, and so do the pieces of one.
            let is_control = bytes[0] & 8 != 0;
            for bytes in bytes.chunks(if is_control { usize::MAX } else { piece }) {
                let offset = StreamOffset(offsets[*side]);
                stage.chunk(&mut shared, Chunk { from, offset, origin: at(packet), bytes });
                offsets[*side] += bytes.len() as u64;
            }
        }
        let mut connection = stage.finish(&mut shared);
        connection.catch_up();
        format!("{connection:?}")
    }

    /// What a connection that says nothing takes; what it has said comes on top.
    #[test]
    fn an_idle_connection_is_small() {
        let sizes = [
            ("stage", size_of::<WebSocketStage>(), 248),
            ("decoder", size_of::<Decoder>(), 48),
            ("inside", size_of::<Inside>(), 112),
            ("connection", size_of::<Connection>(), 320),
            ("traffic", size_of::<Traffic>(), 320),
            ("visibility", size_of::<Visibility>(), 16),
            ("timeline", size_of::<Timeline>(), 48),
            ("note", size_of::<MessageNote>(), 80),
        ];
        let too_large: Vec<_> = sizes.iter().filter(|(_, size, most)| size > most).collect();
        println!("{sizes:?}");
        assert!(too_large.is_empty(), "{too_large:?}");
    }

    #[test]
    fn a_message_that_comes_whole_leaves_what_its_pieces_leave() {
        let texts = ["2", "3", "", "{\"type\":\"ping\"}", "{\"type\":\"pong\"}", "gr\u{fc}\u{df}e", "[1,2]"];
        let long = ["x".repeat(128), "{".repeat(129), "\u{20ac}".repeat(86), "y".repeat(70_000 >> 2)];
        let mut frames = Vec::new();
        for round in 0..3 {
            for (index, text) in texts.iter().copied().chain(long.iter().map(String::as_str)).enumerate() {
                let side = Side::BOTH[(index + round) % 2];
                frames.push((side, frame(side, 1, text.as_bytes())));
                frames.push((side.other(), frame(side.other(), 2, text.as_bytes())));
            }
            frames.push((Side::Server, frame(Side::Server, 9, b"ping")));
            frames.push((Side::Client, frame(Side::Client, 10, b"ping")));
        }
        frames.push((Side::Client, frame(Side::Client, 1, b"\xFF")));
        frames.push((Side::Server, frame(Side::Server, 8, &[3, 232])));
        frames.push((Side::Server, frame(Side::Server, 1, b"late")));

        let path = PathPattern { ends: "/".into(), query: Vec::new() };
        let json = Form::Json { kind: "type".into(), detail: None };
        let kinds = vec![("ping".into(), "ping".into()), ("pong".into(), "pong".into())];
        let shape = |test| Shape { from: None, test, holds: Vec::new() };
        let unknown = Protocol { name: "unknown".into(), ..Protocol::default() };
        let known = Protocol {
            name: "known".into(),
            paths: vec![path],
            first: vec![shape(Test::Starts("{\"type\"".into()))],
            form: Some(json),
            kinds,
            ..Protocol::default()
        };
        let packets = Protocol { form: Some(Form::Mqtt), first: vec![shape(Test::Is("2".into()))], ..unknown.clone() };
        for payload in [Payload::Hidden, Payload::Shown] {
            for protocol in [&unknown, &known, &packets] {
                for first in [0, 1, 7, 13] {
                    let whole = followed(&frames[first..], usize::MAX, payload, protocol);
                    for piece in [1, 2, 5, 100, 300] {
                        let cut = followed(&frames[first..], piece, payload, protocol);
                        let same = whole.bytes().zip(cut.bytes()).take_while(|(one, other)| one == other).count();
                        assert!(whole == cut, "{piece} bytes: {}", &cut[same.saturating_sub(200)..]);
                    }
                }
            }
        }
    }
}
