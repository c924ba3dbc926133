//! Heartbeats that applications send as messages: small ones that come like clockwork, and the pings of known protocols.
//!
//! One [`Heartbeats`] for each side sees every small message of it: its size, its time, and its content for a moment. It
//! keeps a handful of rhythms, each a count and a few times, however long the connection lives.

use super::traffic::MessageNote;
use crate::units::Origin;
use crate::websocket::{MessageKind, Opcode, PayloadPiece};

/// A message of more payload bytes than this is no heartbeat.
pub(super) const SMALL: u64 = 128;

/// The protocols whose heartbeats are known by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeartbeatName {
    /// Engine.IO, and Socket.IO on top of it: `2` asks, `3` answers.
    EngineIo,
    /// STOMP: an end of line (STOMP 1.2, Heart-beating).
    Stomp,
    /// SignalR: a message of type 6, as JSON or MessagePack.
    SignalR,
    /// Phoenix channels: the event `heartbeat` on the topic `phoenix`.
    Phoenix,
    /// Pusher: `pusher:ping` and `pusher:pong`.
    Pusher,
    /// Action Cable: `{"type":"ping","message":…}` of the server.
    ActionCable,
    /// GraphQL over WebSocket: messages of type `ping`, `pong` or `ka`.
    GraphQl,
    /// MQTT: PINGREQ and PINGRESP.
    Mqtt,
    /// The bare words `ping` and `pong`.
    Words,
}

impl HeartbeatName {
    /// The stable name, as in `keepalive.heartbeats[].name` of the JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EngineIo => "engine_io",
            Self::Stomp => "stomp",
            Self::SignalR => "signalr",
            Self::Phoenix => "phoenix",
            Self::Pusher => "pusher",
            Self::ActionCable => "action_cable",
            Self::GraphQl => "graphql",
            Self::Mqtt => "mqtt",
            Self::Words => "ping_pong",
        }
    }

    /// Whether its words are so short that anything may look like them: then only their rhythm makes them a heartbeat.
    fn is_ambiguous(self) -> bool {
        matches!(self, Self::EngineIo | Self::Stomp)
    }
}

/// Whether a heartbeat asks or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeartbeatRole {
    /// It asks, or wants no answer.
    Ping,
    /// It answers one.
    Pong,
}

/// A heartbeat of one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heartbeat {
    /// Whose words they are; `None` when only the rhythm tells.
    pub name: Option<HeartbeatName>,
    /// Whether it asks or answers.
    pub role: HeartbeatRole,
    /// Payload bytes of the message; of a named one, of the last.
    pub size: u64,
    /// Messages that belong to it.
    pub beats: u64,
    /// The first of them.
    pub first: Origin,
    /// The last of them.
    pub last: Origin,
    /// How far the pauses between two of them lie apart: half of the difference between the longest and the shortest, as
    /// a part of their middle. Below [`Heartbeats::MOST_JITTER`], or `None` for known words without such a rhythm.
    pub jitter: Option<f64>,
    /// The oldest beat that the other side, which had answered before or must answer, has left unanswered.
    pub unanswered: Option<Origin>,
}

impl Heartbeat {
    /// Mean seconds between two beats; `None` when the packets carry no time.
    #[must_use]
    pub fn period(&self) -> Option<f64> {
        let pauses = self.beats.checked_sub(1).filter(|&pauses| pauses > 0)?;
        Some(self.last.seconds_since(&self.first)? / pauses as f64)
    }
}

/// The rhythms in the small messages of one side.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats {
    /// In the order in which they began.
    rhythms: Vec<Rhythm>,
    /// Content of the message under way.
    peek: Vec<u8>,
    /// It was longer than what is looked at.
    too_long: bool,
}

/// Whose heartbeat a message is, and which part it plays.
pub(super) type Beat = (HeartbeatName, HeartbeatRole);

/// What makes messages belong to one rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Named(HeartbeatName, HeartbeatRole),
    Sized(MessageKind, u64),
}

/// Messages of one key.
#[derive(Debug, Clone)]
struct Rhythm {
    named: Option<Beat>,
    kind: MessageKind,
    /// Payload bytes of the last message.
    size: u64,
    first: Origin,
    /// From the second of them on, or an answer: most messages are like no other of late.
    runs: Option<Box<Runs>>,
}

