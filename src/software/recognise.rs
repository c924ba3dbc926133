//! Weighs what one side shows against every library of the table, and names one only where no other fits as well.

use super::pattern::SentFields;
use super::signs::{HeadSigns, PingSigns, Signs};
use super::{Grade, Habits, Head, OrderMatch, Stack, Stacks, Telling, is_timer, words};
use crate::units::{Origin, Side};
use std::sync::Arc;

words! {
    /// What told a library.
    KnownBy {
        /// It names itself in a header.
        Header = "header",
        /// The order and letters of its header fields.
        Order = "order",
        /// The words of a Close reason.
        Reason = "reason",
        /// Its Pings, its patience, how it answers a Close frame.
        Behaviour = "behaviour",
    }
}

words! {
    /// How sure a name is.
    Sureness {
        /// It fits better than any other known one.
        Possible = "possible",
        /// Nothing else that is known does so.
        Likely = "likely",
        /// It names itself, and nothing contradicts.
        Certain = "certain",
    }
}

/// The library on one side, as far as the connection tells.
#[derive(Debug, Clone, Default)]
pub struct Recognition {
    named: Option<Named>,
    /// Those that fit about equally well, when none could be named.
    others: Vec<Arc<Stack>>,
}

#[derive(Debug, Clone)]
struct Named {
    stack: Arc<Stack>,
    sureness: Sureness,
    known_by: Vec<KnownBy>,
    packets: Vec<Origin>,
    version: Option<Box<str>>,
}

impl Recognition {
    /// The library.
    #[must_use]
    pub fn stack(&self) -> Option<&Stack> {
        self.named.as_ref().map(|named| &*named.stack)
    }

    /// How sure that is.
    #[must_use]
    pub fn sureness(&self) -> Option<Sureness> {
        self.named.as_ref().map(|named| named.sureness)
    }

    /// What told it, the most telling first.
    #[must_use]
    pub fn known_by(&self) -> &[KnownBy] {
        self.named.as_ref().map_or(&[], |named| &named.known_by)
    }

    /// The packets that show it.
    #[must_use]
    pub fn packets(&self) -> &[Origin] {
        self.named.as_ref().map_or(&[], |named| &named.packets)
    }

    /// The version that it names.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.named.as_ref().and_then(|named| named.version.as_deref())
    }

    /// Those that fit about equally well, when none could be named.
    pub fn others(&self) -> impl Iterator<Item = &Stack> {
        self.others.iter().map(|stack| &**stack)
    }

    /// How the library behaves in this role, when its name is at least likely: what rests on it is no better.
    #[must_use]
    pub fn habits(&self, side: Side) -> Option<(&Stack, &Habits)> {
        let named = self.named.as_ref().filter(|named| named.sureness >= Sureness::Likely)?;
        Some((&*named.stack, named.stack.habits[side].as_ref()?))
    }

    /// Whether it may be this one: it was named, or nothing was.
    pub(super) fn allows(&self, stack: &Stack) -> bool {
        self.named.as_ref().is_none_or(|named| named.sureness == Sureness::Possible || named.stack.name == stack.name)
    }
}

/// Points of a sign. What names a library must stand well above what many share.
const NAMES_ITSELF: u32 = 100;
const ENOUGH_FOR_LIKELY: u32 = 40;
const ENOUGH_FOR_POSSIBLE: u32 = 25;
const LEAST: u32 = 10;

/// As much better must the best be than the next.
const LEAD: u32 = 10;

/// Named at most where none could be told.
const MOST_OTHERS: usize = 6;

fn points(telling: Telling) -> u32 {
    match telling {
        Telling::Shared => 10,
        Telling::Few => 25,
        Telling::Unique => 40,
    }
}

/// How well a head fits one library, whatever else its sender does.
#[derive(Debug, Default)]
pub(super) struct HeadFit {
    signs: Vec<(u32, KnownBy)>,
    names_itself: bool,
    version: Option<Box<str>>,
}

impl HeadFit {
    fn points(&self) -> u32 {
        self.signs.iter().map(|(points, _)| points).sum()
    }
}

/// One sign that fits.
#[derive(Debug, Clone, Copy)]
struct Sign {
    points: u32,
    by: KnownBy,
    at: Origin,
}

