//! Lifecycles of buckets.

use kiln_s3::ObjectFiles;
use kiln_s3_shapes as s3;
use kiln_service_kit::{Blob, IdSource};
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Objects expire, versions that are not the latest go, an upload is given up.
pub fn expires() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        let (folder, worlds) = (tempfile::tempdir().expect("a folder"), AtomicUsize::new(0));
        let services = || {
            let own = folder.path().join(worlds.fetch_add(1, Ordering::Relaxed).to_string());
            let files = ObjectFiles::open(&own, &IdSource::seeded(1)).expect("an empty folder");
            Testkit::new(1).services([kiln_s3::service()]).part(move |builder, _| builder.part(files))
        };
        break_each_step(services, |kit| async move {
            let bucket = || "docs".to_owned();
            kit.call(s3::CreateBucketRequest { bucket: bucket(), ..Default::default() }).await.expect("made");
            let put = |key: &str| s3::PutObjectRequest {
                bucket: bucket(),
                key: key.to_owned(),
                body: Some(Blob(b"words".to_vec())),
                ..Default::default()
            };
            kit.call(put("plain")).await.expect("put");
            let versioning_configuration =
                s3::VersioningConfiguration { status: Some("Enabled".to_owned()), ..Default::default() };
            let keep =
                s3::PutBucketVersioningRequest { bucket: bucket(), versioning_configuration, ..Default::default() };
            kit.call(keep).await.expect("kept");
            kit.call(put("twice")).await.expect("put");
            kit.call(put("twice")).await.expect("put");
            let begin =
                s3::CreateMultipartUploadRequest { bucket: bucket(), key: "part".to_owned(), ..Default::default() };
            kit.call(begin).await.expect("begun");
            let rule = s3::LifecycleRule {
                status: "Enabled".to_owned(),
                filter: Some(Default::default()),
                expiration: Some(s3::LifecycleExpiration { days: Some(1), ..Default::default() }),
                noncurrent_version_expiration: Some(s3::NoncurrentVersionExpiration {
                    noncurrent_days: Some(1),
                    ..Default::default()
                }),
                abort_incomplete_multipart_upload: Some(s3::AbortIncompleteMultipartUpload {
                    days_after_initiation: Some(1),
                }),
                ..Default::default()
            };
            let lifecycle_configuration = Some(s3::BucketLifecycleConfiguration { rules: vec![rule] });
            let set = s3::PutBucketLifecycleConfigurationRequest {
                bucket: bucket(),
                lifecycle_configuration,
                ..Default::default()
            };
            kit.call(set).await.expect("set");
            kit.settle().await;
            let there = async |days: u32| {
                kit.jump(days * DAY).await;
                kit.settle().await;
                let asked = s3::ListObjectVersionsRequest { bucket: bucket(), ..Default::default() };
                let there = kit.call(asked).await.expect("listed");
                let asked = s3::ListMultipartUploadsRequest { bucket: bucket(), ..Default::default() };
                let uploads = kit.call(asked).await.expect("listed").uploads.len();
                (there.versions.len(), there.delete_markers.len(), uploads)
            };
            let before = there(0).await;
            // A step that is taken twice may find more that is due: what was left behind a marker went with the first.
            for _ in 0..3 {
                there(2).await;
            }
            format!("{before:?}, then {:?}", there(0).await)
        })
    })
}
