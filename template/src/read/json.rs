//! JSON with line and column for every value.
//!
//! Our own small reader: `serde_json` keeps no places and lets the last of two equal keys win, where
//! CloudFormation refuses.

use std::collections::HashSet;

use serde_json::Number;

use super::{MAX_DEPTH, malformed};
use crate::error::{At, Mark, Result, TemplateError};
use crate::node::{Key, Node, NodeKind};

/// Reads one JSON value that fills the whole text.
pub fn read(text: &str) -> Result<Node> {
    let mut reader = Reader { rest: text, line: 1, column: 1 };
    let root = At::root();
    let node = reader.value(&root, 0)?;
    reader.space();
    if !reader.rest.is_empty() {
        return Err(reader.error(&root, "text after the end of the template"));
    }
    Ok(node)
}

struct Reader<'t> {
    rest: &'t str,
    line: u32,
    column: u32,
}

impl Reader<'_> {
    fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column }
    }

    fn error(&self, at: &At<'_>, reason: &str) -> TemplateError {
        malformed("JSON", at, self.mark(), reason)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
    }

    fn expect(&mut self, at: &At<'_>, wanted: char) -> Result<()> {
        self.space();
        if self.peek() == Some(wanted) {
            self.next();
            return Ok(());
        }
        Err(self.error(at, &format!("expected '{wanted}'")))
    }

    fn value(&mut self, at: &At<'_>, depth: usize) -> Result<Node> {
        self.space();
        let mark = self.mark();
        if depth > MAX_DEPTH {
            return Err(self.error(at, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let kind = match self.peek() {
            Some('{') => self.object(at, depth)?,
            Some('[') => self.list(at, depth)?,
            Some('"') => NodeKind::String(self.string(at)?),
            Some('-' | '0'..='9') => self.number(at)?,
            Some(_) => self.word(at)?,
            None => return Err(self.error(at, "the text ends too early")),
        };
        Ok(Node { kind, mark })
    }

    fn object(&mut self, at: &At<'_>, depth: usize) -> Result<NodeKind> {
        self.next();
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        self.space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(NodeKind::Map(entries));
        }
        loop {
            self.space();
            let mark = self.mark();
            if self.peek() != Some('"') {
                return Err(self.error(at, "expected a key in double quotes"));
            }
            let name = self.string(at)?;
            let here = at.key(&name, mark);
            if !seen.insert(name.clone()) {
                return Err(malformed("JSON", &here, mark, &format!("duplicate key '{name}'")));
            }
            self.expect(&here, ':')?;
            let value = self.value(&here, depth + 1)?;
            entries.push((Key { name, mark }, value));
            self.space();
            match self.next() {
                Some(',') => {}
                Some('}') => return Ok(NodeKind::Map(entries)),
                _ => return Err(self.error(at, "expected ',' or '}'")),
            }
        }
    }

    fn list(&mut self, at: &At<'_>, depth: usize) -> Result<NodeKind> {
        self.next();
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(NodeKind::List(items));
        }
        loop {
            let here = at.index(items.len(), self.mark());
            items.push(self.value(&here, depth + 1)?);
            self.space();
            match self.next() {
                Some(',') => {}
                Some(']') => return Ok(NodeKind::List(items)),
                _ => return Err(self.error(at, "expected ',' or ']'")),
            }
        }
    }

    fn string(&mut self, at: &At<'_>) -> Result<String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                // AWS's reader takes line breaks and tabs inside strings, so do we.
                Some(c) => text.push(c),
                None => return Err(self.error(at, "a string is not closed")),
            }
        }
    }

    fn escape(&mut self, at: &At<'_>) -> Result<char> {
        Ok(match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let first = self.hex(at)?;
                let code = if (0xd800..0xdc00).contains(&first) && self.rest.starts_with("\\u") {
                    self.next();
                    self.next();
                    let second = self.hex(at)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.error(at, "half of a surrogate pair"));
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.error(at, "\\u does not name a character"))?
            }
            _ => return Err(self.error(at, "unknown escape in a string")),
        })
    }

    fn hex(&mut self, at: &At<'_>) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            match self.next().and_then(|c| c.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return Err(self.error(at, "\\u needs four hexadecimal digits")),
            }
        }
        Ok(code)
    }

    fn number(&mut self, at: &At<'_>) -> Result<NodeKind> {
        let length = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
            .unwrap_or(self.rest.len());
        let text = &self.rest[..length];
        let number: Option<Number> = serde_json::from_str(text).ok();
        let Some(number) = number else {
            return Err(self.error(at, "not a number"));
        };
        self.column += length as u32;
        self.rest = &self.rest[length..];
        Ok(NodeKind::Number(number))
    }

    fn word(&mut self, at: &At<'_>) -> Result<NodeKind> {
        for (word, kind) in [("true", NodeKind::Bool(true)), ("false", NodeKind::Bool(false)), ("null", NodeKind::Null)]
        {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                self.column += word.len() as u32;
                return Ok(kind);
            }
        }
        Err(self.error(at, "expected a value"))
    }
}
