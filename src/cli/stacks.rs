//! The table of WebSocket libraries, printed.

use super::Failure;
use super::args::{ListArgs, ListFormat};
use super::knowledge::Page;
use crate::catalog::stacks;
use crate::report::layout::wrap;
use crate::software::{EndStyle, Grade, Habits, Snippet, Stack};
use crate::units::Side;
use anstyle::Style;
use serde::Serialize;

const STRONG: Style = Style::new().bold();

#[derive(Serialize)]
struct StackRow<'a> {
    name: &'a str,
    title: &'a str,
    language: &'a str,
    grade: &'static str,
    version: Option<&'a str>,
    source: &'a str,
    client: Option<RoleRow<'a>>,
    server: Option<RoleRow<'a>>,
}

/// Defaults of a library in one role, with its settings as they are written.
#[derive(Serialize)]
struct RoleRow<'a> {
    limit_bytes: Option<u64>,
    limit_ends: Vec<String>,
    limit_setting: Option<&'a str>,
    ping_interval_s: Option<f64>,
    ping_timeout_s: Option<f64>,
    ping_ends: Vec<String>,
    ping_setting: Option<&'a str>,
    idle_timeout_s: Option<f64>,
    idle_ends: Option<String>,
    idle_setting: Option<&'a str>,
    close_timeout_s: Option<f64>,
    handler_error: Option<&'static str>,
    shutdown_code: Option<u16>,
    keepalive_setting: Option<&'a str>,
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Measured => "measured",
        Grade::Source => "source",
        Grade::Documented => "documented",
        Grade::Secondary => "secondary",
        Grade::Known => "unverified",
    }
}

fn end(style: EndStyle) -> String {
    match style {
        EndStyle::Code(code) => code.to_string(),
        EndStyle::Empty => "empty".to_owned(),
        EndStyle::Fin => "fin".to_owned(),
        EndStyle::Rst => "rst".to_owned(),
    }
}

fn role(habits: &Habits) -> RoleRow<'_> {
    let (limit, ping, idle) = (habits.limit.as_ref(), habits.ping.as_ref(), habits.idle.as_ref());
    let ends = |styles: Option<&Vec<EndStyle>>| styles.into_iter().flatten().copied().map(end).collect();

    RoleRow {
        limit_bytes: limit.and_then(|limit| limit.bytes),
        limit_ends: ends(limit.map(|limit| &limit.ends)),
        limit_setting: limit.and_then(|limit| limit.write.as_ref()).map(Snippet::as_written),
        ping_interval_s: ping.and_then(|ping| ping.every_s),
        ping_timeout_s: ping.and_then(|ping| ping.timeout_s),
        ping_ends: ends(ping.map(|ping| &ping.ends)),
        ping_setting: ping.and_then(|ping| ping.write.as_ref()).map(Snippet::as_written),
        idle_timeout_s: idle.map(|idle| idle.after_s),
        idle_ends: idle.map(|idle| end(idle.ends)),
        idle_setting: idle.and_then(|idle| idle.write.as_ref()).map(Snippet::as_written),
        close_timeout_s: habits.close_wait_s,
        handler_error: habits.exception.map(crate::software::HandlerError::name),
        shutdown_code: habits.shutdown_code,
        keepalive_setting: habits.keepalive.as_ref().map(Snippet::as_written),
    }
}

fn row(stack: &Stack) -> StackRow<'_> {
    StackRow {
        name: &stack.name,
        title: &stack.title,
        language: &stack.language,
        grade: grade(stack.grade),
        version: stack.version.as_deref(),
        source: &stack.source,
        client: stack.habits[Side::Client].as_ref().map(role),
        server: stack.habits[Side::Server].as_ref().map(role),
    }
}

/// Prints the table.
pub(super) fn list(page: &mut Page, list: &ListArgs) -> Result<(), Failure> {
    let stacks: Vec<_> = stacks::builtin().all().collect();
    if list.format == ListFormat::Json {
        return page.json(&stacks.into_iter().map(row).collect::<Vec<_>>());
    }
    for stack in stacks {
        let version = stack.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let head = format!("{STRONG}{}{STRONG:#}  {} ({})\n    ", stack.name, stack.title, stack.language);
        page.out.push_str(&head);
        wrap(&mut page.out, &format!("{}{version}: {}", grade(stack.grade), stack.source), 4, 4, page.width);
        for side in Side::BOTH {
            if let Some(habits) = &stack.habits[side] {
                defaults(page, side, &role(habits));
            }
        }
    }
    Ok(())
}

fn defaults(page: &mut Page, side: Side, role: &RoleRow<'_>) {
    let seconds = |name: &str, value: Option<f64>| value.map(|seconds| format!("{name} {seconds} s"));
    let parts = [
        role.limit_bytes.map(|bytes| format!("limit {bytes} bytes")),
        seconds("ping every", role.ping_interval_s),
        seconds("ping timeout", role.ping_timeout_s),
        seconds("idle timeout", role.idle_timeout_s),
        seconds("close timeout", role.close_timeout_s),
        role.limit_setting.map(str::to_owned),
        role.ping_setting.map(str::to_owned),
        role.idle_setting.map(str::to_owned),
        role.keepalive_setting.map(str::to_owned),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        page.out.push_str("    ");
        wrap(&mut page.out, &format!("{}: {}", side.name(), parts.join("; ")), 6, 6, page.width);
    }
}
