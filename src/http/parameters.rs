//! The parameters of `permessage-deflate` (RFC 7692 §7.1): what an offer or an answer may hold, and what it means.
//!
//! Names of parameters are compared without regard to case: RFC 7692 does not say that they must not be.

use super::fields::{Extension, Param};
use super::text::Text;
use crate::units::{PerSide, Side};

/// How one side compresses (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    /// Whether every message starts with an empty window.
    pub no_context_takeover: bool,
    /// Base-2 logarithm of the window, 8 to 15.
    pub window_bits: u8,
}

impl DeflateParams {
    /// What an answer settles for the frames of each side. A parameter that is out of range counts as absent.
    pub(super) fn of_answer(answer: &Extension) -> PerSide<Self> {
        let named = |name| answer.params.iter().filter(move |param: &&Param| param.name.is_ignoring_case(name));
        let of = |side| Self {
            no_context_takeover: named(no_context_takeover(side)).next().is_some(),
            window_bits: named(max_window_bits(side))
                .find_map(|param| window_bits(param.value.as_ref()?))
                .unwrap_or(LARGEST_WINDOW),
        };
        PerSide { client: of(Side::Client), server: of(Side::Server) }
    }
}

/// Which way an element travels; the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Offer,
    Answer,
}

/// The parameters of one `permessage-deflate` element.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    no_context_takeover: PerSide<bool>,
    /// `None`: absent. `Some(None)`: without a value, which only the client's may be, in an offer.
    max_window_bits: PerSide<Option<Option<u8>>>,
}

impl Parameters {
    /// The parameters, and each fault that RFC 7692 §7.1 forbids.
    pub(super) fn read(extension: &Extension, direction: Direction) -> (Self, Vec<String>) {
        let mut read = Self::default();
        let mut faults = Vec::new();
        for param in &extension.params {
            faults.extend(read.add(param, direction).err());
        }
        (read, faults)
    }

    fn add(&mut self, param: &Param, direction: Direction) -> Result<(), String> {
        let name = &param.name;
        for side in Side::BOTH {
            if name.is_ignoring_case(no_context_takeover(side)) {
                if let Some(value) = &param.value {
                    return Err(format!("{name}={value}, which takes no value"));
                }
                let again = std::mem::replace(&mut self.no_context_takeover[side], true);
                return if again { Err(format!("{name} twice")) } else { Ok(()) };
            }
            if name.is_ignoring_case(max_window_bits(side)) {
                let bits = match &param.value {
                    Some(value) => match window_bits(value) {
                        Some(bits) => Some(bits),
                        None => return Err(format!("{name}={value} is not a number from 8 to 15")),
                    },
                    None if side == Side::Client && direction == Direction::Offer => None,
                    None => return Err(format!("{name} without a value")),
                };
                let again = self.max_window_bits[side].replace(bits).is_some();
                return if again { Err(format!("{name} twice")) } else { Ok(()) };
            }
        }
        Err(match &param.value {
            Some(value) => format!("unknown parameter {name}={value}"),
            None => format!("unknown parameter {name}"),
        })
    }

    /// Whether `answer` accepts this offer, or the parameter that does not fit (RFC 7692 §7.1.1, §7.1.2).
    pub(super) fn is_taken_up_by(&self, answer: &Self) -> Result<(), String> {
        let (of_server, of_client) = (max_window_bits(Side::Server), max_window_bits(Side::Client));
        if self.no_context_takeover.server && !answer.no_context_takeover.server {
            return Err(format!("{} was asked for and not answered", no_context_takeover(Side::Server)));
        }
        let bits = |side: Side| answer.max_window_bits[side].flatten();
        match (self.max_window_bits.server.flatten(), bits(Side::Server)) {
            (Some(asked), None) => {
                return Err(format!("{of_server}={asked} was asked for and not answered"));
            }
            (Some(asked), Some(given)) if given > asked => {
                return Err(format!("{of_server}={given} where at most {asked} was asked for"));
            }
            _ => {}
        }
        // A value in the offer is a hint that the server may ignore, so that a larger one in the answer is legal.
        match (self.max_window_bits.client, bits(Side::Client)) {
            (None, Some(given)) => Err(format!("{of_client}={given} was not offered")),
            _ => Ok(()),
        }
    }
}

/// Whether this is the extension of RFC 7692.
pub(super) fn is_deflate(extension: &Extension) -> bool {
    extension.name.is_ignoring_case(DEFLATE)
}

/// Its token.
pub(super) const DEFLATE: &str = "permessage-deflate";

const LARGEST_WINDOW: u8 = 15;

fn no_context_takeover(side: Side) -> &'static str {
    match side {
        Side::Client => "client_no_context_takeover",
        Side::Server => "server_no_context_takeover",
    }
}

fn max_window_bits(side: Side) -> &'static str {
    match side {
        Side::Client => "client_max_window_bits",
        Side::Server => "server_max_window_bits",
    }
}

/// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
fn window_bits(value: &Text) -> Option<u8> {
    match value.as_str().as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}
