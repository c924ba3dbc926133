//! What stands in a table to be compared with the wire: Close reasons with numbers in them, and heads with their fields.

use crate::connection::Names;
use std::collections::HashSet;

/// A Close reason as a library writes it: `{n}` stands for a number, `{limit}` for the number of bytes that it allows,
/// `*` for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonPattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Number { is_limit: bool },
    Any,
}

/// What a reason that fits says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stated {
    /// The limit in bytes that it names.
    pub limit: Option<u64>,
}

impl ReasonPattern {
    /// Reads a pattern; `None` when it has an unknown place or nothing of its own to compare.
    #[must_use]
    pub fn parse(written: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = written;
        while !rest.is_empty() {
            let at = rest.find(['{', '*']).unwrap_or(rest.len());
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].into()));
            }
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix('*') {
                pieces.push(Piece::Any);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix("{limit}") {
                pieces.push(Piece::Number { is_limit: true });
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix("{n}") {
                pieces.push(Piece::Number { is_limit: false });
                rest = behind;
            } else if !rest.is_empty() {
                return None;
            }
        }
        let letters = |piece: &Piece| if let Piece::Text(text) = piece { text.len() } else { 0 };
        (pieces.iter().map(letters).sum::<usize>() >= 4).then_some(Self(pieces))
    }

    /// Whether a reason is written so, and what it states. The letters' case counts.
    #[must_use]
    pub fn matches(&self, reason: &str) -> Option<Stated> {
        fit(&self.0, reason)
    }

    /// Whether the number is the limit.
    #[must_use]
    pub fn names_limit(&self) -> bool {
        self.0.contains(&Piece::Number { is_limit: true })
    }
}

/// A reason has 123 bytes at most, so that trying every place for `*` costs little.
fn fit(pieces: &[Piece], rest: &str) -> Option<Stated> {
    let Some((piece, behind)) = pieces.split_first() else {
        return rest.is_empty().then(Stated::default);
    };
    match piece {
        Piece::Text(text) => fit(behind, rest.strip_prefix(&**text)?),
        Piece::Number { is_limit } => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number: u64 = rest[..end].parse().ok()?;
            let stated = fit(behind, &rest[end..])?;
            Some(if *is_limit { Stated { limit: Some(number) } } else { stated })
        }
        Piece::Any => rest.char_indices().map(|(at, _)| at).chain([rest.len()]).find_map(|at| fit(behind, &rest[at..])),
    }
}

/// The fields of a head in the order and letters in which a program writes them; `[Name]` may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOrder(Vec<OrderedField>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct OrderedField {
    name: Box<str>,
    may_be_missing: bool,
}

/// How a head compares with an order of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderMatch {
    /// Exactly so.
    Exact,
    /// So, had not something on the way put all names into lower case.
    LowerCased,
}

/// Fields that users of a library add by themselves: they count only where the order names them.
const OF_THE_USER: [&str; 5] = ["authorization", "cookie", "origin", "sec-websocket-protocol", "user-agent"];

/// The fields of a head that some order speaks of, each with whether it is one that users add.
#[derive(Debug, Clone)]
pub(super) struct SentFields<'a>(Vec<(&'a str, bool)>);

impl<'a> SentFields<'a> {
    /// Passes over what is not in `known`; `None` when the head had more fields than are kept.
    pub(super) fn new(names: &'a Names, known: &HashSet<Box<str>>) -> Option<Self> {
        let of_the_user = |name: &str| OF_THE_USER.iter().any(|each| each.eq_ignore_ascii_case(name));
        let counts = |name: &&str| known.contains(name.to_ascii_lowercase().as_str());
        let fields = || names.iter().filter(counts).map(|name| (name, of_the_user(name))).collect();
        (!names.was_cut()).then(|| Self(fields()))
    }
}

impl FieldOrder {
    /// Reads `Host, Upgrade, [Origin]`; `None` when it is empty.
    #[must_use]
    pub fn parse(written: &str) -> Option<Self> {
        let field = |part: &str| {
            let inner = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
            OrderedField { name: inner.unwrap_or(part).into(), may_be_missing: inner.is_some() }
        };
        let fields: Vec<_> = written.split(',').map(|part| field(part.trim())).collect();
        fields.iter().all(|field| !field.name.is_empty()).then_some(Self(fields))
    }

