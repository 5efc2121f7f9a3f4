//! The service through its public operations, judged by iam, its values encrypted by kms, on a store in memory.

mod access;

use kiln_kms_shapes::{CreateKeyRequest, DisableKeyRequest};
use kiln_sealing::RootKey;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::*;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The root user of [`ACCOUNT`], on a platform with iam and kms.
async fn given() -> Cx {
    let clock = Clock::simulated(Timestamp(1_700_000_000_000));
    let ids = IdSource::seeded(1);
    let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids.clone())
        .service(kiln_iam::service())
        .service(kiln_kms::service())
        .service(crate::service())
        .home(Scope::new(ACCOUNT, "us-east-1"))
        .part(RootKey::new(&ids))
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.expect("started");
    }
    root(&platform, ACCOUNT)
}

fn root(platform: &Arc<Platform>, account: &str) -> Cx {
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test")
}

fn token(n: usize) -> Option<String> {
    Some(format!("{n:032}"))
}

async fn create(cx: &Cx, name: &str, value: &str) -> String {
    let made = CreateSecretRequest {
        name: name.to_owned(),
        secret_string: Some(value.to_owned()),
        client_request_token: token(0),
        ..Default::default()
    };
    cx.call(made).await.expect("made").arn.expect("an ARN")
}

fn put(id: &str, n: usize, value: &str) -> PutSecretValueRequest {
    PutSecretValueRequest {
        secret_id: id.to_owned(),
        client_request_token: token(n),
        secret_string: Some(value.to_owned()),
        ..Default::default()
    }
}

fn get(id: &str) -> GetSecretValueRequest {
    GetSecretValueRequest { secret_id: id.to_owned(), ..Default::default() }
}

async fn value(cx: &Cx, id: &str) -> String {
    cx.call(get(id)).await.expect("read").secret_string.expect("a text")
}

