//! IEEE 802.11 frames down to the LLC header.

use super::{Skip, link, split};
use crate::capture::LinkType;

/// A radiotap header, whose length is its third field, little-endian; then the frame.
pub(super) fn radiotap(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([version, _, l0, l1], _) = split(bytes)?;
    let length = usize::from(u16::from_le_bytes([*l0, *l1]));
    if *version != 0 || length < 8 {
        return Err(Skip::Malformed);
    }
    frame(bytes.get(length..).ok_or(Skip::Cut)?)
}

/// Version, flags, length and link type of the per-packet information, little-endian; its fields say nothing to us.
pub(super) fn ppi(bytes: &[u8]) -> Result<(LinkType, &[u8]), Skip> {
    let ([version, _, l0, l1, d0, d1, d2, d3], _) = split(bytes)?;
    let length = usize::from(u16::from_le_bytes([*l0, *l1]));
    let link = u16::try_from(u32::from_le_bytes([*d0, *d1, *d2, *d3])).map_err(|_| Skip::Malformed)?;
    if *version != 0 || length < 8 {
        return Err(Skip::Malformed);
    }
    Ok((LinkType(link), bytes.get(length..).ok_or(Skip::Cut)?))
}

/// A data frame that is neither encrypted nor in parts, with one LLC packet. All others hold nothing that we can read.
pub(super) fn frame(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([kind, flags, ..], mut rest) = split::<24>(bytes)?;
    let fragment = bytes[22] & 15 != 0;
    let [both_systems, more, protected, order] = [0x03, 0x04, 0x40, 0x80].map(|bits| flags & bits == bits);
    // Version 0, type data; subtypes with bit 2 set carry no data.
    if kind & 0x4f != 0x08 || more || fragment || protected {
        return Err(Skip::NotIp);
    }
    if both_systems {
        rest = split::<6>(rest)?.1;
    }
    if kind & 0x80 != 0 {
        let ([control, _], after) = split(rest)?;
        rest = if order { split::<4>(after)?.1 } else { after };
        // Several packets in one frame (A-MSDU): two addresses and a length in front of each.
        if control & 0x80 != 0 {
            let ([.., l0, l1], after) = split::<14>(rest)?;
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            // One is read; with a second one behind it (the checksum has 4 bytes), none is, rather than half of them.
            if after.len() > length.next_multiple_of(4) + 4 {
                return Err(Skip::NotIp);
            }
            rest = after;
        }
    }
    link::snap(rest)
}
