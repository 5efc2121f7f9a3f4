//! What calls touch, and by which action: several operations ask for another's permission, as
//! HeadObject for `s3:GetObject`. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3", and the S3 User Guide, "Required permissions for Amazon S3 API
//! operations".

use crate::arn::bucket_arn;
use crate::records::{Bucket, all_buckets};
use crate::tagging::from_header;
use crate::{copy_source, policy, versions};
use kiln_service_kit::{Cx, Error, Fault, Target, Touched};

/// A bucket, with its owner's policy where it is there.
pub fn of_bucket(cx: &Cx, bucket: &str) -> Result<Target, Error> {
    of_owned(cx, bucket, bucket)
}

/// A bucket, asked about by another action than the call's own.
pub fn of_bucket_by(cx: &Cx, bucket: &str, action: &'static str) -> Result<Target, Error> {
    Ok(of_bucket(cx, bucket)?.by(action))
}

/// An object, with the policy of its bucket.
pub fn of_object(cx: &Cx, bucket: &str, key: &str) -> Result<Target, Error> {
    of_owned(cx, bucket, &format!("{bucket}/{key}"))
}

/// An object, asked about by another action than the call's own.
pub fn of_object_by(cx: &Cx, bucket: &str, key: &str, action: &'static str) -> Result<Target, Error> {
    Ok(of_object(cx, bucket, key)?.by(action))
}

/// A bucket or what is in it. One that is not there is nobody's; the call itself says that it is not.
fn of_owned(cx: &Cx, bucket: &str, resource: &str) -> Result<Target, Error> {
    let target = Target::new(bucket_arn(cx, resource));
    Ok(match cx.store().get::<Bucket>(&all_buckets(), bucket)? {
        Some(bucket) => target.with("s3:ResourceAccount", &bucket.owner).of(policy::owned(cx, &bucket)),
        None => target,
    })
}

/// The action for an object as it is, or for a version that is named.
pub fn by_version(version: &Option<String>, latest: &'static str, named: &'static str) -> &'static str {
    if version.is_some() { named } else { latest }
}

/// A bucket that is listed, with what the listing is limited to.
pub fn listed(
    mut bucket: Target,
    prefix: &Option<String>,
    delimiter: &Option<String>,
    max_keys: Option<i32>,
) -> Target {
    for (key, value) in [("s3:prefix", prefix), ("s3:delimiter", delimiter)] {
        if let Some(value) = value {
            bucket = bucket.with(key, value);
        }
    }
    match max_keys {
        Some(most) => bucket.with("s3:max-keys", most.to_string()),
        None => bucket,
    }
}

/// A bucket or an object whose access control list is set, by the canned one.
pub fn with_acl(target: Target, acl: &Option<String>) -> Target {
    match acl {
        Some(acl) => target.with("s3:x-amz-acl", acl),
        None => target,
    }
}

/// A version that is named, in the key that policies know it by.
fn with_version(target: Target, version: &Option<String>) -> Target {
    match version {
        Some(version) => target.with("s3:VersionId", version),
        None => target,
    }
}

/// An object, or that version of it, that is deleted.
pub fn of_deleted(cx: &Cx, bucket: &str, key: &str, version: &Option<String>) -> Result<Target, Error> {
    let target = of_object_by(cx, bucket, key, by_version(version, "s3:DeleteObject", "s3:DeleteObjectVersion"))?;
    Ok(with_version(target, version))
}

