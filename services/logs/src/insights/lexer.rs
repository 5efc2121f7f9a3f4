//! A query as words. `#` begins a comment up to the end of its line.

use super::BadQuery;
use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A command, function, or field: letters, digits, `_ @ .`
    Word(String),
    /// A field in backticks, with whatever characters.
    Quoted(String),
    Number(f64),
    /// A number with a unit: `5m`.
    Period(i64, String),
    Text(String),
    Regex(String),
    Sign(&'static str),
}

/// A token and the characters that it stands in.
pub type Placed = (Token, Range<usize>);

const SIGNS: [&str; 21] =
    ["!=", "<=", ">=", "=~", "==", "|", "=", "<", ">", "+", "-", "*", "/", "%", "^", "(", ")", "[", "]", ",", ":"];

pub fn tokens(text: &str) -> Result<Vec<Placed>, BadQuery> {
    let chars: Vec<char> = text.chars().collect();
    let mut found: Vec<Placed> = vec![];
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let start = at;
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        if c == '#' {
            while chars.get(at).is_some_and(|c| *c != '\n') {
                at += 1;
            }
            continue;
        }
        let token = match c {
            '"' | '\'' => Token::Text(delimited(&chars, &mut at, c)?),
            '`' => Token::Quoted(delimited(&chars, &mut at, c)?),
            '/' if begins_regex(&found) => Token::Regex(regex(&chars, &mut at)?),
            c if c.is_ascii_digit() => number(&chars, &mut at)?,
            c if is_word(c) => {
                let end = chars[at..]
                    .iter()
                    .position(|c| !is_word(*c) && !c.is_ascii_digit())
                    .map_or(chars.len(), |n| at + n);
                at = end;
                Token::Word(chars[start..end].iter().collect())
            }
            _ => {
                let here = |sign: &&&str| sign.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
                let sign = SIGNS
                    .iter()
                    .find(here)
                    .ok_or_else(|| BadQuery::at(start..start + 1, format!("unexpected symbol found {c}")))?;
                at += sign.len();
                Token::Sign(sign)
            }
        };
        found.push((token, start..at));
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '@' || c == '.' || c == '$'
}

/// A slash divides behind a value, and begins an expression elsewhere: behind the field that is parsed, too.
fn begins_regex(before: &[Placed]) -> bool {
    let is = |placed: &Placed, words: &[&str]| matches!(&placed.0, Token::Word(word) if words.iter().any(|known| word.eq_ignore_ascii_case(known)));
    match before {
        [] => true,
        [.., command, (Token::Word(_) | Token::Quoted(_), _)] if is(command, &["parse"]) => true,
        [.., last] => match &last.0 {
            Token::Sign(sign) => !matches!(*sign, ")" | "]"),
            Token::Word(_) => is(last, &["like", "parse"]),
            _ => false,
        },
    }
}

fn delimited(chars: &[char], at: &mut usize, end: char) -> Result<String, BadQuery> {
    let start = *at;
    let mut text = String::new();
    loop {
        *at += 1;
        match chars.get(*at) {
            None => return Err(BadQuery::at(start..chars.len(), format!("{end} is missing"))),
            Some(c) if *c == end => break,
            Some('\\') if matches!(chars.get(*at + 1), Some(next) if *next == end || *next == '\\') => {
                *at += 1;
                text.push(chars[*at]);
            }
            Some(c) => text.push(*c),
        }
    }
    *at += 1;
    Ok(text)
}

fn regex(chars: &[char], at: &mut usize) -> Result<String, BadQuery> {
    let start = *at;
    let mut text = String::new();
    loop {
        *at += 1;
        match chars.get(*at) {
            None => return Err(BadQuery::at(start..chars.len(), "/ is missing behind a regular expression")),
            Some('/') => break,
            Some('\\') if chars.get(*at + 1) == Some(&'/') => {
                *at += 1;
                text.push('/');
            }
            Some('\\') => {
                text.push('\\');
                *at += 1;
                text.extend(chars.get(*at));
            }
            Some(c) => text.push(*c),
        }
    }
    *at += 1;
    Ok(text)
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, BadQuery> {
    let start = *at;
    let run = |at: &mut usize, wanted: &dyn Fn(char) -> bool| {
        while chars.get(*at).is_some_and(|c| wanted(*c)) {
            *at += 1;
        }
    };
    run(at, &|c| c.is_ascii_digit());
    let whole = *at;
    if chars.get(*at) == Some(&'.') && chars.get(*at + 1).is_some_and(char::is_ascii_digit) {
        *at += 1;
        run(at, &|c| c.is_ascii_digit());
    }
    let signed = |n: usize| usize::from(matches!(chars.get(n), Some('+' | '-')));
    if matches!(chars.get(*at), Some('e' | 'E'))
        && chars.get(*at + 1 + signed(*at + 1)).is_some_and(char::is_ascii_digit)
    {
        *at += 1 + signed(*at + 1);
        run(at, &|c| c.is_ascii_digit());
    }
    let digits: String = chars[start..*at].iter().collect();
    let unit_at = *at;
    run(at, &|c| c.is_ascii_alphabetic());
    let bad = || BadQuery::at(start..*at, format!("{} is no number", chars[start..*at].iter().collect::<String>()));
    if *at == unit_at {
        return digits.parse().map(Token::Number).map_err(|_| bad());
    }
    match (unit_at == whole, digits.parse()) {
        (true, Ok(count)) => Ok(Token::Period(count, chars[unit_at..*at].iter().collect())),
        _ => Err(bad()),
    }
}
