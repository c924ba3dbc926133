//! Heads as patterns: what a program sends again and again is compared, and need not be read.
//!
//! A pattern is drawn from a head that was read. It has the bytes on which the head's form and the length of its body
//! depend, as sent, and holes for the rest: the target, the value of the one field that each head has for itself, the length of the
//! body, and values of which only the name counts. A head that fits differs in its holes alone, so that reading it would come to
//! the same form.
//! What must stay private is in holes, or no pattern is drawn.
//!
//! All patterns form one tree: what some of them begin with in common is compared once, whichever of them it is.

use memchr::memchr;

/// What came of heads, by the patterns that were drawn from them.
///
/// Bounded: a tree that is full is begun anew.
#[derive(Debug)]
pub(super) struct Patterns<T> {
    start: Option<Node<T>>,
    bytes: usize,
}

/// Bytes outside of holes, and what comes behind them.
#[derive(Debug)]
struct Node<T> {
    fixed: Box<[u8]>,
    behind: Behind<T>,
}

#[derive(Debug)]
enum Behind<T> {
    /// The head ends.
    End(T),
    /// A hole, and what follows it.
    Hole(Hole, Box<Node<T>>),
    /// Heads that go on with different bytes: the first byte of each node, and the nodes.
    Fork(Vec<u8>, Vec<Node<T>>),
}

/// What stands between two holes, and the second one; behind the last, none.
type Run<'a> = (&'a [u8], Option<Hole>);

/// What a hole takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// A request target in origin form (RFC 9112 §3.2.1).
    Target,
    /// The value of a field.
    Value,
    /// The value of the field that each head has for itself.
    Own,
    /// A number.
    Length,
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
    /// The length of the body, if it has a field for it.
    pub(super) body: Option<u64>,
}

/// How much of a field's value a form depends on.
pub(super) enum Counts {
    /// All of it.
    Whole,
    /// So many bytes at its start; the rest may be anything.
    First(usize),
    /// Each head has its own.
    Own,
    /// It is the length of the body.
    Length,
    /// That cannot be said with a hole.
    Otherwise,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self { start: None, bytes: 0 }
    }
}

impl<T> Patterns<T> {
    /// Bytes that all nodes take, about.
    pub(super) const MAX_BYTES: usize = 256 << 10;

    /// Bytes of a head that a pattern is drawn from; those of programs are a quarter of it.
    const MAX_HEAD: usize = 4096;

