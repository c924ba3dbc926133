//! Which secrets of the key log belong to a connection, and the keys that follow from them.

use crate::tls::decryption::WhyNot;
use crate::tls::hello::ServerHello;
use crate::tls::join::Place;
use crate::tls::keylog::{KeyLog, SecretLabel};
use crate::tls::live::Live13;
use crate::tls::names::TlsVersion;
use crate::tls::protection::{Keys12, Protection};
use crate::tls::schedule::key_block;
use crate::tls::secret::Secret;
use crate::tls::suite::{Algorithm, KeyHash};
use crate::units::Side;

/// What the server chose.
#[derive(Debug, Clone, Copy)]
pub(in crate::tls) struct Chosen {
    pub(in crate::tls) version: TlsVersion,
    pub(in crate::tls) algorithm: Result<(Algorithm, KeyHash), WhyNot>,
    pub(in crate::tls) random: [u8; 32],
    pub(in crate::tls) encrypt_then_mac: bool,
}

impl Chosen {
    pub(in crate::tls) fn of(hello: &ServerHello) -> Self {
        let algorithm = match Algorithm::of(hello.cipher_suite) {
            _ if hello.version < TlsVersion::TLS_1_2 => Err(WhyNot::UnsupportedVersion(hello.version)),
            Some(algorithm) => Ok(algorithm),
            None => Err(WhyNot::UnsupportedSuite(hello.cipher_suite)),
        };
        let (version, random, encrypt_then_mac) = (hello.version, hello.random, hello.encrypt_then_mac);
        Self { version, algorithm, random, encrypt_then_mac }
    }

    /// What a server of TLS 1.3 chose whose ServerHello is not in the capture.
    pub(in crate::tls) fn joined(place: &Place) -> Self {
        let algorithm = Ok((place.algorithm, place.hash));
        Self { version: TlsVersion::TLS_1_3, algorithm, random: [0; 32], encrypt_then_mac: false }
    }

    /// A direction of TLS 1.3, at its start.
    pub(in crate::tls) fn live13(
        &self,
        keys: &KeyLog,
        client_random: Option<[u8; 32]>,
        side: Side,
    ) -> Result<Live13, WhyNot> {
        let (algorithm, hash) = self.algorithm?;
        Ok(Live13::new(algorithm, hash, secrets13(keys, client_random, side)?))
    }
    /// The keys of a direction of TLS 1.2.
    pub(in crate::tls) fn protection12(
        &self,
        keys: &KeyLog,
        client_random: Option<[u8; 32]>,
        side: Side,
    ) -> Result<Protection, WhyNot> {
        let (algorithm, hash) = self.algorithm?;
        let client_random = client_random.ok_or(WhyNot::HandshakeNotCaptured)?;
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
        key_block(hash, master, &client_random, &self.random, &mut block);
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
        Protection::tls12(algorithm, &keys, self.encrypt_then_mac).ok_or(WhyNot::TagMismatch)
    }
}

/// The secrets of a side in TLS 1.3, by [`Level`](crate::tls::live::Level); at least one.
fn secrets13(keys: &KeyLog, client_random: Option<[u8; 32]>, side: Side) -> Result<[Option<Secret>; 3], WhyNot> {
    let random = client_random.ok_or(WhyNot::HandshakeNotCaptured)?;
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

/// The secret of a side's application data in TLS 1.3.
pub(super) fn traffic_label(side: Side) -> SecretLabel {
    match side {
        Side::Client => SecretLabel::ClientTraffic,
        Side::Server => SecretLabel::ServerTraffic,
    }
}

/// Bytes of the longest key block: two keys of 32 bytes and two of 48 for the MAC, and room for nonces.
const KEY_BLOCK: usize = 2 * (32 + 48 + 12);
