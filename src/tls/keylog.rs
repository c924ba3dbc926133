//! Key logs: the text that programs write to `SSLKEYLOGFILE`, one secret a line.
//!
//! `LABEL CLIENT_RANDOM SECRET`, the last two in hexadecimal digits. A log is another's file: lines are of any length
//! and may be damaged, and nothing of one is ever shown but its number. What is kept is bounded by
//! [`Limits::tls_sessions`].

use super::secret::Secret;
use crate::limits::Limits;
use std::collections::HashMap;
use std::fmt;

/// A secret that a key log can hold, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretLabel {
    /// `CLIENT_RANDOM`: the master secret of a session up to TLS 1.2.
    ClientRandom,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`; those of later key updates follow from it.
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`; those of later key updates follow from it.
    ServerTraffic,
}

impl SecretLabel {
    const ALL: [Self; 6] = [
        Self::ClientRandom,
        Self::ClientEarly,
        Self::ClientHandshake,
        Self::ServerHandshake,
        Self::ClientTraffic,
        Self::ServerTraffic,
    ];

    /// Its name in a key log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientRandom => "CLIENT_RANDOM",
            Self::ClientEarly => "CLIENT_EARLY_TRAFFIC_SECRET",
            Self::ClientHandshake => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Self::ServerHandshake => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            Self::ClientTraffic => "CLIENT_TRAFFIC_SECRET_0",
            Self::ServerTraffic => "SERVER_TRAFFIC_SECRET_0",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Why a line was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadLine {
    /// It is longer than any secret.
    TooLong,
    /// It is not a label and two values.
    NotThreeWords,
    /// A value is not of hexadecimal digits, two for each byte.
    NotHexadecimal,
    /// The client random has not 32 bytes, or the secret none of the lengths that its label allows.
    WrongLength,
    /// It is not the label of a secret that this program knows.
    UnknownLabel,
    /// `RSA`: a premaster secret by its encrypted form, as programs wrote it before 2012.
    RsaPremaster,
    /// There are more sessions than [`Limits::tls_sessions`].
    TooMany,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "too long",
            Self::NotThreeWords => "not a label and two values",
            Self::NotHexadecimal => "not hexadecimal",
            Self::WrongLength => "a value of the wrong length",
            Self::UnknownLabel => "unknown label",
            Self::RsaPremaster => "a premaster secret under RSA, which is not supported",
            Self::TooMany => "too many sessions",
        })
    }
}

/// What became of the lines of one key log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLogRead {
    /// Lines with a secret that was new.
    pub added: u64,
    /// Lines with a secret that was known already.
    pub repeated: u64,
    /// Lines that replaced another secret of the same label and client random.
    pub replaced: u64,
    /// Lines with secrets that do not protect records, such as `EXPORTER_SECRET`.
    pub unneeded: u64,
    /// Lines left out.
    pub left_out: u64,
    /// The first of those: their numbers, from 1, and what is wrong.
    pub first_left_out: Vec<(u64, BadLine)>,
}

impl KeyLogRead {
    /// Lines left out that are told one by one.
    pub const TOLD: usize = 5;

    fn leave_out(&mut self, line: u64, why: BadLine) {
        self.left_out += 1;
        if self.first_left_out.len() < Self::TOLD {
            self.first_left_out.push((line, why));
        }
    }
}

/// What is known of one session.
#[derive(Clone, Default)]
struct Session {
    secrets: [Option<Secret>; 6],
}

/// The secrets of all sessions that are known, by client random.
#[derive(Clone, Default)]
pub struct KeyLog {
    sessions: HashMap<[u8; 32], Box<Session>>,
    /// Their client randoms, in the order in which they came.
    order: Vec<[u8; 32]>,
    version: u64,
    /// Sessions that found no room.
    left_out: u64,
}

impl KeyLog {
    /// Whether no secret is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Sessions of which a secret is known.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Secrets left out because of [`Limits::tls_sessions`].
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Another number whenever a secret was added.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Takes in the secrets of a whole key log.
    pub fn add(&mut self, text: &[u8], limits: &Limits) -> KeyLogRead {
        let mut reader = KeyLogReader::default();
        reader.push(text, self, limits);
        reader.finish(self, limits)
    }

    /// Whether any secret of the session that began with this random is known.
    pub(super) fn knows(&self, random: &[u8; 32]) -> bool {
        self.sessions.contains_key(random)
    }

    pub(super) fn secret(&self, random: &[u8; 32], label: SecretLabel) -> Option<&Secret> {
        self.sessions.get(random)?.secrets[label.index()].as_ref()
    }