/// An object that is there, or that version of it, asked about by the action for the one or the other.
pub fn of_kept(
    cx: &Cx,
    bucket: &str,
    key: &str,
    version: &Option<String>,
    [latest, named]: [&'static str; 2],
) -> Result<Target, Error> {
    Ok(with_version(tagged(cx, bucket, key, version)?, version).by(by_version(version, latest, named)))
}

/// An object that is read.
pub fn of_read(cx: &Cx, bucket: &str, key: &str, version: &Option<String>) -> Result<Target, Error> {
    of_kept(cx, bucket, key, version, ["s3:GetObject", "s3:GetObjectVersion"])
}

/// An object that is read and whose attributes are.
pub fn of_attributes(cx: &Cx, bucket: &str, key: &str, version: &Option<String>) -> Touched {
    let attributes = ["s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"];
    Ok(vec![of_read(cx, bucket, key, version)?, of_kept(cx, bucket, key, version, attributes)?])
}

/// What a request says of an object that it writes, as far as policies can ask for it.
pub struct Said<'r> {
    pub tagging: &'r Option<String>,
    pub acl: &'r Option<String>,
    pub encryption: &'r Option<String>,
    pub kms_key: &'r Option<String>,
    pub kms_context: &'r Option<String>,
    pub bucket_key: &'r Option<bool>,
    pub class: &'r Option<String>,
    /// What it is a copy of, and whether with another description.
    pub copy: Option<(&'r String, &'r Option<String>)>,
}

/// Takes it from a request.
macro_rules! said {
    ($request:expr) => {
        crate::targets::Said {
            tagging: &$request.tagging,
            acl: &$request.acl,
            encryption: &$request.server_side_encryption,
            kms_key: &$request.ssekms_key_id,
            kms_context: &$request.ssekms_encryption_context,
            bucket_key: &$request.bucket_key_enabled,
            class: &$request.storage_class,
            copy: None,
        }
    };
}
pub(crate) use said;

/// An object that is written, perhaps with tags and a canned ACL.
pub fn of_written(cx: &Cx, bucket: &str, key: &str, said: Said<'_>) -> Touched {
    let mut object = of_object_by(cx, bucket, key, "s3:PutObject")?;
    let (source, directive) = said.copy.unzip();
    let source = source.map(|source| copy_source::plain(source));
    let bucket_key = said.bucket_key.map(|wanted| wanted.to_string());
    for (key, value) in [
        ("s3:x-amz-server-side-encryption", said.encryption.as_ref()),
        ("s3:x-amz-server-side-encryption-aws-kms-key-id", said.kms_key.as_ref()),
        ("s3:x-amz-server-side-encryption-context", said.kms_context.as_ref()),
        ("s3:x-amz-server-side-encryption-bucket-key-enabled", bucket_key.as_ref()),
        ("s3:x-amz-storage-class", said.class.as_ref()),
        ("s3:x-amz-copy-source", source.as_ref()),
        ("s3:x-amz-metadata-directive", directive.and_then(Option::as_ref)),
    ] {
        if let Some(value) = value {
            object = object.with(key, value);
        }
    }
    let tags = from_header(said.tagging.as_deref())?;
    object = with_acl(with_tags(object, tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))), said.acl);
    let mut targets = vec![object.clone()];
    targets.extend(said.tagging.as_ref().map(|_| object.clone().by("s3:PutObjectTagging")));
    targets.extend(said.acl.as_ref().map(|_| object.by("s3:PutObjectAcl")));
    Ok(targets)
}

/// An object with the tags that the request gives it.
pub fn with_tags<'t>(target: Target, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Target {
    tags.into_iter().fold(target, |target, (key, value)| {
        target.with(format!("s3:RequestObjectTag/{key}"), value).with("s3:RequestObjectTagKeys", key)
    })
}

/// A bucket that is made, perhaps with a say in whose its objects are. `private`, the one ACL that a new bucket
/// takes, needs no permission of its own. Whose a bucket of that name is that is there already is for the call to say.
pub fn of_new_bucket(cx: &Cx, bucket: &str, ownership: &Option<String>) -> Vec<Target> {
    let bucket = Target::new(bucket_arn(cx, bucket));
    let ownership = ownership.as_ref().map(|_| bucket.clone().by("s3:PutBucketOwnershipControls"));
    [bucket].into_iter().chain(ownership).collect()
}

/// What is written of another object's bytes, and that object. A source that is none is refused by the
/// call itself.
pub fn of_copied(cx: &Cx, mut written: Vec<Target>, source: &str) -> Touched {
    if let Ok((bucket, key, version)) = copy_source::parse(source) {
        written.push(of_read(cx, &bucket, &key, &version)?);
    }
    Ok(written)
}

