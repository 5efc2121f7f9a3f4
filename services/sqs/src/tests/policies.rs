//! Who else may: queue policies, for accounts and for services that act for something.

use super::*;
use serde_json::{Value as Json, json};

const OTHER: &str = "222222222222";

/// A platform whose iam judges, with two accounts' root users.
async fn judged() -> (Cx, Cx) {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let platform: Arc<Platform> = PlatformBuilder::new(store, clock, IdSource::seeded(1))
        .part(kiln_sealing::RootKey::new(&IdSource::seeded(1)))
        .part(Messages::in_memory().expect("messages in memory"))
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .service(kiln_iam::service())
        .service(crate::service())
        .build();
    for start in platform.services().iter().flat_map(|service| &service.start) {
        start(platform.clone()).await.expect("started");
    }
    let cx = |account: &str| Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test");
    (cx(ACCOUNT), cx(OTHER))
}

async fn set_policy(cx: &Cx, url: &str, policy: Json) -> Result<(), Error> {
    let attributes = texts([("Policy", &policy.to_string())]);
    cx.call(SetQueueAttributesRequest { queue_url: url.into(), attributes }).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn another_account_may_what_the_policy_lets_it() {
    let (owner, other) = judged().await;
    let url = queue(&owner, "jobs", []).await;
    assert_eq!(code(other.call(message(&url, "a")).await), "AccessDeniedException");
    let add = |label: &str, actions: &[&str]| AddPermissionRequest {
        queue_url: url.clone(),
        label: label.into(),
        aws_account_ids: vec![OTHER.into()],
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    };
    owner.call(add("send", &["SendMessage", "GetQueueUrl"])).await.unwrap();
    other.call(message(&url, "a")).await.unwrap();
    let asked = GetQueueUrlRequest { queue_name: "jobs".into(), queue_owner_aws_account_id: Some(ACCOUNT.into()) };
    assert!(other.call(asked.clone()).await.unwrap().queue_url.is_some_and(|url| url.ends_with("/111111111111/jobs")));
    assert_eq!(code(other.call(some(&url, 1)).await), "AccessDeniedException");
    assert_eq!(code(owner.call(add("send", &["ReceiveMessage"])).await), "InvalidParameterValue", "the label is taken");
    assert_eq!(code(owner.call(add("x", &["DeleteQueue"])).await), "InvalidParameterValue");
    owner.call(add("take", &["*"])).await.unwrap();
    assert_eq!(received(&other, some(&url, 1)).await.len(), 1);
    assert_eq!(
        code(other.call(DeleteQueueRequest { queue_url: url.clone() }).await),
        "AccessDeniedException",
        "only the owner"
    );
    for label in ["send", "take"] {
        owner.call(RemovePermissionRequest { queue_url: url.clone(), label: label.into() }).await.unwrap();
    }
    assert_eq!(attribute(&owner, &url, "Policy").await, None);
    assert_eq!(code(other.call(message(&url, "a")).await), "AccessDeniedException");
    let gone = RemovePermissionRequest { queue_url: url.clone(), label: "send".into() };
    assert_eq!(code(owner.call(gone).await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_service_may_for_what_the_policy_names() {
    let (owner, _) = judged().await;
    let url = queue(&owner, "jobs", []).await;
    let topic = "arn:aws:sns:us-east-1:111111111111:topic";
    let sns = owner.as_service("sns.amazonaws.com").on_behalf_of(topic);
    assert_eq!(code(sns.call(message(&url, "a")).await), "AccessDeniedException", "nobody has let it in");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111111111111:jobs",
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }]});
    set_policy(&owner, &url, policy).await.unwrap();
    sns.call(message(&url, "a")).await.unwrap();
    let elsewhere = owner.as_service("sns.amazonaws.com").on_behalf_of(&format!("{topic}-2"));
    assert_eq!(code(elsewhere.call(message(&url, "a")).await), "AccessDeniedException");
    let events = owner.as_service("events.amazonaws.com").on_behalf_of(topic);
    assert_eq!(code(events.call(message(&url, "a")).await), "AccessDeniedException");
    assert_eq!(code(sns.call(some(&url, 1)).await), "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_nobody_could_be_judged_by_is_refused() {
    let (owner, _) = judged().await;
    let url = queue(&owner, "jobs", []).await;
    let statement = |principal: Json, condition: Json| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "sqs:*",
            "Resource": "arn:aws:sqs:us-east-1:111111111111:jobs", "Condition": condition,
        }]})
    };
    for (principal, condition, expected) in [
        (json!({"AWS": "arn:aws:iam::111111111111:user/nobody"}), json!({}), "InvalidAttributeValue"),
        (json!({"Federated": "cognito-identity.amazonaws.com"}), json!({}), "NotImplemented"),
        (json!("*"), json!({"StringEquals": {"aws:UserAgent": "x"}}), "NotImplemented"),
    ] {
        assert_eq!(code(set_policy(&owner, &url, statement(principal, condition)).await), expected);
    }
    set_policy(&owner, &url, statement(json!({"AWS": OTHER}), json!({}))).await.unwrap();
}
