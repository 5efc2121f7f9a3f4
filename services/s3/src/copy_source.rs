//! What a copy is made of, as a request names it.

use crate::words::as_utf8;
use crate::{errors, versions};
use kiln_service_kit::Error;
use percent_encoding::percent_decode_str;

/// Bucket, key and version of a `x-amz-copy-source`: `/bucket/key?versionId=…`, percent-encoded.
pub fn parse(given: &str) -> Result<(String, String, Option<String>), Error> {
    let text = given;
    let invalid = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        errors::invalid_argument("x-amz-copy-source", given, message)
    };
    if text.starts_with("arn:") {
        return Err(Error::not_built("s3: access points"));
    }
    let text = as_utf8(text);
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    let version = query.strip_prefix("versionId=");
    versions::check_id(version)?;
    let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
    let (bucket, key) = path.trim_start_matches('/').split_once('/').ok_or_else(invalid)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(invalid());
    }
    Ok((bucket.to_owned(), key.to_owned(), version.map(str::to_owned)))
}

/// Bucket and key as policies compare them: not encoded, without a slash before them or a version behind.
pub fn plain(given: &str) -> String {
    match parse(given) {
        Ok((bucket, key, _)) => format!("{bucket}/{key}"),
        // The call itself says that it is no source.
        Err(_) => given.to_owned(),
    }
}
