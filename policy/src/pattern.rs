//! Patterns with `*`, `?` and policy variables, and how text is matched against them.
//!
//! A pattern is compiled when the document is parsed. Variables are filled in per request, and
//! what they are filled with is literal: a user named `*` does not get everybody's folder.
//!
//! Resources and ARN conditions are matched segment by segment (the parts between the first five
//! colons), so that a `*` in the region cannot swallow the account.

use crate::context::Keys;
use kiln_ids::{Piece, glob};

/// One element of a compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Is(Piece),
    /// `${key}` or `${key, 'default'}`.
    Variable {
        key: String,
        written: String,
        default: Option<String>,
    },
}

/// What a pattern's special characters mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// `*` and `?` are wildcards.
    pub wildcards: bool,
    /// `${…}` is a variable; only in documents of version 2012-10-17.
    pub variables: bool,
    /// Compare without regard to case.
    pub ignore_case: bool,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    compiled: Compiled,
    ignore_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Compiled {
    Fixed(Vec<Piece>),
    WithVariables(Vec<Item>),
}

impl Pattern {
    /// Compiles a pattern, or says what is wrong with its variables.
    pub fn compile(text: &str, rules: Rules) -> Result<Self, String> {
        Ok(Self::from_items(items_of(text, rules)?, rules.ignore_case))
    }

    fn from_items(items: Vec<Item>, ignore_case: bool) -> Self {
        let fixed = |item: &Item| match item {
            Item::Is(piece) => Some(*piece),
            Item::Variable { .. } => None,
        };
        let compiled = match items.iter().map(fixed).collect() {
            Some(pieces) => Compiled::Fixed(pieces),
            None => Compiled::WithVariables(items),
        };
        Self { compiled, ignore_case }
    }

    /// Whether the text matches. A variable that has no value, or more than one, matches nothing.
    pub fn matches(&self, text: &str, keys: &Keys) -> bool {
        let items = match &self.compiled {
            Compiled::Fixed(pieces) => return glob(pieces, text, self.ignore_case),
            Compiled::WithVariables(items) => items,
        };
        let mut filled = Vec::with_capacity(items.len() + 32);
        for item in items {
            let (key, default) = match item {
                Item::Is(piece) => {
                    filled.push(*piece);
                    continue;
                }
                Item::Variable { key, default, .. } => (key, default),
            };
            let value = match keys.get(key) {
                Some([one]) => one,
                _ => match default {
                    Some(default) => default,
                    None => return false,
                },
            };
            filled.extend(value.chars().map(|each| Piece::literal(each, self.ignore_case)));
        }
        glob(&filled, text, self.ignore_case)
    }

    /// The condition keys of its variables.
    pub fn asks_for<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        let Compiled::WithVariables(items) = &self.compiled else { return };
        for item in items {
            if let Item::Variable { written, .. } = item {
                see(written);
            }
        }
    }

    /// Whether this is nothing but `*`.
    pub fn is_everything(&self) -> bool {
        matches!(&self.compiled, Compiled::Fixed(all) if !all.is_empty() && all.iter().all(|p| *p == Piece::Any))
    }
}

fn items_of(text: &str, rules: Rules) -> Result<Vec<Item>, String> {
    let mut items = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rules.variables && rest.starts_with("${") {
            let Some(end) = rest.find('}') else {
                return Err(format!("\"{text}\" has a policy variable without an end"));
            };
            items.push(variable(&rest[2..end], rules.ignore_case)?);
            rest = &rest[end + 1..];
            continue;
        }
        items.push(Item::Is(match rules.wildcards {
            true => Piece::of(first, rules.ignore_case),
            false => Piece::literal(first, rules.ignore_case),
        }));
        rest = &rest[first.len_utf8()..];
    }
    Ok(items)
}

/// What stands between `${` and `}`.
fn variable(inside: &str, ignore_case: bool) -> Result<Item, String> {
    if let "*" | "?" | "$" = inside {
        let literal = inside.chars().next().expect("one of three one-character strings");
        return Ok(Item::Is(Piece::literal(literal, ignore_case)));
    }
    let (key, default) = match inside.split_once(',') {
        None => (inside.trim(), None),
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            let Some(quoted) = quoted else {
                return Err(format!("the default value of \"${{{inside}}}\" must be in single quotes"));
            };
            (key.trim(), Some(quoted.to_owned()))
        }
    };
    if key.is_empty() || key.contains(['$', '{']) {
        return Err(format!("\"${{{inside}}}\" is not a policy variable"));
    }
    Ok(Item::Variable { key: key.to_lowercase(), written: key.to_owned(), default })
}

/// A pattern for ARNs: six segments, each a pattern of its own, or a plain pattern if it is not
/// written as an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    Plain(Pattern),
    Segments(Vec<Pattern>),
}

impl ArnPattern {
    /// Compiles it. With `complete`, missing segments at the end stand for `*`, as in the
    /// `Resource` element.
    pub fn compile(text: &str, variables: bool, complete: bool) -> Result<Self, String> {
        let rules = Rules { wildcards: true, variables, ignore_case: false };
        let whole = items_of(text, rules)?;
        if !text.starts_with("arn:") {
            return Ok(Self::Plain(Pattern::from_items(whole, false)));
        }
        // Split after compiling: a variable's name has a colon too.
        let mut segments: Vec<Vec<Item>> = vec![Vec::new()];
        for item in whole {
            let count = segments.len();
            match (&item, segments.last_mut()) {
                (Item::Is(Piece::Char(':')), _) if count < 6 => segments.push(Vec::new()),
                (_, Some(last)) => last.push(item),
                (_, None) => {}
            }
        }
        while complete && segments.len() < 6 {
            segments.push(vec![Item::Is(Piece::Any)]);
        }
        Ok(Self::Segments(segments.into_iter().map(|items| Pattern::from_items(items, false)).collect()))
    }

    /// The condition keys of its variables.
    pub fn asks_for<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        match self {
            Self::Plain(pattern) => pattern.asks_for(see),
            Self::Segments(patterns) => patterns.iter().for_each(|pattern| pattern.asks_for(see)),
        }
    }

    /// Whether the ARN matches.
    pub fn matches(&self, arn: &str, keys: &Keys) -> bool {
        match self {
            Self::Plain(pattern) => pattern.matches(arn, keys),
            Self::Segments(patterns) => {
                let mut segments = arn.splitn(6, ':');
                patterns.iter().all(|pattern| segments.next().is_some_and(|segment| pattern.matches(segment, keys)))
                    && segments.next().is_none()
            }
        }
    }
}
