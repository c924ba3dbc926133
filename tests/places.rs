//! One connection recorded at several places, in tunnels and in fragments: reported once, as if recorded once.

mod support;

use support::net::flags;
use support::{Conversation, Link};
use wsdissect::capture::{LinkType, Packet};
use wsdissect::limits::Limits;
use wsdissect::units::{PacketNumber, Side, Timestamp};
use wsdissect::{Analyzer, Options, Summary};

/// What one place records: time, interface, Ethernet frame.
type Record = (i64, u32, Vec<u8>);

/// With a retransmission of data and one of the FIN.
fn talk(client: &str, seed: u64) -> Conversation {
    let mut c = Conversation::new(client, "10.0.0.2:80");
    c.seed(seed).isn(seed as u32 * 1_000_000_007, seed as u32 * 998_244_353);
    c.connect();
    c.upgrade();
    c.client().text("hello");
    c.server().text(&"long ".repeat(600));
    let data = c.packets().iter().rposition(|packet| !packet.segment().payload.is_empty()).unwrap();
    c.wait(0.3);
    c.retransmit(data);
    c.wait(20.0);
    c.server().close(1011, "no luck");
    c.client().close(1011, "");
    c.server().fin();
    let fin = c.packets().iter().rposition(|packet| packet.segment().has(flags::FIN)).unwrap();
    c.wait(0.2);
    c.retransmit(fin);
    c.client().fin();
    c
}

fn records(talk: &Conversation, interface: u32) -> Vec<Record> {
    talk.packets().iter().map(|packet| (packet.time, interface, packet.bytes(Link::Ethernet))).collect()
}

/// An Ethernet frame with an IPv4 packet of `protocol` in it.
fn ipv4(protocol: u8, identification: u16, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let [length, identification] = [20 + payload.len() as u16, identification].map(u16::to_be_bytes);
    let header = [0x45, 0, length[0], length[1], identification[0], identification[1], 0, 0, 64, protocol, 0, 0];
    let addresses = [192, 168, 9, 1, 192, 168, 9, 2];
    Link::Ethernet.frame(&[&header[..], &addresses, &payload].concat())
}

/// `frame` in VXLAN with this network identifier.
fn vxlan(frame: &[u8], vni: u8) -> Vec<u8> {
    let length = (16 + frame.len() as u16).to_be_bytes();
    let udp = [0xd9, 3, 0x12, 0xb5, length[0], length[1], 0, 0];
    ipv4(17, 0, &[&udp, &[8, 0, 0, 0, 0, 0, vni, 0], frame])
}

/// The IPv4 packet in `frame` in fragments of 64 bytes, the last one first.
fn fragments(frame: &[u8], identification: u16) -> Vec<Vec<u8>> {
    let (header, payload) = frame[14..].split_at(20);
    let parts: Vec<&[u8]> = payload.chunks(64).collect();
    let last = parts.len() - 1;
    let fragment = |(index, part): (usize, &&[u8])| {
        let mut fragment = ipv4(header[9], identification, &[part]);
        let field = (index as u16 * 8) | (u16::from(index < last) << 13);
        fragment[20..22].copy_from_slice(&field.to_be_bytes());
        fragment
    };
    parts.iter().enumerate().map(fragment).rev().collect()
}

/// Everything that is told about the connections except packet numbers, and the summary.
fn analysed(mut records: Vec<Record>) -> (Vec<String>, Summary) {
    records.sort_by_key(|(time, ..)| *time);
    let mut analyzer = Analyzer::new(Options { limits: Limits::default(), ..Options::default() });
    for (number, (time, interface, bytes)) in (1..).zip(&records) {
        analyzer.packet(&Packet {
            number: PacketNumber::new(number).unwrap(),
            time: Some(Timestamp::from_nanos(*time)),
            link: LinkType::EN10MB,
            interface: *interface,
            bytes,
            original_len: bytes.len() as u32,
        });
    }
    analyzer.finish();
    let told = std::iter::from_fn(|| analyzer.next_report()).map(|report| {
        let connection = &report.connection;
        let side = |side: Side| {
            let tcp = &connection.tcp[side];
            let anomalies = tcp.anomalies();
            let retransmissions = (anomalies.retransmissions, tcp.syn_retransmissions, tcp.keep_alives);
            format!("{:?} {:?} {:?}", connection.traffic[side].frames.named(), tcp.segments, retransmissions)
        };
        let ends = Side::BOTH.map(side);
        let client = connection.endpoints.client;
        format!("{} {client} {:?} {ends:?}", connection.id.flow, report.diagnosis.cause.name())
    });
    (told.collect(), analyzer.summary())
}

