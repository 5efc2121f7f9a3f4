//! What is published, and who is told of it how.

use super::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::signature::Verifier;
use x509_cert::der::{DecodePem, Encode};

#[tokio::test(start_paused = true)]
async fn a_queue_gets_the_envelope_or_the_message_itself() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    subscribe(&cx, &news, "sqs", &queue(&cx, "wrapped").await, Map::new()).await.expect("subscribed");
    let raw = texts([("RawMessageDelivery", "true")]);
    subscribe(&cx, &news, "sqs", &queue(&cx, "raw").await, raw).await.expect("subscribed");
    let attributes = Map::from([
        ("colour".to_owned(), attribute("String", "red")),
        (
            "bytes".to_owned(),
            MessageAttributeValue {
                data_type: "Binary".to_owned(),
                string_value: None,
                binary_value: Some(Blob(vec![1, 2])),
            },
        ),
    ]);
    let request = PublishRequest {
        subject: Some("s".to_owned()),
        message_attributes: attributes,
        ..message(&news, "hello \"you\"")
    };
    let id = cx.call(request).await.expect("published").message_id.expect("an id");
    seconds(1).await;
    let wrapped = json(&bodies(&cx, "wrapped").await[0]);
    assert_eq!(wrapped["Type"], "Notification");
    assert_eq!(
        [&wrapped["MessageId"], &wrapped["Message"], &wrapped["Subject"], &wrapped["TopicArn"]],
        [&id, "hello \"you\"", "s", &news]
    );
    assert_eq!(wrapped["MessageAttributes"]["colour"], serde_json::json!({"Type": "String", "Value": "red"}));
    assert_eq!(wrapped["MessageAttributes"]["bytes"], serde_json::json!({"Type": "Binary", "Value": "AQI="}));
    let raw = &received(&cx, "raw").await[0];
    assert_eq!(raw.body.as_deref(), Some("hello \"you\""));
    assert_eq!(raw.message_attributes["colour"].string_value.as_deref(), Some("red"));
    assert_eq!(raw.message_attributes["bytes"].binary_value, Some(Blob(vec![1, 2])));
}

#[tokio::test(start_paused = true)]
async fn signatures_of_both_versions_verify_with_the_certificate_of_their_url() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    subscribe(&cx, &news, "sqs", &queue(&cx, "q").await, Map::new()).await.expect("subscribed");
    for version in ["1", "2"] {
        let (topic_arn, attribute_name) = (news.clone(), "SignatureVersion".to_owned());
        let set = SetTopicAttributesRequest { topic_arn, attribute_name, attribute_value: Some(version.to_owned()) };
        cx.call(set).await.expect("set");
        cx.call(PublishRequest { subject: Some("s".to_owned()), ..message(&news, "m") }).await.expect("published");
        seconds(1).await;
        let told = received(&cx, "q").await.pop().expect("a message");
        let told = json(&told.body.expect("a body"));
        assert_eq!(told["SignatureVersion"], version);
        let url = told["SigningCertURL"].as_str().expect("a URL");
        let path = url.strip_prefix("http://127.0.0.1:4566/_kiln/sns/").expect("kiln's own");
        let (status, kind, pem, _) = crate::answer(cx.platform(), path, &Map::new()).await;
        assert_eq!((status, kind), (200, "application/x-pem-file"));
        let certificate = x509_cert::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        let key = certificate.tbs_certificate.subject_public_key_info.to_der().expect("a key");
        let key = rsa::RsaPublicKey::from_public_key_der(&key).expect("of RSA");
        let signed: String = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
            .iter()
            .map(|name| format!("{name}\n{}\n", told[*name].as_str().expect("text")))
            .collect();
        let signature = STANDARD.decode(told["Signature"].as_str().expect("text")).expect("Base64");
        let signature = Signature::try_from(signature.as_slice()).expect("a signature");
        match version {
            "1" => VerifyingKey::<sha1::Sha1>::new(key).verify(signed.as_bytes(), &signature),
            _ => VerifyingKey::<rsa::sha2::Sha256>::new(key).verify(signed.as_bytes(), &signature),
        }
        .expect("it verifies");
        let delete = sqs::PurgeQueueRequest { queue_url: format!("http://x/{ACCOUNT}/q") };
        cx.call(delete).await.expect("emptied");
        seconds(60).await;
    }
    assert_eq!(crate::answer(cx.platform(), "other.pem", &Map::new()).await.0, 404);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &KEYS.path().join(Signer::FILE).metadata().expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(start_paused = true)]
