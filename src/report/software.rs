//! Which WebSocket library speaks on each side, in words.

use super::Speaker;
use crate::diagnosis::printable;
use crate::fleet::ConnectionReport;
use crate::software::Recognition;
use crate::units::Side;

/// One sentence for each side whose library is known, or narrowed down to a few.
pub(super) fn lines(report: &ConnectionReport, speaker: &Speaker) -> Vec<String> {
    Side::BOTH.into_iter().filter_map(|side| line(&report.subject.software()[side], side, speaker)).collect()
}

fn line(found: &Recognition, side: Side, speaker: &Speaker) -> Option<String> {
    let Some((stack, sureness)) = found.stack().zip(found.sureness()) else {
        let titles: Vec<&str> = found.others().map(|stack| &*stack.title).collect();
        let values = [("side", speaker.word(side.name())), ("titles", &titles.join(", "))];
        return (!titles.is_empty()).then(|| speaker.say_with("software.several", &values));
    };
    let version = found.version().map(|version| format!(" {}", printable(version))).unwrap_or_default();
    let title = format!("{}{version}", stack.title);
    let by: Vec<&str> = found.known_by().iter().map(|by| speaker.word(by.name())).collect();
    let packets: Vec<String> = found.packets().iter().map(|at| at.packet.to_string()).collect();
    let values = [
        ("side", speaker.word(side.name())),
        ("title", &title),
        ("sureness", speaker.word(sureness.name())),
        ("by", &by.join(", ")),
        ("packets", &packets.join(" ")),
    ];
    Some(speaker.say_with("software.named", &values))
}
