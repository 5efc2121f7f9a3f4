//! The service through its public operations, on a store in memory with iam and queues beside it, and what comes of it
//! when time passes.

mod calls;
mod subscribing;
mod telling;

use crate::Signer;
use kiln_delivery::{Mail, mailbox};
use kiln_service_kit::*;
use kiln_sns_shapes::*;
use kiln_sqs_shapes as sqs;
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const ACCOUNT: &str = "000000000000";
const OTHERS: &str = "999988887777";

/// Making a key takes seconds: all tests share one, which is there before any of them looks.
static KEYS: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    crate::signer::Keys::open(Some(&folder.path().join(Signer::FILE)), IdSource::seeded(1)).expect("a key");
    folder
});

/// A platform whose clock the test moves.
async fn given() -> Cx {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let ids = IdSource::seeded(1);
    let signer = Signer::new(Some(KEYS.path()), &ids, "http://127.0.0.1:4566");
    let messages = kiln_sqs::Messages::in_memory().expect("messages in memory");
    let root_key = kiln_sealing::RootKey::new(&ids);
    let platform = PlatformBuilder::new(store, clock, ids)
        .part(root_key)
        .part(signer)
        .part(messages)
        .part(RootCredential { access_key: "AKIAEXAMPLE".to_owned(), secret: "secret".to_owned() })
        .service(kiln_iam::service())
        .service(kiln_sqs::service())
        .service(crate::service())
        .build();
    for service in platform.services() {
        for start in &service.start {
            start(platform.clone()).await.expect("starts");
        }
    }
    of_host(of(&platform, ACCOUNT))
}

/// The root user of an account.
fn of(platform: &Arc<Platform>, account: &str) -> Cx {
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test")
}

/// A call that came from a program of the host.
fn of_host(cx: Cx) -> Cx {
    cx.from_ip("127.0.0.1".parse().expect("an address"))
}

async fn topic(cx: &Cx, name: &str) -> String {
    let made = cx.call(CreateTopicRequest { name: name.to_owned(), ..Default::default() }).await.expect("made");
    made.topic_arn.expect("an ARN")
}

fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}

/// A queue that takes what the topics of this account send.
async fn queue(cx: &Cx, name: &str) -> String {
    let arn = queue_arn(name);
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"sns.amazonaws.com"}},
        "Action":"sqs:SendMessage","Resource":"{arn}","Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:sns:*:{ACCOUNT}:*"}}}}}}]}}"#
    );
    let attributes = texts([("Policy", policy.as_str())]);
    cx.call(sqs::CreateQueueRequest { queue_name: name.to_owned(), attributes, ..Default::default() })
        .await
        .expect("made");
    arn
}

/// All that lies in a queue.
async fn received(cx: &Cx, name: &str) -> Vec<sqs::Message> {
    let asked = sqs::ReceiveMessageRequest {
        queue_url: format!("http://x/{ACCOUNT}/{name}"),
        max_number_of_messages: Some(10),
        message_attribute_names: vec!["All".to_owned()],
        ..Default::default()
    };
    cx.call(asked).await.expect("received").messages
}

async fn bodies(cx: &Cx, name: &str) -> Vec<String> {
    let mut all: Vec<String> = received(cx, name).await.into_iter().filter_map(|message| message.body).collect();
    all.sort();
    all
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Map<String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn subscribe(
    cx: &Cx,
    topic: &str,
    protocol: &str,
    endpoint: &str,
    attributes: Map<String>,
) -> Result<String, Error> {
    let asked = SubscribeRequest {
        topic_arn: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        attributes,
        return_subscription_arn: Some(true),
    };
    Ok(cx.call(asked).await?.subscription_arn.expect("an ARN"))
}

fn message(topic: &str, text: &str) -> PublishRequest {
    PublishRequest { topic_arn: Some(topic.to_owned()), message: text.to_owned(), ..Default::default() }
}

async fn publish(cx: &Cx, topic: &str, text: &str) -> String {
    cx.call(message(topic, text)).await.expect("published").message_id.expect("an id")
}

fn attribute(kind: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue { data_type: kind.to_owned(), string_value: Some(value.to_owned()), binary_value: None }
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn mails(cx: &Cx) -> Vec<Mail> {
    mailbox(cx.platform().history(), 100).expect("the mailbox")
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}
