//! Access control lists as they are: off, so that the owner has everything and nobody else anything.

use super::bucket;
use crate::canonical::owner;
use crate::targets::{of_bucket, of_kept};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetBucketAcl: get_bucket_acl(GetBucketAclRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetObjectAcl: get_object_acl(GetObjectAclRequest),
        on |cx, r| of_kept(cx, &r.bucket, &r.key, &r.version_id, ["s3:GetObjectAcl", "s3:GetObjectVersionAcl"])),
];

async fn get_bucket_acl(cx: &Cx, input: GetBucketAclRequest) -> Result<GetBucketAclResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    Ok(GetBucketAclResponse { owner: Some(owner(&bucket.owner)), grants: grants(&bucket.owner) })
}

async fn get_object_acl(cx: &Cx, input: GetObjectAclRequest) -> Result<GetObjectAclResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    Ok(GetObjectAclResponse { owner: Some(owner(&bucket.owner)), grants: grants(&bucket.owner), ..Default::default() })
}

fn grants(account: &str) -> Vec<Grant> {
    let grantee = Grantee { id: owner(account).id, r#type: Some("CanonicalUser".to_owned()), ..Default::default() };
    vec![Grant { grantee: Some(grantee), permission: Some("FULL_CONTROL".to_owned()) }]
}