/// The runs of a rhythm.
#[derive(Debug, Clone)]
struct Runs {
    /// Every message.
    whole: Run,
    /// The messages up to the last that keep time.
    run: Run,
    /// The longest such run that is over.
    best: Option<Run>,
    answers: u64,
    unanswered: Option<Origin>,
}

/// Messages one after the other.
#[derive(Debug, Clone, Copy)]
struct Run {
    beats: u64,
    first: Origin,
    last: Origin,
    shortest: f64,
    longest: f64,
}

impl Run {
    fn beginning(at: Origin) -> Self {
        Self { beats: 1, first: at, last: at, shortest: f64::INFINITY, longest: 0.0 }
    }

    /// The same run with one more beat after `pause` seconds.
    fn with(self, at: Origin, pause: f64) -> Self {
        Self {
            beats: self.beats.saturating_add(1),
            last: at,
            shortest: self.shortest.min(pause),
            longest: self.longest.max(pause),
            ..self
        }
    }

    fn jitter(&self) -> f64 {
        if self.beats < 2 { 0.0 } else { (self.longest - self.shortest) / (self.longest + self.shortest) }
    }

    fn keeps_time(&self) -> bool {
        self.jitter() < Heartbeats::MOST_JITTER && self.shortest >= Heartbeats::SHORTEST_PERIOD
    }
}

impl Heartbeats {
    /// Rhythms followed at once.
    pub const RHYTHMS: usize = 4;

    /// A rhythm has less jitter than this.
    pub const MOST_JITTER: f64 = 0.05;

    /// What comes more often, in seconds, is a stream of data. A little less than one, for timers are not exact.
    pub const SHORTEST_PERIOD: f64 = 0.95;

    /// Beats in time that make messages of one size a heartbeat.
    const BEATS_OF_A_SIZE: u64 = 4;

    /// The same for words that anything may look like.
    const BEATS_OF_AMBIGUOUS_WORDS: u64 = 3;

    /// The same for words that can hardly be anything else, in time or not.
    const BEATS_OF_WORDS: u64 = 2;

    /// A piece of the message under way.
    pub(super) fn peek(&mut self, piece: &PayloadPiece<'_>) {
        if piece.position == 0 {
            self.peek.clear();
            self.too_long = false;
        }
        // A message of which the first bytes were passed over is not read.
        self.too_long |= usize::from(piece.position) != self.peek.len();
        if self.peek.len() + piece.bytes.len() > SMALL as usize {
            self.too_long = true;
        }
        if !self.too_long {
            self.peek.extend_from_slice(piece.bytes);
        }
    }

    /// A small message is complete, which came in pieces. Tells whose answer it is, if it is one.
    pub(super) fn message(&mut self, note: &MessageNote) -> Option<HeartbeatName> {
        let is_read = !self.too_long && self.peek.len() as u64 == note.size;
        let kind = if note.kind == Opcode::Text { MessageKind::Text } else { MessageKind::Binary };
        let named = if is_read { recognise(kind, &self.peek) } else { None };
        self.peek.clear();
        self.too_long = false;
        self.note(kind, note.size, note.last.unwrap_or(note.first), named)
    }

    /// The same of a message that came at once and is [known by its words](recognise), or is not.
    pub(super) fn note(
        &mut self,
        kind: MessageKind,
        size: u64,
        at: Origin,
        named: Option<Beat>,
    ) -> Option<HeartbeatName> {
        self.beat(Rhythm { named, kind, size, first: at, runs: None });
        named.and_then(|(name, role)| (role == HeartbeatRole::Pong).then_some(name))
    }

    /// The other side sent an answer in the words of `name`.
    pub(super) fn answered(&mut self, name: HeartbeatName) {
        let asked = Key::Named(name, HeartbeatRole::Ping);
        if let Some(rhythm) = self.rhythms.iter_mut().find(|rhythm| rhythm.key() == asked) {
            let runs = rhythm.runs();
            runs.unanswered = None;
            runs.answers = runs.answers.saturating_add(1);
        }
    }