async fn filters_decide_by_attributes_or_body() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let with = |filter: &str, scope: &str| {
        texts([("FilterPolicy", filter), ("FilterPolicyScope", scope), ("RawMessageDelivery", "true")])
    };
    let by_attributes = with(r#"{"store":["shop"],"price":[{"numeric":[">",5]}]}"#, "MessageAttributes");
    subscribe(&cx, &news, "sqs", &queue(&cx, "attributes").await, by_attributes).await.expect("subscribed");
    let by_body = with(r#"{"order":{"kind":["new"]}}"#, "MessageBody");
    subscribe(&cx, &news, "sqs", &queue(&cx, "body").await, by_body).await.expect("subscribed");
    let listed = with(r#"{"interests":["rugby"]}"#, "MessageAttributes");
    subscribe(&cx, &news, "sqs", &queue(&cx, "listed").await, listed).await.expect("subscribed");
    for (text, attributes) in [
        ("cheap", vec![("store", "String", "shop"), ("price", "Number", "5")]),
        ("dear", vec![("store", "String", "shop"), ("price", "Number", "5.5")]),
        ("text", vec![("store", "String", "shop"), ("price", "String", "6")]),
        (r#"{"order":{"kind":"new"}}"#, vec![]),
        (r#"{"order":{"kind":"old"}}"#, vec![]),
        ("sport", vec![("interests", "String.Array", r#"["tennis","rugby"]"#)]),
        ("no list", vec![("interests", "String.Array", "rugby")]),
    ] {
        let message_attributes =
            attributes.into_iter().map(|(name, kind, value)| (name.to_owned(), attribute(kind, value))).collect();
        cx.call(PublishRequest { message_attributes, ..message(&news, text) }).await.expect("published");
    }
    seconds(1).await;
    assert_eq!(bodies(&cx, "attributes").await, ["dear"]);
    assert_eq!(bodies(&cx, "body").await, [r#"{"order":{"kind":"new"}}"#]);
    assert_eq!(bodies(&cx, "listed").await, ["sport"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_refuses_goes_to_the_dead_letter_queue() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    queue(&cx, "dead").await;
    let redrive = format!(r#"{{"deadLetterTargetArn":"{}"}}"#, queue_arn("dead"));
    subscribe(&cx, &news, "sqs", &queue_arn("missing"), texts([("RedrivePolicy", &redrive)]))
        .await
        .expect("subscribed");
    // One whose policy does not let the topic in.
    let closed = sqs::CreateQueueRequest { queue_name: "closed".to_owned(), ..Default::default() };
    cx.call(closed).await.expect("made");
    let raw = texts([("RedrivePolicy", redrive.as_str()), ("RawMessageDelivery", "true")]);
    subscribe(&cx, &news, "sqs", &queue_arn("closed"), raw).await.expect("subscribed");
    publish(&cx, &news, "lost?").await;
    seconds(2).await;
    let dead = bodies(&cx, "dead").await;
    assert_eq!((dead.len(), dead[0].as_str()), (2, "lost?"));
    assert_eq!(json(&dead[1])["Message"], "lost?");
    assert!(bodies(&cx, "closed").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_protocol_has_its_own_text() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let raw = texts([("RawMessageDelivery", "true")]);
    subscribe(&cx, &news, "sqs", &queue(&cx, "q").await, raw).await.expect("subscribed");
    let structured = |text: &str| PublishRequest { message_structure: Some("json".to_owned()), ..message(&news, text) };
    cx.call(structured(r#"{"default":"d","sqs":"for queues","http":1}"#)).await.expect("published");
    cx.call(structured(r#"{"default":"d","email":"e"}"#)).await.expect("published");
    seconds(1).await;
    assert_eq!(bodies(&cx, "q").await, ["d", "for queues"]);
    for (text, told) in [
        ("no json", "Invalid parameter: Message Structure - JSON message body failed to parse"),
        (r#"{"sqs":"s"}"#, "Invalid parameter: Message Structure - No default entry in JSON message body"),
        (r#"{"default":1}"#, "Invalid parameter: Message Structure - No default entry in JSON message body"),
        (
            r#"{"default":"a","default":"b"}"#,
            "Invalid parameter: Message Structure - Duplicate key in JSON message body: default",
        ),
    ] {
        assert_eq!(cx.call(structured(text)).await.expect_err(text).message, told);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_refused() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let base = message(&news, "x");
    let with = |name: &str, value: MessageAttributeValue| PublishRequest {
        message_attributes: Map::from([(name.to_owned(), value)]),
        ..base.clone()
    };
    let long = "x".repeat(101);
    for wrong in [
        message(&news, ""),
        message(&news, &"x".repeat(262_145)),
        PublishRequest { subject: Some(long), ..base.clone() },
        PublishRequest { subject: Some(String::new()), ..base.clone() },
        PublishRequest { subject: Some("a\nb".to_owned()), ..base.clone() },
        PublishRequest { message_structure: Some("xml".to_owned()), ..base.clone() },
        PublishRequest { message_deduplication_id: Some("1".to_owned()), ..base.clone() },
        PublishRequest { topic_arn: None, ..base.clone() },
        PublishRequest { target_arn: Some(news.clone()), ..base.clone() },
        PublishRequest {
            message_attributes: Map::from([("a".to_owned(), attribute("String", "x"))]),
            ..message(&news, &"x".repeat(262_140))
        },
    ] {
        assert_eq!(code(cx.call(wrong).await), "InvalidParameter");
    }
    for wrong in [
        with("a", attribute("String", "")),
        with("a", attribute("", "x")),
        with("a", attribute("Colour", "x")),
        with("a", attribute("Number", "x")),
        with("a", attribute("Binary", "x")),
        with("AWS.a", attribute("String", "x")),
        with(".a", attribute("String", "x")),
        with("a b", attribute("String", "x")),
    ] {
        assert_eq!(code(cx.call(wrong).await), "ParameterValueInvalid");
    }
    let phone = PublishRequest { topic_arn: None, phone_number: Some("+15555550100".to_owned()), ..base.clone() };
    assert_eq!(code(cx.call(phone).await), "NotImplemented");
    cx.call(PublishRequest { topic_arn: None, target_arn: Some(news.clone()), ..base.clone() })
        .await
        .expect("published");
    cx.call(message(&news, &"x".repeat(262_144))).await.expect("just small enough");
}

#[tokio::test(start_paused = true)]
async fn a_batch_tells_of_each_entry() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let raw = texts([("RawMessageDelivery", "true")]);
    subscribe(&cx, &news, "sqs", &queue(&cx, "q").await, raw).await.expect("subscribed");
    let entry = |id: &str, text: &str| PublishBatchRequestEntry {
        id: id.to_owned(),
        message: text.to_owned(),
        ..Default::default()
    };
    let batch = |entries| PublishBatchRequest { topic_arn: news.clone(), publish_batch_request_entries: entries };
    let told = cx.call(batch(vec![entry("a", "one"), entry("b", ""), entry("c", "three")])).await.expect("told");
    assert_eq!(told.successful.iter().filter_map(|it| it.id.as_deref()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!((told.failed[0].id.as_deref(), told.failed[0].code.as_deref()), (Some("b"), Some("InvalidParameter")));
    seconds(1).await;
    assert_eq!(bodies(&cx, "q").await, ["one", "three"]);
    let half = "x".repeat(131_073);
    for (entries, expected) in [
        ((0..11).map(|number| entry(&number.to_string(), "x")).collect(), "TooManyEntriesInBatchRequest"),
        (vec![entry("a", "x"), entry("a", "y")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "x")], "InvalidBatchEntryId"),
        (vec![entry("a", &half), entry("b", &half)], "BatchRequestTooLong"),
    ] {
        assert_eq!(code(cx.call(batch(entries)).await), expected);
    }
}

/// A publication whose transaction fails tells nobody; one that finds no room is refused.
#[tokio::test(start_paused = true)]
async fn a_subscriber_that_takes_nothing_holds_up_its_own_topic_alone() {
    let cx = given().await;
    let (slow, quick) = (topic(&cx, "slow").await, topic(&cx, "quick").await);
    let arn = subscribe(&cx, &slow, "http", "http://127.0.0.1:9/", Map::new()).await.expect("subscribed");
    // As if it had been confirmed.
    let id = format!("slow/{}", arn.rsplit(':').next().expect("an id"));
    let kept = cx.store().get::<crate::records::Subscription>(cx.scope(), &id).expect("reads").expect("there");
    let confirmed = crate::records::Subscription { pending: None, ..(*kept).clone() };
    cx.store().write::<_, StoreError>(|tx| tx.put(cx.scope(), &id, confirmed)).await.expect("kept");
    let large = "x".repeat(200_000);
    let mut published = 0;
    let refused = loop {
        match cx.call(message(&slow, &large)).await {
            Ok(_) => published += 1,
            Err(error) => break error,
        }
        assert!(published < 200, "never full");
    };
    assert_eq!((&*refused.code, refused.status), ("Throttled", 429));
    subscribe(&cx, &quick, "sqs", &queue(&cx, "q").await, Map::new()).await.expect("subscribed");
    publish(&cx, &quick, "still told").await;
    seconds(1).await;
    assert_eq!(bodies(&cx, "q").await.len(), 1);
}
