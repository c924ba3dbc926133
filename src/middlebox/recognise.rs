//! Which devices the handshake of a connection gives away, and at which end of it they stand.

use super::{Device, Head, Middleboxes, Sign};
use crate::connection::{Connection, Request, Response};
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

impl Middleboxes {
    /// The devices that the handshake gives away, in the order of the table.
    #[must_use]
    pub fn recognise(&self, connection: &Connection) -> Vec<Recognised> {
        let words = Words::of(connection);
        self.devices.iter().filter_map(|device| words.show(device)).collect()
    }
}

/// What is looked at, in lower case.
struct Words<'a> {
    request: Option<&'a Request>,
    response: Option<&'a Response>,
    server: String,
    via: [String; 2],
    host: String,
    protocol: String,
    asked_at: Origin,
}

impl<'a> Words<'a> {
    fn of(connection: &'a Connection) -> Self {
        let request = connection.handshake.request.as_deref();
        let response = connection.handshake.response.as_deref();
        let name = request.and_then(|request| request.host.as_ref()).map(|host| host.as_str());
        let name = name.or_else(|| connection.tls.as_deref().and_then(|tls| tls.client_hello.as_ref()?.sni.as_deref()));
        let lower = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
        // A port, and a dot before a name without one, so that `.example.com` is found in `example.com:443` too.
        let host =
            format!(".{}", lower(name).rsplit_once(':').map_or_else(|| lower(name), |(host, _)| host.to_owned()));
        Self {
            server: lower(response.and_then(|response| response.server.as_ref()).map(|text| text.as_str())),
            via: [
                lower(request.and_then(|request| request.via.as_ref()).map(|text| text.as_str())),
                lower(response.and_then(|response| response.via.as_ref()).map(|text| text.as_str())),
            ],
            host,
            protocol: lower(response.and_then(|response| response.protocol()).map(|text| text.as_str())),
            asked_at: request.map_or(connection.first, |request| request.last),
            request,
            response,
        }
    }

    /// Who has its mark in the request has passed it on, and is the client of this connection.
    fn show(&self, device: &Arc<Device>) -> Option<Recognised> {
        let found = |side: Side| device.signs.iter().any(|sign| self.has(sign) && self.side_of(sign) == side);
        let (side, at) = if found(Side::Client) {
            (Side::Client, self.asked_at)
        } else if found(Side::Server) {
            (Side::Server, self.response.map_or(self.asked_at, |response| response.last))
        } else {
            return None;
        };
        Some(Recognised { device: Arc::clone(device), side, at })
    }

    fn has(&self, sign: &Sign) -> bool {
        match sign {
            Sign::Server(part) => self.server.contains(&**part),
            Sign::Via(Head::Request, part) => self.via[0].contains(&**part),
            Sign::Via(Head::Response, part) => self.via[1].contains(&**part),
            Sign::Field(Head::Request, name) => self.request.is_some_and(|request| request.field_names.has(name)),
            Sign::Field(Head::Response, name) => self.response.is_some_and(|response| response.field_names.has(name)),
            Sign::Cookie(prefix) => {
                self.response.is_some_and(|response| response.cookie_names.has(&format!("{prefix}*")))
            }
            Sign::Host(part) => self.host.len() > 1 && self.host.contains(&**part),
            Sign::Subprotocol(part) => self.protocol.contains(&**part),
        }
    }

    /// A host says who is asked; a request that was passed on has got there already.
    fn side_of(&self, sign: &Sign) -> Side {
        let passed_on = || self.request.is_some_and(|request| request.via.is_some() || request.forwarded.is_some());
        match sign {
            Sign::Via(Head::Request, _) | Sign::Field(Head::Request, _) => Side::Client,
            Sign::Host(_) if passed_on() => Side::Client,
            _ => Side::Server,
        }
    }
}
