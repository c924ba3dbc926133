//! What each stage of the analysis costs: each bench repeats the stages below it and adds one.
//!
//! `cargo bench --bench stages`, or `-- tcp` for one of them. `capture`, `packet`, `tcp` and `analysis` read the same chat, so
//! their differences are what a stage adds; `frames`, `inflate` and `handshake` work on bytes alone. `WSDISSECT_BENCH_MB`
//! sets the size of the chat (default 8).

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use std::hint::black_box;
use std::time::Duration;
use support::Rng;
use support::frames::{Deflater, Frame, rsv};
use support::workload::Workload;
use wsdissect::capture::{Packet, Reader};
use wsdissect::catalog::language::Language;
use wsdissect::fleet::Fleet;
use wsdissect::http::{Heads, RequestReader, Step};
use wsdissect::limits::Limits;
use wsdissect::packet::Decoder as PacketDecoder;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::report::{Closing, Speaker};
use wsdissect::stream::{Chunk, Gap, StreamEnd, StreamSink};
use wsdissect::tcp::FlowTable;
use wsdissect::units::{Origin, PacketNumber, Side, StreamOffset};
use wsdissect::websocket::{Decoder, DecoderConfig, Deflate, Event, EventSink, Scratch};
use wsdissect::{Analyzer, ConnectionReport, Options};

/// Hands every packet of a capture to `each`.
fn read(capture: &[u8], mut each: impl FnMut(&Packet<'_>)) {
    let mut reader = Reader::open(capture).expect("a capture of our own");
    while let Some(packet) = reader.next_packet().expect("a capture of our own") {
        each(&packet);
    }
}

/// What lies on TCP when nothing does: bytes are counted.
#[derive(Debug)]
struct Counted(u64);

impl StreamSink for Counted {
    type Context = ();

    fn chunk(&mut self, (): &mut (), chunk: Chunk<'_>) {
        self.0 += chunk.bytes.len() as u64;
    }

    fn gap(&mut self, (): &mut (), _: Gap) {}

    fn end(&mut self, (): &mut (), _: StreamEnd) {}
}

fn tcp(capture: &[u8]) -> u64 {
    let limits = Limits::default();
    let (mut decoder, mut flows) = (PacketDecoder::new(&limits), FlowTable::new(&limits));
    let mut bytes = 0;
    let mut taken = |flows: &mut FlowTable<Counted>| {
        bytes += std::iter::from_fn(|| flows.pop_finished()).map(|flow| flow.sink.0).sum::<u64>();
    };
    read(capture, |packet| {
        if let Ok(segment) = decoder.decode(packet) {
            flows.push(&segment, &mut (), |_| Counted(0));
            taken(&mut flows);
        }
    });
    flows.finish(&mut ());
    taken(&mut flows);
    bytes
}

/// An analysis that has read everything; its reports are not made yet.
fn analysed(capture: &[u8]) -> Analyzer {
    let mut analyzer = Analyzer::new(Options::default());
    read(capture, |packet| analyzer.packet(packet));
    analyzer.finish();
    analyzer
}

fn reports(mut analyzer: Analyzer) -> Vec<ConnectionReport> {
    std::iter::from_fn(|| analyzer.next_report()).collect()
}

/// A sink that wants nothing but the number of events.
#[derive(Default)]
struct Events(u64);

impl EventSink for Events {
    fn event(&mut self, event: Event<'_>) {
        black_box(&event);
        self.0 += 1;
    }
}

const ORIGIN: Origin = Origin { packet: PacketNumber::FIRST, time: None };

/// Events in a client's bytes, in segments as Ethernet carries them.
fn events(bytes: &[u8], deflate: Option<Deflate>) -> u64 {
    let mut scratch = Scratch::new(&Limits::default());
    let mut decoder = Decoder::new(DecoderConfig { sender: Side::Client, deflate });
    let mut events = Events::default();
    let mut offset = StreamOffset(0);
    for segment in bytes.chunks(1448) {
        decoder.push(&mut scratch, offset, ORIGIN, segment, &mut events);
        offset = offset.plus(segment.len() as u64);
    }
    events.0
}

/// Masked text messages of chat size, compressed if `deflater` says how.
fn messages(count: u64, mut deflater: Option<Deflater>) -> Vec<u8> {
    let mut rng = Rng::new(7);
    let mut bytes = Vec::new();
    for _ in 0..count {
        let len = rng.between(8, 1000) as usize;
        let text = rng.words(len);
        let frame = match &mut deflater {
            Some(deflater) => Frame::new(1, deflater.message(text.as_bytes())).rsv(rsv::RSV1),
            None => Frame::text(&text),
        };
        bytes.extend(frame.encode(Some(rng.key())));
    }
    bytes
}

const REQUEST: &[u8] =
    b"GET /chat?room=7 HTTP/1.1\r\nHost: example.test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://example.test\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nUser-Agent: a browser\r\n\r\n";

fn handshake(heads: &mut Heads) -> bool {
    let (step, _) = RequestReader::new().push(heads, StreamOffset(0), ORIGIN, black_box(REQUEST));
    matches!(step, Step::Head(_))
}

/// Times what is done with a fresh `setup` each time, which is not timed.
fn consume<T, R>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, setup: impl Fn() -> T, run: impl Fn(T) -> R) {
    group.bench_function(name, |b| b.iter_batched(&setup, &run, BatchSize::PerIteration));
}

