//! A script of segments through the flow table. The sink checks what is promised to it: offsets without hole or overlap,
//! nothing after a FIN, and the right bytes at the right place; the table must keep to its bounds.
//!
//! The byte with sequence number n is n modulo 256, so that a stream shows whether its bytes are where they belong,
//! wherever it starts.

use super::super::input::{Fields, SegmentInput};
use super::super::{heap, small_limits};
use wsdissect::packet::{Segment, SeqNumber, TcpFlags, TcpOptions, Tunnel, TunnelKind};
use wsdissect::stream::{Chunk, End, Gap, PerEnd, StreamEnd, StreamEndKind, StreamSink};
use wsdissect::tcp::FlowTable;
use wsdissect::units::{Endpoint, Origin, PacketNumber, Timestamp};

/// The table of copies is 640 KiB, that of delivered runs 192 KiB; what waits is 8 KiB and its overhead. The rest is for
/// flows and their index.
const MOST_HEAP: usize = (1 << 20) + (192 << 10);

/// Checks one input.
pub fn run(bytes: &[u8]) {
    heap::at_most(MOST_HEAP, || play(bytes));
}

fn play(input: &[u8]) {
    let limits = small_limits();
    let mut table = FlowTable::new(&limits);
    let mut trust = Trust::Bytes;
    let mut fields = Fields(input);
    let (mut number, mut nanos, mut finished) = (PacketNumber::FIRST, 0_i64, 0);
    let mut next = [PerEnd { a: 1000_u32, b: 0xffff_fff0 }; 4];
    let mut data = Vec::with_capacity(4096);
    while let Some(script) = SegmentInput::read(&mut fields) {
        nanos += script.nanos();
        let connection = usize::from(script.place & 3);
        let from = if script.place & 4 == 0 { End::A } else { End::B };
        let flags = TcpFlags(script.flags);
        let jump = u32::from(script.seq_jump) << 24;
        let seq = SeqNumber(next[connection][from].wrapping_add_signed(script.seq.into()).wrapping_add(jump));
        let first = seq.plus(flags.syn().into());
        let wrong = if script.place & 0x80 == 0 { 0 } else { 0x55 };
        if wrong != 0 {
            trust = Trust::Offsets;
        }
        data.clear();
        data.extend((0..script.len).map(|i| first.plus(i.into()).0 as u8 ^ wrong));
        let a = Endpoint { ip: [10, 0, 0, 1].into(), port: 40_000 + connection as u16 };
        let b = Endpoint { ip: [10, 0, 0, 2].into(), port: 80 };
        let (source, destination) = if from == End::A { (a, b) } else { (b, a) };
        let segment = Segment {
            origin: Origin { packet: number, time: (script.place & 8 == 0).then_some(Timestamp::from_nanos(nanos)) },
            interface: u32::from(script.place >> 4 & 3),
            tunnel: (script.place & 0x40 != 0).then_some(Tunnel { kind: TunnelKind::Vxlan, id: 7, depth: 1 }),
            source,
            destination,
            seq,
            ack: flags
                .ack()
                .then_some(SeqNumber(next[connection][from.other()].wrapping_add_signed(script.ack.into()))),
            flags,
            window: u16::from(script.window) << 8,
            hop_limit: script.hop_limit,
            identification: 0,
            fragment_conflict: None,
            options: TcpOptions { window_scale: flags.syn().then_some(script.window), mss: None },
            payload: &data,
            payload_cut: script.cut.into(),
        };
        number = number.next();
        next[connection][from] = seq.plus(segment.sequence_len()).0;
        table.tick(segment.origin, &mut trust);
        table.push(&segment, &mut trust, |_| Checker::default());
        assert!(table.open_count() <= limits.flows);
        while let Some(flow) = table.pop_finished() {
            flow.sink.compare(&flow.tcp);
            finished += 1;
        }
    }
    table.finish(&mut trust);
    assert_eq!(table.open_count(), 0, "everything is let go");
    while let Some(flow) = table.pop_finished() {
        flow.sink.compare(&flow.tcp);
        finished += 1;
    }
    assert_eq!(finished, table.flow_count(), "every flow is handed out once");
}

/// What can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// All data agrees.
    Bytes,
    /// Some segments contradicted others.
    Offsets,
}

/// Checks the rules of [`StreamSink`].
#[derive(Debug, Default)]
struct Checker {
    ends: PerEnd<Checked>,
}

#[derive(Debug, Default)]
struct Checked {
    offset: u64,
    gaps: u64,
    gap_bytes: u64,
    /// What the next byte must be, once one was seen.
    next: Option<u8>,
    open_gap: bool,
    fin: bool,
}

impl Checked {
    fn advance(&mut self, offset: u64, len: u64) {
        assert!(!self.open_gap, "nothing follows a gap without length");
        assert!(!self.fin, "nothing follows a FIN");
        assert_eq!(self.offset, offset, "neither hole nor overlap");
        self.offset += len;
        self.next = self.next.map(|next| next.wrapping_add(len as u8));
    }
}

impl Checker {
    /// The facts must tell the same.
    fn compare(&self, facts: &wsdissect::tcp::TcpFacts) {
        for end in End::BOTH {
            let (checked, told) = (&self.ends[end], &facts.ends[end]);
            assert_eq!(told.bytes, checked.offset, "length of the stream");
            assert_eq!(told.anomalies().gaps, checked.gaps, "gaps");
            assert_eq!(told.anomalies().gap_bytes, checked.gap_bytes, "bytes in gaps");
            assert!(told.anomalies().cut_bytes <= checked.gap_bytes);
            assert!(told.data_segments <= told.segments);
        }
    }
}

impl StreamSink for Checker {
    type Context = Trust;

    fn chunk(&mut self, trust: &mut Trust, chunk: Chunk<'_>) {
        let end = &mut self.ends[chunk.from];
        let (first, len) = (chunk.bytes[0], chunk.bytes.len());
        if *trust == Trust::Bytes {
            assert_eq!(end.next.unwrap_or(first), first, "a byte of another place at {}", chunk.offset.0);
            let in_order = |pair: &[u8]| pair[1] == pair[0].wrapping_add(1);
            assert!(chunk.bytes.windows(2).all(in_order), "bytes of another place after {}", chunk.offset.0);
        }
        end.next = Some(first);
        end.advance(chunk.offset.0, len as u64);
    }

    fn gap(&mut self, _: &mut Trust, gap: Gap) {
        assert_ne!(gap.len, Some(0), "gaps are never empty");
        let end = &mut self.ends[gap.from];
        end.advance(gap.offset.0, gap.len.unwrap_or(0));
        end.open_gap = gap.len.is_none();
        end.gaps += 1;
        end.gap_bytes += gap.len.unwrap_or(0);
    }

    fn end(&mut self, _: &mut Trust, stream_end: StreamEnd) {
        let end = &mut self.ends[stream_end.from];
        assert_eq!(stream_end.offset.0, end.offset);
        // A RST that the connection outlives may be followed by another.
        if stream_end.kind == StreamEndKind::Fin {
            assert!(!std::mem::replace(&mut end.fin, true), "one FIN for each end");
        }
    }
}
