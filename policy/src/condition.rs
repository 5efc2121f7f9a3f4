//! The `Condition` block of a statement. All its tests must hold; within one test, any of the
//! policy's values may match.
//!
//! What happens when the request does not have the key: a positive test fails, a negated one
//! (`StringNotEquals`) holds, `…IfExists` holds, `ForAllValues:` holds, `ForAnyValue:` fails.

use crate::{
    context::Keys,
    json::Json,
    operator::{Compare, Wanted, find},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    All,
    Any,
}

/// One test: an operator, a key, the values it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Test {
    /// As written, for explanations.
    operator: String,
    /// As written.
    key: String,
    lower_key: String,
    set: Option<Set>,
    if_exists: bool,
    negated: bool,
    null: bool,
    wanted: Vec<Wanted>,
}

/// A `Condition` element that was read.
pub(crate) struct Read {
    pub tests: Vec<Test>,
    /// Where a value is none that AWS's older parser knows; such a policy is refused, but later.
    pub bad_value: Option<String>,
}

/// Reads a `Condition` element. The error is where and what.
pub(crate) fn parse(condition: &Json, variables: bool) -> Result<Read, (String, String)> {
    let Json::Map(operators) = condition else {
        return Err((String::new(), "must be an object of operators".into()));
    };
    let (mut tests, mut bad_value) = (Vec::new(), None);
    for (operator, keys) in operators {
        let place = format!(".{operator}");
        let (set, bare) = match operator.split_once(':') {
            Some((set, bare)) if set.eq_ignore_ascii_case("ForAllValues") => (Some(Set::All), bare),
            Some((set, bare)) if set.eq_ignore_ascii_case("ForAnyValue") => (Some(Set::Any), bare),
            Some(_) => return Err((place, "the set operator must be ForAllValues or ForAnyValue".into())),
            None => (None, operator.as_str()),
        };
        let (bare, if_exists) = match bare.len().checked_sub("IfExists".len()) {
            Some(at) if bare.is_char_boundary(at) && bare[at..].eq_ignore_ascii_case("IfExists") => (&bare[..at], true),
            _ => (bare, false),
        };
        let Some((compare, negated)) = find(bare) else {
            match keys {
                // AWS does not look at an operator that compares nothing.
                Json::Map(keys) if keys.is_empty() => continue,
                _ => return Err((place, format!("\"{operator}\" is not a condition operator"))),
            }
        };
        let null = compare == Compare::Null;
        if null && (if_exists || set.is_some()) {
            return Err((place, "Null takes neither IfExists nor a set operator".into()));
        }
        let Json::Map(keys) = keys else {
            return Err((place, "must be an object of condition keys".into()));
        };
        for (key, values) in keys {
            let place = format!("{place}.{key}");
            let mut wanted = Vec::new();
            for value in one_or_more(values) {
                let (Json::Text(text) | Json::Scalar(text)) = value else {
                    return Err((place, "values must be text, numbers or booleans".into()));
                };
                match Wanted::parse(compare, text, variables) {
                    Ok(parsed) => wanted.push(parsed),
                    Err(_) if matches!(compare, Compare::Date(_)) => bad_value = Some(place.clone()),
                    Err(what) => return Err((place, what)),
                }
            }
            tests.push(Test {
                operator: operator.clone(),
                key: key.clone(),
                lower_key: key.to_lowercase(),
                set,
                if_exists,
                negated,
                null,
                wanted,
            });
        }
    }
    Ok(Read { tests, bad_value })
}

/// A list's items, or the one value that stands alone.
pub(crate) fn one_or_more(value: &Json) -> &[Json] {
    match value {
        Json::List(items) => items,
        other => std::slice::from_ref(other),
    }
}

impl Test {
    /// Whether the test holds for a request with these keys.
    pub fn holds(&self, keys: &Keys) -> bool {
        let found = keys.get(&self.lower_key);
        if self.null {
            return self.wanted.contains(&Wanted::Bool(found.is_none()));
        }
        let Some(found) = found else {
            return match self.set {
                _ if self.if_exists => true,
                Some(Set::All) => true,
                Some(Set::Any) => false,
                None => self.negated,
            };
        };
        let matches = |value: &String| self.wanted.iter().any(|wanted| wanted.matches(value, keys));
        match self.set {
            Some(Set::All) => found.iter().all(|value| matches(value) != self.negated),
            Some(Set::Any) => found.iter().any(|value| matches(value) != self.negated),
            None => found.iter().any(matches) != self.negated,
        }
    }

    /// Whether it holds only for requests with certain values of a key (lower-case).
    pub fn asks_who(&self, lower_key: &str) -> bool {
        self.lower_key == lower_key && !self.negated && !self.null && !self.if_exists && self.set != Some(Set::All)
    }

    /// The condition keys that the test asks for, as written: its own and those of its variables.
    pub fn asks_for<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        see(&self.key);
        for wanted in &self.wanted {
            wanted.asks_for(see);
        }
    }

    /// The test in words, for explanations.
    pub fn describe(&self, keys: &Keys) -> String {
        let found = match keys.get(&self.lower_key) {
            None => "the request does not have this key".to_owned(),
            Some(values) => format!("the request has {}", values.join(", ")),
        };
        format!("{} {} ({found})", self.operator, self.key)
    }
}
