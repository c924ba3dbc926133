//! The keys that are in force in one direction, and which come next.
//!
//! Which keys a record is under is known from what came before. Where that is not known, because handshake messages
//! cannot be read or records are lost, it is tried: a tag verifies for one key and one sequence number only.

use super::protection::{Protection, Sealed};
use super::schedule::next_traffic_secret;
use super::secret::Secret;
use super::suite::{Algorithm, KeyHash};
use std::ops::RangeInclusive;

/// The phases of one direction of TLS 1.3, each with keys of its own (RFC 8446 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Early,
    Handshake,
    Application,
}

/// How far a search may go: bytes of records that may still be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(128 << 10)
    }
}

impl Budget {
    /// What a trial costs beside the bytes of the record.
    const TRIAL: u64 = 64;

    /// Enough to try so many sequence numbers on a short record, of which one candidate may use half.
    pub(super) fn of_records(count: u64) -> Self {
        const SHORT: u64 = 512;
        Self(count.saturating_mul(2 * (Self::TRIAL + SHORT)))
    }

    /// What may be tried for bytes that were captured: so a search costs a fixed multiple of reading.
    pub(super) fn earn(&mut self, bytes: usize) {
        const FACTOR: u64 = 64;
        const MOST: u64 = 64 << 20;
        self.0 = self.0.saturating_add(FACTOR.saturating_mul(bytes as u64)).min(MOST);
    }

    /// What one candidate may use of it: half, so that none takes it all.
    fn share(&mut self) -> Self {
        self.0 /= 2;
        *self
    }

    fn give_back(&mut self, rest: Self) {
        self.0 = self.0.saturating_add(rest.0);
    }

    fn spend(&mut self, body: &[u8]) -> bool {
        let cost = Self::TRIAL + body.len() as u64;
        let affords = self.0 >= cost;
        self.0 = self.0.saturating_sub(cost);
        affords
    }
}

/// One direction of TLS 1.3.
#[derive(Debug)]
pub(super) struct Live13 {
    algorithm: Algorithm,
    hash: KeyHash,
    secrets: [Option<Secret>; 3],
    level: Level,
    /// Of the next record.
    seq: u64,
    protection: Option<Protection>,
}

/// A record that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) level: Level,
    pub(super) seq: u64,
    /// The content type inside.
    pub(super) content_type: u8,
}