    /// Draws the pattern of a head whose parts lie in `head`: the target of a request, and all fields. `read` came of it.
    ///
    /// There is none when the head is an unusual one: too long, with a target in another form, with lines that are no fields,
    /// with two own fields or lengths, or with a value that counts in part.
    pub(super) fn add(
        &mut self,
        head: &[u8],
        target: Option<&str>,
        fields: &[httparse::Header<'_>],
        counts: impl Fn(&httparse::Header<'_>) -> Counts,
        read: T,
    ) {
        let drawing = Some(Drawing::new(head)).filter(|_| head.len() <= Self::MAX_HEAD);
        let Some(mut runs) = drawing.and_then(|drawing| drawing.finish(target, fields, counts)) else { return };
        let bytes = head.len() + runs.len() * size_of::<Node<T>>();
        if self.bytes + bytes > Self::MAX_BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
        match &mut self.start {
            Some(start) => start.add(&mut runs, read),
            None => self.start = Some(Node::of(&runs, read)),
        }
    }

    /// What came of the heads that differ from the one at the start of `bytes` in the holes alone.
    pub(super) fn find<'h>(&self, bytes: &'h [u8]) -> Option<(&T, Fit<'h>)> {
        let mut fit = Fit { len: 0, target: &[], own: None, body: None };
        let (mut node, mut rest) = (self.start.as_ref()?, bytes);
        loop {
            rest = rest.strip_prefix(&*node.fixed)?;
            node = match &node.behind {
                Behind::End(read) => {
                    fit.len = bytes.len() - rest.len();
                    return Some((read, fit));
                }
                Behind::Hole(hole, next) => {
                    let (held, after) = rest.split_at(hole.len(rest)?);
                    match hole {
                        Hole::Target => fit.target = held,
                        Hole::Value => {}
                        Hole::Own => fit.own = Some(held),
                        Hole::Length => fit.body = Some(number(held)),
                    }
                    rest = after;
                    next
                }
                Behind::Fork(firsts, nodes) => &nodes[memchr(*rest.first()?, firsts)?],
            };
        }
    }
}

impl<T> Node<T> {
    /// A pattern by itself.
    fn of(runs: &[Run<'_>], read: T) -> Self {
        let mut runs = runs.iter().rev();
        let fixed = |run: Option<&Run<'_>>| run.map(|(fixed, _)| *fixed).unwrap_or_default().into();
        let last = Self { fixed: fixed(runs.next()), behind: Behind::End(read) };
        runs.fold(last, |next, run| match run.1 {
            Some(hole) => Self { fixed: fixed(Some(run)), behind: Behind::Hole(hole, Box::new(next)) },
            None => next,
        })
    }

    /// Adds a pattern, unless one has a hole where the other has none: then nothing could tell which of them to try.
    fn add(&mut self, mut runs: &mut [Run<'_>], read: T) {
        let mut node = self;
        while let [(fixed, hole), ..] = runs {
            let common = node.fixed.iter().zip(*fixed).take_while(|(one, other)| one == other).count();
            *fixed = &fixed[common..];
            let (first, hole) = (fixed.first().copied(), *hole);
            if common < node.fixed.len() {
                let Some(first) = first else { return };
                return node.fork(common, first, Self::of(runs, read));
            }
            node = match (&mut node.behind, first, hole) {
                (Behind::Fork(firsts, nodes), Some(first), _) => match memchr(first, firsts) {
                    Some(at) => &mut nodes[at],
                    None => {
                        firsts.push(first);
                        return nodes.push(Self::of(runs, read));
                    }
                },
                (Behind::Hole(known, next), None, Some(hole)) if *known == hole => {
                    runs = &mut runs[1..];
                    next
                }
                _ => return,
            };
        }
    }

    /// Lets `other`, which begins with the byte `first`, branch off before the byte `at`.
    fn fork(&mut self, at: usize, first: u8, other: Self) {
        let own = self.fixed[at];
        let fork = Behind::Fork(vec![own, first], Vec::with_capacity(2));
        let rest = Self { fixed: self.fixed[at..].into(), behind: std::mem::replace(&mut self.behind, fork) };
        self.fixed = self.fixed[..at].into();
        if let Behind::Fork(_, nodes) = &mut self.behind {
            nodes.extend([rest, other]);
        }
    }
}

impl Hole {
    /// Bytes up to what ends it; `None` when a parser would not take them there.
    fn len(self, next: &[u8]) -> Option<usize> {
        match self {
            Self::Target => {
                let len = first(next, |bytes| below(bytes, b'!') | from_delete(bytes))?;
                (next[0] == b'/' && next[len] == b' ').then_some(len)
            }
            Self::Value | Self::Own => {
                let len = first(next, |bytes| (below(bytes, b' ') & !equal(bytes, b'\t')) | equal(bytes, DELETE))?;
                matches!(next[len], b'\r' | b'\n').then_some(len)
            }
            Self::Length => {
                let len = next.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
                let is_number = (1..=MOST_DIGITS).contains(&len) && matches!(next.get(len), Some(b'\r' | b'\n'));
                is_number.then_some(len)
            }
        }
    }
}

/// Whatever these digits are, they fit into a number.
const MOST_DIGITS: usize = 18;

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

const DELETE: u8 = 127;

/// The place of the first byte of which `find` sets the high bit; it is asked of eight at a time.
#[inline]
fn first(bytes: &[u8], find: impl Fn(u64) -> u64) -> Option<usize> {
    let place = |found: u64| found.trailing_zeros() as usize / 8;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let found = find(u64::from_le_bytes(*eight));
        if found != 0 {
            return Some(at * 8 + place(found));
        }
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let at = place(find(u64::from_le_bytes(last)));
    (at < rest.len()).then_some(eights.len() * 8 + at)
}

const EACH: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = EACH << 7;

/// The high bits of those bytes that are less than `bound`, which is one of ASCII.
fn below(bytes: u64, bound: u8) -> u64 {
    // Without the high bits no sum reaches the next byte.
    !(((bytes & !HIGH) + EACH * u64::from(128 - bound)) | bytes) & HIGH
}

/// The high bits of those bytes that are this one.
fn equal(bytes: u64, byte: u8) -> u64 {
    below(bytes ^ (EACH * u64::from(byte)), 1)
}

/// The high bits of those bytes that are DEL or none of ASCII.
fn from_delete(bytes: u64) -> u64 {
    (((bytes & !HIGH) + EACH) | bytes) & HIGH
}

/// A pattern that is being drawn, up to a place in the head.
struct Drawing<'h> {
    head: &'h [u8],
    at: usize,
    /// The end of the last hole.
    fixed_from: usize,
    runs: Vec<Run<'h>>,
}

impl<'h> Drawing<'h> {
    fn new(head: &'h [u8]) -> Self {
        Self { head, at: 0, fixed_from: 0, runs: Vec::new() }
    }

