//! From words to a query. Nesting ends at [`DEEPEST`]; what is not built is refused by its name.

mod expressions;

use super::aggregate::Kind;
use super::functions::Function;
use super::glob::Extractor;
use super::lexer::{Token, tokens};
use super::query::{Aggregate, Binary, Expr, Field, FieldId, Query, Shown, Step};
use super::time::Period;
use super::value::Value;
use super::{BadQuery, MOST_ROWS};
use regex::{Regex, RegexBuilder};
use std::ops::Range;

/// Parentheses, functions and signs within each other.
const DEEPEST: usize = 64;
/// Commands, fields of all commands, and expressions of one.
const MOST: usize = 200;
/// Operators of a query.
const OPERATORS: usize = 400;
/// Bytes that a compiled regular expression may take.
const LARGEST: usize = 1 << 20;

const COMMANDS: [&str; 8] = ["fields", "filter", "parse", "stats", "sort", "limit", "dedup", "display"];
/// Commands that AWS has too.
const NOT_BUILT: [&str; 10] =
    ["pattern", "diff", "anomaly", "unmask", "unnest", "lookup", "filterindex", "source", "join", "sourcetype"];

pub struct Parser<'t> {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
    depth: usize,
    operators: usize,
    fields: Vec<(String, Field)>,
    /// Behind `stats` there is only what it made.
    closed: bool,
    aggregates: Option<Vec<Aggregate>>,
    steps: Vec<Step>,
    shown: Vec<Shown>,
    displayed: bool,
    parsed: Vec<Shown>,
    aggregated: bool,
    text: &'t str,
}

type Result<T> = std::result::Result<T, BadQuery>;

pub fn parse(text: &str) -> Result<Query> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        end: text.chars().count(),
        depth: 0,
        operators: 0,
        fields: vec![],
        closed: false,
        aggregates: None,
        steps: vec![],
        shown: vec![],
        displayed: false,
        parsed: vec![],
        aggregated: false,
        text,
    };
    parser.query()?;
    parser.finish()
}

