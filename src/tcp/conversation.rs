//! Conversations for tests: written down as two ends would hold them, then played to a table as a capture shows them.

use super::{EndFacts, Flow, FlowTable, TcpFacts};
use crate::limits::{LimitHits, Limits};
use crate::packet::{Segment, SeqNumber, TcpFlags, TcpOptions, Tunnel};
use crate::stream::{Chunk, End, Gap, GapReason, PerEnd, StreamEnd, StreamEndKind, StreamSink};
use crate::units::{Endpoint, Origin, PacketNumber, StreamOffset, Timestamp};

pub(super) const A: End = End::A;
pub(super) const B: End = End::B;

/// One segment, before it has a packet number.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) from: End,
    pub(super) port: u16,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) flags: TcpFlags,
    pub(super) window: u16,
    pub(super) hop_limit: u8,
    pub(super) identification: u16,
    pub(super) data: Vec<u8>,
    pub(super) cut: u32,
    pub(super) interface: u32,
    pub(super) tunnel: Option<Tunnel>,
    /// Milliseconds after the packet before it.
    pub(super) delay: u64,
}

/// A conversation that is being written down. Each end knows its next sequence number and what it has received.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    pub(super) sent: Vec<Sent>,
    pub(super) next: PerEnd<u32>,
    pub(super) port: u16,
    pub(super) timed: bool,
    /// No segment goes the short way.
    pub(super) unsettled: bool,
    /// So many segments at a time are foreseen.
    pub(super) foreseen: usize,
    delay: u64,
}

impl Conversation {
    /// Nothing said yet; the sequence numbers of A start at 1000, those of B at 5000.
    pub(super) fn silent() -> Self {
        Self {
            sent: Vec::new(),
            next: PerEnd { a: 1000, b: 5000 },
            port: 40_000,
            timed: true,
            unsettled: false,
            foreseen: 0,
            delay: 10,
        }
    }

    /// The three segments of the handshake.
    pub(super) fn open() -> Self {
        let mut talk = Self::silent();
        talk.handshake();
        talk
    }

    pub(super) fn handshake(&mut self) {
        self.bare(A, TcpFlags::SYN);
        self.next.a = self.next.a.wrapping_add(1);
        self.bare(B, TcpFlags::SYN | TcpFlags::ACK);
        self.next.b = self.next.b.wrapping_add(1);
        self.ack(A);
    }

    /// `from` sends `data` and moves on.
    pub(super) fn say(&mut self, from: End, data: &str) {
        self.push(from, self.next[from], TcpFlags::PSH | TcpFlags::ACK, data);
        self.next[from] = self.next[from].wrapping_add(data.len() as u32);
    }

    /// `from` sends `data`, the capture holds only the first `recorded` bytes.
    pub(super) fn say_cut(&mut self, from: End, data: &str, recorded: usize) {
        self.say(from, data);
        let last = self.last();
        last.cut = (last.data.len() - recorded) as u32;
        last.data.truncate(recorded);
    }

    /// `from` sends `data`, and the capture misses it.
    pub(super) fn lose(&mut self, from: End, data: &str) {
        self.say(from, data);
        self.sent.pop();
    }

    /// `from` sends `data` with a sequence number `behind` bytes before its next one.
    pub(super) fn repeat(&mut self, from: End, behind: u32, data: &str) {
        self.push(from, self.next[from].wrapping_sub(behind), TcpFlags::ACK, data);
    }

    /// `from` acknowledges all that its peer said so far.
    pub(super) fn ack(&mut self, from: End) {
        self.bare(from, TcpFlags::ACK);
    }

    pub(super) fn fin(&mut self, from: End) {
        self.bare(from, TcpFlags::FIN | TcpFlags::ACK);
        self.next[from] = self.next[from].wrapping_add(1);
    }

    pub(super) fn rst(&mut self, from: End) {
        self.bare(from, TcpFlags::RST | TcpFlags::ACK);
    }

    /// A segment without data.
    pub(super) fn bare(&mut self, from: End, flags: TcpFlags) {
        self.push(from, self.next[from], flags, "");
    }

