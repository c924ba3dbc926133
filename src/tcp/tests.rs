//! What the table makes of conversations that were recorded well, badly, or made up.

use super::conversation::{A, B, Conversation, Played, Sent};
use super::*;
use crate::limits::Limits;
use crate::packet::{TcpFlags, Tunnel, TunnelKind};
use crate::stream::{End, PerEnd};
use crate::units::{Origin, StreamOffset};
use proptest::prelude::*;

fn packet(origin: Option<Origin>) -> Option<u64> {
    origin.map(|origin| origin.packet.value())
}

/// Handshake (packets 1 to 3), a question and an answer (4, 5), FIN from both and the last ACK (6 to 8).
fn ordinary() -> Conversation {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.say(B, "world!");
    talk.fin(A);
    talk.fin(B);
    talk.ack(A);
    talk
}

#[test]
fn an_ordinary_conversation() {
    let played = ordinary().play();
    assert_eq!((played.stream(A), played.stream(B)), ("hello|", "world!|"));
    let flow = played.only();
    assert_eq!(flow.end, FlowEnd::Closed);
    assert_eq!(flow.number, FlowNumber(0));
    assert_eq!(flow.endpoints.a.port, 40_000);
    assert_eq!((flow.first.packet.value(), flow.last.packet.value()), (1, 8));
    assert_eq!(flow.sink.packets, [(A, 4), (B, 5), (A, 6), (B, 7)]);
    let facts = played.facts();
    assert_eq!(facts.syn.map(|(end, origin)| (end, origin.packet.value())), Some((A, 1)));
    assert_eq!(facts.syn_ack.map(|(end, origin)| (end, origin.packet.value())), Some((B, 2)));
    let a = played.end(A);
    assert_eq!((a.segments, a.data_segments, a.bytes, a.from_start), (5, 1, 5, true));
    assert_eq!((packet(a.first_data), packet(a.last_data), packet(a.fin)), (Some(4), Some(4), Some(6)));
    assert_eq!(
        (packet(a.last_ack), a.acked, a.hop_limits.map(|limits| limits.lowest)),
        (Some(8), Some(StreamOffset(6)), Some(64))
    );
    assert_eq!((facts.unacknowledged(A), facts.unacknowledged(B)), (Some(0), Some(0)));
    for end in End::BOTH {
        assert_eq!(played.end(end).anomalies(), &Anomalies::default());
    }
}

#[test]
fn sequence_numbers_wrap() {
    let mut talk = Conversation::silent();
    talk.next.a = u32::MAX - 2;
    talk.handshake();
    talk.say(A, "abcdef");
    talk.say(A, "ghi");
    talk.ack(B);
    let last = talk.sent.len() - 1;
    talk.sent.swap(last - 1, last - 2);
    let played = talk.play();
    assert_eq!(played.stream(A), "abcdefghi");
    assert_eq!(played.facts().unacknowledged(A), Some(0));
    assert!(played.end(A).from_start);
}

#[test]
fn swapped_segments_are_put_in_order() {
    let mut talk = Conversation::open();
    for text in ["one ", "two ", "three "] {
        talk.say(A, text);
        talk.last().delay = 1;
    }
    talk.sent.swap(3, 5);
    let played = talk.play();
    assert_eq!(played.stream(A), "one two three ");
    // Each chunk keeps the packet that carried it.
    assert_eq!(played.only().sink.packets, [(A, 6), (A, 5), (A, 4)]);
    assert_eq!(packet(played.end(A).last_data), Some(6));
    let anomalies = played.end(A).anomalies();
    assert_eq!((anomalies.out_of_order, anomalies.retransmissions, anomalies.gaps), (2, 0, 0));
}

#[test]
fn a_hole_filled_late_was_sent_again() {
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "two ");
    talk.wait(200);
    talk.repeat(A, 8, "one ");
    let played = talk.play();
    assert_eq!(played.stream(A), "one two ");
    let anomalies = played.end(A).anomalies();
    assert_eq!((anomalies.out_of_order, anomalies.retransmissions), (0, 1));
}

#[test]
fn retransmissions_are_counted_and_not_delivered() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.wait(300);
    talk.repeat(A, 5, "hello");
    talk.wait(600);
    talk.repeat(A, 5, "hello");
    let played = talk.play();
    assert_eq!(played.stream(A), "hello");
    let anomalies = played.end(A).anomalies();
    assert_eq!((anomalies.retransmissions, anomalies.retransmitted_since_last_ack), (2, 2));
    assert_eq!(packet(anomalies.last_retransmission), Some(6));
    assert_eq!((packet(played.end(A).last_data), played.end(A).data_segments), (Some(4), 3));
    assert_eq!(played.facts().unacknowledged(A), Some(5));
    // The peer answers after all.
    talk.ack(B);
    let played = talk.play();
    assert_eq!(played.end(A).anomalies().retransmitted_since_last_ack, 0);
    assert_eq!((packet(played.end(B).last_ack), played.facts().unacknowledged(A)), (Some(7), Some(0)));
}

#[test]
fn a_retransmission_may_bring_more() {
    let mut talk = Conversation::open();
    talk.say(A, "0123456789");
    talk.repeat(A, 10, "0123456789abcdefgh");
    talk.next.a += 8;
    talk.say(A, "!");
    let played = talk.play();
    assert_eq!(played.stream(A), "0123456789abcdefgh!");
    assert_eq!(played.end(A).anomalies().retransmissions, 1);
    assert_eq!(packet(played.end(A).last_data), Some(6));
}

