//! Uploads in parts: beginning one, its parts, and giving it up. [`super::complete`] ends one well.

use super::list::{Encoding, list, most};
use super::{bucket, check_key, owner, quoted, still_there};
use crate::checksum::Algorithm;
use crate::described::{check_settings, described, refuse, show_checksum};
use crate::encryption::{customer_key, not_said_again, source_key};
use crate::errors;
use crate::files::ObjectFiles;
use crate::integrity::Promised;
use crate::operations::copy::{Source, find_source};
use crate::operations::get::{Conditions, Span};
use crate::receive::{self, LARGEST, Received, given_checksum};
use crate::records::{Bucket, NULL, Part as PartRecord, Upload, part_id, within};
use crate::walk::{self, Asked, Walk};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Store, operation};
use std::ops::Bound;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(AbortMultipartUpload: abort_multipart_upload(AbortMultipartUploadRequest)),
    operation!(CreateMultipartUpload: create_multipart_upload(CreateMultipartUploadRequest)),
    operation!(ListMultipartUploads: list_multipart_uploads(ListMultipartUploadsRequest)),
    operation!(ListParts: list_parts(ListPartsRequest)),
    operation!(UploadPart: upload_part(UploadPartRequest)),
    operation!(UploadPartCopy: upload_part_copy(UploadPartCopyRequest)),
];

/// Numbers of parts go from 1 to here.
pub const MOST_PARTS: i32 = 10_000;

/// The upload of that id, if it is of that key.
pub fn upload(store: &Store, bucket: &str, key: &str, id: &str) -> Result<Arc<Upload>, Error> {
    let found = store.get::<Upload>(&within(bucket), id)?.filter(|upload| upload.key == key);
    found.ok_or_else(|| errors::no_such_upload(id))
}

/// An upload's parts with their numbers, in order.
pub fn parts_of(rows: Vec<(Arc<str>, Arc<PartRecord>)>, upload: &str) -> Vec<(i32, Arc<PartRecord>)> {
    let number = |id: &str| id.strip_prefix(upload)?.strip_prefix('/')?.parse().ok();
    rows.into_iter().filter_map(|(id, part)| Some((number(&id)?, part))).collect()
}

async fn create_multipart_upload(
    cx: &Cx,
    input: CreateMultipartUploadRequest,
) -> Result<CreateMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_key(&input.key)?;
    check_settings!(input);
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
    let id = cx.ids().hex(64);
    let record = Upload {
        key: input.key.clone(),
        initiated: cx.now(),
        initiator: cx.caller().arn.clone(),
        described: described!(input),
        tags: super::tags::from_header(input.tagging.as_deref())?,
        algorithm,
        full_object,
    };
    cx.store()
        .write(|tx| {
            still_there(tx, &bucket.name)?;
            tx.put(&within(&bucket.name), &id, record)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(CreateMultipartUploadResponse {
        bucket: Some(bucket.name.clone()),
        key: Some(input.key),
        upload_id: Some(id),
        server_side_encryption: Some("AES256".to_owned()),
        checksum_algorithm: algorithm.map(|algorithm| algorithm.name().to_owned()),
        checksum_type: algorithm.map(|_| kind(full_object).to_owned()),
        ..Default::default()
    })
}

fn kind(full_object: bool) -> &'static str {
    if full_object { "FULL_OBJECT" } else { "COMPOSITE" }
}

fn check_number(number: i32) -> Result<(), Error> {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    let text = "Part number must be an integer between 1 and 10000, inclusive";
    Err(errors::invalid_argument("partNumber", &number.to_string(), text))
}

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
    let received = receive::receive(cx, receive::body(cx, input.body), promised, upload.algorithm).await?;
    let part = keep_part(cx, &bucket, &input.upload_id, input.part_number, received).await?;
    let mut answer = UploadPartResponse {
        e_tag: Some(quoted(&part.etag)),
        server_side_encryption: Some("AES256".to_owned()),
        ..Default::default()
    };
    if let Some(checksum) = &part.checksum {
        show_checksum!(answer, checksum);
    }
    Ok(answer)
}

/// Writes down a part that lies in its file, in the place of one of the same number.
async fn keep_part(
    cx: &Cx,
    bucket: &Bucket,
    upload: &str,
    number: i32,
    received: Received,
) -> Result<PartRecord, Error> {
    let part = PartRecord {
        piece: received.piece,
        etag: hex::encode(received.md5),
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
    let conditions = Conditions {
        if_match: input.copy_source_if_match.as_deref(),
        if_none_match: input.copy_source_if_none_match.as_deref(),
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    let expected = input.expected_source_bucket_owner.as_ref();
    let Source { object, version, .. } = find_source(cx, &input.copy_source, expected, conditions)?;
    let span = match input.copy_source_range.as_deref() {
        None => Span { from: 0, to: object.size, part: false },
        Some(range) => source_span(range, object.size)?,
    };
    if span.to - span.from > LARGEST {
        return Err(errors::too_large(LARGEST));
    }
    let bytes = cx.part::<ObjectFiles>()?.read(&object.pieces, span.from, span.to).await?;
    let received = receive::receive(cx, bytes, Promised::default(), upload.algorithm).await?;
    let part = keep_part(cx, &bucket, &input.upload_id, input.part_number, received).await?;
    let mut result =
        CopyPartResult { e_tag: Some(quoted(&part.etag)), last_modified: Some(part.modified), ..Default::default() };
    if let Some(checksum) = part.checksum.as_ref().filter(|_| upload.algorithm.is_some()) {
        show_checksum!(result, checksum);
    }
    Ok(UploadPartCopyResponse {
        copy_source_version_id: version.filter(|version| version != NULL),
        copy_part_result: Some(result),
        server_side_encryption: Some("AES256".to_owned()),
        ..Default::default()
    })
}

/// The bytes of a source that a part is made of: all that are asked for must be there.
fn source_span(range: &str, size: u64) -> Result<Span, Error> {
    let bad = |text: &str| errors::invalid_argument("x-amz-copy-source-range", range, text);
    let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match ends.filter(|(first, last)| first <= last) {
        Some((first, last)) if last < size => Ok(Span { from: first, to: last + 1, part: true }),
        Some(_) => Err(bad(&format!("Range specified is not valid for source object of size: {size}"))),
        None => Err(bad(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

async fn abort_multipart_upload(
    cx: &Cx,
    input: AbortMultipartUploadRequest,
) -> Result<AbortMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("IfMatchInitiatedTime", input.if_match_initiated_time.is_some())])?;
    upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let scope = within(&bucket.name);
    let pieces = cx
        .store()
        .write(|tx| {
            if !tx.delete::<Upload>(&scope, &input.upload_id) {
                return Err(errors::no_such_upload(&input.upload_id));
            }
            let mut pieces = vec![];
            let parts = tx.list_prefix::<PartRecord>(&scope, &format!("{}/", input.upload_id))?;
            for (number, part) in parts_of(parts, &input.upload_id) {
                tx.delete::<PartRecord>(&scope, &part_id(&input.upload_id, number));
                pieces.push(part.piece.clone());
            }
            Ok(pieces)
        })
        .await?;
    cx.part::<ObjectFiles>()?.remove(&pieces).await;
    Ok(AbortMultipartUploadResponse::default())
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
        checksum_type: upload.algorithm.map(|_| kind(upload.full_object).to_owned()),
        ..Default::default()
    })
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
        checksum_type: upload.algorithm.map(|_| kind(upload.full_object).to_owned()),
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
