//! Tags: kept with each record, set at creation by `TagSpecifications` or later by CreateTags.

use crate::errors::invalid_value;
use crate::kinds::Kind;
use kiln_ec2_shapes::{Tag, TagSpecification};
use kiln_service_kit::{Cx, Error, Record, Scope, Store, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Key to value, ordered.
pub type Tags = BTreeMap<String, String>;

/// AWS's quota of tags per resource that users may set.
const MOST: usize = 50;

/// A record that has tags. Its key in the store is its id.
pub trait Tagged: Record {
    const THING: &'static Kind;
    fn tags(&self) -> &Tags;
    fn tags_mut(&mut self) -> &mut Tags;
    /// Whether it may have the tags that it was given; most things may have any.
    fn check_tags(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The tag by which a CloudFormation type finds what an earlier try made, where EC2 has no client
/// token; set together with the thing, never shown.
pub const TOKEN: &str = "aws:kiln:token";

/// As answers show them.
pub fn shown(tags: &Tags) -> Vec<Tag> {
    let visible = tags.iter().filter(|(key, _)| *key != TOKEN);
    visible.map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

/// Reads the tags of a request and checks them. Keys that begin with `aws:` are kept for services:
/// they are refused from outside, and set by Auto Scaling and CloudFormation.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in given {
        let key = tag.key.as_deref().unwrap_or("");
        let value = tag.value.as_deref().unwrap_or("");
        if key.is_empty() {
            return Err(invalid_value("Tag keys cannot be empty."));
        }
        if key.chars().count() > 127 {
            return Err(invalid_value(format!("Tag key exceeds the maximum length of 127 characters: {key}")));
        }
        if value.chars().count() > 256 {
            return Err(invalid_value(format!("Tag value exceeds the maximum length of 256 characters: {value}")));
        }
        if is_reserved(key) && cx.source_ip().is_some() {
            return Err(invalid_value(format!(
                "Invalid value '{key}' for tag key. Keys that begin with 'aws:' are reserved for internal use"
            )));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid_value(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// The tags that a creating call gives the one kind of thing it makes.
pub fn specified(cx: &Cx, specifications: &[TagSpecification], kind: &Kind) -> Result<Tags, Error> {
    specified_among(cx, specifications, kind, &[kind.resource_type])
}

/// The same for a call that makes several kinds of things: those of `kind`, an error for any
/// outside `allowed`.
pub fn specified_among(
    cx: &Cx,
    specifications: &[TagSpecification],
    kind: &Kind,
    allowed: &[&str],
) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for specification in specifications {
        let Some(of) = specification.resource_type.as_deref() else {
            return Err(invalid_value("The tag specification's resource type is missing."));
        };
        if !allowed.contains(&of) {
            return Err(invalid_value(format!("'{of}' is not a valid taggable resource type for this operation.")));
        }
        let read = read(cx, &specification.tags)?;
        if of == kind.resource_type {
            tags.extend(read);
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// Whether users may not set it.
pub fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// The keys that an instance may have while its tags can be read in its metadata, where they are
/// parts of a path. Source: Amazon EC2 User Guide, "View tags for your EC2 instances using instance
/// metadata". The words, with both backslashes, are those that callers report.
pub fn check_metadata_keys(tags: &Tags) -> Result<(), Error> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_+=,.@:".contains(c);
    let good = |key: &str| !matches!(key, "." | ".." | "_index") && key.len() <= 255 && key.chars().all(letter);
    match tags.keys().find(|key| !good(key)) {
        None => Ok(()),
        Some(key) => Err(invalid_value(format!(
            r"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', '_index')"
        ))),
    }
}

/// Refuses more tags than AWS allows; reserved ones do not count.
pub fn check_count(tags: &Tags) -> Result<(), Error> {
    if tags.keys().filter(|key| !is_reserved(key)).count() > MOST {
        return Err(Error::sender("TagLimitExceeded", format!("More than {MOST} tags specified.")));
    }
    Ok(())
}

/// Changes the tags of one thing in place; false when the thing does not exist.
pub type Change = fn(&mut Tx, &Scope, &str, &dyn Fn(&mut Tags) -> Result<(), Error>) -> Result<bool, Error>;

/// A kind of thing that CreateTags, DeleteTags and DescribeTags know.
pub struct TaggedKind {
    pub thing: &'static Kind,
    pub change: Change,
    /// Ids and tags of all things of the kind.
    pub list: fn(&Store, &Scope) -> Result<Vec<(Arc<str>, Tags)>, Error>,
}

impl TaggedKind {
    /// The entry of a record type.
    pub const fn of<R: Tagged>() -> Self {
        Self { thing: R::THING, change: change::<R>, list: list::<R> }
    }
}

fn change<R: Tagged>(
    tx: &mut Tx,
    scope: &Scope,
    id: &str,
    with: &dyn Fn(&mut Tags) -> Result<(), Error>,
) -> Result<bool, Error> {
    let Some(record) = tx.get::<R>(scope, id)? else { return Ok(false) };
    let mut record = R::clone(&record);
    with(record.tags_mut())?;
    record.check_tags()?;
    tx.put_if_changed(scope, id, record)?;
    Ok(true)
}

fn list<R: Tagged>(store: &Store, scope: &Scope) -> Result<Vec<(Arc<str>, Tags)>, Error> {
    Ok(store.list::<R>(scope)?.into_iter().map(|(id, record)| (id, record.tags().clone())).collect())
}