impl Live13 {
    /// `secrets`: early, handshake, application. A direction without any of them cannot be read.
    pub(super) fn new(algorithm: Algorithm, hash: KeyHash, secrets: [Option<Secret>; 3]) -> Self {
        let level = if secrets[0].is_some() { Level::Early } else { Level::Handshake };
        let mut this = Self { algorithm, hash, secrets, level, seq: 0, protection: None };
        this.enter(level);
        this
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Whether records of application data can be read at all.
    pub(super) fn has(&self, level: Level) -> bool {
        self.secrets[level as usize].is_some()
    }

    /// The next record is the first under the keys of `level`.
    pub(super) fn enter(&mut self, level: Level) {
        (self.level, self.seq) = (level, 0);
        let secret = self.secrets[level as usize].as_ref();
        self.protection = secret.and_then(|secret| Protection::tls13(self.algorithm, self.hash, secret));
    }

    /// The next record is about the one with this number.
    pub(super) fn resume(&mut self, level: Level, seq: u64) {
        self.enter(level);
        self.seq = seq;
    }

    /// The sender updated its keys (RFC 8446 §4.6.3).
    pub(super) fn update(&mut self) {
        if let Some(secret) = &mut self.secrets[Level::Application as usize] {
            *secret = next_traffic_secret(self.hash, secret);
        }
        self.enter(Level::Application);
    }

    /// A record passed that was not read.
    pub(super) fn skip(&mut self) {
        self.seq = self.seq.saturating_add(1);
    }

    /// Opens a record in step: under the keys in force, or else as the first one under later keys.
    pub(super) fn open(&mut self, body: &[u8], plain: &mut Vec<u8>) -> Option<Opened> {
        self.try_all(0, body, plain, &mut Budget(u64::MAX))
    }

    /// Opens a record behind up to `lost` others. Few are likely, under whatever keys, so that is tried first.
    pub(super) fn search(
        &mut self,
        lost: u64,
        body: &[u8],
        plain: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Option<Opened> {
        const FEW: u64 = 16;
        let mut share = budget.share();
        let mut opened = self.try_all(lost.min(FEW), body, plain, &mut share);
        if opened.is_none() && lost > FEW {
            opened = self.try_all(lost, body, plain, &mut share);
        }
        budget.give_back(share);
        opened
    }

    fn try_all(&mut self, lost: u64, body: &[u8], plain: &mut Vec<u8>, budget: &mut Budget) -> Option<Opened> {
        if let Some(protection) = &self.protection {
            // A handshake has few records.
            let lost = if self.level == Level::Handshake { lost.min(HANDSHAKE_RECORDS) } else { lost };
            let most = self.seq.saturating_add(lost);
            if let Some((seq, content_type)) = find(protection, self.seq..=most, body, plain, budget) {
                self.seq = seq.saturating_add(1);
                return Some(Opened { level: self.level, seq, content_type });
            }
        }
        let current = self.level;
        for level in [Level::Handshake, Level::Application].into_iter().filter(|level| *level > current) {
            let Some(secret) = self.secrets[level as usize] else { continue };
            if let Some(opened) = self.try_secret(level, secret, lost, body, plain, budget) {
                return Some(opened);
            }
        }
        if self.level == Level::Application
            && let Some(secret) = self.secrets[Level::Application as usize]
        {
            let next = next_traffic_secret(self.hash, &secret);
            return self.try_secret(Level::Application, next, lost, body, plain, budget);
        }
        None
    }

    fn try_secret(
        &mut self,
        level: Level,
        secret: Secret,
        lost: u64,
        body: &[u8],
        plain: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Option<Opened> {
        let protection = Protection::tls13(self.algorithm, self.hash, &secret)?;
        let (seq, content_type) = find(&protection, 0..=lost, body, plain, budget)?;
        (self.level, self.seq, self.protection) = (level, seq.saturating_add(1), Some(protection));
        self.secrets[level as usize] = Some(secret);
        Some(Opened { level, seq, content_type })
    }
}

fn find(
    protection: &Protection,
    mut seqs: RangeInclusive<u64>,
    body: &[u8],
    plain: &mut Vec<u8>,
    budget: &mut Budget,
) -> Option<(u64, u8)> {
    seqs.find_map(|seq| match budget.spend(body) {
        true => protection.open13(seq, body, plain).map(|content_type| Some((seq, content_type))),
        false => Some(None),
    })?
}

/// More records than the messages of a TLS 1.3 handshake ever take.
const HANDSHAKE_RECORDS: u64 = 64;

/// One direction of TLS 1.2.
#[derive(Debug)]
pub(super) struct Live12 {
    protection: Protection,
    /// Of the next record.
    seq: u64,
    /// The explicit nonce of the last record and its sequence number: senders count both up together.
    last_nonce: Option<(u64, u64)>,
}

impl Live12 {
    pub(super) fn new(protection: Protection) -> Self {
        Self { protection, seq: 0, last_nonce: None }
    }

    /// A record passed that was not read.
    pub(super) fn skip(&mut self) {
        self.seq = self.seq.saturating_add(1);
    }

    /// Bytes of plaintext in a record with a body of `len` bytes, when the cipher tells.
    pub(super) fn plain_len(&self, len: usize) -> Option<usize> {
        self.protection.plain_len12(len)
    }

    /// Opens a record in step.
    pub(super) fn open(&mut self, record: &Sealed<'_>, plain: &mut Vec<u8>) -> Option<u64> {
        self.try_seq(self.seq, record, plain)
    }

    /// Opens a record behind up to `lost` others.
    pub(super) fn search(
        &mut self,
        lost: u64,
        record: &Sealed<'_>,
        plain: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Option<u64> {
        let mut share = budget.share();
        let found = self.find(lost, record, plain, &mut share);
        budget.give_back(share);
        found
    }

    fn find(&mut self, lost: u64, record: &Sealed<'_>, plain: &mut Vec<u8>, budget: &mut Budget) -> Option<u64> {
        let nonce = self.protection.explicit_nonce(record.body);
        let guess = match (nonce, self.last_nonce) {
            (Some(nonce), Some((last, seq))) => seq.checked_add(nonce.wrapping_sub(last)),
            (nonce, _) => nonce,
        };
        let window = self.seq..=self.seq.saturating_add(lost);
        if let Some(guess) = guess.filter(|guess| *guess >= self.seq && budget.spend(record.body))
            && let Some(seq) = self.try_seq(guess, record, plain)
        {
            return Some(seq);
        }
        for seq in window {
            if !budget.spend(record.body) {
                return None;
            }
            if let Some(seq) = self.try_seq(seq, record, plain) {
                return Some(seq);
            }
        }
        None
    }

    fn try_seq(&mut self, seq: u64, record: &Sealed<'_>, plain: &mut Vec<u8>) -> Option<u64> {
        self.protection.open12(seq, record, plain)?;
        self.seq = seq.saturating_add(1);
        self.last_nonce = self.protection.explicit_nonce(record.body).map(|nonce| (nonce, seq));
        Some(seq)
    }
}
