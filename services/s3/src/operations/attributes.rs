//! GetObjectAttributes: what HeadObject says, and the checksums of the parts.

use super::bucket;
use crate::described::{refuse, show_checksum};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetObjectAttributes: get_object_attributes(GetObjectAttributesRequest))];

async fn get_object_attributes(
    cx: &Cx,
    input: GetObjectAttributesRequest,
) -> Result<GetObjectAttributesResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("SSECustomerAlgorithm", input.sse_customer_algorithm.is_some())])?;
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
    if asked("Checksum")
        && let Some(checksum) = &object.checksum
    {
        let mut shown = Checksum { checksum_type: Some(checksum.kind().to_owned()), ..Default::default() };
        show_checksum!(shown, checksum);
        answer.checksum = Some(shown);
    }
    if asked("ObjectParts") && object.parts > 0 {
        // Their own checksums are not kept once they are one object.
        answer.object_parts =
            Some(GetObjectAttributesParts { total_parts_count: Some(object.parts as i32), ..Default::default() });
    }
    Ok(answer)
}
