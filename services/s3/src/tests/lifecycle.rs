//! What a bucket's lifecycle does when midnight has come, and what is told of it.

use super::{Given, given_at, put};
use crate::controllers::lifecycle::Lifecycles;
use crate::records::{Part, Upload, all_buckets, within};
use kiln_delivery::Undelivered;
use kiln_s3_shapes::*;
use kiln_service_kit::*;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn given(rules: Vec<LifecycleRule>) -> Given {
    // Noon.
    let given = given_at(Clock::simulated(Timestamp::parse("2030-01-01T12:00:00Z").unwrap())).await;
    let lifecycle_configuration = Some(BucketLifecycleConfiguration { rules });
    let put =
        PutBucketLifecycleConfigurationRequest { bucket: "docs".into(), lifecycle_configuration, ..Default::default() };
    given.cx.call(put).await.unwrap();
    given
}

fn rule(prefix: &str) -> LifecycleRule {
    let filter = LifecycleRuleFilter { prefix: Some(prefix.into()), ..Default::default() };
    LifecycleRule { status: "Enabled".into(), filter: Some(filter), ..Default::default() }
}

fn days(days: i32) -> Option<LifecycleExpiration> {
    Some(LifecycleExpiration { days: Some(days), ..Default::default() })
}

/// Lets that much time pass, and the controller do what is due then.
async fn wait(given: &Given, time: Duration) {
    tokio::time::advance(time).await;
    let cx = Cx::for_service(given.cx.platform().clone(), all_buckets(), "s3.amazonaws.com");
    let name = Name::new(&all_buckets(), "docs");
    loop {
        let pass = Lifecycles.pass(&cx, &name, &|_| Chaos::None).await;
        assert!(pass.error.is_none(), "{:?}", pass.error);
        if pass.steps.is_empty() {
            return;
        }
    }
}

/// Keys with their versions, markers among them, as they are listed.
async fn versions(given: &Given) -> Vec<String> {
    let listed = ListObjectVersionsRequest { bucket: "docs".into(), ..Default::default() };
    let listed = given.cx.call(listed).await.unwrap();
    let objects = listed.versions.into_iter().map(|each| (each.key.unwrap(), each.is_latest, "object"));
    let markers = listed.delete_markers.into_iter().map(|each| (each.key.unwrap(), each.is_latest, "marker"));
    let mut all: Vec<String> = objects
        .chain(markers)
        .map(|(key, latest, what)| format!("{key} {what}{}", if latest == Some(true) { "" } else { " before" }))
        .collect();
    all.sort();
    all
}

