//! Whose a connection is whose ClientHello is not in the capture: found out by trying the secrets of a key log.
//!
//! A tag verifies for one secret and one sequence number only, so the first record that opens tells the session, who is
//! the client, and how many records went by before the capture began. TLS 1.3 needs no more than that. The keys of TLS 1.2
//! follow from the random values of both sides, so it is tried only where the ServerHello was captured.
//!
//! Sessions whose ClientHello was seen on another connection are not tried. The rest costs at most
//! [`Limits::tls_join_trials`] over all connections, of which none takes more than an eighth.

use super::decrypt::Chosen;
use super::decryption::WhyNot;
use super::hello::ServerHello;
use super::keylog::{KeyLog, SecretLabel};
use super::live::Level;
use super::names::TlsVersion;
use super::protection::{Protection, Sealed};
use super::record::{ContentType, HEADER_LEN, RecordHeader};
use super::secret::Secret;
use super::suite::{Algorithm, KeyHash};
use crate::limits::Limits;
use crate::stream::{End, PerEnd};
use crate::units::{Origin, Side};
use std::collections::HashSet;
use std::ops::Range;

/// What a connection turned out to be.
#[derive(Debug, Clone, Copy)]
pub struct Joined {
    /// The end that is the client's.
    pub client: End,
    pub(super) client_random: [u8; 32],
    /// What was in force where it was joined; `None` when the capture has the ServerHello, from which all can be followed.
    pub(super) place: Option<Place>,
}

impl Joined {
    /// Whether the connection was under way, so that what came before cannot be read.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.place.is_some_and(|place| place.level == Level::Application)
    }
}

/// Where in a connection of TLS 1.3 it was joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Who sent the record.
    pub(super) side: Side,
    pub(super) algorithm: Algorithm,
    pub(super) hash: KeyHash,
    pub(super) level: Level,
    /// The sequence number of the first record of that side in the capture.
    pub(super) seq: u64,
}

/// What may still be tried on connections whose ClientHello is not in the capture, all of them together.
#[derive(Debug, Default)]
pub struct Trials {
    left: u64,
    /// Sessions of the key log whose ClientHello was seen.
    claimed: HashSet<[u8; 32]>,
}

impl Trials {
    /// As many as the bounds allow.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { left: limits.tls_join_trials, claimed: HashSet::new() }
    }

    /// The ClientHello of this session was seen.
    pub(super) fn claim(&mut self, keys: &KeyLog, random: &[u8; 32]) {
        if keys.knows(random) {
            self.claimed.insert(*random);
        }
    }

    /// The client randoms of sessions whose ClientHello was not seen, the latest first.
    fn unclaimed<'k>(&self, keys: &'k KeyLog) -> impl Iterator<Item = &'k [u8; 32]> {
        keys.latest_first().filter(|random| !self.claimed.contains(*random))
    }
}

/// What came of trying.
#[derive(Debug)]
pub enum Attempt {
    /// No record that was worth trying came yet.
    Undecided,
    /// It is known.
    Joined(Joined),
    /// No secret opens it.
    Stranger,
    /// The trials are used up.
    OutOfTrials,
}

/// Tries the records of one connection.
#[derive(Debug, Default)]
pub struct Joiner {
    /// The server and what it chose.
    server: Option<(End, Chosen)>,
    changed_cipher: PerEnd<bool>,
    /// Protected records of each end so far.
    records: PerEnd<u64>,
    tried: u32,
    plain: Vec<u8>,
}

/// A protected record.
#[derive(Clone, Copy)]
struct Record<'a> {
    from: End,
    content_type: ContentType,
    body: &'a [u8],
}

impl Joiner {
    /// The next bytes of one end; records in it are tried that begin where it begins or right behind another.
    pub fn push(
        &mut self,
        keys: &KeyLog,
        trials: &mut Trials,
        limits: &Limits,
        (from, origin): (End, Origin),
        mut bytes: &[u8],
    ) -> Attempt {
        while let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>() {
            let Some(header) = RecordHeader::read(header) else { break };
            let Some((body, rest)) = behind.split_at_checked(usize::from(header.len)) else { break };
            bytes = rest;
            match self.record(keys, trials, limits, (from, origin), header.content_type, body) {
                Attempt::Undecided => {}
                decided => return decided,
            }
        }
        Attempt::Undecided
    }

