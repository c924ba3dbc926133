//! The certificates that a server shows in clear (RFC 5246 §7.4.2), as far as a listener can judge them.
//!
//! Who trusts which authority only the client knows. What is said here is what anybody can read: dates, names, whether
//! each certificate names the next one as its issuer, and keys and signatures that clients refuse. Signatures are not
//! verified. Dates are compared with packet times, never with a clock.

use crate::units::{Origin, Timestamp};
use nom::IResult;
use nom::Parser;
use nom::combinator::all_consuming;
use nom::multi::{fold_many0, length_data};
use nom::number::complete::{be_u8, be_u16, be_u24};
use nom::sequence::terminated;
use std::net::IpAddr;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, BasicConstraints, ExtendedKeyUsage, SubjectAltName};
use x509_cert::name::Name;

/// What the server's Certificate message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The packet that completed it.
    pub origin: Origin,
    /// The server's own certificate, which comes first (RFC 5246 §7.4.2).
    pub leaf: Certificate,
    /// What its names say about the host name that the client asked for; `None` when it asked for none, or not all names
    /// could be read.
    pub name_match: Option<NameMatch>,
    /// Certificates in the message.
    pub count: usize,
    /// How the others lead up from the server's own.
    pub chain: Chain,
    /// An intermediate certificate that was not valid when it was shown: its name, and how.
    pub stale_issuer: Option<(Box<str>, Validity)>,
    /// What clients of today refuse in any of them, roots left out.
    pub weakness: Option<Weakness>,
}

/// One certificate, as far as a diagnosis needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its subject, or all of it; unprintable characters replaced, at most 128 characters.
    pub subject: Box<str>,
    /// The same of its issuer.
    pub issuer: Box<str>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Host names it is for, in its order, in small letters; at most eight are kept.
    pub dns_names: Vec<Box<str>>,
    /// Addresses it is for; at most eight are kept.
    pub ip_addresses: Vec<IpAddr>,
    /// More names than were read, or names that could not be.
    pub names_incomplete: bool,
    /// It has more names than are kept.
    pub more_names: bool,
    /// Whether it may serve as a server's: it does not restrict its use, or names `serverAuth` (RFC 5280 §4.2.1.12).
    pub for_servers: bool,
    /// It tells where its issuer's certificate can be had, as those of public authorities do (RFC 5280 §4.2.2.1).
    pub names_issuer_place: bool,
}

/// Whether a moment lies within a certificate's dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// It does.
    Valid,
    /// The certificate had run out.
    Expired,
    /// Its time had not come yet.
    NotYetValid,
}

/// How the certificates of a message hang together, by the names of subjects and issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chain {
    /// One certificate that names itself as its issuer.
    SelfSigned,
    /// One certificate of another issuer, which is complete only for clients that hold that issuer's certificate.
    LeafOnly,
    /// Each names the next one as its issuer.
    Ordered,
    /// The leaf's issuer is among them, but they are not in order (RFC 5246 §7.4.2), or some do not belong.
    Disordered,
    /// None of the others is the leaf's issuer.
    Unrelated,
}

/// A key or signature that clients of today refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weakness {
    /// An RSA key of so many bits, fewer than 2048.
    RsaKey(u32),
    /// Signed with SHA-1.
    Sha1,
    /// Signed with MD5.
    Md5,
}

/// What a certificate's names say about a host name (RFC 9525 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameMatch {
    /// One of them covers it.
    Matches,
    /// None does.
    Other,
    /// It has no host names beside its subject, which clients no longer look at.
    CommonNameOnly,
}

impl Certificates {
    /// Reads the body of a Certificate message to a client that asked for this host name, or `None` when it breaks its
    /// grammar, or the first certificate its own.
    ///
    /// Others that do not parse count as not belonging.
    pub(super) fn read(origin: Origin, body: &[u8], asked: Option<&str>) -> Option<Self> {
        let (_, list) = all_consuming_list(body).ok()?;
        let certificates: IResult<&[u8], Vec<&[u8]>> =
            all_consuming(fold_many0(length_data(be_u24), Vec::new, keep)).parse(list);
        Self::judge(origin, &certificates.ok()?.1, asked)
    }

