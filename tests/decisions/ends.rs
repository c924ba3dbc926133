//! Rows 79 to 85, 102 to 106 and 108 to 114: closing handshakes, the path, and what is no fault.

use super::AtMost::{Likely, Possible};
use super::Row;
use super::messages::closed;
use super::scenes::{answered_by, open};
use crate::support::{Acks, Conversation, Frame, Side};

pub(super) fn closing() -> Vec<Row> {
    let unanswered = {
        let mut talk = open();
        talk.wait(3.0).server().close(1000, "");
        talk.wait(10.0).server().fin();
        talk.wait(0.1).client().fin();
        talk
    };
    let left_open = {
        let mut talk = open();
        talk.wait(3.0).client().close(1000, "");
        talk.wait(0.01).server().close(1000, "");
        talk.wait(2.0).client().fin();
        talk.server().fin();
        talk
    };
    let data_after_close = {
        let mut talk = open();
        talk.wait(3.0).client().close(1000, "").text("one more thing");
        talk.wait(0.01).server().close(1000, "").fin();
        talk.client().fin();
        talk
    };
    let destroyed = {
        let mut talk = open();
        talk.wait(3.0).acks(Acks::Never).client().text(&"x".repeat(4000));
        talk.server().close(1001, "").rst();
        talk
    };
    let tomcat = {
        let mut talk = open();
        talk.wait(3.0).client().fin();
        talk.server().close(1002, "");
        talk.wait(0.01).server().fin();
        talk
    };
    let left = {
        let mut talk = open();
        talk.wait(3.3).client().fin();
        talk.server().fin();
        talk
    };
    let reset = {
        let mut talk = open();
        talk.wait(3.3).client().rst();
        talk
    };
    vec![
        Row::new(79, "a Close without an answer for 10 s", unanswered).is(&["close_not_answered"], &["client"]),
        Row::new(80, "both Closes, then the client ends TCP", left_open).is(&["normal"], &["none", "server"]),
        Row::new(81, "a message after the Close", data_after_close)
            .is(&["normal", "protocol_error"], &["none", "client"]),
        Row::new(82, "Close, then RST by the same side", destroyed)
            .is(&["close_not_answered", "going_away"], &["server"]),
        Row::new(83, "FIN by the client, answered with 1002", tomcat)
            .is(&["dropped", "process_ended"], &["client"])
            .at_most(Likely),
        Row::new(84, "FIN by the client", left).is(&["dropped", "process_ended"], &["client"]).at_most(Possible),
        Row::new(85, "RST by the client", reset)
            .is(&["reset", "process_ended"], &["client", "network"])
            .at_most(Possible),
    ]
}

pub(super) fn path() -> Vec<Row> {
    let slow = |code: Option<u16>| {
        let mut talk = open();
        talk.wait(1.0).server().text(&"x".repeat(3000));
        talk.window(Side::Client, 0).client().ack();
        for _ in 0..12 {
            talk.wait(2.5).client().ack();
        }
        talk.acks(Acks::Never);
        match code {
            Some(code) => talk.server().close(code, "slow consumer").fin(),
            None => talk.server().rst(),
        };
        talk
    };
    let lossy = {
        let mut talk = open();
        talk.wait(1.0).acks(Acks::Never).server().text("a message that does not arrive");
        let sent = talk.count() - 1;
        for seconds in [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2] {
            talk.wait(seconds).retransmit(sent);
        }
        talk.wait(3.0).server().rst();
        talk
    };
    vec![
        Row::new(102, "no window for 30 s, then RST", slow(None)).is(&["slow_consumer"], &["client"]),
        Row::new(103, "no window for 30 s, then 1008", slow(Some(1008))).is(&["slow_consumer"], &["client"]),
        Row::new(103, "no window for 30 s, then 3008", slow(Some(3008))).is(&["slow_consumer"], &["client"]),
        Row::new(104, "sent again and again, then RST", lossy).is(&["network_loss"], &["network"]),
        Row::recorded(105, "large segments never arrive, small ones do", "network/mtu-black-hole")
            .is(&["network_loss"], &["network"]),
    ]
}

pub(super) fn harmless() -> Vec<Row> {
    let normal: &[&str] = &["normal"];
    let logout = {
        let mut talk = open();
        talk.wait(1.0).client().text(r#"{"type":"logout"}"#);
        closed(talk, Side::Client, 1000, "")
    };
    let empty = {
        let mut talk = open();
        talk.wait(1.0).client().close_empty();
        talk.wait(0.01).server().close_empty().fin();
        talk.client().fin();
        talk
    };
    let joined = {
        let talk = closed(open(), Side::Client, 1000, "");
        let mut packets = talk.into_packets();
        packets.drain(..7);
        packets
    };
    let gap = {
        let mut talk = open();
        talk.wait(1.0).client().lost(&Frame::new(3, b"lost".to_vec()).encode(Some([1, 2, 3, 4])));
        talk.client().text("found");
        talk.wait(0.01).server().close(1002, "");
        talk.client().close(1002, "");
        talk.server().fin();
        talk.client().fin();
        talk
    };
    let of = |code: u16| -> Conversation {
        let mut talk = open();
        talk.wait(2.0);
        closed(talk, Side::Server, code, "")
    };
    vec![
        Row::new(106, "1000 both ways after a logout", logout).is(normal, &["none"]),
        Row::new(108, "empty Close both ways", empty).is(normal, &["none"]),
        Row::new(109, "1012", of(1012)).is(&["service_restart"], &["server"]),
        Row::new(110, "1013", of(1013)).is(&["try_again_later"], &["server", "client"]),
        Row::new(111, "1014", of(1014)).is(&["bad_gateway"], &["server", "proxy"]),
        Row::new(112, "the capture ends first", open()).is(&["still_open"], &["none", "unknown"]),
        Row::new(113, "the capture begins in the middle", joined)
            .is(&["normal", "unknown"], &["none", "unknown"])
            .at_most(Likely),
        Row::new(114, "1002, and bytes of the blamed side are missing", gap)
            .is(&["unknown", "protocol_error"], &["unknown", "client"])
            .at_most(Likely),
        Row::new(112, "the same behind a proxy", answered_by(&["Server: nginx"]))
            .is(&["still_open"], &["none", "unknown"]),
    ]
}
