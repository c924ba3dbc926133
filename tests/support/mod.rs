//! Synthetic captures for tests and benches: conversations in, capture files out.
//!
//! Nothing here uses the library under test. Checksums, headers and file blocks are written from the RFCs and the file
//! format drafts, so a test that compares what the library reads with what was written here can fail. Everything is
//! deterministic: same calls, same bytes.
//!
//! ```ignore
//! let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
//! c.connect();
//! c.upgrade();
//! c.client().text("hi");
//! c.server().text("hello").close(1001, "");
//! c.wait(60.0);
//! c.server().fin();
//! let bytes = Capture::of([c]).pcap();
//! ```
//!
//! - `net`: one TCP segment to IP bytes with right checksums; IP fragments; link-layer framing.
//! - `frames`: WebSocket frames with arbitrary header bits, permessage-deflate, `Sec-WebSocket-Accept`.
//! - `conversation`: two TCP ends that talk; yields timed packets.
//! - `mutate`: what goes wrong with capture files, done to one on purpose.
//! - `impair`: loss, duplication, reordering on a list of packets.
//! - `capture`: packets to pcap and pcapng bytes.
//! - `traffic`: what is no WebSocket.
//! - `workload`: large deterministic captures for benches.
//! - `rng`: the only source of randomness.
//! - `tls`: the same conversation as `wss`, with the secrets that open it.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test crate uses its own part of this")]

pub mod capture;
pub mod conversation;
pub mod frames;
pub mod impair;
pub mod mutate;
pub mod net;
pub mod rng;
pub mod tls;
pub mod traffic;
pub mod workload;

pub use capture::{Capture, PcapFormat, PcapngWriter, TimeResolution};
pub use conversation::{Acks, Conversation, Side, Upgrade};
pub use frames::{Deflater, Frame, Length, Masking, accept_for};
pub use net::{Link, Packet, Segment};
pub use rng::Rng;