    /// Milliseconds of silence before what comes next.
    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.delay = milliseconds;
    }

    /// The segment written last.
    pub(super) fn last(&mut self) -> &mut Sent {
        self.sent.last_mut().expect("something was said")
    }

    fn push(&mut self, from: End, seq: u32, flags: TcpFlags, data: &str) {
        let delay = std::mem::replace(&mut self.delay, 10);
        let ack = flags.ack().then_some(self.next[from.other()]);
        let data = data.as_bytes().to_vec();
        let (port, window, hop_limit, identification, cut, interface, tunnel) = (self.port, 1000, 64, 0, 0, 0, None);
        self.sent.push(Sent {
            from,
            port,
            seq,
            ack,
            flags,
            window,
            hop_limit,
            identification,
            data,
            cut,
            interface,
            tunnel,
            delay,
        });
    }

    /// The segments with their times.
    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut now = 0;
        self.sent.iter().enumerate().map(move |(index, sent)| {
            now += sent.delay;
            let a = Endpoint { ip: [10, 0, 0, 1].into(), port: sent.port };
            let b = Endpoint { ip: [10, 0, 0, 2].into(), port: 80 };
            let (source, destination) = if sent.from == A { (a, b) } else { (b, a) };
            let time = self.timed.then(|| Timestamp::from_nanos((now * 1_000_000).cast_signed()));
            Segment {
                origin: Origin { packet: PacketNumber::new(index as u64 + 1).expect("from 1"), time },
                interface: sent.interface,
                tunnel: sent.tunnel,
                source,
                destination,
                seq: SeqNumber(sent.seq),
                ack: sent.ack.map(SeqNumber),
                flags: sent.flags,
                window: sent.window,
                hop_limit: sent.hop_limit,
                identification: sent.identification,
                fragment_conflict: None,
                options: TcpOptions::default(),
                payload: &sent.data,
                payload_cut: sent.cut,
            }
        })
    }

    /// What a table makes of it.
    pub(super) fn play(&self) -> Played {
        self.play_with(&Limits::default())
    }

    pub(super) fn play_with(&self, limits: &Limits) -> Played {
        let mut table = FlowTable::new(limits);
        let mut flows = Vec::new();
        let mut opened = Vec::new();
        let mut most_lingering = 0;
        let segments: Vec<Segment<'_>> = self.segments().collect();
        for (index, segment) in segments.iter().enumerate() {
            if self.foreseen > 0 && index.is_multiple_of(self.foreseen) {
                table.foresee(&segments[index..segments.len().min(index + self.foreseen)]);
            }
            table.tick(segment.origin, &mut ());
            if self.unsettled {
                table.unsettle();
            }
            table.push(segment, &mut (), |start| {
                opened.push(start.origin.packet.value());
                Recorder::default()
            });
            flows.extend(std::iter::from_fn(|| table.pop_finished()));
            // One segment may be split into as many pieces as there are holes; here it fills few.
            assert!(table.waiting() <= limits.reorder_bytes_total + 4096, "waiting bytes are bounded");
            most_lingering = most_lingering.max(table.lingering());
            assert!(table.open_count() <= limits.flows, "flows are bounded");
        }
        table.finish(&mut ());
        flows.extend(std::iter::from_fn(|| table.pop_finished()));
        assert_eq!((table.open_count(), table.waiting()), (0, 0), "everything is let go");
        Played { flows, opened, late: table.late_segments(), hits: table.limit_hits(), most_lingering }
    }
}

/// What the table handed out.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) flows: Vec<Flow<Recorder>>,
    /// The first packet of each flow, in order of flow number.
    pub(super) opened: Vec<u64>,
    pub(super) late: u64,
    pub(super) hits: LimitHits,
    /// The longest queue of flows that were over.
    pub(super) most_lingering: usize,
}

impl Played {
    /// What one end of the only flow said: `text`, `<3>` for a gap, `<cut 3>`, `<?>`, `|` for its FIN, `!` for its RST.
    #[track_caller]
    pub(super) fn stream(&self, end: End) -> &str {
        &self.only().sink.text[end]
    }

    #[track_caller]
    pub(super) fn facts(&self) -> &TcpFacts {
        &self.only().tcp
    }

    #[track_caller]
    pub(super) fn end(&self, end: End) -> &EndFacts {
        &self.facts().ends[end]
    }

    #[track_caller]
    pub(super) fn only(&self) -> &Flow<Recorder> {
        assert_eq!(self.flows.len(), 1, "one flow is expected");
        &self.flows[0]
    }
}

/// A sink that writes down what it is told and checks the rules of [`StreamSink`]. After a `#` it wants no more.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) text: PerEnd<String>,
    /// Everything in order: the end and the packet of each call.
    pub(super) packets: Vec<(End, u64)>,
    /// What was acknowledged of each end when something was.
    acknowledged: Vec<(End, StreamOffset)>,
    offset: PerEnd<u64>,
    open_gap: PerEnd<bool>,
    ended: PerEnd<(bool, bool)>,
}

impl Recorder {
    fn note(&mut self, from: End, offset: StreamOffset, len: u64, origin: Origin, text: &str) {
        assert!(!self.open_gap[from], "nothing follows a gap without length");
        assert!(!self.ended[from].0, "nothing follows a FIN");
        assert_eq!(offset.0, self.offset[from], "offsets have no holes");
        self.offset[from] += len;
        self.text[from].push_str(text);
        self.packets.push((from, origin.packet.value()));
    }
}

impl StreamSink for Recorder {
    type Context = ();

    fn chunk(&mut self, (): &mut (), chunk: Chunk<'_>) {
        assert!(!chunk.bytes.is_empty(), "chunks are never empty");
        let text = String::from_utf8_lossy(chunk.bytes);
        self.note(chunk.from, chunk.offset, chunk.bytes.len() as u64, chunk.origin, &text);
    }

    fn gap(&mut self, (): &mut (), gap: Gap) {
        let text = match (gap.reason, gap.len) {
            (_, None) => "<?>".to_owned(),
            (GapReason::NotCaptured, Some(len)) => format!("<{len}>"),
            (GapReason::CutByCapture, Some(len)) => format!("<cut {len}>"),
            (GapReason::Limit, Some(len)) => format!("<limit {len}>"),
        };
        assert_ne!(gap.len, Some(0), "gaps are never empty");
        self.note(gap.from, gap.offset, gap.len.unwrap_or(0), gap.origin, &text);
        self.open_gap[gap.from] = gap.len.is_none();
    }

    fn acknowledged(&mut self, from: End, upto: StreamOffset) {
        self.acknowledged.push((from, upto));
    }

    fn is_done(&self) -> bool {
        self.text.a.ends_with('#') || self.text.b.ends_with('#')
    }

    fn end(&mut self, (): &mut (), end: StreamEnd) {
        let (fin, rst) = &mut self.ended[end.from];
        let (seen, mark) = match end.kind {
            StreamEndKind::Fin => (fin, '|'),
            StreamEndKind::Rst => (rst, '!'),
        };
        assert!(!std::mem::replace(seen, true) || end.kind == StreamEndKind::Rst, "one FIN");
        assert_eq!(end.offset.0, self.offset[end.from]);
        self.text[end.from].push(mark);
        self.packets.push((end.from, end.origin.packet.value()));
    }
}