#[test]
fn a_segment_is_one_retransmission_whatever_it_repeats() {
    let mut talk = Conversation::open();
    talk.say(A, "one ");
    talk.lose(A, "two ");
    talk.say(A, "three ");
    talk.lose(A, "four ");
    talk.say(A, "five");
    talk.wait(300);
    talk.repeat(A, 23, "one two three four five");
    let played = talk.play();
    assert_eq!(played.stream(A), "one two three four five");
    let anomalies = played.end(A).anomalies();
    assert_eq!((anomalies.retransmissions, anomalies.out_of_order, anomalies.gaps), (1, 0, 0));
}

#[test]
fn of_two_versions_the_first_counts() {
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "good ");
    talk.repeat(A, 9, "one evil ");
    let played = talk.play();
    assert_eq!(played.stream(A), "one good ");
    let anomalies = played.end(A).anomalies();
    assert_eq!(anomalies.conflicting_overlaps, 1);
    let conflict = anomalies.conflict.map(|found| (found.kept.value(), found.other.packet.value(), found.acknowledged));
    assert_eq!(conflict, Some((4, 5, false)));
    // The same while both wait.
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "good ");
    talk.repeat(A, 5, "evil ");
    talk.repeat(A, 9, "one ");
    let played = talk.play();
    assert_eq!(played.stream(A), "one good ");
    assert_eq!(played.end(A).anomalies().conflicting_overlaps, 1);
}

#[test]
fn an_acknowledgement_recorded_before_its_data_loses_nothing() {
    let mut talk = Conversation::open();
    talk.say(B, "close");
    talk.ack(A);
    talk.fin(A);
    talk.ack(B);
    talk.sent.swap(3, 4);
    let played = talk.play();
    assert_eq!(played.stream(B), "close");
    assert_eq!(played.end(B).anomalies(), &Anomalies::default());
    assert_eq!(played.facts().unacknowledged(B), Some(0));
}

#[test]
fn data_that_waits_is_given_up_when_the_peer_had_it_and_time_passed() {
    let mut talk = Conversation::open();
    talk.say(A, "one ");
    talk.lose(A, "two ");
    talk.say(A, "three ");
    talk.ack(B);
    talk.wait(1900);
    talk.ack(B);
    let before = talk.sent.len() as u64;
    talk.wait(200);
    talk.say(A, "four");
    let played = talk.play();
    assert_eq!(played.stream(A), "one <4>three four");
    // Given up as soon as the time was over, not at the end: before "four" went on.
    assert_eq!(played.only().sink.packets, [(A, 4), (A, before + 1), (A, 5), (A, before + 1)]);
    assert_eq!((played.end(A).anomalies().gaps, played.end(A).anomalies().gap_bytes), (1, 4));
}

#[test]
fn data_that_waits_is_given_up_after_many_segments() {
    let mut talk = Conversation::open();
    talk.timed = false;
    talk.lose(A, "one ");
    talk.say(A, "two ");
    talk.ack(B);
    for _ in 0..64 {
        talk.say(A, ".");
    }
    talk.say(B, "late");
    let played = talk.play();
    let dots = ".".repeat(64);
    assert_eq!(played.stream(A), format!("<4>two {dots}"));
    // The gap came with the 64th segment after "two ", which is packet 4.
    assert_eq!(played.only().sink.packets[0], (A, 4 + 1 + 64));
}

#[test]
fn data_that_waits_is_kept_while_the_peer_does_not_have_it() {
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "two ");
    talk.next.a -= 8;
    for _ in 0..100 {
        talk.wait(100);
        talk.ack(B);
    }
    talk.next.a += 8;
    talk.repeat(A, 8, "one ");
    let played = talk.play();
    assert_eq!(played.stream(A), "one two ");
}

#[test]
fn the_end_of_the_capture_shows_what_is_missing() {
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "two");
    talk.lose(B, "something");
    talk.ack(A);
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("<4>two", "<9>"));
    assert_eq!(played.only().end, FlowEnd::CaptureEnded);
    assert_eq!(played.facts().unacknowledged(B), Some(0));
}

#[test]
fn a_fin_that_was_not_captured_leaves_a_doubt() {
    let mut talk = Conversation::open();
    talk.say(B, "bye");
    talk.fin(B);
    talk.sent.pop();
    talk.fin(A);
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("|", "bye<?>"));
    assert_eq!(played.end(B).fin, None);
}

#[test]
fn a_fin_waits_for_the_data_before_it() {
    let mut talk = Conversation::open();
    talk.say(A, "last words");
    talk.fin(A);
    talk.sent.swap(3, 4);
    let played = talk.play();
    assert_eq!(played.stream(A), "last words|");
    assert_eq!(packet(played.end(A).fin), Some(4));
    // And the data never comes.
    talk.sent.pop();
    let played = talk.play();
    assert_eq!(played.stream(A), "<10>|");
}

#[test]
fn the_snapshot_length_leaves_gaps_of_known_size() {
    let mut talk = Conversation::open();
    talk.say_cut(A, "0123456789", 4);
    talk.say(A, "next");
    talk.say_cut(A, "lost", 0);
    talk.say_cut(A, "swapped", 2);
    talk.say(A, "end");
    talk.sent.swap(5, 6);
    let played = talk.play();
    assert_eq!(played.stream(A), "0123<cut 6>next<cut 4>sw<cut 5>end");
    assert_eq!(played.end(A).anomalies().cut_bytes, 15);
    assert_eq!(played.end(A).bytes, 28);
}

#[test]
fn a_stream_may_be_joined_late() {
    let mut talk = Conversation::silent();
    talk.say(A, "hello");
    talk.say(B, "world");
    talk.say(A, "again");
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("helloagain", "world"));
    assert!(!played.end(A).from_start && !played.end(B).from_start);
    assert_eq!(played.facts().unacknowledged(B), Some(0));
}

