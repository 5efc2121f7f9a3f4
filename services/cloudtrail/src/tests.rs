//! What calls leave behind, looked up.

use kiln_cloudtrail_shapes::*;
use kiln_iam_shapes::{CreateAccessKeyRequest, CreateUserRequest, GetUserRequest};
use kiln_service_kit::*;
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "111122223333";

async fn given() -> Cx {
    let clock = Clock::simulated(Timestamp(1_700_000_000_000));
    let ids = IdSource::seeded(1);
    let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids.clone())
        .service(kiln_iam::service())
        .service(crate::service())
        .home(Scope::new(ACCOUNT, "us-east-1"))
        .part(kiln_sealing::RootKey::new(&ids))
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.expect("started");
    }
    root(&platform, ACCOUNT)
}

fn root(platform: &Arc<Platform>, account: &str) -> Cx {
    let caller = Caller { access_key: "AKIAROOT".to_owned(), ..Caller::root(account) };
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), caller, "the-request")
        .from_ip("127.0.0.1".parse().expect("an address"))
        .by_agent("Boto3/1.43")
}

async fn user(cx: &Cx, name: &str) -> Result<(), Error> {
    cx.call(CreateUserRequest { user_name: name.to_owned(), ..Default::default() }).await.map(drop)
}

/// Looks in the next second, so that it may.
async fn looked(cx: &Cx, request: LookupEventsRequest) -> Result<LookupEventsResponse, Error> {
    tokio::time::advance(Duration::from_secs(1)).await;
    cx.call(request).await
}

