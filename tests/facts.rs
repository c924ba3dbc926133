//! Every fact of [`FACTS`] in examples: a conversation where it is seen, one where it is absent, one where it is unknown.
//!
//! What must come out follows from how a conversation was written (or, for TLS, from what tshark and the case tell
//! about a recorded one), never from what the library said. A fact without examples here fails
//! [`every_fact_has_its_examples`].

mod common;
mod support;

use common::case::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use support::conversation::START;
use support::net::{Content, flags};
use support::tls::{self, Ending, Wrapped};
use support::{
    Acks, Capture, Conversation, Frame, Length, Link, Masking, Packet, PcapngWriter, Segment, Side, Upgrade,
};
use wsdissect::capture::Reader;
use wsdissect::evidence::WhyUnknown::{
    CaptureEnded, ClockStep, CutByCapture, Encrypted, Gap, JoinedLate, Limit, NoTime, NotCaptured, OneSided,
};
use wsdissect::evidence::{Evidence, FACTS, FactId, FactType, Facts, Known, Value, WhyUnknown};
use wsdissect::{Analyzer, Options};

// The table.

/// The examples of all facts, in the order of [`FACTS`].
#[rustfmt::skip]
fn table() -> Vec<Row> {
    vec![
        fact("capture.visibility")
            .seen(farewell, "full", &[])
            .seen(server_hole, "gap", &[])
            .seen(snapped, "cut", &[])
            .seen(client_hidden, "one_sided", &[])
            .seen(joined_at_response, "joined_late", &[])
            .seen(tls_good_1_3, "encrypted", &[])
            .never_absent("a capture always shows some part")
            .never_unknown("it is the fact that says what is unknown"),
        fact("capture.missing_bytes")
            .seen(hole_inside_text, 100, &["text", "text_end"])
            .absent(farewell)
            .absent(snapped)
            .absent(joined_late)
            .unknown(fin_hidden, Gap),
        fact("connection.open_at_capture_end")
            .seen(still_open, true, &["last"])
            .seen(farewell, false, &["close"])
            .never_absent("it is yes or no")
            .unknown(still_open_client_hidden, OneSided),
        fact("connection.lifetime_s")
            .seen(farewell, Span("response", "close"), &[])
            .seen(unanswered, Span("syn", "last"), &[])
            .never_absent("every connection has a first and a last packet")
            .unknown(timeless, NoTime),
        fact("connection.longest_silence_s")
            .seen(survivor, Span("question", "answer"), &["question", "answer"])
            .seen(nothing_said, Secs(0.0), &[])
            .never_absent("who said nothing was never interrupted: 0")
            .unknown(hole_in_the_longest_silence, Gap)
            .unknown(client_hidden, OneSided),
        fact("connection.messages")
            .seen(farewell, 2, &[])
            .seen(reset, 0, &[])
            .seen(compressed, 2, &[])
            .never_absent("none is 0")
            .unknown(server_hole, Gap)
            .unknown(snapped, CutByCapture)
            .unknown(response_lost, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(tls_unknown_ca, Encrypted)
            .unknown(joined_late, JoinedLate),
        fact("connection.http_status")
            .seen(http_in_the_stream, 400, &["http"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("client.browser")
            .seen(negotiated, true, &["request"])
            .seen(farewell, false, &["request"])
            .never_absent("it is yes or no")
            .unknown(joined_at_response, NotCaptured),
        fact("client.stack")
            .seen(limited, "Python websockets", &["request"])
            .seen(client_gives_up, "Chromium", &["close"])
            .absent(farewell)
            .unknown(joined_at_response, JoinedLate)
            .unknown(joined_late, JoinedLate)
            .unknown(client_hidden, OneSided),
        fact("client.stack_confidence")
            .seen(limited, "certain", &["request"])
            .seen(client_gives_up, "likely", &["close"])
            .seen(client_refuses_size, "possible", &["close"])
            .absent(farewell)
            .unknown(joined_late, JoinedLate),
        fact("client.stack_known_by")
            .seen(limited, "header", &["request"])
            .seen(client_gives_up, "reason", &["close"])
            .no_word("order", "tests/software.rs has the heads of programs")
            .no_word("behaviour", "of a client nothing but its head and its words tells enough")
            .absent(farewell)
            .unknown(joined_late, JoinedLate),
        fact("client.keepalive_setting")
            .seen(limited, "websockets.connect(..., ping_interval=20)", &["request"])
            .absent(farewell)
            .unknown(joined_late, JoinedLate),
        fact("server.stack")
            .seen(limited, "Python websockets", &["response", "close"])
            .seen(webapp_stops, "Tomcat", &["close"])
            .absent(farewell)
            .unknown(response_lost, Gap)
            .unknown(joined_late, JoinedLate),
        fact("server.stack_confidence")
            .seen(limited, "certain", &["response", "close"])
            .seen(webapp_stops, "likely", &["close"])
            .seen(server_refuses_size, "possible", &["close"])
            .absent(farewell)
            .unknown(response_lost, Gap),
        fact("server.stack_known_by")
            .seen(limited, "header", &["response", "close"])
            .seen(webapp_stops, "reason", &["close"])
            .seen(pinged_by_node, "order", &["response", "ping"])
            .seen(socket_io, "behaviour", &["response"])
            .absent(farewell)
            .unknown(response_lost, Gap),
        fact("server.keepalive_setting")
            .seen(limited, "websockets.serve(..., ping_interval=20)", &["response", "close"])
            .absent(farewell)
            .unknown(response_lost, Gap),
        fact("tcp.open")
            .seen(farewell, "completed", &["syn", "syn_ack"])
            .seen(server_hidden, "completed", &["syn"])
            .seen(refused_port, "refused", &["syn", "rst"])
            .seen(unanswered, "unanswered", &["syn"])
            .seen(joined_at_response, "not_captured", &[])
            .seen(syn_ack_unheard, "unacknowledged", &["syn", "syn_ack"])
            .seen(host_unreachable, "unreachable", &["syn", "icmp"])
            .never_absent("one of the words is always true")
            .unknown(syn_only, CaptureEnded),
        fact("tcp.syns")
            .seen(unanswered, 3, &["syn"])
            .seen(farewell, 1, &["syn"])
            .never_absent("a count begins with one")
            .unknown(joined_at_response, NotCaptured),
        fact("tcp.syn_waited_s")
            .seen(unanswered, Span("syn", "last"), &["syn", "last"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("tcp.setup_s")
            .seen(farewell, Span("syn", "syn_ack"), &["syn", "syn_ack"])
            .absent(unanswered)
            .absent(refused_port)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided),
        fact("tcp.payload")
            .seen(farewell, true, &["request"])
            .seen(unanswered, false, &[])
            .never_absent("it is yes or no")
            .never_unknown("a connection of which one direction is missing shows the payload of the other"),
        fact("tcp.mss")
            .seen(farewell, 1460, &["syn", "syn_ack"])
            .absent(without_options)
            .unknown(joined_at_response, NotCaptured),
        fact("icmp.error")
            .seen(network_unreachable, "network_unreachable", &["icmp"])
            .seen(host_unreachable, "host_unreachable", &["icmp"])
            .seen(port_unreachable, "port_unreachable", &["icmp"])
            .seen(prohibited, "prohibited", &["icmp"])
            .seen(too_big, "too_big", &["icmp"])
            .seen(time_exceeded, "time_exceeded", &["icmp"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("icmp.side")
            .seen(host_unreachable, "client", &["icmp"])
            .seen(too_big, "server", &["icmp"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("icmp.from")
            .seen(host_unreachable, "10.0.0.254", &["icmp"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("icmp.mtu")
            .seen(too_big, 1400, &["icmp"])
            .absent(host_unreachable)
            .unknown(client_hidden, OneSided),
        fact("end.tcp")
            .seen(farewell, "fin", &["fin"])
            .seen(reset, "rst", &["rst"])
            .absent(still_open)
            .unknown(still_open_client_hidden, OneSided),
        fact("end.tcp_side")
            .seen(farewell, "server", &["fin"])
            .seen(client_fault, "client", &["fin"])
            .absent(still_open)
            .unknown(still_open_client_hidden, OneSided),
        fact("end.side")
            .seen(farewell, "server", &["close"])
            .seen(reset, "server", &["rst"])
            .seen(own_fault, "client", &["close"])
            .absent(still_open)
            .unknown(server_hole, Gap)
            .unknown(snapped, CutByCapture)
            .unknown(client_hidden, OneSided),
        fact("peer.side")
            .seen(farewell, "client", &[])
            .seen(own_fault, "server", &[])
            .absent(still_open)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("end.silence_s")
            .seen(farewell, Span("ping2", "close"), &["ping2", "close"])
            .seen(still_open, Span("last", "ack"), &["last", "ack"])
            .absent(unanswered)
            .unknown(server_hole, Gap)
            .unknown(second_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(timeless, NoTime)
            .seen(holes_before_the_silence, Span("last", "fin"), &["last", "fin"]),
        fact("end.client_silence_s")
            .seen(farewell, Span("pong", "close"), &["pong", "close"])
            .absent(unanswered)
            .unknown(client_hidden, OneSided)
            .unknown(timeless, NoTime),
        fact("end.server_silence_s")
            .seen(farewell, Span("ping2", "close"), &["ping2", "close"])
            .absent(hung_up_on)
            .unknown(server_hole, Gap)
            .unknown(server_hidden, OneSided),
        fact("end.since_peer_data_s")
            .seen(farewell, Span("text", "close"), &["text", "close"])
            .absent(own_fault_of_the_first_word)
            .unknown(still_open, CaptureEnded)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(clock_set_back, ClockStep)
            .unknown(timeless, NoTime),
        fact("end.set_off_by_message")
            .seen(handler_fails, true, &["text", "fin"])
            .seen(farewell, false, &["text", "close"])
            .absent(still_open)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(timeless, NoTime),
        fact("end.unfinished_frame")
            .seen(cut_off, "client", &["begun"])
            .seen(cut_off_by_server, "server", &["begun"])
            .seen(cut_off_and_open, "client", &["begun"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("end.unacked_side")
            .seen(unacknowledged, "server", &["third"])
            .seen(unacknowledged_client, "client", &["third"])
            .seen(reset_with_messages_under_way, "client", &["second"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(messages_under_way, CaptureEnded),
        fact("end.unanswered_retransmissions")
            .seen(unacknowledged, 3, &["third"])
            .absent(farewell)
            .absent(reset_with_messages_under_way)
            .unknown(client_hidden, OneSided),
        fact("end.first_retry_s")
            .seen(unacknowledged, Span("first", "second"), &["first", "third"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(unacknowledged_timeless, NoTime),
        fact("end.last_retry_s")
            .seen(unacknowledged, Span("second", "third"), &["first", "third"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(unacknowledged_timeless, NoTime),
        fact("end.backoff")
            .seen(unacknowledged, true, &["first", "third"])
            .seen(sent_again_every_second, false, &["first", "third"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(unacknowledged_timeless, NoTime),
        fact("end.silent_side")
            .seen(unacknowledged, "client", &["heard"])
            .seen(unacknowledged_client, "server", &["heard"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("end.silent_s")
            .seen(unacknowledged, Span("heard", "third"), &["heard", "third"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(unacknowledged_timeless, NoTime),
        fact("end.idle_before_s")
            .seen(unacknowledged, Span("before", "data"), &["data"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(messages_under_way, CaptureEnded),
        fact("end.connection_unknown")
            .seen(reset, false, &["rst"])
            .seen(stray_reset, true, &["rst"])
            .absent(farewell)
            .unknown(still_open_client_hidden, OneSided),
        fact("client.unacked_bytes")
            .seen(reset_with_messages_under_way, 23, &["second"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(messages_under_way, CaptureEnded),
        fact("client.unacked_messages")
            .seen(reset_with_messages_under_way, 2, &["second"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(messages_under_way, CaptureEnded),
        fact("server.unacked_bytes")
            .seen(unacknowledged, 16, &["data"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("server.unacked_messages")
            .seen(unacknowledged, 1, &["data"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("mtu.stuck_bytes")
            .seen(too_large_for_the_path, 1460, &["first", "second"])
            .absent(unacknowledged)
            .unknown(client_hidden, OneSided),
        fact("mtu.stuck_side")
            .seen(too_large_for_the_path, "server", &["first"])
            .seen(request_too_large_for_the_path, "client", &["first"])
            .absent(unacknowledged)
            .unknown(client_hidden, OneSided),
        fact("mtu.largest_acked")
            .seen(too_large_for_the_path, 129, &[])
            .absent(request_too_large_for_the_path)
            .unknown(client_hidden, OneSided),
        fact("end.zero_window_side")
            .seen(closed_window, "client", &["zero"])
            .seen(closed_window_of_server, "server", &["zero"])
            .absent(reopened_window)
            .unknown(client_hidden, OneSided),
        fact("end.zero_window_s")
            .seen(closed_window, Span("zero", "rst"), &["zero", "rst"])
            .absent(reopened_window)
            .unknown(closed_window_timeless, NoTime)
            .unknown(client_hidden, OneSided),
        fact("end.rst_hop_limit")
            .seen(forged_reset, 53, &["rst"])
            .absent(farewell)
            .unknown(still_open_client_hidden, OneSided),
        fact("end.hop_limit")
            .seen(forged_reset, 64, &["syn_ack"])
            .absent(farewell)
            .unknown(reset_alone, NotCaptured),
        fact("end.rst_hops_off")
            .seen(forged_reset, 11, &["syn_ack", "rst"])
            .seen(reset, 0, &["syn_ack", "rst"])
            .absent(farewell)
            .unknown(reset_alone, NotCaptured),
        fact("end.rst_went_on_s")
            .seen(forged_reset, Span("rst", "later"), &["rst", "later"])
            .absent(reset)
            .absent(farewell)
            .unknown(forged_reset_timeless, NoTime)
            .unknown(still_open_client_hidden, OneSided),
        fact("end.rst_places")
            .seen(guessed_resets, 2, &["rst"])
            .absent(reset)
            .unknown(still_open_client_hidden, OneSided),
        fact("end.rst_both_s")
            .seen(resets_both_ways, Span("rst", "other"), &["rst", "other"])
            .absent(reset)
            .unknown(resets_both_ways_timeless, NoTime)
            .unknown(client_hidden, OneSided),
        fact("end.rst_injected_between")
            .seen(reset_between, true, &["rst"])
            .seen(reset_at_two_points, false, &["rst", "rst_again"])
            .absent(forged_reset)
            .absent(farewell_at_two_points)
            .unknown(reset_between_at_the_end, CaptureEnded),
        fact("end.lost_between")
            .seen(cut_between, true, &["text_again"])
            .seen(cut_behind, false, &["text"])
            .absent(farewell_at_two_points)
            .absent(text_lost)
            .unknown(cut_between_at_the_end, CaptureEnded),
        fact("path.lost_between")
            .seen(cut_between, 22, &["text", "text_again"])
            .absent(farewell_at_two_points)
            .absent(text_lost)
            .unknown(cut_between_at_the_end, CaptureEnded),
        fact("path.lost_side")
            .seen(cut_between, "client", &["text"])
            .seen(ping_lost_between, "server", &["ping1"])
            .absent(farewell_at_two_points)
            .unknown(cut_between_at_the_end, CaptureEnded),
        fact("tcp.conflict")
            .seen(contradicted, "unsettled", &["first", "second"])
            .seen(contradicted_late, "settled", &["first", "second"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),

        fact("handshake.outcome")
            .seen(farewell, "accepted", &["request", "response"])
            .seen(refused, "rejected", &["request", "response"])
            .seen(wrong_accept, "failed", &["request", "response"])
            .seen(no_answer, "none", &["request"])
            .seen(joined_late, "not_captured", &[])
            .never_absent("one of the words is always true")
            .unknown(unheard, OneSided),
        fact("handshake.status")
            .seen(farewell, 101, &["response"])
            .seen(refused, 401, &["response"])
            .absent(no_answer)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap)
            .unknown(response_cut, CutByCapture),
        fact("handshake.body_code")
            .seen(engine_refused, 1, &["response"])
            .absent(refused)
            .absent(farewell)
            .unknown(server_hidden, OneSided),
        fact("handshake.engine_io")
            .seen(engine_refused, true, &["request"])
            .seen(farewell, false, &["request"])
            .absent(refused_port)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.answer_s")
            .seen(farewell, Span("request", "response"), &["request", "response"])
            .absent(no_answer)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.upgrade_token")
            .seen(farewell, true, &["request"])
            .seen(stripped, false, &["request"])
            .absent(refused_port)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.connection_token")
            .seen(farewell, true, &["request"])
            .seen(stripped, false, &["request"])
            .absent(refused_port)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.http_version")
            .seen(farewell, "1.1", &["request"])
            .seen(stripped, "1.0", &["request"])
            .absent(refused_port)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.version")
            .seen(farewell, 13, &["request"])
            .seen(old_version, 8, &["request"])
            .absent(stripped)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.accepted_version")
            .seen(old_version, "13, 14", &["response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.version_listed")
            .seen(old_version, false, &["request", "response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.accept")
            .seen(farewell, "valid", &["response"])
            .seen(wrong_accept, "wrong", &["response"])
            .seen(missing_accept, "missing", &["response"])
            .seen(missing_accept_joined, "missing", &["response"])
            .absent(refused)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided),
        fact("handshake.response_upgrade")
            .seen(farewell, true, &["response"])
            .seen(missing_accept, false, &["response"])
            .seen(missing_accept_joined, false, &["response"])
            .absent(refused)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.extensions_offered")
            .seen(negotiated, "permessage-deflate; client_max_window_bits, x-fast", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.extensions")
            .seen(negotiated, "permessage-deflate", &["response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.extensions_missing")
            .seen(negotiated, "x-fast", &["response"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided),
        fact("handshake.subprotocols_offered")
            .seen(negotiated, "chat.v2, chat.v1", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.subprotocol")
            .seen(negotiated, "chat.v1", &["response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.origin")
            .seen(negotiated, "https://example.test", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.origin_matches_host")
            .seen(negotiated, true, &["request"])
            .seen(refused, false, &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.location")
            .seen(redirected, "https://example.test/login", &["response"])
            .absent(refused)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.challenge")
            .seen(refused, "Bearer, Basic", &["response"])
            .absent(redirected)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.content_type")
            .seen(refused, "text/plain", &["response"])
            .absent(redirected)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.server")
            .seen(negotiated, "nginx/1.25.3", &["response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.proxy")
            .seen(negotiated, "Via: 1.1 edge", &["response"])
            .seen(refused, "cf-ray", &["response"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("proxy.device")
            .seen(idle_behind_nginx, "nginx", &["response"])
            .seen(request_of_envoy, "Envoy", &["request"])
            .absent(farewell)
            .unknown(server_hidden, OneSided)
            .unknown(joined_late, NotCaptured),
        fact("proxy.side")
            .seen(idle_behind_nginx, "server", &["response"])
            .seen(request_of_envoy, "client", &["request"])
            .absent(farewell)
            .unknown(joined_late, NotCaptured),
        fact("idle.limit_s")
            .seen(idle_behind_nginx, Secs(60.0), &["last", "fin"])
            .absent(farewell)
            .absent(survivor)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("idle.candidates")
            .seen(idle_behind_cloudflare, "Cloudflare", &[])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("idle.device")
            .seen(idle_behind_nginx, "nginx", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("idle.setting")
            .seen(idle_behind_nginx, "proxy_read_timeout", &[])
            .absent(idle_behind_cloudflare)
            .unknown(idle_joined_late, NotCaptured),
        fact("idle.snippet")
            .seen(idle_behind_nginx, "proxy_read_timeout 120s;", &[])
            .absent(idle_behind_cloudflare)
            .unknown(idle_joined_late, NotCaptured),
        fact("idle.fixed_by")
            .seen(idle_behind_cloudflare, "Cloudflare", &[])
            .absent(idle_behind_nginx)
            .unknown(idle_joined_late, NotCaptured),
        fact("idle.examples")
            .seen(idle_for_300_s, "Envoy: stream_idle_timeout: 600s, nginx: proxy_read_timeout 600s;, HAProxy: timeout tunnel 600s", &[])
            .absent(idle_behind_nginx)
            .unknown(server_hole, Gap),
        fact("idle.ping_interval")
            .seen(idle_behind_nginx, 30, &[])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("idle.survived_s")
            .seen(survivor, Span("question", "answer"), &["question", "answer"])
            .absent(idle_behind_nginx)
            .unknown(server_hole, Gap),
        fact("idle.rhythm_s")
            .seen(asleep, Secs(20.0), &["ping3", "late"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("lifetime.limit_s")
            .seen(behind_google_for_30_s, Secs(30.0), &["fin"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("lifetime.candidates")
            .seen(behind_google_for_30_s, "Google Cloud load balancer timeoutSec", &[])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("lifetime.device")
            .seen(behind_google_for_30_s, "Google Cloud load balancer", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("lifetime.by")
            .seen(behind_google_for_30_s, "proxy", &[])
            .seen(binance_for_a_day, "server", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("lifetime.setting")
            .seen(behind_google_for_30_s, "timeoutSec", &[])
            .absent(binance_for_a_day)
            .unknown(idle_joined_late, NotCaptured),
        fact("lifetime.snippet")
            .seen(behind_google_for_30_s, "gcloud compute backend-services update NAME --timeout=3600s", &[])
            .absent(binance_for_a_day)
            .unknown(idle_joined_late, NotCaptured),
        fact("drain.device")
            .seen(caddy_reloaded, "Caddy", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("drain.setting")
            .seen(caddy_reloaded, "stream_close_delay", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("drain.snippet")
            .seen(caddy_reloaded, "stream_close_delay 3600s", &[])
            .absent(farewell)
            .unknown(idle_joined_late, NotCaptured),
        fact("handshake.front")
            .seen(passed_on, "10.0.0.2:80 (tcp.stream == 0)", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.behind")
            .seen(asked_in_front, "10.0.0.3:8080 (tcp.stream == 1)", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured),
        fact("handshake.violation")
            .seen(wrong_accept, "bad_accept", &["response"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("handshake.violation_side")
            .seen(wrong_accept, "server", &["response"])
            .seen(old_version, "client", &["request"])
            .absent(farewell)
            .unknown(joined_at_response, NotCaptured)
            .unknown(server_hidden, OneSided),

        fact("close.initiator")
            .seen(farewell, "server", &["close"])
            .seen(own_fault, "client", &["close"])
            .absent(reset)
            .unknown(server_hole, Gap)
            .unknown(close_after_client_hole, Gap)
            .unknown(snapped, CutByCapture)
            .unknown(client_hidden, OneSided)
            .seen(close_before_own_hole, "server", &["close"])
            .unknown(joined_late_and_silent, JoinedLate),
        fact("close.payload")
            .seen(farewell, "status", &["close"])
            .seen(empty_close, "empty", &["close"])
            .seen(one_byte_close, "one_byte", &["close"])
            .absent(reset)
            .unknown(server_hole, Gap)
            .unknown(still_open_client_hidden, OneSided),
        fact("close.code")
            .seen(farewell, 1001, &["close"])
            .absent(empty_close)
            .absent(reset)
            .unknown(server_hole, Gap)
            .unknown(still_open_client_hidden, OneSided),
        fact("close.reason")
            .seen(farewell, "bye", &["close"])
            .absent(empty_close)
            .unknown(server_hole, Gap)
            .unknown(still_open_client_hidden, OneSided),
        fact("close.code_allowed")
            .seen(farewell, true, &["close"])
            .seen(forbidden_code, false, &["close"])
            .absent(empty_close)
            .unknown(server_hole, Gap)
            .unknown(still_open_client_hidden, OneSided),
        fact("close.echoed")
            .seen(farewell, true, &["close", "echo"])
            .seen(unechoed, false, &["close"])
            .absent(reset)
            .unknown(just_closed, CaptureEnded)
            .unknown(close_after_client_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("close.echo_code")
            .seen(farewell, 1000, &["close", "echo"])
            .absent(unechoed)
            .absent(empty_close)
            .unknown(just_closed, CaptureEnded)
            .unknown(close_after_client_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("close.wait_s")
            .seen(unechoed, Span("close", "fin"), &["close", "fin"])
            .absent(farewell)
            .unknown(just_closed, CaptureEnded)
            .unknown(unechoed_timeless, NoTime)
            .unknown(close_after_client_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("close.after_handshake_s")
            .seen(farewell, Span("response", "close"), &["response", "close"])
            .absent(reset)
            .unknown(server_hole, Gap)
            .unknown(timeless, NoTime),
        fact("close.violation")
            .seen(one_byte_close, "close_payload_one_byte", &["close"])
            .seen(reserved_bit_close_refused, "rsv_nonzero", &["close"])
            .absent(farewell)
            .absent(reset)
            .unknown(server_hole, Gap)
            .unknown(still_open_client_hidden, OneSided),
        fact("close.refused")
            .seen(reserved_bit_close_refused, true, &["close"])
            .seen(reserved_bit_close_echoed, false, &["close"])
            .absent(farewell)
            .unknown(reserved_bit_close_alone, CaptureEnded)
            .unknown(server_hole, Gap),
        fact("close.stated_limit_bytes")
            .seen(limited, 1_048_576, &["close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("close.after_fin_s")
            .seen(closed_after_fin, Span("fin", "close"), &["fin", "close"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("close.tcp_held_s")
            .seen(tcp_left_open, Span("echo", "fin"), &["echo", "fin"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("peer.last_kind")
            .seen(farewell, "text", &["text"])
            .seen(binary_last, "binary", &["binary"])
            .absent(own_fault_of_the_first_word)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.last_size")
            .seen(farewell, 5, &["text"])
            .seen(cut_off, 1000, &["begun"])
            .seen(compressed, 4000, &["text"])
            .seen(hole_inside_text, 250, &["text_end"])
            .absent(own_fault_of_the_first_word)
            .unknown(hole_inside_compressed, Gap)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.last_wire_size")
            .seen(hello_compressed, 7, &["text"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.json")
            .seen(farewell, false, &["text"])
            .seen(last_words, true, &["hello"])
            .absent(own_fault_of_the_first_word)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.last_complete")
            .seen(farewell, true, &["text"])
            .seen(cut_off, false, &["begun"])
            .seen(hole_inside_text, true, &["text_end"])
            .absent(own_fault_of_the_first_word)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.last_utf8")
            .seen(farewell, "valid", &["text"])
            .seen(latin1, "invalid", &["text"])
            .seen(binary_last, "not_text", &["binary"])
            .absent(own_fault_of_the_first_word)
            .unknown(hole_inside_text, Gap)
            .unknown(cut_inside_text, CutByCapture)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(waited_too_long, Limit),
        fact("peer.other_kind_before")
            .seen(farewell, true, &["text"])
            .seen(latin1, false, &["text"])
            .absent(own_fault_of_the_first_word)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("peer.largest_before")
            .seen(farewell, 300, &[])
            .seen(cut_off, 7, &[])
            .absent(latin1)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("peer.violation")
            .seen(client_fault, "unmasked_client_frame", &["bad"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate)
            .unknown(hole_inside_text, Gap)
            .unknown(cut_inside_text, CutByCapture)
            .unknown(waited_too_long, Limit),
        fact("peer.compression_mark")
            .seen(compressed_without_agreement, true, &["bad"])
            .seen(client_fault, false, &["bad"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("peer.violation_s")
            .seen(client_fault, Span("bad", "close"), &["bad", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(client_fault_timeless, NoTime)
            .unknown(joined_late, JoinedLate)
            .unknown(hole_inside_text, Gap),
        fact("peer.broken_byte")
            .seen(not_inflated, 0, &["bad"])
            .absent(farewell)
            .absent(window_exceeded)
            .unknown(server_hole, Gap)
            .unknown(joined_late, JoinedLate),
        fact("peer.reference_distance")
            .seen(window_exceeded, 600, &["bad"])
            .absent(farewell)
            .absent(not_inflated)
            .unknown(server_hole, Gap)
            .unknown(joined_late, JoinedLate),
        fact("peer.agreed_window")
            .seen(window_exceeded, 512, &["bad"])
            .absent(farewell)
            .absent(not_inflated)
            .unknown(server_hole, Gap)
            .unknown(joined_late, JoinedLate),
        fact("peer.messages")
            .seen(farewell, 2, &[])
            .seen(own_fault_of_the_first_word, 0, &[])
            .seen(hole_inside_text, 1, &[])
            .absent(still_open)
            .unknown(end_at_open_hole, Gap)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("peer.stack")
            .seen(limited, "Python websockets", &["request"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.violation")
            .seen(own_fault, "rsv_nonzero", &["bad"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(close_after_own_hole, Gap)
            .unknown(response_lost, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("own.messages")
            .seen(farewell, 0, &[])
            .seen(compressed, 1, &[])
            .absent(still_open)
            .unknown(server_hole, Gap)
            .unknown(close_after_own_hole, Gap)
            .unknown(response_lost, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("own.stack")
            .seen(limited, "Python websockets", &["response", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.limit_bytes")
            .seen(limited, 1_048_576, &["response", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.limit_exceeded")
            .seen(limited, true, &["begun"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.limit_setting")
            .seen(limited, "websockets.serve(..., max_size=2097152)", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.idle_timer_s")
            .seen(idle_before_cowboy, 60.0, &["text", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.idle_timer_of")
            .seen(idle_before_cowboy, "cowboy", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.idle_setting")
            .seen(idle_before_cowboy, "{ok, State, #{idle_timeout => 120000}}", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.ping_timer_of")
            .seen(pinged_by_node, "websocket (WebSocket-Node)", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.ping_setting")
            .seen(pinged_by_node, "new WebSocketServer({ keepaliveGracePeriod: 60000 })", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.close_timer_of")
            .seen(close_waited_for, "Python websockets", &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.handler_error")
            .seen(limited, "close_1011", &[])
            .seen(handler_fails, "drop", &[])
            .seen(uvicorn_drops, "drop_always", &[])
            .seen(webapp_stops, "close_1002", &[])
            .seen(bun_refuses_size, "process_exits", &[])
            .no_word("close_1000", "Sanic alone does so, and its head makes it no more than possible")
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("own.shutdown_code")
            .seen(webapp_stops, 1001, &[])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.protocol")
            .seen(graphql_refused, "graphql-transport-ws", &["response"])
            .seen(engine_io, "engine.io", &["hello"])
            .absent(farewell)
            .absent(refused)
            .unknown(server_hole, Gap)
            .unknown(joined_late, JoinedLate)
            .unknown(client_hidden, OneSided),
        fact("app.known_by")
            .seen(graphql_refused, "subprotocol", &["response"])
            .seen(engine_io, "messages", &["hello"])
            .seen(socket_io_silent, "path", &["request"])
            .seen(discord_trouble, "host", &["request"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.close_meaning")
            .seen(graphql_refused, "forbidden", &["close"])
            .absent(farewell)
            .absent(engine_io)
            .absent(private_code_of_nobody)
            .unknown(server_hole, Gap)
            .unknown(private_code_half_hidden, OneSided),
        fact("app.end_meaning")
            .seen(graphql_refused, "forbidden", &["close"])
            .seen(mqtt_taken_over, "session_taken_over", &["last"])
            .seen(engine_io, "ends", &["bye"])
            .absent(farewell)
            .absent(private_code_of_nobody)
            .absent(still_open)
            .unknown(server_hole, Gap),
        fact("app.end_side")
            .seen(mqtt_given_up, "client", &["last"])
            .seen(graphql_refused, "server", &["close"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.end_s")
            .seen(mqtt_given_up, Span("last", "close"), &["last", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.end_group")
            .seen(mqtt_taken_over, "replaced", &["last"])
            .seen(graphql_refused, "auth", &["close"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.fault")
            .seen(graphql_refused, "client", &["close"])
            .seen(engine_io, "none", &["bye"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.fault_side")
            .seen(graphql_refused, "client", &["close"])
            .seen(discord_trouble, "server", &["close"])
            .absent(engine_io)
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.retry")
            .seen(graphql_refused, "no", &["close"])
            .seen(discord_trouble, "yes", &["close"])
            .seen(discord_limit, "later", &["close"])
            .seen(discord_session, "new_session", &["close"])
            .seen(pusher_moves, "at_once", &["close"])
            .seen(mqtt_moved, "elsewhere", &["last"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.advice")
            .seen(graphql_refused, "permissions", &["close"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.last_word")
            .seen(last_words, "error:401", &["said"])
            .absent(farewell)
            .absent(graphql_refused)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.last_word_class")
            .seen(last_words, "auth", &["said"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.last_word_side")
            .seen(last_words, "server", &["said"])
            .seen(logged_out, "client", &["said"])
            .absent(farewell)
            .unknown(server_hole, Gap),
        fact("app.own_kind")
            .seen(mqtt_taken_over, "DISCONNECT", &["last"])
            .seen(engine_io, "close", &["bye"])
            .absent(farewell)
            .absent(still_open)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.own_code")
            .seen(mqtt_taken_over, 142, &["last"])
            .absent(engine_io)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.own_meaning")
            .seen(mqtt_taken_over, "session_taken_over", &["last"])
            .seen(engine_io, "ends", &["bye"])
            .absent(graphql_refused)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.peer_kind")
            .seen(mqtt_given_up, "DISCONNECT", &["last"])
            .seen(graphql_refused, "connection_init", &["init"])
            .absent(farewell)
            .unknown(graphql_cut_off, NotCaptured)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.peer_code")
            .seen(mqtt_given_up, 4, &["last"])
            .absent(graphql_refused)
            .unknown(graphql_cut_off, NotCaptured)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),
        fact("app.peer_meaning")
            .seen(mqtt_given_up, "ends", &["last"])
            .absent(graphql_refused)
            .unknown(graphql_cut_off, NotCaptured)
            .unknown(server_hole, Gap)
            .unknown(client_hidden, OneSided),

        fact("ping.unanswered_s")
            .seen(farewell, Span("ping2", "close"), &["ping2", "close"])
            .absent(client_fault)
            .unknown(still_open, CaptureEnded)
            .unknown(server_hole, Gap)
            .unknown(close_after_own_hole, Gap)
            .unknown(close_after_client_hole, Gap)
            .unknown(response_lost, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(timeless, NoTime)
            .seen(pings_behind_a_hole, Span("ping2", "close"), &["ping2", "close"])
            .absent(joined_late_and_answered)
            .unknown(joined_late_and_unheard, JoinedLate),
        fact("ping.sent")
            .seen(farewell, 2, &["ping1"])
            .seen(client_fault, 0, &[])
            .never_absent("none is 0")
            .unknown(still_open, CaptureEnded)
            .unknown(server_hole, Gap)
            .unknown(close_after_own_hole, Gap)
            .unknown(response_lost, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(joined_late, JoinedLate),
        fact("ping.interval_s")
            .seen(farewell, Span("ping1", "ping2"), &["ping2"])
            .absent(client_fault)
            .unknown(still_open, CaptureEnded)
            .unknown(server_hole, Gap)
            .unknown(close_after_own_hole, Gap)
            .unknown(client_hidden, OneSided)
            .unknown(timeless, NoTime)
            .seen(joined_late, Span("ping1", "ping2"), &["ping2"])
            .seen(pings_behind_a_hole, Span("ping1", "ping2"), &["ping2"]),
        fact("ping.answered_late_s")
            .seen(pong_after_close, Span("ping", "pong"), &["ping", "pong"])
            .absent(farewell)
            .unknown(client_hidden, OneSided),
        fact("heartbeat.unanswered_s")
            .seen(heartbeat_unanswered, Span("beat", "close"), &["beat", "close"])
            .absent(farewell)
            .unknown(server_hole, Gap)
            .unknown(heartbeat_client_hidden, OneSided),
        fact("keepalive.tcp_interval_s")
            .seen(probed, Span("probe1", "probe2"), &["probe1", "probe2"])
            .absent(farewell)
            .unknown(client_hidden, OneSided)
            .unknown(probed_timeless, NoTime),
        fact("keepalive.ping_interval_s")
            .seen(farewell, Span("ping1", "ping2"), &["ping1", "ping2"])
            .absent(reset)
            .unknown(tls_unknown_ca, Encrypted)
            .unknown(timeless, NoTime),
        fact("crowd.ended_together")
            .seen(ended_together, 2, &["fin1", "fin3"])
            .absent(farewell)
            .absent(reset)
            .unknown(timeless, NoTime)
            .unknown(still_open_client_hidden, OneSided),
        fact("crowd.ended_within_s")
            .seen(ended_together, Span("fin1", "fin3"), &["fin1", "fin3"])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.also_shared")
            .seen(ended_together, "nothing", &[])
            .seen(ended_together_silent, "silence", &[])
            .seen(ended_together_at_one_age, "lifetime", &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.open_then")
            .seen(ended_together, 0, &[])
            .absent(still_open)
            .unknown(timeless, NoTime),
        fact("crowd.all_ended")
            .seen(ended_together, true, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.one_event")
            .seen(ended_together, true, &[])
            .seen(ended_together_silent, false, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.refused_after_s")
            .seen(ended_together, Span("fin1", "refused"), &["fin1", "refused"])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.same_silence")
            .seen(same_silence, 2, &["fin1", "fin2", "fin3"])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.same_silence_of")
            .seen(same_silence, 2, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.lifetimes_differ")
            .seen(same_silence, true, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.longest_survived_silence_s")
            .seen(survivor_of_12_s, Span("before", "after"), &["before", "after"])
            .absent(reset)
            .unknown(timeless, NoTime),
        fact("crowd.outlasted")
            .seen(survivor_of_12_s, 1, &["before", "after"])
            .absent(reset)
            .unknown(timeless, NoTime),
        fact("crowd.same_lifetime")
            .seen(same_lifetime, 2, &["fin1", "fin2", "fin3"])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.silences_differ")
            .seen(same_lifetime, true, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("crowd.outlived")
            .seen(outlived, 1, &[])
            .absent(farewell)
            .unknown(timeless, NoTime),
        fact("leg.role")
            .seen(haproxy_front, "front", &[])
            .seen(haproxy_back, "back", &[])
            .absent(farewell)
            .never_unknown("a leg that is not found is not there for us"),
        fact("leg.stream")
            .seen(haproxy_front, 1, &[])
            .seen(haproxy_back, 0, &[])
            .absent(farewell)
            .never_unknown("a leg that is not found is not there for us"),
        fact("leg.ended_first")
            .seen(haproxy_front, "this", &["front", "back"])
            .seen(haproxy_back, "other", &["front", "back"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.ended_before_s")
            .seen(haproxy_front, Span("front", "back"), &["front", "back"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.other_end")
            .seen(haproxy_front, "rst", &["back"])
            .seen(haproxy_back, "fin", &["front"])
            .seen(closed_legs, "close", &["back"])
            .absent(farewell)
            .never_unknown("what is not seen of the other leg has not ended for us"),
        fact("leg.other_ender")
            .seen(haproxy_front, "proxy", &["back"])
            .seen(crashed_front, "server", &["back"])
            .seen(closed_back, "client", &["front"])
            .absent(farewell)
            .never_unknown("what is not seen of the other leg has not ended for us"),
        fact("leg.first_end")
            .seen(haproxy_front, "fin", &["front"])
            .seen(reset_back, "rst", &["back"])
            .seen(closed_legs, "close", &["front"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.first_ender")
            .seen(haproxy_back, "proxy", &["front"])
            .seen(crashed_front, "server", &["back"])
            .seen(closed_back, "client", &["front"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.both_by_proxy")
            .seen(haproxy_back, true, &["front", "back"])
            .seen(crashed_front, false, &["back", "front"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.front_end")
            .seen(haproxy_back, "fin", &["front"])
            .seen(reset_front, "rst", &["front"])
            .seen(closed_legs, "close", &["front"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("leg.back_end")
            .seen(haproxy_front, "rst", &["back"])
            .seen(crashed_front, "fin", &["back"])
            .seen(closed_back, "close", &["back"])
            .absent(farewell)
            .unknown(crashed_front_hole, Gap),
        fact("tls.outcome")
            .seen(tls_unknown_ca, "failed", &[])
            .seen(tls_good_1_3, "completed", &[])
            .absent(farewell)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.alert")
            .seen(tls_unknown_ca, 48, &["alert"])
            .seen(tls_no_common_cipher, 40, &["alert"])
            .absent(tls_to_plain_port)
            .absent(farewell)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.alert_side")
            .seen(tls_unknown_ca, "client", &["alert"])
            .seen(tls_no_common_cipher, "server", &["alert"])
            .absent(tls_to_plain_port)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.client_certificate_requested")
            .seen(tls_client_certificate_missing, true, &[])
            .seen(tls_wrong_host_name, false, &[])
            .absent(farewell)
            .unknown(tls_server_hello_lost, Gap)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.plain_answer")
            .seen(tls_to_plain_port, true, &["answer"])
            .seen(tls_unknown_ca, false, &[])
            .absent(farewell)
            .unknown(tls_server_hello_lost, Gap)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.to_plain_request")
            .seen(plain_to_tls_port, true, &["request"])
            .seen(farewell, false, &["request"])
            .absent(tls_unknown_ca)
            .unknown(server_hidden, OneSided)
            .unknown(response_lost, Gap),
        fact("tls.version")
            .seen(tls_unknown_ca, "1.3", &["server_hello"])
            .seen(tls_wrong_host_name, "1.2", &["server_hello"])
            .absent(tls_no_common_cipher)
            .unknown(tls_server_hello_lost, Gap)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.setup_s")
            .seen(tls_client_certificate_missing, Span("client_hello", "finished"), &["client_hello", "finished"])
            .absent(tls_unknown_ca)
            .absent(farewell)
            .unknown(tls_finished_lost, Gap),
        fact("tls.ended_by")
            .seen(tls_unknown_ca, "server", &["fin"])
            .seen(tls_wrong_host_name, "client", &["rst"])
            .absent(tls_not_ended)
            .unknown(tls_not_ended_server_hidden, OneSided),
        fact("tls.client_hello_answered")
            .seen(tls_unknown_ca, true, &["server_hello"])
            .seen(tls_hello_unanswered, false, &["client_hello"])
            .absent(farewell)
            .unknown(tls_server_hello_lost, Gap)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.application_data")
            .seen(tls_wrong_host_name, false, &[])
            .seen(tls_unknown_ca, false, &[])
            .absent(farewell)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.sni")
            .seen(tls_wrong_host_name, "other.example", &["client_hello"])
            .absent(farewell)
            .never_unknown("without its ClientHello a TLS connection is not reported"),
        fact("tls.alpn_offered")
            .seen(tls_no_protocol, "http/1.1", &["client_hello"])
            .absent(tls_wrong_host_name)
            .never_unknown("without its ClientHello a TLS connection is not reported"),
        fact("tls.alpn")
            .seen(tls_alpn, "http/1.1", &["server_hello"])
            .absent(tls_wrong_host_name)
            .unknown(tls_chromium, Encrypted)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.certificate_validity")
            .seen(tls_wrong_host_name, "valid", &["server_hello"])
            .seen(tls_expired, "expired", &["server_hello"])
            .seen(tls_not_yet_valid, "not_yet_valid", &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.certificate_not_before")
            .seen(tls_not_yet_valid, "2049-01-01T00:00:00Z", &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.certificate_not_after")
            .seen(tls_expired, "2021-01-01T00:00:00Z", &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.certificate_covers_name")
            .seen(tls_expired, true, &["server_hello"])
            .seen(tls_wrong_host_name, false, &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.certificate_names")
            .seen(tls_other_name, "*.example.org, example.org", &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.certificate_issuer")
            .seen(tls_expired, "Recording CA", &["server_hello"])
            .absent(farewell)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.certificate_defect")
            .seen(tls_expired, "expired", &["server_hello"])
            .seen(tls_not_yet_valid, "not_yet_valid", &["server_hello"])
            .seen(tls_other_name, "name", &["server_hello"])
            .seen(tls_self_signed, "self_signed", &["server_hello"])
            .seen(tls_weak_key, "weak_key", &["server_hello"])
            .seen(tls_weak_signature, "weak_signature", &["server_hello"])
            .seen(tls_client_only, "usage", &["server_hello"])
            .seen(tls_issuer_missing, "issuer_missing", &["server_hello"])
            .seen(tls_disordered, "disordered", &["server_hello"])
            .no_word("stale_issuer", "no recorded server sends an intermediate certificate out of its time")
            .absent(tls_good_1_2)
            .unknown(tls_unknown_ca, Encrypted),
        fact("tls.refused_by_client")
            .seen(tls_expired, true, &["alert"])
            .seen(tls_no_common_cipher, false, &["alert"])
            .absent(farewell)
            .unknown(tls_server_hidden, OneSided),
        fact("tls.closed_by")
            .seen(tls_good_1_2, "server", &["alert"])
            .seen(tls_pings, "client", &["alert"])
            .absent(tls_unknown_ca)
            .unknown(tls_not_ended_server_hidden, OneSided),
        fact("tls.close_notify")
            .seen(tls_good_1_2, "sent", &["alert"])
            .seen(tls_good_1_3, "probably_sent", &["alert"])
            .seen(tls_cut_off, "not_sent", &["fin"])
            .seen(tls_finished_refused, "probably_not_sent", &["fin"])
            .absent(tls_unknown_ca)
            .unknown(tls_not_ended_server_hidden, OneSided),
        fact("tls.client_end")
            .seen(tls_shut_down, "close_notify", &["notify_answer", "fin"])
            .seen(tls_client_alert, "alert", &["fin"])
            .seen(tls_cut_off, "cut_off", &["client_fin"])
            .absent(farewell)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.server_end")
            .seen(tls_shut_down, "close_notify", &["notify", "rst"])
            .seen(tls_server_alert, "alert", &["fin"])
            .seen(tls_cut_off, "cut_off", &["fin"])
            .absent(farewell)
            .unknown(tls_good_1_3, Encrypted)
            .unknown(tls_notify_lost, Gap),
        fact("tls.notified_first")
            .seen(tls_shut_down, "server", &["notify"])
            .seen(tls_client_shut_down, "client", &["fin"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted)
            .unknown(tls_notify_lost, Gap),
        fact("tls.notify_after_close_s")
            .seen(tls_closed, Span("close", "notify"), &["close", "notify"])
            .absent(tls_shut_down)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.notify_before_end_s")
            .seen(tls_shut_down, Span("notify", "fin"), &["notify", "fin"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.notify_answered_s")
            .seen(tls_shut_down, Span("notify", "notify_answer"), &["notify", "notify_answer"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.data_alert")
            .seen(tls_client_alert, 20, &["fin"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted)
            .unknown(tls_notify_lost, Gap),
        fact("tls.data_alert_name")
            .seen(tls_client_alert, "bad_record_mac", &["fin"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.data_alert_side")
            .seen(tls_client_alert, "client", &["fin"])
            .seen(tls_server_alert, "server", &["fin"])
            .absent(tls_cut_off)
            .unknown(tls_good_1_3, Encrypted),
        fact("tls.probable_alert")
            .seen(tls_good_1_3, "server", &["alert", "fin"])
            .seen(tls_pings, "client", &["alert", "fin"])
            .absent(tls_good_1_2)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.finished_refused")
            .seen(tls_finished_refused, true, &["finished", "fin"])
            .seen(tls_good_1_3, false, &[])
            .absent(farewell)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.answered_as_http2")
            .seen(tls_good_1_3, false, &[])
            .absent(farewell)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.websocket")
            .seen(tls_good_1_3, "likely", &["echoed"])
            .no_word("possible", "tests/tls_clear.rs shows it")
            .absent(tls_unknown_ca)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.probable_close")
            .seen(tls_good_1_3, "client", &["close", "close_answer"])
            .no_word("server", "tests/tls_clear.rs writes it, row 94")
            .absent(tls_unknown_ca)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.probable_close_bytes")
            .seen(tls_good_1_3, 5, &["close", "close_answer"])
            .absent(tls_unknown_ca)
            .unknown(tls_server_hello_lost, Gap),
        fact("tls.probable_ping_s")
            .seen(tls_pings, Want::Mean("ping1", "ping4", 3), &["ping4"])
            .absent(tls_good_1_3)
            .unknown(tls_server_hello_lost, Gap),
    ]
}

// The conversations.

/// TCP and a plain opening handshake.
fn open() -> Scene {
    open_with(&Upgrade::default())
}

fn open_with(upgrade: &Upgrade) -> Scene {
    let mut scene = Scene::connected();
    // One segment each, with an ACK after it.
    scene.next("request").upgrade_with(upgrade);
    scene.marks.insert("response", scene.number_of("request") + 2);
    assert!(scene.payload_of("response").starts_with(b"HTTP/1.1 101"));
    scene
}

/// A client of one library and a server of another, as their headers say.
fn named(client: &str, server: &str) -> Scene {
    open_with(&Upgrade {
        request_headers: vec![format!("User-Agent: {client}")],
        response_headers: vec![server.into()],
        ..Upgrade::default()
    })
}

/// The server's library names itself and its limit when the client declares a message of two million bytes.
fn limited() -> Scene {
    let mut scene = named("Python/3.11 websockets/17.4", "Server: Python/3.11 websockets/17.4");
    scene.talk().client().text("earlier");
    scene.next("begun").client().frame(Frame::text("ten bytes.").length(Length::Claim(2_000_000)));
    scene.next("close").server().close(1009, "frame with 2000000 bytes exceeds limit of 1048576 bytes");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The server says something and closes.
fn closed_by_server(code: u16, reason: &str) -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello").wait(30.0);
    scene.next("close").server().close(code, reason);
    scene.talk().client().close(code, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// Only Tomcat says so.
fn webapp_stops() -> Scene {
    closed_by_server(1001, "The web application is stopping")
}

/// Tornado says so, and others may.
fn server_refuses_size() -> Scene {
    closed_by_server(1009, "message too big")
}

/// Only Bun says so.
fn bun_refuses_size() -> Scene {
    closed_by_server(1009, "Received too big message")
}

/// The client closes with these words.
fn closed_by_client(code: u16, reason: &str) -> Scene {
    let mut scene = open();
    scene.talk().server().text("hello");
    scene.next("close").client().close(code, reason).fin();
    scene.talk().server().fin();
    scene
}

/// Only Chromium says so.
fn client_gives_up() -> Scene {
    closed_by_client(1002, "Invalid UTF-8 in text frame")
}

/// Tornado's client says so, and others may.
fn client_refuses_size() -> Scene {
    closed_by_client(1009, "message too big")
}

/// A server that names itself drops TCP right after a message.
fn dropped_by(server: &str) -> Scene {
    let mut scene = named("none", server);
    scene.talk().wait(3.0);
    scene.next("text").client().text("hello");
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

fn handler_fails() -> Scene {
    dropped_by("Server: Python/3.11 aiohttp/3.14.5")
}

fn uvicorn_drops() -> Scene {
    dropped_by("server: uvicorn")
}

/// cowboy closes after its idle timeout.
fn idle_before_cowboy() -> Scene {
    let mut scene = named("none", "server: Cowboy");
    scene.next("text").client().text("hello").wait(60.0);
    scene.next("close").server().close(1000, "");
    scene.talk().client().close(1000, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// WebSocket-Node, which repeats the request's `Origin`, ends TCP 10 s after an empty Ping.
fn pinged_by_node() -> Scene {
    let mut scene = named("none", "Origin: http://a");
    scene.talk().client().text("hello").wait(20.0);
    scene.next("ping").server().ping(b"").wait(10.0);
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// Engine.IO behind a head that many write.
fn socket_io() -> Scene {
    let mut scene = open();
    scene.talk().server().text(r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#).wait(1.0);
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// Python websockets waits 10 s for the answer to its Close frame.
fn close_waited_for() -> Scene {
    let mut scene = named("none", "Server: Python/3.11 websockets/17.4");
    scene.talk().client().text("hello");
    scene.next("close").server().close(1000, "").wait(10.0).fin();
    scene.talk().client().fin();
    scene
}

/// The Pong comes when the server has already closed.
fn pong_after_close() -> Scene {
    let mut scene = open();
    scene.next("ping").server().ping(b"a").wait(20.0);
    scene.next("close").server().close(1011, "").wait(1.0);
    scene.next("pong").client().pong(b"a");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The client ends TCP, and the server answers with a Close frame.
fn closed_after_fin() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello").wait(1.0);
    scene.next("fin").client().fin();
    scene.next("close").server().close(1002, "").fin();
    scene
}

/// Both sides close, and the client ends TCP because the server does not.
fn tcp_left_open() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello").close(1000, "");
    scene.next("echo").server().close(1000, "").wait(2.0);
    scene.next("fin").client().fin();
    scene.talk().server().fin();
    scene
}

/// The example of RFC 7692 §7.2.3.1: five characters in seven bytes.
fn hello_compressed() -> Scene {
    let mut scene = open_with(&Upgrade::deflate(""));
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    scene.next("text").client().frame(Frame::new(support::frames::opcode::TEXT, hello).rsv(support::frames::rsv::RSV1));
    scene.ends_by_server(1000)
}

/// The server pings, is answered once, and says goodbye; the client had sent a binary and a text message.
fn farewell() -> Scene {
    let mut scene = open();
    scene.next("binary").client().binary(&[7; 300]).wait(1.0);
    scene.next("text").client().text("hello");
    scene.next("ping1").server().ping(b"a");
    scene.next("pong").client().pong(b"a").wait(20.0);
    scene.next("ping2").server().ping(b"b").wait(5.0);
    scene.next("close").server().close(1001, "bye");
    scene.next("echo").client().close(1000, "");
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// The server's answer has these header lines.
fn answered_with(headers: &[&str]) -> Scene {
    let response_headers = headers.iter().map(|line| (*line).to_owned()).collect();
    open_with(&Upgrade { response_headers, ..Upgrade::default() })
}

/// After a last word nothing comes for so long, then FIN from the server's side.
fn idle(mut scene: Scene, seconds: f64) -> Scene {
    scene.next("last").client().text("hello");
    scene.talk().wait(seconds - 0.0001);
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

fn idle_behind_nginx() -> Scene {
    idle(answered_with(&["Server: nginx/1.24.0"]), 60.0)
}

fn idle_behind_cloudflare() -> Scene {
    idle(answered_with(&["Server: cloudflare", "CF-RAY: 8f1b2c3d4e5f-FRA"]), 100.0)
}

fn idle_for_300_s() -> Scene {
    idle(open(), 300.0)
}

/// A longer talk where the capture begins behind the handshake.
fn idle_joined_late() -> Scene {
    let mut scene = answered_with(&["Server: nginx/1.24.0"]);
    for _ in 0..8 {
        scene.talk().client().text("who is there?").ping(b"?");
        scene.talk().server().pong(b"?").text("nobody that you know");
    }
    let mut scene = idle(scene, 60.0);
    scene.hidden.extend(1..=scene.number_of("response"));
    scene
}

/// The server ends TCP without an answer to the request.
fn hung_up_on() -> Scene {
    let mut scene = Scene::connected();
    scene.talk().request(REQUEST).wait(1.0).server().fin();
    scene
}

/// The request has passed a proxy.
fn request_of_envoy() -> Scene {
    let request_headers = vec!["x-envoy-expected-rq-timeout-ms: 15000".to_owned()];
    open_with(&Upgrade { request_headers, ..Upgrade::default() })
}

/// The client pings every 20 s, sleeps, and pings again to a server that knows nothing of it.
fn asleep() -> Scene {
    let mut scene = open();
    let begun = scene.talk().now();
    for (number, name) in ["ping1", "ping2", "ping3"].into_iter().enumerate() {
        scene.talk().at(begun + number as i64 * 20_000_000_000);
        scene.next(name).client().ping(b"?");
        scene.talk().server().pong(b"?");
    }
    scene.talk().wait(600.0).acks(Acks::Never);
    scene.next("late").client().ping(b"?");
    scene.next("rst").server().rst();
    let segment = scene.talk().packets_mut().last_mut().expect("the RST").segment_mut();
    (segment.flags, segment.ack) = (support::net::flags::RST, 0);
    scene
}

/// It outlived 200 s of silence, and was cut after 60.
fn survivor() -> Scene {
    let mut scene = open();
    scene.next("question").client().text("?");
    scene.talk().wait(200.0);
    scene.next("answer").server().text("!");
    idle(scene, 60.0)
}

/// Bytes of the client are missing somewhere in its longest silence.
fn hole_in_the_longest_silence() -> Scene {
    let mut scene = open();
    scene.talk().client().text("?").wait(100.0).lost(&[0; 20]).wait(100.0).text("and?");
    scene.talk().server().text("!");
    scene
}

fn nothing_said() -> Scene {
    let mut scene = open();
    scene.talk().wait(1.0).server().fin();
    scene
}

fn behind_google_for_30_s() -> Scene {
    let mut scene = answered_with(&["Via: 1.1 google"]);
    for _ in 0..9 {
        scene.talk().wait(3.0).client().text("tick");
    }
    scene.talk().wait(3.0 - 0.0020);
    scene.next("fin").server().fin();
    scene
}

fn binance_for_a_day() -> Scene {
    let mut scene = open_with(&Upgrade { host: "stream.binance.com:9443".into(), ..Upgrade::default() });
    for _ in 0..48 {
        scene.talk().wait(1800.0).server().ping(b"?");
    }
    scene.talk().wait(20.0).server().fin();
    scene
}

fn caddy_reloaded() -> Scene {
    let mut scene = answered_with(&["Via: 1.1 Caddy"]);
    scene.talk().client().text("hello").wait(12.0);
    scene.ends_by_server(1001)
}

/// The same from a capture that keeps no time.
fn timeless() -> Scene {
    Scene { timeless: true, ..farewell() }
}

/// The same where the clock of the capture is set back before the Close frame.
fn clock_set_back() -> Scene {
    Scene { clock_set_back: Some("close"), ..farewell() }
}

/// The same where the capture misses what the client sent.
fn client_hidden() -> Scene {
    farewell().without(Side::Client)
}

/// The same where the capture misses what the server sent, its 101 included.
fn server_hidden() -> Scene {
    farewell().without(Side::Server)
}

/// The same where the capture begins with the 101.
fn joined_at_response() -> Scene {
    let mut scene = farewell();
    scene.hidden.extend(1..scene.number_of("response"));
    scene
}

/// The same where the capture begins behind the handshake.
fn joined_late() -> Scene {
    let mut scene = farewell();
    scene.hidden.extend(1..=scene.number_of("response"));
    scene
}

/// The same where the capture misses the 101.
fn response_lost() -> Scene {
    let mut scene = farewell();
    scene.hidden.insert(scene.number_of("response"));
    scene
}

/// The same where the capture keeps only the first bytes of the 101.
fn response_cut() -> Scene {
    let mut scene = farewell();
    scene.keep("response", HEADERS + 20);
    scene
}

/// A Close frame with a reserved bit, which nothing explains.
fn reserved_bit_close_alone() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello").wait(1.0);
    scene.next("close").client().frame(Frame::close(1000, "").rsv(2));
    scene
}

/// The same, which the server calls a protocol error.
fn reserved_bit_close_refused() -> Scene {
    let mut scene = reserved_bit_close_alone();
    scene.talk().server().close(1002, "").fin();
    scene.talk().client().fin();
    scene
}

/// The same, which the server takes for a good one.
fn reserved_bit_close_echoed() -> Scene {
    let mut scene = reserved_bit_close_alone();
    scene.talk().server().close(1000, "").fin();
    scene.talk().client().fin();
    scene
}

/// Engine.IO: two heartbeats of the server are answered, the third is not, and the server closes.
fn heartbeat_unanswered() -> Scene {
    let mut scene = open();
    for _ in 0..2 {
        scene.talk().wait(25.0).server().text("2");
        scene.talk().client().text("3");
    }
    scene.talk().wait(25.0);
    scene.next("beat").server().text("2").wait(20.0);
    scene.next("close").server().close_empty();
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

fn heartbeat_client_hidden() -> Scene {
    heartbeat_unanswered().without(Side::Client)
}

/// Nothing ends before the capture does.
fn still_open() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello").wait(1.0);
    scene.next("last").server().binary(&[1; 10]);
    scene.marks.insert("ack", scene.number_of("last") + 1);
    scene
}

fn still_open_client_hidden() -> Scene {
    still_open().without(Side::Client)
}

/// The server resets the connection after the handshake.
fn reset() -> Scene {
    let mut scene = open();
    scene.talk().wait(3.0);
    scene.next("rst").server().rst();
    scene
}

/// Something 11 hops from the server resets in its name; the server, which knows nothing of it, goes on.
fn forged_reset() -> Scene {
    let mut scene = open();
    scene.talk().wait(1.0).hop_limit(Side::Server, 53);
    scene.next("rst").server().rst();
    scene.talk().acks(Acks::Never).hop_limit(Side::Server, 64).wait(1.0);
    scene.next("later").server().text("still here");
    scene
}

fn forged_reset_timeless() -> Scene {
    Scene { timeless: true, ..forged_reset() }
}

/// Of the server, the capture holds nothing but its RST.
fn reset_alone() -> Scene {
    let mut scene = reset();
    let rst = scene.number_of("rst");
    scene = scene.without(Side::Server);
    scene.hidden.retain(|number| *number != rst);
    scene
}

/// RSTs at two places beyond what the server had sent.
fn guessed_resets() -> Scene {
    let mut scene = open();
    scene.next("rst").server().rst().rst();
    let rst = scene.number_of("rst") as usize;
    for (number, ahead) in [(rst, 1460), (rst + 1, 4380)] {
        scene.talk().packets_mut()[number - 1].segment_mut().seq += ahead;
    }
    scene
}

fn resets_both_ways() -> Scene {
    let mut scene = reset();
    scene.next("other").client().rst();
    scene
}

fn resets_both_ways_timeless() -> Scene {
    Scene { timeless: true, ..resets_both_ways() }
}

/// The server sends the same bytes twice with another content, before any answer.
fn contradicted() -> Scene {
    contradicted_after(false)
}

/// The same after the client has acknowledged them.
fn contradicted_late() -> Scene {
    contradicted_after(true)
}

fn contradicted_after(acknowledged: bool) -> Scene {
    let mut scene = open();
    scene.talk().acks(Acks::Never);
    scene.next("first").server().text("good");
    if acknowledged {
        scene.talk().client().ack();
    }
    let first = scene.number_of("first") as usize - 1;
    scene.talk().wait(0.3);
    scene.next("second").retransmit(first);
    let second = scene.number_of("second") as usize - 1;
    scene.talk().packets_mut()[second].segment_mut().payload = Frame::text("evil").encode(None);
    scene
}

/// The server sends a message that the capture misses, and much later its FIN.
fn server_hole() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    scene.talk().server().text("seen").wait(1.0).lost(&Frame::text("missed").encode(None)).wait(5.0);
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// One message of the server is missing before its last visible word, another in the silence after it.
fn second_hole() -> Scene {
    let mut scene = open();
    let missed = Frame::text("missed").encode(None);
    scene.talk().server().lost(&missed).text("seen");
    scene.talk().client().text("hello").wait(1.0);
    scene.talk().server().lost(&missed).wait(5.0).fin();
    scene.talk().client().fin();
    scene
}

/// The client sends a message that the capture misses; then the server closes and is not seen to be answered.
fn close_after_client_hole() -> Scene {
    let mut scene = open();
    scene.talk().client().lost(&Frame::text("missed").encode(Some([1, 2, 3, 4])));
    scene.talk().server().ping(b"a").wait(5.0);
    scene.next("close").server().close(1001, "bye");
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// The server sends messages that the capture misses, says more, and closes: whether or not its frames are found again
/// after the hole, nobody knows all that it sent.
fn close_after_own_hole() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    scene.talk().server().text("seen").lost(&Frame::text("missed").encode(None)).text("seen again").ping(b"");
    scene.talk().client().pong(b"").wait(5.0);
    scene.next("close").server().close(1001, "bye");
    scene.talk().client().close(1001, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// Two messages of the server share a packet that the capture cuts inside the first of them.
fn snapped() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    let long = "x".repeat(200);
    scene.next("two").server().hold().text(&long).text(&long).release();
    scene.keep("two", HEADERS + 50);
    scene.talk().wait(5.0).server().fin();
    scene.talk().client().fin();
    scene
}

/// The middle of the client's last text message is missing.
fn hole_inside_text() -> Scene {
    let mut scene = text_with_hole();
    // Long enough to believe that the missing segment will not come.
    scene.talk().wait(5.0).server().ack();
    scene.ends_by_server(1008)
}

/// The same where the server closes at once: its Close frame is there before the hole is given up.
fn end_at_open_hole() -> Scene {
    text_with_hole().ends_by_server(1008)
}

/// A text message in three segments, of which the capture misses the second.
fn text_with_hole() -> Scene {
    let mut scene = open();
    scene.talk().mss(100).acks(Acks::Never);
    scene.next("text").client().text(&"x".repeat(250));
    scene.hidden.insert(scene.number_of("text") + 1);
    scene.marks.insert("text_end", scene.number_of("text") + 2);
    scene.talk().server().ack();
    scene
}

/// The same of which the capture misses a byte for longer than we wait, 4096 segments.
fn waited_too_long() -> Scene {
    let mut scene = open();
    scene.talk().mss(1).acks(Acks::Never);
    scene.next("text").client().text(&"x".repeat(4200));
    scene.hidden.insert(scene.number_of("text") + 50);
    scene.talk().mss(100);
    scene.ends_by_server(1008)
}

/// The capture misses a message of the client; its frames are found again, and then the server pings twice.
fn pings_behind_a_hole() -> Scene {
    let mut scene = open();
    scene.talk().client().lost(&Frame::text("missed").encode(Some([1, 2, 3, 4])));
    scene.talk().server().text("seen");
    for index in 0..4 {
        scene.talk().client().text(&format!("message number {index}")).wait(3.0);
    }
    scene.next("ping1").server().ping(b"a");
    scene.talk().client().pong(b"a").wait(20.0);
    scene.next("ping2").server().ping(b"b").wait(5.0);
    scene.next("close").server().close(1001, "bye");
    scene.talk().client().close(1001, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The capture begins behind the handshake.
fn late(mut scene: Scene) -> Scene {
    scene.hidden.extend(1..=scene.number_of("response"));
    scene
}

/// The capture begins late and shows the only Ping answered.
fn joined_late_and_answered() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    scene.talk().server().text("hello, client").ping(b"a");
    scene.talk().client().pong(b"a");
    late(scene.ends_by_server(1000))
}

/// The capture begins late and shows a Ping without a Pong: earlier ones may have had none either.
fn joined_late_and_unheard() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    scene.talk().server().text("hello, client").ping(b"a").wait(20.0);
    late(scene.ends_by_server(1000))
}

/// The capture begins late, and the client says nothing in it: it may have closed before.
fn joined_late_and_silent() -> Scene {
    let mut scene = open();
    for index in 0..4 {
        scene.talk().server().text(&format!("message number {index}"));
    }
    scene.talk().server().close(1000, "");
    scene.talk().client().fin();
    late(scene)
}

/// The server closes; the client, which has still something to say, answers in bytes that the capture misses.
fn close_before_own_hole() -> Scene {
    let mut scene = open();
    scene.next("close").server().close(1001, "bye");
    scene.talk().client().text("on the way").lost(&Frame::close(1001, "").encode(Some([1, 2, 3, 4])));
    scene.talk().server().ack().fin();
    scene.talk().client().fin();
    scene
}

/// The capture misses two messages of the server; then both sides speak, and then there is silence.
fn holes_before_the_silence() -> Scene {
    let mut scene = open();
    let missed = Frame::text("missed").encode(None);
    for _ in 0..2 {
        scene.talk().server().lost(&missed).text("seen");
        scene.talk().client().text("hello").wait(3.0);
        scene.talk().server().text("seen too");
    }
    scene.next("last").client().text("last").wait(5.0);
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// The server acknowledges one number more than the client's bytes: the FIN that the capture misses, or one byte.
fn fin_hidden() -> Scene {
    let mut scene = open();
    scene.next("text").client().text("hello");
    scene.next("missed").client().fin();
    scene.hidden.insert(scene.number_of("missed"));
    scene
}

/// The end of the client's last text message was not kept.
fn cut_inside_text() -> Scene {
    let mut scene = open();
    scene.next("text").client().text(&"x".repeat(250));
    scene.keep("text", HEADERS + 100);
    scene.ends_by_server(1008)
}

/// The client does not mask a frame, and the server minds.
fn client_fault() -> Scene {
    let mut scene = open();
    scene.next("bad").client().frame(Frame::text("bare").masking(Masking::Clear)).wait(2.0);
    scene.next("close").server().close(1002, "masks");
    scene.talk().client().close(1002, "");
    scene.next("fin").client().fin();
    scene.talk().server().fin();
    scene
}

fn client_fault_timeless() -> Scene {
    Scene { timeless: true, ..client_fault() }
}

/// The client marks a message as compressed, although nothing was agreed on.
fn compressed_without_agreement() -> Scene {
    let mut scene = open();
    scene.next("bad").client().frame(Frame::text("odd").rsv(support::frames::rsv::RSV1)).wait(1.0);
    scene.next("close").server().close(1002, "");
    scene.talk().client().close(1002, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The client sets a reserved bit, and closes in the end itself.
fn own_fault() -> Scene {
    let mut scene = open();
    scene.next("bad").client().frame(Frame::text("odd").rsv(support::frames::rsv::RSV2)).wait(1.0);
    scene.next("close").client().close(1000, "");
    scene.talk().server().close(1000, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The server answers HTTP into the upgraded stream.
fn http_in_the_stream() -> Scene {
    let mut scene = open();
    scene.next("http").server().bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The client closes before the server has said anything.
fn own_fault_of_the_first_word() -> Scene {
    own_fault()
}

/// The client declares a message of 1000 bytes, and the server closes after ten of them.
fn cut_off() -> Scene {
    let mut scene = open();
    scene.talk().client().text("earlier");
    scene.next("begun").client().frame(Frame::text("ten bytes.").length(Length::Claim(1000)));
    scene.ends_by_server(1009)
}

/// The client is in the middle of a message when the capture ends.
fn cut_off_and_open() -> Scene {
    let mut scene = open();
    scene.next("begun").client().frame(Frame::text("ten bytes.").length(Length::Claim(1000)));
    scene
}

/// The server declares a message of 1000 bytes and breaks off.
fn cut_off_by_server() -> Scene {
    let mut scene = open();
    scene.next("begun").server().frame(Frame::text("ten bytes.").length(Length::Claim(1000)));
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// 4000 bytes of text in fewer bytes on the wire; the server had sent one message too.
fn compressed() -> Scene {
    let mut scene = open_with(&Upgrade::deflate(""));
    scene.talk().server().text("welcome");
    scene.next("text").client().text(&"four".repeat(1000));
    assert!(scene.payload_of("text").len() < 400);
    scene.ends_by_server(1000)
}

/// A compressed message that begins with a block of type 3, which RFC 1951 does not have.
fn not_inflated() -> Scene {
    let mut scene = open_with(&Upgrade::deflate(""));
    scene.next("bad").client().frame(Frame::new(2, [0x06, 0x00]).rsv(support::frames::rsv::RSV1));
    scene.ends_by_server(1002)
}

/// 600 bytes that nothing repeats in, twice: the second message refers 600 bytes back, and the window has 2^9.
fn window_exceeded() -> Scene {
    let mut scene = open_with(&Upgrade::deflate("; client_max_window_bits=9"));
    scene.talk().negotiate("permessage-deflate");
    let noise: Vec<u8> = (1u32..=600).map(|i| (i.wrapping_mul(i).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    scene.talk().client().binary(&noise);
    scene.next("bad").client().binary(&noise);
    assert!(scene.payload_of("bad").len() < 40);
    scene.ends_by_server(1002)
}

/// A compressed message of which the capture misses the middle: how long it was before only its deflated bytes tell.
fn hole_inside_compressed() -> Scene {
    let mut scene = open_with(&Upgrade::deflate(""));
    scene.talk().mss(100).acks(Acks::Never);
    let words: String = (0..300).map(|number| format!("{number} ")).collect();
    scene.next("text").client().text(&words);
    let segments = scene.written().count() as u64 + 1 - scene.number_of("text");
    assert!(segments > 3, "{segments} segments");
    scene.hidden.insert(scene.number_of("text") + 1);
    scene.talk().wait(5.0).server().ack();
    scene.ends_by_server(1009)
}

/// A text message in ISO 8859-1.
fn latin1() -> Scene {
    let mut scene = open();
    scene.next("text").client().frame(Frame::new(1, b"caf\xe9 au lait"));
    scene.ends_by_server(1007)
}

fn binary_last() -> Scene {
    let mut scene = open();
    scene.next("binary").client().binary(&[0xff; 3]);
    scene.ends_by_server(1003)
}

/// The server's message is sent again three times and never acknowledged.
fn unacknowledged() -> Scene {
    sent_four_times(Side::Server)
}

fn unacknowledged_client() -> Scene {
    sent_four_times(Side::Client)
}

fn sent_four_times(side: Side) -> Scene {
    sent_again(side, [1.0, 2.0, 4.0])
}

fn unacknowledged_timeless() -> Scene {
    Scene { timeless: true, ..unacknowledged() }
}

/// A sender whose timer does not double.
fn sent_again_every_second() -> Scene {
    sent_again(Side::Server, [1.0; 3])
}

fn sent_again(side: Side, pauses: [f64; 3]) -> Scene {
    let mut scene = open();
    scene.talk().acks(Acks::Never);
    // The response and the acknowledgement of it come before.
    let heard = scene.number_of("response") + u64::from(side == Side::Server);
    scene.marks.extend([("heard", heard), ("before", scene.number_of("response") + 1)]);
    scene.talk().wait(30.0);
    scene.next("data").side(side).text("anybody there?");
    let data = scene.index_of("data");
    for (name, pause) in ["first", "second", "third"].into_iter().zip(pauses) {
        scene.talk().wait(pause);
        scene.next(name).retransmit(data);
    }
    scene
}

/// Two messages of the client, and the capture is over.
fn messages_under_way() -> Scene {
    let mut scene = open();
    scene.talk().acks(Acks::Never);
    scene.next("second").client().text("second");
    scene.next("third").client().text("third");
    scene
}

/// The same, and the server resets without having had either.
fn reset_with_messages_under_way() -> Scene {
    let mut scene = messages_under_way();
    scene.next("rst").server().rst();
    let (rst, second) = (scene.index_of("rst"), scene.index_of("second"));
    let packets = scene.talk().packets_mut();
    packets[rst].segment_mut().ack = packets[second].segment().seq;
    scene
}

/// A RST as a host sends it that knows no such connection.
fn stray_reset() -> Scene {
    let mut scene = reset();
    let rst = scene.index_of("rst");
    let segment = scene.talk().packets_mut()[rst].segment_mut();
    (segment.flags, segment.ack) = (support::net::flags::RST, 0);
    scene
}

/// The first segment of a long message never arrives; the client says so with every acknowledgement.
fn too_large_for_the_path() -> Scene {
    let mut scene = open();
    assert_eq!(scene.payload_of("response").len(), 129);
    scene.talk().acks(Acks::Never);
    scene.next("data").server().text(&"x".repeat(2000));
    stuck(scene, Side::Client)
}

/// The first segment of a long request never arrives.
fn request_too_large_for_the_path() -> Scene {
    let mut scene = Scene::connected();
    scene.talk().acks(Acks::Never);
    let request = format!("{REQUEST}\nCookie: {}", "x".repeat(2000));
    scene.next("data").request(&request);
    stuck(scene, Side::Server)
}

/// The segment called data is sent again in vain, while `peer` goes on acknowledging what came before.
fn stuck(mut scene: Scene, peer: Side) -> Scene {
    let data = scene.index_of("data");
    let seq = scene.written().packets()[data].segment().seq;
    for name in ["first", "second"] {
        scene.talk().wait(1.0);
        scene.next(name).retransmit(data);
        scene.talk().side(peer).ack();
        scene.talk().packets_mut().last_mut().expect("the ACK").segment_mut().ack = seq;
    }
    scene
}

/// Two TCP keep-alives of the client.
fn probed() -> Scene {
    let mut scene = open();
    scene.talk().wait(15.0);
    scene.next("probe1").client().keep_alive().wait(15.0);
    scene.next("probe2").client().keep_alive();
    scene
}

fn probed_timeless() -> Scene {
    Scene { timeless: true, ..probed() }
}

/// The client stops reading, until the server resets.
fn closed_window() -> Scene {
    stops_reading(Side::Client)
}

fn closed_window_timeless() -> Scene {
    Scene { timeless: true, ..closed_window() }
}

fn closed_window_of_server() -> Scene {
    stops_reading(Side::Server)
}

fn stops_reading(side: Side) -> Scene {
    let mut scene = open();
    scene.talk().side(side.other()).text("much");
    scene.talk().window(side, 0);
    scene.next("zero").side(side).ack().wait(30.0);
    scene.next("rst").side(side.other()).rst();
    scene
}

/// The client stops reading for a while.
fn reopened_window() -> Scene {
    let mut scene = open();
    scene.talk().window(Side::Client, 0).client().ack().wait(3.0);
    scene.talk().window(Side::Client, 500).client().ack().wait(3.0);
    scene.talk().server().rst();
    scene
}

/// Every header that is negotiated, from a browser through a proxy.
fn negotiated() -> Scene {
    open_with(&Upgrade {
        extensions_offered: Some("permessage-deflate; client_max_window_bits, x-fast".into()),
        extensions: Some("permessage-deflate".into()),
        subprotocols_offered: Some("chat.v2, chat.v1".into()),
        subprotocol: Some("chat.v1".into()),
        request_headers: vec!["Origin: https://example.test".into(), "User-Agent: Mozilla/5.0 (X11)".into()],
        response_headers: vec!["Server: nginx/1.25.3".into(), "Via: 1.1 edge".into()],
        ..Upgrade::default()
    })
}

fn wrong_accept() -> Scene {
    let accept = support::accept_for("another key");
    let mut scene = open_with(&Upgrade { accept: Some(accept), ..Upgrade::default() });
    scene.talk().client().fin();
    scene
}

const REQUEST: &str = "GET / HTTP/1.1\nHost: example.test\nUpgrade: websocket\nConnection: Upgrade\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13";

/// A request and the answer to it.
fn answered(request: &str, status: u16, headers: &str) -> Scene {
    let mut scene = Scene::connected();
    scene.next("request").request(request);
    scene.next("response").respond(status, headers, "");
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// A 101 that lacks `Sec-WebSocket-Accept` and `Connection`.
fn missing_accept() -> Scene {
    answered(REQUEST, 101, "Upgrade: websocket")
}

/// The same from a capture that begins with it.
fn missing_accept_joined() -> Scene {
    let mut scene = missing_accept();
    scene.hidden.extend(1..scene.number_of("response"));
    scene
}

fn refused() -> Scene {
    let request = format!("{REQUEST}\nOrigin: https://elsewhere.test");
    let headers = "WWW-Authenticate: Bearer realm=\"chat\", Basic\nContent-Type: text/plain\nCF-RAY: 1-FRA";
    answered(&request, 401, headers)
}

fn redirected() -> Scene {
    answered(REQUEST, 301, "Location: https://example.test/login?next=/chat")
}

fn old_version() -> Scene {
    let request = REQUEST.replace("Version: 13", "Version: 8");
    answered(&request, 426, "Sec-WebSocket-Version: 13, 14")
}

/// What an HTTP/1.0 proxy passes on: neither `Upgrade` nor `Connection`.
fn stripped() -> Scene {
    let request = "GET / HTTP/1.0\nHost: example.test\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    answered(request, 400, "")
}

/// A request and what a proxy makes of it, which is refused on both sides of the proxy.
fn proxied() -> Scene {
    let mut scene = Scene::connected();
    scene.next("front").request(REQUEST);
    let mut back = Conversation::new("10.0.0.2:50000", "10.0.0.3:8080");
    back.at(scene.talk().now()).connect();
    let at = (scene.written().count() + back.count()) as u64 + 1;
    scene.marks.insert("back", at);
    back.request("GET / HTTP/1.0\nHost: backend\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==").respond(426, "", "");
    let later = back.now();
    scene.talk().packets_mut().extend(back.into_packets());
    scene.talk().at(later).respond(426, "", "");
    scene
}

/// The front of it.
fn asked_in_front() -> Scene {
    let mut scene = proxied();
    scene.flow = Some(0);
    scene.marks.insert("request", scene.number_of("front"));
    scene
}

/// The back of it.
fn passed_on() -> Scene {
    let mut scene = proxied();
    scene.flow = Some(1);
    scene.marks.insert("request", scene.number_of("back"));
    scene
}

/// Twelve seconds of silence that the server breaks, and three more before it ends.
fn survivor_of_12_s() -> Scene {
    let mut scene = open();
    scene.next("before").client().text("hello");
    scene.talk().wait(12.0);
    scene.next("after").server().text("still there");
    scene.talk().wait(3.0).server().fin();
    scene.talk().client().fin();
    scene
}

/// Three connections of one server in one capture: when each is opened, when it last says something, and when the server
/// ends it with FIN, in seconds. `flow` is the one that is asked about.
fn three(flow: u64, times: [(f64, f64, f64); 3], more: Vec<Conversation>) -> Scene {
    let clock = |seconds: f64| START + (seconds * 1e9) as i64;
    let mut all = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    let mut packets = Vec::new();
    for (port, (opened, said, ended)) in (40000..).zip(times) {
        let mut talk = Conversation::new(&format!("10.0.0.1:{port}"), "10.0.0.2:80");
        talk.at(clock(opened)).connect().upgrade();
        // The ACK of the last word is no payload.
        talk.at(clock(said)).client().text("last word");
        talk.at(clock(ended)).server().fin();
        talk.client().fin();
        packets.extend(talk.into_packets());
    }
    more.into_iter().for_each(|talk| packets.extend(talk.into_packets()));
    packets.sort_by_key(|packet| packet.time);
    let fins = |packet: &&Packet| packet.segment().source.port() == 80 && packet.segment().has(flags::FIN);
    let numbered: Vec<(u64, &Packet)> = (1..).zip(&packets).collect();
    let fin = numbered.iter().filter(|(_, packet)| fins(packet)).map(|(number, _)| *number);
    let mut marks: BTreeMap<&'static str, u64> = ["fin1", "fin2", "fin3"].into_iter().zip(fin).collect();
    let rst = numbered.iter().find(|(_, packet)| packet.segment().has(flags::RST)).map(|(number, _)| *number);
    marks.extend(rst.map(|number| ("refused", number)));
    *all.packets_mut() = packets;
    Scene { marks, flow: Some(flow), ..Scene::of(all) }
}

/// The server ends all three within a tenth of a second; half a second later it refuses a fourth.
fn ended_together() -> Scene {
    let mut fourth = Conversation::new("10.0.0.1:41000", "10.0.0.2:80");
    fourth.at(START + 20_600_000_000).connect();
    fourth.packets_mut().truncate(1);
    fourth.server().rst();
    three(0, [(0.0, 3.0, 20.0), (1.0, 7.7, 20.05), (2.0, 11.1, 20.1)], vec![fourth])
}

/// They end together, each after 10 s of silence.
fn ended_together_silent() -> Scene {
    three(0, [(0.0, 10.0, 20.0), (1.0, 10.3, 20.3), (2.0, 10.8, 20.8)], Vec::new())
}

/// They end together, each 30 s old, and were last used at different times.
fn ended_together_at_one_age() -> Scene {
    three(0, [(0.0, 12.0, 30.0), (0.1, 3.0, 30.1), (0.2, 22.0, 30.2)], Vec::new())
}

/// Each ends after 30 s of silence, at its own time and age.
fn same_silence() -> Scene {
    three(2, [(0.0, 1.0, 31.0), (5.0, 9.0, 39.0), (11.0, 20.0, 50.0)], Vec::new())
}

/// Each ends at the age of 20 s, in use.
fn same_lifetime() -> Scene {
    three(2, [(0.0, 19.0, 20.0), (5.0, 22.0, 25.0), (11.0, 29.0, 31.0)], Vec::new())
}

/// The same, and one that is older lives on.
fn outlived() -> Scene {
    let mut older = Conversation::new("10.0.0.1:41000", "10.0.0.2:80");
    older.at(START - 50_000_000_000).connect().upgrade();
    let mut scene = same_lifetime();
    let Source::Written(talk) = &mut scene.source else { unreachable!("it is written") };
    talk.packets_mut().splice(0..0, older.into_packets());
    // The older one is the first flow of the capture now.
    scene.flow = Some(3);
    scene
}

fn haproxy(flow: u64) -> Scene {
    Scene { flow: Some(flow), ..Scene::recorded("proxies/haproxy-idle-timeout", &[("front", 20), ("back", 21)]) }
}

fn haproxy_front() -> Scene {
    haproxy(0)
}

fn haproxy_back() -> Scene {
    haproxy(1)
}

/// How the two legs of one WebSocket end.
enum LegsEnd {
    /// The server ends the back leg with FIN, and the proxy the front leg.
    ServerFin,
    /// The same with RST.
    ServerRst,
    /// The client resets the front leg, and the proxy ends the back leg.
    ClientRst,
    /// The client closes, and the proxy passes that on.
    ClientClose,
}

/// A front leg and a back leg, merged into one capture.
fn two_legs(flow: u64, end: &LegsEnd) -> Scene {
    let upgrade = Upgrade { key: Some("dGhlIHNhbXBsZSBub25jZQ==".to_owned()), ..Upgrade::default() };
    let mut front = Conversation::new("203.0.113.9:51000", "10.0.0.2:80");
    let mut back = Conversation::new("10.0.0.2:39000", "10.0.0.3:8080");
    front.step(5_000_000).connect().upgrade_with(&upgrade);
    back.at(START + 16_100_000).connect().upgrade_with(&upgrade);
    front.step(100_000).client().text("hello");
    back.at(front.now()).client().text("hello");
    let now = front.now() + 5_000_000_000;
    let (sooner, later) = (now, now + 1_000_000);
    match end {
        LegsEnd::ServerFin => {
            back.at(sooner).server().fin();
            front.at(later).server().fin();
        }
        LegsEnd::ServerRst => {
            back.at(sooner).server().rst();
            front.at(later).server().fin();
        }
        LegsEnd::ClientRst => {
            front.at(sooner).client().rst();
            back.at(later).client().fin();
        }
        LegsEnd::ClientClose => {
            front.at(sooner).client().close(1000, "");
            back.at(later).client().close(1000, "");
        }
    }
    let (front_end, back_end) =
        (front.packets().iter().find(|p| p.time >= now), back.packets().iter().find(|p| p.time >= now));
    let (front_end, back_end) = (front_end.expect("an end").clone(), back_end.expect("an end").clone());
    let mut all = front;
    let mut packets = std::mem::take(all.packets_mut());
    packets.extend(back.into_packets());
    packets.sort_by_key(|packet| packet.time);
    let number = |wanted: &Packet| {
        let same = |packet: &Packet| packet.time == wanted.time && packet.segment().source == wanted.segment().source;
        packets.iter().position(same).expect("it is there") as u64 + 1
    };
    let marks = [("front", number(&front_end)), ("back", number(&back_end))];
    *all.packets_mut() = packets;
    Scene { marks: marks.into(), flow: Some(flow), ..Scene::of(all) }
}

fn crashed_front() -> Scene {
    two_legs(0, &LegsEnd::ServerFin)
}

/// The capture misses a frame of the client on the front leg, behind which a Close frame may be.
fn crashed_front_hole() -> Scene {
    let mut scene = crashed_front();
    let Source::Written(talk) = &scene.source else { unreachable!("it is written") };
    let hello = |packet: &Packet| packet.segment().source.port() == 51000 && !packet.segment().payload.is_empty();
    let numbered = (1..).zip(talk.packets());
    let hidden: Vec<u64> = numbered.filter(|(_, packet)| hello(packet)).map(|(number, _)| number).skip(1).collect();
    scene.hidden.extend(hidden);
    scene
}

fn reset_back() -> Scene {
    two_legs(0, &LegsEnd::ServerRst)
}

fn reset_front() -> Scene {
    two_legs(0, &LegsEnd::ClientRst)
}

fn closed_legs() -> Scene {
    two_legs(0, &LegsEnd::ClientClose)
}

fn closed_back() -> Scene {
    two_legs(1, &LegsEnd::ClientClose)
}

/// A request that the server lets lie.
fn no_answer() -> Scene {
    let mut scene = Scene::connected();
    scene.next("request").request(REQUEST).wait(30.0);
    scene.next("fin").client().fin();
    scene.talk().server().fin();
    scene
}

/// The same where the capture misses what the server sent: perhaps an answer.
fn unheard() -> Scene {
    no_answer().without(Side::Server)
}

/// A plain request that a TLS server answers with an alert: fatal, unexpected_message.
fn plain_to_tls_port() -> Scene {
    let mut scene = Scene::connected();
    scene.next("request").request(REQUEST);
    scene.talk().server().bytes(&[0x15, 3, 3, 0, 2, 2, 10]).fin();
    scene.talk().client().fin();
    scene
}

/// A SYN that is reset.
fn refused_port() -> Scene {
    let mut scene = syn_only();
    scene.next("rst").server().rst();
    scene
}

/// A SYN that is sent three times.
fn unanswered() -> Scene {
    let mut scene = syn_only();
    scene.talk().wait(1.0).retransmit(0).wait(2.0);
    scene.next("last").retransmit(0);
    scene
}

/// A SYN, and the capture is over.
fn syn_only() -> Scene {
    let mut scene = Scene::connected();
    scene.talk().packets_mut().truncate(1);
    scene
}

/// The client never takes the SYN-ACK.
fn syn_ack_unheard() -> Scene {
    let mut scene = Scene::connected();
    scene.talk().packets_mut().truncate(2);
    scene.talk().wait(1.0).retransmit(1);
    scene
}

/// Neither SYN has options.
fn without_options() -> Scene {
    let mut scene = farewell();
    for packet in &mut scene.talk().packets_mut()[..2] {
        packet.segment_mut().options.clear();
    }
    scene
}

fn network_unreachable() -> Scene {
    undeliverable(syn_only(), "syn", [3, 0, 0, 0])
}

fn host_unreachable() -> Scene {
    undeliverable(syn_only(), "syn", [3, 1, 0, 0])
}

fn port_unreachable() -> Scene {
    undeliverable(syn_only(), "syn", [3, 3, 0, 0])
}

fn prohibited() -> Scene {
    undeliverable(syn_only(), "syn", [3, 13, 0, 0])
}

fn time_exceeded() -> Scene {
    undeliverable(syn_only(), "syn", [11, 0, 0, 0])
}

fn too_big() -> Scene {
    undeliverable(farewell(), "response", [3, 4, 0x05, 0x78])
}

/// A router answers a packet with an ICMP error: type, code and the last two bytes before what it quotes (RFC 792).
fn undeliverable(mut scene: Scene, name: &'static str, [kind, code, high, low]: [u8; 4]) -> Scene {
    let about = scene.written().packets()[scene.index_of(name)].clone();
    let mut ip = Segment::new("10.0.0.254:0".parse().expect("an address"), about.segment().source).ip();
    ip.truncate(20);
    ip.extend_from_slice(&[kind, code, 0, 0, 0, 0, high, low]);
    ip.extend_from_slice(&about.segment().ip()[..28]);
    let length = (ip.len() as u16).to_be_bytes();
    ip[2..4].copy_from_slice(&length);
    ip[9] = 1;
    let time = scene.written().now();
    scene.marks.insert("icmp", scene.written().count() as u64 + 1);
    scene.talk().packets_mut().push(Packet::new(time, Content::Ip(ip)));
    scene
}

fn empty_close() -> Scene {
    closed_with(Frame::new(8, []))
}

fn one_byte_close() -> Scene {
    closed_with(Frame::new(8, [3]))
}

fn forbidden_code() -> Scene {
    closed_with(Frame::close(1006, ""))
}

/// The server closes with this frame, and the client with an empty one.
fn closed_with(frame: Frame) -> Scene {
    let mut scene = open();
    scene.next("close").server().frame(frame);
    scene.talk().client().close_empty();
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// The server closes, waits in vain for ten seconds, and ends TCP.
fn unechoed() -> Scene {
    let mut scene = open();
    scene.next("close").server().close(1000, "").wait(10.0);
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

fn unechoed_timeless() -> Scene {
    Scene { timeless: true, ..unechoed() }
}

/// The server closes, and the capture is over.
fn just_closed() -> Scene {
    let mut scene = open();
    scene.next("close").server().close(1000, "");
    scene
}

// What travels inside.

fn open_as(subprotocol: &str) -> Scene {
    let agreed = Some(subprotocol.to_owned());
    open_with(&Upgrade { subprotocols_offered: agreed.clone(), subprotocol: agreed, ..Upgrade::default() })
}

/// A GraphQL server does not let the client in.
fn graphql_refused() -> Scene {
    let mut scene = open_as("graphql-transport-ws");
    scene.next("init").client().text(r#"{"type":"connection_init"}"#);
    scene.ends_by_server(4403)
}

/// The client says goodbye in JSON and closes.
fn logged_out() -> Scene {
    let mut scene = open();
    scene.next("said").client().text(r#"{"type":"logout"}"#);
    scene.next("close").client().close(1000, "");
    scene.talk().server().close(1000, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// A server of Discord's name, and not one message; it closes with this code of Discord's.
fn discord(code: u16) -> Scene {
    let host = "gateway.discord.gg".to_owned();
    open_with(&Upgrade { host, ..Upgrade::default() }).ends_by_server(code)
}

fn discord_trouble() -> Scene {
    discord(4000)
}

fn discord_limit() -> Scene {
    discord(4008)
}

fn discord_session() -> Scene {
    discord(4007)
}

/// Pusher's code for a new connection at once.
fn pusher_moves() -> Scene {
    let mut scene = open();
    scene.talk().server().text(r#"{"event":"pusher:connection_established","data":"{}"}"#);
    scene.ends_by_server(4200)
}

/// The server of MQTT says 0x9c, Use another server.
fn mqtt_moved() -> Scene {
    let mut scene = mqtt();
    scene.next("last").server().binary(&[0xe0, 2, 0x9c, 0]);
    scene.ends_by_server(1000)
}

/// A service that nobody knows says in JSON why it closes.
fn last_words() -> Scene {
    let mut scene = open();
    scene.next("hello").client().text(r#"{"type":"hello"}"#);
    scene.next("said").server().text(r#"{"type":"error","code":401,"text":"go away"}"#);
    scene.next("close").server().close(1008, "");
    scene.talk().client().close(1008, "");
    scene.talk().server().fin();
    scene.talk().client().fin();
    scene
}

/// Engine.IO does not know the session of the request.
fn engine_refused() -> Scene {
    let request = REQUEST.replacen("GET /", "GET /socket.io/?EIO=4&transport=websocket&sid=x", 1);
    let mut scene = Scene::connected();
    scene.next("request").request(&request);
    scene.next("response").respond(
        400,
        "Content-Type: application/json",
        r#"{"code":1,"message":"Session ID unknown"}"#,
    );
    scene.next("fin").server().fin();
    scene.talk().client().fin();
    scene
}

/// Engine.IO on a path of its own; the server ends the session, then the connection.
fn engine_io() -> Scene {
    let mut scene = open();
    scene.next("hello").server().text(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
    scene.talk().client().text("4hi");
    scene.next("bye").server().text("1");
    scene.ends_by_server(1000)
}

/// The path of Socket.IO, and not one message.
fn socket_io_silent() -> Scene {
    let path = "/socket.io/?EIO=4&transport=websocket".to_owned();
    open_with(&Upgrade { path, ..Upgrade::default() }).ends_by_server(1001)
}

/// A chat, closed with a code that no protocol explains.
fn private_code_of_nobody() -> Scene {
    let mut scene = open();
    scene.talk().client().text("hello");
    scene.ends_by_server(4403)
}

/// The same where the capture misses what the client sent.
fn private_code_half_hidden() -> Scene {
    private_code_of_nobody().without(Side::Client)
}

/// MQTT 5 begins: CONNECT of a client named `a`, CONNACK.
fn mqtt() -> Scene {
    let mut scene = open_as("mqtt");
    scene.talk().client().binary(&[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 1, b'a']);
    scene.talk().server().binary(&[0x20, 3, 0, 0, 0]);
    scene
}

/// The broker says 0x8E: another client has taken the session over (MQTT 5.0 §3.14.2.1).
fn mqtt_taken_over() -> Scene {
    let mut scene = mqtt();
    scene.next("last").server().binary(&[0xe0, 2, 0x8e, 0]);
    scene.ends_by_server(1000)
}

/// The client says 0x04, Disconnect with Will Message.
fn mqtt_given_up() -> Scene {
    let mut scene = mqtt();
    scene.next("last").client().binary(&[0xe0, 2, 4, 0]);
    scene.ends_by_server(1000)
}

/// The client of GraphQL begins another message and never completes it.
fn graphql_cut_off() -> Scene {
    let mut scene = open_as("graphql-transport-ws");
    scene.talk().client().text(r#"{"type":"connection_init"}"#);
    let query = Frame::text(&"x".repeat(1000)).encode(Some([1, 2, 3, 4]));
    scene.talk().client().bytes(&query[..100]);
    scene.ends_by_server(4408)
}

// Recorded at two points.

fn farewell_at_two_points() -> Scene {
    farewell().at_two_points(&[], &[])
}

fn reset_at_two_points() -> Scene {
    let mut scene = reset().at_two_points(&[], &[]);
    let again = scene.number_of("rst") + 1;
    scene.marks.insert("rst_again", again);
    scene
}

/// Something between the points resets in the server's name; the server goes on.
fn reset_between() -> Scene {
    forged_reset().at_two_points(&[], &["rst"])
}

/// The same, and both captures end with it.
fn reset_between_at_the_end() -> Scene {
    reset().at_two_points(&[], &["rst"])
}

/// The first Ping of the server is lost between the points; what came later is not.
fn ping_lost_between() -> Scene {
    let mut scene = open();
    scene.talk().acks(Acks::Never);
    scene.next("ping1").server().ping(b"a").wait(0.3);
    scene.talk().server().ping(b"b").wait(1.0);
    scene.at_two_points(&["ping1"], &[])
}

/// The client says something, and once more, and nobody hears it.
fn text_lost() -> Scene {
    let mut scene = open();
    scene.talk().acks(Acks::Never).wait(1.0);
    scene.next("text").client().text("hello").wait(2.0);
    let index = scene.index_of("text");
    scene.next("text_again").retransmit(index);
    scene.talk().packets_mut()[index + 1].segment_mut().identification += 100;
    scene
}

/// It is lost between the points.
fn cut_between_at_the_end() -> Scene {
    text_lost().at_two_points(&["text", "text_again"], &[])
}

/// The same while the other point goes on recording.
fn cut_between() -> Scene {
    let mut scene = cut_between_at_the_end();
    let mut other = Conversation::new("10.0.0.9:40000", "10.0.0.8:9000");
    other.at(START + 60_000_000_000).connect();
    let first = scene.written().count() as u64 + 1;
    scene.talk().packets_mut().extend(other.into_packets());
    scene.second.extend(first..first + 3);
    scene
}

/// It is lost behind both points.
fn cut_behind() -> Scene {
    let mut scene = text_lost();
    scene.talk().wait(2.0);
    scene.at_two_points(&[], &[])
}

// Recorded ones: support has no writer for TLS. The packets are those that tshark shows.

/// TLS 1.3; the client does not know the authority.
fn tls_unknown_ca() -> Scene {
    Scene::recorded("tls/unknown-ca", &[("client_hello", 4), ("server_hello", 6), ("alert", 8), ("fin", 9)])
}

/// The same up to the alert.
fn tls_not_ended() -> Scene {
    let mut scene = tls_unknown_ca();
    scene.hidden.extend([9, 10]);
    scene
}

/// The same where the capture misses what the server sent: the client's hello and its alert remain.
fn tls_not_ended_server_hidden() -> Scene {
    let mut scene = tls_not_ended();
    scene.hidden.extend([2, 5, 6]);
    scene
}

/// TLS 1.2; the client expected another name and resets.
fn tls_wrong_host_name() -> Scene {
    Scene::recorded("tls/wrong-host-name", &[("client_hello", 4), ("server_hello", 6), ("alert", 8), ("rst", 9)])
}

/// TLS 1.2; the certificate has expired.
fn tls_expired() -> Scene {
    Scene::recorded("tls/expired-tls12", &[("server_hello", 6), ("alert", 8)])
}

fn tls_not_yet_valid() -> Scene {
    Scene::recorded("tls/not-yet-valid-tls12", &[("server_hello", 6)])
}

fn tls_other_name() -> Scene {
    Scene::recorded("tls/other-name-tls12", &[("server_hello", 6)])
}

fn tls_self_signed() -> Scene {
    Scene::recorded("tls/self-signed-tls12", &[("server_hello", 6)])
}

fn tls_weak_key() -> Scene {
    Scene::recorded("tls/weak-key-tls12", &[("server_hello", 6)])
}

fn tls_weak_signature() -> Scene {
    Scene::recorded("tls/weak-signature-tls12", &[("server_hello", 6)])
}

fn tls_client_only() -> Scene {
    Scene::recorded("tls/not-for-servers-tls12", &[("server_hello", 6)])
}

fn tls_issuer_missing() -> Scene {
    Scene::recorded("tls/issuer-missing-tls12", &[("server_hello", 6)])
}

fn tls_disordered() -> Scene {
    Scene::recorded("tls/disordered-chain-tls12", &[("server_hello", 6)])
}

/// The client offers http/1.1, the server has h2 alone.
fn tls_no_protocol() -> Scene {
    Scene::recorded("tls/no-application-protocol", &[("client_hello", 4)])
}

/// TLS 1.2; both know http/1.1.
fn tls_alpn() -> Scene {
    Scene::recorded("tls/alpn-tls12", &[("server_hello", 6)])
}

/// TLS 1.3; Chromium offers http/1.1 and leaves.
fn tls_chromium() -> Scene {
    Scene::recorded("tls/chromium-unknown-ca", &[])
}

/// TLS 1.2; an echo, Close frames, and the server's closing alert.
fn tls_good_1_2() -> Scene {
    Scene::recorded("tls/good-tls12-without-keys", &[("alert", 16)])
}

/// TLS 1.3; the same.
fn tls_good_1_3() -> Scene {
    let marks = [("echoed", 12), ("close", 14), ("close_answer", 15), ("alert", 16), ("fin", 19)];
    Scene::recorded("tls/good-without-keys", &marks)
}

/// TLS 1.3; the server pings every second.
fn tls_pings() -> Scene {
    Scene::recorded("tls/pings-without-keys", &[("ping1", 16), ("ping4", 26), ("alert", 32), ("fin", 34)])
}

/// TLS 1.3; the server leaves because the client has no certificate.
fn tls_finished_refused() -> Scene {
    Scene::recorded("tls/client-certificate-missing-tls13", &[("finished", 8), ("fin", 12)])
}

/// The same where the capture misses the server's whole flight.
fn tls_server_hello_lost() -> Scene {
    let mut scene = tls_wrong_host_name();
    scene.hidden.insert(6);
    scene
}

/// The server finds no common cipher and says so instead of a ServerHello.
fn tls_no_common_cipher() -> Scene {
    Scene::recorded("tls/no-common-cipher", &[("client_hello", 4), ("alert", 6), ("fin", 8)])
}

/// The same where the capture misses what the server sent: the client's hello and its FIN remain.
fn tls_server_hidden() -> Scene {
    let mut scene = tls_no_common_cipher();
    scene.hidden.extend([2, 5, 6, 9]);
    scene
}

/// The packet with the client's Finished message is not in the capture.
fn tls_finished_lost() -> Scene {
    let mut scene = tls_client_certificate_missing();
    scene.hidden.insert(8);
    scene
}

/// The same as if the server had sent nothing but ACKs.
fn tls_hello_unanswered() -> Scene {
    let mut scene = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    let mut hello = Vec::new();
    each_packet(&tls_no_common_cipher(), |packet| {
        if packet.number.value() == 4 {
            // Ethernet, IPv4 and TCP with 12 bytes of options, as tshark shows it.
            hello = packet.bytes[14 + 20 + 32..].to_vec();
        }
    });
    scene.connect();
    let mut scene = Scene::of(scene);
    scene.next("client_hello").client().bytes(&hello).wait(10.0);
    scene.next("fin").client().fin();
    scene.talk().server().fin();
    scene
}

/// TLS 1.2; the server asks for a client certificate in clear.
fn tls_client_certificate_missing() -> Scene {
    Scene::recorded(
        "tls/client-certificate-missing",
        &[("client_hello", 4), ("server_hello", 6), ("finished", 8), ("alert", 9)],
    )
}

/// A ClientHello that is answered by `HTTP/1.1 400`.
fn tls_to_plain_port() -> Scene {
    Scene::recorded("tls/wss-to-plain-port", &[("client_hello", 4), ("answer", 6), ("fin", 8)])
}

/// TLS 1.3 with its keys; the server sends close_notify and no Close frame, as tshark 4.0.17 shows it.
fn tls_shut_down() -> Scene {
    let marks = [("notify", 16), ("notify_answer", 18), ("fin", 19), ("rst", 22)];
    Scene::recorded("tls-keys/tls13-notify-without-close", &marks)
}

/// The same where the capture misses the server's last record.
fn tls_notify_lost() -> Scene {
    let mut scene = tls_shut_down();
    scene.hidden.insert(16);
    scene
}

/// TLS 1.3 with its keys; FIN of both sides, and nothing before.
fn tls_cut_off() -> Scene {
    Scene::recorded("tls-keys/tls13-fin-only", &[("fin", 14), ("client_fin", 15)])
}

/// TLS 1.2 with its keys; Close frames, then close_notify of both sides.
fn tls_closed() -> Scene {
    Scene::recorded("tls-keys/tls12-talk", &[("close", 52), ("notify", 55)])
}

/// The client ends with the fatal alert bad_record_mac, in the segment of its FIN.
fn tls_client_alert() -> Scene {
    tls_alert(Side::Client, 20)
}

/// The server ends with internal_error.
fn tls_server_alert() -> Scene {
    tls_alert(Side::Server, 80)
}

/// The client ends with close_notify, in the segment of its FIN.
fn tls_client_shut_down() -> Scene {
    tls_ended(Side::Client, Ending::CloseNotify)
}

fn tls_alert(by: Side, description: u8) -> Scene {
    tls_ended(by, Ending::Fatal(description))
}

fn tls_ended(by: Side, ending: Ending) -> Scene {
    let mut scene = Scene::connected();
    scene.talk().acks(Acks::Never).upgrade();
    scene.talk().client().text("question");
    scene.talk().server().text("answer");
    // The TLS handshake takes four packets.
    let fin = scene.written().count() as u64 + 1 + 4;
    scene.marks.insert("fin", fin);
    scene.talk().side(by).fin();
    scene.tls = Some(ending);
    scene
}

// How conversations are written down and read.

/// Bytes before the payload in a packet: Ethernet, IPv4, TCP without options.
const HEADERS: usize = 14 + 20 + 20;

/// A conversation as a capture shows it, with names for some of its packets.
struct Scene {
    source: Source,
    marks: BTreeMap<&'static str, u64>,
    /// Packets that the capture misses; the others keep their numbers.
    hidden: BTreeSet<u64>,
    /// No packet has a time.
    timeless: bool,
    /// Before this packet the clock was set back by an hour.
    clock_set_back: Option<&'static str>,
    /// Which of several connections is asked; `None` when there is one.
    flow: Option<u64>,
    /// These packets were recorded on a second interface.
    second: BTreeSet<u64>,
    /// It is spoken inside TLS that ends so.
    tls: Option<Ending>,
}

enum Source {
    Written(Box<Conversation>),
    Recorded(&'static str),
}

impl Scene {
    fn of(conversation: Conversation) -> Self {
        let source = Source::Written(Box::new(conversation));
        Self::from(source, BTreeMap::new())
    }

    fn from(source: Source, marks: BTreeMap<&'static str, u64>) -> Self {
        let (hidden, second) = (BTreeSet::new(), BTreeSet::new());
        Self { source, marks, hidden, timeless: false, clock_set_back: None, flow: None, second, tls: None }
    }

    fn connected() -> Self {
        let mut conversation = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        conversation.connect();
        let mut scene = Self::of(conversation);
        scene.marks.extend([("syn", 1), ("syn_ack", 2)]);
        scene
    }

    fn recorded(case: &'static str, marks: &[(&'static str, u64)]) -> Self {
        Self::from(Source::Recorded(case), marks.iter().copied().collect())
    }

    fn written(&self) -> &Conversation {
        match &self.source {
            Source::Written(conversation) => conversation,
            Source::Recorded(case) => panic!("{case} was recorded"),
        }
    }

    /// The conversation goes on.
    fn talk(&mut self) -> &mut Conversation {
        match &mut self.source {
            Source::Written(conversation) => conversation,
            Source::Recorded(case) => panic!("{case} was recorded"),
        }
    }

    /// The conversation goes on, and its next packet has this name.
    fn next(&mut self, name: &'static str) -> &mut Conversation {
        let number = self.written().count() as u64 + 1;
        self.marks.insert(name, number);
        self.talk()
    }

    /// The server closes, the client answers, TCP ends.
    fn ends_by_server(mut self, code: u16) -> Self {
        self.talk().wait(1.0);
        self.next("close").server().close(code, "");
        self.talk().client().close(code, "");
        self.talk().server().fin();
        self.talk().client().fin();
        self
    }

    /// The capture misses everything that one side sent.
    fn without(mut self, side: Side) -> Self {
        let port = if side == Side::Client { 40000 } else { 80 };
        let packets = self.written().packets().iter().zip(1..);
        let hidden: Vec<u64> =
            packets.filter(|(packet, _)| packet.segment().source.port() == port).map(|(_, number)| number).collect();
        assert!(!hidden.is_empty());
        self.hidden.extend(hidden);
        self
    }

    /// The same recorded twice: next to the client, and behind a router, on a second interface, next to the server. Of the
    /// packets `near`, only the point next to their sender has a record, of those `far` only the other one. A name is that
    /// of a packet's first record.
    fn at_two_points(mut self, near: &[&str], far: &[&str]) -> Self {
        let named = |names: &[&str]| -> Vec<usize> { names.iter().map(|name| self.index_of(name)).collect() };
        let (near, far) = (named(near), named(far));
        let once = std::mem::take(self.talk().packets_mut());
        let (mut records, mut numbers): (Vec<Packet>, Vec<u64>) = Default::default();
        for (index, packet) in once.into_iter().enumerate() {
            let from_client = packet.segment().source.port() == 40000;
            let mut routed = packet.clone();
            routed.time += 20_000;
            routed.segment_mut().hop_limit -= 1;
            numbers.push(records.len() as u64 + 1);
            for (record, kept, second) in
                [(packet, !far.contains(&index), !from_client), (routed, !near.contains(&index), from_client)]
            {
                if kept {
                    records.push(record);
                    self.second.extend(second.then_some(records.len() as u64));
                }
            }
        }
        *self.talk().packets_mut() = records;
        for number in self.marks.values_mut() {
            *number = numbers[usize::try_from(*number - 1).expect("a small number")];
        }
        self
    }

    /// The capture keeps only so many bytes of a packet.
    fn keep(&mut self, name: &'static str, bytes: usize) {
        let index = self.index_of(name);
        self.talk().packets_mut()[index].kept = Some(bytes);
    }

    fn number_of(&self, name: &str) -> u64 {
        *self.marks.get(name).unwrap_or_else(|| panic!("no packet is called {name}"))
    }

    fn index_of(&self, name: &str) -> usize {
        usize::try_from(self.number_of(name) - 1).expect("a small number")
    }

    fn payload_of(&self, name: &str) -> &[u8] {
        &self.written().packets()[self.index_of(name)].segment().payload
    }

    /// Seconds since the conversation began.
    fn second_of(&self, name: &str) -> f64 {
        if let Source::Written(conversation) = &self.source {
            return (conversation.packets()[self.index_of(name)].time - START) as f64 / 1e9;
        }
        let mut times = Vec::new();
        each_packet(self, |packet| times.push(packet.time.expect("a recorded packet has a time")));
        times[self.index_of(name)].seconds_since(times[0])
    }

    fn file(&self) -> Vec<u8> {
        match &self.source {
            Source::Recorded(case) if case.starts_with("tls-keys/") => read(case, "capture.pcap"),
            Source::Recorded(case) => std::fs::read(Case::named(case).capture).expect("a capture of the case"),
            Source::Written(_) if self.tls.is_some() => Capture::new().extend(self.wrapped().packets).pcap(),
            Source::Written(conversation) if self.timeless => {
                let mut writer = PcapngWriter::new();
                writer.section(false).interface(Link::Ethernet);
                for packet in conversation.packets() {
                    writer.simple_packet(packet);
                }
                writer.bytes()
            }
            Source::Written(conversation) if !self.second.is_empty() => {
                let mut writer = PcapngWriter::new();
                writer.section(false).interface(Link::Ethernet).interface(Link::Ethernet);
                for (packet, number) in conversation.packets().iter().zip(1..) {
                    writer.packet(u32::from(self.second.contains(&number)), packet);
                }
                writer.bytes()
            }
            Source::Written(conversation) => {
                let mut capture = Capture::new();
                capture.extend(conversation.packets().iter().cloned());
                if let Some(name) = self.clock_set_back {
                    let later = &mut capture.packets_mut()[self.index_of(name)..];
                    later.iter_mut().for_each(|packet| packet.time -= 3_600_000_000_000);
                }
                capture.pcap()
            }
        }
    }

    /// What is written, inside TLS.
    fn wrapped(&self) -> Wrapped {
        let ending = self.tls.expect("asked where it is");
        tls::wrap(self.written().packets(), ending, 1, &[]).expect("written in order")
    }

    /// The secrets of TLS.
    fn keys(&self) -> Vec<u8> {
        match &self.source {
            Source::Recorded(case) if case.starts_with("tls-keys/") => read(case, "keys.log"),
            Source::Written(_) if self.tls.is_some() => self.wrapped().keys.into_bytes(),
            _ => Vec::new(),
        }
    }

    /// The facts of the only connection.
    fn facts(&self) -> Facts {
        let mut options = Options::default();
        options.keys.add(&self.keys(), &options.limits);
        let mut analyzer = Analyzer::new(options);
        each_packet(self, |packet| analyzer.packet(packet));
        analyzer.finish();
        let mut reports: Vec<_> = std::iter::from_fn(|| analyzer.next_report()).collect();
        assert!(reports.len() == 1 || self.flow.is_some(), "{} connections", reports.len());
        reports.retain(|report| self.flow.is_none_or(|flow| flow == report.connection.id.flow));
        reports.remove(0).facts
    }
}

/// A file of a recorded case.
fn read(case: &str, file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case).join(file);
    std::fs::read(path).expect("a file of the case")
}

/// The packets that the capture has.
fn each_packet(scene: &Scene, mut take: impl FnMut(&wsdissect::capture::Packet<'_>)) {
    let mut reader = Reader::open(Cursor::new(scene.file())).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("a whole capture") {
        if !scene.hidden.contains(&packet.number.value()) {
            take(&packet);
        }
    }
}

// The tests.

#[test]
fn every_fact_has_its_examples() {
    let table = table();
    let names: Vec<&str> = table.iter().map(|row| row.name).collect();
    let facts: Vec<&str> = FACTS.iter().map(|fact| fact.name).collect();
    assert_eq!(names, facts, "the table has one row for each fact, in the order of `FACTS`");

    let mut faults = Faults::default();
    for row in &table {
        faults.unless(!row.seen.is_empty(), || format!("{} is nowhere seen", row.name));
        faults.unless(row.absent.is_empty() == row.never_absent.is_some(), || {
            format!("{} needs an example of its absence, or else the reason why there is none", row.name)
        });
        faults.unless(row.unknown.is_empty() == row.never_unknown.is_some(), || {
            format!("{} needs an example where it is unknown, or else the reason why there is none", row.name)
        });
        let FactType::Enum(words) = row.id().ty() else { continue };
        let shown: Vec<&str> = row.seen.iter().filter_map(|(_, want, _)| want.word()).collect();
        for word in words {
            faults.unless(shown.contains(word) != row.no_words.iter().any(|(without, _)| without == word), || {
                format!("{} = {word} needs an example, or else the reason why there is none", row.name)
            });
        }
    }
    faults.check();
}

#[test]
fn what_happened_is_seen_where_it_happened() {
    let mut faults = Faults::default();
    for row in table() {
        for (make, want, packets) in &row.seen {
            let scene = make();
            let facts = scene.facts();
            let evidence = facts.evidence(row.id());
            let right = evidence.value.seen().is_some_and(|value| want.is(value, &scene));
            faults.unless(right, || format!("{} is {:?} instead of {want:?}", row.name, evidence.value));
            let expected: Vec<u64> = packets.iter().map(|name| scene.number_of(name)).collect();
            faults.unless(packets_of(evidence) == expected, || {
                format!("{} {want:?}: packets {:?} instead of {expected:?}", row.name, packets_of(evidence))
            });
        }
    }
    faults.check();
}

#[test]
fn what_did_not_happen_is_absent() {
    let mut faults = Faults::default();
    for row in table() {
        for (number, make) in row.absent.iter().enumerate() {
            let facts = make().facts();
            let answer = facts.get(row.id());
            faults.unless(*answer == Known::Absent, || format!("{} is {answer:?}, absent no. {number}", row.name));
        }
    }
    faults.check();
}

#[test]
fn what_the_capture_hides_is_unknown() {
    let mut faults = Faults::default();
    for row in table() {
        for (number, (make, why)) in row.unknown.iter().enumerate() {
            let facts = make().facts();
            let answer = facts.get(row.id());
            faults.unless(*answer == Known::Unknown(*why), || {
                format!("{} is {answer:?} instead of {why:?}, unknown no. {number}", row.name)
            });
        }
    }
    faults.check();
}

#[test]
fn every_reason_for_not_knowing_has_an_example() {
    let table = table();
    let given: BTreeSet<WhyUnknown> = table.iter().flat_map(|row| &row.unknown).map(|&(_, why)| why).collect();
    for why in WhyUnknown::ALL {
        assert!(given.contains(why), "{}", why.name());
    }
}

/// The reasons in the table are claims too: no conversation here contradicts them.
#[test]
fn what_cannot_occur_does_not() {
    let table = table();
    let scenes = table.iter().flat_map(|row| {
        let seen = row.seen.iter().map(|(make, ..)| *make);
        let unknown = row.unknown.iter().map(|(make, _)| *make);
        seen.chain(row.absent.iter().copied()).chain(unknown)
    });
    // The same conversation stands in many rows.
    let scenes: BTreeMap<usize, Make> = scenes.map(|make| (make as usize, make)).collect();
    assert!(scenes.len() > 40, "only {} conversations", scenes.len());
    let mut faults = Faults::default();
    for facts in scenes.values().map(|make| make().facts()) {
        for row in &table {
            let answer = facts.get(row.id());
            let word = answer.seen().and_then(Value::text).unwrap_or_default();
            let contradiction = (row.never_absent.is_some() && *answer == Known::Absent)
                || (row.never_unknown.is_some() && matches!(answer, Known::Unknown(_)))
                || row.no_words.iter().any(|(without, _)| *without == word);
            faults.unless(!contradiction, || format!("{} is {answer:?}", row.name));
        }
    }
    faults.check();
}

// How the table is written down and checked.

type Make = fn() -> Scene;

/// One fact with its examples.
struct Row {
    name: &'static str,
    seen: Vec<(Make, Want, &'static [&'static str])>,
    absent: Vec<Make>,
    unknown: Vec<(Make, WhyUnknown)>,
    never_absent: Option<&'static str>,
    never_unknown: Option<&'static str>,
    no_words: Vec<(&'static str, &'static str)>,
}

/// The value that a fact must have.
#[derive(Debug)]
enum Want {
    Bool(bool),
    Int(i64),
    /// Text, or one of the fact's words.
    Text(&'static str),
    /// The time between two packets.
    Span(Span),
    /// So many seconds.
    Secs(f64),
    /// The mean of so many equal steps between two packets.
    Mean(&'static str, &'static str, u32),
}

use Want::Secs;

/// From one packet to another.
#[derive(Debug)]
struct Span(&'static str, &'static str);

impl From<bool> for Want {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Want {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Want {
    fn from(seconds: f64) -> Self {
        Self::Secs(seconds)
    }
}

impl From<&'static str> for Want {
    fn from(value: &'static str) -> Self {
        Self::Text(value)
    }
}

impl From<Span> for Want {
    fn from(value: Span) -> Self {
        Self::Span(value)
    }
}

impl Want {
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Text(word) => Some(word),
            _ => None,
        }
    }

    fn is(&self, value: &Value, scene: &Scene) -> bool {
        match (self, value) {
            (Self::Bool(want), Value::Bool(value)) => want == value,
            (Self::Int(want), Value::Int(value)) => want == value,
            (Self::Secs(want), Value::Float(value)) => want == value,
            (Self::Text(want), Value::Text(_) | Value::Enum(_)) => value.text() == Some(want),
            (Self::Span(Span(from, to)), Value::Float(value)) => {
                (scene.second_of(to) - scene.second_of(from) - value).abs() < 1e-6
            }
            (Self::Mean(from, to, steps), Value::Float(value)) => {
                ((scene.second_of(to) - scene.second_of(from)) / f64::from(*steps) - value).abs() < 1e-6
            }
            _ => false,
        }
    }
}

fn fact(name: &'static str) -> Row {
    Row {
        name,
        seen: Vec::new(),
        absent: Vec::new(),
        unknown: Vec::new(),
        never_absent: None,
        never_unknown: None,
        no_words: Vec::new(),
    }
}

impl Row {
    /// Here it has this value, shown by these packets.
    fn seen(mut self, scene: Make, value: impl Into<Want>, packets: &'static [&'static str]) -> Self {
        self.seen.push((scene, value.into(), packets));
        self
    }

    /// Here it did not happen.
    fn absent(mut self, scene: Make) -> Self {
        self.absent.push(scene);
        self
    }

    /// Here nobody can tell.
    fn unknown(mut self, scene: Make, why: WhyUnknown) -> Self {
        self.unknown.push((scene, why));
        self
    }

    /// By design it is never absent.
    fn never_absent(self, why: &'static str) -> Self {
        Self { never_absent: Some(why), ..self }
    }

    /// By design it is never unknown.
    fn never_unknown(self, why: &'static str) -> Self {
        Self { never_unknown: Some(why), ..self }
    }

    /// One of its words has no example.
    fn no_word(mut self, word: &'static str, why: &'static str) -> Self {
        self.no_words.push((word, why));
        self
    }

    fn id(&self) -> FactId {
        FactId::by_name(self.name).unwrap_or_else(|| panic!("{} is no fact", self.name))
    }
}

/// Collects what is wrong instead of stopping at the first.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.0.push(what());
        }
    }

    fn check(self) {
        assert!(self.0.is_empty(), "{} wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// The numbers of the packets that show a fact.
fn packets_of(evidence: &Evidence) -> Vec<u64> {
    evidence.packets.as_slice().iter().map(|packet| packet.value()).collect()
}