#[test]
fn a_keep_alive_at_the_start_does_not_shift_a_stream_joined_late() {
    let mut talk = Conversation::silent();
    talk.repeat(A, 1, "");
    talk.ack(B);
    talk.say(A, "hello");
    let played = talk.play();
    assert_eq!(played.stream(A), "hello");
    assert_eq!((played.end(A).bytes, played.facts().unacknowledged(A)), (5, Some(5)));
    // An acknowledgement that overtook the data it should follow does not hide it.
    let mut talk = Conversation::silent();
    talk.say(A, "hello");
    talk.ack(A);
    talk.sent.swap(0, 1);
    assert_eq!(talk.play().stream(A), "hello");
}

#[test]
fn keep_alives_are_no_data() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.ack(B);
    for probe in ["", "\0"] {
        talk.wait(75_000);
        talk.repeat(A, 1, probe);
        talk.ack(B);
    }
    talk.wait(75_000);
    talk.say(A, "still here");
    let played = talk.play();
    assert_eq!(played.stream(A), "hellostill here");
    assert_eq!((played.end(A).keep_alives, played.end(A).anomalies().retransmissions), (2, 0));
    assert_eq!(played.end(A).data_segments, 2);
    // One byte that the peer has not acknowledged is a retransmission.
    let mut talk = Conversation::open();
    talk.say(A, "x");
    talk.wait(300);
    talk.repeat(A, 1, "x");
    let played = talk.play();
    assert_eq!((played.end(A).keep_alives, played.end(A).anomalies().retransmissions), (0, 1));
}

#[test]
fn one_end_may_close_and_listen_on() {
    let mut talk = Conversation::open();
    talk.fin(A);
    talk.ack(B);
    for _ in 0..3 {
        talk.wait(10_000);
        talk.say(B, "more ");
        talk.ack(A);
    }
    talk.fin(B);
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("|", "more more more |"));
    assert_eq!(played.end(A).keep_alives, 0);
    assert_eq!(played.only().end, FlowEnd::Closed);
}

#[test]
fn a_reset_ends_the_flow() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.rst(B);
    talk.last().hop_limit = 57;
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("hello", "!"));
    assert_eq!(played.only().end, FlowEnd::Reset);
    let b = played.end(B);
    let reset = b.reset.as_deref().expect("its RST");
    assert_eq!((packet(b.rst), reset.offset, reset.hop_limit), (Some(5), Some(StreamOffset(0)), 57));
    assert_eq!((reset.went_on, reset.places_beyond), (None, 0));
    // What the reset acknowledges counts.
    assert_eq!(played.facts().unacknowledged(A), Some(0));
}

#[test]
fn data_before_a_reset_is_delivered_with_its_holes() {
    let mut talk = Conversation::open();
    talk.lose(A, "one ");
    talk.say(A, "two");
    talk.rst(A);
    let played = talk.play();
    assert_eq!(played.stream(A), "<4>two!");
    assert_eq!(played.end(A).reset.as_ref().and_then(|reset| reset.offset), Some(StreamOffset(7)));
}

#[test]
fn data_recorded_after_its_reset_still_counts() {
    let mut talk = Conversation::open();
    talk.say(A, "close");
    talk.rst(A);
    talk.sent.swap(3, 4);
    let played = talk.play();
    assert_eq!(played.stream(A), "!close");
    assert_eq!(played.only().end, FlowEnd::Reset);
}

#[test]
fn a_forged_reset_does_not_end_the_flow() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.rst(B);
    for _ in 0..5 {
        talk.wait(3_000);
        talk.say(B, "still here ");
        talk.ack(A);
    }
    let played = talk.play();
    assert_eq!(played.stream(B), format!("!{}", "still here ".repeat(5)));
    assert_eq!((played.only().end, played.late), (FlowEnd::CaptureEnded, 0));
    // The client acknowledged what came after it.
    assert!(played.end(B).rst.is_none());
    let outlived = played.end(B).anomalies().outlived_reset.expect("the RST is not forgotten");
    assert_eq!((outlived.from, outlived.rst.packet.value(), outlived.shown_at.packet.value()), (B, 5, 7));
}

#[test]
fn a_reset_after_a_forged_one_ends_the_flow() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.rst(B);
    talk.say(B, "still here ");
    talk.ack(A);
    talk.rst(B);
    let played = talk.play();
    assert_eq!(played.stream(B), "!still here !");
    assert_eq!((played.only().end, packet(played.end(B).rst)), (FlowEnd::Reset, Some(8)));
}

#[test]
fn an_end_that_was_reset_and_goes_on_is_told_from_one_that_was_heard() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.rst(B);
    // The client believes it and acknowledges nothing any more.
    let told = talk.next.b;
    for seq in [1460, 4380] {
        talk.next.b = told + seq;
        talk.rst(B);
    }
    talk.next.b = told;
    talk.say(B, "still here");
    let played = talk.play();
    let reset = played.end(B).reset.as_deref().expect("its RST");
    assert_eq!((packet(played.end(B).rst), packet(reset.went_on), reset.places_beyond), (Some(5), Some(8), 2));
}

#[test]
fn a_refused_connection() {
    let mut talk = Conversation::silent();
    talk.bare(A, TcpFlags::SYN);
    talk.next.a += 1;
    talk.next.b = 0;
    talk.rst(B);
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("", "!"));
    assert_eq!(played.only().end, FlowEnd::Reset);
    assert!(played.facts().syn.is_some() && played.facts().syn_ack.is_none());
}

#[test]
fn an_unanswered_connection() {
    let mut talk = Conversation::silent();
    for _ in 0..4 {
        talk.wait(1000);
        talk.bare(A, TcpFlags::SYN);
    }
    let played = talk.play();
    assert_eq!((played.end(A).syn_retransmissions, played.end(B).segments), (3, 0));
    assert_eq!((played.only().end, played.opened.as_slice()), (FlowEnd::CaptureEnded, &[1][..]));
}

