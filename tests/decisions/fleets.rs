//! Rows 64 to 71: servers that stop, restart or fail, seen over one connection or many.

use super::AtMost::{Likely, Possible};
use super::Row;
use super::scenes::{answered_by, greet, open};
use crate::support::conversation::START;
use crate::support::{Conversation, Packet, Upgrade};

/// Connections of several clients to one server, opened a second apart; `end` writes how each ends, after `until`
/// seconds, `apart` seconds from one to the next.
fn fleet(count: u8, until: f64, apart: f64, end: impl Fn(&mut Conversation)) -> Vec<Packet> {
    let mut all = Vec::new();
    for n in 0..count {
        let mut talk = Conversation::new(&format!("10.0.1.{}:4{n:04}", n + 1), "10.0.0.2:8080");
        talk.at(START + i64::from(n) * 1_000_000_000).connect().upgrade_with(&Upgrade::default());
        greet(&mut talk);
        let at = START + ((until + f64::from(n) * apart) * 1e9) as i64;
        talk.at(at - 700_000_000).client().text("tick");
        talk.at(at);
        end(&mut talk);
        all.extend(talk.into_packets());
    }
    all
}

fn stopping(code: u16) -> impl Fn(&mut Conversation) {
    move |talk| {
        talk.server().close(code, "");
        talk.wait(0.01).client().close(code, "");
        talk.server().fin();
        talk.client().fin();
    }
}

fn dies(talk: &mut Conversation) {
    talk.server().fin();
    talk.client().fin();
}

pub(super) fn servers() -> Vec<Row> {
    let stops: &[&str] = &["service_restart", "going_away"];
    let server: &[&str] = &["server"];
    let after_message = |mut talk: Conversation, code: Option<u16>| {
        talk.wait(5.0).client().text("{\"do\":\"something\"}");
        talk.wait(0.03);
        match code {
            Some(code) => talk.server().close(code, ""),
            None => talk.server().fin(),
        };
        talk.wait(0.01);
        if let Some(code) = code {
            talk.client().close(code, "");
            talk.server().fin();
        }
        talk.client().fin();
        talk
    };
    let caddy = {
        let mut talk = answered_by(&["Server: Caddy"]);
        talk.wait(7.0).server().close(1001, "");
        talk.wait(0.01).client().close(1001, "");
        talk.server().fin();
        talk.client().fin();
        talk
    };
    let browser = |reason: &str, agent: &str| {
        let mut talk = super::scenes::open_with(&Upgrade {
            request_headers: vec!["Origin: https://example.test".to_owned(), format!("User-Agent: {agent}")],
            ..Upgrade::default()
        });
        talk.wait(7.0).client().close(1001, reason);
        talk.wait(0.01).server().close(1001, "");
        talk.server().fin();
        talk.client().fin();
        talk
    };
    let mut rows = vec![
        Row::new(65, "FIN to all connections within 50 ms", fleet(12, 40.0, 0.003, dies))
            .is(&["process_ended", "service_restart"], &["server", "proxy"])
            .at_most(Likely),
        Row::new(66, "1001 by way of Caddy", caddy).is(stops, &["proxy"]).at_most(Likely),
        Row::new(
            67,
            "1001 by a browser",
            browser("", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"),
        )
        .is(&["going_away", "normal"], &["none", "client"]),
        Row::new(68, "1001 with a reason by a program", browser("client shutting down", "okhttp/4.12.0"))
            .is(&["going_away"], &["client", "none"]),
        Row::new(69, "1011 right after a message", after_message(open(), Some(1011)))
            .is(&["internal_error"], server)
            .at_most(Likely),
        Row::new(70, "FIN right after a message", after_message(open(), None))
            .is(&["process_ended", "internal_error"], server)
            .at_most(Possible),
        Row::new(71, "1011 to all connections at once", fleet(6, 40.0, 0.01, stopping(1011)))
            .is(&["service_restart", "going_away", "internal_error"], server)
            .at_most(Likely),
    ];
    for code in [1001, 1012, 1000] {
        rows.push(
            Row::new(64, "the same code to all connections at once", fleet(8, 40.0, 0.01, stopping(code)))
                .is(stops, server),
        );
    }
    rows
}
