//! CompleteMultipartUpload: parts become an object. No byte is moved, the object's record names the
//! files of its parts.

use super::multipart::{MOST_PARTS, parts_of, upload};
use super::{bucket, check_write, quoted, still_there};
use crate::checksum::{Algorithm, Checksum};
use crate::described::{refuse, show_checksum};
use crate::errors;
use crate::files::ObjectFiles;
use crate::receive::promised;
use crate::records::{Object, Part, Upload, part_id, within};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] =
    &[operation!(CompleteMultipartUpload: complete_multipart_upload(CompleteMultipartUploadRequest))];

/// The smallest part that is not the last: 5 MiB.
const SMALLEST: u64 = 5 << 20;

async fn complete_multipart_upload(
    cx: &Cx,
    input: CompleteMultipartUploadRequest,
) -> Result<CompleteMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let wanted = input.multipart_upload.unwrap_or_default().parts;
    if wanted.is_empty() || wanted.len() > MOST_PARTS as usize {
        return Err(errors::malformed_xml());
    }
    refuse(&[("SSECustomerAlgorithm", input.sse_customer_algorithm.is_some())])?;
    let said = promised!(input);
    upload(cx.store(), &bucket.name, &input.key, &input.upload_id)?;
    let (scope, id, now) = (within(&bucket.name), input.upload_id.as_str(), cx.now());
    let (object, changed) = cx
        .store()
        .write(|tx| {
            let bucket = still_there(tx, &bucket.name)?;
            let upload = tx.get::<Upload>(&scope, id)?.ok_or_else(|| errors::no_such_upload(id))?;
            let there: BTreeMap<i32, Arc<Part>> = parts_of(tx.list::<Part>(&scope)?, id).into_iter().collect();
            let chosen = choose(id, &upload, &wanted, &there)?;
            let object = assemble(&upload, &chosen, now);
            if input.mpu_object_size.is_some_and(|size| u64::try_from(size) != Ok(object.size)) {
                return Err(errors::invalid_request(
                    "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
                ));
            }
            if let Some(said) = &said
                && object.checksum.as_ref() != Some(said)
            {
                return Err(errors::bad_digest(said.algorithm.name()));
            }
            let if_match = input.if_match.as_ref();
            check_write(tx, &bucket.name, &input.key, if_match, input.if_none_match.as_ref())?;
            let mut changed = versions::put(tx, &bucket, &input.key, object.clone(), cx.ids())?;
            for (number, part) in &there {
                tx.delete::<Part>(&scope, &part_id(id, *number));
                if !object.pieces.contains(&part.piece) {
                    changed.unused.push(part.piece.clone());
                }
            }
            tx.delete::<Upload>(&scope, id);
            Ok::<_, Error>((object, changed))
        })
        .await?;
    cx.part::<ObjectFiles>()?.remove(&changed.unused).await;
    let host = cx.request_host().unwrap_or("s3.localhost");
    let mut answer = CompleteMultipartUploadResponse {
        location: Some(format!("http://{host}/{}/{}", bucket.name, input.key)),
        bucket: Some(bucket.name.clone()),
        key: Some(input.key),
        e_tag: Some(quoted(&object.etag)),
        server_side_encryption: Some("AES256".to_owned()),
        version_id: changed.version,
        ..Default::default()
    };
    if let Some(checksum) = &object.checksum {
        show_checksum!(answer, checksum);
        answer.checksum_type = Some(checksum.kind().to_owned());
    }
    Ok(answer)
}

/// The parts that the caller names, each as it was uploaded.
fn choose(
    id: &str,
    upload: &Upload,
    wanted: &[CompletedPart],
    there: &BTreeMap<i32, Arc<Part>>,
) -> Result<Vec<Arc<Part>>, Error> {
    let mut chosen: Vec<Arc<Part>> = vec![];
    let mut last = 0;
    for part in wanted {
        let number = part.part_number.ok_or_else(errors::malformed_xml)?;
        if number <= last {
            return Err(errors::invalid_part_order(id));
        }
        last = number;
        let found = there.get(&number).ok_or_else(|| errors::invalid_part(id, number))?;
        let etag = part.e_tag.as_deref().unwrap_or("").trim_matches('"');
        let said = promised!(part);
        let same = said.as_ref().is_none_or(|said| found.checksum.as_ref() == Some(said));
        if etag != found.etag || !same {
            return Err(errors::invalid_part(id, number));
        }
        if upload.algorithm.is_some() && !upload.full_object && said.is_none() {
            let name = upload.algorithm.map_or("", Algorithm::name).to_ascii_lowercase();
            return Err(errors::invalid_request(&format!(
                "The upload was created using a {name} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request."
            )));
        }
        chosen.push(found.clone());
    }
    match chosen.split_last() {
        Some((_, rest)) if rest.iter().any(|part| part.piece.size < SMALLEST) => Err(errors::too_small()),
        _ => Ok(chosen),
    }
}

/// The object that these parts are.
fn assemble(upload: &Upload, parts: &[Arc<Part>], now: kiln_service_kit::Timestamp) -> Object {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).expect("a part's tag is the hex of its MD5"));
    }
    // Parts of an upload that named no algorithm may have brought different ones.
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let sums: Option<Vec<(Checksum, u64)>> = parts
        .iter()
        .map(|part| Some((part.checksum.clone().filter(|c| c.algorithm == algorithm)?, part.piece.size)))
        .collect();
    Object {
        size: parts.iter().map(|part| part.piece.size).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified: now,
        pieces: parts.iter().map(|part| part.piece.clone()).collect(),
        parts: parts.len(),
        described: upload.described.clone(),
        checksum: sums.map(|sums| Checksum::of_parts(algorithm, upload.full_object, &sums)),
        tags: upload.tags.clone(),
        place: Default::default(),
    }
}
