//! EC2's filters: all names must match, any value of a name suffices, `*` and `?` are wildcards.
//!
//! ```text
//! let filters = Filters::read(&request.filters, KNOWN)?;
//! items.retain(|item| filters.accept(&item.tags, |name| match name { "vpc-id" => vec![…], … }))
//! ```

use crate::errors::invalid_value;
use crate::tags::Tags;
use kiln_ec2_shapes::Filter;
use kiln_ids::Glob;
use kiln_service_kit::Error;

/// The filters of one call; their names are known to be served.
pub struct Filters<'a>(&'a [Filter]);

impl<'a> Filters<'a> {
    /// Checks the names against those the operation knows; `tag:KEY` and `tag-key` need no mention.
    pub fn read(filters: &'a [Filter], known: &[&str]) -> Result<Self, Error> {
        for filter in filters {
            let name = filter.name.as_deref().unwrap_or("");
            let good =
                known.contains(&name) || name == "tag-key" || name.strip_prefix("tag:").is_some_and(|k| !k.is_empty());
            if !good {
                return Err(invalid_value(format!("The filter '{name}' is invalid")));
            }
            if filter.values.is_empty() {
                return Err(invalid_value(format!("The filter '{name}' has no values")));
            }
        }
        Ok(Self(filters))
    }

    /// Whether a thing passes. `values` gives what the thing has under a filter's name (several
    /// for names such as `group-id` of an instance).
    pub fn accept(&self, tags: &Tags, values: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|filter| {
            let name = filter.name.as_deref().unwrap_or("");
            let has = match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).cloned().into_iter().collect(),
                None if name == "tag-key" => tags.keys().cloned().collect(),
                None => values(name),
            };
            has.iter().any(|value| filter.values.iter().any(|pattern| matches(pattern, value)))
        })
    }

    /// The values that a filter of this name asks for, where all of them are plain texts.
    pub fn exact(&self, name: &str) -> Option<&'a [String]> {
        let filter = self.0.iter().find(|filter| filter.name.as_deref() == Some(name))?;
        let plain = |value: &String| !value.is_empty() && !value.contains(['*', '?', '\\']);
        filter.values.iter().all(plain).then_some(&filter.values)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a value is what a filter's pattern asks for: `*` for any text, `?` for one character,
/// a backslash before one of them (or itself) for the character.
pub fn matches(pattern: &str, value: &str) -> bool {
    Glob::escaped(pattern, false).matches(value)
}

/// `true` and `false` as filters see them.
pub fn flag(value: bool) -> Vec<String> {
    vec![value.to_string()]
}

/// One text as filters see it.
pub fn one(value: impl ToString) -> Vec<String> {
    vec![value.to_string()]
}

/// A text that may be missing.
pub fn maybe(value: Option<impl ToString>) -> Vec<String> {
    value.map(|v| v.to_string()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_ec2() {
        for (pattern, value, expected) in [
            ("web", "web", true),
            ("web", "webs", false),
            ("web*", "web-1", true),
            ("*b?b*", "xxbabyy", true),
            ("?", "", false),
            ("*", "", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }

    #[test]
    fn names_are_anded_values_ored_unknown_names_refused() {
        let filter = |name: &str, values: &[&str]| Filter {
            name: Some(name.to_owned()),
            values: values.iter().map(|v| v.to_string()).collect(),
        };
        let tags = Tags::from([("Name".to_owned(), "web-1".to_owned())]);
        let given = [filter("tag:Name", &["db", "web-*"]), filter("state", &["on"])];
        let filters = Filters::read(&given, &["state"]).expect("known names");
        assert!(filters.accept(&tags, |_| one("on")));
        assert!(!filters.accept(&tags, |_| one("off")));
        let error = Filters::read(&given, &[]).err().expect("unknown name");
        assert_eq!(error.message, "The filter 'state' is invalid");
    }
}
