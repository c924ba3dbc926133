//! Lines that fit: wrapping by display width, with hanging indents.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that `text` takes on a terminal; escape sequences of our own styles take none.
#[must_use]
pub(crate) fn columns(text: &str) -> usize {
    let mut width = 0;
    let mut rest = text;
    while let Some(start) = rest.find('\x1b') {
        width += rest[..start].width();
        rest = rest[start..].find('m').map_or("", |end| &rest[start + end + 1..]);
    }
    width + rest.width()
}

/// Appends `text` to `out`, which may already hold the start of a line of `used` columns; later lines are indented by
/// `indent` columns and nothing goes beyond `width` unless a single word does. Ends with a line feed.
pub(crate) fn wrap(out: &mut String, text: &str, used: usize, indent: usize, width: usize) {
    let mut column = used;
    let mut at_start = true;
    for word in words(text) {
        let trimmed = word.trim_end();
        let needed = columns(trimmed);
        if !at_start && column + needed > width && column > indent {
            let kept = out.trim_end_matches(' ').len();
            out.truncate(kept);
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        }
        out.push_str(word);
        column += columns(word);
        at_start = false;
    }
    let kept = out.trim_end_matches(' ').len();
    out.truncate(kept);
    out.push('\n');
}

/// Splits into pieces between which a line may break: after spaces, and after wide characters (Chinese has no spaces)
/// unless a punctuation mark follows, which may not begin a line.
fn words(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((index, character)) = chars.next() {
        let end = index + character.len_utf8();
        let next = chars.peek().map(|&(_, next)| next);
        let is_wide = character.width() == Some(2);
        let breaks = match next {
            None => true,
            Some(next) if character == ' ' => next != ' ',
            Some(next) => is_wide && !is_closing(next) && next != ' ' && !is_opening(character),
        };
        if breaks {
            pieces.push(&text[start..end]);
            start = end;
        }
    }
    pieces
}

/// Marks that may not begin a line.
fn is_closing(character: char) -> bool {
    "，。、；：！？）》」』】”’%.,;:!?)".contains(character)
}

/// Marks that may not end a line.
fn is_opening(character: char) -> bool {
    "（《「『【“‘(".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, indent: usize, width: usize) -> String {
        let mut out = String::new();
        wrap(&mut out, text, 0, indent, width);
        out
    }

    #[test]
    fn words_move_to_the_next_line_whole() {
        assert_eq!(wrapped("one two three", 2, 8), "one two\n  three\n");
        assert_eq!(wrapped("unbreakable-word", 0, 5), "unbreakable-word\n");
    }

    #[test]
    fn chinese_breaks_between_characters_but_not_before_punctuation() {
        assert_eq!(wrapped("服务器关闭。", 0, 10), "服务器关\n闭。\n");
    }

    #[test]
    fn styles_take_no_columns() {
        assert_eq!(columns("\x1b[1mbold\x1b[0m"), 4);
        assert_eq!(columns("关闭"), 4);
    }
}
