//! Removing objects: one, or up to a thousand at once.

use super::{bucket, matches};
use crate::described::refuse;
use crate::errors;
use crate::files::ObjectFiles;
use crate::operations::get::refuse_versions;
use crate::records::{Bucket, Object, Piece, within};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteObject: delete_object(DeleteObjectRequest)),
    // Each key is judged by itself: one that is not allowed is an error of that key.
    operation!(DeleteObjects: delete_objects(DeleteObjectsRequest), open),
];

/// Keys of one DeleteObjects.
const MOST: usize = 1000;

async fn delete_object(cx: &Cx, input: DeleteObjectRequest) -> Result<DeleteObjectResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse_versions(input.version_id.as_deref(), None)?;
    refuse(&[
        ("MFA delete", input.mfa.is_some()),
        ("IfMatchLastModifiedTime", input.if_match_last_modified_time.is_some()),
        ("IfMatchSize", input.if_match_size.is_some()),
    ])?;
    let if_match = input.if_match.as_deref();
    let pieces = cx.store().write(|tx| remove(tx, &bucket, &input.key, if_match)).await?;
    cx.part::<ObjectFiles>()?.remove(&pieces).await;
    Ok(DeleteObjectResponse::default())
}

/// What is not there is removed already; whose files may go now.
fn remove(tx: &mut Tx<'_>, bucket: &Bucket, key: &str, if_match: Option<&str>) -> Result<Vec<Piece>, Error> {
    let scope = within(&bucket.name);
    let Some(object) = tx.get::<Object>(&scope, key)? else { return Ok(vec![]) };
    if if_match.is_some_and(|wanted| !matches(wanted, &object.etag)) {
        return Err(errors::precondition_failed("If-Match"));
    }
    tx.delete::<Object>(&scope, key);
    Ok(object.pieces.clone())
}

async fn delete_objects(cx: &Cx, input: DeleteObjectsRequest) -> Result<DeleteObjectsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("MFA delete", input.mfa.is_some())])?;
    let wanted = input.delete.objects;
    if wanted.is_empty() || wanted.len() > MOST {
        return Err(errors::malformed_xml());
    }
    let mut answer = DeleteObjectsResponse::default();
    let mut allowed = vec![];
    for object in wanted {
        let arn = format!("arn:aws:s3:::{}/{}", bucket.name, object.key);
        let judged = cx.authorize("s3:DeleteObject", &[arn], &[]);
        match judged.and_then(|()| refuse_versions(object.version_id.as_deref(), None)) {
            Ok(()) => allowed.push(object),
            Err(error) => answer.errors.push(told(object.key, error)),
        }
    }
    let outcome = cx
        .store()
        .write(|tx| {
            let remove = |object: ObjectIdentifier| {
                let removed = remove(tx, &bucket, &object.key, object.e_tag.as_deref());
                (object.key, removed)
            };
            Ok::<Vec<_>, Error>(allowed.into_iter().map(remove).collect())
        })
        .await?;
    let files = cx.part::<ObjectFiles>()?;
    for (key, removed) in outcome {
        match removed {
            Ok(pieces) => {
                files.remove(&pieces).await;
                if input.delete.quiet != Some(true) {
                    answer.deleted.push(DeletedObject { key: Some(key), ..Default::default() });
                }
            }
            Err(error) => answer.errors.push(told(key, error)),
        }
    }
    Ok(answer)
}

fn told(key: String, error: Error) -> ErrorShape {
    ErrorShape { key: Some(key), version_id: None, code: Some(error.code.into_owned()), message: Some(error.message) }
}
