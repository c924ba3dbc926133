//! Known findings: left out with `--ignore`, written down with `--write-baseline`.

use super::Failure;
use crate::catalog::known::{Baseline, Finding, KnownFindings};
use crate::catalog::rules::RuleSet;
use crate::diagnosis::printable;
use crate::fleet::ConnectionReport;
use crate::fleet::changes::is_abnormal;
use crate::report::{Ignored, IgnoredEntry};
use crate::units::Side;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Bytes of a file with known findings that are read: far more than its entries need.
const MAX_FILE: u64 = 4 << 20;

/// What a file says is known, and how often it was met.
pub(super) struct Ignore {
    known: KnownFindings,
    found: Ignored,
}

impl Ignore {
    /// Reads the file.
    pub(super) fn read(path: &Path, rules: &RuleSet) -> Result<Self, Failure> {
        let file = printable(&path.display().to_string());
        let read = || -> Result<KnownFindings, String> {
            let mut text = String::new();
            let input = File::open(path).map_err(|error| error.to_string())?;
            input.take(MAX_FILE).read_to_string(&mut text).map_err(|error| error.to_string())?;
            KnownFindings::parse(&text, |rule| rules.by_id(rule).is_some())
        };
        let known =
            read().map_err(|error| Failure::Usage(format!("failed to read the known findings in {file}: {error}")))?;
        let entry = |entry: &crate::catalog::known::KnownFinding| IgnoredEntry {
            line: entry.line,
            rule: entry.rule.clone(),
            server: entry.server_text(),
            host: entry.host.as_deref().map(printable),
            path: entry.path.as_deref().map(printable),
            until: entry.until.clone(),
            ..IgnoredEntry::default()
        };
        let entries = known.entries().iter().map(entry).collect();
        Ok(Self { known, found: Ignored { file, connections: 0, entries } })
    }

    /// Whether a connection is known; counts it if so.
    pub(super) fn leaves_out(&mut self, report: &ConnectionReport) -> bool {
        let Self { known, found } = self;
        let mut left_out = false;
        with_finding(report, |finding| {
            for (place, counts) in known.fitting(finding) {
                let entry = &mut found.entries[place];
                if counts {
                    entry.count += 1;
                } else {
                    entry.expired += 1;
                }
                left_out |= counts;
            }
        });
        self.found.connections += u64::from(left_out);
        left_out
    }

    /// What was left out.
    pub(super) fn into_found(self) -> Ignored {
        self.found
    }
}

/// Counts a connection that ended abnormally.
pub(super) fn note(baseline: &mut Baseline, report: &ConnectionReport) {
    if is_abnormal(report.diagnosis.cause) {
        with_finding(report, |finding| baseline.add(finding));
    }
}

/// Writes the list, replacing the file.
pub(super) fn write(baseline: &Baseline, path: &Path) -> Result<(), Failure> {
    let file = printable(&path.display().to_string());
    fs::write(path, baseline.text())
        .map_err(|error| Failure::Usage(format!("failed to write the known findings to {file}: {error}")))?;
    eprintln!("wsdissect: known findings written to {file}: {}", baseline.len());
    if baseline.left_out > 0 {
        eprintln!("wsdissect: connections whose finding had no room in {file}: {}", baseline.left_out);
    }
    Ok(())
}

fn with_finding(report: &ConnectionReport, tell: impl FnOnce(Finding<'_>)) {
    let connection = &report.connection;
    let request = connection.handshake.request.as_deref();
    let ended = connection.first_end().map_or(connection.last, |end| end.at).time.map(|time| time.to_string());
    tell(Finding {
        rule: report.diagnosis.rule.as_str(),
        server: connection.endpoints[Side::Server],
        host: request.and_then(|request| request.host.as_ref()).map(|host| host.as_str()),
        path: request.and_then(|request| request.path.as_str().split('?').next()),
        ended: ended.as_deref(),
    });
}
