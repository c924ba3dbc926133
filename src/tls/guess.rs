//! Whether what cannot be read is a WebSocket, from the sizes and times of its records alone.
//!
//! A frame has two bytes of header, the client's four more for its mask (RFC 6455 §5.2, §5.3). So a Pong, a Close frame
//! or an echo is four bytes longer than what it answers, when the client answers, and four shorter when the server does.
//! HTTP has no such small change: a request that a client sends has at least its first line and a Host field, and
//! a response its status line; small bodies follow their head in the same breath. HTTP/2 has small frames, but its
//! server begins with one, and a client that offers it is left alone where its choice is encrypted.
//!
//! What speaks for a WebSocket:
//! - the opening: a request and an answer of the size of an upgrade,
//! - *pairs*: a small record of the client alone, and next to it one of the server that fits by those four bytes,
//! - *turns*: small records of the client alone, with words of the server in between, where there are pairs as well,
//! - the *parting*: a pair of the size of Close frames, and then the end.
//!
//! A server may answer a request before its body has come, so a small record close behind a large one of the client may be
//! that body, whatever the server said in between. One record of the client that is smaller than any frame speaks
//! against a WebSocket. Nothing here is ever certain, and a
//! WebSocket whose messages are all large goes unnoticed. `docs/tls-inference.md` has measurements.
//! A constant number of records is kept.

use crate::units::{Origin, PerSide, Side};
use std::collections::VecDeque;
use std::time::Duration;

/// A record of application data: bounds of the bytes it holds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) side: Side,
    pub(super) least: u16,
    pub(super) most: u16,
    pub(super) origin: Origin,
}

/// What sizes and times of records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketGuess {
    /// How much speaks for it.
    pub strength: Strength,
    /// Small records and their answers, as Pings, Close frames and echoes are.
    pub pairs: u32,
    /// The packet with the first record that spoke for it.
    pub first_sign: Origin,
    /// The records at the end that have the size of Close frames.
    pub parting: Option<Parting>,
    /// Small records of the same size at even distances, which their receiver answered.
    pub beat: Option<Beat>,
}

/// How much speaks for a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Something does.
    Possible,
    /// Several signs do, and none that anybody else leaves.
    Likely,
}

impl Strength {
    /// The word of the fact and the JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
        }
    }
}

/// Two records of the size of Close frames, and nothing after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// Who sent the first one.
    pub by: Side,
    /// Bytes of its payload: none, two for a status code, more for a reason behind it.
    pub payload: u16,
    /// The packets of both.
    pub frames: [Origin; 2],
    /// The last record before them.
    pub quiet_since: Option<Origin>,
}

/// A heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Who asks.
    pub by: Side,
    /// How often it was answered.
    pub answered: u32,
    /// Mean time between two.
    pub interval: Duration,
    /// The last one.
    pub last: Origin,
}

/// What a connection's hello says about the protocol inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// HTTP/1.1 and nothing else.
    Http1,
    /// Nothing.
    Unnamed,
    /// Something that no WebSocket over HTTP/1.1 speaks, or perhaps.
    Other,
}

/// Collects the signs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Signs {
    stage: Stage,
    request_bytes: u32,
    /// The last records of both sides, in order.
    recent: VecDeque<Sized>,
    pairs: u32,
    /// Pairs without any whose sizes HTTP/2 has as well.
    own_pairs: u32,
    first_sign: Option<Origin>,
    /// A small record of the client alone that waits for what the server says next.
    asked: Option<Sized>,
    turns: u32,
    /// The server spoke since the last turn.
    server_spoke: bool,
    /// The client's last record that may have been a request, until what may be its body has come.
    asking: Option<Sized>,
    /// The client's last record was smaller than a frame: a closing alert, if it was the last.
    parted: bool,
    /// Pairs of the same asker and size, one after the other.
    beats: PerSide<Option<Beats>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beats {
    payload: u16,
    count: u32,
    first: Origin,
    last: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The client's request is coming.
    #[default]
    Request,
    /// The server is answering it; whether something of the size of a 101 was among what it sent.
    Response(bool),
    /// Everything behind that.
    Open,
    /// It is something else.
    Refuted,
}

