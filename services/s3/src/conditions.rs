//! Conditions on what is there (`If-Match` and its like): of a read, of a copy's source, of a write.

use crate::errors;
use crate::records::{Object, within};
use kiln_service_kit::{Error, Timestamp, Tx};

/// The conditions of a read.
#[derive(Default)]
pub struct Conditions<'c> {
    pub if_match: Option<&'c str>,
    pub if_none_match: Option<&'c str>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

/// The conditions that a request for an object has.
macro_rules! read_conditions {
    ($input:expr) => {
        $crate::conditions::Conditions {
            if_match: $input.if_match.as_deref(),
            if_none_match: $input.if_none_match.as_deref(),
            modified_since: $input.if_modified_since,
            unmodified_since: $input.if_unmodified_since,
        }
    };
}
pub(crate) use read_conditions;

/// The conditions that a request for a copy has for what is copied.
macro_rules! source_conditions {
    ($input:expr) => {
        $crate::conditions::Conditions {
            if_match: $input.copy_source_if_match.as_deref(),
            if_none_match: $input.copy_source_if_none_match.as_deref(),
            modified_since: $input.copy_source_if_modified_since,
            unmodified_since: $input.copy_source_if_unmodified_since,
        }
    };
}
pub(crate) use source_conditions;

impl Conditions<'_> {
    /// By tag first: where that holds, the time of the same kind is not asked. HTTP's times are whole seconds.
    pub fn check(&self, object: &Object) -> Result<(), Error> {
        let changed_after = |time: Timestamp| object.modified.epoch_seconds() > time.epoch_seconds();
        match (self.if_match, self.unmodified_since) {
            (Some(wanted), _) if !matches(wanted, &object.etag) => return Err(errors::precondition_failed("If-Match")),
            (None, Some(time)) if changed_after(time) => {
                return Err(errors::precondition_failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let not_modified = || errors::not_modified(&object.etag, object.modified.http_date());
        match (self.if_none_match, self.modified_since) {
            (Some(unwanted), _) if matches(unwanted, &object.etag) => Err(not_modified()),
            (None, Some(time)) if !changed_after(time) => Err(not_modified()),
            _ => Ok(()),
        }
    }
}

/// `If-Match` and `If-None-Match` of a write, judged in the transaction that writes.
pub fn check_write(
    tx: &Tx<'_>,
    bucket: &str,
    key: &str,
    if_match: Option<&String>,
    if_none_match: Option<&String>,
) -> Result<(), Error> {
    let there = tx.get::<Object>(&within(bucket), key)?;
    match (if_match, &there) {
        (Some(_), None) => return Err(errors::no_such_key(key)),
        (Some(wanted), Some(object)) if !matches(wanted, &object.etag) => {
            return Err(errors::precondition_failed("If-Match"));
        }
        _ => {}
    }
    match (if_none_match, &there) {
        (Some(_), Some(_)) => Err(errors::precondition_failed("If-None-Match")),
        _ => Ok(()),
    }
}

/// Whether the conditions of a write are ones that S3 takes: a tag that must be there, or nothing at all.
pub fn check_conditions(if_match: Option<&String>, if_none_match: Option<&String>) -> Result<(), Error> {
    let other = |name: &str| {
        Err(errors::not_taken(name, &format!("We don't accept the provided value of {name} header for this API")))
    };
    match (if_match.map(String::as_str), if_none_match.map(String::as_str)) {
        (Some(_), Some(_)) => Err(errors::not_taken(
            "If-Match,If-None-Match",
            "Multiple conditional request headers present in the request",
        )),
        (Some("*"), None) => other("If-Match"),
        (None, Some(tag)) if tag != "*" => other("If-None-Match"),
        _ => Ok(()),
    }
}

/// Whether a list of entity tags, as conditions hold it, has this one.
pub fn matches(wanted: &str, etag: &str) -> bool {
    wanted
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|one| one == "*" || one == etag)
}
