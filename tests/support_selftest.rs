//! The synthetic captures of `support` against independent readers: values from RFCs, the etherparse crate, tshark.

mod support;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use support::frames::{opcode, rsv};
use support::net::{Content, flags};
use support::workload::Workload;
use support::*;

/// A connection with something of everything: handshake, both directions, fragments, compression, a closing handshake.
fn talk(client: &str, server: &str, upgrade: &Upgrade) -> Conversation {
    let mut c = Conversation::new(client, server);
    c.connect();
    c.upgrade_with(upgrade);
    c.client().text("hi");
    c.server().text(&"long ".repeat(1000));
    c.client().message(opcode::TEXT, &[b"in ", b"three ", b"parts"]);
    c.server().ping(b"?");
    c.client().pong(b"?").binary(&[1, 2, 3]);
    c.wait(2.5);
    c.server().close(1001, "going away");
    c.client().close(1001, "");
    c.server().fin();
    c.client().fin();
    c
}

#[test]
fn frames_are_those_of_rfc_6455_section_5_7() {
    let hello = Frame::text("Hello");
    assert_eq!(hello.encode(None), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    let masked = hello.clone().masking(Masking::Key([0x37, 0xfa, 0x21, 0x3d]));
    assert_eq!(masked.encode(None), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(Frame::text("Hel").fin(false).encode(None), [0x01, 0x03, 0x48, 0x65, 0x6c]);
    assert_eq!(Frame::new(opcode::CONTINUATION, "lo").encode(None), [0x80, 0x02, 0x6c, 0x6f]);
    assert_eq!(Frame::binary(&[0; 256]).encode(None)[..4], [0x82, 0x7e, 0x01, 0x00]);
    assert_eq!(Frame::binary(&[0; 65536]).encode(None)[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    for (len, header) in [(125, &[0x82, 125][..]), (126, &[0x82, 126, 0, 126]), (65535, &[0x82, 126, 0xff, 0xff])] {
        assert!(Frame::binary(&vec![0; len]).encode(None).starts_with(header), "{len}");
    }
    assert_eq!(Frame::text("").length(Length::Bits16).encode(None), [0x81, 126, 0, 0]);
    assert_eq!(Frame::text("").length(Length::Claim(1 << 63)).encode(None), [0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn handshake_and_compression_are_those_of_the_rfcs() {
    assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455 §1.3
    let mut deflater = Deflater::negotiated("permessage-deflate", "client").unwrap();
    assert_eq!(deflater.message(b"Hello"), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]); // RFC 7692 §7.2.3.1
    assert_eq!(deflater.message(b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]); // §7.2.3.2
    assert_eq!(deflater.message(b""), [0x00]); // §7.2.3.6
    let mut fresh = Deflater::negotiated("permessage-deflate; client_no_context_takeover", "client").unwrap();
    assert_eq!(fresh.message(b"Hello"), fresh.message(b"Hello"));
    assert!(Deflater::negotiated("x-webkit-deflate-frame", "client").is_none());
}

#[test]
fn a_compressed_message_may_be_spread_over_frames() {
    let mut c = Conversation::new("10.0.0.1:1", "10.0.0.2:2");
    c.negotiate("permessage-deflate").acks(Acks::Never);
    c.server().message(opcode::TEXT, &[b"in ", b"three ", b"parts"]);
    let frames: Vec<_> = c.packets().iter().map(|packet| &packet.segment().payload).collect();
    assert_eq!(frames.iter().map(|frame| frame[0]).collect::<Vec<_>>(), [0x41, 0x00, 0x80]); // FIN last, RSV1 first
    let mut message: Vec<u8> = frames.iter().flat_map(|frame| &frame[2..]).copied().collect();
    message.extend([0, 0, 0xff, 0xff]);
    let mut text = Vec::with_capacity(100);
    flate2::Decompress::new(false).decompress_vec(&message, &mut text, flate2::FlushDecompress::Sync).unwrap();
    assert_eq!(text, b"in three parts");
}

#[test]
fn random_numbers_are_splitmix64() {
    // The first outputs for seed 1234567, as published with the reference implementation.
    let mut rng = Rng::new(1_234_567);
    assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
    assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    assert_eq!(rng.next_u64(), 9_817_491_932_198_370_423);
}

#[test]
fn packets_are_read_by_etherparse_with_right_checksums() {
    for (client, server) in [("10.0.0.1:40000", "10.0.0.2:80"), ("[2001:db8::1]:40000", "[2001:db8::2]:80")] {
        let mut c = Conversation::new(client, server);
        c.isn(u32::MAX - 2, 7).mss(100);
        c.connect();
        c.upgrade();
        c.client().binary(&[7; 333]).fin();
        for packet in Capture::of([c]).packets() {
            let wanted = packet.segment();
            for bytes in
                [packet.bytes(Link::Ethernet), packet.bytes(Link::Vlan(5)), packet.bytes(Link::DoubleVlan(9, 5))]
            {
                let sliced = SlicedPacket::from_ethernet(&bytes).unwrap();
                let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("not TCP") };
                assert_eq!(tcp.sequence_number(), wanted.seq);
                assert_eq!(tcp.acknowledgment_number(), wanted.ack);
                assert_eq!(tcp.syn(), wanted.has(flags::SYN));
                assert_eq!(tcp.payload(), wanted.payload);
                match sliced.net.unwrap() {
                    NetSlice::Ipv4(ip) => {
                        let header = ip.header().to_header();
                        assert_eq!(header.header_checksum, header.calc_header_checksum());
                        assert_eq!(tcp.calc_checksum_ipv4(header.source, header.destination).unwrap(), tcp.checksum());
                    }
                    NetSlice::Ipv6(ip) => {
                        let (source, destination) = (ip.header().source(), ip.header().destination());
                        assert_eq!(tcp.calc_checksum_ipv6(source, destination).unwrap(), tcp.checksum());
                    }
                    NetSlice::Arp(_) => panic!("not IP"),
                }
            }
        }
    }
}

#[test]
fn sequence_numbers_wrap_and_count_syn_and_fin() {
    let mut c = Conversation::new("10.0.0.1:1", "10.0.0.2:2");
    c.isn(u32::MAX, 0).acks(Acks::Never);
    c.connect();
    c.client().bytes(b"abc").fin().ack();
    let seqs: Vec<u32> = c.packets().iter().map(|packet| packet.segment().seq).collect();
    assert_eq!(seqs, [u32::MAX, 0, 0, 0, 3, 4]);
}

#[test]
fn held_bytes_share_a_segment() {
    let mut c = Conversation::new("10.0.0.1:1", "10.0.0.2:2");
    c.server().hold();
    c.upgrade();
    c.server().text("a").text("b").release();
    let payload = &c.packets().last().unwrap().segment();
    assert!(payload.payload.is_empty(), "the last packet is the ACK");
    let payload = &c.packets()[c.count() - 2].segment().payload;
    assert!(payload.starts_with(b"HTTP/1.1 101 ") && payload.ends_with(&[0x81, 1, b'a', 0x81, 1, b'b']));
}

#[test]
fn time_stamps_are_written_in_their_unit() {
    // 1 s and 500 ms: in 2^-20 s, 1.5 * 1048576.
    assert_eq!(TimeResolution::Binary(20).ticks(1_500_000_000), 1_572_864);
    assert_eq!(TimeResolution::Decimal(3).ticks(1_500_999_999), 1_500);
    let mut c = Conversation::new("10.0.0.1:1", "10.0.0.2:2");
    c.at(1_500_001_999).client().rst();
    let capture = Capture::of([c]);
    let big_micros = PcapFormat { big_endian: true, nanoseconds: false, snap_len: 60 };
    let bytes = capture.pcap_as(big_micros);
    assert_eq!(bytes[..4], [0xa1, 0xb2, 0xc3, 0xd4]);
    assert_eq!(bytes[24..40], [0, 0, 0, 1, 0, 7, 0xa1, 0x21, 0, 0, 0, 54, 0, 0, 0, 54]); // 500001 µs
    assert_eq!(bytes.len(), 24 + 16 + 54);
}

#[test]
fn same_calls_same_bytes() {
    let (first, truth) = Workload::Lossy.capture(200_000);
    assert_eq!(Workload::Lossy.capture(200_000), (first, truth));
}

// Against tshark, the reader everybody trusts.

/// The given fields of every packet of a capture as tshark reads them, tab separated; `None` without tshark.
fn tshark(name: &str, bytes: &[u8], arguments: &[&str]) -> Option<Vec<String>> {
    if Command::new("tshark").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        // Past the test harness, which would swallow what a passing test prints.
        let warning = format!("SKIPPED: no tshark on the PATH, so the capture \"{name}\" was compared with nothing\n");
        std::io::stderr().write_all(warning.as_bytes()).unwrap();
        return None;
    }
    static RUNS: AtomicU32 = AtomicU32::new(0); // tests run at the same time, and names come twice
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("wsdissect-{}-{run}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("tshark")
        .args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
        .arg(&path)
        .args(arguments)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

const WEBSOCKET: [&str; 9] = [
    "-Y",
    "websocket",
    "-Tfields",
    "-etcp.stream",
    "-ewebsocket.opcode",
    "-ewebsocket.mask",
    "-ewebsocket.payload.close.status_code",
    "-ewebsocket.payload.close.reason",
    "-ewebsocket.payload.text",
];

#[test]
fn tshark_reads_the_conversation_on_every_link() {
    // One interface per link, one conversation per interface and IP version: one run of tshark for all.
    let mut file = PcapngWriter::new();
    file.section(false);
    let mut expected = Vec::new();
    for (interface, link) in Link::ALL.into_iter().enumerate() {
        file.interface(link);
        for (client, server) in [("10.0.0.1", "10.0.0.2:80"), ("[::1]", "[::1]:80")] {
            let stream = expected.len() / 10;
            let conversation = talk(&format!("{client}:{}", 40000 + stream), server, &Upgrade::default());
            for packet in conversation.packets() {
                file.packet(interface as u32, packet);
            }
            let long = "long ".repeat(1000);
            expected.extend([
                format!("{stream}\t1\t1\t\t\thi"),
                format!("{stream}\t1\t0\t\t\t{long}"),
                format!("{stream}\t1\t1\t\t\t"),
                format!("{stream}\t0\t1\t\t\t"),
                format!("{stream}\t0\t1\t\t\tin three parts"),
                format!("{stream}\t9\t0\t\t\t"),
                format!("{stream}\t10\t1\t\t\t"),
                format!("{stream}\t2\t1\t\t\t"),
                format!("{stream}\t8\t0\t1001\tgoing away\t"),
                format!("{stream}\t8\t1\t1001\t\t"),
            ]);
        }
    }
    let Some(lines) = tshark("links", &file.bytes(), &WEBSOCKET) else { return };
    assert_eq!(lines, expected);
}

#[test]
fn tshark_inflates_the_messages() {
    // Whole messages only: tshark 4.0 does not inflate a message in several frames.
    for parameters in ["", "; client_no_context_takeover; server_no_context_takeover", "; server_max_window_bits=9"] {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.connect();
        c.upgrade_with(&Upgrade::deflate(parameters));
        let long = "a long one ".repeat(100);
        for text in [&long, "hi", &long] {
            c.client().text(text);
            c.server().text(text);
        }
        let bytes = Capture::of([c]).pcap();
        let fields = ["-Ywebsocket", "-Tfields", "-ewebsocket.rsv", "-ewebsocket.payload.text"];
        let Some(lines) = tshark("deflate", &bytes, &fields) else { return };
        let expected: Vec<_> = [&long, &long, "hi", "hi", &long, &long].map(|text| format!("0x04\t{text}")).into();
        assert_eq!(lines, expected, "{parameters}");
    }
}

#[test]
fn tshark_finds_nothing_wrong() {
    let mut capture = Capture::of([
        talk("10.0.0.1:40000", "10.0.0.2:80", &Upgrade::default()),
        talk("[2001:db8::1]:40001", "[2001:db8::2]:80", &Upgrade::deflate("")),
    ]);
    capture.packets_mut()[0].comments = vec!["one".into(), "two".into()];
    for (name, bytes) in [
        ("le-nanos", capture.pcap()),
        ("be-micros", capture.pcap_as(PcapFormat { big_endian: true, nanoseconds: false, ..PcapFormat::default() })),
        ("ng", capture.pcapng()),
    ] {
        let faults = ["-Y", "_ws.expert.severity >= 0x00600000 || tcp.analysis.flags || _ws.malformed"];
        let Some(lines) = tshark(name, &bytes, &faults) else { return };
        assert_eq!(lines, Vec::<String>::new(), "{name}");
        let fields = ["-Tfields", "-etcp.stream", "-eframe.time_epoch", "-eframe.comment", "-c2"];
        let lines = tshark(name, &bytes, &fields).unwrap();
        let comments = if name == "ng" { "one,two" } else { "" };
        assert_eq!(lines[0], format!("0\t1700000000.000000000\t{comments}"), "{name}");
        assert!(lines[1].starts_with("1\t"), "{name}: the second conversation starts at the same time");
    }
}

#[test]
fn tshark_sees_what_was_bent() {
    let mut c = talk("10.0.0.1:40000", "10.0.0.2:80", &Upgrade::default());
    let text = c.packets().iter().position(|packet| packet.segment().payload.len() == 2 + 4 + 2).unwrap();
    impair::duplicate(c.packets_mut(), text, 50_000_000);
    let bytes = Capture::of([c]).pcap();
    let Some(lines) = tshark("twice", &bytes, &["-Y", "tcp.analysis.retransmission"]) else { return };
    assert_eq!(lines.len(), 1);

    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect();
    c.upgrade();
    c.client().bytes(b"\x81").lost(b"\x80\0\0\0\0").frame(Frame::text("x")).rst();
    let bytes = Capture::of([c]).pcap();
    assert_eq!(tshark("lost", &bytes, &["-Y", "tcp.analysis.lost_segment"]).unwrap().len(), 1);

    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect();
    c.upgrade();
    c.server().frame(Frame::new(0xb, "?").rsv(rsv::RSV2 | rsv::RSV3).masking(Masking::Key([1, 2, 3, 4]))).rst();
    let bytes = Capture::of([c]).pcap();
    let fields = ["-Ywebsocket", "-Tfields", "-ewebsocket.opcode", "-ewebsocket.rsv", "-ewebsocket.mask"];
    assert_eq!(tshark("bits", &bytes, &fields).unwrap(), ["11\t0x03\t1"]);

    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect();
    c.request("GET /chat HTTP/1.1\nHost: example.test\nUpgrade: websocket");
    c.respond(403, "Server: x", "no");
    let bytes = Capture::of([c]).pcap();
    let fields = ["-Yhttp.response", "-Tfields", "-ehttp.response.code", "-ehttp.content_length", "-ehttp.file_data"];
    assert_eq!(tshark("refused", &bytes, &fields).unwrap(), ["403\t2\tno"]);
}

#[test]
fn tshark_reads_fragments_and_snapped_packets() {
    for (client, server) in [("10.0.0.1:40000", "10.0.0.2:80"), ("[2001:db8::1]:40000", "[2001:db8::2]:80")] {
        let conversation = talk(client, server, &Upgrade::default());
        let mut capture = Capture::new();
        for packet in conversation.packets() {
            capture.extend(packet.fragments(512));
        }
        let Some(lines) = tshark("fragments", &capture.pcap(), &WEBSOCKET) else { return };
        assert_eq!(lines.len(), 10, "{client}");

        let snapped = Capture::of([conversation]).snap_len(96).pcapng();
        let fields = ["-Y", "frame.cap_len < frame.len", "-Tfields", "-eframe.cap_len"];
        let lines = tshark("snapped", &snapped, &fields).unwrap();
        assert!(!lines.is_empty() && lines.iter().all(|line| line == "96"));
    }
}

#[test]
fn tshark_reads_every_shape_of_pcapng() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.at(1_700_000_000_250_000_000).client().ack();
    let packet = c.into_packets().remove(0);
    let cooked = Packet { content: Content::Ip(packet.segment().ip()), ..packet.clone() };

    let mut file = PcapngWriter::new();
    for big_endian in [false, true] {
        file.section(big_endian)
            .interface(Link::Ethernet)
            .interface_with(Link::Raw, 0, TimeResolution::Binary(10), 3600)
            .interface_with(Link::Sll2, 40, TimeResolution::Decimal(3), -7)
            .packet(0, &packet)
            .block(0x0bad_0bad, b"unknown")
            .packet(1, &cooked)
            .packet(2, &packet)
            .simple_packet(&packet);
    }
    let fields = ["-Tfields", "-eframe.time_epoch", "-eframe.encap_type", "-eframe.cap_len", "-eframe.len"];
    let Some(lines) = tshark("shapes", &file.bytes(), &fields) else { return };
    let once =
        ["1700000000.250000000\t1\t54\t54", "1700000000.250000000\t7\t40\t40", "1700000000.250000000\t210\t40\t60"];
    for section in lines.chunks(4) {
        assert_eq!(section[..3], once);
        assert!(section[3].ends_with("\t1\t54\t54"), "a simple packet has no time of its own: {}", section[3]);
    }
    assert_eq!(lines.len(), 8);
}

#[test]
fn tshark_counts_what_the_workloads_claim() {
    for workload in [Workload::Chat, Workload::Bulk, Workload::Deflate, Workload::Needle, Workload::Many] {
        let (bytes, truth) = workload.capture(300_000);
        let fields = ["-Ywebsocket", "-Tfields", "-ewebsocket.opcode", "-ewebsocket.payload.close.status_code"];
        let Some(lines) = tshark(workload.name(), &bytes, &fields) else { return };
        let opcodes = || lines.iter().flat_map(|line| line.split('\t').next().unwrap().split(','));
        assert_eq!(opcodes().count() as u64, truth.frames(), "{workload:?}");
        assert_eq!(opcodes().filter(|&opcode| opcode == "8").count() as u64, truth.close_frames(), "{workload:?}");
    }
}
