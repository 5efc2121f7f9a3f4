//! Buckets and objects through their public operations, with files in a folder of the test's own.

mod lifecycle;
mod policies;

use crate::records::{Object, within};
use crate::{ObjectFiles, named};
use kiln_s3_shapes::*;
use kiln_service_kit::*;
use std::collections::HashSet;

pub struct Given {
    pub cx: Cx,
    files: ObjectFiles,
    folder: tempfile::TempDir,
}

impl Given {
    /// Names of the files that hold bytes.
    fn data(&self) -> Vec<String> {
        let list = |path: &str| std::fs::read_dir(self.folder.path().join(path)).unwrap();
        assert_eq!(list("s3/staging").count(), 0, "nothing half-written stays");
        list("s3/data").map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

pub async fn given() -> Given {
    given_with(|builder| builder).await
}

/// The same at a time that the test moves.
pub async fn given_at(clock: Clock) -> Given {
    made(clock, |builder| builder).await
}

/// The same on a platform with more than S3, all of it started.
pub async fn given_with(more: impl FnOnce(PlatformBuilder) -> PlatformBuilder) -> Given {
    made(Clock::system(), more).await
}

async fn made(clock: Clock, more: impl FnOnce(PlatformBuilder) -> PlatformBuilder) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let ids = IdSource::seeded(1);
    let files = ObjectFiles::open(folder.path(), &ids).unwrap();
    let builder = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids).part(files.clone());
    let platform = more(builder.service(crate::service())).build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.unwrap();
    }
    let cx = Cx::new(platform, Scope::new("000000000000", "us-east-1"), Caller::root("000000000000"), "test");
    cx.call(CreateBucketRequest { bucket: "docs".into(), ..Default::default() }).await.unwrap();
    Given { cx, files, folder }
}

pub fn put(key: &str, body: &[u8]) -> PutObjectRequest {
    PutObjectRequest { bucket: "docs".into(), key: key.into(), body: Some(Blob(body.to_vec())), ..Default::default() }
}

#[tokio::test]
async fn a_lost_or_another_key_of_the_objects_is_refused() {
    let given = given().await;
    given.cx.call(put("a", b"text")).await.unwrap();
    let (folder, ids) = (given.folder.path(), IdSource::seeded(2));
    let opened = || ObjectFiles::open(folder, &ids).map(drop);
    let file = folder.join(ObjectFiles::KEY_FILE);
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let told = opened().expect_err("it is lost");
    assert!(told.contains("s3.key is missing") && told.contains("kiln restore"), "{told}");
    assert!(!file.exists(), "none is made in its place");
    std::fs::write(&file, [7; 32]).unwrap();
    let told = opened().expect_err("it is another");
    assert!(told.contains("is not the key"), "{told}");
    std::fs::write(&file, kept).unwrap();
    opened().expect("put back");
}

fn get(key: &str) -> GetObjectRequest {
    GetObjectRequest { bucket: "docs".into(), key: key.into(), ..Default::default() }
}