    fn record(
        &mut self,
        keys: &KeyLog,
        trials: &mut Trials,
        limits: &Limits,
        (from, origin): (End, Origin),
        content_type: ContentType,
        body: &[u8],
    ) -> Attempt {
        let is_protected = match content_type {
            ContentType::ChangeCipherSpec => {
                self.changed_cipher[from] = true;
                false
            }
            ContentType::Handshake if !self.changed_cipher[from] => {
                self.hello(from, origin, body);
                false
            }
            ContentType::Handshake => self.is_12(),
            ContentType::ApplicationData => body.len() >= SHORTEST,
            ContentType::Alert | ContentType::Heartbeat => false,
        };
        if !is_protected {
            return Attempt::Undecided;
        }
        self.tried += 1;
        let record = Record { from, content_type, body };
        let mut share = Share { most: trials.left / 8, used: 0 };
        let found = match self.server {
            Some((server, chosen)) if chosen.version == TlsVersion::TLS_1_2 => {
                self.try12((keys, trials), &mut share, (server, &chosen), record)
            }
            _ => self.try13((keys, trials), &mut share, limits, record),
        };
        self.records[from] += 1;
        trials.left -= share.used.min(trials.left);
        match found {
            Some(joined) => Attempt::Joined(joined),
            None if share.is_used_up() => Attempt::OutOfTrials,
            None if self.tried >= MOST_RECORDS => Attempt::Stranger,
            None => Attempt::Undecided,
        }
    }

    fn is_12(&self) -> bool {
        self.server.as_ref().is_some_and(|(_, chosen)| chosen.version == TlsVersion::TLS_1_2)
    }

    /// A handshake message in clear: perhaps the ServerHello.
    fn hello(&mut self, from: End, origin: Origin, body: &[u8]) {
        if let &[SERVER_HELLO, high, middle, low, ref rest @ ..] = body {
            let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            let hello = rest.get(..len).and_then(|body| ServerHello::read(origin, body));
            if let Some(hello) = hello.filter(|hello| !hello.hello_retry) {
                self.server = Some((from, Chosen::of(&hello)));
            }
        }
    }

    /// With a ServerHello of TLS 1.2 only the session is in question.
    fn try12(
        &mut self,
        (keys, trials): (&KeyLog, &Trials),
        share: &mut Share,
        (server, chosen): (End, &Chosen),
        record: Record<'_>,
    ) -> Option<Joined> {
        let side = if record.from == server { Side::Server } else { Side::Client };
        for random in trials.unclaimed(keys) {
            if !share.spend(Share::KEYS) {
                return None;
            }
            let Ok(protection) = chosen.protection12(keys, Some(*random), side) else { continue };
            let sealed = Sealed { content_type: record.content_type, body: record.body };
            for seq in 0..FEW {
                if !share.try_one(record.body) {
                    return None;
                }
                if protection.open12(seq, &sealed, &mut self.plain).is_some() {
                    return Some(Joined { client: server.other(), client_random: *random, place: None });
                }
            }
        }
        None
    }

    /// Few records before the capture are likely, whatever the session, so that is tried first.
    fn try13(
        &mut self,
        known: (&KeyLog, &Trials),
        share: &mut Share,
        limits: &Limits,
        record: Record<'_>,
    ) -> Option<Joined> {
        let mut found = self.try_window(known, share, record, 0..FEW);
        // Where the handshake was captured, few are certain.
        let is_from_start = self.server.is_some() || self.changed_cipher != PerEnd::default();
        let mut from = FEW;
        while found.is_none() && !is_from_start && self.tried <= FAR && from < limits.tls_join_records {
            let until = from.saturating_mul(16).min(limits.tls_join_records);
            found = self.try_window(known, share, record, from..until);
            from = until;
        }
        found
    }

