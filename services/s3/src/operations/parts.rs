//! The parts of an upload: from a body, from an object that is there, and the list of them.

use super::list::most;
use super::{bucket, quoted};
use crate::canonical::owner;
use crate::conditions::source_conditions;
use crate::described::show_checksum;
use crate::encryption::{customer_key, not_said_again, source_key};
use crate::errors;
use crate::files::ObjectFiles;
use crate::integrity::Promised;
use crate::kms::{self, show_encryption};
use crate::lifecycle::abort;
use crate::receive::{self, LARGEST, Received, given_checksum};
use crate::records::{Bucket, NULL, Part as PartRecord, Upload, part_id, within};
use crate::source::{Source, find_source};
use crate::span::Span;
use crate::targets::{of_copied, of_object_by};
use crate::uploads::{check_number, checksum_type, parts_of, upload};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(ListParts: list_parts(ListPartsRequest),
        on |cx, r| of_object_by(cx, &r.bucket, &r.key, "s3:ListMultipartUploadParts")),
    operation!(UploadPart: upload_part(UploadPartRequest),
        on |cx, r| of_object_by(cx, &r.bucket, &r.key, "s3:PutObject")),
    operation!(UploadPartCopy: upload_part_copy(UploadPartCopyRequest),
        on |cx, r| of_copied(cx, vec![of_object_by(cx, &r.bucket, &r.key, "s3:PutObject")?], &r.copy_source)),
];

async fn upload_part(cx: &Cx, input: UploadPartRequest) -> Result<UploadPartResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_number(input.part_number)?;
    not_said_again(cx)?;
    customer_key!(input).refuse(None)?;
    let upload = upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let promised = Promised::of_call(cx, input.content_md5.as_deref(), given_checksum!(input))?;
    if let (Some(given), Some(wanted)) = (promised.algorithm(), upload.algorithm)
        && given != wanted
    {
        let text = format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.name().to_ascii_lowercase(),
            given.name().to_ascii_lowercase()
        );
        return Err(errors::invalid_request(&text));
    }
    let seal = kms::open(cx, &bucket, upload.kms.as_ref()).await?;
    let received = receive::receive(cx, receive::body(cx, input.body), promised, upload.algorithm, &seal).await?;
    let part = keep_part(cx, &bucket, &upload, &input.upload_id, input.part_number, received).await?;
    let mut answer = UploadPartResponse { e_tag: Some(quoted(&part.etag)), ..Default::default() };
    show_encryption!(answer, upload.kms.as_ref());
    if let Some(checksum) = &part.checksum {
        show_checksum!(answer, checksum);
    }
    Ok(answer)
}

/// Writes down a part that lies in its file, in the place of one of the same number.
async fn keep_part(
    cx: &Cx,
    bucket: &Bucket,
    of: &Upload,
    upload: &str,
    number: i32,
    received: Received,
) -> Result<PartRecord, Error> {
    let part = PartRecord {
        piece: received.piece,
        etag: kms::etag(cx, received.md5, of.kms.as_ref()),
        modified: cx.now(),
        checksum: Some(received.checksum),
    };
    let (scope, id) = (within(&bucket.name), part_id(upload, number));
    let before = cx
        .store()
        .write(|tx| {
            if tx.get::<Upload>(&scope, upload)?.is_none() {
                return Err(errors::no_such_upload(upload));
            }
            let before = tx.get::<PartRecord>(&scope, &id)?;
            tx.put(&scope, &id, part.clone())?;
            Ok(before)
        })
        .await?;
    received.staged.keep();
    if let Some(before) = before {
        cx.part::<ObjectFiles>()?.remove(std::slice::from_ref(&before.piece)).await;
    }
    Ok(part)
}

async fn upload_part_copy(cx: &Cx, input: UploadPartCopyRequest) -> Result<UploadPartCopyResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_number(input.part_number)?;
    not_said_again(cx)?;
    customer_key!(input).refuse(None)?;
    source_key!(input).of_a_read()?;
    let upload = upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let expected = input.expected_source_bucket_owner.as_ref();
    let Source { place, object, version, .. } =
        find_source(cx, &input.copy_source, expected, source_conditions!(input))?;
    let span = match input.copy_source_range.as_deref() {
        None => Span { from: 0, to: object.size, part: false },
        Some(range) => Span::of_source(range, object.size)?,
    };
    if span.to - span.from > LARGEST {
        return Err(errors::too_large(LARGEST));
    }
    let opened = kms::open(cx, &place, object.kms.as_ref()).await?;
    let seal = kms::open(cx, &bucket, upload.kms.as_ref()).await?;
    let bytes = cx.part::<ObjectFiles>()?.read(&object.pieces, &opened, span.from, span.to).await?;
    let received = receive::receive(cx, bytes, Promised::default(), upload.algorithm, &seal).await?;
    let part = keep_part(cx, &bucket, &upload, &input.upload_id, input.part_number, received).await?;
    let mut result =
        CopyPartResult { e_tag: Some(quoted(&part.etag)), last_modified: Some(part.modified), ..Default::default() };
    if let Some(checksum) = part.checksum.as_ref().filter(|_| upload.algorithm.is_some()) {
        show_checksum!(result, checksum);
    }
    let mut answer = UploadPartCopyResponse {
        copy_source_version_id: version.filter(|version| version != NULL),
        copy_part_result: Some(result),
        ..Default::default()
    };
    show_encryption!(answer, upload.kms.as_ref());
    Ok(answer)
}

async fn list_parts(cx: &Cx, input: ListPartsRequest) -> Result<ListPartsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    customer_key!(input).of_a_read()?;
    let upload = upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let after = input.part_number_marker.unwrap_or(0);
    if after < 0 {
        let text = crate::words::not_a_count("part-number-marker");
        return Err(errors::invalid_argument("part-number-marker", &after.to_string(), &text));
    }
    let most = most("max-parts", input.max_parts)?;
    let rows = cx.store().list_prefix::<PartRecord>(&within(&bucket.name), &format!("{}/", input.upload_id))?;
    let mut all: Vec<_> = parts_of(rows, &input.upload_id).into_iter().filter(|(number, _)| *number > after).collect();
    let more = all.len() > most;
    all.truncate(most);
    let given_up = bucket.lifecycle.as_ref();
    let given_up = given_up.and_then(|lifecycle| abort(lifecycle, &input.key, upload.initiated));
    let parts = all.iter().map(|(number, part)| {
        let mut shown = Part {
            part_number: Some(*number),
            last_modified: Some(part.modified),
            e_tag: Some(quoted(&part.etag)),
            size: i64::try_from(part.piece.size).ok(),
            ..Default::default()
        };
        if let Some(checksum) = part.checksum.as_ref().filter(|_| upload.algorithm.is_some()) {
            show_checksum!(shown, checksum);
        }
        shown
    });
    Ok(ListPartsResponse {
        abort_date: given_up.map(|(at, _)| at),
        abort_rule_id: given_up.map(|(_, rule)| rule.id.clone()),
        bucket: Some(bucket.name.clone()),
        key: Some(input.key),
        parts: parts.collect(),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(after),
        next_part_number_marker: Some(all.last().map_or(0, |(number, _)| *number)),
        max_parts: Some(most as i32),
        is_truncated: Some(more),
        initiator: Some(Initiator { id: Some(upload.initiator.clone()), display_name: None }),
        owner: Some(owner(&bucket.owner)),
        storage_class: Some("STANDARD".to_owned()),
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned()),
        checksum_type: upload.algorithm.map(|_| checksum_type(upload.full_object).to_owned()),
        ..Default::default()
    })
}