impl Signs {
    /// The next record of application data, behind the TLS handshake.
    pub(super) fn record(&mut self, record: Sized) {
        if self.are_refuted() {
            return;
        }
        let previous = self.recent.back().copied();
        self.stage = match self.stage {
            Stage::Request => match record.side {
                Side::Client => {
                    self.request_bytes = self.request_bytes.saturating_add(record.most.into());
                    Stage::Request
                }
                // Session tickets come before any request.
                Side::Server if self.request_bytes == 0 => return,
                Side::Server if !UPGRADE_REQUEST.contains(&self.request_bytes) => Stage::Refuted,
                Side::Server => Stage::Response(is_upgrade_answer(&record)),
            },
            Stage::Response(fits) => match record.side {
                Side::Server => Stage::Response(fits || is_upgrade_answer(&record)),
                Side::Client if fits => Stage::Open,
                Side::Client => Stage::Refuted,
            },
            stage => stage,
        };
        if self.parted && record.side == Side::Client {
            self.stage = Stage::Refuted;
        }
        if self.stage == Stage::Open {
            self.compare(record, previous);
        } else if record.side == Side::Client {
            self.asking = Some(record);
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(record);
    }

    /// Bytes are missing: records that are not next to each other must not be compared.
    pub(super) fn gap(&mut self) {
        if self.stage != Stage::Open {
            self.stage = Stage::Refuted;
        }
        self.recent.clear();
        self.asked = None;
    }

    /// It is something else, as is known from elsewhere.
    pub(super) fn refute(&mut self) {
        self.stage = Stage::Refuted;
    }

    /// Whether it is something else, whatever comes.
    pub(super) fn are_refuted(&self) -> bool {
        self.stage == Stage::Refuted
    }

    fn compare(&mut self, record: Sized, previous: Option<Sized>) {
        let follows_own = previous.is_some_and(|before| before.side == record.side && soon(&before, &record, BREATH_S));
        match record.side {
            Side::Server => {
                if record.most < 2 && !follows_own {
                    self.stage = Stage::Refuted;
                }
                if let Some(asked) = self.asked.take()
                    && previous.is_some_and(|before| before == asked)
                    && answers(&asked, &record)
                    && soon(&asked, &record, ANSWER_S)
                {
                    self.pair(asked, record);
                }
                self.server_spoke = true;
            }
            Side::Client => {
                self.asked = None;
                if !self.is_small(&record) {
                    self.asking = Some(record);
                    return;
                }
                let may_be_body = self.asking.take().is_some_and(|head| soon(&head, &record, BREATH_S));
                if follows_own {
                    return;
                }
                if record.most < SMALLEST_MASKED {
                    self.parted = true;
                    return;
                }
                if self.server_spoke && !may_be_body {
                    self.turns = self.turns.saturating_add(1);
                    self.first_sign.get_or_insert(record.origin);
                    self.server_spoke = false;
                }
                if record.most >= TINY {
                    return;
                }
                match previous.filter(|before| before.side == Side::Server && !may_be_body) {
                    Some(before) if answers(&record, &before) && soon(&before, &record, ANSWER_S) => {
                        self.pair(before, record);
                    }
                    _ => self.asked = Some(record),
                }
            }
        }
    }

    fn pair(&mut self, first: Sized, second: Sized) {
        self.pairs = self.pairs.saturating_add(1);
        let like_http2 = [&first, &second].iter().all(|record| HTTP2_SIZES.contains(&record.least));
        self.own_pairs = self.own_pairs.saturating_add(u32::from(!like_http2));
        self.first_sign.get_or_insert(first.origin);
        let payload = payload_of(&first);
        let beats = &mut self.beats[first.side];
        match beats {
            Some(known) if known.payload == payload => {
                known.count = known.count.saturating_add(1);
                known.last = first.origin;
            }
            // An echo or a Close frame among Pings does not end their row.
            Some(known) if known.count >= 3 => {}
            _ => *beats = Some(Beats { payload, count: 1, first: first.origin, last: first.origin }),
        }
    }

    /// What the signs amount to. `alerts`: records of application data that are taken for closing alerts; `end`: the first
    /// FIN or RST.
    pub(super) fn judge(
        &self,
        offer: Offer,
        alerts: PerSide<Option<Origin>>,
        end: Option<Origin>,
    ) -> Option<WebSocketGuess> {
        if self.stage != Stage::Open || offer == Offer::Other || (self.parted && alerts.client.is_none()) {
            return None;
        }
        let parting = end.and_then(|end| self.parting(alerts, end));
        let pairs = if offer == Offer::Http1 { self.pairs } else { self.own_pairs };
        // A parting of small frames was counted as a pair.
        let others = pairs.saturating_sub(u32::from(parting.is_some_and(|(_, counted)| counted)));
        let strength = match (others, parting.is_some()) {
            (3.., _) | (1.., true) => Strength::Likely,
            (2, _) | (_, true) => Strength::Possible,
            (1, _) if self.turns >= ENOUGH_TURNS => Strength::Possible,
            _ => return None,
        };
        let parting = parting.map(|(parting, _)| parting);
        Some(WebSocketGuess {
            strength,
            pairs,
            first_sign: self.first_sign.or(parting.map(|parting| parting.frames[0]))?,
            parting,
            beat: self.beat(),
        })
    }

    /// Whether the last two records are of the size of Close frames, and whether they were counted as a pair.
    fn parting(&self, alerts: PerSide<Option<Origin>>, end: Origin) -> Option<(Parting, bool)> {
        // A closing alert has two bytes and is the last record of its side.
        let is_alert = |record: &Sized| record.most == 2 && alerts[record.side] == Some(record.origin);
        let mut left: Vec<Sized> = self.recent.iter().copied().collect();
        for side in Side::BOTH {
            if let Some(last) = left.iter().rposition(|record| record.side == side)
                && is_alert(&left[last])
            {
                left.remove(last);
            }
        }
        let [before @ .., first, second] = left.as_slice() else { return None };
        let (client, server) = if first.side == Side::Client { (first, second) } else { (second, first) };
        let is_exact = first.least == first.most && second.least == second.most;
        if first.side == second.side || !is_exact || client.most < SMALLEST_MASKED || server.most < 2 {
            return None;
        }
        let (first_payload, second_payload) = (payload_of(first), payload_of(second));
        // The other side says the same, or only the code. What a client sends close behind a request may be its body, and
        // only a reason that is repeated tells the two apart.
        let repeats = first_payload == second_payload;
        let is_close = |payload: u16| payload == 0 || (2..=125).contains(&payload);
        let fits = is_close(first_payload) && (repeats || (first_payload > 2 && second_payload == 2));
        let may_be_body = first.side == Side::Server
            && before
                .iter()
                .any(|head| head.side == Side::Client && !self.is_small(head) && soon(head, client, BREATH_S));
        let is_told_apart = !may_be_body || (repeats && first_payload > 2);
        let counted = client.most < TINY && repeats && !may_be_body;
        let is_beat = self.beats[first.side]
            .is_some_and(|beats| beats.payload == first_payload && beats.count > u32::from(counted));
        let in_time = soon(first, second, ANSWER_S) && end.seconds_since(&second.origin).is_some_and(|s| s < PARTING_S);
        (fits && is_told_apart && self.is_small(client) && in_time && !is_beat).then(|| {
            let quiet_since = before.last().map(|last| last.origin);
            let frames = [first.origin, second.origin];
            (Parting { by: first.side, payload: first_payload, frames, quiet_since }, counted)
        })
    }

    /// Whether a record of the client is no request, if the client's first one was.
    fn is_small(&self, record: &Sized) -> bool {
        record.most < SMALL && u32::from(record.most) * 4 <= self.request_bytes
    }

    fn beat(&self) -> Option<Beat> {
        let of = |by: Side| {
            let Beats { count, first, last, .. } = self.beats[by].filter(|beats| beats.count >= 3)?;
            let interval = Duration::try_from_secs_f64(last.seconds_since(&first)? / f64::from(count - 1)).ok()?;
            Some(Beat { by, answered: count, interval, last })
        };
        let (client, server) = (of(Side::Client), of(Side::Server));
        [client, server].into_iter().flatten().max_by_key(|beat| beat.answered)
    }
}

/// Bytes of the payload of an unfragmented frame of at most 125 bytes that fills a record.
fn payload_of(record: &Sized) -> u16 {
    record.most.saturating_sub(if record.side == Side::Client { SMALLEST_MASKED } else { 2 })
}

/// Whether a client's record and a server's have the sizes of one payload, masked and not.
fn answers(client: &Sized, server: &Sized) -> bool {
    let (client, server) = if client.side == Side::Client { (client, server) } else { (server, client) };
    client.least <= server.most.saturating_add(4) && server.least.saturating_add(4) <= client.most
}

/// Whether the second came at most so much later; when times are missing, that cannot be said.
fn soon(first: &Sized, second: &Sized, seconds: f64) -> bool {
    second.origin.seconds_since(&first.origin).is_some_and(|passed| passed <= seconds)
}

/// A response in 129 bytes is the smallest that RFC 6455 §4.2.2 allows; who adds cookies may need a kilobyte.
fn is_upgrade_answer(record: &Sized) -> bool {
    record.most >= 129 && record.least <= 2048
}

/// Bytes of an upgrade request: the fields that RFC 6455 §4.1 asks for are 140, cookies and tokens make it long.
const UPGRADE_REQUEST: std::ops::RangeInclusive<u32> = 140..=16384;

/// A frame of a client without payload.
const SMALLEST_MASKED: u16 = 6;

/// Below this many bytes nothing is an HTTP/1 request: `GET / HTTP/1.1` with its line ends alone has 18.
const TINY: u16 = 18;

/// Below this, and a quarter of its first request, nothing is another request of the same client.
const SMALL: u16 = 64;

/// Frames of HTTP/2 without a payload, with four bytes and with eight (RFC 9113 §6.5, §6.7, §6.8, §6.9).
const HTTP2_SIZES: [u16; 3] = [9, 13, 17];

/// Turns that make one pair enough.
const ENOUGH_TURNS: u32 = 3;

/// Records of one side within this time may belong together, as a head and its body do.
const BREATH_S: f64 = 1.0;

/// An answer comes within this time.
const ANSWER_S: f64 = 5.0;

/// TCP ends within this time after the closing handshake.
const PARTING_S: f64 = 2.0;

/// Records kept: two Close frames, two closing alerts, and what was before them.
const KEPT: usize = 6;
