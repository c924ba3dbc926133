//! Known findings: which rule, where, and until when, as its user wrote it down or the program did (`--write-baseline`).
//!
//! ```toml
//! [[known]]
//! rule = "idle-timeout-round"
//! host = "chat.example.com"      # or server = "10.0.3.7" or "10.0.3.7:8080"; of several, all must fit
//! path = "/legacy"               # may be left out
//! until = 2027-01-31             # may be left out: the last day, by the clock of the capture in UTC
//! note = "proxy is replaced in January"
//! ```

use crate::units::Endpoint;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use toml::Spanned;
use toml::value::Datetime;

/// A list of known findings.
#[derive(Debug, Clone, Default)]
pub struct KnownFindings {
    entries: Vec<KnownFinding>,
    by_rule: BTreeMap<String, Vec<usize>>,
}

/// One known finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFinding {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The rule.
    pub rule: String,
    /// The server's address, and its port if that matters.
    pub server: Option<(IpAddr, Option<u16>)>,
    /// The `Host`; with a port only if that matters.
    pub host: Option<String>,
    /// The path, without a query.
    pub path: Option<String>,
    /// The last day on which it counts: `2027-01-31`.
    pub until: Option<String>,
}

/// What is known of one finding.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// The rule that explains it.
    pub rule: &'a str,
    /// The server.
    pub server: Endpoint,
    /// The `Host` of the request.
    pub host: Option<&'a str>,
    /// The path of the request, without its query.
    pub path: Option<&'a str>,
    /// When the connection ended, as RFC 3339 text in UTC; `None` when packets carry no time.
    pub ended: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: Spanned<String>,
    server: Option<Spanned<String>>,
    host: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    until: Option<Spanned<Datetime>>,
    /// Written beside what `--write-baseline` found; read by people only.
    #[serde(rename = "count")]
    _count: Option<u64>,
    /// For people.
    #[serde(rename = "note")]
    _note: Option<String>,
}

impl KnownFindings {
    /// Entries that a file may hold.
    pub const MOST: usize = 10_000;

    /// Reads a list.
    ///
    /// # Errors
    /// What is wrong, with its line: it is no such list, names a rule that does not exist (it would never fit), or says
    /// nowhere where the finding is.
    pub fn parse(text: &str, is_rule: impl Fn(&str) -> bool) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.known.len() > Self::MOST {
            return Err(format!("{} entries are more than {}", file.known.len(), Self::MOST));
        }
        let mut list = Self::default();
        for row in file.known {
            let entry = KnownFinding::read(row, text, &is_rule)?;
            list.by_rule.entry(entry.rule.clone()).or_default().push(list.entries.len());
            list.entries.push(entry);
        }
        Ok(list)
    }

    /// All entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[KnownFinding] {
        &self.entries
    }

    /// The entries that fit a finding, by their place in [`entries`](Self::entries), each with whether it still counts on
    /// that day.
    pub fn fitting<'a>(&'a self, finding: Finding<'a>) -> impl Iterator<Item = (usize, bool)> + 'a {
        let places = self.by_rule.get(finding.rule).map(Vec::as_slice).unwrap_or_default();
        let fits = move |place: &usize| {
            let entry = &self.entries[*place];
            entry.fits(&finding).then(|| (*place, entry.counts(finding.ended)))
        };
        places.iter().filter_map(fits)
    }
}

impl KnownFinding {
    fn read(row: Spanned<Row>, text: &str, is_rule: &impl Fn(&str) -> bool) -> Result<Self, String> {
        let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let begin = line(row.span().start);
        let Row { rule, server, host, path, until, .. } = row.into_inner();
        let fault = |at: usize, what: String| Err(format!("line {}: {what}", line(at)));
        if !is_rule(rule.get_ref()) {
            return fault(rule.span().start, format!("there is no rule `{}`", rule.get_ref()));
        }
        if server.is_none() && host.is_none() {
            return Err(format!("line {begin}: neither `server` nor `host` says where it is"));
        }
        let server = match server {
            None => None,
            Some(server) => match address(server.get_ref()) {
                Some(address) => Some(address),
                None => {
                    let what = format!("`{}` is neither an address nor an address with port", server.get_ref());
                    return fault(server.span().start, what);
                }
            },
        };
        let until = match until {
            None => None,
            Some(until) => match until.get_ref().date {
                Some(date) => Some(date.to_string()),
                None => return fault(until.span().start, "`until` is a day, such as 2027-01-31".to_owned()),
            },
        };
        if let Some(path) = path.as_ref().filter(|path| path.get_ref().contains('?')) {
            return fault(path.span().start, "`path` has no query: its values are not looked at".to_owned());
        }
        let (host, path) = (host.map(Spanned::into_inner), path.map(Spanned::into_inner));
        Ok(Self { line: begin, rule: rule.into_inner(), server, host, path, until })
    }

    fn fits(&self, finding: &Finding<'_>) -> bool {
        let is_server = |(ip, port): &(IpAddr, Option<u16>)| {
            *ip == finding.server.ip && port.is_none_or(|port| port == finding.server.port)
        };
        let is_host = |host: &String| finding.host.is_some_and(|seen| is_same_host(host, seen));
        self.server.as_ref().is_none_or(is_server)
            && self.host.as_ref().is_none_or(is_host)
            && self.path.as_ref().is_none_or(|path| finding.path == Some(path))
    }

    /// Whether it still counts; without a time nothing says that it does not.
    fn counts(&self, ended: Option<&str>) -> bool {
        match (&self.until, ended.and_then(|ended| ended.get(..10))) {
            (Some(until), Some(day)) => day <= until.as_str(),
            _ => true,
        }
    }

