//! CompleteMultipartUpload: parts become an object. No byte is moved, the object's record names the
//! files of its parts.

use super::{address, bucket, quoted, still_there, told_version};
use crate::checksum::{Algorithm, Checksum};
use crate::conditions::{check_conditions, check_write};
use crate::described::show_checksum;
use crate::encryption::{customer_key, not_said_again};
use crate::errors;
use crate::files::ObjectFiles;
use crate::kms::show_encryption;
use crate::lifecycle::expires;
use crate::notifications::{Event, Thing, tell};
use crate::receive::given_checksum;
use crate::records::{Bucket, Kept, MadeOf, Object, Part, Upload, Version, part_id, within};
use crate::targets::of_object_by;
use crate::uploads::{MOST_PARTS, parts_of, upload};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] =
    &[operation!(CompleteMultipartUpload: complete_multipart_upload(CompleteMultipartUploadRequest),
        on |cx, r| of_object_by(cx, &r.bucket, &r.key, "s3:PutObject"))];

/// The smallest part that is not the last: 5 MiB.
const SMALLEST: u64 = 5 << 20;

/// The parts of an object to be, with their numbers.
type Chosen = Vec<(i32, Arc<Part>)>;

async fn complete_multipart_upload(
    cx: &Cx,
    input: CompleteMultipartUploadRequest,
) -> Result<CompleteMultipartUploadResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let Some(given) = input.multipart_upload else {
        return Err(errors::invalid_request("You must specify at least one part"));
    };
    let wanted = given.parts;
    if wanted.is_empty() || wanted.len() > MOST_PARTS as usize {
        return Err(errors::malformed_xml());
    }
    not_said_again(cx)?;
    customer_key!(input).refuse(None)?;
    check_conditions(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let said = given_checksum!(input);
    match upload(cx.store(), &bucket.name, &input.key, &input.upload_id) {
        Ok(begun) => check_kind(&begun, input.checksum_type.as_deref())?,
        Err(error) => {
            let made = made_before(cx, &bucket.name, &input.key, &input.upload_id)?.ok_or(error)?;
            check_again(&made, &input.upload_id, &wanted)?;
            let version = bucket.versioning.map(|_| made.place.version.clone());
            return answer(cx, &bucket, input.key, &made, version);
        }
    }
    let (scope, id, now) = (within(&bucket.name), input.upload_id.as_str(), cx.now());
    let (object, changed) = cx
        .store()
        .write(|tx| {
            let bucket = still_there(tx, &bucket.name)?;
            let upload = tx.get::<Upload>(&scope, id)?.ok_or_else(|| errors::no_such_upload(id))?;
            let parts = tx.list_prefix::<Part>(&scope, &format!("{id}/"))?;
            let there: BTreeMap<i32, Arc<Part>> = parts_of(parts, id).into_iter().collect();
            let chosen = choose(id, &upload, &wanted, &there)?;
            let object = assemble(id, &upload, &chosen, now);
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
            let (size, etag) = (Some(object.size), Some(object.etag.as_str()));
            let thing = Thing { key: &input.key, size, etag, version: changed.version.as_deref() };
            tell(tx, cx, &bucket, Event::Completed, &thing)?;
            Ok::<_, Error>((object, changed))
        })
        .await?;
    cx.part::<ObjectFiles>()?.remove(&changed.unused).await;
    answer(cx, &bucket, input.key, &object, changed.version)
}

fn answer(
    cx: &Cx,
    bucket: &Bucket,
    key: String,
    object: &Object,
    version: Option<String>,
) -> Result<CompleteMultipartUploadResponse, Error> {
    let mut answer = CompleteMultipartUploadResponse {
        expiration: expires(bucket, &key, object),
        location: Some(address(cx, &bucket.name, &key)),
        bucket: Some(bucket.name.clone()),
        key: Some(key),
        e_tag: Some(quoted(&object.etag)),
        version_id: told_version(version),
        ..Default::default()
    };
    show_encryption!(answer, object.kms.as_ref());
    if let Some(checksum) = &object.checksum {
        show_checksum!(answer, checksum);
        answer.checksum_type = Some(checksum.kind().to_owned());
    }
    Ok(answer)
}