    fn beat(&mut self, beat: Rhythm) {
        if let Some(rhythm) = self.rhythms.iter_mut().find(|rhythm| rhythm.key() == beat.key()) {
            rhythm.size = beat.size;
            rhythm.runs().beat(beat.first);
            return;
        }
        if self.rhythms.len() < Self::RHYTHMS {
            self.rhythms.reserve_exact(Self::RHYTHMS - self.rhythms.len());
        } else if let Some(weakest) = (0..self.rhythms.len()).min_by_key(|&index| self.rhythms[index].weight()) {
            self.rhythms.remove(weakest);
        }
        self.rhythms.push(beat);
    }

    /// The heartbeats, those of known protocols first, in the order in which they began.
    pub fn found(&self) -> impl Iterator<Item = Heartbeat> {
        let mut rhythms: Vec<&Rhythm> = self.rhythms.iter().collect();
        rhythms.sort_by_key(|rhythm| rhythm.named.is_none());
        rhythms.into_iter().filter_map(Rhythm::heartbeat)
    }
}

impl Rhythm {
    fn key(&self) -> Key {
        self.named.map_or(Key::Sized(self.kind, self.size), |(name, role)| Key::Named(name, role))
    }

    fn runs(&mut self) -> &mut Runs {
        self.runs.get_or_insert_with(|| Box::new(Runs::beginning(self.first)))
    }

    /// How much is lost when it gives way to another: known words most of all, and of equal ones the first.
    fn weight(&self) -> (bool, u64, u64) {
        let (longest, last) = match &self.runs {
            None => (1, self.first),
            Some(runs) => (runs.run.beats.max(runs.best.map_or(0, |best| best.beats)), runs.whole.last),
        };
        (self.named.is_some(), longest, last.packet.value())
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        let Runs { whole, run, best, answers, unanswered } = *self.runs.as_deref()?;
        let name = self.named.map(|(name, _)| name);
        let role = self.named.map_or(HeartbeatRole::Ping, |(_, role)| role);
        let needed = match name {
            None => Heartbeats::BEATS_OF_A_SIZE,
            Some(name) if name.is_ambiguous() => Heartbeats::BEATS_OF_AMBIGUOUS_WORDS,
            Some(_) => Heartbeats::BEATS_OF_WORDS,
        };
        let in_time = [Some(run), best].into_iter().flatten().find(|run| run.beats >= needed);
        let unmistakable = name.is_some_and(|name| !name.is_ambiguous());
        let (run, jitter) = match in_time {
            Some(run) if run.beats == whole.beats || !unmistakable => (run, Some(run.jitter())),
            _ if unmistakable && whole.beats >= needed => (whole, None),
            _ => return None,
        };
        let is_asked = role == HeartbeatRole::Ping && name.is_some_and(|name| answers > 0 || must_answer(name));
        let unanswered = if is_asked { unanswered } else { None };
        let (beats, first, last) = (run.beats, run.first, run.last);
        Some(Heartbeat { name, role, size: self.size, beats, first, last, jitter, unanswered })
    }
}

impl Runs {
    fn beginning(at: Origin) -> Self {
        let run = Run::beginning(at);
        Self { whole: run, run, best: None, answers: 0, unanswered: Some(at) }
    }

    fn beat(&mut self, at: Origin) {
        self.unanswered.get_or_insert(at);
        let Some(pause) = at.seconds_since(&self.run.last).filter(|pause| *pause >= 0.0) else {
            self.end_run(Run::beginning(at));
            self.whole = self.whole.with(at, 0.0);
            return;
        };
        self.whole = self.whole.with(at, pause);
        let longer = self.run.with(at, pause);
        if longer.keeps_time() {
            self.run = longer;
        } else {
            self.end_run(Run::beginning(self.run.last).with(at, pause));
        }
    }

    fn end_run(&mut self, next: Run) {
        let ended = std::mem::replace(&mut self.run, next);
        if self.best.is_none_or(|best| best.beats < ended.beats) {
            self.best = Some(ended);
        }
        if !self.run.keeps_time() {
            self.run = Run::beginning(self.run.last);
        }
    }
}

/// Protocols in which every ping has an answer, in words that are nothing else.
fn must_answer(name: HeartbeatName) -> bool {
    matches!(name, HeartbeatName::Pusher | HeartbeatName::Phoenix | HeartbeatName::Mqtt)
}

