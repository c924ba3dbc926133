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

use super::alert::Alert;
use super::cutter::{Cut, Cutter, Hole, RecordBuffers, Step};
use super::decryption::{Decryption, Readable, WhyNot};
use super::handshake::{Message, MessageReader};
use super::hello::{ClientHello, ServerHello};
use super::keylog::{KeyLog, SecretLabel};
use super::live::{Budget, Level, Live12, Live13};
use super::names::TlsVersion;
use super::observer::TlsFacts;
use super::protection::{Keys12, Protection, Sealed};
use super::record::ContentType;
use super::schedule::key_block;
use super::suite::{Algorithm, KeyHash};
use crate::limits::Limits;
use crate::stream::GapReason;
use crate::units::{Origin, PerSide, Side, StreamOffset};
use std::collections::VecDeque;

/// What one record said.
#[derive(Debug, Clone, Copy)]
pub struct PlainData<'a> {
    /// Who sent it.
    pub side: Side,
    /// Where it starts among the decrypted bytes of that side.
    pub offset: StreamOffset,
    /// Where its record ends in that side's stream of TCP.
    pub record_end: StreamOffset,
    /// The packet that completed the record.
    pub origin: Origin,
    /// The bytes, never empty.
    pub bytes: &'a [u8],
}

/// Decrypted bytes that are missing.
#[derive(Debug, Clone, Copy)]
pub struct PlainGap {
    /// Who sent them.
    pub side: Side,
    /// Where they start among the decrypted bytes of that side.
    pub offset: StreamOffset,
    /// How many; `None` when nobody can tell.
    pub len: Option<u64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// The packet at which the loss was certain.
    pub origin: Origin,
}

/// What takes in the plaintext of a connection.
pub trait Plaintext {
    /// The next application data of one side.
    fn data(&mut self, data: PlainData<'_>);
    /// Application data of one side that is missing.
    fn gap(&mut self, gap: PlainGap);
    /// An alert that was decrypted.
    fn alert(&mut self, alert: Alert);
    /// The body of a Certificate message of the server, in clear or decrypted; `None` when it was too long.
    fn certificates(&mut self, origin: Origin, body: Option<Vec<u8>>);
}

/// What every call needs.
#[derive(Debug)]
pub struct Tools<'a> {
    /// The secrets.
    pub keys: &'a KeyLog,
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
    /// Records that came before it was known how to read them.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Where a side had more records than may wait.
    overflow: PerSide<Option<Origin>>,
    /// [`KeyLog::version`] when secrets were looked for last.
    looked_at: Option<u64>,
    /// Early data that the server may not have accepted.
    early: Vec<(Origin, StreamOffset, Box<[u8]>)>,
}

/// What the server chose.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    version: TlsVersion,
    algorithm: Result<(Algorithm, KeyHash), WhyNot>,
    random: [u8; 32],
    encrypt_then_mac: bool,
}

#[derive(Debug, Default)]
struct Half {
    cutter: Cutter,
    messages: MessageReader,
    guard: Guard,
    /// Decrypted bytes told so far.
    told: u64,
    /// A loss that will be told before the next data, unless it turns out that it took none.
    owed: Option<Owed>,
    /// Records that may have been lost since the last one that opened.
    lost: Option<u64>,
    budget: Budget,
    tally: Tally,
}

#[derive(Debug, Default)]
enum Guard {
    /// Records are in clear.
    #[default]
    Clear,
    Tls12(Box<Live12>),
    Tls13(Box<Live13>),
    /// Records are protected, and their keys are not known.
    Blind(WhyNot),
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    reason: GapReason,
    origin: Origin,
    len: Option<u64>,
    /// It may be the one number of a FIN, and no byte at all.
    is_tail: bool,
}

/// What became of protected records.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    opened: u64,
    data: u64,
    /// Records of application data, or that may have been, that no key opened.
    failed: u64,
    /// Gaps told.
    gaps: u64,
    cut: bool,
    /// Protected records that were not tried.
    unread: u64,
}

#[derive(Debug)]
enum Waiting {
    Record {
        side: Side,
        content_type: ContentType,
        start: StreamOffset,
        end: StreamOffset,
        origin: Origin,
        body: Box<[u8]>,
    },
    Lost {
        side: Side,
        owed: Owed,
    },
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

