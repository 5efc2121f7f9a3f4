//! What calls touch, and by which action: several operations ask for another's permission, as
//! HeadObject for `s3:GetObject`. Source: Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3", and the S3 User Guide, "Required permissions for Amazon S3 API
//! operations".

use crate::{copy_source, versions};
use kiln_service_kit::{Cx, Error, Fault, Target, Touched};

/// `arn:aws:s3:::bucket`, or of a key in it.
pub fn bucket_arn(cx: &Cx, resource: &str) -> String {
    format!("arn:{}:s3:::{resource}", cx.partition())
}

/// A bucket.
pub fn of_bucket(cx: &Cx, bucket: &str) -> Target {
    Target::new(bucket_arn(cx, bucket))
}

/// An object.
pub fn of_object(cx: &Cx, bucket: &str, key: &str) -> Target {
    of_bucket(cx, &format!("{bucket}/{key}"))
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

/// An object that is there, or that version of it, asked about by the action for the one or the other.
pub fn of_kept(
    cx: &Cx,
    bucket: &str,
    key: &str,
    version: &Option<String>,
    [latest, named]: [&'static str; 2],
) -> Result<Target, Error> {
    Ok(tagged(cx, bucket, key, version)?.by(by_version(version, latest, named)))
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

/// An object that is written, perhaps with tags and a canned ACL.
pub fn of_written(cx: &Cx, bucket: &str, key: &str, tagging: &Option<String>, acl: &Option<String>) -> Vec<Target> {
    let by = |action| of_object(cx, bucket, key).by(action);
    let mut targets = vec![by("s3:PutObject")];
    targets.extend(tagging.as_ref().map(|_| by("s3:PutObjectTagging")));
    targets.extend(acl.as_ref().map(|_| by("s3:PutObjectAcl")));
    targets
}

/// A bucket that is made, perhaps with a say in whose its objects are. `private`, the one ACL that a new bucket
/// takes, needs no permission of its own.
pub fn of_new_bucket(cx: &Cx, bucket: &str, ownership: &Option<String>) -> Vec<Target> {
    let mut targets = vec![of_bucket(cx, bucket)];
    targets.extend(ownership.as_ref().map(|_| of_bucket(cx, bucket).by("s3:PutBucketOwnershipControls")));
    targets
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
    let target = of_object(cx, bucket, key);
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
                assert_eq!(question.keys, std::slice::from_ref(&class), "{operation} of the first");
            }
        }
        for version in [None, Some(second.as_str()), Some("no version")] {
            for (operation, judged) in by_tag(&given.cx, version).await {
                let questions = judged.unwrap();
                assert!(
                    questions.iter().all(|question| question.keys.is_empty()),
                    "{operation} of {version:?}: {questions:?}"
                );
            }
        }
        let source = judged(&given.cx, copy(&format!("docs/a?versionId={first}"))).await.unwrap().remove(1);
        assert_eq!((source.action.as_str(), source.keys), ("s3:GetObjectVersion", vec![class]));
    }
}
