//! Wildcards: `*` for any text, also none; `\*` and `\\` for themselves. Matched in time linear in the text, since there
//! is nothing but literal pieces to be found one after the other.

/// A compiled wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    /// What stands before, between and after the asterisks; one piece: there is none.
    pieces: Vec<String>,
}

impl Wildcard {
    /// # Errors
    /// Two asterisks beside each other, or a backslash before something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars().enumerate();
        let mut after_asterisk = false;
        while let Some((at, character)) = characters.next() {
            let literal = match character {
                '*' if after_asterisk => return Err(format!("Consecutive wildcard characters at pos {at}")),
                '*' => None,
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '\\'))) => Some(escaped),
                    _ => return Err(format!("Invalid escape character at pos {at}")),
                },
                other => Some(other),
            };
            after_asterisk = literal.is_none();
            match (literal, pieces.last_mut()) {
                (Some(literal), Some(piece)) => piece.push(literal),
                _ => pieces.push(String::new()),
            }
        }
        Ok(Self { pieces })
    }

    /// Whether a text is of this form.
    pub fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for piece in between {
            match rest.find(piece.as_str()) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Wildcard;

    #[test]
    fn asterisks_stand_for_any_text_and_can_be_escaped() {
        for (wildcard, text, wanted) in [
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("*/lib/*", "/usr/lib/x", true),
            ("*ab*abc", "ababc", true),
            ("*ab*abc", "abc", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\x", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("a?c", "abc", false),
        ] {
            assert_eq!(Wildcard::parse(wildcard).unwrap().matches(text), wanted, "{wildcard} {text}");
        }
        assert_eq!(Wildcard::parse("a**"), Err("Consecutive wildcard characters at pos 2".to_owned()));
        assert_eq!(Wildcard::parse(r"a\b"), Err("Invalid escape character at pos 1".to_owned()));
        assert!(Wildcard::parse("a\\").is_err());
    }
}
