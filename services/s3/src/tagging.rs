//! Tags as requests give them, of buckets and of objects, in a document or in a header: which are taken. The operations
//! read them here, and so do policies, which may ask what tags an object is given ([`crate::targets`]).

use crate::errors;
use kiln_s3_shapes::Tag;
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeMap;

pub type Tags = BTreeMap<String, String>;

pub const MOST_OF_BUCKET: usize = 50;
const MOST_OF_OBJECT: usize = 10;

/// What may stand in a key or a value: letters, digits and white space of any script, and these.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
}

/// The tags of a list; each key once, and within AWS's lengths.
pub fn to_map(given: &[Tag], most: usize) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in given {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || !is_plain(&tag.key) {
            return Err(errors::invalid_tag("The TagKey you have provided is invalid", &tag.key));
        }
        if tag.value.chars().count() > 256 || !is_plain(&tag.value) {
            let refused = errors::invalid_tag("The TagValue you have provided is invalid", &tag.key);
            return Err(refused.with("TagValue", &tag.value));
        }
        if tags.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(errors::invalid_tag("Cannot provide multiple Tags with the same key", &tag.key));
        }
    }
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if own > most {
        let what = if most == MOST_OF_OBJECT { "Object tags" } else { "Bucket tag count" };
        return Err(Error::sender("BadRequest", format!("{what} cannot be greater than {most}")));
    }
    Ok(tags)
}

/// The tags of an object in a header: `key=value&key=value`.
pub fn from_header(header: Option<&str>) -> Result<Tags, Error> {
    let Some(header) = header else { return Ok(Tags::new()) };
    let text = crate::words::as_utf8(header);
    let pairs = form_urlencoded::parse(text.as_bytes());
    let tags: Vec<Tag> = pairs.map(|(key, value)| Tag { key: key.into_owned(), value: value.into_owned() }).collect();
    let twice = tags.iter().enumerate().any(|(at, tag)| tags[..at].iter().any(|before| before.key == tag.key));
    if twice {
        let text = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
        return Err(errors::invalid_argument("x-amz-tagging", header, text));
    }
    object_tags(&tags)
}

/// The tags of an object: none of them is AWS's own.
pub fn object_tags(given: &[Tag]) -> Result<Tags, Error> {
    match given.iter().find(|tag| is_system(&tag.key)) {
        Some(tag) => Err(errors::invalid_tag("Your TagKey cannot be prefixed with aws:", &tag.key)),
        None => to_map(given, MOST_OF_OBJECT),
    }
}

/// Whether a key is one of AWS's own.
pub fn is_system(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("aws:")
}

/// The tags that a bucket is made with. CloudFormation's own are set by nobody else.
pub fn of_new_bucket(cx: &Cx, given: &[Tag]) -> Result<Tags, Error> {
    match given.iter().find(|tag| is_system(&tag.key)).filter(|_| cx.source_ip().is_some()) {
        Some(tag) => {
            let text = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from your tag keys and try again.";
            Err(errors::invalid_tag(text, &tag.key))
        }
        None => to_map(given, MOST_OF_BUCKET),
    }
}