/// With the tags that the object has, or that version of it. Without them, a policy that denies by a tag would let
/// in: who cannot be judged is not.
fn tagged(cx: &Cx, bucket: &str, key: &str, version: &Option<String>) -> Result<Target, Error> {
    let target = of_object(cx, bucket, key)?;
    if target.owner.as_ref().is_none_or(|owner| cx.platform().trusts(cx.caller(), &owner.account)) {
        // Nobody will ask for them.
        return Ok(target);
    }
    match versions::find(cx.store(), bucket, key, version.as_deref()) {
        Ok(object) => Ok(object
            .tags
            .iter()
            .fold(target, |target, (key, value)| target.with(format!("s3:ExistingObjectTag/{key}"), value))),
        // What is not there has no tags; the call itself says that it is not.
        Err(error) if error.fault == Fault::Sender => Ok(target),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use crate::records::{Object, within};
    use crate::tests::{given, put};
    use kiln_s3_shapes::*;
    use kiln_service_kit::{Cx, Error, Record, Request, StoreError};
    use kiln_testkit::{Question, judged};
    use serde::{Deserialize, Serialize};

    /// What stands in an object's place and does not read as one.
    #[derive(Clone, Serialize, Deserialize)]
    struct Damaged {}

    impl Record for Damaged {
        const KIND: &'static str = Object::KIND;
    }

    type Judged = Result<Vec<Question>, Error>;

    /// What each of these requests is judged by that is made about an object, or that version of it.
    macro_rules! judged {
        ($cx:ident, $version:ident, [$($request:ident),* $(,)?]) => { vec![$((
            $request::OPERATION,
            judged($cx, $request {
                bucket: "docs".into(),
                key: "a".into(),
                version_id: $version.map(str::to_owned),
                ..Default::default()
            }).await,
        )),*] };
    }

    /// Every operation that policies may allow or deny by the tags of an object that is there.
    async fn by_tag(cx: &Cx, version: Option<&str>) -> Vec<(&'static str, Judged)> {
        judged!(
            cx,
            version,
            [
                DeleteObjectTaggingRequest,
                GetObjectRequest,
                GetObjectAclRequest,
                GetObjectAttributesRequest,
                GetObjectTaggingRequest,
                HeadObjectRequest,
                PutObjectAclRequest,
                PutObjectTaggingRequest,
            ]
        )
    }

    fn tags_in(question: &Question) -> Vec<&(String, String)> {
        question.keys.iter().filter(|(key, _)| key.starts_with("s3:ExistingObjectTag/")).collect()
    }

    fn copy(source: &str) -> CopyObjectRequest {
        CopyObjectRequest { bucket: "docs".into(), key: "b".into(), copy_source: source.into(), ..Default::default() }
    }

    #[tokio::test]
    async fn nobody_is_judged_without_the_tags_of_an_object_that_cannot_be_read() {
        let given = given().await;
        let damaged = given.cx.store().write::<_, StoreError>(|tx| tx.put(&within("docs"), "a", Damaged {}));
        damaged.await.unwrap();
        for (operation, judged) in by_tag(&given.cx, None).await {
            let refused = judged.expect_err(operation);
            assert!(
                refused.is_internal() && refused.chain().contains("s3/object a"),
                "{operation}: {}",
                refused.chain()
            );
        }
        assert!(judged(&given.cx, copy("docs/a")).await.is_err_and(|error| error.is_internal()));
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
        for (operation, judged) in by_tag(&given.cx, Some(&first)).await {
            for question in judged.unwrap() {
                assert_eq!(tags_in(&question), [&class], "{operation} of the first");
                assert!(question.keys.contains(&("s3:VersionId".to_owned(), first.clone())), "{operation}");
            }
        }
        for version in [None, Some(second.as_str()), Some("no version")] {
            for (operation, judged) in by_tag(&given.cx, version).await {
                let questions = judged.unwrap();
                assert!(
                    questions.iter().all(|question| tags_in(question).is_empty()),
                    "{operation} of {version:?}: {questions:?}"
                );
            }
        }
        let source = judged(&given.cx, copy(&format!("docs/a?versionId={first}"))).await.unwrap().remove(1);
        assert_eq!((source.action.as_str(), tags_in(&source)), ("s3:GetObjectVersion", vec![&class]));
    }
}
