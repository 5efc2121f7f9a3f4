//! Wildcards: `*` for any text, also none, and `?` for one character.
//!
//! Policies, conditions of listener rules, filters and stack policies have them alike. What they add is their own:
//! policies have variables ([`glob`] takes their pieces), rules and filters a backslash ([`Glob::escaped`]). Paths
//! of parameters, prefixes and delimiters of S3, version selectors and routes are other languages.

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This character; in lower case where case is ignored.
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
}

impl Piece {
    /// What a character of a pattern means.
    pub fn of(character: char, ignore_case: bool) -> Self {
        match character {
            '*' => Self::Any,
            '?' => Self::One,
            other => Self::literal(other, ignore_case),
        }
    }

    /// The character itself, whatever it is.
    pub fn literal(character: char, ignore_case: bool) -> Self {
        Self::Char(folded(character, ignore_case))
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pieces: Vec<Piece>,
    ignore_case: bool,
}

impl Glob {
    /// In which nothing but `*` and `?` is special.
    pub fn plain(text: &str) -> Self {
        Self { pieces: text.chars().map(|character| Piece::of(character, false)).collect(), ignore_case: false }
    }

    /// In which these two, and the backslash itself, mean themselves after a backslash.
    pub fn escaped(text: &str, ignore_case: bool) -> Self {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text.chars().peekable();
        while let Some(first) = rest.next() {
            let literal = (first == '\\').then(|| rest.next_if(|next| matches!(next, '*' | '?' | '\\'))).flatten();
            pieces.push(match literal {
                Some(literal) => Piece::literal(literal, ignore_case),
                None => Piece::of(first, ignore_case),
            });
        }
        Self { pieces, ignore_case }
    }

    /// Whether the whole text is like the pattern.
    pub fn matches(&self, text: &str) -> bool {
        glob(&self.pieces, text, self.ignore_case)
    }
}

fn folded(character: char, ignore_case: bool) -> char {
    if ignore_case { character.to_ascii_lowercase() } else { character }
}

/// Whether the whole text is like the pattern. Greedy, and goes back to the last `*` only: at most pattern × text
/// steps, and no recursion.
pub fn glob(pattern: &[Piece], text: &str, ignore_case: bool) -> bool {
    let (mut piece, mut at) = (0, 0);
    // After the last `*` seen: the next piece, and where in the text its run may end.
    let mut back: Option<(usize, usize)> = None;
    loop {
        let next = text[at..].chars().next();
        let step = match (pattern.get(piece), next) {
            (None, None) => return true,
            (Some(Piece::Any), _) => {
                back = Some((piece + 1, at));
                piece += 1;
                continue;
            }
            (Some(Piece::One), Some(_)) => true,
            (Some(Piece::Char(wanted)), Some(found)) => *wanted == folded(found, ignore_case),
            _ => false,
        };
        if step {
            piece += 1;
            at += next.map_or(0, char::len_utf8);
        } else {
            let Some((after, end)) = back else { return false };
            let Some(swallowed) = text[end..].chars().next() else { return false };
            back = Some((after, end + swallowed.len_utf8()));
            piece = after;
            at = end + swallowed.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/img/*", "/img/a/b.png", true),
            ("/img/*", "/img", false),
            ("/img/*/pics", "/img/x/y/pics", true),
            ("/?.png", "/a.png", true),
            ("/?.png", "/ü.png", true),
            ("/?.png", "/.png", false),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("ab*b", "ab", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::plain(pattern).matches(text), expected, "{pattern} {text}");
            assert_eq!(Glob::escaped(pattern, false).matches(text), expected, "{pattern} {text}");
        }
        assert!(Glob::escaped("*.Example.COM", true).matches("shop.example.com"));
        assert!(!Glob::escaped("*.Example.COM", false).matches("shop.example.com"));
        // At most pattern × text steps: as many as it takes to see that none fits.
        assert!(!Glob::plain(&"*a".repeat(200)).matches(&"a".repeat(199)));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away_where_it_may() {
        for (pattern, text, expected) in [
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\*b*", "a*bc", true),
            (r"\?", "?", true),
            (r"\?", "x", false),
            (r"\\*", r"\tail", true),
            (r"\\\*", r"\*", true),
            (r"a\b", r"a\b", true),
            (r"a\", r"a\", true),
        ] {
            assert_eq!(Glob::escaped(pattern, false).matches(text), expected, "{pattern} {text}");
        }
        assert!(Glob::plain(r"a\*").matches(r"a\b"));
    }
}
