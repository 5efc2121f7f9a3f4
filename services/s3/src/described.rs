//! What objects carry beside their bytes, from requests to records to answers. The requests and
//! answers that have these members are different types with the same fields, hence macros.

use crate::errors;
use crate::records::{Bucket, Ownership};
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeMap;

/// S3's bound of user metadata: names and values together.
const MOST_METADATA: usize = 2 << 10;

/// The [`Described`](crate::records::Described) of a request.
macro_rules! described {
    ($input:expr) => {
        crate::records::Described {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: crate::described::without_chunks($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            expires: $input.expires,
            metadata: $input.metadata.clone(),
        }
    };
}
pub(crate) use described;

/// `aws-chunked` tells how the body travels, not what it is.
pub fn without_chunks(encoding: Option<&str>) -> Option<String> {
    let encoding = encoding?;
    if !encoding.contains("aws-chunked") {
        return Some(encoding.to_owned());
    }
    let kept: Vec<&str> = encoding.split(',').filter(|one| one.trim() != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(",").trim().to_owned())
}

/// Refuses the settings of a request that would change how an object is kept and are not built.
macro_rules! check_settings {
    ($cx:expr, $bucket:expr, $input:expr) => {{
        let grants = [&$input.grant_full_control, &$input.grant_read, &$input.grant_read_acp, &$input.grant_write_acp];
        crate::described::check_acl($cx, $bucket, $input.acl.as_deref(), &grants)?;
        crate::encryption::customer_key!($input).refuse($input.server_side_encryption.as_deref())?;
        crate::described::refuse(&[
            ("a StorageClass other than STANDARD", $input.storage_class.as_deref().is_some_and(|c| c != "STANDARD")),
            ("WebsiteRedirectLocation", $input.website_redirect_location.is_some()),
            ("ObjectLockMode", $input.object_lock_mode.is_some()),
            ("ObjectLockRetainUntilDate", $input.object_lock_retain_until_date.is_some()),
            ("ObjectLockLegalHoldStatus", $input.object_lock_legal_hold_status.is_some()),
        ])?;
        crate::described::check_metadata(&$input.metadata)?;
    }};
}
pub(crate) use check_settings;

/// Refuses, by name, the first thing that was given and is not built.
pub fn refuse(given: &[(&str, bool)]) -> Result<(), Error> {
    match given.iter().find(|(_, given)| *given) {
        Some((what, _)) => Err(Error::not_built(format!("s3: {what}"))),
        None => Ok(()),
    }
}

/// Where a bucket has no access control lists, as every new one of AWS, only those that say what holds anyway are taken.
/// In one that has them an object is its writer's, unless the owner is preferred and given all rights: whose writer is of
/// another account is refused by name where it would be theirs, and so is every list but the owner's.
pub fn check_acl(cx: &Cx, bucket: &Bucket, acl: Option<&str>, grants: &[&Option<String>]) -> Result<(), Error> {
    let granted = grants.iter().any(|grant| grant.is_some());
    match acl {
        Some(_) if granted => {
            Err(errors::invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"))
        }
        _ if bucket.has_lists() => {
            let given = acl == Some("bucket-owner-full-control");
            let preferred = !bucket.said.no_ownership && bucket.ownership == Ownership::Preferred;
            let theirs = *bucket.owner != *cx.account() && !(preferred && given);
            let own = matches!(acl, None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read"));
            refuse(&[
                ("objects of another account than the bucket's", theirs),
                ("access control lists", granted || !own),
            ])
        }
        None | Some("private" | "bucket-owner-full-control") if !granted => Ok(()),
        _ => Err(errors::no_acls()),
    }
}

pub fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MOST_METADATA { Err(errors::metadata_too_large()) } else { Ok(()) }
}

/// Writes a checksum into the member of its algorithm.
macro_rules! show_checksum {
    ($into:expr, $checksum:expr) => {{
        let value = Some($checksum.value.clone());
        match $checksum.algorithm {
            crate::checksum::Algorithm::Crc32 => $into.checksum_crc32 = value,
            crate::checksum::Algorithm::Crc32c => $into.checksum_crc32_c = value,
            crate::checksum::Algorithm::Crc64Nvme => $into.checksum_crc64_nvme = value,
            crate::checksum::Algorithm::Sha1 => $into.checksum_sha1 = value,
            crate::checksum::Algorithm::Sha256 => $into.checksum_sha256 = value,
        }
    }};
}
pub(crate) use show_checksum;
