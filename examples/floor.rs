//! The least that any program of this kind must do, as a measure for others: read every record, walk Ethernet, IP and TCP
//! headers, find the flow in a table, and see whether the payload is UTF-8.
//!
//! `cargo run --release --example floor -- chat.pcap`. It puts nothing in order, keeps nothing and knows no WebSocket.
//! `benches/compare` runs it in turn with the programs that it measures.

use pcap_parser::traits::PcapReaderIterator as _;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::process::ExitCode;

/// Addresses as 16 bytes each, whichever version, and ports.
type Ends = ([u8; 16], [u8; 16], [u8; 4]);

/// What one direction of a flow sent.
#[derive(Default)]
struct Sent {
    bytes: u64,
    /// Segments that are UTF-8 from their first to their last byte.
    utf8: u64,
}

#[derive(Default)]
struct Floor {
    packets: u64,
    flows: HashMap<Ends, Sent, foldhash::fast::RandomState>,
}

impl Floor {
    fn packet(&mut self, bytes: &[u8]) {
        self.packets += 1;
        let Some((ends, payload)) = segment(bytes) else { return };
        let sent = self.flows.entry(ends).or_default();
        sent.bytes += payload.len() as u64;
        sent.utf8 += u64::from(!payload.is_empty() && std::str::from_utf8(payload).is_ok());
    }
}

/// The ends and the payload of a TCP segment in an Ethernet frame; `None` for everything else.
fn segment(frame: &[u8]) -> Option<(Ends, &[u8])> {
    let (mut source, mut destination) = ([0; 16], [0; 16]);
    let ip = frame.get(14..)?;
    let tcp = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let header = usize::from(ip.first()? & 15) * 4;
            let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            source[..4].copy_from_slice(ip.get(12..16)?);
            destination[..4].copy_from_slice(ip.get(16..20)?);
            (*ip.get(9)? == TCP).then_some(ip.get(header..total)?)?
        }
        [0x86, 0xdd] => {
            let total = 40 + usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            source.copy_from_slice(ip.get(8..24)?);
            destination.copy_from_slice(ip.get(24..40)?);
            (*ip.get(6)? == TCP).then_some(ip.get(40..total)?)?
        }
        _ => return None,
    };
    let ports = [*tcp.first()?, *tcp.get(1)?, *tcp.get(2)?, *tcp.get(3)?];
    let payload = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    Some(((source, destination, ports), payload))
}

const TCP: u8 = 6;

fn read(path: &str) -> Result<Floor, Box<dyn Error>> {
    let mut reader = LegacyPcapReader::new(1 << 20, File::open(path)?)?;
    let mut floor = Floor::default();
    loop {
        match reader.next() {
            Ok((len, block)) => {
                if let PcapBlockOwned::Legacy(record) = block {
                    floor.packet(record.data);
                }
                reader.consume(len);
            }
            Err(PcapError::Eof) => return Ok(floor),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| format!("{error:?}"))?,
            Err(error) => return Err(format!("{error:?}").into()),
        }
    }
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: floor CAPTURE.pcap");
        return ExitCode::from(2);
    };
    match read(&path) {
        Ok(floor) => {
            let sent = floor.flows.values();
            let (bytes, utf8) = sent.fold((0, 0), |(bytes, utf8), sent| (bytes + sent.bytes, utf8 + sent.utf8));
            println!("packets: {}, directions: {}, bytes: {bytes}, UTF-8: {utf8}", floor.packets, floor.flows.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed to read {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