/// Whose heartbeat a message of at most [`SMALL`] bytes is by its words.
pub(super) fn recognise(kind: MessageKind, content: &[u8]) -> Option<Beat> {
    use HeartbeatName as N;
    use HeartbeatRole::{Ping, Pong};
    match (kind, content) {
        (MessageKind::Binary, [0xC0, 0]) => Some((N::Mqtt, Ping)),
        (MessageKind::Binary, [0xD0, 0]) => Some((N::Mqtt, Pong)),
        (MessageKind::Binary, [0x02, 0x91, 0x06]) => Some((N::SignalR, Ping)),
        (MessageKind::Text, b"2") => Some((N::EngineIo, Ping)),
        (MessageKind::Text, b"3") => Some((N::EngineIo, Pong)),
        (_, b"\n" | b"\r\n") => Some((N::Stomp, Ping)),
        (MessageKind::Text, b"{\"type\":6}\x1e") => Some((N::SignalR, Ping)),
        (MessageKind::Text, [b'{' | b'[', ..]) => recognise_json(content),
        (MessageKind::Text, words) if words.trim_ascii().eq_ignore_ascii_case(b"ping") => Some((N::Words, Ping)),
        (MessageKind::Text, words) if words.trim_ascii().eq_ignore_ascii_case(b"pong") => Some((N::Words, Pong)),
        _ => None,
    }
}

