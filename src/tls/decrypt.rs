//! Reads what TLS protects, with the secrets of a key log: records in, plaintext out.
//!
//! A [`Decryptor`] follows both directions of a connection beside the [`Observer`](super::Observer). It takes the hellos as
//! they come, finds the secrets by the client's random value, and from then on opens record after record:
//!
//! ```text
//! bytes → Cutter (whole records, found again behind holes) → Live13 | Live12 (keys in force) → Plaintext
//! ```
//!
//! Nothing it says is a guess: what is handed on has a tag that verified. A record that opens under no key is not told, and
//! what may have been in it is told as a gap. The packet of a decrypted byte is the one that completes its record, as in
//! Wireshark. Early data is told when the client's EndOfEarlyData shows that the server accepted it.

mod half;
mod keys;
mod opened;
mod plaintext;
mod readable;
mod waiting;

use super::cutter::{Cut, Hole, RecordBuffers, Step};
use super::decryption::WhyNot;
use super::handshake::{Message, MessageReader};
use super::hello::{ClientHello, ServerHello};
use super::join::{Joined, Trials};
use super::keylog::KeyLog;
use super::live::{Budget, Level, Live12};
use super::names::TlsVersion;
use super::observer::TlsFacts;
use super::protection::Sealed;
use super::record::ContentType;
use crate::limits::Limits;
use crate::stream::GapReason;
use crate::units::{Origin, PerSide, Side, StreamOffset};
use half::{Guard, Half, Owed};
pub(super) use keys::Chosen;
pub use plaintext::{PlainData, PlainGap, Plaintext};
use waiting::{Waiting, WaitingRoom};

/// What every call needs.
#[derive(Debug)]
pub struct Tools<'a> {
    /// The secrets.
    pub keys: &'a KeyLog,
    /// What may be tried on connections whose ClientHello is not in the capture.
    pub trials: &'a mut Trials,
    /// Whether there may be more later, so that it is worth keeping records that cannot be read yet.
    pub keys_may_come: bool,
    /// The bounds.
    pub limits: &'a Limits,
    /// Buffers for the record at hand.
    pub buffers: &'a mut RecordBuffers,
}

/// Bytes that one side sent, as TCP put them in order.
#[derive(Debug, Clone, Copy)]
pub struct SentBytes<'a> {
    /// Who sent them.
    pub side: Side,
    /// Where they start in its stream.
    pub offset: StreamOffset,
    /// The packet.
    pub origin: Origin,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Bytes of one side that TCP could not put in order.
#[derive(Debug, Clone, Copy)]
pub struct LostBytes {
    /// Who sent them.
    pub side: Side,
    /// How many; `None` when that is not known.
    pub len: Option<u64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// The packet at which the loss was certain.
    pub origin: Origin,
}

/// Decrypts one connection.
#[derive(Debug, Default)]
pub struct Decryptor {
    halves: PerSide<Half>,
    client_random: Option<[u8; 32]>,
    server: Option<Chosen>,
    waiting: WaitingRoom,
    /// [`KeyLog::version`] when secrets were looked for last.
    looked_at: Option<u64>,
    /// Early data that the server may not have accepted.
    early: Vec<(Origin, StreamOffset, Box<[u8]>)>,
}

/// A record with the packet that completed it.
#[derive(Debug, Clone, Copy)]
struct Whole {
    side: Side,
    content_type: ContentType,
    start: StreamOffset,
    end: StreamOffset,
    origin: Origin,
}

impl Decryptor {
    /// A decryptor at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decryptor for a connection whose hellos went by before there were any keys. Where its records are, and which of
    /// them were missed, is found out from what comes.
    pub fn joining(tools: &mut Tools<'_>, facts: &TlsFacts, at: Origin, sink: &mut impl Plaintext) -> Self {
        let mut this = Self { client_random: facts.client_hello.as_ref().map(|hello| hello.random), ..Self::default() };
        let gap = |side| LostBytes { side, len: None, reason: GapReason::Limit, origin: at };
        if let Some(hello) = facts.server_hello.as_ref().filter(|hello| !hello.hello_retry) {
            this.server_hello(tools, hello, sink);
        }
        for side in Side::BOTH.into_iter().filter(|side| facts.last_record[*side].is_some()) {
            this.gap(tools, gap(side));
        }
        this
    }

