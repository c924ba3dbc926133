//! Choosing connections: `--only` and `--fail-on`.

use crate::catalog::rules::{Cause, RuleSet};
use crate::fleet::Closing;
use crate::fleet::ConnectionReport;
use crate::fleet::changes::is_abnormal;
use crate::units::Side;
use std::net::IpAddr;
use std::str::FromStr;

/// One `--only KEY=VALUE[,VALUE...]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    Stream(Vec<u64>),
    /// Names as in the summary's `by_code`: `1009`, `empty`, `none`, `http_403`, …
    Code(Vec<String>),
    Rule(Vec<String>),
    Cause(Vec<String>),
    Party(Vec<String>),
    /// The side that ended the connection.
    Side(Vec<Side>),
    Address(Vec<(IpAddr, Option<u16>)>),
    /// Connections alive at some moment between the two, as RFC 3339 text that sorts like time.
    Time(String, String),
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, for example code=1009")?;
        let words = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match key {
            "stream" => each(value, |word| word.parse().map_err(|_| format!("`{word}` is not a stream number")))
                .map(Self::Stream),
            "code" => Ok(Self::Code(words())),
            "rule" => Ok(Self::Rule(words())),
            "cause" => Ok(Self::Cause(words())),
            "party" => Ok(Self::Party(words())),
            "side" => each(value, |word| match word {
                "client" => Ok(Side::Client),
                "server" => Ok(Side::Server),
                _ => Err(format!("`{word}` is not a side: client or server")),
            })
            .map(Self::Side),
            "address" => each(value, address).map(Self::Address),
            "time" => {
                let (from, to) = value.split_once("..").ok_or("expected time=FROM..TO")?;
                Ok(Self::Time(from.to_owned(), if to.is_empty() { "9999".to_owned() } else { to.to_owned() }))
            }
            _ => Err(format!("unknown key `{key}`: stream, code, rule, cause, party, side, address or time")),
        }
    }
}

fn each<T>(value: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    value.split(',').map(parse).collect()
}

/// `10.0.0.1`, `10.0.0.1:80`, `::1` or `[::1]:80`.
fn address(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(ip) = text.parse() {
        return Ok((ip, None));
    }
    let socket: std::net::SocketAddr = text.parse().map_err(|_| format!("`{text}` is not an IP address"))?;
    Ok((socket.ip(), Some(socket.port())))
}

impl Selector {
    /// Whether a connection is wanted.
    pub(super) fn matches(&self, report: &ConnectionReport) -> bool {
        let connection = &report.connection;
        let diagnosis = &report.diagnosis;
        match self {
            Self::Stream(streams) => streams.contains(&connection.id.flow),
            Self::Code(names) => names.contains(&Closing::of(report).name()),
            Self::Rule(rules) => rules.iter().any(|rule| rule == diagnosis.rule.as_str()),
            Self::Cause(causes) => causes.iter().any(|cause| cause == diagnosis.cause.name()),
            Self::Party(parties) => parties.iter().any(|party| party == diagnosis.party.name()),
            Self::Side(sides) => connection.first_end().is_some_and(|end| sides.contains(&end.by)),
            Self::Address(addresses) => addresses.iter().any(|(ip, port)| {
                connection.endpoints.iter().any(|(_, end)| end.ip == *ip && port.is_none_or(|port| port == end.port))
            }),
            Self::Time(from, to) => {
                let text = |origin: crate::units::Origin| origin.time.map(|time| time.to_string());
                text(connection.first).is_none_or(|start| start.as_str() <= to.as_str())
                    && text(connection.last).is_none_or(|end| end.as_str() >= from.as_str())
            }
        }
    }
}

/// One `--fail-on` word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FailOn {
    /// Anything but a normal end or an open connection.
    Abnormal,
    /// This rule or cause.
    Named(String),
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(if text == "abnormal" { Self::Abnormal } else { Self::Named(text.to_owned()) })
    }
}

impl FailOn {
    /// Whether the name exists: a misspelt rule would never fail.
    pub(super) fn check(&self, rules: &RuleSet) -> Result<(), String> {
        match self {
            Self::Abnormal => Ok(()),
            Self::Named(name) if rules.by_id(name).is_some() || Cause::by_name(name).is_some() => Ok(()),
            Self::Named(name) => Err(format!("--fail-on: `{name}` is neither `abnormal` nor a rule nor a cause")),
        }
    }

    /// Whether a connection is what the pipeline must not pass.
    pub(super) fn matches(&self, report: &ConnectionReport) -> bool {
        let diagnosis = &report.diagnosis;
        match self {
            Self::Abnormal => is_abnormal(diagnosis.cause),
            Self::Named(name) => name == diagnosis.rule.as_str() || name == diagnosis.cause.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_read_lists_and_addresses() {
        assert_eq!("stream=1,2".parse(), Ok(Selector::Stream(vec![1, 2])));
        assert_eq!(
            "address=[::1]:80,10.0.0.1".parse(),
            Ok(Selector::Address(vec![("::1".parse().unwrap(), Some(80)), ("10.0.0.1".parse().unwrap(), None)]))
        );
        assert!("colour=red".parse::<Selector>().is_err());
        assert!("side=left".parse::<Selector>().is_err());
    }
}
