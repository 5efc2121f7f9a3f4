//! What somebody else wrote, on one line of a log or a record: cut to a bound, and nothing in it that a
//! terminal would obey.

use std::borrow::Cow;

/// The first `most` bytes of `text`, with control characters, line breaks and marks that change the direction
/// of writing spelled out.
pub fn one_line(text: &str, most: usize) -> Cow<'_, str> {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, rest) = text.split_at(end);
    if rest.is_empty() && !kept.contains(is_unruly) {
        return Cow::Borrowed(kept);
    }
    let mut line = String::with_capacity(kept.len() + 32);
    for character in kept.chars() {
        match is_unruly(character) {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    if !rest.is_empty() {
        line += &format!("… ({} more bytes)", rest.len());
    }
    Cow::Owned(line)
}

fn is_unruly(c: char) -> bool {
    let directions = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directions || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_has_an_end() {
        assert!(matches!(one_line("as it is: ü", 100), Cow::Borrowed("as it is: ü")));
        assert_eq!(one_line("a\nb\x1b[2J\u{9b}\u{202e}c", 100), "a\\nb\\u{1b}[2J\\u{9b}\\u{202e}c");
        assert_eq!(one_line(&"x".repeat(1_000), 3), "xxx… (997 more bytes)");
        assert_eq!(one_line("üü", 3), "ü… (2 more bytes)", "not in the middle of a character");
    }
}