async fn by(cx: &Cx, key: &str, value: &str) -> Vec<String> {
    let (attribute_key, attribute_value) = (key.to_owned(), value.to_owned());
    let lookup_attributes = vec![LookupAttribute { attribute_key, attribute_value }];
    let found = looked(cx, LookupEventsRequest { lookup_attributes, ..Default::default() }).await.expect("looked up");
    found.events.into_iter().filter_map(|event| event.event_name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_as_aws_tells_it() {
    let cx = given().await;
    user(&cx, "ada").await.expect("made");
    user(&cx, "ada").await.expect_err("there already");
    let found = looked(&cx, LookupEventsRequest::default()).await.expect("looked up").events;
    let names: Vec<_> = found.iter().filter_map(|event| event.event_name.as_deref()).collect();
    assert_eq!(names, ["CreateUser", "CreateUser"], "the lookup itself has not ended yet");
    let told = |at: usize| -> Json {
        serde_json::from_str(found[at].cloud_trail_event.as_deref().expect("a record")).expect("JSON")
    };
    let (refused, made) = (told(0), told(1));
    assert_eq!(refused["errorCode"], "EntityAlreadyExists");
    assert_eq!(refused["responseElements"], Json::Null);
    assert_eq!(made["requestParameters"], serde_json::json!({"userName": "ada"}));
    assert_eq!(made["responseElements"]["user"]["userName"], "ada");
    let expected = serde_json::json!({
        "eventVersion": "1.11", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1", "userAgent": "Boto3/1.43", "requestID": "the-request", "readOnly": false,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": ACCOUNT,
        "eventCategory": "Management", "eventTime": "2023-11-14T22:13:20Z",
        "userIdentity": {
            "type": "Root", "principalId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:root"), "accountId": ACCOUNT,
            "accessKeyId": "AKIAROOT",
        },
    });
    for (member, value) in expected.as_object().expect("an object") {
        assert_eq!(&made[member], value, "{member}");
    }
    assert_eq!(made["eventID"].as_str(), found[1].event_id.as_deref());
    assert_ne!(found[0].event_id, found[1].event_id);
    assert_eq!(found[1].username.as_deref(), Some("root"));
    let named = Resource { resource_type: Some("AWS::IAM::User".to_owned()), resource_name: Some("ada".to_owned()) };
    assert_eq!(found[1].resources, [named]);
}

#[tokio::test(start_paused = true)]
async fn one_attribute_chooses() {
    let cx = given().await;
    user(&cx, "ada").await.expect("made");
    user(&cx, "eve").await.expect("made");
    cx.call(GetUserRequest { user_name: Some("ada".to_owned()) }).await.expect("read");
    assert_eq!(by(&cx, "EventName", "CreateUser").await, ["CreateUser", "CreateUser"]);
    assert_eq!(by(&cx, "ResourceName", "eve").await, ["CreateUser"]);
    assert_eq!(by(&cx, "ReadOnly", "false").await, ["CreateUser", "CreateUser"]);
    assert_eq!(by(&cx, "EventSource", "iam.amazonaws.com").await, ["GetUser", "CreateUser", "CreateUser"]);
    assert_eq!(by(&cx, "ResourceType", "AWS::IAM::User").await, ["GetUser", "CreateUser", "CreateUser"]);
    assert_eq!(by(&cx, "Username", "ada").await, Vec::<String>::new());
    assert_eq!(by(&cx, "AccessKeyId", "AKIANONE").await, Vec::<String>::new());
    assert_eq!(by(&cx, "EventName", "User").await, Vec::<String>::new(), "whole names only");
    let attribute = || LookupAttribute { attribute_key: "Username".to_owned(), attribute_value: "a".to_owned() };
    let two = LookupEventsRequest { lookup_attributes: vec![attribute(), attribute()], ..Default::default() };
    assert_eq!(looked(&cx, two).await.expect_err("two").code, "InvalidLookupAttributesException");
}

#[tokio::test(start_paused = true)]
async fn pages_go_back_in_time_also_when_more_comes_meanwhile() {
    let cx = given().await;
    for n in 0..7 {
        user(&cx, &format!("u{n}")).await.expect("made");
    }
    let mut found = vec![];
    let mut next_token = None;
    loop {
        let lookup_attributes =
            vec![LookupAttribute { attribute_key: "EventName".to_owned(), attribute_value: "CreateUser".to_owned() }];
        let asked = LookupEventsRequest { max_results: Some(3), next_token, lookup_attributes, ..Default::default() };
        let page = looked(&cx, asked).await.expect("looked up");
        user(&cx, &format!("later{}", found.len())).await.expect("made");
        found.extend(page.events.into_iter().flat_map(|event| event.resources).filter_map(|thing| thing.resource_name));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["u6", "u5", "u4", "u3", "u2", "u1", "u0"]);
    let bad = LookupEventsRequest { next_token: Some("nonsense".to_owned()), ..Default::default() };
    assert_eq!(looked(&cx, bad).await.expect_err("no token").code, "InvalidNextTokenException");
}

#[tokio::test(start_paused = true)]
async fn times_bound_and_accounts_are_apart() {
    let cx = given().await;
    let begin = cx.now();
    user(&cx, "ada").await.expect("made");
    tokio::time::advance(Duration::from_secs(3_600)).await;
    user(&cx, "eve").await.expect("made");
    let count = async |start_time, end_time| {
        looked(&cx, LookupEventsRequest { start_time, end_time, ..Default::default() })
            .await
            .map(|found| found.events.iter().filter(|event| event.event_name.as_deref() == Some("CreateUser")).count())
    };
    let later = begin + Duration::from_secs(1_800);
    assert_eq!(count(Some(later), None).await.expect("looked up"), 1);
    assert_eq!(count(None, Some(later)).await.expect("looked up"), 1);
    assert_eq!(count(Some(begin), Some(begin)).await.expect("looked up"), 1);
    assert_eq!(count(Some(later), Some(begin)).await.expect_err("turned round").code, "InvalidTimeRangeException");
    let other = root(cx.platform(), "444455556666");
    assert_eq!(by(&other, "EventName", "CreateUser").await, Vec::<String>::new());
    tokio::time::advance(Duration::from_secs(90 * 24 * 3_600)).await;
    assert_eq!(count(None, None).await.expect("looked up"), 0, "90 days are over");
}

#[tokio::test(start_paused = true)]
async fn the_third_lookup_of_a_second_is_refused() {
    let cx = given().await;
    for _ in 0..2 {
        cx.call(LookupEventsRequest::default()).await.expect("looked up");
    }
    assert_eq!(cx.call(LookupEventsRequest::default()).await.expect_err("one more").code, "ThrottlingException");
    root(cx.platform(), "444455556666").call(LookupEventsRequest::default()).await.expect("another account's own");
    looked(&cx, LookupEventsRequest::default()).await.expect("in the next second");
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told() {
    let cx = given().await;
    user(&cx, "ada").await.expect("made");
    let key = cx.call(CreateAccessKeyRequest { user_name: Some("ada".to_owned()) }).await.expect("made").access_key;
    let key = key.expect("a key");
    let (id, secret) = (key.access_key_id.expect("an id"), key.secret_access_key.expect("a secret"));
    let found = looked(&cx, LookupEventsRequest::default()).await.expect("looked up").events;
    let told: Vec<_> = found.iter().filter_map(|event| event.cloud_trail_event.as_deref()).collect();
    assert!(told[0].contains(&id), "{}", told[0]);
    assert!(told.iter().all(|told| !told.contains(&secret)));
}