/// The same for a JSON text, by its strings.
fn recognise_json(content: &[u8]) -> Option<Beat> {
    use HeartbeatName as N;
    use HeartbeatRole::{Ping, Pong};
    match content {
        b"{\"type\":\"ping\"}" | b"{\"type\":\"ka\"}" => return Some((N::GraphQl, Ping)),
        b"{\"type\":\"pong\"}" => return Some((N::GraphQl, Pong)),
        _ if content.starts_with(b"{\"type\":\"ping\",\"message\":") => return Some((N::ActionCable, Ping)),
        _ => {}
    }
    let (mut phoenix, mut role) = (false, None);
    for (index, _) in content.iter().enumerate().filter(|(_, byte)| **byte == b'"') {
        match content.get(index + 1..).unwrap_or_default() {
            [b'p', b'u', rest @ ..] if rest.starts_with(b"sher:ping\"") => return Some((N::Pusher, Ping)),
            [b'p', b'u', rest @ ..] if rest.starts_with(b"sher:pong\"") => return Some((N::Pusher, Pong)),
            [b'p', b'h', rest @ ..] if rest.starts_with(b"oenix\"") => phoenix = true,
            [b'p', b'h', rest @ ..] if rest.starts_with(b"x_reply\"") => role = Some(Pong),
            [b'h', b'e', rest @ ..] if rest.starts_with(b"artbeat\"") => role = Some(Ping),
            _ => {}
        }
    }
    role.filter(|_| phoenix).map(|role| (N::Phoenix, role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};
    use crate::websocket::{Content, Utf8State};

    fn at(seconds: f64) -> Origin {
        let packet = PacketNumber::new((seconds * 1000.0) as u64 + 1).unwrap();
        Origin { packet, time: Some(Timestamp::from_nanos((seconds * 1e9) as i64)) }
    }

    fn send(heartbeats: &mut Heartbeats, content: &[u8], seconds: f64) -> Option<HeartbeatName> {
        for (index, byte) in content.iter().enumerate() {
            let (kind, position) = (MessageKind::Text, index as u16);
            heartbeats.peek(&PayloadPiece { kind, position, bytes: &[*byte] });
        }
        let (size, at) = (content.len() as u64, at(seconds));
        heartbeats.message(&MessageNote {
            number: 1,
            kind: Opcode::Text,
            size,
            wire_len: size,
            compressed: false,
            complete: true,
            content: Content::Whole,
            utf8: Utf8State::Valid,
            first: at,
            last: Some(at),
        })
    }

    fn found(times: &[f64], content: &[u8]) -> Vec<Heartbeat> {
        let mut heartbeats = Heartbeats::default();
        for time in times {
            send(&mut heartbeats, content, *time);
        }
        heartbeats.found().collect()
    }

    #[test]
    fn messages_of_one_size_that_keep_time_are_a_heartbeat() {
        let [beat] = found(&[0.0, 10.0, 20.3, 30.0], b"....")[..] else { panic!("one heartbeat") };
        assert_eq!((beat.name, beat.beats, beat.last), (None, 4, at(30.0)));
        assert_eq!(beat.period(), Some(10.0));
        // Longest 10.3, shortest 9.7.
        assert!((beat.jitter.unwrap() - 0.03).abs() < 1e-9);
    }

    #[test]
    fn five_percent_are_too_much_and_so_is_a_stream() {
        assert_eq!(found(&[0.0, 10.0, 22.0, 32.0, 44.0], b"...."), []);
        assert_eq!(found(&[0.0, 0.5, 1.0, 1.5, 2.0, 2.5], b"...."), []);
        assert_eq!(found(&[0.0, 10.0, 20.0], b"...."), []);
    }

    #[test]
    fn a_beat_that_fails_ends_the_rhythm_but_not_the_knowledge() {
        let [beat] = found(&[0.0, 10.0, 20.0, 30.0, 77.0], b"....")[..] else { panic!("one heartbeat") };
        assert_eq!((beat.beats, beat.last), (4, at(30.0)));
    }

    #[test]
    fn known_words_need_less_but_ambiguous_ones_a_rhythm() {
        assert_eq!(found(&[0.0, 25.0], b"2"), []);
        assert_eq!(found(&[0.0, 25.0, 50.0], b"2")[0].name, Some(HeartbeatName::EngineIo));
        assert_eq!(found(&[0.0, 1.0, 50.0], b"2"), []);
        let [pusher] = found(&[0.0, 31.0, 50.0], br#"{"event":"pusher:ping","data":{}}"#)[..] else { panic!() };
        assert_eq!((pusher.name, pusher.jitter, pusher.beats), (Some(HeartbeatName::Pusher), None, 3));
        assert_eq!(pusher.unanswered, Some(at(0.0)));
    }

    #[test]
    fn an_answer_is_told_and_settles_what_was_asked() {
        let (mut server, mut client) = (Heartbeats::default(), Heartbeats::default());
        for time in [0.0, 25.0, 50.0] {
            assert_eq!(send(&mut server, b"2", time), None);
            if time < 50.0 {
                let name = send(&mut client, b"3", time + 0.01).expect("an answer");
                server.answered(name);
            }
        }
        assert_eq!(server.found().next().unwrap().unanswered, Some(at(50.0)));
    }

    #[test]
    fn each_protocol_by_its_words() {
        use HeartbeatName as N;
        for (content, name) in [
            (&b"\n"[..], N::Stomp),
            (b"{\"type\":6}\x1e", N::SignalR),
            (br#"[null,"12","phoenix","heartbeat",{}]"#, N::Phoenix),
            (br#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"7"}"#, N::Phoenix),
            (br#"{"type":"ping","message":1700000000}"#, N::ActionCable),
            (br#"{"type":"ka"}"#, N::GraphQl),
            (b"PING\r\n", N::Words),
        ] {
            assert_eq!(recognise(MessageKind::Text, content), Some((name, HeartbeatRole::Ping)));
        }
        assert_eq!(recognise(MessageKind::Binary, &[0xD0, 0]), Some((N::Mqtt, HeartbeatRole::Pong)));
        for content in [&b"2probe"[..], b"42[\"x\"]", b"{\"type\":\"pinged\"}", b"pings", b""] {
            assert_eq!(recognise(MessageKind::Text, content), None);
        }
    }

    #[test]
    fn a_flood_of_sizes_is_bounded_and_leaves_the_rhythm() {
        let mut heartbeats = Heartbeats::default();
        for round in 0..20_u32 {
            send(&mut heartbeats, b"....", f64::from(round) * 10.0);
            for size in 5..40 {
                send(&mut heartbeats, &vec![b'.'; size], f64::from(round) * 10.0 + 3.0 + size as f64 / 100.0);
            }
        }
        assert!(heartbeats.rhythms.len() <= Heartbeats::RHYTHMS);
        // Nothing is promised for a rhythm that 35 others crowd out, except that none is made up.
        assert!(heartbeats.found().all(|beat| beat.period().is_some_and(|period| (9.0..11.0).contains(&period))));
    }
}