    /// The client randoms of the sessions, the latest first.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.order.iter().rev()
    }

    fn line(&mut self, line: &[u8], limits: &Limits) -> Result<Added, BadLine> {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(label) = words.next().filter(|word| !word.starts_with(b"#")) else { return Ok(Added::Unneeded) };
        let (Some(random), Some(secret), None) = (words.next(), words.next(), words.next()) else {
            return Err(if label == b"RSA" { BadLine::RsaPremaster } else { BadLine::NotThreeWords });
        };
        let label = match SecretLabel::ALL.into_iter().find(|known| known.name().as_bytes() == label) {
            Some(label) => label,
            None if is_unneeded(label) => return Ok(Added::Unneeded),
            None if label == b"RSA" => return Err(BadLine::RsaPremaster),
            None => return Err(BadLine::UnknownLabel),
        };
        let mut bytes = [0; 32];
        if decode(random, &mut bytes)? != bytes.len() {
            return Err(BadLine::WrongLength);
        }
        let mut value = [0; Secret::LONGEST];
        let secret = match (label, decode(secret, &mut value)?) {
            (_, 48) => Secret::new(&value),
            (SecretLabel::ClientRandom, _) => None,
            (_, len @ 32) => Secret::new(&value[..len]),
            _ => None,
        };
        let secret = secret.ok_or(BadLine::WrongLength)?;
        if self.sessions.len() >= limits.tls_sessions && !self.sessions.contains_key(&bytes) {
            self.left_out += 1;
            return Err(BadLine::TooMany);
        }
        let session = self.sessions.entry(bytes).or_insert_with(|| {
            self.order.push(bytes);
            Box::default()
        });
        let place = &mut session.secrets[label.index()];
        let added = match place {
            Some(known) if *known == secret => return Ok(Added::Repeated),
            Some(_) => Added::Replaced,
            None => Added::New,
        };
        *place = Some(secret);
        self.version += 1;
        Ok(added)
    }
}

impl fmt::Debug for KeyLog {
    /// Says of how many sessions something is known, and no more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog {{ {} sessions }}", self.sessions.len())
    }
}

enum Added {
    New,
    Repeated,
    Replaced,
    Unneeded,
}

/// Reads a key log piece by piece; keeps one line of at most [`Self::LONGEST_LINE`] bytes.
#[derive(Default)]
pub struct KeyLogReader {
    line: Vec<u8>,
    /// The line was longer than it may be; its rest passes by.
    too_long: bool,
    number: u64,
    read: KeyLogRead,
}

impl KeyLogReader {
    /// Bytes of a line. The longest that makes sense is a label of 33 characters with 64 and 96 digits.
    pub const LONGEST_LINE: usize = 1024;

    /// Takes in the next bytes; secrets of lines that are complete go into `keys`.
    pub fn push(&mut self, bytes: &[u8], keys: &mut KeyLog, limits: &Limits) {
        let mut pieces = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).peekable();
        let mut at = 0;
        while let Some(piece) = pieces.next() {
            let room = Self::LONGEST_LINE - self.line.len();
            self.too_long |= piece.len() > room;
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            at += piece.len();
            if pieces.peek().is_some() {
                self.end_line(keys, limits);
                // A carriage return and the line feed behind it are one end of a line.
                self.number += u64::from(bytes[at] == b'\n');
                at += 1;
            }
        }
    }

    /// The log is over; tells what became of its lines.
    pub fn finish(mut self, keys: &mut KeyLog, limits: &Limits) -> KeyLogRead {
        self.end_line(keys, limits);
        self.read
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        !self.line.is_empty()
    }

    fn end_line(&mut self, keys: &mut KeyLog, limits: &Limits) {
        let outcome = match self.too_long {
            true => Err(BadLine::TooLong),
            false => keys.line(&self.line, limits),
        };
        let is_blank = self.line.is_empty() && !self.too_long;
        self.line.clear();
        self.too_long = false;
        match outcome {
            Ok(Added::New) => self.read.added += 1,
            Ok(Added::Repeated) => self.read.repeated += 1,
            Ok(Added::Replaced) => self.read.replaced += 1,
            Ok(Added::Unneeded) => self.read.unneeded += u64::from(!is_blank),
            Err(why) => self.read.leave_out(self.number + 1, why),
        }
    }
}

impl fmt::Debug for KeyLogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLogReader {{ {:?} }}", self.read)
    }
}

/// Labels of secrets that protect no records, and those of later key updates, which follow from the first.
fn is_unneeded(label: &[u8]) -> bool {
    let is_update = |prefix: &[u8]| {
        // OpenSSL writes the letter N.
        let is_number = |rest: &[u8]| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
        label.strip_prefix(prefix).is_some_and(|rest| rest == b"N" || is_number(rest))
    };
    matches!(label, b"EXPORTER_SECRET" | b"EARLY_EXPORTER_SECRET" | b"EARLY_EXPORTER_MASTER_SECRET")
        || matches!(label, b"ECH_SECRET" | b"ECH_CONFIG")
        || label.starts_with(b"QUIC_")
        || is_update(b"CLIENT_TRAFFIC_SECRET_")
        || is_update(b"SERVER_TRAFFIC_SECRET_")
}

