//! Regular expressions between percent signs: of AWS's characters and operators only, without groups, over bytes.

use super::cursor::Cursor;
use super::{BadPattern, Result};
use regex::bytes::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take: counted repetitions multiply.
const LARGEST: usize = 1 << 20;

#[derive(Debug, Clone)]
pub struct Expression(Regex);

impl Expression {
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let text = cursor.expression()?;
        Self::new(text)
    }

    fn new(text: &str) -> Result<Self> {
        let bad = |why: &str| BadPattern(format!("Invalid regular expression %{text}%: {why}"));
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => {}
                    Some('x') => {
                        let digits = [chars.next(), chars.next()];
                        if !digits.iter().all(|c| c.is_some_and(|c| c.is_ascii_hexdigit())) {
                            return Err(bad("\\x needs two hexadecimal digits"));
                        }
                    }
                    Some(c) if c.is_ascii_punctuation() => {}
                    _ => return Err(bad("what is behind a backslash is not supported")),
                },
                c if c.is_ascii_alphanumeric() || ":_#=@/;,-^$?[]{}|*+.".contains(c) => {}
                c => return Err(bad(&format!("'{c}' is not supported"))),
            }
        }
        let mut builder = RegexBuilder::new(text);
        builder.unicode(false).size_limit(LARGEST).dfa_size_limit(LARGEST).nest_limit(super::DEEPEST as u32);
        builder.build().map(Self).map_err(|_| bad("it cannot be read, or is too large"))
    }

    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}
