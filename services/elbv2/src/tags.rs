//! Tags on all kinds of thing the service keeps.

use crate::arns::Kind;
use crate::errors;
use crate::records::{Listener, LoadBalancer, Rule, Tags, TargetGroup};
use kiln_elbv2_shapes::Tag;
use kiln_service_kit::{Cx, Error};

/// Tags one thing may have.
const MOST: usize = 50;

/// Whether only services set the key, as CloudFormation does.
pub fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Refuses keys that only services set, of callers from outside.
pub fn check_keys<'a>(cx: &Cx, keys: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    match keys.into_iter().find(|key| is_reserved(key)) {
        Some(key) if cx.source_ip().is_some() => {
            Err(errors::invalid(format!("The tag key '{key}' must not begin with 'aws:'")))
        }
        _ => Ok(()),
    }
}

/// Checks the tags of a new thing.
pub fn checked(cx: &Cx, given: &[Tag]) -> Result<Tags, Error> {
    let mut tags = vec![];
    check_keys(cx, given.iter().map(|tag| tag.key.as_str()))?;
    put(&mut tags, given)?;
    Ok(tags)
}

/// Puts tags on, replacing the values of keys that are there.
pub fn put(tags: &mut Tags, given: &[Tag]) -> Result<(), Error> {
    for (index, tag) in given.iter().enumerate() {
        if given[..index].iter().any(|t| t.key == tag.key) {
            return Err(Error::sender(
                "DuplicateTagKeys",
                format!("The tag key '{}' was specified more than once", tag.key),
            ));
        }
        let value = tag.value.clone().unwrap_or_default();
        match tags.iter_mut().find(|(key, _)| *key == tag.key) {
            Some(found) => found.1 = value,
            None => tags.push((tag.key.clone(), value)),
        }
    }
    match tags.len() > MOST {
        true => Err(Error::sender("TooManyTags", format!("A resource can have at most {MOST} tags"))),
        false => Ok(()),
    }
}

/// Those of a thing that is kept.
pub fn kept(cx: &Cx, kind: Kind, arn: &str) -> Result<Option<Tags>, Error> {
    let (store, scope) = (cx.store(), cx.scope());
    Ok(match kind {
        Kind::LoadBalancer => store.get::<LoadBalancer>(scope, arn)?.map(|kept| kept.tags.clone()),
        Kind::TargetGroup => store.get::<TargetGroup>(scope, arn)?.map(|kept| kept.tags.clone()),
        Kind::Listener => store.get::<Listener>(scope, arn)?.map(|kept| kept.tags.clone()),
        Kind::Rule => store.get::<Rule>(scope, arn)?.map(|kept| kept.tags.clone()),
    })
}

/// As answers have them.
pub fn shapes(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: Some(value.clone()) }).collect()
}
