//! Whether a bucket keeps versions, and the listing of those it has.

use super::list::{Encoding, most};
use super::settings::change;
use super::{bucket, quoted};
use crate::canonical::owner;
use crate::described::refuse;
use crate::errors;
use crate::records::{Kept, Versioning, within};
use crate::targets::{listed, of_bucket, of_bucket_by};
use crate::versions;
use crate::walk::{Asked, Walk};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::ops::Bound;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetBucketVersioning: get_bucket_versioning(GetBucketVersioningRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(ListObjectVersions: list_object_versions(ListObjectVersionsRequest),
        on |cx, r| Ok::<_, Error>(listed(of_bucket_by(cx, &r.bucket, "s3:ListBucketVersions")?, &r.prefix, &r.delimiter, r.max_keys))),
    operation!(PutBucketVersioning: put_bucket_versioning(PutBucketVersioningRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
];

async fn get_bucket_versioning(
    cx: &Cx,
    input: GetBucketVersioningRequest,
) -> Result<GetBucketVersioningResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let status = bucket.versioning.map(|versioning| versioning.name().to_owned());
    Ok(GetBucketVersioningResponse { status, mfa_delete: bucket.said.mfa_delete.then(|| "Disabled".to_owned()) })
}

/// Once on, versions can be suspended, not undone.
async fn put_bucket_versioning(
    cx: &Cx,
    input: PutBucketVersioningRequest,
) -> Result<PutBucketVersioningResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let wanted = input.versioning_configuration;
    refuse(&[("MFA delete", input.mfa.is_some() || wanted.mfa_delete.as_deref() == Some("Enabled"))])?;
    let versioning = match wanted.status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            let text = "The Versioning element must be specified";
            return Err(Error::sender("IllegalVersioningConfigurationException", text));
        }
    };
    change(cx, &bucket.name, |bucket| {
        bucket.versioning = Some(versioning);
        bucket.said.mfa_delete |= wanted.mfa_delete.is_some();
        Ok(())
    })
    .await?;
    Ok(PutBucketVersioningResponse {})
}

async fn list_object_versions(cx: &Cx, input: ListObjectVersionsRequest) -> Result<ListObjectVersionsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let most = most("max-keys", input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or("");
    let delimiter = input.delimiter.as_deref().unwrap_or("");
    let after = input.key_marker.as_deref().unwrap_or("");
    let after_version = input.version_id_marker.as_deref().filter(|marker| !marker.is_empty());
    if after_version.is_some() && after.is_empty() {
        let text = "A version-id marker cannot be specified without a key marker.";
        return Err(errors::invalid_argument("version-id-marker", after_version.unwrap_or(""), text));
    }
    let encoding = Encoding::asked(input.encoding_type.as_deref());
    let owned = Some(owner(&bucket.owner));
    let mut answer = ListObjectVersionsResponse {
        is_truncated: Some(false),
        key_marker: Some(encoding.of(after)),
        version_id_marker: Some(after_version.unwrap_or("").to_owned()),
        name: Some(bucket.name.clone()),
        prefix: Some(encoding.of(prefix)),
        delimiter: super::list::delimiter(&input.delimiter).map(|delimiter| encoding.of(delimiter)),
        max_keys: Some(most as i32),
        encoding_type: input.encoding_type.clone(),
        ..Default::default()
    };
    let mut prefixes: Vec<String> = vec![];
    // The last thing of the page: a key and its version, or a common prefix.
    let mut last: Option<(String, Option<String>)> = None;
    let mut passed = after_version.is_none();
    let asked = Asked { prefix, delimiter, after, most };
    let scope = within(&bucket.name);
    let read = |from: Bound<&str>, limit| versions::from(cx.store(), &scope, from, limit);
    for each in Walk::new(&asked, after_version.is_some(), read) {
        let (key, (what, latest)) = each?;
        let common = asked.common(&key);
        let seen = match common {
            Some(common) => !after.is_empty() && common <= after,
            None if *key == *after && !passed => {
                passed = Some(what.place().version.as_str()) == after_version;
                true
            }
            None => !after.is_empty() && (*key < *after || (*key == *after && after_version.is_none())),
        };
        if seen || common.is_some_and(|common| prefixes.last().is_some_and(|last| last == common)) {
            continue;
        }
        if answer.versions.len() + answer.delete_markers.len() + prefixes.len() == most {
            answer.is_truncated = Some(most > 0);
            break;
        }
        if let Some(common) = common {
            last = Some((common.to_owned(), None));
            prefixes.push(common.to_owned());
            continue;
        }
        last = Some((key.to_string(), Some(what.place().version.clone())));
        let (shown, version_id) = (Some(encoding.of(&key)), Some(what.place().version.clone()));
        match what {
            Kept::Object(object) => answer.versions.push(ObjectVersion {
                e_tag: Some(quoted(&object.etag)),
                checksum_algorithm: object.checksum.iter().map(|c| c.algorithm.name().to_owned()).collect(),
                checksum_type: object.checksum.as_ref().map(|checksum| checksum.kind().to_owned()),
                size: i64::try_from(object.size).ok(),
                storage_class: Some("STANDARD".to_owned()),
                key: shown,
                version_id,
                is_latest: Some(latest),
                last_modified: Some(object.modified),
                owner: owned.clone(),
                restore_status: None,
            }),
            Kept::Marker(marker) => answer.delete_markers.push(DeleteMarkerEntry {
                owner: owned.clone(),
                key: shown,
                version_id,
                is_latest: Some(latest),
                last_modified: Some(marker.modified),
            }),
        }
    }
    if let (Some(true), Some((key, version))) = (answer.is_truncated, last) {
        answer.next_key_marker = Some(encoding.of(&key));
        answer.next_version_id_marker = version;
    }
    answer.common_prefixes = encoding.prefixes(&prefixes);
    Ok(answer)
}
