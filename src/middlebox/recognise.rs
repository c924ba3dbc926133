//! Which devices the handshake of a connection gives away, and at which end of it they stand.

use super::{Device, Head, Middleboxes, Sign};
use crate::connection::{Connection, Names, Request, Response, Text};
use crate::units::{Origin, Side};
use std::sync::Arc;

/// A device that the handshake gives away.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// Which.
    pub device: Arc<Device>,
    /// At which end of this connection it stands: whose packets it sends.
    pub side: Side,
    /// The packet that says so.
    pub at: Origin,
}

/// A device that heads give away, by its place in the table, and the side it stands on.
pub(super) type Shown = (usize, Side);

impl Middleboxes {
    /// The devices that the handshake gives away, in the order of the table.
    #[must_use]
    pub fn recognise(&self, connection: &Connection) -> Vec<Recognised> {
        let request = connection.handshake.request.as_deref();
        let response = connection.handshake.response.as_deref();
        let asked_at = request.map_or(connection.first, |request| request.last);
        let words = Words::of(connection, request, response);
        let shown = self.shown.get(&words.texts(), || {
            let devices = self.devices.iter().enumerate();
            devices.filter_map(|(index, device)| Some((index, words.side_of(device)?))).collect()
        });
        let recognised = |&(index, side): &Shown| {
            let at = match side {
                Side::Client => asked_at,
                Side::Server => response.map_or(asked_at, |response| response.last),
            };
            Recognised { device: Arc::clone(&self.devices[index]), side, at }
        };
        shown.iter().map(recognised).collect()
    }
}

/// All that is looked at. What is not there is empty, and no sign is.
struct Words<'a> {
    server: &'a str,
    via: PerHead<&'a str>,
    fields: PerHead<Option<&'a Names>>,
    cookies: Option<&'a Names>,
    /// Whom the client asked for, with its port, or whom it named in TLS.
    host: &'a str,
    protocol: &'a str,
    passed_on: bool,
}

/// Of the request and of the response.
type PerHead<T> = [T; 2];

impl<'a> Words<'a> {
    fn of(connection: &'a Connection, request: Option<&'a Request>, response: Option<&'a Response>) -> Self {
        let text = |text: Option<&'a Text>| text.map_or("", Text::as_str);
        let name = request.and_then(|request| request.host.as_ref()).map(Text::as_str);
        let name = name.or_else(|| connection.tls.as_deref().and_then(|tls| tls.client_hello.as_ref()?.sni.as_deref()));
        Self {
            server: text(response.and_then(|response| response.server.as_ref())),
            via: [
                text(request.and_then(|request| request.via.as_ref())),
                text(response.and_then(|response| response.via.as_ref())),
            ],
            fields: [request.map(|request| &request.field_names), response.map(|response| &response.field_names)],
            cookies: response.map(|response| &response.cookie_names),
            host: name.unwrap_or_default(),
            protocol: text(response.and_then(|response| response.protocol())),
            passed_on: request.is_some_and(|request| request.via.is_some() || request.forwarded_present),
        }
    }

    /// The same as texts.
    fn texts(&self) -> [Option<&'a str>; 9] {
        let Self { server, via: [asked, answered], fields: [request, response], cookies, host, protocol, passed_on } =
            *self;
        let names = |names: Option<&'a Names>| names.map(Names::as_str);
        let passed_on = passed_on.then_some("");
        let [request, response, cookies] = [request, response, cookies].map(names);
        [Some(server), Some(asked), Some(answered), request, response, cookies, Some(host), Some(protocol), passed_on]
    }

    /// Where a device stands that shows itself. Who has its mark in the request has passed it on, and is the client of this
    /// connection.
    fn side_of(&self, device: &Device) -> Option<Side> {
        let found = |side: Side| device.signs.iter().any(|sign| self.side_shown_by(sign) == side && self.has(sign));
        [Side::Client, Side::Server].into_iter().find(|side| found(*side))
    }

    fn has(&self, sign: &Sign) -> bool {
        let holds = |text: &str, part: &str| text.to_ascii_lowercase().contains(part);
        let of = |head: &Head| match head {
            Head::Request => 0,
            Head::Response => 1,
        };
        match sign {
            Sign::Server(part) => holds(self.server, part),
            Sign::Via(head, part) => holds(self.via[of(head)], part),
            Sign::Field(head, name) => self.fields[of(head)].is_some_and(|names| names.has(name)),
            Sign::Cookie(prefix) => self.cookies.is_some_and(|names| names.has(&format!("{prefix}*"))),
            Sign::Host(part) => {
                // Without its port, and with a dot in front, so that `.example.com` is found in `example.com:443` too.
                let name = self.host.rsplit_once(':').map_or(self.host, |(host, _)| host);
                !name.is_empty() && holds(&format!(".{name}"), part)
            }
            Sign::Subprotocol(part) => holds(self.protocol, part),
        }
    }

    /// A host says who is asked; a request that was passed on has got there already.
    fn side_shown_by(&self, sign: &Sign) -> Side {
        match sign {
            Sign::Via(Head::Request, _) | Sign::Field(Head::Request, _) => Side::Client,
            Sign::Host(_) if self.passed_on => Side::Client,
            _ => Side::Server,
        }
    }
}