#[test]
fn seen_at_several_places_it_is_reported_once() {
    let talk = talk("10.0.0.1:40000", 1);
    let once = records(&talk, 0);
    let (alone, summary) = analysed(once.clone());
    assert_eq!((alone.len(), summary.duplicates), (1, 0));
    assert!(alone[0].contains("internal_error"), "{alone:?}");

    let moved = |by: i64, interface: u32, change: &dyn Fn(&[u8]) -> Vec<u8>| -> Vec<Record> {
        once.iter().map(|(time, _, frame)| (time + by, interface, change(frame))).collect()
    };
    let same = |frame: &[u8]| frame.to_vec();
    let routed = |frame: &[u8]| {
        let mut frame = frame.to_vec();
        frame[22] -= 1;
        frame
    };
    let inside = |frame: &[u8]| vxlan(frame, 7);
    let others = [
        ("mirrored twice", moved(5_000, 0, &same)),
        ("another interface", moved(20_000, 1, &same)),
        ("another interface, its clock behind", moved(-20_000, 1, &same)),
        ("behind a router", moved(20_000, 1, &routed)),
        ("in a tunnel", moved(20_000, 0, &inside)),
    ];
    for (name, other) in others {
        let (told, summary) = analysed([once.clone(), other].concat());
        assert_eq!(told, alone, "{name}");
        assert_eq!(summary.duplicates as usize, once.len(), "{name}");
        assert_eq!((summary.flows, summary.analysed), (1, 2 * once.len() as u64), "{name}");
    }
    let (told, summary) = analysed([once.clone(), moved(9_000, 1, &inside), moved(20_000, 2, &routed)].concat());
    assert_eq!((told, summary.duplicates), (alone, 2 * once.len() as u64));
}

#[test]
fn a_tunnel_in_fragments_is_read_like_the_connection() {
    let once = records(&talk("10.0.0.1:40000", 1), 0);
    let (alone, _) = analysed(once.clone());
    let pieces = |(number, (time, interface, frame)): (usize, &Record)| {
        let (time, interface) = (*time, *interface);
        fragments(&vxlan(frame, 7), number as u16).into_iter().map(move |bytes| (time, interface, bytes))
    };
    let cut_up: Vec<Record> = once.iter().enumerate().flat_map(pieces).collect();
    let count = cut_up.len() as u64;
    let (told, summary) = analysed(cut_up.clone());
    assert_eq!(told, alone);
    assert_eq!((summary.packets, summary.analysed, summary.skipped.total()), (count, count, 0));
    // One fragment missing: its datagram stays what it is, fragments.
    let (_, summary) = analysed(cut_up[1..].to_vec());
    assert_eq!(summary.analysed + summary.skipped.fragment, count - 1);
    assert!(summary.skipped.fragment > 0);
}

#[test]
fn networks_with_the_same_addresses_are_reported_each() {
    let [one, other] = [1, 2].map(|seed| records(&talk("10.0.0.1:40000", seed), 0));
    let (alone, _) = analysed(one.clone());
    let inside = |records: &[Record], vni: u8| -> Vec<Record> {
        records.iter().map(|(time, interface, frame)| (time + i64::from(vni), *interface, vxlan(frame, vni))).collect()
    };
    let (told, summary) = analysed([inside(&one, 1), inside(&other, 2)].concat());
    assert_eq!((summary.flows, summary.duplicates), (2, 0));
    assert_eq!(told, [alone[0].clone(), alone[0].replacen('0', "1", 1)]);
}
