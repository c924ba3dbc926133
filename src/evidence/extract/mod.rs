//! How each fact is read off a connection: one function for a row of the table, named as the fact.

pub(super) mod application;
pub(super) mod close;
pub(super) mod crowd;
pub(super) mod devices;
pub(super) mod end;
pub(super) mod handshake;
pub(super) mod hops;
pub(super) mod loss;
pub(super) mod path;
pub(super) mod peer;
pub(super) mod software;
pub(super) mod tls;
pub(super) mod tls_clear;
pub(super) mod tls_end;
mod view;
pub(super) mod whole;

pub(super) use devices::{Devices, drains};
pub(super) use view::View;

use super::{Known, PacketRefs, Value, WhyUnknown};
use crate::units::{Origin, Side};

/// The answer to one fact with the packets that show it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) value: Known<Value>,
    pub(super) packets: PacketRefs,
}

impl Answer {
    fn new(value: Known<Value>) -> Self {
        Self { value, packets: PacketRefs::default() }
    }

    /// The same answer, shown by these packets.
    fn at(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        origins.into_iter().for_each(|origin| self.packets.push(origin.packet));
        self
    }
}

fn absent() -> Answer {
    Answer::new(Known::Absent)
}

fn unknown(why: WhyUnknown) -> Answer {
    Answer::new(Known::Unknown(why))
}

fn boolean(value: bool) -> Answer {
    Answer::new(Known::Seen(Value::Bool(value)))
}

/// A count or number of bytes; saturates at `i64::MAX`, which only a false length can reach.
fn int(value: u64) -> Answer {
    Answer::new(Known::Seen(Value::Int(i64::try_from(value).unwrap_or(i64::MAX))))
}

/// Seconds between two moments, unknown when a packet carries no time.
fn seconds(value: Option<f64>) -> Answer {
    match value {
        Some(seconds) => Answer::new(Known::Seen(Value::Float(seconds))),
        None => unknown(WhyUnknown::NoTime),
    }
}

fn text(value: &str) -> Answer {
    Answer::new(Known::Seen(Value::Text(value.into())))
}

fn word(value: &'static str) -> Answer {
    Answer::new(Known::Seen(Value::Enum(value)))
}

fn side(value: Side) -> Answer {
    word(value.name())
}

/// What either side may have done: absent, unless one of them was not watched.
fn unless_one_sided(view: &View<'_>) -> Answer {
    if view.is_one_sided() { unknown(WhyUnknown::OneSided) } else { absent() }
}

/// Turns "cannot tell" into an answer, so that extractors can use `?`.
fn or_unknown(answer: Result<Answer, WhyUnknown>) -> Answer {
    answer.unwrap_or_else(unknown)
}