impl Parser<'_> {
    fn query(&mut self) -> Result<()> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        loop {
            // A bar before the first command does no harm.
            self.sign("|");
            self.command()?;
            if self.steps.len() > MOST || self.fields.len() > MOST {
                return Err(self.bad("the query is too long"));
            }
            if self.at == self.tokens.len() {
                return Ok(());
            }
            self.expect("|")?;
        }
    }

    fn finish(mut self) -> Result<Query> {
        if self.shown.is_empty() {
            let mut shown = vec![];
            for name in ["@timestamp", "@message"] {
                shown.push(Shown { name: name.to_owned(), field: self.field(name) });
            }
            shown.append(&mut self.parsed);
            self.shown = shown;
        }
        let ptr = (!self.aggregated).then(|| self.field("@ptr"));
        let fields = self.fields.into_iter().map(|(_, field)| field).collect();
        Ok(Query { fields, steps: self.steps, shown: self.shown, ptr })
    }

    fn command(&mut self) -> Result<()> {
        let Some(Token::Word(word)) = self.peek().cloned() else { return Err(self.bad("expected a command")) };
        let word = word.to_ascii_lowercase();
        if NOT_BUILT.contains(&word.as_str()) {
            return Err(BadQuery { not_built: Some(word), ..self.bad("the command is not built") });
        }
        if !COMMANDS.contains(&word.as_str()) {
            return Err(self.bad(format!("unexpected symbol found {word}")));
        }
        self.at += 1;
        match word.as_str() {
            "fields" => self.show(false),
            "display" => self.show(true),
            "filter" => {
                let condition = self.expression()?;
                self.steps.push(Step::Filter(condition));
                Ok(())
            }
            "parse" => self.parse(),
            "stats" => self.stats(),
            "sort" => self.sort(),
            "dedup" => {
                let mut by = vec![];
                loop {
                    let name = self.name()?;
                    by.push(self.field(&name));
                    if !self.sign(",") {
                        break;
                    }
                }
                self.steps.push(Step::Dedup(by));
                Ok(())
            }
            _ => match self.next() {
                Some(Token::Number(most)) if most >= 1.0 && most <= MOST_ROWS as f64 && most.fract() == 0.0 => {
                    self.steps.push(Step::Limit(most as usize));
                    Ok(())
                }
                _ => Err(self.bad(format!("limit needs a number from 1 to {MOST_ROWS}"))),
            },
        }
    }

    /// `fields` and `display`.
    fn show(&mut self, only: bool) -> Result<()> {
        let mut made = vec![];
        let mut shown = vec![];
        loop {
            let start = self.at;
            let expr = self.expression()?;
            let said = self.said(start);
            let alias = self.alias()?;
            match (&expr, alias) {
                (Expr::Field(field), None) => shown.push(Shown { name: said, field: *field }),
                (_, alias) => {
                    let name = alias.unwrap_or(said);
                    let field = self.make(&name);
                    made.push((field, expr));
                    shown.push(Shown { name, field });
                }
            }
            if !self.sign(",") {
                break;
            }
        }
        if !made.is_empty() {
            self.steps.push(Step::Fields(made));
        }
        match (only, self.displayed) {
            (true, false) => self.shown = shown,
            // What is displayed is not added to by fields.
            (false, true) => {}
            _ => {
                for new in shown {
                    self.shown.retain(|known| known.name != new.name);
                    self.shown.push(new);
                }
            }
        }
        self.displayed |= only;
        Ok(())
    }

    fn parse(&mut self) -> Result<()> {
        let name = match self.peek() {
            Some(Token::Word(_) | Token::Quoted(_)) => self.name()?,
            _ => "@message".to_owned(),
        };
        let from = self.field(&name);
        let place = self.place();
        let (with, names) = match self.next() {
            Some(Token::Text(glob)) => {
                let parts: Vec<String> = glob.split('*').map(str::to_owned).collect();
                let stars = parts.len() - 1;
                self.keyword("as")?;
                let names = self.names()?;
                if stars == 0 || names.len() != stars {
                    let text = format!("the glob has {stars} stars, and {} names are given", names.len());
                    return Err(BadQuery::at(place, text));
                }
                (Extractor::Glob(parts), names)
            }
            Some(Token::Regex(text)) => {
                let regex = expression(&text).map_err(|text| BadQuery::at(place.clone(), text))?;
                let named: Vec<_> =
                    regex.capture_names().enumerate().filter_map(|(n, name)| Some((n, name?.to_owned()))).collect();
                let (groups, names): (Vec<usize>, Vec<String>) = match named.is_empty() {
                    false => named.into_iter().unzip(),
                    // Groups without names are named behind.
                    true => {
                        self.keyword("as")?;
                        let names = self.names()?;
                        if regex.captures_len() - 1 != names.len() {
                            return Err(BadQuery::at(place, "as many names as groups are needed"));
                        }
                        ((1..=names.len()).collect(), names)
                    }
                };
                (Extractor::Regex(regex, groups), names)
            }
            _ => return Err(BadQuery::at(place, "expected a glob or a regular expression")),
        };
        let into: Vec<FieldId> = names.iter().map(|name| self.make(name)).collect();
        let shown = names.into_iter().zip(&into).map(|(name, field)| Shown { name, field: *field });
        self.parsed.extend(shown);
        self.steps.push(Step::Parse { from, with, into });
        Ok(())
    }

    fn stats(&mut self) -> Result<()> {
        self.aggregates = Some(vec![]);
        let mut values = vec![];
        loop {
            let start = self.at;
            let expr = self.expression()?;
            let said = self.said(start);
            values.push((self.alias()?.unwrap_or(said), expr));
            if !self.sign(",") {
                break;
            }
        }
        let aggregates = self.aggregates.take().unwrap_or_default();
        if aggregates.is_empty() {
            return Err(self.bad("stats needs an aggregate, such as count(*)"));
        }
        let mut by = vec![];
        if self.word("by") {
            loop {
                let start = self.at;
                let expr = self.expression()?;
                let said = self.said(start);
                by.push((self.alias()?.unwrap_or(said), expr));
                if !self.sign(",") {
                    break;
                }
            }
        }
        // From here on there is only what it makes; expressions above were read with what was before.
        self.closed = true;
        self.aggregated = true;
        for (name, _) in &mut self.fields {
            name.clear();
        }
        let mut shown = vec![];
        let mut named = |parser: &mut Self, all: Vec<(String, Expr)>| -> Vec<(FieldId, Expr)> {
            let mut made = vec![];
            for (name, expr) in all {
                let field = parser.make(&name);
                shown.push(Shown { name, field });
                made.push((field, expr));
            }
            made
        };
        let by = named(self, by);
        let values = named(self, values);
        self.shown = shown;
        self.displayed = false;
        self.steps.push(Step::Stats { aggregates, values, by });
        Ok(())
    }

    fn sort(&mut self) -> Result<()> {
        let mut by = vec![];
        loop {
            let expr = self.expression()?;
            let falling = self.word("desc");
            if !falling {
                self.word("asc");
            }
            by.push((expr, falling));
            if !self.sign(",") {
                break;
            }
        }
        self.steps.push(Step::Sort(by));
        Ok(())
    }

    fn names(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn name(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Word(name) | Token::Quoted(name)) => Ok(name),
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.bad("expected the name of a field"))
            }
        }
    }

    fn alias(&mut self) -> Result<Option<String>> {
        match self.word("as") {
            true => self.name().map(Some),
            false => Ok(None),
        }
    }

    /// What was written from a token on, as a field that has no other name is called.
    fn said(&self, start: usize) -> String {
        let (Some((first, from)), Some((_, to))) = (self.tokens.get(start), self.tokens.get(self.at.saturating_sub(1)))
        else {
            return String::new();
        };
        match first {
            Token::Quoted(name) if self.at == start + 1 => name.clone(),
            _ => self.text.chars().skip(from.start).take(to.end - from.start).collect(),
        }
    }

    /// The field of that name where the query is now.
    fn field(&mut self, name: &str) -> FieldId {
        if let Some(known) = self.fields.iter().rposition(|(known, _)| known == name) {
            return known;
        }
        let field = match name {
            _ if self.closed => Field::Made,
            "@timestamp" => Field::Timestamp,
            "@ingestionTime" => Field::IngestionTime,
            "@message" => Field::Message,
            "@logStream" => Field::LogStream,
            "@log" => Field::Log,
            "@ptr" => Field::Ptr,
            name => Field::Found(path(name)),
        };
        self.fields.push((name.to_owned(), field));
        self.fields.len() - 1
    }

    fn make(&mut self, name: &str) -> FieldId {
        self.fields.push((name.to_owned(), Field::Made));
        self.fields.len() - 1
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn place(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, place)| place.clone())
    }

    fn sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(known)) if *known == sign);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(known)) if is(known, word));
        self.at += usize::from(there);
        there
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.bad(format!("expected {word}"))) }
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.bad(format!("expected {sign}"))) }
    }

    fn bad(&self, text: impl Into<String>) -> BadQuery {
        BadQuery::at(self.place(), text)
    }
}

fn is(word: &str, known: &str) -> bool {
    word.eq_ignore_ascii_case(known)
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "count" => Kind::Count,
        "count_distinct" => Kind::CountDistinct,
        "sum" => Kind::Sum,
        "avg" => Kind::Avg,
        "min" => Kind::Min,
        "max" => Kind::Max,
        "stddev" => Kind::Stddev,
        "pct" | "percentile" => Kind::Pct(0.0),
        "earliest" => Kind::Earliest,
        "latest" => Kind::Latest,
        "sortsfirst" => Kind::SortsFirst,
        "sortslast" => Kind::SortsLast,
        _ => return None,
    })
}

fn expression(text: &str) -> std::result::Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST).nest_limit(DEEPEST as u32).build();
    built.map_err(|_| "the regular expression cannot be read, or is too large".to_owned())
}

/// `a.b[0].c` as steps.
fn path(name: &str) -> Vec<String> {
    name.split(['.', '[']).map(|part| part.trim_end_matches(']').to_owned()).filter(|part| !part.is_empty()).collect()
}
