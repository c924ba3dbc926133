//! What one side shows of its library: its head, its own words in a Close frame, how it answered one, its Pings, its
//! patience.

use super::Echo;
use crate::connection::{ClosePayload, Connection, EndSignalKind, Names, Text, close_code};
use crate::units::{Origin, Side};

/// What one side of a connection shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Signs<'a> {
    pub(super) head: Option<HeadSigns<'a>>,
    /// Code and text of its own Close frame, when the text is its own and no echo.
    pub(super) reason: Option<(u16, String, Origin)>,
    pub(super) echo: Option<(Echo, Origin)>,
    pub(super) application: Option<&'a str>,
    pub(super) pings: Option<PingSigns>,
    /// Seconds from its own Close frame, which was not answered, to its FIN.
    pub(super) close_wait: Option<(f64, Origin)>,
}

#[derive(Debug, Clone)]
pub(super) struct HeadSigns<'a> {
    pub(super) names: &'a Names,
    /// `Server` or `User-Agent`.
    pub(super) claim: Option<&'a str>,
    pub(super) phrase: Option<&'a str>,
    pub(super) upgrade: Option<&'a str>,
    pub(super) connection: Option<&'a str>,
    pub(super) extensions: Option<&'a str>,
    /// It accepted, so that its fields are those of a 101.
    pub(super) is_upgrade: bool,
    pub(super) at: Origin,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PingSigns {
    /// Bytes of the payload, when all had as many.
    pub(super) bytes: Option<u64>,
    /// Seconds between them, or from the handshake to the only one.
    pub(super) every_s: Option<f64>,
    pub(super) at: Origin,
}

impl<'a> HeadSigns<'a> {
    /// All that may be looked at to tell what wrote it, as texts.
    pub(super) fn texts(&self) -> [Option<&'a str>; 8] {
        let Self { names, claim, phrase, upgrade, connection, extensions, is_upgrade, at: _ } = *self;
        let (cut, switch) = (names.was_cut().then_some(""), is_upgrade.then_some(""));
        [Some(names.as_str()), cut, claim, phrase, upgrade, connection, extensions, switch]
    }
}

impl<'a> Signs<'a> {
    pub(super) fn of(connection: &'a Connection, side: Side) -> Self {
        Self {
            head: match side {
                Side::Client => request_head(connection),
                Side::Server => response_head(connection),
            },
            reason: own_reason(connection, side),
            echo: echo(connection, side),
            application: connection.application.as_ref().map(|application| &*application.protocol.name),
            pings: pings(connection, side),
            close_wait: close_wait(connection, side),
        }
    }
}

fn first(list: &[Text]) -> Option<&str> {
    list.first().map(Text::as_str)
}

fn request_head(connection: &Connection) -> Option<HeadSigns<'_>> {
    let request = connection.handshake.request.as_deref()?;
    Some(HeadSigns {
        names: &request.field_names,
        claim: request.user_agent.as_ref().map(Text::as_str),
        phrase: None,
        upgrade: first(&request.upgrade),
        connection: first(&request.connection),
        extensions: request.extensions_raw.as_ref().map(Text::as_str),
        is_upgrade: true,
        at: request.last,
    })
}

fn response_head(connection: &Connection) -> Option<HeadSigns<'_>> {
    let response = connection.handshake.response.as_deref()?;
    Some(HeadSigns {
        names: &response.field_names,
        claim: response.server.as_ref().map(Text::as_str),
        phrase: Some(response.reason.as_str()),
        upgrade: first(&response.upgrade),
        connection: first(&response.connection),
        extensions: response.extensions_raw.as_ref().map(Text::as_str),
        is_upgrade: response.is_switch(),
        at: response.last,
    })
}

/// Code, reason and place of a side's Close frame.
fn close_of(connection: &Connection, side: Side) -> Option<(Option<u16>, String, Origin)> {
    let close = connection.traffic[side].close.as_ref()?;
    let reason = match &close.payload {
        ClosePayload::Status { reason, .. } => reason.text().into_owned(),
        ClosePayload::Empty | ClosePayload::OneByte(_) => String::new(),
    };
    Some((close_code(&close.payload), reason, close.last))
}

fn own_reason(connection: &Connection, side: Side) -> Option<(u16, String, Origin)> {
    let (code, reason, at) = close_of(connection, side)?;
    let answered = close_of(connection, side.other()).filter(|other| other.2.packet < at.packet);
    let is_echo = answered.is_some_and(|(_, other, _)| other == reason);
    (!reason.is_empty() && !is_echo).then_some((code?, reason, at))
}

/// How `side` answered a Close frame whose code and reason may travel.
fn echo(connection: &Connection, side: Side) -> Option<(Echo, Origin)> {
    let asked = connection.first_close().filter(|signal| signal.by == side.other())?;
    if connection.closing.crossed || connection.close_fault(asked.by).is_some() {
        return None;
    }
    let (code, reason, _) = close_of(connection, asked.by)?;
    let (answer, words, at) = close_of(connection, side)?;
    let (code, answer) = (code?, answer?);
    let echo = match (answer == code, words == reason) {
        (true, true) if !reason.is_empty() => Echo::CodeAndReason,
        (true, false) if words.is_empty() && code != 1000 => Echo::Code,
        (false, _) if answer == 1000 && words.is_empty() => Echo::Normal,
        _ => return None,
    };
    Some((echo, at))
}

fn pings(connection: &Connection, side: Side) -> Option<PingSigns> {
    let pings = &connection.traffic[side].pings;
    let (first, last) = (pings.first?, pings.last?);
    let opened = connection.handshake.response.as_ref().map(|response| response.last);
    let every_s = pings.interval().or_else(|| first.seconds_since(&opened?));
    let bytes = pings.payload_bytes.filter(|(least, most)| least == most).map(|(bytes, _)| bytes);
    Some(PingSigns { bytes, every_s, at: last })
}

fn close_wait(connection: &Connection, side: Side) -> Option<(f64, Origin)> {
    let signal = connection.first_close().filter(|signal| signal.by == side)?;
    if connection.traffic[side.other()].close.is_some() {
        return None;
    }
    let tcp = connection.tcp_end().filter(|end| end.by == side && end.kind == EndSignalKind::Fin)?;
    Some((tcp.at.seconds_since(&signal.at)?, tcp.at))
}