    /// The same in TLS 1.3 (RFC 8446 §4.4.2), where a context stands before the list and extensions behind each certificate.
    pub(super) fn read_tls13(origin: Origin, body: &[u8], asked: Option<&str>) -> Option<Self> {
        let context: IResult<&[u8], &[u8]> = length_data(be_u8).parse(body);
        let (_, list) = all_consuming_list(context.ok()?.0).ok()?;
        let entry = terminated(length_data(be_u24), length_data(be_u16));
        let certificates: IResult<&[u8], Vec<&[u8]>> = all_consuming(fold_many0(entry, Vec::new, keep)).parse(list);
        Self::judge(origin, &certificates.ok()?.1, asked)
    }

    fn judge(origin: Origin, encoded: &[&[u8]], asked: Option<&str>) -> Option<Self> {
        let (first, others) = encoded.split_first()?;
        let parsed: Vec<Parsed> =
            [Parsed::read(first)?].into_iter().chain(others.iter().filter_map(|der| Parsed::read(der))).collect();
        let stale_issuer = parsed[1..].iter().find_map(|issuer| {
            let validity = issuer.certificate.validity_at(origin.time?);
            (validity != Validity::Valid && !issuer.is_self_issued())
                .then(|| (issuer.certificate.subject.clone(), validity))
        });
        let chain = if parsed.len() == encoded.len() { chain(&parsed) } else { Chain::Disordered };
        let weakness = parsed.iter().filter(|one| !one.is_root()).find_map(|one| one.weakness);
        let mut leaf = parsed.into_iter().next()?.certificate;
        let name_match = asked.and_then(|host| leaf.name_match(host));
        leaf.keep_few_names();
        Some(Self { origin, leaf, name_match, count: encoded.len(), chain, stale_issuer, weakness })
    }
}

impl Certificate {
    /// Whether it was valid at this moment.
    #[must_use]
    pub fn validity_at(&self, time: Timestamp) -> Validity {
        match time {
            _ if time < self.not_before => Validity::NotYetValid,
            _ if time > self.not_after => Validity::Expired,
            _ => Validity::Valid,
        }
    }

    /// The names that are kept, host names first.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let addresses = self.ip_addresses.iter().map(ToString::to_string);
        self.dns_names.iter().map(ToString::to_string).chain(addresses)
    }

    /// Whether its names cover a host name, as RFC 9525 §6.3 compares them: a wildcard stands for one whole first label.
    /// `None` when not all of its names are known.
    fn name_match(&self, host: &str) -> Option<NameMatch> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.dns_names.iter().any(|name| covers(name, &host)) {
            return Some(NameMatch::Matches);
        }
        if self.names_incomplete {
            return None;
        }
        let has_none = self.dns_names.is_empty() && self.ip_addresses.is_empty();
        let named_by_subject = has_none && covers(&self.subject.to_ascii_lowercase(), &host);
        Some(if named_by_subject { NameMatch::CommonNameOnly } else { NameMatch::Other })
    }
}

/// Whether a name of a certificate, perhaps `*.something`, covers a host name; both in small letters.
fn covers(name: &str, host: &str) -> bool {
    let name = name.trim_end_matches('.');
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => !name.is_empty() && name == host,
    }
}

fn keep<'a>(mut kept: Vec<&'a [u8]>, one: &'a [u8]) -> Vec<&'a [u8]> {
    if kept.len() < MAX_CERTIFICATES {
        kept.push(one);
    }
    kept
}

fn all_consuming_list(body: &[u8]) -> IResult<&[u8], &[u8]> {
    all_consuming(length_data(be_u24)).parse(body)
}

/// A certificate with what only its neighbours need to know.
struct Parsed {
    certificate: Certificate,
    subject: Name,
    issuer: Name,
    is_ca: bool,
    weakness: Option<Weakness>,
}

