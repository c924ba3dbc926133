//! Names that a head holds, of its fields or of the cookies it sets: enough to recognise who wrote or touched it, and
//! nothing of what they say.

/// Names in the order and letters as sent: each program writes them its own way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    joined: Box<str>,
    was_cut: bool,
}

impl Names {
    /// Bytes kept of all names together.
    pub const MAX_BYTES: usize = 768;

    /// Takes in names until they are too many.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut joined = String::new();
        let mut was_cut = false;
        for name in names {
            was_cut = joined.len() + name.len() + 1 > Self::MAX_BYTES;
            if was_cut {
                break;
            }
            if !joined.is_empty() {
                joined.push('\n');
            }
            joined.push_str(name);
        }
        Self { joined: joined.into(), was_cut }
    }

    /// All of them in one text, a line each.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.joined
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.joined.split('\n').filter(|name| !name.is_empty())
    }

    /// Whether this name is there, in whatever letters; `*` at its end stands for any ending.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match name.strip_suffix('*') {
            Some(prefix) => self.iter().any(|each| begins(each, prefix)),
            None => self.iter().any(|each| each.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether there were more than [`Self::MAX_BYTES`] of them, so that the last ones are missing.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }
}

fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The name in a `Set-Cookie` value (RFC 6265 §4.1.1).
pub(super) fn cookie_name(value: &[u8]) -> Option<&str> {
    let name = value.split(|&byte| byte == b'=').next()?;
    std::str::from_utf8(name).ok().map(str::trim).filter(|name| !name.contains('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        let names = Names::new(["X-Envoy-Upstream-Service-Time", "Set-Cookie"].into_iter());
        assert!(names.has("x-envoy-*") && names.has("set-cookie"));
        assert!(!names.has("x-env") && !names.has("cookie"));
    }

    #[test]
    fn of_a_cookie_only_its_name_is_kept() {
        assert_eq!(cookie_name(b"AWSALBCORS=secret; Path=/"), Some("AWSALBCORS"));
        assert_eq!(cookie_name(b"\xff=1"), None);
    }

    #[test]
    fn no_head_makes_them_grow_beyond_their_bound() {
        let many: Vec<String> = (0..1000).map(|number| format!("x-{number}")).collect();
        let names = Names::new(many.iter().map(String::as_str));
        assert!(names.joined.len() <= Names::MAX_BYTES && names.was_cut());
    }
}
