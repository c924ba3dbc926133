//! Heads as patterns: what a program sends again and again is compared, and need not be read.
//!
//! A pattern is drawn from a head that was read. It has the bytes on which the head's form and the length of its body
//! depend, as sent, and holes for the rest: the target, the value of the one field that each head has for itself, and values of
//! which only the name counts. A head that fits differs in its holes alone, so that reading it would come to the same form.
//! What must stay private is in holes, or no pattern is drawn.
//!
//! All patterns form one tree: what some of them begin with in common is compared once, whichever of them it is.

use memchr::{memchr, memchr2};

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
    /// All of it.
    Whole,
    /// So many bytes at its start; the rest may be anything.
    First(usize),
    /// Each head has its own.
    Own,
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
    /// with two own fields, or with a value that counts in part.
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
        let mut fit = Fit { len: 0, target: &[], own: None };
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
                    if !hole.takes(held) {
                        return None;
                    }
                    match hole {
                        Hole::Target => fit.target = held,
                        Hole::Value => {}
                        Hole::Own => fit.own = Some(held),
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
        let mut has_own = false;
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
                Counts::Own | Counts::Otherwise => return None,
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
        let end = self.at.checked_add(len)?;
        if !hole.takes(self.head.get(self.at..end)?) {
            return None;
        }
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
