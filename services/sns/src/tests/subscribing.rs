//! Subscriptions: made, confirmed, changed, ended.

use super::*;
use crate::records::CONFIRMED_WITHIN;

async fn attributes(cx: &Cx, arn: &str) -> Result<Map<String>, Error> {
    Ok(cx.call(GetSubscriptionAttributesRequest { subscription_arn: arn.to_owned() }).await?.attributes)
}

async fn set(cx: &Cx, arn: &str, name: &str, value: &str) -> Result<SetSubscriptionAttributesResponse, Error> {
    let (subscription_arn, attribute_name) = (arn.to_owned(), name.to_owned());
    cx.call(SetSubscriptionAttributesRequest {
        subscription_arn,
        attribute_name,
        attribute_value: Some(value.to_owned()),
    })
    .await
}

/// The query of a link in a text.
fn link(text: &str, action: &str) -> Map<String> {
    let start = format!("http://127.0.0.1:4566/_kiln/sns/?Action={action}&");
    let at = text.find(&start).unwrap_or_else(|| panic!("no link to {action}: {text}"));
    let url = text[at..].split_whitespace().next().expect("a link").trim_end_matches(['"', ',']);
    let pairs = url.split_once('?').expect("a query").1.split('&');
    pairs.map(|pair| pair.split_once('=').expect("a pair")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn mail_is_asked_for_and_told_once_its_link_was_followed() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let arn = subscribe(&cx, &news, "email", "ops@example.com", Map::new()).await.expect("subscribed");
    assert_eq!(attributes(&cx, &arn).await.expect("found")["PendingConfirmation"], "true");
    publish(&cx, &news, "too early").await;
    seconds(1).await;
    let asked = mails(&cx);
    assert_eq!(asked.len(), 1, "the question alone");
    assert_eq!(
        (asked[0].to.as_str(), asked[0].subject.as_str()),
        ("ops@example.com", "AWS Notification - Subscription Confirmation")
    );
    let query = link(&asked[0].body, "ConfirmSubscription");
    assert_eq!(query["TopicArn"], news);
    let wrong = Map::from([
        ("Token".to_owned(), "x".repeat(64)),
        ("Action".to_owned(), "ConfirmSubscription".to_owned()),
        ("TopicArn".to_owned(), news.clone()),
    ]);
    assert_eq!(crate::answer(cx.platform(), "", &wrong).await.0, 400);
    for _ in 0..2 {
        let (status, _, body, _) = crate::answer(cx.platform(), "", &query).await;
        assert!(
            status == 200 && body.contains(&format!("<SubscriptionArn>{arn}</SubscriptionArn>")),
            "{status} {body}"
        );
    }
    let confirmed = attributes(&cx, &arn).await.expect("found");
    assert_eq!(
        (confirmed["PendingConfirmation"].as_str(), confirmed["ConfirmationWasAuthenticated"].as_str()),
        ("false", "false")
    );
    cx.call(PublishRequest { subject: Some("fire".to_owned()), ..message(&news, "it burns") })
        .await
        .expect("published");
    seconds(1).await;
    let told = &mails(&cx)[0];
    assert_eq!((told.subject.as_str(), told.from.as_str()), ("fire", "AWS Notifications <no-reply@sns.amazonaws.com>"));
    assert!(told.body.starts_with("it burns\n"), "{}", told.body);
    assert_eq!(crate::answer(cx.platform(), "", &link(&told.body, "Unsubscribe")).await.0, 200);
    assert_eq!(code(attributes(&cx, &arn).await), "NotFound");
    let topic = cx.call(GetTopicAttributesRequest { topic_arn: news }).await.expect("found").attributes;
    assert_eq!((topic["SubscriptionsDeleted"].as_str(), topic["SubscriptionsConfirmed"].as_str()), ("1", "0"));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_for_two_days_and_the_newest_counts() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    subscribe(&cx, &news, "email", "ops@example.com", Map::new()).await.expect("subscribed");
    seconds(1).await;
    let first = link(&mails(&cx)[0].body, "ConfirmSubscription");
    subscribe(&cx, &news, "email", "ops@example.com", Map::new()).await.expect("asked again");
    seconds(1).await;
    let second = link(&mails(&cx)[0].body, "ConfirmSubscription");
    let confirm = |query: &Map<String>| ConfirmSubscriptionRequest {
        topic_arn: news.clone(),
        token: query["Token"].clone(),
        authenticate_on_unsubscribe: Some("true".to_owned()),
    };
    assert_eq!(code(cx.call(confirm(&first)).await), "InvalidParameter");
    seconds(CONFIRMED_WITHIN.as_secs()).await;
    assert_eq!(code(cx.call(confirm(&second)).await), "InvalidParameter");
    assert!(
        cx.call(ListSubscriptionsRequest::default()).await.expect("listed").subscriptions.is_empty(),
        "it has lapsed"
    );
    let arn = subscribe(&cx, &news, "email", "ops@example.com", Map::new()).await.expect("subscribed anew");
    seconds(1).await;
    let third = link(&mails(&cx)[0].body, "ConfirmSubscription");
    assert_eq!(cx.call(confirm(&third)).await.expect("confirmed").subscription_arn, Some(arn.clone()));
    assert_eq!(attributes(&cx, &arn).await.expect("found")["ConfirmationWasAuthenticated"], "true");
    let end = Map::from([("Action".to_owned(), "Unsubscribe".to_owned()), ("SubscriptionArn".to_owned(), arn.clone())]);
    assert_eq!(crate::answer(cx.platform(), "", &end).await.0, 403, "by an authenticated call only");
    cx.call(UnsubscribeRequest { subscription_arn: arn.clone() }).await.expect("ended");
    cx.call(UnsubscribeRequest { subscription_arn: arn }).await.expect("also when it is gone");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_carries_is_refused_by_name_and_what_is_no_endpoint_in_sns_s_words() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    for (protocol, endpoint) in [
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f"),
        ("firehose", "arn:aws:firehose:us-east-1:000000000000:deliverystream/d"),
        ("application", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/a/b"),
        ("sms", "+15555550100"),
        ("https", "https://example.com/"),
    ] {
        let refused = subscribe(&cx, &news, protocol, endpoint, Map::new()).await.expect_err(protocol);
        assert!(refused.is("NotImplemented") && refused.message.contains(protocol), "{refused}");
    }
    for (protocol, endpoint) in [
        ("pigeon", "home"),
        ("http", "https://example.com/"),
        ("http", "example.com"),
        ("http", "http://169.254.169.254/latest"),
        ("http", "http://[::ffff:169.254.169.254]/latest"),
        ("sqs", "q"),
        ("sqs", "arn:aws:sns:us-east-1:000000000000:q"),
        ("sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo"),
        ("email", "ops"),
        ("email", "ops@example.com\nBcc: all@example.com"),
        ("email", "@example.com"),
        ("http", ""),
    ] {
        assert_eq!(
            code(subscribe(&cx, &news, protocol, endpoint, Map::new()).await),
            "InvalidParameter",
            "{protocol} {endpoint}"
        );
    }
    // From within a machine, or from where nobody knows: not to the host's own places.
    let outside = of(cx.platform(), ACCOUNT);
    let machine = of_host(of(cx.platform(), ACCOUNT)).from_ip("10.0.0.5".parse().unwrap()).from_vpc(&"vpc-1".into());
    for cx in [outside, machine] {
        for host in ["127.0.0.1:6379", "localhost", "10.0.0.1", "[::1]:80", "192.168.1.1"] {
            let refused = subscribe(&cx, &news, "http", &format!("http://{host}/"), Map::new()).await;
            assert_eq!(code(refused), "InvalidParameter", "{host}");
        }
    }
    subscribe(&cx, &news, "http", "http://127.0.0.1:9/", Map::new()).await.expect("from the host");
}

#[tokio::test(start_paused = true)]
async fn attributes_of_subscriptions_are_checked_kept_and_told() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    let dead = format!(r#"{{"deadLetterTargetArn":"{}"}}"#, queue_arn("dead"));
    let given = texts([("RawMessageDelivery", "true"), ("FilterPolicy", r#"{"a":["b"]}"#), ("RedrivePolicy", &dead)]);
    let arn = subscribe(&cx, &news, "sqs", &queue_arn("q"), given.clone()).await.expect("subscribed");
    assert_eq!(subscribe(&cx, &news, "sqs", &queue_arn("q"), given).await.expect("the same"), arn);
    let other = texts([("RawMessageDelivery", "false")]);
    assert_eq!(code(subscribe(&cx, &news, "sqs", &queue_arn("q"), other).await), "InvalidParameter");
    let told = attributes(&cx, &arn).await.expect("found");
    for (name, value) in [
        ("RawMessageDelivery", "true"),
        ("FilterPolicy", r#"{"a":["b"]}"#),
        ("FilterPolicyScope", "MessageAttributes"),
        ("RedrivePolicy", &dead),
        ("Protocol", "sqs"),
        ("Owner", ACCOUNT),
        ("TopicArn", &news),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    for (name, value) in [
        ("RawMessageDelivery", "yes"),
        ("FilterPolicy", "{"),
        ("FilterPolicy", r#"{"a":{"b":["c"]}}"#),
        ("FilterPolicyScope", "Everything"),
        ("RedrivePolicy", "{}"),
        ("RedrivePolicy", r#"{"deadLetterTargetArn":"q"}"#),
        ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:999988887777:q"}"#),
        ("DeliveryPolicy", r#"{"healthyRetryPolicy":{"numRetries":1}}"#),
        ("Colour", "red"),
    ] {
        assert_eq!(code(set(&cx, &arn, name, value).await), "InvalidParameter", "{name} {value}");
    }
    assert_eq!(code(set(&cx, &arn, "SubscriptionRoleArn", "r").await), "NotImplemented");
    set(&cx, &arn, "FilterPolicyScope", "MessageBody").await.expect("set");
    set(&cx, &arn, "FilterPolicy", r#"{"a":{"b":["c"]}}"#).await.expect("nested, of bodies");
    assert_eq!(code(set(&cx, &arn, "FilterPolicyScope", "MessageAttributes").await), "InvalidParameter");
    set(&cx, &arn, "FilterPolicy", "").await.expect("taken away");
    set(&cx, &arn, "RedrivePolicy", "").await.expect("taken away");
    let told = attributes(&cx, &arn).await.expect("found");
    assert!(!told.contains_key("FilterPolicy") && !told.contains_key("RedrivePolicy"));
    let mail = subscribe(&cx, &news, "email", "a@b", texts([("RawMessageDelivery", "true")])).await;
    assert_eq!(code(mail), "InvalidParameter");
    let other = of(cx.platform(), OTHERS);
    assert_eq!(code(attributes(&other, &arn).await), "AuthorizationError");
    assert_eq!(code(set(&other, &arn, "RawMessageDelivery", "false").await), "AuthorizationError");
    assert_eq!(code(other.call(UnsubscribeRequest { subscription_arn: arn }).await), "AuthorizationError");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_listed_to_their_owners_in_pages() {
    let cx = given().await;
    let news = topic(&cx, "news").await;
    for number in 0..101 {
        subscribe(&cx, &news, "sqs", &queue_arn(&format!("q{number}")), Map::new()).await.expect("subscribed");
    }
    let first =
        cx.call(ListSubscriptionsByTopicRequest { topic_arn: news.clone(), next_token: None }).await.expect("listed");
    assert_eq!(first.subscriptions.len(), 100);
    let next = ListSubscriptionsByTopicRequest { topic_arn: news.clone(), next_token: first.next_token };
    assert_eq!(cx.call(next).await.expect("listed").subscriptions.len(), 1);
    let all = cx.call(ListSubscriptionsRequest::default()).await.expect("listed");
    assert_eq!((all.subscriptions.len(), all.next_token.is_some()), (100, true));
    let other = of(cx.platform(), OTHERS);
    assert!(other.call(ListSubscriptionsRequest::default()).await.expect("listed").subscriptions.is_empty());
    let all = cx.call(ListSubscriptionsRequest { next_token: all.next_token }).await.expect("listed");
    assert_eq!((all.subscriptions.len(), all.next_token.is_none()), (1, true));
    let quiet = topic(&cx, "quiet").await;
    subscribe(&cx, &quiet, "email", "a@b", Map::new()).await.expect("subscribed");
    let waits = cx.call(ListSubscriptionsByTopicRequest { topic_arn: quiet, next_token: None }).await.expect("listed");
    assert_eq!(waits.subscriptions[0].subscription_arn.as_deref(), Some("PendingConfirmation"));
}
