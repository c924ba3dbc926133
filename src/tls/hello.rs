//! ClientHello and ServerHello (RFC 8446 §4.1, RFC 5246 §7.4.1). Every length comes from an enemy.

use super::names::{CipherSuite, TlsVersion};
use crate::units::Origin;
use nom::bytes::complete::take;
use nom::combinator::{all_consuming, map};
use nom::multi::{fold_many0, length_data};
use nom::number::complete::{be_u8, be_u16};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The packet that completed it.
    pub origin: Origin,
    /// Host name it wants (`server_name`, RFC 6066 §3), unprintable characters replaced, at most 255 characters.
    pub sni: Option<Box<str>>,
    /// Application protocols in its order of preference (RFC 7301), cleaned likewise; at most 16.
    pub alpn: Vec<Box<str>>,
    /// Versions it would speak, in its order, GREASE left out; at most 16.
    pub versions: Vec<TlsVersion>,
    /// Cipher suites, in its order, GREASE left out; at most 128.
    pub cipher_suites: Vec<CipherSuite>,
    /// Its random value: the key under which secrets are logged.
    pub random: [u8; 32],
    /// Whether it names a session to resume by its identifier; TLS 1.3 clients often do so without meaning it.
    pub session_id_present: bool,
    /// Whether it offers a pre-shared key, that is to resume a TLS 1.3 session.
    pub psk_offered: bool,
    /// Whether it sends early data (RFC 8446 §4.2.10).
    pub early_data: bool,
    /// Whether the true host name may be encrypted (`encrypted_client_hello`).
    pub ech_offered: bool,
}

/// What a server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The packet that completed it.
    pub origin: Origin,
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The application protocol; in TLS 1.3 it is encrypted and `None` says nothing.
    pub alpn: Option<Box<str>>,
    /// Whether this only asks for another ClientHello (HelloRetryRequest, RFC 8446 §4.1.4).
    pub hello_retry: bool,
    /// Its random value.
    pub random: [u8; 32],
    /// Whether CBC records are authenticated after encryption (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Whether it took a pre-shared key that the client offered, that is resumed a TLS 1.3 session (RFC 8446 §4.2.11).
    pub psk_selected: bool,
}

impl ClientHello {
    /// Reads the message body, or `None` when it breaks its grammar.
    pub(super) fn read(origin: Origin, body: &[u8]) -> Option<Self> {
        let (_, hello) = client_hello(origin, body).ok()?;
        Some(hello)
    }
}

impl ServerHello {
    /// Reads the message body, or `None` when it breaks its grammar.
    pub(super) fn read(origin: Origin, body: &[u8]) -> Option<Self> {
        let (_, hello) = server_hello(origin, body).ok()?;
        Some(hello)
    }
}

fn client_hello(origin: Origin, input: &[u8]) -> IResult<&[u8], ClientHello> {
    let (rest, (version, random, session_id)) = (be_u16, random, length_data(be_u8)).parse(input)?;
    let (rest, suites) = length_data(be_u16).parse(rest)?;
    let (rest, _compression) = length_data(be_u8).parse(rest)?;
    let mut hello = ClientHello {
        origin,
        sni: None,
        alpn: Vec::new(),
        versions: vec![TlsVersion(version)],
        cipher_suites: numbers(suites, MAX_SUITES).into_iter().map(CipherSuite).collect(),
        random,
        session_id_present: !session_id.is_empty(),
        psk_offered: false,
        early_data: false,
        ech_offered: false,
    };
    let rest = each_extension(rest, |kind, data| match kind {
        SERVER_NAME => hello.sni = server_name(data).ok().map(|(_, name)| clean(name)),
        ALPN => hello.alpn = protocol_names(data),
        SUPPORTED_VERSIONS => {
            if let Ok((_, list)) = one_list(length_data(be_u8), data) {
                hello.versions = numbers(list, MAX_VERSIONS).into_iter().map(TlsVersion).collect();
            }
        }
        PRE_SHARED_KEY => hello.psk_offered = true,
        EARLY_DATA => hello.early_data = true,
        ENCRYPTED_CLIENT_HELLO => hello.ech_offered = true,
        _ => {}
    })?;
    Ok((rest, hello))
}