    /// A decryptor for a connection whose ClientHello is not in the capture, and whose session was found all the same.
    pub fn joined(tools: &mut Tools<'_>, joined: &Joined, sink: &mut impl Plaintext) -> Self {
        tools.trials.claim(tools.keys, &joined.client_random);
        let mut this = Self { client_random: Some(joined.client_random), ..Self::default() };
        let Some(place) = joined.place else { return this };
        this.server = Some(Chosen::joined(&place));
        this.begin13(tools, sink);
        for side in Side::BOTH {
            let half = &mut this.halves[side];
            half.cutter.gap(None, tools.buffers);
            half.lost = Some(tools.limits.tls_join_records);
            half.budget = Budget::of_records(tools.limits.tls_join_records);
            if let Guard::Tls13(live) = &mut half.guard
                && side == place.side
            {
                live.resume(place.level, place.seq);
            }
        }
        this
    }

    /// Bytes kept of records that are not complete or cannot be read yet.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let of_half = |half: &Half| half.cutter.kept_bytes() + half.messages.kept_bytes();
        let early: usize = self.early.iter().map(|(.., bytes)| bytes.len()).sum();
        of_half(&self.halves.client) + of_half(&self.halves.server) + self.waiting.kept_bytes() + early
    }

    /// The next bytes of one side.
    pub fn push(&mut self, tools: &mut Tools<'_>, sent: SentBytes<'_>, sink: &mut impl Plaintext) {
        self.look_again(tools, sink);
        let SentBytes { side, mut offset, origin, mut bytes } = sent;
        self.halves[side].budget.earn(bytes.len());
        loop {
            let step = self.halves[side].cutter.next(&mut offset, &mut bytes, tools.buffers);
            match step {
                Step::More => return,
                Step::NotRecord => return self.halves[side].cutter.stop(tools.buffers),
                Step::Record(cut) => {
                    let body = std::mem::take(&mut tools.buffers.body);
                    self.record(tools, whole(side, &cut, origin), &body, sink);
                    tools.buffers.body = body;
                }
                Step::Candidate(cut) => {
                    let body = std::mem::take(&mut tools.buffers.body);
                    let is_record = self.candidate(tools, whole(side, &cut, origin), &body, sink);
                    tools.buffers.body = body;
                    match is_record {
                        true => self.halves[side].cutter.accept(&cut),
                        false => self.halves[side].cutter.reject(),
                    }
                }
            }
        }
    }

    /// The next bytes of one side are lost.
    pub fn gap(&mut self, tools: &mut Tools<'_>, lost: LostBytes) {
        let LostBytes { side, len, reason, origin } = lost;
        let owed = Owed { reason, origin, len: None, is_tail: false };
        let half = &mut self.halves[side];
        half.tally.cut |= reason == GapReason::CutByCapture;
        half.messages.lose();
        let at_boundary = half.cutter.is_at_boundary();
        match half.cutter.gap(len, tools.buffers) {
            // The rest of a record that was told to be lost when its first bytes were.
            Hole::Inside(None) => {}
            Hole::Inside(Some(header)) => {
                let plain_len = match &half.guard {
                    Guard::Tls12(live) if header.content_type == ContentType::ApplicationData => {
                        live.plain_len(usize::from(header.len)).map(|len| len as u64)
                    }
                    _ => None,
                };
                match &mut half.guard {
                    Guard::Tls12(live) => live.skip(),
                    Guard::Tls13(live) => live.skip(),
                    Guard::Clear | Guard::Blind(_) => {}
                }
                half.owe(Owed { len: plain_len, ..owed });
            }
            Hole::Boundaries => {
                let most = len.map_or(MOST_LOST, |len| (len / SHORTEST_RECORD + 2).min(MOST_LOST));
                half.lost = Some(half.lost.unwrap_or(0).saturating_add(most).min(MOST_LOST));
                half.owe(Owed { is_tail: len.is_none() && reason == GapReason::NotCaptured && at_boundary, ..owed });
            }
        }
        if !self.waiting.is_empty() {
            let has_room = self.waiting.lost(side, owed);
            self.halves[side].tally.unread += u64::from(!has_room);
        }
    }

    /// One side sends no more: what is owed is told now.
    pub fn settle(&mut self, side: Side, sink: &mut impl Plaintext) {
        let half = &mut self.halves[side];
        if half.owes() {
            half.tell_owed(side, sink);
        }
    }

    /// A record in step.
    fn record(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        let side = whole.side;
        let is_protected = match self.halves[side].guard {
            Guard::Clear | Guard::Blind(_) => false,
            Guard::Tls12(_) => true,
            Guard::Tls13(_) => whole.content_type == ContentType::ApplicationData,
        };
        if is_protected && self.halves[side].lost.is_some() {
            if !self.candidate(tools, whole, body, sink) {
                self.halves[side].fail(whole.origin);
            }
            return;
        }
        match &self.halves[side].guard {
            Guard::Clear => self.clear_record(tools, whole, body, sink),
            Guard::Tls12(_) => self.record12(tools, whole, body, sink),
            Guard::Tls13(_) if whole.content_type == ContentType::ApplicationData => {
                self.record13(tools, whole, body, sink);
            }
            // ChangeCipherSpec means nothing there, and alerts in clear are the observer's.
            Guard::Tls13(_) => {}
            Guard::Blind(_) => self.unread(tools, whole, body),
        }
    }

    /// What may be a record behind a hole; says whether it is one.
    fn candidate(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) -> bool {
        let side = whole.side;
        let was_clear = matches!(self.halves[side].guard, Guard::Clear);
        if was_clear && is_clear_handshake(whole.content_type, body) {
            // No application data comes before it.
            (self.halves[side].lost, self.halves[side].owed) = (None, None);
            self.clear_record(tools, whole, body, sink);
            return true;
        }
        self.expect_protection(tools, side);
        let half = &mut self.halves[side];
        let lost = half.lost.unwrap_or(0);
        match &mut half.guard {
            Guard::Tls13(live) if whole.content_type == ContentType::ApplicationData => {
                let was = live.level();
                let plain = &mut tools.buffers.plain;
                let Some(opened) = live.search(lost, body, plain, &mut half.budget) else { return false };
                if opened.level == Level::Application && opened.seq == 0 && was != Level::Application {
                    // The first record of application data: none was lost.
                    half.owed = None;
                }
                half.lost = None;
                self.opened13(tools, whole, opened.level, opened.content_type, sink);
                true
            }
            Guard::Tls12(live) => {
                let sealed = Sealed { content_type: whole.content_type, body };
                let Some(seq) = live.search(lost, &sealed, &mut tools.buffers.plain, &mut half.budget) else {
                    return false;
                };
                if half.tally.opened == 0 && seq <= 1 {
                    // The first protected record is the Finished message: no data was lost.
                    half.owed = None;
                }
                half.lost = None;
                self.opened12(tools, whole, sink);
                true
            }
            Guard::Tls13(_) => false,
            // Nothing can be verified; what follows may matter when it is in clear.
            Guard::Clear => {
                half.lost = None;
                self.clear_record(tools, whole, body, sink);
                true
            }
            Guard::Blind(_) => {
                self.unread(tools, whole, body);
                true
            }
        }
    }

    /// Behind a hole in a handshake of TLS 1.2 that may have had the ChangeCipherSpec, records are taken as protected.
    fn expect_protection(&mut self, tools: &mut Tools<'_>, side: Side) {
        let is_12 = self.server.as_ref().is_some_and(|server| server.version == TlsVersion::TLS_1_2);
        if is_12 && matches!(self.halves[side].guard, Guard::Clear) {
            self.change_cipher(tools, side);
        }
    }

    fn clear_record(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        match (whole.content_type, &self.server) {
            (ContentType::Handshake, _) => self.handshake(tools, whole.side, whole.origin, body, sink),
            // Of TLS 1.3 before the ServerHello, or of a connection whose hellos are not in the capture.
            (ContentType::ApplicationData, _) | (ContentType::ChangeCipherSpec, None) => self.wait(whole, body),
            (ContentType::ChangeCipherSpec, Some(server)) if server.version != TlsVersion::TLS_1_3 => {
                self.change_cipher(tools, whole.side);
            }
            _ => {}
        }
    }

    /// The handshake messages of a record, in clear or decrypted.
    fn handshake(
        &mut self,
        tools: &mut Tools<'_>,
        side: Side,
        origin: Origin,
        mut bytes: &[u8],
        sink: &mut impl Plaintext,
    ) {
        while !bytes.is_empty() {
            let (message, taken) = self.halves[side].messages.next(tools.limits, bytes);
            bytes = &bytes[taken..];
            match message {
                Some(Message::Hello { body, .. }) => match side {
                    Side::Client => {
                        if let Some(hello) = ClientHello::read(origin, &body) {
                            self.client_random = Some(hello.random);
                            tools.trials.claim(tools.keys, &hello.random);
                        }
                    }
                    Side::Server => {
                        if let Some(hello) = ServerHello::read(origin, &body).filter(|hello| !hello.hello_retry) {
                            self.server_hello(tools, &hello, sink);
                        }
                    }
                },
                Some(Message::Certificates(body)) if side == Side::Server => sink.certificates(origin, body),
                Some(Message::Other { kind }) => self.message13(side, kind, sink),
                _ => {}
            }
        }
    }

    fn server_hello(&mut self, tools: &mut Tools<'_>, hello: &ServerHello, sink: &mut impl Plaintext) {
        self.server = Some(Chosen::of(hello));
        if hello.version == TlsVersion::TLS_1_3 {
            self.begin13(tools, sink);
        } else {
            self.replay(tools, sink);
        }
    }

    /// The ServerHello of TLS 1.3 came: what follows is protected.
    fn begin13(&mut self, tools: &mut Tools<'_>, sink: &mut impl Plaintext) {
        let Some(server) = self.server else { return };
        self.looked_at = Some(tools.keys.version());
        for side in Side::BOTH {
            self.halves[side].guard = match server.live13(tools.keys, self.client_random, side) {
                Ok(live) => Guard::Tls13(Box::new(live)),
                Err(why) => Guard::Blind(why),
            };
        }
        let all_blind = Side::BOTH.into_iter().all(|side| self.halves[side].guard.is_blind());
        if !(tools.keys_may_come && all_blind) {
            self.replay(tools, sink);
        }
    }

    /// A side of TLS 1.2 protects its records from here on.
    fn change_cipher(&mut self, tools: &mut Tools<'_>, side: Side) {
        self.halves[side].messages = MessageReader::default();
        let server = self.server.ok_or(WhyNot::HandshakeNotCaptured);
        self.halves[side].guard =
            match server.and_then(|server| server.protection12(tools.keys, self.client_random, side)) {
                Ok(protection) => Guard::Tls12(Box::new(Live12::new(protection))),
                Err(why) => Guard::Blind(why),
            };
        self.looked_at = Some(tools.keys.version());
    }

    /// Keeps a record until it is known how to read it.
    fn wait(&mut self, whole: Whole, body: &[u8]) {
        let has_room = self.waiting.record(whole, body);
        self.halves[whole.side].tally.unread += u64::from(!has_room);
    }

    /// A protected record without keys.
    fn unread(&mut self, tools: &Tools<'_>, whole: Whole, body: &[u8]) {
        let half = &mut self.halves[whole.side];
        if tools.keys_may_come && half.guard.awaits_keys() {
            self.wait(whole, body);
        } else if whole.content_type != ContentType::ChangeCipherSpec {
            half.tally.unread += 1;
        }
    }

    /// Looks for the secrets once more when the key log has grown.
    fn look_again(&mut self, tools: &mut Tools<'_>, sink: &mut impl Plaintext) {
        let (Some(server), Some(seen)) = (self.server, self.looked_at) else { return };
        let any_awaits = Side::BOTH.into_iter().any(|side| self.halves[side].guard.awaits_keys());
        if seen == tools.keys.version() || !any_awaits {
            return;
        }
        self.looked_at = Some(tools.keys.version());
        if !self.client_random.is_some_and(|random| tools.keys.knows(&random)) {
            return;
        }
        if server.version == TlsVersion::TLS_1_3 {
            self.begin13(tools, sink);
            return;
        }
        for side in Side::BOTH {
            if self.halves[side].guard.is_blind() {
                self.change_cipher(tools, side);
            }
        }
        self.replay(tools, sink);
    }

    /// Reads the records that waited.
    fn replay(&mut self, tools: &mut Tools<'_>, sink: &mut impl Plaintext) {
        for item in std::mem::take(&mut self.waiting) {
            match item {
                Waiting::Record { whole, body } => {
                    self.halves[whole.side].budget.earn(body.len());
                    self.record(tools, whole, &body, sink);
                }
                Waiting::Lost { side, owed } => {
                    self.halves[side].lost = Some(MOST_LOST);
                    self.halves[side].owe(owed);
                }
            }
        }
    }
}

/// Whether a record reads like one of a handshake in clear: a ChangeCipherSpec, or one message that fills it.
fn is_clear_handshake(content_type: ContentType, body: &[u8]) -> bool {
    match (content_type, body) {
        (ContentType::ChangeCipherSpec, [1]) => true,
        (ContentType::Handshake, &[1..=23, high, middle, low, ref rest @ ..]) => {
            usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low) == rest.len()
        }
        _ => false,
    }
}

fn whole(side: Side, cut: &Cut, origin: Origin) -> Whole {
    Whole { side, content_type: cut.header.content_type, start: cut.start, end: cut.end, origin }
}

/// A header, a byte and a short tag.
const SHORTEST_RECORD: u64 = 5 + 1 + 8;

/// Records that may be lost at once without losing track of the sequence number.
const MOST_LOST: u64 = 1 << 16;
