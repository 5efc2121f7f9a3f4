//! Where the reading of a pattern is.

use super::{BadPattern, Result};

pub struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// Takes a text that stands here.
    pub fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// Takes a word that stands here, whatever its letters' case.
    pub fn word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let there = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if there {
            self.at += word.len();
        }
        there
    }

    pub fn expect(&mut self, text: &str) -> Result<()> {
        match self.take(text) {
            true => Ok(()),
            false => Err(self.bad(format!("expected '{text}'"))),
        }
    }

    /// Takes what stands here as long as it is wanted.
    pub fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes, in which a backslash takes the next character as it is.
    pub fn quoted(&mut self) -> Result<String> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.bad("a quotation mark is missing")),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.next().ok_or_else(|| self.bad("a quotation mark is missing"))?),
                Some(c) => text.push(c),
            }
        }
    }

    /// What is between two percent signs.
    pub fn expression(&mut self) -> Result<&'t str> {
        self.expect("%")?;
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            match c {
                '%' if !escaped => {
                    self.at += at + 1;
                    return Ok(&rest[..at]);
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        Err(self.bad("a percent sign is missing behind a regular expression"))
    }

    pub fn bad(&self, what: impl std::fmt::Display) -> BadPattern {
        BadPattern(format!("Invalid filter pattern: {what} at character {}", self.text[..self.at].chars().count() + 1))
    }
}
