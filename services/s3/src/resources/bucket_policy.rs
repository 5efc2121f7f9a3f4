//! `AWS::S3::BucketPolicy`. Ref gives the bucket.
//!
//! A bucket has one policy. One that is there and says something else than the template is somebody else's, and creation
//! fails, as AWS's handler has it ("AlreadyExists"); one that says the same may be an earlier try's.

use crate::errors;
use async_trait::async_trait;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct BucketPolicy;

#[async_trait]
impl ResourceType for BucketPolicy {
    fn type_name(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let bucket = request.text("Bucket").ok_or_else(|| missing("Bucket"))?;
        if policy_of(cx, &bucket).await?.is_some_and(|there| there != document(request)) {
            let text = format!("The bucket policy already exists on bucket {bucket}.");
            return Err(Error::sender("AlreadyExists", text));
        }
        put(cx, &bucket, request).await?;
        Ok(bucket)
    }

    async fn update(&self, cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, bucket, request).await
    }

    async fn delete(&self, cx: &Cx, bucket: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteBucketPolicyRequest { bucket: bucket.to_owned(), ..Default::default() }).await {
            Err(error) if !error.is("NoSuchBucket") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, bucket: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let document = policy_of(cx, bucket).await?;
        Ok(document.map(|document| Properties::default().with("Bucket", bucket).with("PolicyDocument", document)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}

fn missing(property: &str) -> Error {
    errors::invalid_request(&format!("Property {property} is missing."))
}

/// The template's document, which may be written as text.
fn document(request: &ResourceRequest) -> Json {
    let given = &request.properties["PolicyDocument"];
    // Text that is no document is told so by S3.
    given.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| given.clone())
}

async fn put(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let policy = match document(request) {
        Json::String(text) => text,
        document => document.to_string(),
    };
    cx.call(PutBucketPolicyRequest { bucket: bucket.to_owned(), policy, ..Default::default() }).await?;
    Ok(())
}

/// The policy of a bucket; none where there is none, or no bucket.
async fn policy_of(cx: &Cx, bucket: &str) -> Result<Option<Json>, Error> {
    let asked = GetBucketPolicyRequest { bucket: bucket.to_owned(), ..Default::default() };
    let text = match cx.call(asked).await {
        Err(error) if error.is("NoSuchBucketPolicy") || error.is("NoSuchBucket") => return Ok(None),
        answer => answer?.policy.ok_or_else(|| Error::internal("S3 answered without the policy that it has"))?,
    };
    serde_json::from_str(&text).map(Some).map_err(|error| Error::failed("read the policy of a bucket", error))
}