impl Parsed {
    fn read(der: &[u8]) -> Option<Self> {
        // The raw profile also takes serial numbers and dates that RFC 5280 forbids and clients accept.
        let whole = CertificateInner::<Raw>::from_der(der).ok()?;
        let body = whole.tbs_certificate();
        let validity = body.validity();
        let mut certificate = Certificate {
            subject: shown(body.subject()),
            issuer: shown(body.issuer()),
            not_before: timestamp(validity.not_before.to_unix_duration()),
            not_after: timestamp(validity.not_after.to_unix_duration()),
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
            names_incomplete: false,
            more_names: false,
            for_servers: match body.get_extension::<ExtendedKeyUsage>() {
                Ok(Some((_, usage))) => usage.0.iter().any(|&id| id == SERVER_AUTH || id == ANY_USAGE),
                _ => true,
            },
            names_issuer_place: matches!(body.get_extension::<AuthorityInfoAccessSyntax>(),
                Ok(Some((_, access))) if access.0.iter().any(|one| one.access_method == CA_ISSUERS)),
        };
        match body.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().for_each(|name| certificate.add_name(name)),
            Ok(None) => {}
            Err(_) => certificate.names_incomplete = true,
        }
        let is_ca = matches!(body.get_extension::<BasicConstraints>(), Ok(Some((_, basic))) if basic.ca);
        let signature = whole.signature_algorithm().oid;
        let key = body.subject_public_key_info();
        let rsa_bits = (key.algorithm.oid == RSA).then(|| rsa_bits(key.subject_public_key.raw_bytes())).flatten();
        let weakness = match rsa_bits {
            Some(bits) if bits < LEAST_RSA_BITS => Some(Weakness::RsaKey(bits)),
            _ if MD5_SIGNATURES.contains(&signature) => Some(Weakness::Md5),
            _ if SHA1_SIGNATURES.contains(&signature) => Some(Weakness::Sha1),
            _ => None,
        };
        Some(Self { certificate, subject: body.subject().clone(), issuer: body.issuer().clone(), is_ca, weakness })
    }

    fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// An authority that vouches for itself: clients hold their own copy, and look at nothing else of it.
    fn is_root(&self) -> bool {
        self.is_self_issued() && self.is_ca
    }
}

impl Certificate {
    /// Connections may be many and certificates of large hosts long.
    fn keep_few_names(&mut self) {
        self.more_names = self.dns_names.len() > KEPT_NAMES || self.ip_addresses.len() > KEPT_NAMES;
        self.dns_names.truncate(KEPT_NAMES);
        self.dns_names.shrink_to_fit();
        self.ip_addresses.truncate(KEPT_NAMES);
        self.ip_addresses.shrink_to_fit();
    }

    fn add_name(&mut self, name: &GeneralName) {
        match name {
            GeneralName::DnsName(name) if self.dns_names.len() < MAX_NAMES => {
                self.dns_names.push(clean(name.as_str()).to_ascii_lowercase().into());
            }
            GeneralName::IpAddress(octets) if self.ip_addresses.len() < MAX_NAMES => {
                let bytes = octets.as_bytes();
                let address = <[u8; 4]>::try_from(bytes)
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
                match address {
                    Ok(address) => self.ip_addresses.push(address),
                    Err(_) => self.names_incomplete = true,
                }
            }
            GeneralName::DnsName(_) | GeneralName::IpAddress(_) => self.names_incomplete = true,
            _ => {}
        }
    }
}

fn chain(certificates: &[Parsed]) -> Chain {
    let [leaf, issuers @ ..] = certificates else { return Chain::Unrelated };
    if issuers.is_empty() {
        return if leaf.is_self_issued() { Chain::SelfSigned } else { Chain::LeafOnly };
    }
    if certificates.windows(2).all(|pair| pair[0].issuer == pair[1].subject) {
        Chain::Ordered
    } else if leaf.is_self_issued() || issuers.iter().any(|issuer| leaf.issuer == issuer.subject) {
        Chain::Disordered
    } else {
        Chain::Unrelated
    }
}

