//! Which public access to a bucket is blocked, and the encryption that its objects have where nobody says otherwise.

use super::bucket;
use crate::described::refuse;
use crate::errors;
use crate::records::{Bucket, KmsDefault, PublicAccess, all_buckets};
use crate::targets::of_bucket_by;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketEncryption: delete_encryption(DeleteBucketEncryptionRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutEncryptionConfiguration")),
    operation!(DeletePublicAccessBlock: delete_public_access(DeletePublicAccessBlockRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketPublicAccessBlock")),
    operation!(GetBucketEncryption: get_encryption(GetBucketEncryptionRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetEncryptionConfiguration")),
    operation!(GetPublicAccessBlock: get_public_access(GetPublicAccessBlockRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetBucketPublicAccessBlock")),
    operation!(PutBucketEncryption: put_encryption(PutBucketEncryptionRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutEncryptionConfiguration")),
    operation!(PutPublicAccessBlock: put_public_access(PutPublicAccessBlockRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketPublicAccessBlock")),
];

/// Changes a bucket's record.
pub async fn change(cx: &Cx, name: &str, change: impl FnOnce(&mut Bucket) -> Result<(), Error>) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let found = tx.get::<Bucket>(&all_buckets(), name)?.ok_or_else(|| errors::no_such_bucket(name))?;
            let mut found = Bucket::clone(&found);
            change(&mut found)?;
            tx.put(&all_buckets(), name, found)?;
            Ok::<_, Error>(())
        })
        .await
}

async fn get_encryption(cx: &Cx, input: GetBucketEncryptionRequest) -> Result<GetBucketEncryptionResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let by_default = ServerSideEncryptionByDefault {
        sse_algorithm: if bucket.kms.is_some() { "aws:kms" } else { "AES256" }.to_owned(),
        kms_master_key_id: bucket.kms.as_ref().and_then(|kms| kms.key.clone()),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(bucket.bucket_key),
        ..Default::default()
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(GetBucketEncryptionResponse { server_side_encryption_configuration: Some(configuration) })
}

async fn put_encryption(cx: &Cx, input: PutBucketEncryptionRequest) -> Result<PutBucketEncryptionResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let [rule] = &input.server_side_encryption_configuration.rules[..] else { return Err(errors::malformed_xml()) };
    refuse(&[("BlockedEncryptionTypes", rule.blocked_encryption_types.is_some())])?;
    let by_default = rule.apply_server_side_encryption_by_default.as_ref();
    let key = by_default.and_then(|by_default| by_default.kms_master_key_id.clone()).filter(|key| !key.is_empty());
    let kms = match by_default.map(|by_default| by_default.sse_algorithm.as_str()) {
        Some("aws:kms") => Some(KmsDefault { key }),
        None | Some("AES256") if key.is_some() => {
            let text = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(errors::invalid_argument("KMSMasterKeyID", "", text));
        }
        None | Some("AES256") => None,
        Some(other) => return Err(Error::not_built(format!("s3: server-side encryption by {other}"))),
    };
    set_encryption(cx, &bucket.name, kms, rule.bucket_key_enabled == Some(true)).await?;
    Ok(PutBucketEncryptionResponse {})
}

/// As AWS has it: back to what every new bucket has.
async fn delete_encryption(
    cx: &Cx,
    input: DeleteBucketEncryptionRequest,
) -> Result<DeleteBucketEncryptionResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    set_encryption(cx, &bucket.name, None, false).await?;
    Ok(DeleteBucketEncryptionResponse {})
}

async fn set_encryption(cx: &Cx, bucket: &str, kms: Option<KmsDefault>, bucket_key: bool) -> Result<(), Error> {
    change(cx, bucket, |bucket| {
        bucket.kms = kms;
        bucket.bucket_key = bucket_key;
        Ok(())
    })
    .await
}

async fn get_public_access(cx: &Cx, input: GetPublicAccessBlockRequest) -> Result<GetPublicAccessBlockResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let Some(blocked) = bucket.public_access else {
        let text = "The public access block configuration was not found";
        return Err(errors::not_configured("NoSuchPublicAccessBlockConfiguration", text, &bucket.name));
    };
    Ok(GetPublicAccessBlockResponse {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(blocked.block_acls),
            ignore_public_acls: Some(blocked.ignore_acls),
            block_public_policy: Some(blocked.block_policy),
            restrict_public_buckets: Some(blocked.restrict),
        }),
    })
}

async fn put_public_access(cx: &Cx, input: PutPublicAccessBlockRequest) -> Result<PutPublicAccessBlockResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let wanted = input.public_access_block_configuration;
    let blocked = PublicAccess {
        block_acls: wanted.block_public_acls == Some(true),
        ignore_acls: wanted.ignore_public_acls == Some(true),
        block_policy: wanted.block_public_policy == Some(true),
        restrict: wanted.restrict_public_buckets == Some(true),
    };
    set_public_access(cx, &bucket.name, Some(blocked)).await?;
    Ok(PutPublicAccessBlockResponse {})
}

async fn delete_public_access(
    cx: &Cx,
    input: DeletePublicAccessBlockRequest,
) -> Result<DeletePublicAccessBlockResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    set_public_access(cx, &bucket.name, None).await?;
    Ok(DeletePublicAccessBlockResponse {})
}

async fn set_public_access(cx: &Cx, bucket: &str, blocked: Option<PublicAccess>) -> Result<(), Error> {
    change(cx, bucket, |bucket| {
        bucket.public_access = blocked;
        Ok(())
    })
    .await
}