    /// Adds its names, in lower case, to those that orders speak of.
    pub(super) fn add_names(&self, known: &mut HashSet<Box<str>>) {
        known.extend(self.0.iter().map(|field| field.name.to_ascii_lowercase().into_boxed_str()));
    }

    /// Compares a head. Fields that users add are passed over unless this order names them.
    pub(super) fn compare(&self, sent: &SentFields<'_>) -> Option<OrderMatch> {
        let is_mine = |name: &str| self.0.iter().any(|field| field.name.eq_ignore_ascii_case(name));
        let counts = |(name, of_the_user): &(&str, bool)| !of_the_user || is_mine(name);
        let names: Vec<&str> = sent.0.iter().copied().filter(counts).map(|(name, _)| name).collect();
        if self.follows(&names, |field, name| field == name) {
            return Some(OrderMatch::Exact);
        }
        let is_lower = |name: &str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let lowered = names.iter().all(|name| is_lower(name)) && !self.0.iter().all(|field| is_lower(&field.name));
        (lowered && self.follows(&names, str::eq_ignore_ascii_case)).then_some(OrderMatch::LowerCased)
    }

    fn follows(&self, names: &[&str], same: impl Fn(&str, &str) -> bool) -> bool {
        let mut names = names.iter().peekable();
        for field in &self.0 {
            if names.next_if(|name| same(&field.name, name)).is_none() && !field.may_be_missing {
                return false;
            }
        }
        names.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(pattern: &str, reason: &str) -> Option<Option<u64>> {
        ReasonPattern::parse(pattern).unwrap().matches(reason).map(|stated| stated.limit)
    }

    #[test]
    fn reasons_are_compared_with_their_numbers() {
        let frame = "frame with {n} bytes exceeds limit of {limit} bytes";
        assert_eq!(stated(frame, "frame with 1310720 bytes exceeds limit of 1048576 bytes"), Some(Some(1_048_576)));
        assert_eq!(stated(frame, "frame with x bytes exceeds limit of 1 bytes"), None);
        assert_eq!(stated("*larger than {limit}*", "Message larger than 65536 bytes"), Some(Some(65_536)));
        assert_eq!(stated("bad opcode {n}", "bad opcode 11"), Some(None));
        assert_eq!(stated("bad opcode {n}", "bad opcode 11!"), None);
        assert_eq!(stated("larger than {limit}", "larger than 99999999999999999999"), None);
    }

    #[test]
    fn patterns_that_fit_everything_are_refused() {
        for written in ["", "*", "{n}", "a{limit}", "with {what}"] {
            assert_eq!(ReasonPattern::parse(written), None, "{written}");
        }
    }

    fn compare(order: &str, names: &str) -> Option<OrderMatch> {
        let order = FieldOrder::parse(order).unwrap();
        let mut known = HashSet::new();
        order.add_names(&mut known);
        FieldOrder::parse("Host, Origin, Cookie, Date").unwrap().add_names(&mut known);
        order.compare(&SentFields::new(&Names::new(names.split(", ")), &known).unwrap())
    }

    #[test]
    fn the_order_and_the_letters_count() {
        let order = "Upgrade, Connection, [Sec-WebSocket-Extensions], Host";
        assert_eq!(compare(order, "Upgrade, Connection, Host"), Some(OrderMatch::Exact));
        assert_eq!(compare(order, "Upgrade, Connection, Sec-WebSocket-Extensions, Host"), Some(OrderMatch::Exact));
        assert_eq!(compare(order, "Connection, Upgrade, Host"), None);
        assert_eq!(compare(order, "Upgrade, connection, Host"), None);
        assert_eq!(compare(order, "Upgrade, Connection"), None);
        assert_eq!(compare(order, "Upgrade, Connection, Date, Host"), None);
    }

    #[test]
    fn what_users_add_does_not_count() {
        let order = "Upgrade, Connection, Host";
        assert_eq!(compare(order, "Upgrade, Connection, X-Trace, Host, Origin, Cookie"), Some(OrderMatch::Exact));
        assert_eq!(compare("Upgrade, Origin, Host", "Origin, Upgrade, Host"), None, "where it is named, it counts");
    }

    #[test]
    fn names_that_were_put_into_lower_case_prove_less() {
        let order = "Upgrade, Connection, Host";
        assert_eq!(compare(order, "upgrade, connection, host"), Some(OrderMatch::LowerCased));
        assert_eq!(compare("upgrade, connection", "upgrade, connection"), Some(OrderMatch::Exact));
    }
}