fn server_hello(origin: Origin, input: &[u8]) -> IResult<&[u8], ServerHello> {
    let (rest, (version, random, _session_id)) = (be_u16, random, length_data(be_u8)).parse(input)?;
    let (rest, (suite, _compression)) = (be_u16, be_u8).parse(rest)?;
    let mut hello = ServerHello {
        origin,
        version: TlsVersion(version),
        cipher_suite: CipherSuite(suite),
        alpn: None,
        hello_retry: random == HELLO_RETRY_RANDOM,
        random,
        encrypt_then_mac: false,
        psk_selected: false,
    };
    let rest = each_extension(rest, |kind, data| match kind {
        SUPPORTED_VERSIONS => {
            if let Ok((_, version)) = one_list(be_u16, data) {
                hello.version = TlsVersion(version);
            }
        }
        ALPN => hello.alpn = protocol_names(data).into_iter().next(),
        ENCRYPT_THEN_MAC => hello.encrypt_then_mac = true,
        PRE_SHARED_KEY => hello.psk_selected = true,
        _ => {}
    })?;
    Ok((rest, hello))
}

fn random(input: &[u8]) -> IResult<&[u8], [u8; 32]> {
    nom::combinator::map_opt(take(32_usize), |bytes: &[u8]| bytes.try_into().ok()).parse(input)
}

/// Calls `found` for each extension. There may be no extensions at all; one that is cut ends the list with an error.
fn each_extension(
    input: &[u8],
    mut found: impl FnMut(u16, &[u8]),
) -> Result<&[u8], nom::Err<nom::error::Error<&[u8]>>> {
    if input.is_empty() {
        return Ok(input);
    }
    let (rest, list) = length_data(be_u16).parse(input)?;
    let one = map((be_u16, length_data(be_u16)), |(kind, data): (u16, &[u8])| found(kind, data));
    all_consuming(fold_many0(one, || (), |(), ()| ())).parse(list)?;
    Ok(rest)
}

/// The one item or list that fills an extension.
fn one_list<'a, O>(
    parser: impl Parser<&'a [u8], Output = O, Error = nom::error::Error<&'a [u8]>>,
    data: &'a [u8],
) -> IResult<&'a [u8], O> {
    all_consuming(parser).parse(data)
}

/// The first name of a `server_name` list, which must be a host name, type 0.
fn server_name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (_, list) = length_data(be_u16).parse(input)?;
    preceded(nom::bytes::complete::tag(&[0][..]), length_data(be_u16)).parse(list)
}

fn protocol_names(data: &[u8]) -> Vec<Box<str>> {
    let Ok((_, list)) = one_list(length_data(be_u16), data) else { return Vec::new() };
    let add = |mut names: Vec<Box<str>>, name: &[u8]| {
        if names.len() < MAX_PROTOCOLS && !is_grease_name(name) {
            names.push(clean(name));
        }
        names
    };
    let names: IResult<_, _> = fold_many0(length_data(be_u8), Vec::new, add).parse(list);
    names.map(|(_, names)| names).unwrap_or_default()
}

fn numbers(list: &[u8], most: usize) -> Vec<u16> {
    let pairs = list.chunks_exact(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]));
    pairs.filter(|&number| !is_grease(number)).take(most).collect()
}

/// Values that clients send only to keep servers tolerant (RFC 8701).
fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn is_grease_name(name: &[u8]) -> bool {
    <[u8; 2]>::try_from(name).is_ok_and(|pair| is_grease(u16::from_be_bytes(pair)))
}