/// Bits of the modulus of an RSA key (RFC 8017 §A.1.1).
fn rsa_bits(key: &[u8]) -> Option<u32> {
    let modulus_len = |bytes: &[u8]| -> Option<u32> {
        let first = bytes.first()?;
        let bits = u32::try_from(bytes.len()).ok()?.checked_mul(8)?;
        Some(bits - first.leading_zeros())
    };
    let mut reader = SliceReader::new(key).ok()?;
    reader
        .sequence(|inner: &mut SliceReader<'_>| {
            let modulus = UintRef::decode(inner)?;
            let _exponent = UintRef::decode(inner)?;
            Ok::<_, x509_cert::der::Error>(modulus_len(modulus.as_bytes()))
        })
        .ok()?
}

/// Dates beyond what nanoseconds can count, such as 9999-12-31 for "never", are the last moment.
fn timestamp(since_epoch: std::time::Duration) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// A name for people: its common name, or all of it.
fn shown(name: &Name) -> Box<str> {
    match name.common_name() {
        Ok(Some(common)) => clean(&common.value()).into(),
        _ => clean(&name.to_string()).into(),
    }
}

/// Nothing that a terminal could obey.
fn clean(text: &str) -> String {
    let printable = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().take(LONGEST_NAME).map(printable).collect()
}

const MAX_CERTIFICATES: usize = 16;
const MAX_NAMES: usize = 1024;
const KEPT_NAMES: usize = 8;
const LONGEST_NAME: usize = 128;

/// What browsers and OpenSSL's default security level ask for (CA/Browser Forum Baseline Requirements §6.1.5).
const LEAST_RSA_BITS: u32 = 2048;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// `md2WithRSAEncryption` and `md5WithRSAEncryption`.
const MD5_SIGNATURES: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2"), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4")];

/// `sha1WithRSAEncryption`, `dsa-with-sha1` and `ecdsa-with-SHA1`.
const SHA1_SIGNATURES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"),
    ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    /// The segments of a TLS 1.2 handshake; the second is the server's, whose certificate is for localhost and 127.0.0.1.
    const RECORDED: &str = include_str!("recorded/tls12.txt");

    const ORIGIN: Origin =
        Origin { packet: PacketNumber::FIRST, time: Some(Timestamp::from_nanos(1_795_246_870 * 1_000_000_000)) };

    /// The body of its Certificate message.
    fn message() -> Vec<u8> {
        let line = RECORDED.lines().find(|line| line.starts_with("s ")).expect("the server's flight");
        let digits: Vec<u8> = line[2..].chars().map(|digit| digit.to_digit(16).expect("hex") as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let hello = 5 + usize::from(bytes[3]) * 256 + usize::from(bytes[4]);
        let record = &bytes[hello..];
        let len = usize::from(record[6]) << 16 | usize::from(record[7]) << 8 | usize::from(record[8]);
        assert_eq!((record[0], record[5]), (22, 11), "a Certificate message follows the ServerHello");
        record[9..9 + len].to_vec()
    }

    #[test]
    fn a_recorded_certificate() {
        let shown = Certificates::read(ORIGIN, &message(), Some("localhost")).expect("as OpenSSL sent it");
        assert_eq!((&*shown.leaf.subject, shown.count, shown.weakness), ("localhost", 1, None));
        assert_eq!(shown.name_match, Some(NameMatch::Matches));
        assert_eq!(shown.leaf.name_match("LOCALHOST."), Some(NameMatch::Matches));
        assert_eq!(shown.leaf.name_match("example.org"), Some(NameMatch::Other));
    }

    #[test]
    fn names_are_compared_as_rfc_9525_says() {
        for (name, host, expected) in [
            ("example.org", "example.org", true),
            ("*.example.org", "www.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", ".example.org", false),
            ("w*.example.org", "www.example.org", false),
            ("www.*.org", "www.example.org", false),
            ("*", "example", false),
            ("", "", false),
        ] {
            assert_eq!(covers(name, host), expected, "{name} {host}");
        }
    }

    #[test]
    fn damage_ends_without_panic() {
        let message = message();
        for cut in 0..message.len() {
            assert_eq!(Certificates::read(ORIGIN, &message[..cut], None), None, "cut at {cut}");
        }
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..4000 {
            let mut damaged = message.clone();
            for _ in 0..3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = random as usize % damaged.len();
                damaged[at] = (random >> 32) as u8;
            }
            drop(Certificates::read(ORIGIN, &damaged, Some("localhost")));
        }
    }
}