fn main() {
    let megabytes = std::env::var("WSDISSECT_BENCH_MB").map_or(8, |text| text.parse().expect("a number of megabytes"));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let (chat, truth) = Workload::Chat.capture(megabytes << 20);
    let capture = &chat[..];

    let mut group = criterion.benchmark_group("packets");
    group.throughput(Throughput::Elements(truth.packets));
    group.bench_function("capture", |b| b.iter(|| read(capture, |packet| drop(black_box(packet.bytes)))));
    group.bench_function("packet", |b| {
        b.iter(|| {
            let mut decoder = PacketDecoder::new(&Limits::default());
            read(capture, |packet| drop(black_box(decoder.decode(packet))));
        });
    });
    group.bench_function("tcp", |b| b.iter(|| tcp(capture)));
    group.bench_function("analysis", |b| b.iter(|| analysed(capture)));
    group.finish();

    let mut group = criterion.benchmark_group("bytes");
    let (plain, deflated) =
        (messages(2000, None), messages(2000, Deflater::negotiated("permessage-deflate", "client")));
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("frames", |b| b.iter(|| events(&plain, None)));
    group.throughput(Throughput::Bytes(deflated.len() as u64));
    let deflate = Deflate { no_context_takeover: false, window_bits: 15 };
    group.bench_function("inflate", |b| b.iter(|| events(&deflated, Some(deflate))));
    let mut heads = Heads::new(&Limits::default());
    assert!(handshake(&mut heads), "the request is one");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("handshake", |b| b.iter(|| handshake(&mut heads)));
    group.finish();

    let mut group = criterion.benchmark_group("connections");
    group.throughput(Throughput::Elements(truth.connections));
    let speaker = Speaker::new(Language::En);
    assert_eq!(reports(analysed(capture)).len() as u64, truth.connections);
    consume(&mut group, "diagnosis", || analysed(capture), reports);
    let told = reports(analysed(capture));
    group.bench_function("json", |b| {
        b.iter(|| {
            let objects = told.iter().map(|report| ConnectionObject::new(report, "chat.pcap", &speaker));
            objects.map(|object| serde_json::to_string(&object).expect("JSON").len()).sum::<usize>()
        });
    });
    let closing = Closing { capture: "chat.pcap", summary: analysed(capture).summary(), ..Closing::default() };
    group.bench_function("text", |b| {
        b.iter(|| {
            let mut fleet = Fleet::default();
            told.iter().for_each(|report| fleet.add(report));
            TextReport::new(&speaker, 100).overview(&closing, &fleet.overview())
        });
    });
    group.finish();
    criterion.final_summary();
}