/// Weighs signs against one library.
struct Scale<'a> {
    habits: &'a Habits,
    signs: &'a Signs<'a>,
    /// How well the head fits, and where it was.
    head: Option<(&'a HeadFit, Origin)>,
}

impl Scale<'_> {
    /// How well all of it fits; `None` when nothing does, or something speaks against it.
    fn points(&self) -> Option<u32> {
        let mut points = self.head.map_or(0, |(head, _)| head.points());
        self.behaviour(|sign| points += sign.points);
        let out = !self.names_itself() && (self.is_contradicted() || lacks_application(self.habits, self.signs));
        (points >= LEAST && !out).then_some(points)
    }

    fn names_itself(&self) -> bool {
        self.head.is_some_and(|(head, _)| head.names_itself)
    }

    /// It would have answered a Close frame in another way.
    fn is_contradicted(&self) -> bool {
        matches!((self.habits.echo, self.signs.echo), (Some(habit), Some((seen, _))) if habit != seen)
    }

    /// Tells of each sign beside those of the head that fits.
    fn behaviour(&self, mut tell: impl FnMut(Sign)) {
        let Self { habits, signs, .. } = *self;
        let mut add = |points, by, at| tell(Sign { points, by, at });
        if let Some((code, reason, at)) = &signs.reason {
            let said = habits.reasons.iter().filter(|said| said.code.is_none_or(|only| only == *code));
            let telling = said.filter(|said| said.like.matches(reason).is_some()).map(|said| said.telling).max();
            if let Some(telling) = telling {
                add(points(telling), KnownBy::Reason, *at);
            }
        }
        if let (Some(habit), Some((seen, at))) = (habits.echo, signs.echo)
            && habit == seen
        {
            add(5, KnownBy::Behaviour, at);
        }
        if let (Some(habit), Some(pings)) = (&habits.ping, &signs.pings)
            && habit.every_s.is_some_and(|every| pings.keeps(every))
            && habit.bytes.is_none_or(|bytes| pings.bytes == Some(bytes))
        {
            add(15, KnownBy::Behaviour, pings.at);
        }
        if let (Some(habit), Some((seen, at))) = (habits.close_wait_s, signs.close_wait)
            && is_timer(seen, habit)
        {
            add(15, KnownBy::Behaviour, at);
        }
        if !habits.applications.is_empty()
            && !lacks_application(habits, signs)
            && let Some(head) = &signs.head
        {
            add(15, KnownBy::Behaviour, head.at);
        }
    }

    fn named(&self, stack: Arc<Stack>, sureness: Sureness) -> Named {
        let mut signs: Vec<Sign> = Vec::new();
        if let Some((head, at)) = self.head {
            signs.extend(head.signs.iter().map(|&(points, by)| Sign { points, by, at }));
        }
        self.behaviour(|sign| signs.push(sign));
        signs.sort_by_key(|sign| (std::cmp::Reverse(sign.points), sign.by));
        let (mut known_by, mut packets): (Vec<KnownBy>, Vec<Origin>) = (Vec::new(), Vec::new());
        for sign in signs {
            if !known_by.contains(&sign.by) {
                known_by.push(sign.by);
            }
            packets.push(sign.at);
        }
        packets.sort_by_key(|at| at.packet);
        packets.dedup_by_key(|at| at.packet);
        Named { stack, sureness, known_by, packets, version: self.head.and_then(|(head, _)| head.version.clone()) }
    }
}

