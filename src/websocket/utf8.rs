//! Is this text UTF-8 (RFC 3629), asked piece by piece (RFC 6455 §8.1)?
//!
//! Keeps at most the three bytes of a character that the pieces cut apart.

use super::event::TextFault;
use crate::violation::CharacterFault;

/// Whether all of `bytes` is a text.
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Checks one text in pieces.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8Checker {
    /// Bytes before the unfinished character.
    checked: u64,
    /// The bytes of the unfinished character.
    carry: [u8; 3],
    carry_len: u8,
}

impl Utf8Checker {
    /// Checks the next piece. After a fault the checker is spent.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), TextFault> {
        let rest = self.complete_character(piece)?;
        if is_utf8(rest) {
            self.checked += rest.len() as u64;
            return Ok(());
        }
        // Which fault it is, or whether it is only cut, is asked of the slower check.
        match std::str::from_utf8(rest) {
            Ok(_) => self.checked += rest.len() as u64,
            Err(fault) => {
                self.checked += fault.valid_up_to() as u64;
                let remaining = &rest[fault.valid_up_to()..];
                if fault.error_len().is_some() {
                    return Err(self.fault(remaining));
                }
                self.keep(remaining);
            }
        }
        Ok(())
    }

    /// The text is complete; it must not end inside a character.
    pub(super) fn finish(&self) -> Result<(), TextFault> {
        if self.carry_len == 0 { Ok(()) } else { Err(self.fault(&[])) }
    }

    /// Ends the character that earlier pieces began; returns what follows it in `piece`.
    fn complete_character<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], TextFault> {
        let carried = usize::from(self.carry_len);
        if carried == 0 {
            return Ok(piece);
        }
        let mut character = [0; 4];
        character[..carried].copy_from_slice(&self.carry[..carried]);
        let mut len = carried;
        for (taken, byte) in piece.iter().take(4 - carried).enumerate() {
            character[len] = *byte;
            len += 1;
            match std::str::from_utf8(&character[..len]) {
                Ok(_) => {
                    self.carry_len = 0;
                    self.checked += len as u64;
                    return Ok(&piece[taken + 1..]);
                }
                Err(fault) if fault.error_len().is_some() => return Err(self.fault(&character[..len])),
                Err(_) => {}
            }
        }
        // Four bytes are a character or a fault, so at most three are left over.
        self.keep(&character[..len]);
        Ok(&[])
    }

    fn keep(&mut self, unfinished: &[u8]) {
        let len = unfinished.len().min(self.carry.len());
        self.carry[..len].copy_from_slice(&unfinished[..len]);
        self.carry_len = len as u8;
    }

    /// `character` starts where the text goes wrong; without a byte, it ends there.
    fn fault(&self, character: &[u8]) -> TextFault {
        let what = match character {
            [] => CharacterFault::Cut,
            [first, rest @ ..] => CharacterFault::of(*first, rest.first().copied()),
        };
        TextFault { offset: self.checked, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CharacterFault::{BrokenOff, Cut, Overlong, Stray, Surrogate, TooLarge, Unused};

    fn check(pieces: &[&[u8]]) -> Result<(), TextFault> {
        let mut checker = Utf8Checker::default();
        for piece in pieces {
            checker.push(piece)?;
        }
        checker.finish()
    }

    /// A text and its first fault.
    type Case = (&'static [u8], Option<(u64, CharacterFault)>);

    /// Texts and the offset Python 3.11's `bytes.decode()` reports (`UnicodeDecodeError.start`), with `Cut` for its
    /// "unexpected end of data". What else is wrong stands in the table of RFC 3629 §4.
    const CASES: [Case; 15] = [
        (b"", None),
        (b"Hello", None),
        ("κόσμε €𐍈".as_bytes(), None),
        // Noncharacters are legal: U+FFFE, U+FFFF, U+10FFFF.
        (b"\xEF\xBF\xBE\xEF\xBF\xBF\xF4\x8F\xBF\xBF", None),
        (b"\xFF", Some((0, Unused(0xFF)))),
        (b"ab\x80", Some((2, Stray(0x80)))),
        // A surrogate, RFC 6455's favourite.
        (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited", Some((11, Surrogate(0xED, 0xA0)))),
        // Overlong forms.
        (b"\xC0\xAF", Some((0, Unused(0xC0)))),
        (b"x\xE0\x80\xAF", Some((1, Overlong(0xE0, 0x80)))),
        (b"\xF0\x80\x80\xAF", Some((0, Overlong(0xF0, 0x80)))),
        // Beyond U+10FFFF.
        (b"\xF4\x90\x80\x80", Some((0, TooLarge(0xF4, 0x90)))),
        (b"\xF5", Some((0, Unused(0xF5)))),
        // Ends inside a character.
        (b"a\xC3", Some((1, Cut))),
        (b"\xF0\x9F\x98", Some((0, Cut))),
        // A character broken off by ASCII.
        (b"\xE2\x82x", Some((0, BrokenOff(0xE2)))),
    ];

    fn expected(case: Option<(u64, CharacterFault)>) -> Result<(), TextFault> {
        case.map_or(Ok(()), |(offset, what)| Err(TextFault { offset, what }))
    }

    #[test]
    fn faults_are_where_python_sees_them() {
        for (text, fault) in CASES {
            assert_eq!(check(&[text]), expected(fault), "{text:02x?}");
        }
    }

    #[test]
    fn two_cuts_anywhere_change_nothing() {
        for (text, fault) in CASES {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    assert_eq!(check(&pieces), expected(fault), "{text:02x?} cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn single_bytes_change_nothing() {
        for (text, fault) in CASES {
            let pieces: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(check(&pieces), expected(fault), "{text:02x?}");
        }
    }
}
