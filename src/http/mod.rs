//! The opening handshake over HTTP/1.1, read from a byte stream that may be cut anywhere.
//!
//! A [`RequestReader`] and a [`ResponseReader`] each follow one direction of a connection: they find the heads, turn
//! them into facts ([`Request`], [`Response`]) and skip the bodies between them, so that a connection that is kept alive
//! over a refused attempt is still read. [`check_request`] and [`check_response`] name the rules of RFC 6455 §4
//! and RFC 7692 §7.1 that a handshake breaks and [`negotiated`] says what holds from then on.
//!
//! Nothing here decides which request a response belongs to, or what follows a 101. One head is kept at a time, at most
//! [`Limits::http_head_bytes`](crate::limits::Limits::http_head_bytes) long; no cookie, credential or query value is kept.

mod fields;
mod form;
mod handshake;
mod heads;
mod message;
mod names;
mod parameters;
mod pattern;
mod reader;
mod recent;
mod rules;
#[cfg(test)]
mod samples;
mod sniff;
mod text;

pub use fields::{Extension, Param};
pub use form::{Method, ProtocolFault, RequestForm, ResponseForm};
pub use handshake::{AcceptValue, Negotiated, expected_accept, negotiated};
pub use heads::Heads;
pub use message::{AcceptField, InvalidKey, KeyState, Request, Response};
pub use names::Names;
pub use parameters::DeflateParams;
pub use reader::{Head, HeadReader, RequestReader, ResponseReader, Step, WhyNotHttp};
pub use rules::{check_request, check_response};
pub use sniff::{Role, looks_like_http, status_of};
pub use text::Text;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Origin, PacketNumber, StreamOffset};

    /// Heads as real programs wrote them on loopback, line ends as LF, each under a line with its author. The responses
    /// all answer the key of RFC 6455 §1.3 and an offer of `permessage-deflate; client_max_window_bits`.
    const REQUESTS: &str = include_str!("recorded/requests.txt");
    const RESPONSES: &str = include_str!("recorded/responses.txt");

    const PLAIN_REQUEST: &str = "# test\nGET /chat HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\n";

    fn read<H: Head>(recorded: &str) -> Vec<(&str, H)> {
        recorded
            .split("\n\n")
            .map(|part| {
                let (author, head) = part.split_once('\n').expect("an author and a head");
                let head = format!("{}\r\n\r\n", head.trim_end_matches('\n').replace('\n', "\r\n"));
                let origin = Origin { packet: PacketNumber::FIRST, time: None };
                match HeadReader::new().push(&mut Heads::default(), StreamOffset(0), origin, head.as_bytes()) {
                    (Step::Head(read), consumed) if consumed == head.len() => (author, *read),
                    (step, _) => panic!("{author}: {}", matches!(step, Step::Failed(_))),
                }
            })
            .collect()
    }

    #[test]
    fn requests_of_programs_in_use() {
        let requests = read::<Request>(REQUESTS);
        assert_eq!(requests.len(), 8);
        for (author, request) in requests {
            assert!(request.wants_websocket(), "{author}");
            let is_stripped = author == "# behind nginx 1.22 as it comes";
            assert_eq!(check_request(&request).is_empty(), !is_stripped, "{author}");
            assert_eq!(request.upgrade_stripped(), is_stripped, "{author}");
            assert_eq!(request.lower_case_names, author == "# node undici 6", "{author}");
            assert!(request.host.is_some() && request.extension_faults.is_empty(), "{author}");
        }
    }

    #[test]
    fn responses_of_programs_in_use() {
        let (_, request) = read::<Request>(PLAIN_REQUEST).remove(0);
        let responses = read::<Response>(RESPONSES);
        assert_eq!(responses.len(), 7);
        for (author, response) in responses {
            assert_eq!(check_response(Some(&request), &response), [], "{author}");
            let windows = negotiated(Some(&request), &response)
                .deflate
                .map(|deflate| (deflate.client.window_bits, deflate.server.window_bits));
            let expected = match author {
                "# Python websockets 17" | "# uvicorn with websockets" => Some((12, 12)),
                "# nginx 1.22" => None,
                _ => Some((15, 15)),
            };
            assert_eq!(windows, expected, "{author}");
            assert_eq!(response.lower_case_names, author.contains("HAProxy") || author == "# hypercorn", "{author}");
        }
    }
}
