//! What happened between the points that recorded a connection, in words.

use super::{InputFile, Speaker};
use crate::connection::{HopDoubt, HopLoss, HopPoint, HopReset, Hops, ResetSource};
use crate::diagnosis::printable;
use crate::units::{Origin, Side};

/// One line for the points, and one for each loss, doubt and RST.
pub(super) fn lines(hops: &Hops, files: &[InputFile], speaker: &Speaker) -> Vec<String> {
    let words = Words { hops, files, speaker };
    let losses = hops.losses.iter().map(|loss| words.loss(loss));
    // What was sent again with success hurt nobody.
    let doubts = hops.doubts.iter().filter(|doubt| doubt.missing).map(|doubt| words.doubt(doubt));
    let resets = hops.resets.iter().map(|reset| words.reset(reset));
    [words.points()].into_iter().chain(losses).chain(doubts).chain(resets).collect()
}

struct Words<'a> {
    hops: &'a Hops,
    files: &'a [InputFile],
    speaker: &'a Speaker,
}

impl Words<'_> {
    fn say(&self, what: &str, values: &[(&str, &str)]) -> String {
        self.speaker.say_with(&format!("hops.{what}"), values)
    }

    /// The name of a point.
    fn point(&self, at: usize) -> String {
        let Some(point) = self.hops.points.get(at) else { return String::new() };
        let name = InputFile::recording(self.files, &point.seen);
        let index = (point.seen.interface & 0xffff).to_string();
        let interface = || match name.interface {
            Some(interface) => interface.to_owned(),
            None => self.say("interface", &[("interface", &index)]),
        };
        let file = name.file.filter(|_| self.files.len() > 1).map(printable);
        match file {
            Some(file) if name.interface.is_some() => format!("{file} ({})", interface()),
            Some(file) => file,
            None => interface(),
        }
    }

    fn points(&self) -> String {
        let name = |(at, point): (usize, &HopPoint)| match point.delay_s {
            Some(delay) => format!("{} (+{} ms)", self.point(at), self.speaker.seconds(1000.0 * delay)),
            None => self.point(at),
        };
        let names: Vec<String> = self.hops.points.iter().enumerate().map(name).collect();
        if self.hops.ordered {
            self.say("points", &[("points", &names.join(" → "))])
        } else {
            self.say("unordered", &[("points", &names.join(", "))])
        }
    }

    fn loss(&self, loss: &HopLoss) -> String {
        let bytes = self.speaker.number(loss.bytes);
        let again = self.speaker.number(loss.sent_again);
        let (from, to) = (self.point(loss.between.0), self.point(loss.between.1));
        let key = match (loss.bytes, loss.sent_again) {
            (0, _) => "lost_empty",
            (_, 0) => "lost",
            _ => "lost_sent_again",
        };
        self.say(
            key,
            &[
                ("side", self.speaker.word(loss.side.name())),
                ("from", &from),
                ("to", &to),
                ("bytes", &bytes),
                ("again", &again),
                ("packet", &loss.first.packet.to_string()),
            ],
        )
    }

    fn doubt(&self, doubt: &HopDoubt) -> String {
        self.say(
            "doubt",
            &[
                ("side", self.speaker.word(doubt.side.name())),
                ("bytes", &self.speaker.number(doubt.bytes)),
                ("packet", &doubt.first.packet.to_string()),
                ("why", &self.say(doubt.why.name(), &[])),
            ],
        )
    }

    fn reset(&self, reset: &HopReset) -> String {
        let packets: Vec<String> = reset.seen.iter().flatten().map(|at: &Origin| at.packet.to_string()).collect();
        let packets = packets.join(" ");
        let side = self.speaker.word(reset.side.name());
        let nearest = || {
            let at = match reset.side {
                Side::Client => reset.seen.iter().position(Option::is_some),
                Side::Server => reset.seen.iter().rposition(Option::is_some),
            };
            at.map(|at| self.point(at)).unwrap_or_default()
        };
        match reset.source {
            ResetSource::Between(from, to) => self.say(
                "reset_between",
                &[("side", side), ("packets", &packets), ("from", &self.point(from)), ("to", &self.point(to))],
            ),
            ResetSource::Beyond if self.hops.ordered => {
                self.say("reset_beyond", &[("side", side), ("packets", &packets), ("point", &nearest())])
            }
            ResetSource::Beyond => self.say("reset_everywhere", &[("side", side), ("packets", &packets)]),
            ResetSource::Unknown(why) => {
                self.say("reset_unknown", &[("side", side), ("packets", &packets), ("why", &self.say(why.name(), &[]))])
            }
        }
    }
}