async fn body(cx: &Cx, request: GetObjectRequest) -> Vec<u8> {
    cx.call(request).await.unwrap().body.expect("bytes for another service").0
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

#[tokio::test]
async fn bytes_lie_sealed_in_one_file_and_go_when_they_are_replaced() {
    let given = given().await;
    let cx = &given.cx;
    let answer = cx.call(put("a", b"the first words")).await.unwrap();
    assert_eq!(answer.e_tag.as_deref(), Some("\"3e33884964232a760773c1e01075fd49\""));
    let first = given.data();
    let on_disk = std::fs::read(given.folder.path().join("s3/data").join(&first[0])).unwrap();
    assert_eq!((first.len(), on_disk.len()), (1, 15));
    assert_ne!(on_disk, b"the first words", "sealed");
    assert_eq!(body(cx, get("a")).await, b"the first words");
    assert_eq!(body(cx, GetObjectRequest { range: Some("bytes=4-8".into()), ..get("a") }).await, b"first");
    cx.call(put("a", b"others")).await.unwrap();
    assert!(given.data().len() == 1 && given.data() != first);
    cx.call(DeleteObjectRequest { bucket: "docs".into(), key: "a".into(), ..Default::default() }).await.unwrap();
    assert!(given.data().is_empty());
    assert_eq!(code(cx.call(get("a")).await), "NoSuchKey");
}

#[tokio::test]
async fn what_differs_from_its_digest_is_not_stored() {
    let given = given().await;
    let cx = &given.cx;
    let md5 = PutObjectRequest { content_md5: Some("1B2M2Y8AsgTpgAmY7PhCfg==".into()), ..put("a", b"words") };
    assert_eq!(code(cx.call(md5).await), "BadDigest");
    let crc = PutObjectRequest { checksum_crc32: Some("AAAAAA==".into()), ..put("a", b"words") };
    assert_eq!(code(cx.call(crc).await), "BadDigest");
    let no_md5 = PutObjectRequest { content_md5: Some("?".into()), ..put("a", b"words") };
    assert_eq!(code(cx.call(no_md5).await), "InvalidDigest");
    let taken = PutObjectRequest { if_none_match: Some("*".into()), ..put("a", b"words") };
    cx.call(taken.clone()).await.unwrap();
    assert_eq!(code(cx.call(taken).await), "PreconditionFailed");
    assert_eq!(given.data().len(), 1, "only what was stored");
}

#[tokio::test]
async fn parts_become_an_object_without_being_moved() {
    let given = given().await;
    let cx = &given.cx;
    let begin = CreateMultipartUploadRequest {
        bucket: "docs".into(),
        key: "big".into(),
        checksum_algorithm: Some("CRC64NVME".into()),
        ..Default::default()
    };
    let upload_id = cx.call(begin).await.unwrap().upload_id.unwrap();
    let bytes: Vec<u8> = (0..(6 << 20)).map(|n: u32| (n / 7) as u8).collect();
    let (first, second) = bytes.split_at(5 << 20);
    let mut parts = vec![];
    // The second comes first, and a third is not wanted in the end.
    for (number, data) in [(2, second), (1, first), (3, second)] {
        let part = UploadPartRequest {
            bucket: "docs".into(),
            key: "big".into(),
            upload_id: upload_id.clone(),
            part_number: number,
            body: Some(Blob(data.to_vec())),
            ..Default::default()
        };
        let answer = cx.call(part).await.unwrap();
        assert!(answer.checksum_crc64_nvme.is_some());
        parts.push(CompletedPart { part_number: Some(number), e_tag: answer.e_tag, ..Default::default() });
    }
    let complete = |parts: Vec<CompletedPart>| CompleteMultipartUploadRequest {
        bucket: "docs".into(),
        key: "big".into(),
        upload_id: upload_id.clone(),
        multipart_upload: Some(CompletedMultipartUpload { parts }),
        ..Default::default()
    };
    assert_eq!(code(cx.call(complete(vec![parts[0].clone(), parts[1].clone()])).await), "InvalidPartOrder");
    let wrong = CompletedPart { e_tag: parts[0].e_tag.clone(), ..parts[1].clone() };
    assert_eq!(code(cx.call(complete(vec![wrong])).await), "InvalidPart");
    assert_eq!(code(cx.call(complete(vec![parts[0].clone(), parts[2].clone()])).await), "EntityTooSmall");
    let done = cx.call(complete(vec![parts[1].clone(), parts[0].clone()])).await.unwrap();
    assert!(done.e_tag.unwrap().ends_with("-2\""));
    let whole = cx.call(put("whole", &bytes)).await.unwrap();
    assert_eq!(done.checksum_crc64_nvme, whole.checksum_crc64_nvme, "the same bytes, the same checksum");
    assert_eq!(body(cx, get("big")).await, bytes);
    let across = GetObjectRequest { range: Some(format!("bytes={}-{}", (5 << 20) - 2, (5 << 20) + 1)), ..get("big") };
    assert_eq!(body(cx, across).await, bytes[(5 << 20) - 2..(5 << 20) + 2]);
    let part = cx.call(GetObjectRequest { part_number: Some(2), ..get("big") }).await.unwrap();
    assert_eq!((part.parts_count, part.body.unwrap().0 == second), (Some(2), true));
    assert_eq!(given.data().len(), 3, "two parts and the whole; the third part is gone");
    // Completed again, as by who missed the answer: the same answer. Of other parts, or once it is replaced: none.
    let again = complete(vec![parts[1].clone(), parts[0].clone()]);
    let once_more = cx.call(again.clone()).await.unwrap();
    assert_eq!((once_more.checksum_crc64_nvme, once_more.version_id), (whole.checksum_crc64_nvme, None));
    assert_eq!(code(cx.call(complete(vec![parts[1].clone()])).await), "InvalidPart");
    assert_eq!(code(cx.call(complete(vec![parts[1].clone(), parts[2].clone()])).await), "InvalidPart");
    cx.call(put("big", b"other")).await.unwrap();
    assert_eq!(code(cx.call(again).await), "NoSuchUpload");
}

#[tokio::test]
async fn what_a_killed_kiln_left_is_removed_at_the_next_start() {
    let given = given().await;
    let cx = &given.cx;
    cx.call(put("a", b"words")).await.unwrap();
    let kept = cx.store().get::<Object>(&within("docs"), "a").unwrap().unwrap().pieces[0].file.clone();
    std::fs::write(given.folder.path().join("s3/data/orphan"), b"x").unwrap();
    std::fs::write(given.folder.path().join("s3/staging/half"), b"x").unwrap();
    assert_eq!(given.files.sweep(&HashSet::from([kept.clone()])).unwrap(), 2);
    assert_eq!(given.data(), [kept]);
}

#[tokio::test]
async fn buckets_have_one_owner_and_one_region() {
    let given = given().await;
    let create = |bucket: &str, region: Option<&str>| CreateBucketRequest {
        bucket: bucket.into(),
        create_bucket_configuration: region
            .map(|region| CreateBucketConfiguration { location_constraint: Some(region.into()), ..Default::default() }),
        ..Default::default()
    };
    let cx = &given.cx;
    cx.call(create("docs", None)).await.expect("once more in us-east-1 is a success");
    assert_eq!(code(cx.call(create("No_Bucket", None)).await), "InvalidBucketName");
    let west = cx.in_region("eu-west-1");
    assert_eq!(code(west.call(create("west", None)).await), "IllegalLocationConstraintException");
    for (from, to, refusal) in [
        (cx, "us-east-1", "InvalidLocationConstraint"),
        (cx, "mars-1", "InvalidLocationConstraint"),
        (cx, "cn-north-1", "InvalidLocationConstraint"),
        (&west, "us-east-1", "IllegalLocationConstraintException"),
        (&west, "mars-1", "IllegalLocationConstraintException"),
    ] {
        assert_eq!(code(from.call(create("west", Some(to))).await), refusal, "{to}");
    }
    west.call(create("west", Some("eu-west-1"))).await.unwrap();
    assert_eq!(code(west.call(create("west", Some("eu-west-1"))).await), "BucketAlreadyOwnedByYou");
    let location = GetBucketLocationRequest { bucket: "west".into(), ..Default::default() };
    assert_eq!(cx.call(location).await.unwrap().location_constraint.as_deref(), Some("eu-west-1"));
    let scope = Scope::new("111111111111", "us-east-1");
    let other = Cx::new(cx.platform().clone(), scope, Caller::root("111111111111"), "test");
    assert_eq!(code(other.call(create("docs", None)).await), "BucketAlreadyExists");
    assert_eq!(code(other.call(get("a")).await), "AccessDenied");
    assert!(other.call(ListBucketsRequest::default()).await.unwrap().buckets.is_empty());
}

#[tokio::test]
async fn versions_are_set_aside_found_and_come_back() {
    let given = given().await;
    let cx = &given.cx;
    let turn = |status: &str| {
        let configuration = VersioningConfiguration { status: Some(status.into()), ..Default::default() };
        PutBucketVersioningRequest {
            bucket: "docs".into(),
            versioning_configuration: configuration,
            ..Default::default()
        }
    };
    let of = |version: &str| GetObjectRequest { version_id: Some(version.into()), ..get("a") };
    let delete = |version: Option<&str>| DeleteObjectRequest {
        bucket: "docs".into(),
        key: "a".into(),
        version_id: version.map(str::to_owned),
        ..Default::default()
    };
    assert_eq!(cx.call(put("a", b"before")).await.unwrap().version_id, None);
    cx.call(turn("Enabled")).await.unwrap();
    let second = cx.call(put("a", b"second")).await.unwrap().version_id.unwrap();
    let third = cx.call(put("a", b"third")).await.unwrap().version_id.unwrap();
    assert_eq!(body(cx, get("a")).await, b"third");
    assert_eq!(body(cx, of(&second)).await, b"second");
    assert_eq!(body(cx, of("null")).await, b"before");
    assert_eq!(given.data().len(), 3);
    let marker = cx.call(delete(None)).await.unwrap();
    assert_eq!(marker.delete_marker, Some(true));
    assert_eq!(code(cx.call(get("a")).await), "NoSuchKey");
    assert_eq!(code(cx.call(of(marker.version_id.as_deref().unwrap())).await), "MethodNotAllowed");
    assert_eq!(code(cx.call(of("0".repeat(32).as_str())).await), "NoSuchVersion");
    assert_eq!(code(cx.call(of("?")).await), "InvalidArgument");
    // Without its marker, the last version is the latest again; without that, the one before.
    cx.call(delete(marker.version_id.as_deref())).await.unwrap();
    assert_eq!(body(cx, get("a")).await, b"third");
    cx.call(delete(Some(&third))).await.unwrap();
    assert_eq!(body(cx, get("a")).await, b"second");
    assert_eq!(given.data().len(), 2);
    // Suspended, only `null` is replaced.
    cx.call(turn("Suspended")).await.unwrap();
    assert_eq!(cx.call(put("a", b"fourth")).await.unwrap().version_id, None, "AWS does not tell it");
    assert_eq!(cx.call(get("a")).await.unwrap().version_id.as_deref(), Some("null"));
    cx.call(put("a", b"fifth")).await.unwrap();
    assert_eq!((body(cx, get("a")).await, body(cx, of(&second)).await), (b"fifth".to_vec(), b"second".to_vec()));
    assert_eq!(given.data().len(), 2);
    let files: Vec<String> = given.data();
    assert_eq!(given.files.sweep(&named(cx.platform()).unwrap()).unwrap(), 0, "a start removes none of them");
    assert_eq!(given.data(), files);
    let gone = DeleteBucketRequest { bucket: "docs".into(), ..Default::default() };
    cx.call(delete(None)).await.unwrap();
    assert_eq!(code(cx.call(gone.clone()).await), "BucketNotEmpty");
    cx.call(delete(Some("null"))).await.unwrap();
    cx.call(delete(Some(&second))).await.unwrap();
    cx.call(gone).await.unwrap();
    assert!(given.data().is_empty());
}

#[tokio::test]
async fn settings_that_are_not_built_are_refused_by_name() {
    let given = given().await;
    let refused = |request: PutObjectRequest| given.cx.call(request);
    for (request, word) in [
        (PutObjectRequest { server_side_encryption: Some("aws:kms:dsse".into()), ..put("a", b"") }, "aws:kms:dsse"),
        (PutObjectRequest { storage_class: Some("GLACIER".into()), ..put("a", b"") }, "StorageClass"),
        (PutObjectRequest { object_lock_mode: Some("GOVERNANCE".into()), ..put("a", b"") }, "ObjectLockMode"),
        (
            PutObjectRequest {
                sse_customer_algorithm: Some("AES256".into()),
                sse_customer_key: Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into()),
                sse_customer_key_md5: Some("cLyPS3KoaSFGi/joRB3OUQ==".into()),
                ..put("a", b"")
            },
            "SSECustomer",
        ),
    ] {
        let error = refused(request).await.unwrap_err();
        assert!(error.is("NotImplemented") && error.message.contains(word), "{error}");
    }
    let public = PutObjectRequest { acl: Some("public-read".into()), ..put("a", b"") };
    assert_eq!(code(refused(public).await), "AccessControlListNotSupported");
    assert!(given.data().is_empty());
}

#[tokio::test]
async fn files_that_somebody_holds_stay_until_the_last_hold_ends() {
    let given = given().await;
    let cx = &given.cx;
    cx.call(put("a", b"first")).await.unwrap();
    let first = given.data();
    let (one, two) = (given.files.hold(), given.files.hold());
    cx.call(put("a", b"second")).await.unwrap();
    cx.call(put("b", b"other")).await.unwrap();
    cx.call(DeleteObjectRequest { bucket: "docs".into(), key: "b".into(), ..Default::default() }).await.unwrap();
    assert_eq!(body(cx, get("a")).await, b"second");
    assert!(given.data().len() == 3 && given.data().contains(&first[0]));
    drop(one);
    assert_eq!(given.data().len(), 3);
    drop(two);
    let left = given.data();
    assert!(left.len() == 1 && left != first, "what no record names is gone");
    assert_eq!(body(cx, get("a")).await, b"second");
}