pub(super) fn recognise(stacks: &Stacks, side: Side, signs: &Signs<'_>) -> Recognition {
    let head =
        signs.head.as_ref().map(|head| (stacks.heads[side].get(&head.texts(), || weigh(stacks, side, head)), head.at));
    let head_of = |index: usize| head.as_ref().and_then(|(fits, at)| Some((fits.get(index)?, *at)));
    let scales = stacks.stacks.iter().enumerate().filter_map(|(index, stack)| {
        let habits = stack.habits[side].as_ref()?;
        Some((Scale { habits, signs, head: head_of(index) }, stack))
    });
    let mut fits: Vec<(u32, Scale<'_>, &Arc<Stack>)> =
        scales.filter_map(|(scale, stack)| Some((scale.points()?, scale, stack))).collect();
    fits.sort_by_key(|(points, ..)| std::cmp::Reverse(*points));
    let next = fits.get(1).map_or(0, |(points, ..)| *points);
    let Some((best, scale, stack)) = fits.first() else { return Recognition::default() };
    let best = *best;
    // Without its head another library may stand behind words and habits that are not its alone.
    let is_hidden = signs.head.is_none() && best < ENOUGH_FOR_LIKELY;
    if best >= next + LEAD && !is_hidden {
        let sureness = match () {
            () if stack.grade == Grade::Known && best >= ENOUGH_FOR_POSSIBLE => Some(Sureness::Possible),
            () if scale.names_itself() && !scale.is_contradicted() => Some(Sureness::Certain),
            () if best >= ENOUGH_FOR_LIKELY => Some(Sureness::Likely),
            () if best >= ENOUGH_FOR_POSSIBLE => Some(Sureness::Possible),
            () => None,
        };
        let named = sureness.map(|sureness| scale.named(Arc::clone(stack), sureness));
        return Recognition { named, others: Vec::new() };
    }
    let about_equal = fits.iter().take_while(|(points, ..)| points + LEAD > best);
    let others = about_equal.map(|(.., stack)| Arc::clone(stack)).take(MOST_OTHERS).collect();
    Recognition { named: None, others }
}

/// How well a head fits each library of the table.
fn weigh(stacks: &Stacks, side: Side, head: &HeadSigns<'_>) -> Vec<HeadFit> {
    let sent = SentFields::new(head.names, &stacks.fields[side]);
    let habits = stacks.stacks.iter().map(|stack| stack.habits[side].as_ref());
    habits.map(|habits| habits.map(|habits| weigh_head(habits, sent.as_ref(), head)).unwrap_or_default()).collect()
}

fn weigh_head(habits: &Habits, sent: Option<&SentFields<'_>>, head: &HeadSigns<'_>) -> HeadFit {
    let mut fit = HeadFit::default();
    let shape = habits.heads.iter().filter(|shape| head.is_upgrade && shape.agrees(head));
    let shape = shape.filter_map(|shape| Some((shape.telling, shape.order.compare(sent?)?)));
    // Field names in lower case may be the doing of a proxy, and then the letters tell nothing.
    let shape = shape.map(|(telling, how)| if how == OrderMatch::Exact { points(telling) } else { LEAST / 2 }).max();
    let claim = head.claim.and_then(|claim| {
        habits.named.iter().find_map(|name| Some((claim, claim.find(&**name)?.saturating_add(name.len()))))
    });
    if let Some((claim, end)) = claim
        && (!habits.name_is_borrowed || shape.is_some())
    {
        fit.names_itself = true;
        fit.version = version(&claim[end..]);
        fit.signs.push((NAMES_ITSELF, KnownBy::Header));
    }
    let own_field = |name: &str| habits.fields.iter().any(|field| field.eq_ignore_ascii_case(name));
    if head.names.iter().any(own_field) {
        fit.names_itself = true;
        fit.signs.push((NAMES_ITSELF, KnownBy::Header));
    }
    if let Some(points) = shape {
        fit.signs.push((points, KnownBy::Order));
    }
    fit
}

fn lacks_application(habits: &Habits, signs: &Signs<'_>) -> bool {
    let is_wanted = |name: &str| habits.applications.iter().any(|wanted| **wanted == *name);
    !habits.applications.is_empty() && !signs.application.is_some_and(is_wanted)
}

impl PingSigns {
    fn keeps(&self, every_s: f64) -> bool {
        self.every_s.is_some_and(|seen| is_timer(seen, every_s))
    }
}

impl Head {
    fn agrees(&self, head: &HeadSigns<'_>) -> bool {
        let same = |wanted: &Option<Box<str>>, seen: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| seen.is_some_and(|seen| seen == wanted))
        };
        same(&self.phrase, head.phrase)
            && same(&self.upgrade, head.upgrade)
            && same(&self.connection, head.connection)
            && same(&self.extensions, head.extensions)
    }
}

/// The version that begins a text.
fn version(text: &str) -> Option<Box<str>> {
    let part_of = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    let end = text.find(|c| !part_of(c)).unwrap_or(text.len());
    let version = &text[..end];
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.into())
}
