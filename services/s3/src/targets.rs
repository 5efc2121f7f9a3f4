//! What calls touch, and by which action: several operations ask for another's permission, as
//! HeadObject for `s3:GetObject`. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3", and the S3 User Guide, "Required permissions for Amazon S3 API
//! operations".

use crate::operations::bucket_arn;
use crate::source;
use crate::versions;
use kiln_service_kit::{BoxFuture, Cx, Error, Fault, Target, Touched};
use serde_json::Value as Json;

/// The bucket or the objects that the request names.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(async move { touched(cx, operation, request) })
}

fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    let text = |name: &str| request[name].as_str().unwrap_or("");
    let (bucket, key) = (text("Bucket"), text("Key"));
    let version = request["VersionId"].as_str();
    let of_version = version.is_some();
    let on = |action, arn: String| Target { action: Some(action), arn, keys: vec![] };
    let of_bucket = |action| on(action, bucket_arn(cx, bucket));
    let of_object = |action| on(action, bucket_arn(cx, &format!("{bucket}/{key}")));
    let of_tagged = |action| tagged(cx, bucket, key, version, of_object(action));
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
            both.into_iter().map(of_tagged).collect::<Result<_, _>>()?
        }
        "GetBucketReplication" => vec![of_bucket("s3:GetReplicationConfiguration")],
        "GetBucketAccelerateConfiguration" => vec![of_bucket("s3:GetAccelerateConfiguration")],
        "GetBucketNotificationConfiguration" => vec![of_bucket("s3:GetBucketNotification")],
        "GetPublicAccessBlock" => vec![of_bucket("s3:GetBucketPublicAccessBlock")],
        "GetObjectLockConfiguration" => vec![of_bucket("s3:GetBucketObjectLockConfiguration")],
        "GetObject" | "HeadObject" => {
            let read = if of_version { "s3:GetObjectVersion" } else { "s3:GetObject" };
            vec![of_tagged(read)?]
        }
        "DeleteObject" if of_version => vec![of_object("s3:DeleteObjectVersion")],
        "GetObjectAcl" if of_version => vec![of_tagged("s3:GetObjectVersionAcl")?],
        "GetObjectAcl" => vec![of_tagged("s3:GetObjectAcl")?],
        "PutObjectAcl" if of_version => vec![of_tagged("s3:PutObjectVersionAcl")?],
        "PutObjectAcl" => vec![of_tagged("s3:PutObjectAcl")?],
        "GetObjectTagging" if of_version => vec![of_tagged("s3:GetObjectVersionTagging")?],
        "GetObjectTagging" => vec![of_tagged("s3:GetObjectTagging")?],
        "PutObjectTagging" if of_version => vec![of_tagged("s3:PutObjectVersionTagging")?],
        "PutObjectTagging" => vec![of_tagged("s3:PutObjectTagging")?],
        "DeleteObjectTagging" if of_version => vec![of_tagged("s3:DeleteObjectVersionTagging")?],
        "DeleteObjectTagging" => vec![of_tagged("s3:DeleteObjectTagging")?],
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
            if let Ok((bucket, key, version)) = source::named(text("CopySource")) {
                let read = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
                let source = on(read, bucket_arn(cx, &format!("{bucket}/{key}")));
                targets.push(tagged(cx, &bucket, &key, version.as_deref(), source)?);
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

/// With the tags that the object has, or that version of it, as conditions know them. Without them, a policy that
/// denies by a tag would let in: who cannot be judged is not.
fn tagged(cx: &Cx, bucket: &str, key: &str, version: Option<&str>, mut target: Target) -> Result<Target, Error> {
    match versions::find(cx.store(), bucket, key, version) {
        Ok(object) => {
            for (key, value) in &object.tags {
                target = target.with(format!("s3:ExistingObjectTag/{key}"), value);
            }
        }
        // What is not there has no tags; the call itself says that it is not.
        Err(error) if error.fault == Fault::Sender => {}
        Err(error) => return Err(error),
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Object, within};
    use crate::tests::{given, put};
    use kiln_s3_shapes::*;
    use kiln_service_kit::{Record, StoreError};
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    /// What stands in an object's place and does not read as one.
    #[derive(Clone, Serialize, Deserialize)]
    struct Damaged {}

    impl Record for Damaged {
        const KIND: &'static str = Object::KIND;
    }

    /// The tags that each of a call's targets has.
    fn tags(cx: &Cx, operation: &str, version: Option<&str>) -> Result<Vec<Vec<(String, String)>>, Error> {
        let mut request = json!({"Bucket": "docs", "Key": "a"});
        if let Some(version) = version {
            request["VersionId"] = version.into();
        }
        Ok(touched(cx, operation, &request)?.into_iter().map(|target| target.keys).collect())
    }

    const BY_TAG: [&str; 8] = [
        "DeleteObjectTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectTagging",
        "HeadObject",
        "PutObjectAcl",
        "PutObjectTagging",
    ];

    #[tokio::test]
    async fn nobody_is_judged_without_the_tags_of_an_object_that_cannot_be_read() {
        let given = given().await;
        let damaged = given.cx.store().write::<_, StoreError>(|tx| tx.put(&within("docs"), "a", Damaged {}));
        damaged.await.unwrap();
        for operation in BY_TAG {
            let refused = tags(&given.cx, operation, None).expect_err(operation);
            assert!(
                refused.is_internal() && refused.chain().contains("s3/object a"),
                "{operation}: {}",
                refused.chain()
            );
        }
        let copy = json!({"Bucket": "docs", "Key": "b", "CopySource": "docs/a"});
        assert!(touched(&given.cx, "CopyObject", &copy).is_err_and(|error| error.is_internal()));
    }

    #[tokio::test]
    async fn each_version_is_judged_by_its_own_tags() {
        let given = given().await;
        let versioning = VersioningConfiguration { status: Some("Enabled".into()), ..Default::default() };
        let enable = PutBucketVersioningRequest {
            bucket: "docs".into(),
            versioning_configuration: versioning,
            ..Default::default()
        };
        given.cx.call(enable).await.unwrap();
        let secret = PutObjectRequest { tagging: Some("class=secret".into()), ..put("a", b"first") };
        let first = given.cx.call(secret).await.unwrap().version_id.unwrap();
        let second = given.cx.call(put("a", b"second")).await.unwrap().version_id.unwrap();
        let class = ("s3:ExistingObjectTag/class".to_owned(), "secret".to_owned());
        for operation in BY_TAG {
            for tags in tags(&given.cx, operation, Some(&first)).unwrap() {
                assert_eq!(tags, std::slice::from_ref(&class), "{operation} of the first");
            }
            for version in [None, Some(second.as_str()), Some("no version")] {
                let tags = tags(&given.cx, operation, version).unwrap();
                assert!(tags.iter().all(Vec::is_empty), "{operation} of {version:?}: {tags:?}");
            }
        }
        let copy = json!({"Bucket": "docs", "Key": "b", "CopySource": format!("docs/a?versionId={first}")});
        let source = touched(&given.cx, "CopyObject", &copy).unwrap().remove(1);
        assert_eq!((source.action, source.keys), (Some("s3:GetObjectVersion"), vec![class]));
    }
}