#[test]
fn a_reset_after_both_fins_is_kept_as_a_fact() {
    let mut talk = ordinary();
    talk.rst(A);
    let played = talk.play();
    assert_eq!(played.stream(A), "hello|!");
    assert_eq!(played.only().end, FlowEnd::Closed);
    assert_eq!(packet(played.end(A).rst), Some(9));
}

#[test]
fn a_flow_lingers_and_its_late_packets_open_no_other() {
    let mut talk = ordinary();
    talk.wait(4_000);
    talk.repeat(A, 6, "hello");
    talk.wait(2_000);
    talk.repeat(A, 6, "hello");
    let played = talk.play();
    assert_eq!(played.end(A).anomalies().retransmissions, 1);
    assert_eq!((played.late, played.opened.as_slice()), (1, &[1][..]));
}

#[test]
fn without_time_a_flow_lingers_for_some_packets() {
    let mut talk = ordinary();
    talk.timed = false;
    for _ in 0..10_001 {
        talk.ack(B);
    }
    let played = talk.play();
    // Both FINs were seen with packet 7 of 8.
    assert_eq!((played.late, played.end(B).segments), (10_009 - 10_006, 3 + 9_998));
}

#[test]
fn a_new_syn_on_used_ports_is_a_new_flow() {
    let mut talk = Conversation::open();
    talk.say(A, "first");
    talk.next = PerEnd { a: 90_000, b: 70_000 };
    talk.handshake();
    talk.say(A, "second");
    talk.fin(A);
    talk.fin(B);
    // Long gone, and used once more.
    talk.wait(60_000);
    talk.ack(B);
    talk.next = PerEnd { a: 190_000, b: 170_000 };
    talk.handshake();
    talk.say(A, "third");
    let played = talk.play();
    let texts: Vec<&str> = played.flows.iter().map(|flow| flow.sink.text.a.as_str()).collect();
    assert_eq!(texts, ["first", "second|", "third"]);
    let ends: Vec<FlowEnd> = played.flows.iter().map(|flow| flow.end).collect();
    assert_eq!(ends, [FlowEnd::Replaced, FlowEnd::Closed, FlowEnd::CaptureEnded]);
    assert_eq!(played.flows.iter().map(|flow| flow.number.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((played.opened, played.late), (vec![1, 5, 12], 1));
}

#[test]
fn a_lost_syn_ack_does_not_hide_the_start_of_the_answer() {
    let mut talk = Conversation::open();
    talk.sent.remove(1);
    talk.say(A, "request");
    talk.lose(B, "response");
    talk.say(B, "more");
    let played = talk.play();
    assert_eq!(played.stream(B), "<8>more");
    assert!(played.end(B).from_start);
}

#[test]
fn a_closed_window_is_remembered() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.ack(B);
    talk.last().window = 0;
    talk.ack(B);
    talk.last().window = 0;
    let played = talk.play();
    let anomalies = played.end(B).anomalies();
    assert_eq!((anomalies.zero_windows, packet(anomalies.zero_window_since)), (2, Some(5)));
    talk.ack(B);
    assert_eq!(talk.play().end(B).anomalies().zero_window_since, None);
}

#[test]
fn a_capture_with_every_packet_twice_shows_no_retransmissions() {
    let mut talk = ordinary();
    let twice = talk.sent.iter().flat_map(|sent| {
        let mut again = sent.clone();
        again.delay = 0;
        [sent.clone(), again]
    });
    talk.sent = twice.collect();
    let played = talk.play();
    assert_eq!((played.stream(A), played.stream(B)), ("hello|", "world!|"));
    assert_eq!((played.facts().duplicates, played.end(A).anomalies().retransmissions), (8, 0));
    assert_eq!(played.end(A).syn_retransmissions, 0);
}

/// A second place that sees what the first one does, `behind` segments and one millisecond later.
fn seen_twice(talk: &Conversation, behind: usize, elsewhere: impl Fn(&mut Sent)) -> Conversation {
    let copies: Vec<Sent> = talk
        .sent
        .iter()
        .cloned()
        .map(|mut copy| {
            elsewhere(&mut copy);
            copy.delay = 1;
            copy
        })
        .collect();
    let mut sent = talk.sent.clone();
    for (index, copy) in copies.into_iter().enumerate() {
        let at = (2 * index + 1 + behind).min(sent.len());
        sent.insert(at, copy);
    }
    let mut twice = talk.clone();
    twice.sent = sent;
    twice
}

/// With a retransmission, a keep-alive, doubled acknowledgements, a closed window and a RST.
fn eventful() -> Conversation {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.wait(20);
    talk.repeat(A, 5, "hello");
    talk.ack(B);
    talk.wait(20);
    talk.ack(B);
    talk.last().window = 0;
    talk.say(B, "world!");
    talk.ack(A);
    talk.wait(1000);
    talk.bare(A, TcpFlags::ACK);
    talk.last().seq -= 1;
    talk.ack(B);
    talk.fin(A);
    talk.rst(B);
    talk
}

#[test]
fn what_two_places_saw_is_one_flow_without_retransmissions() {
    let vxlan = Tunnel { kind: TunnelKind::Vxlan, id: 7, depth: 1 };
    let places: [&dyn Fn(&mut Sent); 3] = [&|copy| copy.interface = 1, &|copy| copy.tunnel = Some(vxlan), &|copy| {
        (copy.interface, copy.hop_limit) = (2, 63)
    }];
    for talk in [ordinary(), eventful()] {
        let once = talk.play();
        for elsewhere in places {
            let twice = seen_twice(&talk, 0, elsewhere).play();
            assert_eq!(twice.facts().duplicates as usize, talk.sent.len());
            for end in End::BOTH {
                assert_eq!(twice.stream(end), once.stream(end));
                let counts = |played: &Played| {
                    let facts = played.end(end).clone();
                    let anomalies = facts.anomalies();
                    (
                        (
                            facts.segments,
                            facts.data_segments,
                            facts.keep_alives,
                            facts.syn_retransmissions,
                            facts.acked,
                        ),
                        (anomalies.retransmissions, anomalies.zero_windows, anomalies.out_of_window, anomalies.gaps),
                    )
                };
                assert_eq!(counts(&twice), counts(&once));
            }
            assert_eq!((twice.only().end, twice.opened), (once.only().end, vec![1]));
        }
    }
    assert_eq!(eventful().play().end(A).anomalies().retransmissions, 1);
    assert_eq!(eventful().play().end(A).keep_alives, 1);
}

#[test]
fn a_second_place_may_lag_behind() {
    let talk = ordinary();
    let twice = seen_twice(&talk, 2, |copy| copy.interface = 1).play();
    assert_eq!((twice.stream(A), twice.stream(B)), ("hello|", "world!|"));
    assert_eq!((twice.facts().duplicates, talk.sent.len()), (8, 8));
    assert_eq!(twice.end(A).anomalies().retransmissions, 0);
}

#[test]
fn two_places_with_one_direction_each_are_one_flow_without_copies() {
    let mut talk = eventful();
    for sent in &mut talk.sent {
        sent.interface = u32::from(sent.from == B);
    }
    let played = talk.play();
    assert_eq!(played.facts().duplicates, 0);
    assert_eq!((played.stream(A), played.end(A).anomalies().retransmissions), ("hello|", 1));
}

/// The same words between the same addresses in another tunnel, sixteen megabytes away in the sequence space.
fn in_tunnel(talk: &Conversation, id: u32) -> Vec<Sent> {
    let tunnel = |id| Tunnel { kind: TunnelKind::GtpU, id, depth: 1 };
    let mut sent = talk.sent.clone();
    for sent in &mut sent {
        // GTP-U numbers each direction by itself.
        sent.tunnel = Some(tunnel(2 * id + u32::from(sent.from == B)));
        sent.seq = sent.seq.wrapping_add(id << 25);
        sent.ack = sent.ack.map(|ack| ack.wrapping_add(id << 25));
        sent.delay = 1;
    }
    sent
}

#[test]
fn networks_with_the_same_addresses_are_kept_apart() {
    // With and without their handshakes; the number of the tunnel differs by direction.
    for skip in [0, 3] {
        let mut talk = ordinary();
        talk.sent.drain(..skip);
        let alone = talk.play();
        let all = [in_tunnel(&talk, 1), in_tunnel(&talk, 2), in_tunnel(&talk, 3)];
        let mut mixed = talk.clone();
        mixed.sent = (0..talk.sent.len()).flat_map(|at| all.iter().map(move |sent| sent[at].clone())).collect();
        let played = mixed.play();
        assert_eq!(played.opened, [1, 2, 3]);
        assert_eq!(played.flows.len(), 3);
        for flow in &played.flows {
            for end in End::BOTH {
                assert_eq!(flow.sink.text[end], alone.stream(end));
                assert_eq!(flow.tcp.ends[end].segments, alone.end(end).segments);
                assert_eq!(flow.tcp.ends[end].anomalies(), alone.end(end).anomalies());
            }
            assert_eq!((flow.end, flow.tcp.duplicates), (FlowEnd::Closed, 0));
        }
    }
}

#[test]
fn a_network_outlives_the_first_one() {
    let talk = ordinary();
    let mut mixed = talk.clone();
    let (first, other) = (in_tunnel(&talk, 1), in_tunnel(&talk, 2));
    // The other one starts, the first one runs its course and is forgotten, the other one goes on.
    mixed.sent = [&first[..1], &other[..4], &first[1..], &other[4..]].concat();
    mixed.sent[talk.sent.len() + 4].delay = 6000;
    let played = mixed.play();
    assert_eq!((played.opened, played.late), (vec![1, 2], 0));
    assert!(played.flows.iter().all(|flow| flow.sink.text[B] == "world!|" && flow.end == FlowEnd::Closed));
    // The ports are used again in the first one's tunnel and in no tunnel, once the flows are over.
    let mut again = mixed.clone();
    for (at, tunnel) in [(1, first[0].tunnel), (2, None)] {
        let mut sent = talk.sent.clone();
        sent[0].delay = 100;
        sent.iter_mut().for_each(|sent| {
            sent.tunnel = tunnel;
            sent.seq = sent.seq.wrapping_sub(at << 25);
            sent.ack = sent.ack.map(|ack| ack.wrapping_sub(at << 25));
        });
        again.sent.extend(sent);
    }
    let played = again.play();
    assert_eq!(played.flows.len(), 4);
    assert!(played.flows.iter().all(|flow| flow.sink.text[B] == "world!|"));
}

#[test]
fn more_networks_than_can_be_told_apart_do_no_harm() {
    let talk = ordinary();
    let mut mixed = talk.clone();
    mixed.sent = (1..30).map(|id| in_tunnel(&talk, id)).collect::<Vec<_>>().concat();
    for (at, sent) in mixed.sent.iter_mut().enumerate() {
        sent.seq = sent.seq.wrapping_mul(at as u32 | 1);
    }
    mixed.play();
}

#[test]
fn what_differs_is_no_copy() {
    let late: &dyn Fn(&mut Sent) = &|copy| copy.delay = 50;
    let other: &dyn Fn(&mut Sent) = &|copy| copy.data[0] = b'H';
    for differs in [late, other] {
        let mut talk = Conversation::open();
        // A copy shows that there is another place.
        for text in ["one", "two"] {
            talk.say(A, text);
            let mut copy = talk.last().clone();
            (copy.interface, copy.delay) = (1, 1);
            if text == "two" {
                differs(&mut copy);
            }
            talk.sent.push(copy);
        }
        let played = talk.play();
        assert_eq!((played.stream(A), played.facts().duplicates), ("onetwo", 1));
        assert_eq!(played.end(A).anomalies().retransmissions, 1);
    }
}

#[test]
fn segments_from_elsewhere_are_ignored() {
    let mut talk = Conversation::open();
    talk.say(A, "hello");
    talk.repeat(A, 1 << 31, "evil");
    talk.repeat(A, 0u32.wrapping_sub((1 << 30) + 1), "evil");
    talk.say(A, "world");
    let played = talk.play();
    assert_eq!(played.stream(A), "helloworld");
    assert_eq!(played.end(A).anomalies().out_of_window, 2);
}

#[test]
fn full_buffers_give_up_the_first_hole() {
    let mut talk = Conversation::open();
    talk.lose(A, "_");
    for _ in 0..10 {
        talk.say(A, "word ");
        talk.lose(A, "_");
    }
    // What still waits when the capture ends is missing from the capture; what was not waited for is our doing.
    let expected = "<1>word ".repeat(10);
    for limits in [
        Limits { reorder_segments_per_end: 3, ..Limits::default() },
        Limits { reorder_segments_per_end: 0, ..Limits::default() },
        Limits { reorder_bytes_per_end: 300, ..Limits::default() },
        Limits { reorder_bytes_total: 300, ..Limits::default() },
        Limits { reorder_bytes_total: 0, ..Limits::default() },
    ] {
        let played = talk.play_with(&limits);
        assert_eq!(played.stream(A).replace("limit ", ""), expected);
        assert!(played.stream(A).starts_with("<limit 1>word "), "{}", played.stream(A));
        let missing = played.end(A).anomalies();
        assert!((1..=10).contains(&missing.limit_bytes) && missing.gap_bytes == 10, "{missing:?}");
        assert!(played.hits.reorder > 0);
    }
    assert_eq!(talk.play().hits.reorder, 0);
}

#[test]
fn a_flood_of_new_flows_displaces_itself() {
    let mut talk = Conversation::open();
    talk.say(A, "hello ");
    for port in 1..=50 {
        talk.port = port;
        talk.bare(A, TcpFlags::SYN);
        talk.port = 40_000;
        talk.say(A, "x");
    }
    let played = talk.play_with(&Limits { flows: 3, ..Limits::default() });
    assert_eq!((played.flows.len(), played.hits.flows), (51, 48));
    let evicted = played.flows.iter().filter(|flow| flow.end == FlowEnd::Evicted).count();
    assert_eq!(evicted, 48);
    let lived = played.flows.iter().find(|flow| flow.number.0 == 0).unwrap();
    assert_eq!(lived.sink.text.a, format!("hello {}", "x".repeat(50)));
    assert_eq!(lived.end, FlowEnd::CaptureEnded);
}

/// One connection after the other on the same ports, all in one moment: nothing is kept of those that are gone.
#[test]
fn reused_ports_leave_nothing_behind() {
    let mut talk = Conversation::silent();
    for round in 0..1000 {
        talk.next = PerEnd { a: round * 1000, b: 0 };
        talk.bare(A, TcpFlags::SYN);
        talk.rst(B);
    }
    talk.sent.iter_mut().for_each(|sent| sent.delay = 0);
    let played = talk.play();
    assert_eq!(played.flows.len(), 1000);
    assert!(played.flows.iter().all(|flow| flow.end == FlowEnd::Reset));
    assert!(played.most_lingering <= 70, "{}", played.most_lingering);
}

/// Whether tshark 4.0.17 starts a stream, milliseconds since the packet before, sender, port, flags, sequence number,
/// acknowledgement, bytes of data.
type Row = (bool, u64, End, u16, u8, u32, u32, usize);

/// Random segments on two pairs of ports.
#[rustfmt::skip]
const NUMBERED_BY_TSHARK: [Row; 44] = [
    (true, 0, B, 1001, 0x10, 100, 90000, 0),
    (false, 500, A, 1001, 0x11, 5000, 4000000001, 5),
    (false, 500, B, 1001, 0x10, 4000000000, 5006, 0),
    (true, 500, B, 1000, 0x12, 100, 101, 0),
    (false, 500, B, 1000, 0x10, 5000, 90001, 5),
    (false, 500, A, 1001, 0x10, 100, 90001, 0),
    (false, 3000, B, 1001, 0x14, 90001, 106, 0),
    (false, 500, A, 1001, 0x12, 4000000000, 4000000000, 0),
    (false, 0, A, 1001, 0x18, 106, 4000000001, 0),
    (true, 3000, B, 1000, 0x02, 4000000000, 0, 0),
    (false, 20000, B, 1001, 0x11, 90000, 100, 0),
    (false, 0, A, 1000, 0x10, 90001, 5001, 0),
    (false, 3000, B, 1001, 0x12, 5000, 101, 0),
    (true, 500, B, 1000, 0x02, 100, 0, 0),
    (false, 0, B, 1001, 0x10, 4000000000, 4000000001, 0),
    (false, 0, A, 1000, 0x12, 5000, 4000000001, 0),
    (true, 500, A, 1000, 0x02, 4000000000, 0, 0),
    (false, 20000, A, 1000, 0x04, 4000000001, 0, 0),
    (false, 20000, B, 1001, 0x18, 100, 5001, 0),
    (false, 0, B, 1000, 0x11, 90001, 90001, 0),
    (false, 0, A, 1001, 0x11, 90000, 90001, 0),
    (true, 3000, B, 1001, 0x02, 4000000000, 0, 0),
    (false, 3000, B, 1001, 0x10, 90006, 90001, 5),
    (false, 500, B, 1001, 0x10, 5000, 90006, 5),
    (false, 3000, B, 1001, 0x10, 4000000006, 101, 0),
    (false, 500, A, 1000, 0x12, 5000, 4000000001, 0),
    (false, 0, A, 1000, 0x11, 5000, 5001, 0),
    (false, 20000, A, 1001, 0x12, 100, 4000000000, 0),
    (false, 3000, A, 1000, 0x12, 90000, 101, 0),
    (true, 3000, A, 1001, 0x02, 90000, 0, 0),
    (false, 20000, B, 1001, 0x14, 90006, 90001, 0),
    (false, 20000, B, 1001, 0x12, 4000000000, 5001, 0),
    (false, 500, A, 1000, 0x10, 101, 4000000006, 0),
    (false, 20000, A, 1001, 0x18, 5006, 4000000001, 0),
    (false, 0, A, 1001, 0x10, 90006, 4000000001, 0),
    (false, 20000, A, 1001, 0x10, 5000, 4000000000, 0),
    (false, 500, B, 1000, 0x18, 4000000001, 100, 5),
    (false, 3000, A, 1000, 0x11, 90001, 5006, 5),
    (false, 3000, B, 1000, 0x02, 90000, 0, 0),
    (false, 3000, B, 1001, 0x14, 101, 90001, 0),
    (true, 0, B, 1000, 0x02, 4000000000, 0, 0),
    (false, 20000, B, 1000, 0x02, 4000000000, 0, 0),
    (false, 0, A, 1001, 0x11, 4000000006, 5000, 0),
    (false, 500, A, 1001, 0x14, 90000, 4000000006, 0),
];

#[test]
fn flow_numbers_equal_those_of_tshark() {
    let mut talk = Conversation::silent();
    let mut expected = Vec::new();
    for (packet, (new, delay, from, port, flags, seq, ack, length)) in (1u64..).zip(NUMBERED_BY_TSHARK) {
        talk.port = port;
        talk.bare(from, TcpFlags(flags));
        let sent = talk.last();
        (sent.delay, sent.seq, sent.data) = (delay, seq, vec![b'x'; length]);
        sent.ack = sent.flags.ack().then_some(ack);
        if new {
            expected.push(packet);
        }
    }
    assert_eq!(talk.play().opened, expected);
}

#[test]
fn a_flow_that_nobody_listens_to_is_still_followed() {
    let mut talk = Conversation::open();
    talk.say(B, "bytes ahead of a hole");
    talk.next.b += 5;
    talk.say(B, "wait");
    talk.say(A, "no more#");
    talk.say(A, "unheard");
    talk.say(B, "unheard");
    let copy = talk.last().clone();
    talk.sent.push(Sent { delay: 0, ..copy });
    talk.fin(A);
    talk.fin(B);
    let last = talk.sent.len() as u64;
    // Late within the time that it lingers, then the ports are used again.
    talk.ack(A);
    talk.wait(20_000);
    talk.next = PerEnd { a: 9_000_000, b: 70_000 };
    talk.handshake();
    talk.say(A, "heard");
    let played = talk.play();
    let [first, second] = &played.flows[..] else { panic!("two flows: {:?}", played.opened) };
    assert_eq!((first.sink.text.a.as_str(), first.sink.text.b.as_str()), ("no more#", "bytes ahead of a hole"));
    assert_eq!((first.end, first.tcp.duplicates), (FlowEnd::Closed, 1));
    assert_eq!((first.last.packet.value(), played.opened[1]), (last + 1, last + 2));
    assert_eq!(second.sink.text.a, "heard");
}

#[test]
fn a_reset_ends_a_flow_that_nobody_listens_to() {
    let mut talk = Conversation::open();
    talk.say(A, "#");
    talk.rst(B);
    let played = talk.play();
    assert_eq!((played.only().end, played.stream(B)), (FlowEnd::Reset, ""));
}

/// The memory of an idle flow, beside its consumer and the index.
#[test]
fn a_flow_is_small() {
    // Seven cache lines.
    assert_eq!(size_of::<open::OpenFlow<[u64; 4]>>(), 448);
    assert_eq!(size_of::<reorder::Piece>(), 48);
}

/// A conversation with data both ways and a close, in segments of various lengths.
fn talk_of(lengths: &[usize]) -> Conversation {
    let mut talk = Conversation::open();
    for (index, &length) in lengths.iter().enumerate() {
        let from = if index % 3 == 2 { B } else { A };
        let text: String = (0..length).map(|at| char::from(b'a' + ((at + 7 * index) % 26) as u8)).collect();
        talk.say(from, &text);
    }
    talk.fin(A);
    talk.fin(B);
    talk
}

fn texts(played: &Played) -> (String, String) {
    (played.stream(A).to_owned(), played.stream(B).to_owned())
}

proptest! {
    /// Swapping within a window and recording some segments again, in other cuts, changes nothing.
    #[test]
    fn order_and_repetition_do_not_matter(
        lengths in prop::collection::vec(1usize..30, 1..20),
        swaps in prop::collection::vec((0usize..30, 1usize..8), 0..30),
        repeats in prop::collection::vec((0usize..30, 0usize..30, 0usize..10, 0usize..10), 0..10),
    ) {
        let talk = talk_of(&lengths);
        let expected = texts(&talk.play());
        let mut shuffled = talk.clone();
        for &(from, to, front, back) in &repeats {
            // Data of one direction as one text, so that a repeat may reach over segment borders.
            let Some(sent) = talk.sent.get(from).filter(|sent| !sent.data.is_empty()) else { continue };
            let whole = &texts(&talk.play());
            let whole = if sent.from == A { &whole.0 } else { &whole.1 }.trim_end_matches('|').as_bytes();
            let start = (sent.seq - if sent.from == A { 1001 } else { 5001 }) as usize;
            let (low, high) = (start.saturating_sub(front), (start + sent.data.len() + back).min(whole.len()));
            let mut again = sent.clone();
            again.seq -= (start - low) as u32;
            again.data = whole[low..high].to_vec();
            shuffled.sent.insert(3 + to % (shuffled.sent.len() - 2), again);
        }
        for &(at, by) in &swaps {
            // The handshake stays first; it sets the offsets.
            let (one, other) = (3 + at, 3 + at + by);
            if other < shuffled.sent.len() {
                shuffled.sent.swap(one, other);
            }
        }
        prop_assert_eq!(texts(&shuffled.play()), expected);
    }

    /// Losing segments shows as gaps of the right length in the right place, and nothing else changes.
    #[test]
    fn what_is_lost_is_a_gap(lengths in prop::collection::vec(1usize..30, 1..20), lost in prop::collection::vec(3usize..22, 1..5)) {
        let talk = talk_of(&lengths);
        let mut expected = (String::new(), String::new());
        let mut holes = (0, 0);
        let mut sent = Vec::new();
        let data = lengths.len() + 3;
        for (index, segment) in talk.sent.iter().enumerate() {
            let (text, hole) = if segment.from == A { (&mut expected.0, &mut holes.0) } else { (&mut expected.1, &mut holes.1) };
            if index < data && lost.contains(&index) {
                *hole += segment.data.len();
                continue;
            }
            sent.push(segment.clone());
            if index < 3 {
                continue;
            }
            if *hole > 0 {
                text.push_str(&format!("<{hole}>"));
                *hole = 0;
            }
            text.push_str(std::str::from_utf8(&segment.data).unwrap());
            if segment.flags.fin() {
                text.push('|');
            }
        }
        let mut talk = talk;
        talk.sent = sent;
        prop_assert_eq!(texts(&talk.play()), expected);
    }

    /// What goes the short way comes to the same as if it had gone the long one.
    #[test]
    fn the_short_way_leads_to_the_same(
        steps in prop::collection::vec((0u8..25, any::<bool>(), 1usize..200, 0u64..700), 1..80),
        joined_late in any::<bool>(), timed in any::<bool>(),
    ) {
        let mut talk = if joined_late { Conversation::silent() } else { Conversation::open() };
        talk.timed = timed;
        for (step, from_a, length, delay) in steps {
            let from = if from_a { A } else { B };
            let text: String = (0..length).map(|at| char::from(b'a' + ((at * 7 + length) % 26) as u8)).collect();
            talk.wait(delay);
            match step {
                0..=10 => talk.say(from, &text),
                11..=15 => talk.ack(from),
                16 => talk.lose(from, &text),
                17 => talk.repeat(from, (length / 2) as u32, &text),
                18 => talk.bare(from, TcpFlags::ACK | TcpFlags::PSH),
                19 => {
                    talk.ack(from);
                    talk.last().window = 0;
                }
                20 => {
                    talk.say(from, &text);
                    let sent = talk.last();
                    (sent.hop_limit, sent.identification) = (60, length as u16);
                }
                21 => {
                    talk.say(from, &text);
                    let again = talk.last().clone();
                    talk.sent.push(again);
                    talk.last().interface = u32::from(length % 3 == 0);
                }
                22 => talk.repeat(from, 1, ""),
                // The recorder wants no more.
                23 if length % 4 == 0 => talk.say(from, "#"),
                _ if length < 40 => talk.rst(from),
                _ if length < 80 => talk.fin(from),
                _ => talk.say_cut(from, &text, length / 2),
            }
        }
        let mut long = talk.clone();
        long.unsettled = true;
        prop_assert_eq!(format!("{:?}", talk.play().flows), format!("{:?}", long.play().flows));
    }

    /// Nonsense neither panics nor breaks the rules of the sink (which the recorder checks), and is the same nonsense when its
    /// flows are found beforehand.
    #[test]
    fn nonsense_is_survived(
        segments in prop::collection::vec(
            (any::<bool>(), 0u16..3, prop_oneof![8 => 0u32..100, 1 => any::<u32>()], prop_oneof![8 => 0u32..100, 1 => any::<u32>()],
             prop_oneof![3 => Just(0x10u8), 1 => 0u8..32], 0usize..20, prop_oneof![5 => Just(0u32), 1 => 0u32..20, 1 => any::<u32>()], 0u64..3000),
            1..120,
        ),
        tight in any::<bool>(), timed in any::<bool>(), foreseen in 1usize..40,
    ) {
        let mut talk = Conversation::silent();
        talk.timed = timed;
        for (from_a, port, seq, ack, flags, length, cut, delay) in segments {
            let from = if from_a { A } else { B };
            talk.port = port;
            talk.bare(from, TcpFlags(flags));
            let sent = talk.last();
            sent.seq = seq.wrapping_sub(50);
            sent.ack = sent.flags.ack().then_some(ack.wrapping_sub(50));
            sent.data = vec![b'x'; length];
            (sent.cut, sent.delay) = (cut, delay);
        }
        let limits = if tight {
            Limits { flows: 2, reorder_segments_per_end: 3, reorder_bytes_total: 1000, ..Limits::default() }
        } else {
            Limits::default()
        };
        let played = talk.play_with(&limits);
        prop_assert_eq!(played.flows.len(), played.opened.len());
        talk.foreseen = foreseen;
        prop_assert_eq!(format!("{:?}", talk.play_with(&limits)), format!("{played:?}"));
    }
}
