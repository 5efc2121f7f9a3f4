//! The operations, by what they are about, and what they share.

pub mod accepted;
pub mod access;
pub mod attributes;
pub mod bucket;
pub mod complete;
pub mod configuration;
pub mod copy;
pub mod cors;
pub mod delete;
pub mod get;
pub mod lifecycle;
pub mod list;
pub mod multipart;
pub mod notifications;
pub mod parts;
pub mod policy;
pub mod put;
pub mod settings;
pub mod tags;
pub mod versions;

use crate::arn::bucket_arn;
use crate::errors;
use crate::records::{Bucket, NULL, all_buckets};
use crate::words;
use kiln_service_kit::{Cx, Error, Tx, regions};
use std::sync::Arc;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// The bucket of that name, if the caller's account has it or its owner lets this call in, and the request came to
/// its region.
pub fn bucket(cx: &Cx, name: &str, expected_owner: Option<&String>) -> Result<Arc<Bucket>, Error> {
    let bucket = in_any_region(cx, name, expected_owner)?;
    check_region_of(cx, &bucket)?;
    Ok(bucket)
}

/// The same, wherever the request came to. Another account's is closed but to a call that was judged about it: its
/// row named it.
pub fn in_any_region(cx: &Cx, name: &str, expected_owner: Option<&String>) -> Result<Arc<Bucket>, Error> {
    let bucket = of_anybody(cx, name, expected_owner)?;
    match bucket.owner == cx.account() || cx.is_let_in(&bucket_arn(cx, &bucket.name), &bucket.owner) {
        true => Ok(bucket),
        false => Err(errors::access_denied()),
    }
}

/// The bucket of that name, whoever's it is: for an operation that judges each thing in it by itself.
pub fn of_anybody(cx: &Cx, name: &str, expected_owner: Option<&String>) -> Result<Arc<Bucket>, Error> {
    let found = cx.store().get::<Bucket>(&all_buckets(), name)?;
    let Some(bucket) = found else {
        check_region(cx)?;
        return Err(errors::no_such_bucket(name));
    };
    check_expected(expected_owner)?;
    match expected_owner.is_some_and(|expected| *expected != bucket.owner) {
        true => Err(errors::access_denied()),
        false => Ok(bucket),
    }
}

/// Refuses a request that was signed for another region than the bucket's.
pub fn check_region_of(cx: &Cx, bucket: &Bucket) -> Result<(), Error> {
    // Who signed for another region is told which. Kiln's own services ask from anywhere, and a URL of
    // version 2 of the signature names no region.
    let signed = cx.streams().is_some() && !cx.caller().access_key.is_empty() && !cx.region().is_empty();
    if signed && bucket.region != cx.region() {
        return Err(errors::wrong_region(cx.region(), &bucket.region));
    }
    Ok(())
}

/// The account that a caller expects to own a bucket must be one.
fn check_expected(owner: Option<&String>) -> Result<(), Error> {
    match owner.filter(|owner| owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(other) => Err(errors::invalid_owner(other)),
        None => Ok(()),
    }
}

/// Refuses a signature for a region that is none (s3cmd's `US`): clients read the right one and ask again.
pub fn check_region(cx: &Cx) -> Result<(), Error> {
    match cx.region() {
        // A URL of version 2 of the signature names none.
        "" => Ok(()),
        asked if regions::region(asked).is_some() => Ok(()),
        asked => Err(errors::wrong_region(asked, &cx.platform().home().region)),
    }
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

/// The version that a write made, as its answer tells it: `null`, which a bucket that suspends versions
/// makes, is not told.
pub fn told_version(version: Option<String>) -> Option<String> {
    version.filter(|version| version != NULL)
}

/// Where the caller finds a thing of a bucket: the address they came by, with its port.
pub fn address(cx: &Cx, bucket: &str, key: &str) -> String {
    let host = cx.request_host().unwrap_or("s3.localhost");
    let key = words::plain_url(key);
    match host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.')) {
        true => format!("http://{host}/{key}"),
        false => format!("http://{host}/{bucket}/{key}"),
    }
}

pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
