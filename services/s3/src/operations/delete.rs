//! Removing objects: one, or up to a thousand at once.

use super::{bucket, check_region_of, of_anybody, still_there};
use crate::conditions::matches;
use crate::described::refuse;
use crate::errors;
use crate::files::ObjectFiles;
use crate::notifications::{Event, Thing, tell};
use crate::targets::of_deleted;
use crate::versions::{self, Changed};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteObject: delete_object(DeleteObjectRequest),
        on |cx, r| of_deleted(cx, &r.bucket, &r.key, &r.version_id)),
    // Each key is judged by itself: one that is not allowed is an error of that key.
    operation!(DeleteObjects: delete_objects(DeleteObjectsRequest), open),
];

/// Keys of one DeleteObjects.
const MOST: usize = 1000;

async fn delete_object(cx: &Cx, input: DeleteObjectRequest) -> Result<DeleteObjectResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[
        ("MFA delete", input.mfa.is_some()),
        ("IfMatchLastModifiedTime", input.if_match_last_modified_time.is_some()),
        ("IfMatchSize", input.if_match_size.is_some()),
    ])?;
    let wanted = Wanted { key: &input.key, version: input.version_id.as_deref(), if_match: input.if_match.as_deref() };
    let changed = cx
        .store()
        .write(|tx| {
            let changed = remove(tx, cx, &bucket.name, &wanted)?;
            told_of(tx, cx, &bucket.name, &input.key, &changed)?;
            Ok::<_, Error>(changed)
        })
        .await?;
    cx.part::<ObjectFiles>()?.remove(&changed.unused).await;
    Ok(DeleteObjectResponse {
        delete_marker: changed.marker.then_some(true),
        version_id: changed.version.filter(|_| bucket.versioning.is_some()),
        ..Default::default()
    })
}

struct Wanted<'w> {
    key: &'w str,
    version: Option<&'w str>,
    if_match: Option<&'w str>,
}

/// What is not there is removed already.
fn remove(tx: &mut Tx<'_>, cx: &Cx, bucket: &str, wanted: &Wanted<'_>) -> Result<Changed, Error> {
    versions::check_id(wanted.version)?;
    let bucket = still_there(tx, bucket)?;
    if let Some(etag) = wanted.if_match {
        // What is not there is no match either.
        let there = versions::of_key(tx, &bucket.name, wanted.key, wanted.version)?;
        if !there.is_some_and(|object| matches(etag, &object.etag)) {
            return Err(errors::precondition_failed("If-Match"));
        }
    }
    match wanted.version {
        Some(version) => versions::delete_version(tx, &bucket, wanted.key, version),
        None => versions::delete(tx, &bucket, wanted.key, cx.now(), cx.ids()),
    }
}

/// Tells of what a delete did; of nothing where it did nothing.
fn told_of(tx: &mut Tx<'_>, cx: &Cx, bucket: &str, key: &str, changed: &Changed) -> Result<(), Error> {
    let event = match (changed.removed, changed.marker) {
        (true, _) => Event::Deleted,
        (false, true) => Event::Marked,
        (false, false) => return Ok(()),
    };
    let bucket = still_there(tx, bucket)?;
    tell(tx, cx, &bucket, event, &Thing { key, version: changed.version.as_deref(), ..Default::default() })
}

async fn delete_objects(cx: &Cx, input: DeleteObjectsRequest) -> Result<DeleteObjectsResponse, Error> {
    let bucket = of_anybody(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_region_of(cx, &bucket)?;
    refuse(&[("MFA delete", input.mfa.is_some())])?;
    let wanted = input.delete.objects;
    if wanted.is_empty() || wanted.len() > MOST {
        return Err(errors::malformed_xml());
    }
    let mut answer = DeleteObjectsResponse::default();
    let mut allowed = vec![];
    for object in wanted {
        let target = of_deleted(cx, &bucket.name, &object.key, &object.version_id)?;
        let judged = cx.authorize_target("s3:DeleteObject", &target).and_then(|()| {
            refuse(&[("LastModifiedTime", object.last_modified_time.is_some()), ("Size", object.size.is_some())])
        });
        match judged {
            Ok(()) => allowed.push(object),
            Err(error) => answer.errors.push(told(object, error)),
        }
    }
    let outcome = cx
        .store()
        .write(|tx| {
            let mut outcome = vec![];
            for object in allowed {
                let (version, if_match) = (object.version_id.as_deref(), object.e_tag.as_deref());
                let removed = remove(tx, cx, &bucket.name, &Wanted { key: &object.key, version, if_match });
                if let Ok(changed) = &removed {
                    told_of(tx, cx, &bucket.name, &object.key, changed)?;
                }
                outcome.push((object, removed));
            }
            Ok::<Vec<_>, Error>(outcome)
        })
        .await?;
    let files = cx.part::<ObjectFiles>()?;
    for (object, removed) in outcome {
        match removed {
            Ok(changed) => {
                files.remove(&changed.unused).await;
                if input.delete.quiet != Some(true) {
                    answer.deleted.push(DeletedObject {
                        key: Some(object.key),
                        version_id: object.version_id,
                        delete_marker: changed.marker.then_some(true),
                        delete_marker_version_id: changed.version.filter(|_| changed.marker),
                    });
                }
            }
            Err(error) => answer.errors.push(told(object, error)),
        }
    }
    Ok(answer)
}

fn told(object: ObjectIdentifier, error: Error) -> ErrorShape {
    ErrorShape {
        key: Some(object.key),
        version_id: object.version_id,
        code: Some(error.code.into_owned()),
        message: Some(error.message),
    }
}
