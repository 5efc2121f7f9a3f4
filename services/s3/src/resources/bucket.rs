//! `AWS::S3::Bucket`. Ref gives the name.
//!
//! A bucket that an earlier try made is told by its `aws:cloudformation:*` tags: one of the same name
//! without them was there before, and creation fails.

use super::bucket_rules::{self, found};
use crate::arn::bucket_arn;
use async_trait::async_trait;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, given};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Properties that are carried out, or judged by what they say: that acceleration is suspended is written down.
const SERVED: [&str; 10] = [
    "AccelerateConfiguration",
    "BucketEncryption",
    "BucketName",
    "CorsConfiguration",
    "LifecycleConfiguration",
    "NotificationConfiguration",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
];

pub struct Bucket;

#[async_trait]
impl ResourceType for Bucket {
    fn type_name(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("BucketName")
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("AbacStatus", r#""Disabled""#),
            ("AccessControl", r#""Private""#),
            ("BucketNamespace", r#""global""#),
            ("LoggingConfiguration", "{}"),
            ("ObjectLockConfiguration", "{}"),
            ("ObjectLockEnabled", "false"),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        check(&request.properties)?;
        let name = request.text("BucketName").unwrap_or_else(|| request.physical_name.to_ascii_lowercase());
        if let Some(tags) = tags_of(cx, &name).await? {
            let has = |key: &str, value: &str| tags.iter().any(|tag| tag.key == key && tag.value == value);
            let ours = has("aws:cloudformation:stack-id", &request.stack_id)
                && has("aws:cloudformation:logical-id", &request.logical_id);
            if !ours {
                let text = format!("{name} already exists");
                return Err(Error::sender("BucketAlreadyOwnedByYou", text).with_status(409));
            }
            return Ok(name);
        }
        let elsewhere = (cx.region() != "us-east-1").then(|| cx.region().to_owned());
        let configuration =
            CreateBucketConfiguration { location_constraint: elsewhere, tags: tags(request), ..Default::default() };
        cx.call(CreateBucketRequest {
            bucket: name.clone(),
            create_bucket_configuration: Some(configuration),
            ..Default::default()
        })
        .await?;
        Ok(name)
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        settings(cx, name, request).await
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        check(&request.properties)?;
        let tagging = Tagging { tag_set: tags(request) };
        let put = PutBucketTaggingRequest { bucket: physical_id.to_owned(), tagging, ..Default::default() };
        cx.call(put).await?;
        settings(cx, physical_id, request).await
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let gone = cx.call(DeleteBucketRequest { bucket: physical_id.to_owned(), ..Default::default() }).await;
        match gone {
            Ok(_) => Ok(Stability::Ready),
            Err(error) if error.is("NoSuchBucket") => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let bucket = || name.to_owned();
        if found(cx.call(HeadBucketRequest { bucket: bucket(), ..Default::default() }).await)?.is_none() {
            return Ok(None);
        }
        let asked = GetBucketEncryptionRequest { bucket: bucket(), ..Default::default() };
        let encryption = found(cx.call(asked).await)?.and_then(|answer| answer.server_side_encryption_configuration);
        let rules = encryption.map(|configuration| configuration.rules).unwrap_or_default();
        let rule = |rule: &ServerSideEncryptionRule| {
            let by_default = rule.apply_server_side_encryption_by_default.as_ref();
            given(json!({
                "ServerSideEncryptionByDefault": by_default.map(|by| json!({"SSEAlgorithm": by.sse_algorithm, "KMSMasterKeyID": by.kms_master_key_id})),
                "BucketKeyEnabled": rule.bucket_key_enabled,
            }))
        };
        let rules: Vec<Json> = rules.iter().map(rule).collect();
        let asked = GetPublicAccessBlockRequest { bucket: bucket(), ..Default::default() };
        let block = found(cx.call(asked).await)?.and_then(|answer| answer.public_access_block_configuration);
        let asked = GetBucketVersioningRequest { bucket: bucket(), ..Default::default() };
        let versions = cx.call(asked).await?.status;
        let asked = GetBucketAccelerateConfigurationRequest { bucket: bucket(), ..Default::default() };
        let acceleration = cx.call(asked).await?.status;
        let asked = GetBucketOwnershipControlsRequest { bucket: bucket(), ..Default::default() };
        let ownership = found(cx.call(asked).await)?.and_then(|answer| answer.ownership_controls);
        let tags = tags_of(cx, name).await?.unwrap_or_default();
        let mut read = names(cx, name)
            .into_iter()
            .fold(Properties::default().with("BucketName", name), |read, (name, value)| read.with(name, value))
            .with_tags(tags.into_iter().map(|tag| (Some(tag.key), Some(tag.value))))
            .with("VersioningConfiguration", versions.map(|status| json!({"Status": status})))
            .with("AccelerateConfiguration", acceleration.map(|status| json!({"AccelerationStatus": status})));
        if !rules.is_empty() {
            read = read.with("BucketEncryption", json!({"ServerSideEncryptionConfiguration": rules}));
        }
        if let Some(block) = block {
            read = read.with_shape("PublicAccessBlockConfiguration", &block);
        }
        if let Some(ownership) = ownership {
            read = read.with_shape("OwnershipControls", &ownership);
        }
        Ok(Some(bucket_rules::read(cx, name, read).await?))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        cx.call(HeadBucketRequest { bucket: physical_id.to_owned(), ..Default::default() }).await?;
        Ok(names(cx, physical_id).into_iter().map(|(name, value)| (name.to_owned(), Json::String(value))).collect())
    }
}

/// What is read-only.
fn names(cx: &Cx, bucket: &str) -> [(&'static str, String); 5] {
    let region = cx.region();
    [
        ("Arn", bucket_arn(cx, bucket)),
        ("DomainName", format!("{bucket}.s3.localhost")),
        ("DualStackDomainName", format!("{bucket}.s3.dualstack.{region}.localhost")),
        // As AWS gives it of every bucket; that no website is there is what is told at the address.
        ("WebsiteURL", format!("http://{bucket}.s3-website-{region}.localhost")),
        ("RegionalDomainName", format!("{bucket}.s3.{region}.localhost")),
    ]
}

/// A bucket's tags, or none when there is no such bucket of the caller's.
async fn tags_of(cx: &Cx, name: &str) -> Result<Option<Vec<Tag>>, Error> {
    let asked = cx.call(GetBucketTaggingRequest { bucket: name.to_owned(), ..Default::default() }).await;
    match asked {
        Ok(answer) => Ok(Some(answer.tag_set)),
        Err(error) if error.is("NoSuchTagSet") => Ok(Some(vec![])),
        Err(error) if error.is("NoSuchBucket") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets what the template says of versions, public access, encryption and the rest.
async fn settings(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    encryption(cx, bucket, request).await?;
    acceleration(cx, bucket, request).await?;
    bucket_rules::set(cx, bucket, request).await?;
    let wanted = request.properties.pointer("/VersioningConfiguration/Status").and_then(Json::as_str);
    let asked = GetBucketVersioningRequest { bucket: bucket.to_owned(), ..Default::default() };
    let now = cx.call(asked).await?.status;
    // Left out of the template, versions are not kept any more.
    let wanted = wanted.or(now.as_ref().map(|_| "Suspended"));
    if let Some(status) = wanted.filter(|wanted| now.as_deref() != Some(*wanted)) {
        let configuration = VersioningConfiguration { status: Some(status.to_owned()), ..Default::default() };
        cx.call(PutBucketVersioningRequest {
            bucket: bucket.to_owned(),
            versioning_configuration: configuration,
            ..Default::default()
        })
        .await?;
    }
    if let Some(Json::Object(given)) = request.properties.get("PublicAccessBlockConfiguration") {
        let is = |name: &str| Some(given.get(name).is_some_and(|v| v.as_bool() == Some(true) || v == "true"));
        cx.call(PutPublicAccessBlockRequest {
            bucket: bucket.to_owned(),
            public_access_block_configuration: PublicAccessBlockConfiguration {
                block_public_acls: is("BlockPublicAcls"),
                ignore_public_acls: is("IgnorePublicAcls"),
                block_public_policy: is("BlockPublicPolicy"),
                restrict_public_buckets: is("RestrictPublicBuckets"),
            },
            ..Default::default()
        })
        .await?;
    }
    Ok(())
}

fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// Refuses what is not built.
fn check(properties: &Json) -> Result<(), Error> {
    bucket_rules::check(properties)?;
    let acceleration = properties.pointer("/AccelerateConfiguration/AccelerationStatus").and_then(Json::as_str);
    if acceleration.is_some_and(|status| status != "Suspended") {
        return Err(Error::not_built("AWS::S3::Bucket AccelerateConfiguration other than Suspended"));
    }
    let rules = properties.pointer("/BucketEncryption/ServerSideEncryptionConfiguration");
    let methods = rules.and_then(Json::as_array).into_iter().flatten();
    let other = methods
        .filter_map(|rule| rule.pointer("/ServerSideEncryptionByDefault/SSEAlgorithm").and_then(Json::as_str))
        .find(|method| *method != "AES256" && *method != "aws:kms");
    match other {
        Some(_) => Err(Error::not_built("AWS::S3::Bucket BucketEncryption other than AES256 and aws:kms")),
        None => Ok(()),
    }
}

/// Sets the encryption that the template names, and whether with a bucket key.
async fn encryption(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let rule = "/BucketEncryption/ServerSideEncryptionConfiguration/0";
    let Some(rule) = request.properties.pointer(rule) else {
        if request.previous.pointer(rule).is_some() {
            cx.call(DeleteBucketEncryptionRequest { bucket: bucket.to_owned(), ..Default::default() }).await?;
        }
        return Ok(());
    };
    let said = rule.get("ServerSideEncryptionByDefault");
    let text = |name: &str| said.and_then(|said| said.get(name)).and_then(Json::as_str).map(str::to_owned);
    let by_default = ServerSideEncryptionByDefault {
        sse_algorithm: text("SSEAlgorithm").unwrap_or_else(|| "AES256".to_owned()),
        kms_master_key_id: text("KMSMasterKeyID"),
    };
    let key = rule.get("BucketKeyEnabled");
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: key.map(|key| key.as_bool() == Some(true) || key == "true"),
        ..Default::default()
    };
    cx.call(PutBucketEncryptionRequest {
        bucket: bucket.to_owned(),
        server_side_encryption_configuration: ServerSideEncryptionConfiguration { rules: vec![rule] },
        ..Default::default()
    })
    .await?;
    Ok(())
}

/// `Suspended` is what holds; [`check`] has refused anything else.
async fn acceleration(cx: &Cx, bucket: &str, request: &ResourceRequest) -> Result<(), Error> {
    let status = request.properties.pointer("/AccelerateConfiguration/AccelerationStatus").and_then(Json::as_str);
    let Some(status) = status else { return Ok(()) };
    cx.call(PutBucketAccelerateConfigurationRequest {
        bucket: bucket.to_owned(),
        accelerate_configuration: AccelerateConfiguration { status: Some(status.to_owned()) },
        ..Default::default()
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What the engine asks before anything is made, and then the type itself.
    fn refused(properties: Json) -> Option<String> {
        let kind: &dyn ResourceType = &Bucket;
        if let Some(name) = kind.not_served(&properties) {
            return Some(name.to_owned());
        }
        check(&properties).err().map(|error| {
            assert!(error.is("NotImplemented"), "{error}");
            error.message
        })
    }

    #[test]
    fn what_holds_anyway_is_taken_and_what_does_not_is_named() {
        for good in [
            json!({"AccessControl": "Private"}),
            json!({"ObjectLockEnabled": false}),
            json!({"ObjectLockEnabled": "false"}),
            json!({"AccelerateConfiguration": {"AccelerationStatus": "Suspended"}}),
            json!({"ObjectLockConfiguration": {}}),
            json!({"NotificationConfiguration": {"QueueConfigurations": [], "EventBridgeConfiguration": {"EventBridgeEnabled": false}}}),
            json!({"LifecycleConfiguration": {"Rules": []}}),
            json!({"CorsConfiguration": {"CorsRules": []}}),
            json!({"LoggingConfiguration": {}, "MetricsConfigurations": [], "InventoryConfigurations": []}),
            json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}),
            json!({"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 1}]}}),
        ] {
            assert_eq!(refused(good.clone()), None, "{good}");
        }
        for (bad, name) in [
            (json!({"AccessControl": "PublicRead"}), "AccessControl"),
            (json!({"ObjectLockEnabled": true}), "ObjectLockEnabled"),
            (json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}), "ObjectLockConfiguration"),
            (json!({"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Transitions": [{}]}]}}), "Transitions"),
            (json!({"NotificationConfiguration": {"LambdaConfigurations": [{}]}}), "LambdaConfigurations"),
            (json!({"AccelerateConfiguration": {"AccelerationStatus": "Enabled"}}), "AccelerateConfiguration"),
            (json!({"WebsiteConfiguration": {"IndexDocument": "i"}}), "WebsiteConfiguration"),
        ] {
            let told = refused(bad.clone()).unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(told.contains(name), "{told}");
        }
    }
}
