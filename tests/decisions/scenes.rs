//! The beginnings that the pictures share.

use crate::support::{Conversation, Upgrade, accept_for};

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// TCP is open.
pub(crate) fn talk() -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect();
    talk
}

/// An upgraded connection on which both sides have said something.
pub(crate) fn open() -> Conversation {
    open_with(&Upgrade::default())
}

pub(crate) fn open_with(upgrade: &Upgrade) -> Conversation {
    let mut talk = talk();
    talk.upgrade_with(upgrade);
    greet(&mut talk);
    talk
}

/// The same with header lines in the 101.
pub(crate) fn answered_by(headers: &[&str]) -> Conversation {
    let response_headers = headers.iter().map(|&line| line.to_owned()).collect();
    open_with(&Upgrade { response_headers, ..Upgrade::default() })
}

/// The same with a host and a path in the request.
pub(crate) fn asked_for(host: &str, path: &str) -> Conversation {
    open_with(&Upgrade { host: host.to_owned(), path: path.to_owned(), ..Upgrade::default() })
}

pub(crate) fn greet(talk: &mut Conversation) {
    talk.wait(0.2).client().text("hello");
    talk.wait(0.2).server().text("welcome");
}

/// A request line and header lines as a program writes them, with [`KEY`].
pub(crate) fn request(line: &str, headers: &[&str]) -> String {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let all = [line, "Host: example.test", &key, "Sec-WebSocket-Version: 13"];
    all.into_iter().chain(headers.iter().copied()).collect::<Vec<_>>().join("\n")
}

pub(crate) const UPGRADE: [&str; 2] = ["Upgrade: websocket", "Connection: Upgrade"];

/// A good request.
pub(crate) fn good_request(headers: &[&str]) -> String {
    request("GET /chat HTTP/1.1", &[&UPGRADE[..], headers].concat())
}

/// The headers of the 101 that answers [`KEY`].
pub(crate) fn accepted() -> String {
    format!("{}\n{}\nSec-WebSocket-Accept: {}", UPGRADE[0], UPGRADE[1], accept_for(KEY))
}
