//! Heads as patterns: what a program sends again and again is compared, and need not be read.
//!
//! A pattern is drawn from a head that was read. It has the bytes on which the head's form and the length of its body
//! depend, as sent, and holes for the rest: the target, the value of the one field that each head has for itself, and values of
//! which only the name counts. A head that fits differs in its holes alone, so that reading it would come to the same form.
//! What must stay private is in holes, or no pattern is drawn.

use memchr::{memchr, memchr2};

/// The lines of one head, with holes.
#[derive(Debug)]
pub(super) struct Pattern {
    /// All bytes outside of holes, one behind the other.
    fixed: Box<[u8]>,
    /// Each hole, and the bytes of `fixed` that lie before it.
    holes: Box<[(usize, Hole)]>,
}

/// What a hole takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// A request target in origin form (RFC 9112 §3.2.1).
    Target,
    /// The value of a field.
    Value,
    /// The value of the field that each head has for itself.
    Own,
}

/// A head that fits.
#[derive(Debug)]
pub(super) struct Fit<'h> {
    /// Its length, with the empty line.
    pub(super) len: usize,
    /// The request target; empty in a response.
    pub(super) target: &'h [u8],
    /// The value of its own field, if it has one; white space may stand around it.
    pub(super) own: Option<&'h [u8]>,
}

/// How much of a field's value a form depends on.
pub(super) enum Counts {
    /// So many bytes at its start; the rest may be anything.
    First(usize),
    /// Each head has its own.
    Own,
    /// That cannot be said with a hole.
    Otherwise,
}

impl Pattern {
    /// Bytes of a head that a pattern is drawn from; those of programs are a quarter of it.
    const MAX_BYTES: usize = 4096;

    /// Draws the pattern of a head whose parts lie in `head`: the target of a request, and all fields.
    ///
    /// `None` when the head is an unusual one: too long, with a target in another form, with lines that are no fields, with
    /// two own fields, or with a value that counts in part.
    pub(super) fn draw(
        head: &[u8],
        target: Option<&str>,
        fields: &[httparse::Header<'_>],
        counts: impl Fn(&httparse::Header<'_>) -> Counts,
    ) -> Option<Self> {
        if head.len() > Self::MAX_BYTES {
            return None;
        }
        let mut drawing = Drawing { head, at: 0, fixed: Vec::with_capacity(head.len()), holes: Vec::new() };
        if let Some(target) = target {
            drawing.keep_until(place_of(head, target.as_bytes())?.start)?;
            drawing.hole(Hole::Target, target.len())?;
        }
        let line_end = head.get(drawing.at..)?.iter().position(|byte| *byte == b'\n')?;
        drawing.keep(line_end + 1)?;
        let mut has_own = false;
        for field in fields {
            let (name, value) = (place_of(head, field.name.as_bytes())?, place_of(head, field.value)?);
            let between = head.get(name.end..value.start)?;
            if name.start != drawing.at || !between.iter().all(|byte| matches!(byte, b':' | b' ' | b'\t')) {
                return None;
            }
            drawing.keep_until(value.start)?;
            match counts(field) {
                Counts::First(len) if len == field.value.len() => drawing.keep(len)?,
                Counts::First(len) => {
                    drawing.keep(len)?;
                    drawing.hole(Hole::Value, field.value.len() - len)?;
                }
                Counts::Own if !has_own => {
                    has_own = true;
                    drawing.hole(Hole::Own, field.value.len())?;
                }
                Counts::Own | Counts::Otherwise => return None,
            }
            let line_end = head.get(drawing.at..)?.iter().position(|byte| *byte == b'\n')?;
            let behind = head.get(drawing.at..drawing.at + line_end)?;
            if !behind.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                return None;
            }
            drawing.keep(line_end + 1)?;
        }
        if !matches!(head.get(drawing.at..)?, b"\n" | b"\r\n") {
            return None;
        }
        drawing.keep_until(head.len())?;
        Some(Self { fixed: drawing.fixed.into(), holes: drawing.holes.into() })
    }

    /// Whether `bytes` begin with a head that differs in the holes alone.
    pub(super) fn fit<'h>(&self, bytes: &'h [u8]) -> Option<Fit<'h>> {
        let mut fit = Fit { len: 0, target: &[], own: None };
        let (mut fixed, mut drawn, mut rest) = (&*self.fixed, 0, bytes);
        // What a hole holds is looked at when what follows it is right, as it seldom is in a pattern that does not fit.
        let mut held: Option<(Hole, &[u8])> = None;
        for (upto, hole) in &self.holes {
            let (literal, after) = fixed.split_at_checked(upto - drawn)?;
            (fixed, drawn, rest) = (after, *upto, rest.strip_prefix(literal)?);
            if held.is_some_and(|(hole, bytes)| !hole.takes(bytes)) {
                return None;
            }
            let (bytes, after) = rest.split_at(hole.len(rest)?);
            (rest, held) = (after, Some((*hole, bytes)));
            match hole {
                Hole::Target => fit.target = bytes,
                Hole::Value => {}
                Hole::Own => fit.own = Some(bytes),
            }
        }
        rest = rest.strip_prefix(fixed)?;
        fit.len = bytes.len() - rest.len();
        held.is_none_or(|(hole, bytes)| hole.takes(bytes)).then_some(fit)
    }

    /// The bytes outside of its holes.
    #[cfg(test)]
    pub(super) fn fixed(&self) -> &[u8] {
        &self.fixed
    }
}

impl Hole {
    /// Bytes up to what ends it.
    fn len(self, next: &[u8]) -> Option<usize> {
        match self {
            Self::Target => memchr(b' ', next),
            Self::Value | Self::Own => memchr2(b'\r', b'\n', next),
        }
    }

    /// Whether a parser would take these bytes there.
    fn takes(self, bytes: &[u8]) -> bool {
        // All bytes are looked at, many at a time.
        let all = |is_good: fn(u8) -> bool| bytes.iter().fold(true, |good, byte| good & is_good(*byte));
        match self {
            Self::Target => bytes.first() == Some(&b'/') && all(|byte| matches!(byte, b'!'..=b'~')),
            Self::Value | Self::Own => all(|byte| !matches!(byte, 0..=8 | 10..=31 | 127)),
        }
    }
}

/// A pattern that is being drawn, up to a place in the head.
struct Drawing<'a> {
    head: &'a [u8],
    at: usize,
    fixed: Vec<u8>,
    holes: Vec<(usize, Hole)>,
}

impl Drawing<'_> {
    fn keep(&mut self, len: usize) -> Option<()> {
        self.keep_until(self.at.checked_add(len)?)
    }

    fn keep_until(&mut self, end: usize) -> Option<()> {
        self.fixed.extend_from_slice(self.head.get(self.at..end)?);
        self.at = end;
        Some(())
    }

    /// Leaves a hole in place of the next `len` bytes, if they would fit in themselves.
    fn hole(&mut self, hole: Hole, len: usize) -> Option<()> {
        if !hole.takes(self.head.get(self.at..self.at.checked_add(len)?)?) {
            return None;
        }
        self.holes.push((self.fixed.len(), hole));
        self.at += len;
        Some(())
    }
}

/// Where a part of `whole` lies in it; `None` when it lies elsewhere.
fn place_of(whole: &[u8], part: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}
