//! What calls touch, and by which action: several operations ask for another's permission, as
//! HeadObject for `s3:GetObject`. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3", and the S3 User Guide, "Required permissions for Amazon S3 API
//! operations".

use crate::operations::{bucket_arn, copy};
use crate::records::{Object, within};
use kiln_service_kit::{BoxFuture, Cx, Error, Target, Touched};
use serde_json::Value as Json;

/// The bucket or the objects that the request names.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(async move { touched(cx, operation, request) })
}

fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    let text = |name: &str| request[name].as_str().unwrap_or("");
    let (bucket, key) = (text("Bucket"), text("Key"));
    let of_version = request["VersionId"].is_string();
    let on = |action, arn: String| Target { action: Some(action), arn, keys: vec![] };
    let of_bucket = |action| on(action, bucket_arn(cx, bucket));
    let of_object = |action| on(action, bucket_arn(cx, &format!("{bucket}/{key}")));
    Ok(match operation {
        "ListBuckets" => vec![on("s3:ListAllMyBuckets", bucket_arn(cx, "*"))],
        "ListObjects" | "ListObjectsV2" => {
            let mut target = of_bucket("s3:ListBucket");
            for (name, key) in [("Prefix", "s3:prefix"), ("Delimiter", "s3:delimiter")] {
                if let Some(value) = request[name].as_str() {
                    target = target.with(key, value);
                }
            }
            if let Some(most) = request["MaxKeys"].as_i64() {
                target = target.with("s3:max-keys", most.to_string());
            }
            vec![target]
        }
        "HeadBucket" => vec![of_bucket("s3:ListBucket")],
        "ListMultipartUploads" => vec![of_bucket("s3:ListBucketMultipartUploads")],
        "DeleteBucketTagging" => vec![of_bucket("s3:PutBucketTagging")],
        "GetBucketCors" => vec![of_bucket("s3:GetBucketCORS")],
        "GetBucketEncryption" => vec![of_bucket("s3:GetEncryptionConfiguration")],
        "GetBucketLifecycleConfiguration" => vec![of_bucket("s3:GetLifecycleConfiguration")],
        "DeleteBucketEncryption" | "PutBucketEncryption" => vec![of_bucket("s3:PutEncryptionConfiguration")],
        "DeletePublicAccessBlock" | "PutPublicAccessBlock" => vec![of_bucket("s3:PutBucketPublicAccessBlock")],
        "ListObjectVersions" => vec![of_bucket("s3:ListBucketVersions")],
        "GetObjectAttributes" => {
            let both = match of_version {
                true => ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"],
                false => ["s3:GetObject", "s3:GetObjectAttributes"],
            };
            both.into_iter().map(|action| tagged(cx, bucket, key, of_object(action))).collect::<Result<_, _>>()?
        }
        "GetBucketReplication" => vec![of_bucket("s3:GetReplicationConfiguration")],
        "GetBucketAccelerateConfiguration" => vec![of_bucket("s3:GetAccelerateConfiguration")],
        "GetBucketNotificationConfiguration" => vec![of_bucket("s3:GetBucketNotification")],
        "GetPublicAccessBlock" => vec![of_bucket("s3:GetBucketPublicAccessBlock")],
        "GetObjectLockConfiguration" => vec![of_bucket("s3:GetBucketObjectLockConfiguration")],
        "GetObject" | "HeadObject" => {
            let read = if of_version { "s3:GetObjectVersion" } else { "s3:GetObject" };
            vec![tagged(cx, bucket, key, of_object(read))?]
        }
        "DeleteObject" if of_version => vec![of_object("s3:DeleteObjectVersion")],
        "GetObjectAcl" if of_version => vec![of_object("s3:GetObjectVersionAcl")],
        "GetObjectTagging" if of_version => vec![of_object("s3:GetObjectVersionTagging")],
        "PutObjectTagging" if of_version => vec![of_object("s3:PutObjectVersionTagging")],
        "DeleteObjectTagging" if of_version => vec![of_object("s3:DeleteObjectVersionTagging")],
        "PutObject" | "CreateMultipartUpload" => {
            let mut targets = vec![of_object("s3:PutObject")];
            if request["Tagging"].is_string() {
                targets.push(of_object("s3:PutObjectTagging"));
            }
            targets
        }
        "UploadPart" | "CompleteMultipartUpload" => vec![of_object("s3:PutObject")],
        "AbortMultipartUpload" => vec![of_object("s3:AbortMultipartUpload")],
        "ListParts" => vec![of_object("s3:ListMultipartUploadParts")],
        "CopyObject" | "UploadPartCopy" => {
            let mut targets = vec![of_object("s3:PutObject")];
            if let Ok((bucket, key, version)) = copy::source(text("CopySource")) {
                let read = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
                let source = on(read, bucket_arn(cx, &format!("{bucket}/{key}")));
                targets.push(tagged(cx, &bucket, &key, source)?);
            }
            targets
        }
        // Each key is judged by itself, in the operation.
        "DeleteObjects" => vec![],
        _ if !key.is_empty() => vec![Target::new(bucket_arn(cx, &format!("{bucket}/{key}")))],
        _ if !bucket.is_empty() => vec![Target::new(bucket_arn(cx, bucket))],
        _ => vec![],
    })
}

/// With the tags that the object has, as conditions know them. Without them, a policy that denies by a tag would
/// let in: who cannot be judged is not.
fn tagged(cx: &Cx, bucket: &str, key: &str, mut target: Target) -> Result<Target, Error> {
    if let Some(object) = cx.store().get::<Object>(&within(bucket), key)? {
        for (key, value) in &object.tags {
            target = target.with(format!("s3:ExistingObjectTag/{key}"), value);
        }
    }
    Ok(target)
}