    fn finish(
        mut self,
        target: Option<&str>,
        fields: &[httparse::Header<'_>],
        counts: impl Fn(&httparse::Header<'_>) -> Counts,
    ) -> Option<Vec<Run<'h>>> {
        if let Some(target) = target {
            self.at = place_of(self.head, target.as_bytes())?.start;
            self.hole(Hole::Target, target.len())?;
        }
        self.end_line(|_| true)?;
        let (mut has_own, mut has_length) = (false, false);
        for field in fields {
            let (name, value) = (place_of(self.head, field.name.as_bytes())?, place_of(self.head, field.value)?);
            let between = self.head.get(name.end..value.start)?;
            if name.start != self.at || !between.iter().all(|byte| matches!(byte, b':' | b' ' | b'\t')) {
                return None;
            }
            self.at = value.start;
            match counts(field) {
                Counts::Whole => self.at = value.end,
                Counts::First(len) => {
                    self.at += len;
                    self.hole(Hole::Value, field.value.len().checked_sub(len)?)?;
                }
                Counts::Own if !has_own => {
                    has_own = true;
                    self.hole(Hole::Own, field.value.len())?;
                }
                Counts::Length if !has_length => {
                    has_length = true;
                    self.hole(Hole::Length, field.value.len())?;
                }
                Counts::Own | Counts::Length | Counts::Otherwise => return None,
            }
            self.end_line(|byte| matches!(byte, b' ' | b'\t' | b'\r'))?;
        }
        if !matches!(self.head.get(self.at..)?, b"\n" | b"\r\n") {
            return None;
        }
        self.runs.push((&self.head[self.fixed_from..], None));
        Some(self.runs)
    }

    /// Goes to the next line, if what is left of this one is in order.
    fn end_line(&mut self, is_good: impl Fn(&u8) -> bool) -> Option<()> {
        let rest = self.head.get(self.at..)?;
        let end = memchr(b'\n', rest)?;
        self.at += end + 1;
        rest[..end].iter().all(is_good).then_some(())
    }

    /// Leaves a hole in place of the next `len` bytes, if they would fit in themselves.
    fn hole(&mut self, hole: Hole, len: usize) -> Option<()> {
        if hole.len(self.head.get(self.at..)?)? != len {
            return None;
        }
        let end = self.at + len;
        self.runs.push((&self.head[self.fixed_from..self.at], Some(hole)));
        (self.at, self.fixed_from) = (end, end);
        Some(())
    }
}

/// Where a part of `whole` lies in it; `None` when it lies elsewhere.
fn place_of(whole: &[u8], part: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
impl<T> Patterns<T> {
    /// All bytes outside of holes, and how many patterns they are of.
    pub(super) fn fixed(&self) -> (Vec<&[u8]>, usize) {
        let (mut fixed, mut count) = (Vec::new(), 0);
        let mut nodes: Vec<&Node<T>> = self.start.iter().collect();
        while let Some(node) = nodes.pop() {
            fixed.push(&*node.fixed);
            match &node.behind {
                Behind::End(_) => count += 1,
                Behind::Hole(_, next) => nodes.push(next),
                Behind::Fork(_, next) => nodes.extend(next),
            }
        }
        (fixed, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_ends_where_a_parser_would_stop() {
        let is_good = |hole: Hole, byte: u8| match hole {
            Hole::Target => matches!(byte, b'!'..=b'~'),
            Hole::Value | Hole::Own => matches!(byte, b'\t' | b' '..=b'~' | 128..),
            Hole::Length => byte.is_ascii_digit(),
        };
        let ends = |hole: Hole, byte: u8| match hole {
            Hole::Target => byte == b' ',
            Hole::Value | Hole::Own | Hole::Length => matches!(byte, b'\r' | b'\n'),
        };
        for hole in [Hole::Target, Hole::Value, Hole::Length] {
            for len in 1..22 {
                for (at, byte) in (0..len).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                    for others in [*b"/!", *b"/~", *b"/z", *b"12"] {
                        let mut bytes = vec![others[1]; len];
                        bytes[0] = others[0];
                        bytes[at] = byte;
                        let stop =
                            bytes.iter().position(|byte| !is_good(hole, *byte)).filter(|stop| ends(hole, bytes[*stop]));
                        let expected = stop.filter(|stop| match hole {
                            Hole::Target => bytes[0] == b'/',
                            Hole::Value | Hole::Own => true,
                            // What has more digits may be more than there can be.
                            Hole::Length => (1..=18).contains(stop),
                        });
                        assert_eq!(hole.len(&bytes), expected, "{hole:?} {bytes:?}");
                    }
                }
            }
            assert_eq!(hole.len(b""), None);
        }
    }
}
