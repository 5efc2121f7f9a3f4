//! Uploads in parts: beginning one, giving it up, and the list of them. Their parts are put by [`super::parts`], and
//! [`super::complete`] ends one well.

use super::list::{Encoding, list, most};
use super::{bucket, check_key, still_there};
use crate::canonical::owner;
use crate::checksum::Algorithm;
use crate::described::{check_settings, described, refuse};
use crate::errors;
use crate::files::ObjectFiles;
use crate::kms::{self, encryption_asked, show_encryption};
use crate::lifecycle;
use crate::records::{Upload, within};
use crate::targets::{of_bucket_by, of_object, of_written, said};
use crate::uploads::{self, checksum_type, upload};
use crate::walk::{self, Asked, Walk};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::ops::Bound;

pub const OPERATIONS: &[Operation] = &[
    operation!(AbortMultipartUpload: abort_multipart_upload(AbortMultipartUploadRequest),
        on |cx, r| of_object(cx, &r.bucket, &r.key)),
    operation!(CreateMultipartUpload: create_multipart_upload(CreateMultipartUploadRequest),
        on |cx, r| of_written(cx, &r.bucket, &r.key, said!(r))),
    operation!(ListMultipartUploads: list_multipart_uploads(ListMultipartUploadsRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:ListBucketMultipartUploads")),
];

async fn create_multipart_upload(
    cx: &Cx,
    input: CreateMultipartUploadRequest,
) -> Result<CreateMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_key(&input.key)?;
    check_settings!(cx, &bucket, input);
    let algorithm = match input.checksum_algorithm.as_deref() {
        None => None,
        Some(name) => {
            Some(Algorithm::named(name).ok_or_else(|| Error::not_built(format!("s3: ChecksumAlgorithm {name}")))?)
        }
    };
    let full_object = match (input.checksum_type.as_deref(), algorithm) {
        (None, algorithm) => algorithm.is_none_or(|algorithm| algorithm == Algorithm::Crc64Nvme),
        (Some(_), None) => {
            let text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";
            return Err(errors::invalid_request(text));
        }
        (Some("FULL_OBJECT"), Some(algorithm)) if algorithm.joins() => true,
        (Some("COMPOSITE"), Some(algorithm)) if algorithm != Algorithm::Crc64Nvme => false,
        (Some(kind), Some(algorithm)) => {
            let name = algorithm.name().to_ascii_lowercase();
            let text = format!("The {kind} checksum type cannot be used with the {name} checksum algorithm.");
            return Err(errors::invalid_request(&text));
        }
    };
    let method = kms::method(cx, &bucket, encryption_asked!(input))?;
    let tags = crate::tagging::from_header(input.tagging.as_deref())?;
    let (_, kms) = kms::begin(cx, &bucket, &input.key, method).await?;
    let id = cx.ids().hex(64);
    let now = cx.now();
    let given_up = bucket.lifecycle.as_ref().and_then(|lifecycle| lifecycle::abort(lifecycle, &input.key, now));
    let record = Upload {
        key: input.key.clone(),
        initiated: now,
        initiator: cx.caller().arn.clone(),
        described: described!(input),
        tags,
        algorithm,
        full_object,
        kms: kms.clone(),
    };
    cx.store()
        .write(|tx| {
            still_there(tx, &bucket.name)?;
            tx.put(&within(&bucket.name), &id, record)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut answer = CreateMultipartUploadResponse {
        bucket: Some(bucket.name.clone()),
        key: Some(input.key),
        upload_id: Some(id),
        ssekms_encryption_context: kms::told_context(kms.as_ref()),
        abort_date: given_up.map(|(at, _)| at),
        abort_rule_id: given_up.map(|(_, rule)| rule.id.clone()),
        checksum_algorithm: algorithm.map(|algorithm| algorithm.name().to_owned()),
        checksum_type: algorithm.map(|_| checksum_type(full_object).to_owned()),
        ..Default::default()
    };
    show_encryption!(answer, kms.as_ref());
    Ok(answer)
}

async fn abort_multipart_upload(
    cx: &Cx,
    input: AbortMultipartUploadRequest,
) -> Result<AbortMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("IfMatchInitiatedTime", input.if_match_initiated_time.is_some())])?;
    upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let scope = within(&bucket.name);
    let pieces = cx.store().write(|tx| uploads::remove(tx, &scope, &input.upload_id)).await?;
    cx.part::<ObjectFiles>()?.remove(&pieces).await;
    Ok(AbortMultipartUploadResponse::default())
}

async fn list_multipart_uploads(
    cx: &Cx,
    input: ListMultipartUploadsRequest,
) -> Result<ListMultipartUploadsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let most = most("max-uploads", input.max_uploads)?;
    let key_marker = input.key_marker.as_deref().unwrap_or("");
    let scope = within(&bucket.name);
    // A page that ended with an upload goes on behind it: in order of time among those of its key.
    let marker = input.upload_id_marker.as_deref().filter(|id| !id.is_empty());
    let marker = match marker.map(|id| (id, cx.store().get::<Upload>(&scope, id))) {
        Some((id, upload)) => upload?.filter(|upload| upload.key == key_marker).map(|upload| (upload.initiated, id)),
        None => None,
    };
    let asked = Asked {
        prefix: input.prefix.as_deref().unwrap_or(""),
        delimiter: input.delimiter.as_deref().unwrap_or(""),
        after: key_marker,
        most,
    };
    let read = |from: Bound<&str>, limit| {
        let mut span = walk::by_key::<Upload>(cx.store(), &scope, from, limit)?;
        span.rows.retain(|(key, (id, upload))| {
            **key != *key_marker || marker.is_none_or(|marker| (upload.initiated, &**id) > marker)
        });
        span.rows.sort_by(|(a_key, (a_id, a)), (b_key, (b_id, b))| {
            (a_key, a.initiated, a_id).cmp(&(b_key, b.initiated, b_id))
        });
        Ok(span)
    };
    let rest = Walk::new(&asked, marker.is_some(), read);
    let page = list(rest, &Asked { after: if marker.is_some() { "" } else { key_marker }, ..asked })?;
    let encoding = Encoding::asked(input.encoding_type.as_deref());
    let uploads = page.entries.iter().map(|(key, (id, upload))| MultipartUpload {
        upload_id: Some(id.to_string()),
        key: Some(encoding.of(key)),
        initiated: Some(upload.initiated),
        storage_class: Some("STANDARD".to_owned()),
        owner: Some(owner(&bucket.owner)),
        initiator: Some(Initiator { id: Some(upload.initiator.clone()), display_name: None }),
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned()),
        checksum_type: upload.algorithm.map(|_| checksum_type(upload.full_object).to_owned()),
    });
    let last_upload = page.entries.last().filter(|(key, _)| page.next.as_deref() == Some(&**key));
    Ok(ListMultipartUploadsResponse {
        bucket: Some(bucket.name.clone()),
        key_marker: Some(encoding.of(key_marker)),
        upload_id_marker: Some(input.upload_id_marker.clone().unwrap_or_default()),
        next_key_marker: page.next.as_deref().map(|next| encoding.of(next)),
        prefix: Some(encoding.of(asked.prefix)),
        delimiter: super::list::delimiter(&input.delimiter).map(|delimiter| encoding.of(delimiter)),
        next_upload_id_marker: last_upload.map(|(_, (id, _))| id.to_string()),
        max_uploads: Some(most as i32),
        is_truncated: Some(page.next.is_some()),
        uploads: uploads.collect(),
        common_prefixes: encoding.prefixes(&page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}
