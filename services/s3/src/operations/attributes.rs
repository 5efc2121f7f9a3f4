//! GetObjectAttributes: what HeadObject says, and the checksums of the parts.

use super::bucket;
use super::list::most;
use crate::described::show_checksum;
use crate::encryption::{customer_key, not_said_again};
use crate::records::Object;
use crate::targets::of_attributes;
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetObjectAttributes: get_object_attributes(GetObjectAttributesRequest),
        on |cx, r| of_attributes(cx, &r.bucket, &r.key, &r.version_id))];

async fn get_object_attributes(
    cx: &Cx,
    input: GetObjectAttributesRequest,
) -> Result<GetObjectAttributesResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    not_said_again(cx)?;
    customer_key!(input).of_a_read()?;
    let object = versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    let asked = |name: &str| input.object_attributes.iter().any(|asked| asked == name);
    let mut answer = GetObjectAttributesResponse {
        last_modified: Some(object.modified),
        version_id: bucket.versioning.map(|_| object.place.version.clone()),
        ..Default::default()
    };
    if asked("ETag") {
        // Without quotes, unlike everywhere else.
        answer.e_tag = Some(object.etag.clone());
    }
    if asked("ObjectSize") {
        answer.object_size = i64::try_from(object.size).ok();
    }
    if asked("StorageClass") {
        answer.storage_class = Some("STANDARD".to_owned());
    }
    if asked("Checksum") {
        crate::kms::open(cx, &bucket, object.kms.as_ref()).await?;
    }
    if asked("Checksum")
        && let Some(checksum) = &object.checksum
    {
        let mut shown = Checksum { checksum_type: Some(checksum.kind().to_owned()), ..Default::default() };
        show_checksum!(shown, checksum);
        answer.checksum = Some(shown);
    }
    if asked("ObjectParts") && object.parts > 0 {
        answer.object_parts = Some(parts(&object, input.part_number_marker, input.max_parts)?);
    }
    Ok(answer)
}

/// How many parts there were; each of them where they had checksums of their own, as AWS has it.
fn parts(object: &Object, marker: Option<i32>, max: Option<i32>) -> Result<GetObjectAttributesParts, Error> {
    let total_parts_count = Some(object.parts as i32);
    if object.made_of.iter().all(|part| part.checksum.is_none()) {
        return Ok(GetObjectAttributesParts { total_parts_count, ..Default::default() });
    }
    let (after, most) = (marker.unwrap_or(0), most("max-parts", max)?);
    let all = object.made_of.iter().zip(&object.pieces);
    let mut page: Vec<_> = all.filter(|(part, _)| part.number > after).take(most + 1).collect();
    let more = page.len() > most;
    page.truncate(most);
    let shown = page.iter().map(|(part, piece)| {
        let mut shown =
            ObjectPart { part_number: Some(part.number), size: i64::try_from(piece.size).ok(), ..Default::default() };
        if let Some(checksum) = &part.checksum {
            show_checksum!(shown, checksum);
        }
        shown
    });
    Ok(GetObjectAttributesParts {
        total_parts_count,
        part_number_marker: Some(after),
        next_part_number_marker: Some(page.last().map_or(0, |(part, _)| part.number)),
        max_parts: Some(most as i32),
        is_truncated: Some(more),
        parts: shown.collect(),
    })
}