    fn try_window(
        &mut self,
        (keys, trials): (&KeyLog, &Trials),
        share: &mut Share,
        record: Record<'_>,
        seqs: Range<u64>,
    ) -> Option<Joined> {
        // A handshake has few records.
        let levels = if seqs.start == 0 { &LABELS[..] } else { &LABELS[..2] };
        for random in trials.unclaimed(keys) {
            for &(label, side, level) in levels {
                let Some(secret) = keys.secret(random, label) else { continue };
                for (algorithm, hash) in self.algorithms(secret) {
                    let Some(seq) = self.try_keys(secret, (algorithm, hash), share, record.body, seqs.clone()) else {
                        if share.is_used_up() {
                            return None;
                        }
                        continue;
                    };
                    let client = if side == Side::Client { record.from } else { record.from.other() };
                    let seq = seq.saturating_sub(self.records[record.from]);
                    let place = Place { side, algorithm, hash, level, seq };
                    let place = Some(place).filter(|_| self.server.is_none());
                    return Some(Joined { client, client_random: *random, place });
                }
            }
        }
        None
    }

    fn try_keys(
        &mut self,
        secret: &Secret,
        (algorithm, hash): (Algorithm, KeyHash),
        share: &mut Share,
        body: &[u8],
        mut seqs: Range<u64>,
    ) -> Option<u64> {
        if !share.spend(Share::KEYS) {
            return None;
        }
        let protection = Protection::tls13(algorithm, hash, secret)?;
        seqs.find(|&seq| share.try_one(body) && protection.open13(seq, body, &mut self.plain).is_some())
    }

    /// What a secret of TLS 1.3 may be for: the chosen suite's, or all of its length.
    fn algorithms(&self, secret: &Secret) -> impl Iterator<Item = (Algorithm, KeyHash)> + use<> {
        let chosen = self.server.and_then(|(_, chosen)| chosen.algorithm.ok());
        let len = secret.bytes().len();
        TLS_1_3.into_iter().filter(move |it| chosen.map_or(it.1.len() == len, |chosen| chosen == *it))
    }
}

/// Why a connection is not read of which neither hello is in the capture, though there are keys.
#[must_use]
pub fn why_not_joined(keys: &KeyLog, trials: &Trials) -> WhyNot {
    let traffic = [SecretLabel::ServerTraffic, SecretLabel::ClientTraffic];
    let is_13 = |random: &[u8; 32]| traffic.iter().any(|label| keys.secret(random, *label).is_some());
    let mut sessions = trials.unclaimed(keys).peekable();
    match sessions.peek().is_some() && !sessions.any(is_13) {
        true => WhyNot::ServerRandomMissing,
        false => WhyNot::HandshakeNotCaptured,
    }
}

/// What one record may cost.
struct Share {
    most: u64,
    used: u64,
}

impl Share {
    /// Deriving keys costs as much as some trials.
    const KEYS: u64 = 8;

    fn spend(&mut self, trials: u64) -> bool {
        self.used = self.used.saturating_add(trials);
        !self.is_used_up()
    }

    /// Longer records cost more.
    fn try_one(&mut self, body: &[u8]) -> bool {
        self.spend(1 + body.len() as u64 / 512)
    }

    fn is_used_up(&self) -> bool {
        self.used > self.most
    }
}

/// The suites of TLS 1.3, the usual ones first.
const TLS_1_3: [(Algorithm, KeyHash); 5] = [
    (Algorithm::Aes256Gcm, KeyHash::Sha384),
    (Algorithm::Aes128Gcm, KeyHash::Sha256),
    (Algorithm::ChaCha20Poly1305, KeyHash::Sha256),
    (Algorithm::Aes128Ccm, KeyHash::Sha256),
    (Algorithm::Aes128Ccm8, KeyHash::Sha256),
];

/// The secrets that protect records, and whose.
const LABELS: [(SecretLabel, Side, Level); 4] = [
    (SecretLabel::ServerTraffic, Side::Server, Level::Application),
    (SecretLabel::ClientTraffic, Side::Client, Level::Application),
    (SecretLabel::ServerHandshake, Side::Server, Level::Handshake),
    (SecretLabel::ClientHandshake, Side::Client, Level::Handshake),
];

const SERVER_HELLO: u8 = 2;

/// A byte of content and the shortest tag.
const SHORTEST: usize = 1 + 8;

/// Sequence numbers tried first, for every secret there is.
const FEW: u64 = 16;

/// Records tried with all sequence numbers that the bounds allow.
const FAR: u32 = 2;

/// Records tried before a connection is called a stranger's.
const MOST_RECORDS: u32 = 12;