/// Names are ASCII on the wire; whatever is not printable is replaced, so nothing reaches a terminal as an escape.
fn clean(name: &[u8]) -> Box<str> {
    let shown = name.iter().take(LONGEST_NAME);
    shown.map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }).collect()
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

const MAX_SUITES: usize = 128;
const MAX_VERSIONS: usize = 16;
const MAX_PROTOCOLS: usize = 16;
const LONGEST_NAME: usize = 255;

/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    const ORIGIN: Origin = Origin { packet: PacketNumber::FIRST, time: None };

    fn with_len(len_bytes: usize, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes()[4 - len_bytes..], body].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &with_len(2, data)].concat()
    }

    fn hello(suites: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend(with_len(1, &[9; 32]));
        body.extend(with_len(2, suites));
        body.extend(with_len(1, &[0]));
        if !extensions.is_empty() {
            body.extend(with_len(2, &extensions.concat()));
        }
        body
    }

    fn sni(name: &[u8]) -> Vec<u8> {
        extension(0, &with_len(2, &[&[0][..], &with_len(2, name)].concat()))
    }

    #[test]
    fn a_browser_hello_with_grease() {
        let alpn = with_len(2, &[with_len(1, &[0xaa, 0xaa]), with_len(1, b"h2"), with_len(1, b"http/1.1")].concat());
        let body = hello(
            &[0x1a, 0x1a, 0x13, 0x01, 0xc0, 0x2f],
            &[
                extension(0x5a5a, &[]),
                sni(b"ws.example.com"),
                extension(16, &alpn),
                extension(43, &with_len(1, &[0x2a, 0x2a, 3, 4, 3, 3])),
                extension(0xfe0d, &[0]),
                extension(42, &[]),
                extension(41, &[1, 2, 3]),
            ],
        );
        let hello = ClientHello::read(ORIGIN, &body).unwrap();
        assert_eq!(hello.sni.as_deref(), Some("ws.example.com"));
        assert_eq!(hello.alpn, [Box::from("h2"), Box::from("http/1.1")]);
        assert_eq!(hello.versions, [TlsVersion::TLS_1_3, TlsVersion::TLS_1_2]);
        assert_eq!(hello.cipher_suites, [CipherSuite(0x1301), CipherSuite(0xc02f)]);
        assert!(hello.psk_offered && hello.early_data && hello.ech_offered && hello.session_id_present);
        assert_eq!(hello.random, [7; 32]);
    }

    #[test]
    fn names_are_clean_and_bounded() {
        let name = |name: &[u8]| ClientHello::read(ORIGIN, &hello(&[], &[sni(name)])).unwrap().sni.unwrap();
        assert_eq!(&*name(b"a\x1b[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(name(&[b'a'; 5000]).len(), LONGEST_NAME);
    }

    #[test]
    fn an_old_hello_has_no_extensions() {
        let hello = ClientHello::read(ORIGIN, &hello(&[0, 0x2f], &[])).unwrap();
        assert_eq!((hello.sni, hello.versions), (None, vec![TlsVersion::TLS_1_2]));
    }

    #[test]
    fn a_hello_that_is_cut_is_refused_or_has_no_extensions() {
        let body = hello(&[0x13, 1], &[sni(b"a.b"), extension(43, &[2, 3, 4])]);
        let before_extensions = hello(&[0x13, 1], &[]).len();
        assert!(ClientHello::read(ORIGIN, &body).is_some());
        for len in 0..body.len() {
            let read = ClientHello::read(ORIGIN, &body[..len]);
            assert_eq!(read.is_some(), len == before_extensions, "{len}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let suites: Vec<u8> = (0..2000_u16).flat_map(u16::to_be_bytes).collect();
        let names = with_len(2, &with_len(1, b"x").repeat(1000));
        let read = ClientHello::read(ORIGIN, &hello(&suites, &[extension(16, &names)])).unwrap();
        assert_eq!((read.cipher_suites.len(), read.alpn.len()), (MAX_SUITES, MAX_PROTOCOLS));
    }
}