    /// Bytes kept of records that are not complete or cannot be read yet.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let of_half = |half: &Half| half.cutter.kept_bytes() + half.messages.kept_bytes();
        let early: usize = self.early.iter().map(|(.., bytes)| bytes.len()).sum();
        of_half(&self.halves.client) + of_half(&self.halves.server) + self.waiting_bytes + early
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
            self.keep(side, origin, size_of::<Waiting>(), || Waiting::Lost { side, owed });
        }
    }

    /// One side sends no more: what is owed is told now.
    pub fn settle(&mut self, side: Side, sink: &mut impl Plaintext) {
        let half = &mut self.halves[side];
        if half.owes() {
            half.tell_owed(side, sink);
        }
    }

    /// How much could be read.
    #[must_use]
    pub fn decryption(&self, keys: &KeyLog) -> Decryption {
        let of = |side| self.readable(side, keys);
        Decryption { sides: PerSide { client: of(Side::Client), server: of(Side::Server) } }
    }

    fn readable(&self, side: Side, keys: &KeyLog) -> Readable {
        let half = &self.halves[side];
        let Tally { opened, failed, gaps, cut, unread, .. } = half.tally;
        if let Guard::Tls13(live) = &half.guard {
            let is_shut = failed + unread > 0 && !live.has(Level::Application);
            // Whoever has the handshake's keys reads at least that.
            let is_wrong = opened == 0 && unread > if live.has(Level::Handshake) { 0 } else { MOST_HANDSHAKE_RECORDS };
            if is_shut {
                return Readable::None(WhyNot::SecretMissing(traffic_label(side)));
            }
            if is_wrong {
                return Readable::None(WhyNot::TagMismatch);
            }
        }
        let waits = self.waiting.iter().any(|item| matches!(item, Waiting::Record { side: of, .. } if *of == side));
        let why = match &half.guard {
            Guard::Blind(why) => Some(*why),
            _ if keys.is_empty() => Some(WhyNot::NoKeys),
            _ if waits && self.server.is_none() => Some(WhyNot::HandshakeNotCaptured),
            _ if waits => Some(WhyNot::ClientRandomMissing),
            _ if half.cutter.is_searching() && self.server.is_none() => Some(WhyNot::HandshakeNotCaptured),
            _ if failed > 0 => Some(WhyNot::TagMismatch),
            _ if gaps > 0 && cut => Some(WhyNot::CutPackets),
            _ if gaps > 0 || half.owes() => Some(WhyNot::RecordsLost),
            _ => None,
        };
        match (opened > 0, why) {
            (true, None) => Readable::All,
            (true, Some(why)) => Readable::Part(why),
            (false, Some(why)) if unread + failed + gaps > 0 || waits || half.owes() => Readable::None(why),
            (false, _) => Readable::Nothing,
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
        let algorithm = match Algorithm::of(hello.cipher_suite) {
            _ if hello.version < TlsVersion::TLS_1_2 => Err(WhyNot::UnsupportedVersion(hello.version)),
            Some(algorithm) => Ok(algorithm),
            None => Err(WhyNot::UnsupportedSuite(hello.cipher_suite)),
        };
        let (version, random, encrypt_then_mac) = (hello.version, hello.random, hello.encrypt_then_mac);
        self.server = Some(Chosen { version, algorithm, random, encrypt_then_mac });
        if version == TlsVersion::TLS_1_3 {
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
            self.halves[side].guard = match server.algorithm {
                Err(why) => Guard::Blind(why),
                Ok((algorithm, hash)) => match self.secrets13(tools.keys, side) {
                    Ok(secrets) => Guard::Tls13(Box::new(Live13::new(algorithm, hash, secrets))),
                    Err(why) => Guard::Blind(why),
                },
            };
        }
        let is_blind = |half: &Half| matches!(half.guard, Guard::Blind(_));
        if !(tools.keys_may_come && is_blind(&self.halves.client) && is_blind(&self.halves.server)) {
            self.replay(tools, sink);
        }
    }

    fn secrets13(&self, keys: &KeyLog, side: Side) -> Result<[Option<super::secret::Secret>; 3], WhyNot> {
        let random = self.client_random.ok_or(WhyNot::HandshakeNotCaptured)?;
        if keys.is_empty() {
            return Err(WhyNot::NoKeys);
        }
        if !keys.knows(&random) {
            return Err(WhyNot::ClientRandomMissing);
        }
        let traffic = traffic_label(side);
        let handshake = match side {
            Side::Client => SecretLabel::ClientHandshake,
            Side::Server => SecretLabel::ServerHandshake,
        };
        let early = if side == Side::Client { keys.secret(&random, SecretLabel::ClientEarly) } else { None };
        let secrets = [early, keys.secret(&random, handshake), keys.secret(&random, traffic)];
        match secrets.iter().any(Option::is_some) {
            true => Ok(secrets.map(Option::<&_>::copied)),
            false => Err(WhyNot::SecretMissing(traffic)),
        }
    }

    /// A side of TLS 1.2 protects its records from here on.
    fn change_cipher(&mut self, tools: &mut Tools<'_>, side: Side) {
        self.halves[side].messages = MessageReader::default();
        self.halves[side].guard = match self.keys12(tools.keys, side) {
            Ok(protection) => Guard::Tls12(Box::new(Live12::new(protection))),
            Err(why) => Guard::Blind(why),
        };
        self.looked_at = Some(tools.keys.version());
    }

    fn keys12(&self, keys: &KeyLog, side: Side) -> Result<Protection, WhyNot> {
        let server = self.server.ok_or(WhyNot::HandshakeNotCaptured)?;
        let (algorithm, hash) = server.algorithm?;
        let client_random = self.client_random.ok_or(WhyNot::HandshakeNotCaptured)?;
        if keys.is_empty() {
            return Err(WhyNot::NoKeys);
        }
        if !keys.knows(&client_random) {
            return Err(WhyNot::ClientRandomMissing);
        }
        let label = SecretLabel::ClientRandom;
        let master = keys.secret(&client_random, label).ok_or(WhyNot::SecretMissing(label))?;
        let (mac_len, key_len, iv_len) = (algorithm.mac_key_len(), algorithm.key_len(), algorithm.fixed_iv_len());
        let mut block = [0; KEY_BLOCK];
        key_block(hash, master, &client_random, &server.random, &mut block);
        let (macs, rest) = block.split_at(2 * mac_len);
        let (ciphers, ivs) = rest.split_at(2 * key_len);
        let part = |both: &'_ [u8], len: usize| -> std::ops::Range<usize> {
            debug_assert!(both.len() >= 2 * len);
            if side == Side::Client { 0..len } else { len..2 * len }
        };
        let keys = Keys12 {
            mac: &macs[part(macs, mac_len)],
            key: &ciphers[part(ciphers, key_len)],
            iv: &ivs[part(ivs, iv_len)],
        };
        Protection::tls12(algorithm, &keys, server.encrypt_then_mac).ok_or(WhyNot::TagMismatch)
    }

    fn record12(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        let Guard::Tls12(live) = &mut half.guard else { return };
        let sealed = Sealed { content_type: whole.content_type, body };
        if live.open(&sealed, &mut tools.buffers.plain).is_some() {
            return self.opened12(tools, whole, sink);
        }
        // An alert of two bytes is in clear whatever went before.
        if whole.content_type == ContentType::Alert && body.len() == 2 {
            return;
        }
        live.skip();
        half.fail(whole.origin);
    }

    fn opened12(&mut self, tools: &mut Tools<'_>, whole: Whole, sink: &mut impl Plaintext) {
        self.halves[whole.side].tally.opened += 1;
        let plain = std::mem::take(&mut tools.buffers.plain);
        match whole.content_type {
            ContentType::ApplicationData => self.data(whole, &plain, sink),
            ContentType::Alert => self.alert(whole, &plain, sink),
            ContentType::Handshake => self.handshake(tools, whole.side, whole.origin, &plain, sink),
            // Another handshake within this one is through.
            ContentType::ChangeCipherSpec => self.change_cipher(tools, whole.side),
            ContentType::Heartbeat => {}
        }
        tools.buffers.plain = plain;
    }

    fn record13(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        let Guard::Tls13(live) = &mut half.guard else { return };
        match live.open(body, &mut tools.buffers.plain) {
            Some(opened) => self.opened13(tools, whole, opened.level, opened.content_type, sink),
            // Early data that cannot be read, or a handshake whose secret is missing: what matters is behind it.
            None if live.level() < Level::Application && live.has(Level::Application) => half.tally.unread += 1,
            None => {
                live.skip();
                half.fail(whole.origin);
            }
        }
    }

    fn opened13(
        &mut self,
        tools: &mut Tools<'_>,
        whole: Whole,
        level: Level,
        content_type: u8,
        sink: &mut impl Plaintext,
    ) {
        self.halves[whole.side].tally.opened += 1;
        let plain = std::mem::take(&mut tools.buffers.plain);
        match content_type {
            22 => self.handshake(tools, whole.side, whole.origin, &plain, sink),
            23 if level == Level::Early => self.keep_early(whole, &plain),
            23 => self.data(whole, &plain, sink),
            21 => self.alert(whole, &plain, sink),
            _ => {}
        }
        tools.buffers.plain = plain;
    }

    /// A handshake message that is no hello: those that change keys in TLS 1.3.
    fn message13(&mut self, side: Side, kind: u8, sink: &mut impl Plaintext) {
        let Guard::Tls13(live) = &mut self.halves[side].guard else { return };
        match (kind, live.level()) {
            (FINISHED, Level::Handshake) => live.enter(Level::Application),
            (KEY_UPDATE, Level::Application) => live.update(),
            (END_OF_EARLY_DATA, Level::Early) => {
                live.enter(Level::Handshake);
                for (origin, end, bytes) in std::mem::take(&mut self.early) {
                    let half = &mut self.halves[side];
                    half.tell(side, origin, end, &bytes, sink);
                }
            }
            _ => {}
        }
    }

    fn data(&mut self, whole: Whole, plain: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        half.tally.data += 1;
        if !plain.is_empty() {
            half.tell(whole.side, whole.origin, whole.end, plain, sink);
        }
    }

    fn alert(&mut self, whole: Whole, plain: &[u8], sink: &mut impl Plaintext) {
        let &[level, description] = plain else { return };
        let Whole { side, origin, start: offset, .. } = whole;
        let after_data = self.halves[side].tally.data > 0;
        sink.alert(Alert { side, origin, offset, level, description, clear: false, after_data });
    }

    fn keep_early(&mut self, whole: Whole, plain: &[u8]) {
        let kept: usize = self.early.iter().map(|(.., bytes)| bytes.len()).sum();
        if kept + plain.len() <= WAITING_BYTES && !plain.is_empty() {
            self.early.push((whole.origin, whole.end, plain.into()));
        }
    }

    /// Keeps a record until it is known how to read it.
    fn wait(&mut self, whole: Whole, body: &[u8]) {
        let Whole { side, content_type, start, end, origin } = whole;
        self.keep(side, origin, body.len() + size_of::<Waiting>(), || Waiting::Record {
            side,
            content_type,
            start,
            end,
            origin,
            body: body.into(),
        });
    }

    fn keep(&mut self, side: Side, origin: Origin, cost: usize, item: impl FnOnce() -> Waiting) {
        if self.overflow[side].is_none() && self.waiting_bytes + cost <= WAITING_BYTES {
            self.waiting_bytes += cost;
            self.waiting.push_back(item());
        } else {
            self.overflow[side].get_or_insert(origin);
            self.halves[side].tally.unread += 1;
        }
    }

    /// A protected record without keys.
    fn unread(&mut self, tools: &Tools<'_>, whole: Whole, body: &[u8]) {
        let Guard::Blind(why) = self.halves[whole.side].guard else { return };
        if tools.keys_may_come && matches!(why, WhyNot::NoKeys | WhyNot::ClientRandomMissing) {
            self.wait(whole, body);
        } else if whole.content_type != ContentType::ChangeCipherSpec {
            self.halves[whole.side].tally.unread += 1;
        }
    }

    /// Looks for the secrets once more when the key log has grown.
    fn look_again(&mut self, tools: &mut Tools<'_>, sink: &mut impl Plaintext) {
        let (Some(server), Some(seen)) = (self.server, self.looked_at) else { return };
        let is_blind =
            |side| matches!(self.halves[side].guard, Guard::Blind(WhyNot::NoKeys | WhyNot::ClientRandomMissing));
        if seen == tools.keys.version() || !(is_blind(Side::Client) || is_blind(Side::Server)) {
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
            if is_blind_half(&self.halves[side]) {
                self.change_cipher(tools, side);
            }
        }
        self.replay(tools, sink);
    }

    /// Reads the records that waited.
    fn replay(&mut self, tools: &mut Tools<'_>, sink: &mut impl Plaintext) {
        self.waiting_bytes = 0;
        for item in std::mem::take(&mut self.waiting) {
            match item {
                Waiting::Record { side, content_type, start, end, origin, body } => {
                    let whole = Whole { side, content_type, start, end, origin };
                    self.halves[side].budget.earn(body.len());
                    self.record(tools, whole, &body, sink);
                }
                Waiting::Lost { side, owed } => {
                    self.halves[side].lost = Some(MOST_LOST);
                    self.halves[side].owe(owed);
                }
            }
        }
        for (side, origin) in [Side::Client, Side::Server].map(|side| (side, self.overflow[side].take())) {
            if let Some(origin) = origin {
                self.halves[side].lost = Some(MOST_LOST);
                self.halves[side].owe(Owed { reason: GapReason::Limit, origin, len: None, is_tail: false });
            }
        }
    }
}