/// Whether the whole is to have a checksum of the kind that the upload was begun with.
fn check_kind(upload: &Upload, asked: Option<&str>) -> Result<(), Error> {
    let kind = if upload.full_object { "FULL_OBJECT" } else { "COMPOSITE" };
    match asked {
        Some(asked) if asked != kind => Err(errors::invalid_request(&format!(
            "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
        ))),
        _ => Ok(()),
    }
}

/// The object that an upload was completed to, while it is there.
fn made_before(cx: &Cx, bucket: &str, key: &str, upload: &str) -> Result<Option<Arc<Object>>, Error> {
    let scope = within(bucket);
    let is_its = |object: &Object| object.upload.as_deref() == Some(upload);
    if let Some(latest) = cx.store().get::<Object>(&scope, key)?.filter(|latest| is_its(latest)) {
        return Ok(Some(latest));
    }
    let older = cx.store().by_key::<Version>(&scope, "key", key)?;
    Ok(older.into_iter().find_map(|(_, row)| match &row.what {
        Kept::Object(object) if is_its(object) => Some(Arc::new(Object::clone(object))),
        _ => None,
    }))
}

/// Completed again, an upload must be of the same parts.
fn check_again(made: &Object, upload: &str, wanted: &[CompletedPart]) -> Result<(), Error> {
    let pairs = wanted.iter().map(|part| (part.part_number.unwrap_or(0), part.e_tag.as_deref().unwrap_or("")));
    let mut there = made.made_of.iter();
    for (number, etag) in pairs {
        match there.next() {
            Some(part) if part.number == number && part.etag == etag.trim_matches('"') => {}
            _ => return Err(errors::invalid_part(upload, number)),
        }
    }
    match there.next() {
        Some(left_out) => Err(errors::invalid_part(upload, left_out.number)),
        None => Ok(()),
    }
}

/// The parts that the caller names, each as it was uploaded.
fn choose(
    id: &str,
    upload: &Upload,
    wanted: &[CompletedPart],
    there: &BTreeMap<i32, Arc<Part>>,
) -> Result<Chosen, Error> {
    let mut chosen: Chosen = vec![];
    let mut last = 0;
    for part in wanted {
        let number = part.part_number.ok_or_else(errors::malformed_xml)?;
        if number <= last {
            return Err(errors::invalid_part_order(id));
        }
        last = number;
        let found = there.get(&number).ok_or_else(|| errors::invalid_part(id, number))?;
        let etag = part.e_tag.as_deref().unwrap_or("").trim_matches('"');
        let said = given_checksum!(part);
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
        chosen.push((number, found.clone()));
    }
    match chosen.split_last() {
        Some((_, rest)) if rest.iter().any(|(_, part)| part.piece.size < SMALLEST) => Err(errors::too_small()),
        _ => Ok(chosen),
    }
}

/// The object that these parts are.
fn assemble(id: &str, upload: &Upload, chosen: &[(i32, Arc<Part>)], now: kiln_service_kit::Timestamp) -> Object {
    let parts: Vec<&Arc<Part>> = chosen.iter().map(|(_, part)| part).collect();
    let mut md5 = Md5::new();
    for part in &parts {
        md5.update(hex::decode(&part.etag).expect("a part's tag is hex"));
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
        upload: Some(id.to_owned()),
        made_of: chosen
            .iter()
            .map(|(number, part)| MadeOf {
                number: *number,
                etag: part.etag.clone(),
                checksum: part.checksum.clone().filter(|_| upload.algorithm.is_some()),
            })
            .collect(),
        kms: upload.kms.clone(),
    }
}