    /// The server as it is written: `10.0.3.7`, `10.0.3.7:8080`, `[::1]:80`.
    #[must_use]
    pub fn server_text(&self) -> Option<String> {
        self.server.map(|(ip, port)| port.map_or_else(|| ip.to_string(), |port| SocketAddr::new(ip, port).to_string()))
    }
}

/// Findings to be written as a list of known ones.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// By rule, and by host or else server.
    counts: BTreeMap<(String, Place), u64>,
    /// Findings for which there was no room.
    pub left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Host(String),
    Server(Endpoint),
}

impl Baseline {
    /// Counts a finding.
    pub fn add(&mut self, finding: Finding<'_>) {
        let place = match finding.host {
            Some(host) => Place::Host(host.to_owned()),
            None => Place::Server(finding.server),
        };
        let key = (finding.rule.to_owned(), place);
        let room = self.counts.len() < KnownFindings::MOST;
        match self.counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if room => {
                self.counts.insert(key, 1);
            }
            None => self.left_out += 1,
        }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The list, which [`KnownFindings::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::from(
            "# Known findings, for `wsdissect --ignore`. Of an entry, all of rule, host, server and path that it names\n\
             # must fit; `until = 2027-01-31` ends it; `count` and `note` are for people.\n",
        );
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        for ((rule, place), count) in &self.counts {
            let (key, value) = match place {
                Place::Host(host) => ("host", quoted(host)),
                Place::Server(server) => ("server", quoted(&server.to_string())),
            };
            let _ = write!(out, "\n[[known]]\nrule = {}\n{key} = {value}\ncount = {count}\n", quoted(rule));
        }
        out
    }
}

fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(ip) = text.parse() {
        return Some((ip, None));
    }
    text.parse::<SocketAddr>().ok().map(|socket| (socket.ip(), Some(socket.port())))
}

/// Whether `seen` is the host that was written down; a port counts only if it was written down, too.
fn is_same_host(written: &str, seen: &str) -> bool {
    let name = match seen.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => seen,
    };
    written.eq_ignore_ascii_case(seen) || written.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
[[known]]
rule = "a-rule"
server = "10.0.0.7:80"
until = 2027-01-31

[[known]]
rule = "a-rule"
host = "Chat.Example"
path = "/ws"
note = "known since May"
"#;

    fn parse(text: &str) -> Result<KnownFindings, String> {
        KnownFindings::parse(text, |rule| rule == "a-rule")
    }

    fn finding<'a>(server: &str, host: Option<&'a str>, path: Option<&'a str>, ended: &'a str) -> Finding<'a> {
        let server: SocketAddr = server.parse().unwrap();
        let server = Endpoint { ip: server.ip(), port: server.port() };
        Finding { rule: "a-rule", server, host, path, ended: Some(ended) }
    }

    #[test]
    fn all_that_an_entry_names_must_fit() {
        let list = parse(LIST).unwrap();
        let fitting = |finding| list.fitting(finding).collect::<Vec<_>>();
        let day = "2027-01-31T23:59:59.000000000Z";
        assert_eq!(fitting(finding("10.0.0.7:80", None, None, day)), [(0, true)]);
        assert_eq!(fitting(finding("10.0.0.7:80", None, None, "2027-02-01T00:00:00Z")), [(0, false)]);
        assert_eq!(fitting(finding("10.0.0.7:81", None, None, day)), []);
        assert_eq!(fitting(finding("10.0.0.9:80", Some("chat.example:8080"), Some("/ws"), day)), [(1, true)]);
        assert_eq!(fitting(finding("10.0.0.9:80", Some("chat.example"), Some("/other"), day)), []);
        assert_eq!(fitting(Finding { rule: "other", ..finding("10.0.0.7:80", None, None, day) }), []);
        assert_eq!(list.entries().iter().map(|entry| entry.line).collect::<Vec<_>>(), [2, 7]);
    }

    #[test]
    fn faults_name_their_line() {
        let fault = |text: &str| parse(text).unwrap_err();
        assert!(fault("[[known]]\nrule = \"a-rul\"\nhost = \"x\"").starts_with("line 2: there is no rule `a-rul`"));
        assert!(fault("\n\n[[known]]\nrule = \"a-rule\"").starts_with("line 3: neither"));
        assert!(fault("[[known]]\nrule = \"a-rule\"\nserver = \"ten\"").starts_with("line 3: `ten` is neither"));
        assert!(fault("[[known]]\nrule = \"a-rule\"\nhost = \"x\"\nuntil = 07:32:00").starts_with("line 4: `until`"));
        assert!(fault("[[known]]\nrule = \"a-rule\"\nhost = \"x\"\npath = \"/?a\"").starts_with("line 4: `path`"));
        assert!(
            fault("[[known]]\nrule = \"a-rule\"\nhots = \"x\"").contains("line 3"),
            "{}",
            fault("[[known]]\nhots=1")
        );
        assert!(fault("known = 7").contains("line 1"));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut baseline = Baseline::default();
        baseline.add(finding("10.0.0.7:80", Some("we\"ird\nhost"), None, ""));
        baseline.add(finding("[::1]:80", None, None, ""));
        baseline.add(finding("[::1]:80", None, None, ""));
        let list = parse(&baseline.text()).unwrap();
        let entries: Vec<_> = list.entries().iter().map(|entry| (entry.host.as_deref(), entry.server_text())).collect();
        assert_eq!(entries, [(Some("we\"ird\nhost"), None), (None, Some("[::1]:80".to_owned()))]);
    }
}
