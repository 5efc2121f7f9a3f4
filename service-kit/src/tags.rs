//! The tags of a request, as all services take them. Each words its refusals in its own way.

use crate::Cx;
use std::collections::BTreeMap;

/// Most tags of one thing, without those that AWS sets. Source: Tagging AWS Resources User Guide, "Tag naming limits and
/// requirements".
pub const MOST_TAGS: usize = 50;

/// What is wrong with the tags of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagFault {
    /// This key begins with `aws:`, which services alone may set.
    Reserved(String),
    /// This key is given twice.
    Twice(String),
    /// There are more than [`MOST_TAGS`].
    TooMany,
}

/// The tags of a request, by key. Keys that begin with `aws:` are set by services only: a call from outside has an address.
pub fn read_tags<'t>(
    cx: &Cx,
    given: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> Result<BTreeMap<String, String>, TagFault> {
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        if key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
            return Err(TagFault::Reserved(key.to_owned()));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(TagFault::Twice(key.to_owned()));
        }
    }
    check_tag_count(&tags)?;
    Ok(tags)
}

/// Whether a thing may have so many tags.
pub fn check_tag_count(tags: &BTreeMap<String, String>) -> Result<(), TagFault> {
    match tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST_TAGS {
        true => Err(TagFault::TooMany),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Clock, IdSource, PlatformBuilder, Scope, Store};

    #[test]
    fn what_begins_with_aws_is_for_services_and_nobody_has_too_many() {
        let clock = Clock::system();
        let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, IdSource::seeded(1)).build();
        let service = Cx::new(platform, Scope::new("111111111111", "us-east-1"), Caller::root("111111111111"), "id");
        let outside = service.clone().from_ip("127.0.0.1".parse().expect("an address"));
        assert_eq!(read_tags(&outside, [("Aws:x", "1")]), Err(TagFault::Reserved("Aws:x".to_owned())));
        assert_eq!(read_tags(&outside, [("a", "1"), ("a", "2")]), Err(TagFault::Twice("a".to_owned())));
        let keys: Vec<String> = (0..=MOST_TAGS).map(|n| format!("k{n}")).collect();
        let of = |most: usize| keys.iter().take(most).map(|key| (key.as_str(), ""));
        assert_eq!(read_tags(&outside, of(MOST_TAGS + 1)), Err(TagFault::TooMany));
        let tags = read_tags(&service, of(MOST_TAGS).chain([("aws:x", "1")])).expect("AWS's own do not count");
        assert_eq!(tags.len(), MOST_TAGS + 1);
    }
}
