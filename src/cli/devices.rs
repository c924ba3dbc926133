//! `devices`: the table of proxies, load balancers and other devices, printed.

use super::Failure;
use super::args::{ListArgs, ListFormat};
use super::knowledge::{Page, STRONG};
use crate::catalog::middleboxes::{self, DeviceRow, LimitRow};
use crate::report::layout::wrap;

pub(super) fn list(page: &mut Page, list: &ListArgs) -> Result<(), Failure> {
    let rows = middleboxes::rows(middleboxes::builtin());
    if list.format == ListFormat::Json {
        return page.json(&rows);
    }
    for DeviceRow { name, title, limits, .. } in &rows {
        page.out.push_str(&format!("{STRONG}{title}{STRONG:#}  {name}\n"));
        for limit in limits {
            page.out.push_str("    ");
            wrap(&mut page.out, &sentence(limit), 4, 4, page.width);
        }
    }
    Ok(())
}

/// A bound that is only that of the number's type.
const AS_LONG_AS_YOU_LIKE: f64 = 1e6;

/// One line of keywords: `idle 60 s (1 to 4000 s), either, client fin, upstream rst, setting (where), grade`.
fn sentence(limit: &LimitRow<'_>) -> String {
    let mut parts = Vec::new();
    let values: Vec<_> = limit.seconds.iter().map(|value| format!("{value} s")).collect();
    let bounded = limit.range.filter(|[_, most]| *most < AS_LONG_AS_YOU_LIKE);
    let range = bounded.map(|[least, most]| format!(" ({least} to {most} s)")).unwrap_or_default();
    parts.push(format!(
        "{} {}{range}",
        limit.kind,
        if values.is_empty() { "off".to_owned() } else { values.join(", ") }
    ));
    parts.extend(limit.counts.filter(|counts| *counts != "either").map(str::to_owned));
    for (leg, ways) in [("client", &limit.client), ("upstream", &limit.upstream)] {
        if !ways.is_empty() {
            parts.push(format!("{leg} {}", ways.join("|")));
        }
    }
    if let Some(setting) = limit.setting {
        let place = limit.place.map(|place| format!(" ({place})")).unwrap_or_default();
        parts.push(format!("{setting}{place}"));
    }
    parts.push(limit.grade.to_owned());
    parts.join(", ")
}
