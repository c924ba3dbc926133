//! Which fields a head has, by name: enough to recognise who wrote or touched it, and nothing of what they say.

/// Bytes of names kept of one head; the first ones win.
const MAX_BYTES: usize = 768;

/// Names of fields, and of the cookies that a response sets, in lower case. At most 768 bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldNames(String);

impl FieldNames {
    /// Whether there is a field of this name, given in lower case; `*` at its end stands for any ending.
    #[must_use]
    pub fn has_field(&self, name: &str) -> bool {
        match name.strip_suffix('*') {
            Some(prefix) => self.fields().any(|field| field.starts_with(prefix)),
            None => self.fields().any(|field| field == name),
        }
    }

    /// Whether a cookie is set whose name begins with this, given in lower case.
    #[must_use]
    pub fn sets_cookie(&self, prefix: &str) -> bool {
        let mut cookies = self.0.lines().filter_map(|line| line.strip_prefix(COOKIE));
        cookies.any(|cookie| cookie.starts_with(prefix))
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter(|line| !line.starts_with(COOKIE))
    }

    pub(super) fn add_field(&mut self, name: &str) {
        self.add("", name);
    }

    /// Takes the name from a `Set-Cookie` value (RFC 6265 §4.1.1).
    pub(super) fn add_cookie(&mut self, value: &[u8]) {
        let name = value.split(|&byte| byte == b'=').next().unwrap_or_default();
        if let Ok(name) = std::str::from_utf8(name) {
            self.add(COOKIE, name.trim());
        }
    }

    fn add(&mut self, mark: &str, name: &str) {
        let len = self.0.len() + mark.len() + name.len() + 1;
        if len <= MAX_BYTES && !name.contains(['\n', '\r']) {
            self.0.push_str(mark);
            self.0.extend(name.chars().map(|char| char.to_ascii_lowercase()));
            self.0.push('\n');
        }
    }
}

/// No field name holds a space (RFC 9110 §5.1).
const COOKIE: &str = "set-cookie ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_and_values_are_not_kept() {
        let mut names = FieldNames::default();
        names.add_field("X-Envoy-Upstream-Service-Time");
        names.add_field("Set-Cookie");
        names.add_cookie(b"AWSALBCORS=secret; Path=/");
        assert!(names.has_field("x-envoy-*") && names.has_field("set-cookie") && names.sets_cookie("awsalb"));
        assert!(!names.has_field("x-env") && !names.has_field("awsalbcors") && !names.0.contains("secret"));
    }

    #[test]
    fn no_head_makes_it_grow_beyond_its_bound() {
        let mut names = FieldNames::default();
        (0..1000).for_each(|number| names.add_field(&format!("x-{number}")));
        assert!(names.0.len() <= MAX_BYTES);
    }
}
