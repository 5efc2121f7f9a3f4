//! The operations, by what they are about, and what they share.

pub mod access;
pub mod attributes;
pub mod bucket;
pub mod complete;
pub mod configuration;
pub mod copy;
pub mod delete;
pub mod get;
pub mod list;
pub mod multipart;
pub mod put;
pub mod settings;
pub mod tags;
pub mod versions;

use crate::errors;
use crate::records::{Bucket, Object, all_buckets, within};
use kiln_s3_shapes::Owner;
use kiln_service_kit::{Cx, Error, Tx};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// The bucket of that name, if the caller's account has it and the request came to its region.
pub fn bucket(cx: &Cx, name: &str, expected_owner: Option<&String>) -> Result<Arc<Bucket>, Error> {
    let found = cx.store().get::<Bucket>(&all_buckets(), name)?;
    let bucket = found.ok_or_else(|| errors::no_such_bucket(name))?;
    // There are no bucket policies and no lists: another account's bucket is closed.
    if bucket.owner != cx.account() || expected_owner.is_some_and(|expected| *expected != bucket.owner) {
        return Err(errors::access_denied());
    }
    // Who signed for another region is told which. Kiln's own services ask from anywhere, and a URL of
    // version 2 of the signature names no region.
    let signed = cx.streams().is_some() && !cx.caller().access_key.is_empty() && !cx.region().is_empty();
    if signed && bucket.region != cx.region() {
        return Err(errors::wrong_region(cx.region(), &bucket.region));
    }
    Ok(bucket)
}

/// A key fit to be stored under.
pub fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > LONGEST_KEY { Err(errors::key_too_long()) } else { Ok(()) }
}

/// Nothing is put into a bucket that was deleted meanwhile; how it is now.
pub fn still_there(tx: &Tx<'_>, bucket: &str) -> Result<Arc<Bucket>, Error> {
    let found = tx.get::<Bucket>(&all_buckets(), bucket)?;
    found.ok_or_else(|| errors::no_such_bucket(bucket))
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
    match (if_none_match.map(String::as_str), &there) {
        (Some("*"), Some(_)) => Err(errors::precondition_failed("If-None-Match")),
        (Some("*") | None, _) => Ok(()),
        (Some(_), _) => Err(Error::not_built("s3: If-None-Match with anything but * when writing")),
    }
}

/// Whether a list of entity tags, as conditions hold it, has this one.
pub fn matches(wanted: &str, etag: &str) -> bool {
    wanted
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|one| one == "*" || one == etag)
}

pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The canonical user id of an account: 64 hex digits, always the same.
pub fn owner(account: &str) -> Owner {
    let id = hex::encode(Sha256::digest(format!("canonical user of account {account}")));
    Owner { display_name: None, id: Some(id) }
}
