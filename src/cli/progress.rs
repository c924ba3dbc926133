//! How far a long reading has come: one line on a terminal, rewritten in place and gone before anything else is printed.
//!
//! Standard error must be a terminal that can return to the start of a line, and reading must have taken more than a second.
//! Bytes are those of the files as they lie there, compressed or not.

use super::inputs::Inputs;
use crate::report::Speaker;
use crate::report::layout::columns;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};
use terminal_size::terminal_size_of;

/// Tells how far the reading of some captures has come.
pub(super) struct Progress<'a> {
    speaker: &'a Speaker,
    inputs: &'a Inputs,
    size: Option<u64>,
    started: Instant,
    /// When to tell it next; `None` when nobody looks.
    due: Option<Instant>,
    /// Read since the last look at the clock.
    packets: usize,
    /// Columns of the line that stands there.
    columns: usize,
}

impl<'a> Progress<'a> {
    /// Begins now. `is_wanted`: nothing else is printed meanwhile that a line would disturb.
    pub(super) fn new(speaker: &'a Speaker, inputs: &'a Inputs, is_wanted: bool) -> Self {
        let started = Instant::now();
        let due = (is_wanted && io::stderr().is_terminal() && !is_dumb()).then(|| started + PATIENCE);
        Self { speaker, inputs, size: inputs.size(), started, due, packets: 0, columns: 0 }
    }

    /// So many packets more have been read, and so many connections have ended so far.
    #[inline]
    pub(super) fn tick(&mut self, packets: usize, ended: u64) {
        self.packets += packets;
        if self.packets >= LOOK {
            self.packets = 0;
            self.look(ended);
        }
    }

    #[cold]
    fn look(&mut self, ended: u64) {
        let now = Instant::now();
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = Some(now + PAUSE);
        let line = line(self.speaker, self.inputs.bytes_read(), self.size, now - self.started, ended);
        let width = terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        // The last column stays free: a full line would wrap.
        self.replace(cut(&line, width.saturating_sub(1)));
    }

    /// Takes the line away. It comes again with the next packets.
    pub(super) fn clear(&mut self) {
        if self.columns > 0 {
            self.replace("");
            let _ = io::stderr().write_all(b"\r");
        }
    }

    fn replace(&mut self, line: &str) {
        let now = columns(line);
        let rest = " ".repeat(self.columns.saturating_sub(now));
        // A terminal that is gone is nobody's concern here.
        let _ = write!(io::stderr(), "\r{line}{rest}");
        self.columns = now;
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What is told: so many bytes of `size`, if that is known, in so long.
fn line(speaker: &Speaker, read: u64, size: Option<u64>, passed: Duration, ended: u64) -> String {
    let per_second = read as f64 / passed.as_secs_f64().max(1e-3);
    let rate = if per_second < 100e6 {
        speaker.tenths(per_second / 1e6)
    } else {
        speaker.number(megabytes(per_second as u64))
    };
    let (read_mb, count) = (speaker.number(megabytes(read)), speaker.number(ended));
    let values = [("read", read_mb.as_str()), ("rate", &rate), ("count", &count)];
    let Some(size) = size.filter(|size| *size > 0) else {
        return speaker.say_with("progress.of_unknown", &values);
    };
    let left = size.saturating_sub(read);
    let percent = (100 - left.saturating_mul(100).div_ceil(size)).to_string();
    let left = duration(speaker, left as f64 / per_second.max(1.0));
    let known = [("total", speaker.number(megabytes(size))), ("percent", percent), ("left", left)];
    let known = known.iter().map(|(name, value)| (*name, value.as_str()));
    speaker.say_with("progress.of_known", &values.into_iter().chain(known).collect::<Vec<_>>())
}

fn megabytes(bytes: u64) -> u64 {
    (bytes + 500_000) / 1_000_000
}

/// A time to come, which nobody knows to the second when it is long.
fn duration(speaker: &Speaker, seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    let (hours, minutes) = ((whole / 3600).to_string(), (whole / 60 % 60).to_string());
    let (two_digits, s) = (format!("{:02}", whole / 60 % 60), format!("{:02}", whole % 60));
    match whole {
        0..60 => speaker.say_with("duration.s", &[("s", &whole.to_string())]),
        60..3600 => speaker.say_with("duration.min", &[("min", &minutes), ("s", &s)]),
        _ => speaker.say_with("duration.h", &[("h", &hours), ("min", &two_digits)]),
    }
}

/// As much of the beginning as fits.
fn cut(line: &str, width: usize) -> &str {
    let ends = line.char_indices().map(|(at, character)| at + character.len_utf8());
    let fitting = ends.take_while(|end| columns(&line[..*end]) <= width).last();
    &line[..fitting.unwrap_or(0)]
}

/// Whether the terminal only prints.
fn is_dumb() -> bool {
    std::env::var_os("TERM").map_or(cfg!(unix), |term| term == "dumb" || term.is_empty())
}

/// Reading that is over sooner needs no line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two lines.
const PAUSE: Duration = Duration::from_millis(200);

/// Packets between two looks at the clock.
const LOOK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::language::Language;

    #[test]
    fn the_line_tells_bytes_rate_connections_and_the_time_left() {
        let told =
            |read, size, seconds| line(&Speaker::new(Language::En), read, size, Duration::from_secs(seconds), 1234);
        assert_eq!(
            told(1_500_000_000, Some(6_000_000_000), 10),
            "1,500 of 6,000 MB (25 %), 150 MB/s, WebSocket connections ended: 1,234, about 30 s left"
        );
        assert_eq!(told(30_000_000, None, 4), "30 MB, 7.5 MB/s, WebSocket connections ended: 1,234");
        assert!(told(1_000_000, Some(3_700_000_000), 1).ends_with("about 1 h 01 min left"));
        assert!(told(9_999_999, Some(10_000_000), 1).contains("(99 %)"), "not before it is over");
        assert!(told(5, Some(4), 1).contains("(100 %)"), "a file that grew");
    }

    #[test]
    fn every_language_has_the_words_for_it() {
        for language in Language::ALL {
            let speaker = Speaker::new(language);
            for size in [None, Some(10_000_000_000)] {
                let line = line(&speaker, 7_000_000_000, size, Duration::from_secs(7), 3);
                assert!(!line.contains(['{', '}']) && line.contains('7') && line.contains('3'), "{line}");
            }
        }
    }

    #[test]
    fn it_fits() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("已读取", 5), "已读");
        assert_eq!(cut("abc", 80), "abc");
    }
}