async fn keep_versions(given: &Given) {
    let versioning_configuration = VersioningConfiguration { status: Some("Enabled".into()), ..Default::default() };
    let put = PutBucketVersioningRequest { bucket: "docs".into(), versioning_configuration, ..Default::default() };
    given.cx.call(put).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn objects_expire_at_the_midnight_after_their_days() {
    let given = given(vec![LifecycleRule { expiration: days(1), ..rule("logs/") }]).await;
    for key in ["logs/a", "logs/b", "kept"] {
        given.cx.call(put(key, b"x")).await.unwrap();
    }
    wait(&given, DAY).await;
    assert_eq!(versions(&given).await.len(), 3, "a day old at noon, which midnight is not");
    wait(&given, DAY / 2).await;
    assert_eq!(versions(&given).await, ["kept object"]);
    assert_eq!(given.data().len(), 1, "the files of the others are gone");
    given.cx.call(put("logs/c", b"x")).await.unwrap();
    wait(&given, DAY / 4).await;
    assert_eq!(versions(&given).await.len(), 2, "once a day");
}

#[tokio::test(start_paused = true)]
async fn a_large_bucket_is_gone_through_in_steps() {
    let given = given(vec![LifecycleRule { expiration: days(1), ..rule("") }]).await;
    for n in 0..1_100 {
        given.cx.call(put(&format!("k{n:04}"), b"")).await.unwrap();
    }
    wait(&given, 2 * DAY).await;
    assert_eq!(versions(&given).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn versions_become_markers_and_go_and_then_the_markers_do() {
    let noncurrent = NoncurrentVersionExpiration { noncurrent_days: Some(1), ..Default::default() };
    let rules =
        vec![LifecycleRule { expiration: days(1), noncurrent_version_expiration: Some(noncurrent), ..rule("") }];
    let given = given(rules).await;
    keep_versions(&given).await;
    given.cx.call(put("a", b"first")).await.unwrap();
    given.cx.call(put("a", b"second")).await.unwrap();
    wait(&given, DAY + DAY / 2).await;
    assert_eq!(
        versions(&given).await,
        ["a marker", "a object before"],
        "the first went, the second is behind a marker"
    );
    wait(&given, DAY).await;
    assert_eq!(versions(&given).await, ["a marker", "a object before"], "the marker is of midnight");
    wait(&given, DAY).await;
    assert_eq!(versions(&given).await, ["a marker"]);
    wait(&given, DAY).await;
    assert_eq!(versions(&given).await, [""; 0]);
    assert!(given.data().is_empty());
}

#[tokio::test(start_paused = true)]
async fn uploads_that_nobody_completes_are_given_up() {
    let abort = AbortIncompleteMultipartUpload { days_after_initiation: Some(1) };
    let given = given(vec![LifecycleRule { abort_incomplete_multipart_upload: Some(abort), ..rule("tmp/") }]).await;
    for key in ["tmp/a", "kept"] {
        let (bucket, key) = ("docs".to_owned(), key.to_owned());
        let begin = CreateMultipartUploadRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
        let upload_id = given.cx.call(begin).await.unwrap().upload_id.unwrap();
        let body = Some(Blob(b"part".to_vec()));
        let part = UploadPartRequest { bucket, key, upload_id, part_number: 1, body, ..Default::default() };
        given.cx.call(part).await.unwrap();
    }
    wait(&given, 2 * DAY).await;
    let uploads = given.cx.store().list::<Upload>(&within("docs")).unwrap();
    assert_eq!(uploads.iter().map(|(_, upload)| upload.key.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(given.cx.store().list::<Part>(&within("docs")).unwrap().len(), 1);
    assert_eq!(given.data().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_expires_is_told_as_the_lifecycles_doing() {
    let given = given(vec![LifecycleRule { expiration: days(1), ..rule("") }]).await;
    let queue = QueueConfiguration {
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".into(),
        events: vec!["s3:LifecycleExpiration:*".into()],
        ..Default::default()
    };
    let configuration = NotificationConfiguration { queue_configurations: vec![queue], ..Default::default() };
    let put_rules = PutBucketNotificationConfigurationRequest {
        bucket: "docs".into(),
        notification_configuration: configuration,
        skip_destination_validation: Some(true),
        ..Default::default()
    };
    given.cx.call(put_rules).await.unwrap();
    let told = || {
        let all = given.cx.store().list_everywhere::<Undelivered>().unwrap();
        let bodies = all.into_iter().map(|(_, _, waiting)| waiting.note.parcel.body.clone());
        bodies
            .map(|body| serde_json::from_str::<serde_json::Value>(&body).unwrap()["Records"][0].clone())
            .collect::<Vec<_>>()
    };
    given.cx.call(put("a", b"x")).await.unwrap();
    assert!(told().is_empty(), "a put is no expiration");
    wait(&given, 2 * DAY).await;
    keep_versions(&given).await;
    given.cx.call(put("b", b"x")).await.unwrap();
    wait(&given, 2 * DAY).await;
    let told = told();
    let told: Vec<_> = told
        .iter()
        .map(|record| {
            let (name, who) = (record["eventName"].as_str().unwrap(), &record["userIdentity"]["principalId"]);
            (
                name,
                record["s3"]["object"]["key"].as_str().unwrap(),
                who.as_str().unwrap(),
                record["eventVersion"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("LifecycleExpiration:Delete", "a", "s3.amazonaws.com", "2.3"),
            ("LifecycleExpiration:DeleteMarkerCreated", "b", "s3.amazonaws.com", "2.3"),
        ]
    );
}
