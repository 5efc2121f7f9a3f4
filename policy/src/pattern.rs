//! Patterns with `*`, `?` and policy variables, and how text is matched against them.
//!
//! A pattern is compiled when the document is parsed. Variables are filled in per request, and
//! what they are filled with is literal: a user named `*` does not get everybody's folder.
//!
//! Resources and ARN conditions are matched segment by segment (the parts between the first five
//! colons), so that a `*` in the region cannot swallow the account.

use crate::context::Keys;

/// One element of a compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, also none.
    Any,
    /// `${key}` or `${key, 'default'}`.
    Variable { key: String, written: String, default: Option<String> },
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
    items: Vec<Item>,
    ignore_case: bool,
    has_variables: bool,
}

impl Pattern {
    /// Compiles a pattern, or says what is wrong with its variables.
    pub fn compile(text: &str, rules: Rules) -> Result<Self, String> {
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
            items.push(match first {
                '*' if rules.wildcards => Item::Any,
                '?' if rules.wildcards => Item::One,
                other => Item::Char(folded(other, rules.ignore_case)),
            });
            rest = &rest[first.len_utf8()..];
        }
        Ok(Self::from_items(items, rules.ignore_case))
    }

    fn from_items(items: Vec<Item>, ignore_case: bool) -> Self {
        let has_variables = items.iter().any(|item| matches!(item, Item::Variable { .. }));
        Self { items, ignore_case, has_variables }
    }

    /// Whether the text matches. A variable that has no value, or more than one, matches nothing.
    pub fn matches(&self, text: &str, keys: &Keys) -> bool {
        if !self.has_variables {
            return glob(&self.items, text, self.ignore_case);
        }
        let mut filled = Vec::with_capacity(self.items.len() + 32);
        for item in &self.items {
            let Item::Variable { key, default, .. } = item else {
                filled.push(item.clone());
                continue;
            };
            let value = match keys.get(key) {
                Some([one]) => one,
                _ => match default {
                    Some(default) => default,
                    None => return false,
                },
            };
            filled.extend(value.chars().map(|each| Item::Char(folded(each, self.ignore_case))));
        }
        glob(&filled, text, self.ignore_case)
    }

    /// The condition keys of its variables.
    pub fn asks_for<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        for item in &self.items {
            if let Item::Variable { written, .. } = item {
                see(written);
            }
        }
    }

    /// Whether this is nothing but `*`.
    pub fn is_everything(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|item| *item == Item::Any)
    }
}

fn folded(each: char, ignore_case: bool) -> char {
    if ignore_case { each.to_ascii_lowercase() } else { each }
}

/// What stands between `${` and `}`.
fn variable(inside: &str, ignore_case: bool) -> Result<Item, String> {
    if let "*" | "?" | "$" = inside {
        let literal = inside.chars().next().expect("one of three one-character strings");
        return Ok(Item::Char(folded(literal, ignore_case)));
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

/// Greedy matching that goes back to the last `*` only: at most pattern × text steps, and no
/// recursion.
fn glob(pattern: &[Item], text: &str, ignore_case: bool) -> bool {
    let (mut item, mut at) = (0, 0);
    // After the last `*` seen: the next item, and where in the text its run may end.
    let mut back: Option<(usize, usize)> = None;
    loop {
        let next = text[at..].chars().next();
        let step = match (pattern.get(item), next) {
            (None, None) => return true,
            (Some(Item::Any), _) => {
                back = Some((item + 1, at));
                item += 1;
                continue;
            }
            (Some(Item::One), Some(_)) => true,
            (Some(Item::Char(wanted)), Some(found)) => *wanted == folded(found, ignore_case),
            _ => false,
        };
        if step {
            item += 1;
            at += next.map_or(0, char::len_utf8);
        } else {
            let Some((after, end)) = back else { return false };
            let Some(swallowed) = text[end..].chars().next() else { return false };
            back = Some((after, end + swallowed.len_utf8()));
            item = after;
            at = end + swallowed.len_utf8();
        }
    }
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
        let whole = Pattern::compile(text, rules)?;
        if !text.starts_with("arn:") {
            return Ok(Self::Plain(whole));
        }
        // Split after compiling: a variable's name has a colon too.
        let mut segments: Vec<Vec<Item>> = vec![Vec::new()];
        for item in whole.items {
            let count = segments.len();
            match (&item, segments.last_mut()) {
                (Item::Char(':'), _) if count < 6 => segments.push(Vec::new()),
                (_, Some(last)) => last.push(item),
                (_, None) => {}
            }
        }
        while complete && segments.len() < 6 {
            segments.push(vec![Item::Any]);
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