impl Half {
    fn owe(&mut self, owed: Owed) {
        if matches!(self.guard, Guard::Clear) && self.tally.data == 0 && self.lost.is_none() {
            // Part of a handshake message in clear.
            return;
        }
        self.owed = match self.owed {
            // Two losses without data between them are one.
            Some(first) => Some(Owed { len: None, is_tail: false, ..first }),
            None => Some(owed),
        };
    }

    /// Whether a loss is certain.
    fn owes(&self) -> bool {
        self.owed.is_some_and(|owed| !owed.is_tail)
    }

    fn fail(&mut self, origin: Origin) {
        self.tally.failed += 1;
        self.owe(Owed { reason: GapReason::NotCaptured, origin, len: None, is_tail: false });
    }

    fn tell_owed(&mut self, side: Side, sink: &mut impl Plaintext) {
        if let Some(Owed { reason, origin, len, .. }) = self.owed.take() {
            self.tally.gaps += 1;
            sink.gap(PlainGap { side, offset: StreamOffset(self.told), len, reason, origin });
            self.told = self.told.saturating_add(len.unwrap_or(0));
        }
    }

    fn tell(&mut self, side: Side, origin: Origin, record_end: StreamOffset, bytes: &[u8], sink: &mut impl Plaintext) {
        self.tell_owed(side, sink);
        let offset = StreamOffset(self.told);
        self.told = self.told.saturating_add(bytes.len() as u64);
        sink.data(PlainData { side, offset, record_end, origin, bytes });
    }
}

/// The secret of a side's application data in TLS 1.3.
fn traffic_label(side: Side) -> SecretLabel {
    match side {
        Side::Client => SecretLabel::ClientTraffic,
        Side::Server => SecretLabel::ServerTraffic,
    }
}

fn is_blind_half(half: &Half) -> bool {
    matches!(half.guard, Guard::Blind(_))
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

/// Handshake messages after which other keys are in force (RFC 8446 §4).
const END_OF_EARLY_DATA: u8 = 5;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

/// Records that a handshake of TLS 1.3 takes at most where each message has one of its own.
const MOST_HANDSHAKE_RECORDS: u64 = 8;

/// Bytes of the longest key block: two keys of 32 bytes and two of 48 for the MAC, and room for nonces.
const KEY_BLOCK: usize = 2 * (32 + 48 + 12);

/// Bytes of records that one connection keeps until it is known how to read them. Clients send at most 16 KiB of early data.
const WAITING_BYTES: usize = 64 << 10;

/// A header, a byte and a short tag.
const SHORTEST_RECORD: u64 = 5 + 1 + 8;

/// Records that may be lost at once without losing track of the sequence number.
const MOST_LOST: u64 = 1 << 16;
