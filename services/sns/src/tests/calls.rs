//! Topics, their attributes, policies and tags.

use super::*;

async fn attribute_of(cx: &Cx, arn: &str, name: &str) -> Option<String> {
    let found = cx.call(GetTopicAttributesRequest { topic_arn: arn.to_owned() }).await.expect("found");
    found.attributes.get(name).cloned()
}

async fn set(cx: &Cx, arn: &str, name: &str, value: &str) -> Result<SetTopicAttributesResponse, Error> {
    let (topic_arn, attribute_name) = (arn.to_owned(), name.to_owned());
    cx.call(SetTopicAttributesRequest { topic_arn, attribute_name, attribute_value: Some(value.to_owned()) }).await
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_made_once_and_deleted_with_its_subscriptions() {
    let cx = given().await;
    let make = |name: &str, attributes| CreateTopicRequest { name: name.to_owned(), attributes, ..Default::default() };
    let arn = topic(&cx, "news").await;
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:news");
    assert_eq!(topic(&cx, "news").await, arn);
    assert_eq!(code(cx.call(make("news", texts([("DisplayName", "other")]))).await), "InvalidParameter");
    for wrong in ["", "a b", "ä", &"x".repeat(257), "a/b", "x.fifo"] {
        assert_eq!(code(cx.call(make(wrong, Map::new())).await), "InvalidParameter", "{wrong}");
    }
    for refused in [
        ("FifoTopic", "true", "x.fifo"),
        ("KmsMasterKeyId", "k", "x"),
        ("HTTPSuccessFeedbackRoleArn", "r", "x"),
        ("TracingConfig", "Active", "x"),
    ] {
        let refusal = cx.call(make(refused.2, texts([(refused.0, refused.1)]))).await.expect_err(refused.0);
        assert!(refusal.is("NotImplemented"), "{refusal}");
    }
    assert_eq!(code(cx.call(make("x", texts([("Colour", "red")]))).await), "InvalidParameter");
    subscribe(&cx, &arn, "sqs", &queue_arn("q"), Map::new()).await.expect("subscribed");
    assert_eq!(attribute_of(&cx, &arn, "SubscriptionsConfirmed").await.as_deref(), Some("1"));
    for _ in 0..2 {
        cx.call(DeleteTopicRequest { topic_arn: arn.clone() }).await.expect("deleted, also when it is gone");
    }
    assert_eq!(code(cx.call(GetTopicAttributesRequest { topic_arn: arn.clone() }).await), "NotFound");
    assert_eq!(code(cx.call(message(&arn, "x")).await), "NotFound");
    assert!(cx.call(ListSubscriptionsRequest::default()).await.expect("listed").subscriptions.is_empty());
    assert_eq!(code(cx.call(GetTopicAttributesRequest { topic_arn: "news".to_owned() }).await), "InvalidParameter");
    let elsewhere = arn.replace("us-east-1", "eu-west-1");
    assert_eq!(code(cx.call(GetTopicAttributesRequest { topic_arn: elsewhere }).await), "InvalidParameter");
}

#[tokio::test(start_paused = true)]
async fn listings_have_pages_of_a_hundred() {
    let cx = given().await;
    for number in 0..101 {
        topic(&cx, &format!("t{number:03}")).await;
    }
    let first = cx.call(ListTopicsRequest::default()).await.expect("listed");
    assert_eq!(first.topics.len(), 100);
    let second = cx.call(ListTopicsRequest { next_token: first.next_token }).await.expect("listed");
    assert_eq!((second.topics.len(), second.next_token.is_none()), (1, true));
    assert_eq!(second.topics[0].topic_arn.as_deref(), Some("arn:aws:sns:us-east-1:000000000000:t100"));
    assert_eq!(code(cx.call(ListTopicsRequest { next_token: Some("x".to_owned()) }).await), "InvalidParameter");
}

#[tokio::test(start_paused = true)]
async fn attributes_are_what_was_set() {
    let cx = given().await;
    let arn = topic(&cx, "news").await;
    let policy = json(&attribute_of(&cx, &arn, "Policy").await.expect("a policy"));
    assert_eq!(policy["Statement"][0]["Condition"]["StringEquals"]["AWS:SourceOwner"], ACCOUNT);
    let effective = json(&attribute_of(&cx, &arn, "EffectiveDeliveryPolicy").await.expect("a policy"));
    assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["numRetries"], 3);
    set(&cx, &arn, "DisplayName", "The News").await.expect("set");
    set(&cx, &arn, "SignatureVersion", "2").await.expect("set");
    set(&cx, &arn, "DeliveryPolicy", r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":7}}}"#).await.expect("set");
    assert_eq!(attribute_of(&cx, &arn, "DisplayName").await.as_deref(), Some("The News"));
    assert_eq!(attribute_of(&cx, &arn, "SignatureVersion").await.as_deref(), Some("2"));
    let effective = json(&attribute_of(&cx, &arn, "EffectiveDeliveryPolicy").await.expect("a policy"));
    assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["numRetries"], 7);
    let long = "x".repeat(101);
    let policy = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"{action}","Resource":"{arn}"}}]}}"#
        )
    };
    for (name, value) in [
        ("DisplayName", long.as_str()),
        ("SignatureVersion", "3"),
        ("DeliveryPolicy", "{"),
        ("Policy", "{"),
        ("Policy", "[]"),
        ("Policy", &policy("sqs:SendMessage")),
        ("Policy", &policy("sns:Publish").replace("\"*\"", r#"{"AWS":"arn:aws:iam::000000000000:user/nobody"}"#)),
        ("Colour", "red"),
    ] {
        assert_eq!(code(set(&cx, &arn, name, value).await), "InvalidParameter", "{name} {value}");
    }
    set(&cx, &arn, "Policy", &policy("SNS:Publish")).await.expect("set");
    assert_eq!(attribute_of(&cx, &arn, "Policy").await, Some(policy("SNS:Publish")));
    set(&cx, &arn, "Policy", "").await.expect("back to the default");
    assert!(attribute_of(&cx, &arn, "Policy").await.expect("a policy").contains("__default_policy_ID"));
}

#[tokio::test(start_paused = true)]
async fn others_may_what_a_permission_says() {
    let cx = given().await;
    let arn = topic(&cx, "news").await;
    let other = of(cx.platform(), OTHERS);
    assert_eq!(code(other.call(message(&arn, "x")).await), "AuthorizationError");
    let missing = arn.replace("news", "none");
    assert_eq!(code(other.call(message(&missing, "x")).await), "AuthorizationError", "nobody learns what there is");
    let add = AddPermissionRequest {
        topic_arn: arn.clone(),
        label: "friends".to_owned(),
        aws_account_id: vec![OTHERS.to_owned()],
        action_name: vec!["Publish".to_owned()],
    };
    cx.call(add.clone()).await.expect("added");
    assert_eq!(code(cx.call(add.clone()).await), "InvalidParameter", "it is there");
    other.call(message(&arn, "x")).await.expect("let in");
    let batch = PublishBatchRequest {
        topic_arn: arn.clone(),
        publish_batch_request_entries: vec![PublishBatchRequestEntry {
            id: "1".to_owned(),
            message: "x".to_owned(),
            ..Default::default()
        }],
    };
    other.call(batch.clone()).await.expect("the same action");
    assert_eq!(code(other.call(GetTopicAttributesRequest { topic_arn: arn.clone() }).await), "AuthorizationError");
    cx.call(RemovePermissionRequest { topic_arn: arn.clone(), label: "friends".to_owned() }).await.expect("removed");
    assert_eq!(code(other.call(batch).await), "AuthorizationError");
    for wrong in [
        AddPermissionRequest { label: "a b".to_owned(), ..add.clone() },
        AddPermissionRequest { aws_account_id: vec!["1".to_owned()], ..add.clone() },
        AddPermissionRequest { action_name: vec!["Fly".to_owned()], ..add },
    ] {
        assert_eq!(code(cx.call(wrong).await), "InvalidParameter");
    }
}

/// The default policy lets services in that act for things of the account, and no others.
#[tokio::test(start_paused = true)]
async fn services_publish_for_things_of_the_topic_s_account() {
    let cx = given().await;
    let arn = topic(&cx, "alarms").await;
    let service = |account: &str| {
        let cx = Cx::for_service(cx.platform().clone(), Scope::new(account, "us-east-1"), "cloudwatch.amazonaws.com");
        cx.on_behalf_of(&format!("arn:aws:cloudwatch:us-east-1:{account}:alarm:a"))
    };
    service(ACCOUNT).call(message(&arn, "x")).await.expect("of this account");
    assert_eq!(code(service(OTHERS).call(message(&arn, "x")).await), "AuthorizationError");
}

#[tokio::test(start_paused = true)]
async fn tags_are_given_changed_and_taken() {
    let cx = given().await;
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let make = CreateTopicRequest { name: "news".to_owned(), tags: vec![tag("a", "1")], ..Default::default() };
    let arn = cx.call(make.clone()).await.expect("made").topic_arn.expect("an ARN");
    cx.call(make.clone()).await.expect("the same");
    assert_eq!(code(cx.call(CreateTopicRequest { tags: vec![tag("a", "2")], ..make }).await), "InvalidParameter");
    cx.call(TagResourceRequest { resource_arn: arn.clone(), tags: vec![tag("b", "2"), tag("a", "3")] })
        .await
        .expect("set");
    cx.call(UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["b".to_owned()] }).await.expect("taken");
    let listed = cx.call(ListTagsForResourceRequest { resource_arn: arn.clone() }).await.expect("listed");
    assert_eq!(listed.tags, [tag("a", "3")]);
    let many = (0..51).map(|number| tag(&number.to_string(), "")).collect();
    let resource_arn = arn.clone();
    assert_eq!(code(cx.call(TagResourceRequest { resource_arn, tags: many }).await), "TagLimitExceeded");
    let resource_arn = arn.clone();
    assert_eq!(
        code(cx.call(TagResourceRequest { resource_arn, tags: vec![tag("aws:x", "")] }).await),
        "InvalidParameter"
    );
    let none = arn.replace("news", "none");
    assert_eq!(code(cx.call(ListTagsForResourceRequest { resource_arn: none }).await), "ResourceNotFound");
}