fn code<T>(answer: Result<T, Error>) -> String {
    answer.map(drop).expect_err("it is refused").code.into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_found_by_name_and_by_both_kinds_of_arn() {
    let cx = given().await;
    let arn = create(&cx, "db-secret", "hunter2").await;
    let (partial, end) = arn.rsplit_once('-').expect("six characters");
    assert_eq!((partial, end.len()), ("arn:aws:secretsmanager:us-east-1:111122223333:secret:db-secret", 6));
    for id in ["db-secret", &arn, partial] {
        assert_eq!(value(&cx, id).await, "hunter2");
    }
    let wrong = format!("{partial}-AAAAAA");
    for id in ["db", &wrong, "arn:aws:secretsmanager:us-east-2:111122223333:secret:db-secret", "arn:aws:s3:::db-secret"]
    {
        assert_eq!(code(cx.call(get(id)).await), "ResourceNotFoundException", "{id}");
    }
    // A name that looks like another secret's whole ARN ends.
    let full = format!("db-secret-{end}");
    create(&cx, &full, "another").await;
    assert_eq!((value(&cx, &arn).await, value(&cx, &full).await), ("hunter2".to_owned(), "another".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_the_store_is_not_the_value() {
    let cx = given().await;
    create(&cx, "s", "hunter2-very-secret").await;
    let kept = cx.store().list::<crate::records::Value>(cx.scope()).expect("read");
    assert_eq!(kept.len(), 1);
    let json = serde_json::to_string(&*kept[0].1).expect("JSON");
    assert!(!json.contains("hunter2"), "{json}");
    assert!(!format!("{:?}", kept[0].1).contains(&kept[0].1.sealed));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_for_one_value() {
    let cx = given().await;
    let arn = create(&cx, "s", "a").await;
    assert_eq!(create(&cx, "s", "a").await, arn, "asked again");
    let other = CreateSecretRequest {
        name: "s".to_owned(),
        secret_string: Some("b".to_owned()),
        client_request_token: token(0),
        ..Default::default()
    };
    assert_eq!(code(cx.call(other.clone()).await), "ResourceExistsException");
    let other = CreateSecretRequest { client_request_token: token(1), ..other };
    assert_eq!(code(cx.call(other).await), "ResourceExistsException");
    cx.call(put("s", 2, "b")).await.expect("a second version");
    let again = cx.call(put("s", 2, "b")).await.expect("asked again");
    assert_eq!(again.version_stages, ["AWSCURRENT"]);
    assert_eq!(code(cx.call(put("s", 2, "c")).await), "ResourceExistsException");
    assert_eq!(value(&cx, "s").await, "b");
    let described = cx.call(DescribeSecretRequest { secret_id: "s".to_owned() }).await.expect("described");
    assert_eq!(described.version_ids_to_stages.len(), 2);
    let previous = GetSecretValueRequest { version_stage: Some("AWSPREVIOUS".to_owned()), ..get("s") };
    assert_eq!(cx.call(previous).await.expect("read").secret_string.as_deref(), Some("a"));
    let neither =
        GetSecretValueRequest { version_stage: Some("AWSPREVIOUS".to_owned()), version_id: token(2), ..get("s") };
    assert_eq!(code(cx.call(neither).await), "InvalidRequestException");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_secret_can_be_had_back_until_its_day() {
    let cx = given().await;
    create(&cx, "s", "a").await;
    let delete = |days| DeleteSecretRequest {
        secret_id: "s".to_owned(),
        recovery_window_in_days: Some(days),
        ..Default::default()
    };
    for days in [6, 31, 0] {
        assert_eq!(code(cx.call(delete(days)).await), "InvalidParameterException");
    }
    let at = cx.call(delete(7)).await.expect("deleted").deletion_date.expect("a date");
    assert_eq!(at, cx.now() + DAY * 7);
    for refused in
        [code(cx.call(get("s")).await), code(cx.call(put("s", 1, "b")).await), code(cx.call(delete(7)).await)]
    {
        assert_eq!(refused, "InvalidRequestException");
    }
    let again = CreateSecretRequest { name: "s".to_owned(), ..Default::default() };
    assert_eq!(code(cx.call(again).await), "InvalidRequestException", "its name is not free yet");
    let listed = cx.call(ListSecretsRequest::default()).await.expect("listed").secret_list;
    assert_eq!(listed, []);
    let all = ListSecretsRequest { include_planned_deletion: Some(true), ..Default::default() };
    assert_eq!(cx.call(all).await.expect("listed").secret_list[0].deleted_date, Some(at));
    cx.call(RestoreSecretRequest { secret_id: "s".to_owned() }).await.expect("restored");
    assert_eq!(value(&cx, "s").await, "a");
    let force = DeleteSecretRequest {
        force_delete_without_recovery: Some(true),
        secret_id: "s".to_owned(),
        ..Default::default()
    };
    cx.call(force.clone()).await.expect("gone");
    cx.call(force).await.expect("gone already");
    assert_eq!(code(cx.call(get("s")).await), "ResourceNotFoundException");
    assert_eq!(cx.store().list::<crate::records::Value>(cx.scope()).expect("read").len(), 0, "its values went too");
}

#[tokio::test(start_paused = true)]
async fn labels_move_where_they_are_sent() {
    let cx = given().await;
    create(&cx, "s", "a").await;
    let pending = PutSecretValueRequest { version_stages: vec!["AWSPENDING".to_owned()], ..put("s", 1, "b") };
    cx.call(pending).await.expect("put");
    assert_eq!(value(&cx, "s").await, "a");
    let to = |stage: &str, from: Option<String>, to: Option<String>| UpdateSecretVersionStageRequest {
        secret_id: "s".to_owned(),
        version_stage: stage.to_owned(),
        remove_from_version_id: from,
        move_to_version_id: to,
    };
    assert_eq!(code(cx.call(to("AWSCURRENT", None, token(1))).await), "InvalidParameterException", "it is on another");
    assert_eq!(code(cx.call(to("AWSCURRENT", token(0), None)).await), "InvalidParameterException", "it must be on one");
    assert_eq!(code(cx.call(to("AWSCURRENT", token(0), token(9))).await), "ResourceNotFoundException");
    cx.call(to("AWSCURRENT", token(0), token(1))).await.expect("moved");
    cx.call(to("AWSPENDING", token(1), None)).await.expect("taken off");
    assert_eq!(value(&cx, "s").await, "b");
    let versions = cx.call(ListSecretVersionIdsRequest { secret_id: "s".to_owned(), ..Default::default() }).await;
    let stages: Vec<_> = versions.expect("listed").versions.into_iter().map(|version| version.version_stages).collect();
    assert_eq!(stages, [["AWSPREVIOUS"], ["AWSCURRENT"]]);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_ones_own_is_used_and_needed() {
    let cx = given().await;
    let key = cx.call(CreateKeyRequest::default()).await.expect("made").key_metadata.expect("a key").key_id;
    let key = key.expect("an id");
    create(&cx, "s", "a").await;
    cx.call(put("s", 1, "b")).await.expect("put");
    let under = UpdateSecretRequest { secret_id: "s".to_owned(), kms_key_id: Some(key.clone()), ..Default::default() };
    cx.call(under).await.expect("encrypted again");
    assert_eq!(value(&cx, "s").await, "b");
    cx.call(DisableKeyRequest { key_id: key }).await.expect("disabled");
    assert_eq!(code(cx.call(get("s")).await), "DecryptionFailure");
    let previous = GetSecretValueRequest { version_stage: Some("AWSPREVIOUS".to_owned()), ..get("s") };
    assert_eq!(code(cx.call(previous).await), "DecryptionFailure", "it has a label, so it went under the new key too");
    assert_eq!(code(cx.call(put("s", 2, "c")).await), "EncryptionFailure");
    let none = CreateSecretRequest {
        name: "t".to_owned(),
        secret_string: Some("a".to_owned()),
        kms_key_id: Some("alias/none".to_owned()),
        ..Default::default()
    };
    assert_eq!(code(cx.call(none).await), "EncryptionFailure");
    assert_eq!(code(cx.call(get("t")).await), "ResourceNotFoundException", "nothing is half made");
}

#[tokio::test(start_paused = true)]
async fn listings_are_filtered_sorted_and_paged() {
    let cx = given().await;
    for (name, description, tag) in
        [("prod/db", "The database", "a"), ("prod/api", "Keys", "b"), ("test/db", "A DATABASE", "a")]
    {
        let tags = vec![Tag { key: Some("team".to_owned()), value: Some(tag.to_owned()) }];
        let made = CreateSecretRequest {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            tags,
            ..Default::default()
        };
        cx.call(made).await.expect("made");
    }
    let names = async |filters: &[(&str, &[&str])], order: Option<&str>| {
        let filter = |(key, values): &(&str, &[&str])| Filter {
            key: Some((*key).to_owned()),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let mut found = vec![];
        let mut next_token = None;
        loop {
            let asked = ListSecretsRequest {
                filters: filters.iter().map(filter).collect(),
                sort_by: Some("name".to_owned()),
                sort_order: order.map(str::to_owned),
                max_results: Some(1),
                next_token,
                ..Default::default()
            };
            let page = cx.call(asked).await.expect("listed");
            found.extend(page.secret_list.into_iter().filter_map(|secret| secret.name));
            next_token = page.next_token;
            if next_token.is_none() {
                return found;
            }
        }
    };
    assert_eq!(names(&[], None).await, ["prod/api", "prod/db", "test/db"]);
    assert_eq!(names(&[], Some("desc")).await, ["test/db", "prod/db", "prod/api"]);
    assert_eq!(names(&[("name", &["prod"])], None).await, ["prod/api", "prod/db"]);
    assert_eq!(names(&[("name", &["!prod"])], None).await, ["test/db"]);
    assert_eq!(names(&[("name", &["Prod"])], None).await, Vec::<String>::new(), "names are told by their case");
    assert_eq!(names(&[("description", &["the"])], None).await, ["prod/db"]);
    assert_eq!(names(&[("all", &["database prod"])], None).await, ["prod/db"]);
    assert_eq!(names(&[("tag-value", &["a"]), ("name", &["test", "prod"])], None).await, ["prod/db", "test/db"]);
    let batch = BatchGetSecretValueRequest {
        secret_id_list: vec!["prod/db".to_owned(), "none".to_owned()],
        ..Default::default()
    };
    let answer = cx.call(batch).await.expect("answered");
    let codes: Vec<_> = answer.errors.into_iter().filter_map(|error| error.error_code).collect();
    assert_eq!(codes, ["ResourceNotFoundException", "ResourceNotFoundException"], "one has no value yet");
}