/// Writes the bytes of `digits` into `to`; gives how many they are.
fn decode(digits: &[u8], to: &mut [u8]) -> Result<usize, BadLine> {
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BadLine::NotHexadecimal);
    }
    let to = to.get_mut(..digits.len() / 2).ok_or(BadLine::WrongLength)?;
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    for (byte, pair) in to.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    Ok(to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, random: u8, secret: u8, len: usize) -> String {
        format!("{label} {} {}\n", format!("{random:02x}").repeat(32), format!("{secret:02X}").repeat(len))
    }

    fn read(text: &str) -> (KeyLog, KeyLogRead) {
        let mut keys = KeyLog::default();
        let read = keys.add(text.as_bytes(), &Limits::default());
        (keys, read)
    }

    #[test]
    fn every_label_finds_its_place() {
        let labels = SecretLabel::ALL;
        let text: String =
            labels.iter().enumerate().map(|(index, label)| line(label.name(), 7, index as u8 + 0xa0, 48)).collect();
        let (keys, read) = read(&text);
        assert_eq!((read.added, read.left_out, keys.session_count()), (6, 0, 1));
        for (index, label) in labels.into_iter().enumerate() {
            assert_eq!(keys.secret(&[7; 32], label).unwrap().bytes(), [index as u8 + 0xa0; 48], "{label:?}");
        }
        assert_eq!(keys.secret(&[8; 32], SecretLabel::ClientRandom), None);
    }

    #[test]
    fn lines_that_say_nothing_are_counted_apart() {
        let text = [
            "# SSL/TLS secrets log file\n".to_owned(),
            "\n".to_owned(),
            line("EXPORTER_SECRET", 1, 2, 48),
            line("SERVER_TRAFFIC_SECRET_1", 1, 2, 48),
            line("CLIENT_RANDOM", 1, 2, 48),
            line("CLIENT_RANDOM", 1, 2, 48),
            line("CLIENT_RANDOM", 1, 3, 48).replace('\n', "\r\n"),
        ];
        let (keys, read) = read(&text.concat());
        assert_eq!((read.unneeded, read.added, read.repeated, read.replaced, read.left_out), (3, 1, 1, 1, 0));
        assert_eq!(keys.secret(&[1; 32], SecretLabel::ClientRandom).unwrap().bytes(), [3; 48]);
    }

    #[test]
    fn bad_lines_are_told_by_their_number() {
        let text = [
            line("CLIENT_RANDOM", 1, 2, 48),
            line("CLIENT_RANDOM", 1, 2, 47),
            "CLIENT_RANDOM zz 00\r\n".to_owned(),
            "hello\n".to_owned(),
            line("SECRET_OF_SOMETHING", 1, 2, 32),
            "RSA 0123456789abcdef 00\n".to_owned(),
            "x".repeat(1 << 20) + "\n",
            line("SERVER_TRAFFIC_SECRET_0", 1, 2, 32),
        ];
        let (_, read) = read(&text.concat());
        assert_eq!((read.added, read.left_out), (2, 6));
        let first = [
            (2, BadLine::WrongLength),
            (3, BadLine::NotHexadecimal),
            (4, BadLine::NotThreeWords),
            (5, BadLine::UnknownLabel),
            (6, BadLine::RsaPremaster),
        ];
        assert_eq!(read.first_left_out, first);
    }

    #[test]
    fn pieces_of_any_size_make_the_same_log() {
        let text = ["# a\r\n".to_owned(), line("CLIENT_RANDOM", 1, 2, 48), "bad\r\n".to_owned(), "last".to_owned()];
        let text = text.concat();
        let (_, whole) = read(&text);
        for size in 1..40 {
            let (mut keys, mut reader) = (KeyLog::default(), KeyLogReader::default());
            for piece in text.as_bytes().chunks(size) {
                reader.push(piece, &mut keys, &Limits::default());
            }
            assert_eq!(reader.finish(&mut keys, &Limits::default()), whole, "{size}");
        }
        assert_eq!(whole.first_left_out, [(3, BadLine::NotThreeWords), (4, BadLine::NotThreeWords)]);
    }

    #[test]
    fn sessions_are_bounded() {
        let text: String = (0..5).map(|random| line("CLIENT_RANDOM", random, 2, 48)).collect();
        let mut keys = KeyLog::default();
        let read = keys.add(text.as_bytes(), &Limits { tls_sessions: 3, ..Limits::default() });
        assert_eq!((keys.session_count(), keys.left_out(), read.left_out), (3, 2, 2));
        assert_eq!(read.first_left_out, [(4, BadLine::TooMany), (5, BadLine::TooMany)]);
    }

    #[test]
    fn nothing_of_a_log_is_printed() {
        let (keys, read) = read(&(line("CLIENT_RANDOM", 0xab, 0xcd, 48) + "CLIENT_RANDOM secret\n"));
        let shown = format!("{keys:?} {read:?}").to_lowercase();
        assert!(!shown.contains("abab") && !shown.contains("cdcd") && !shown.contains(" secret"), "{shown}");
    }
}
