//! The service through its public operations, on a store and messages in memory.

mod disk;
mod fifo;
mod policies;
mod tasks;

use crate::Messages;
use kiln_service_kit::*;
use kiln_sqs_shapes::*;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "111111111111";

/// A platform on a clock that tokio's moves, and its root user.
fn given() -> Cx {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let messages = Messages::in_memory().expect("messages in memory");
    let platform: Arc<Platform> =
        PlatformBuilder::new(store, clock, IdSource::seeded(1)).part(messages).service(crate::service()).build();
    Cx::new(platform, Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "test").via_host("127.0.0.1:4566")
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Map<String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

async fn queue<const N: usize>(cx: &Cx, name: &str, attributes: [(&str, &str); N]) -> String {
    let made = CreateQueueRequest { queue_name: name.into(), attributes: texts(attributes), ..Default::default() };
    cx.call(made).await.expect("made").queue_url.expect("a URL")
}

fn message(url: &str, body: &str) -> SendMessageRequest {
    SendMessageRequest { queue_url: url.into(), message_body: body.into(), ..Default::default() }
}

fn some(url: &str, most: i32) -> ReceiveMessageRequest {
    ReceiveMessageRequest { queue_url: url.into(), max_number_of_messages: Some(most), ..Default::default() }
}

async fn received(cx: &Cx, request: ReceiveMessageRequest) -> Vec<Message> {
    cx.call(request).await.expect("received").messages
}

async fn bodies(cx: &Cx, url: &str) -> Vec<String> {
    received(cx, some(url, 10)).await.into_iter().filter_map(|message| message.body).collect()
}

async fn delete(cx: &Cx, url: &str, message: &Message) -> Result<DeleteMessageResponse, Error> {
    let receipt_handle = message.receipt_handle.clone().expect("a handle");
    cx.call(DeleteMessageRequest { queue_url: url.into(), receipt_handle }).await
}

async fn attribute(cx: &Cx, url: &str, name: &str) -> Option<String> {
    let asked = GetQueueAttributesRequest { queue_url: url.into(), attribute_names: vec![name.into()] };
    cx.call(asked).await.expect("attributes").attributes.remove(name)
}

/// How many wait, are in flight, and are delayed.
async fn counts(cx: &Cx, url: &str) -> [String; 3] {
    let asked = GetQueueAttributesRequest { queue_url: url.into(), attribute_names: vec!["All".into()] };
    let mut all = cx.call(asked).await.expect("attributes").attributes;
    ["", "NotVisible", "Delayed"]
        .map(|which| all.remove(&format!("ApproximateNumberOfMessages{which}")).expect("a count"))
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_made_once_found_and_deleted() {
    let cx = given();
    let url = queue(&cx, "jobs", [("VisibilityTimeout", "40")]).await;
    assert_eq!(url, format!("http://127.0.0.1:4566/{ACCOUNT}/jobs"));
    assert_eq!(queue(&cx, "jobs", [("VisibilityTimeout", "40"), ("DelaySeconds", "0")]).await, url);
    let other = texts([("VisibilityTimeout", "41")]);
    let again = CreateQueueRequest { queue_name: "jobs".into(), attributes: other, ..Default::default() };
    assert_eq!(code(cx.call(again).await), "QueueNameExists");
    let asked = GetQueueUrlRequest { queue_name: "jobs".into(), ..Default::default() };
    assert_eq!(cx.call(asked).await.unwrap().queue_url.as_deref(), Some(url.as_str()));
    for name in ["jobs-2", "other"] {
        queue(&cx, name, []).await;
    }
    let list = ListQueuesRequest { queue_name_prefix: Some("jobs".into()), max_results: Some(1), next_token: None };
    let first = cx.call(list.clone()).await.unwrap();
    assert_eq!(first.queue_urls, [url.as_str()]);
    let second = cx.call(ListQueuesRequest { next_token: first.next_token, ..list }).await.unwrap();
    assert_eq!((second.queue_urls, second.next_token), (vec![format!("{url}-2")], None));
    cx.call(message(&url, "left")).await.unwrap();
    cx.call(DeleteQueueRequest { queue_url: url.clone() }).await.unwrap();
    assert_eq!(code(cx.call(message(&url, "late")).await), "QueueDoesNotExist");
    queue(&cx, "jobs", []).await;
    assert_eq!(bodies(&cx, &url).await, Vec::<String>::new(), "a queue of the same name is another");
}

#[tokio::test(start_paused = true)]
async fn names_and_attributes_are_held_to_aws_s_ranges() {
    let cx = given();
    for (name, attributes, expected) in [
        ("a b", texts([]), "InvalidParameterValue"),
        ("a.fifo", texts([]), "InvalidParameterValue"),
        ("a", texts([("FifoQueue", "true")]), "InvalidParameterValue"),
        ("a", texts([("FifoQueue", "false")]), "InvalidAttributeName"),
        ("a", texts([("ContentBasedDeduplication", "true")]), "InvalidAttributeName"),
        ("a", texts([("QueueArn", "x")]), "InvalidAttributeName"),
        ("a", texts([("Nonsense", "x")]), "InvalidAttributeName"),
        ("a", texts([("DelaySeconds", "901")]), "InvalidAttributeValue"),
        ("a", texts([("DelaySeconds", "+1")]), "InvalidAttributeValue"),
        ("a", texts([("MaximumMessageSize", "1048577")]), "InvalidAttributeValue"),
        ("a", texts([("MaximumMessageSize", "1023")]), "InvalidAttributeValue"),
        ("a", texts([("MessageRetentionPeriod", "59")]), "InvalidAttributeValue"),
        ("a", texts([("ReceiveMessageWaitTimeSeconds", "21")]), "InvalidAttributeValue"),
        ("a", texts([("VisibilityTimeout", "43201")]), "InvalidAttributeValue"),
        ("a", texts([("Policy", "no policy")]), "InvalidAttributeValue"),
        ("a", texts([("RedrivePolicy", "[]")]), "InvalidParameterValue"),
        ("a", texts([("RedrivePolicy", r#"{"maxReceiveCount":1}"#)]), "InvalidParameterValue"),
        ("a", texts([("RedriveAllowPolicy", r#"{"redrivePermission":"some"}"#)]), "InvalidParameterValue"),
        ("a", texts([("KmsMasterKeyId", "alias/aws/sqs")]), "NotImplemented"),
        ("a", texts([("KmsDataKeyReusePeriodSeconds", "60")]), "NotImplemented"),
        (
            "a.fifo",
            texts([("FifoQueue", "true"), ("FifoThroughputLimit", "perMessageGroupId")]),
            "InvalidAttributeValue",
        ),
    ] {
        let shown = format!("{name} {attributes:?}");
        let made = CreateQueueRequest { queue_name: name.into(), attributes, ..Default::default() };
        assert_eq!(code(cx.call(made).await), expected, "{shown}");
    }
    let url = queue(&cx, "a", []).await;
    for (name, value) in [
        ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "345600"),
        ("VisibilityTimeout", "30"),
        ("SqsManagedSseEnabled", "true"),
        ("QueueArn", "arn:aws:sqs:us-east-1:111111111111:a"),
        ("CreatedTimestamp", "1767225600"),
    ] {
        assert_eq!(attribute(&cx, &url, name).await.as_deref(), Some(value), "{name}");
    }
    let asked = GetQueueAttributesRequest { queue_url: url.clone(), attribute_names: vec!["Nonsense".into()] };
    assert_eq!(code(cx.call(asked).await), "InvalidAttributeName");
    seconds(5).await;
    let set = SetQueueAttributesRequest { queue_url: url.clone(), attributes: texts([("DelaySeconds", "9")]) };
    cx.call(set).await.unwrap();
    assert_eq!(attribute(&cx, &url, "DelaySeconds").await.as_deref(), Some("9"));
    assert_eq!(attribute(&cx, &url, "LastModifiedTimestamp").await.as_deref(), Some("1767225605"));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_invisible_while_in_flight_and_gone_when_deleted() {
    let cx = given();
    let url = queue(&cx, "jobs", []).await;
    let sent = cx.call(message(&url, "hello")).await.unwrap();
    assert_eq!(sent.md5_of_message_body.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(sent.sequence_number, None);
    assert_eq!(counts(&cx, &url).await, ["1", "0", "0"]);
    let all = ReceiveMessageRequest { attribute_names: vec!["All".into()], ..some(&url, 1) };
    let first = received(&cx, all.clone()).await.remove(0);
    assert_eq!(first.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(first.attributes["SenderId"], ACCOUNT);
    assert_eq!(first.attributes["SentTimestamp"], "1767225600000");
    assert_eq!(counts(&cx, &url).await, ["0", "1", "0"]);
    assert!(bodies(&cx, &url).await.is_empty());
    seconds(31).await;
    assert_eq!(counts(&cx, &url).await, ["1", "0", "0"]);
    let second = received(&cx, all).await.remove(0);
    assert_eq!((&second.message_id, &second.attributes["ApproximateReceiveCount"]), (&first.message_id, &"2".into()));
    delete(&cx, &url, &first).await.expect("an old handle deletes nothing");
    assert_eq!(counts(&cx, &url).await, ["0", "1", "0"]);
    for _ in 0..2 {
        delete(&cx, &url, &second).await.expect("the last one does, and again");
    }
    assert_eq!(counts(&cx, &url).await, ["0", "0", "0"]);
    seconds(60).await;
    assert!(bodies(&cx, &url).await.is_empty());
    let other = queue(&cx, "other", []).await;
    assert_eq!(code(delete(&cx, &other, &second).await), "ReceiptHandleIsInvalid");
    let nonsense = DeleteMessageRequest { queue_url: url.clone(), receipt_handle: "nonsense".into() };
    assert_eq!(code(cx.call(nonsense).await), "ReceiptHandleIsInvalid");
}

#[tokio::test(start_paused = true)]
async fn visibility_is_changed_within_twelve_hours_of_a_receive() {
    let cx = given();
    let url = queue(&cx, "jobs", []).await;
    cx.call(message(&url, "a")).await.unwrap();
    let got = received(&cx, some(&url, 1)).await.remove(0);
    let change = |visibility_timeout| ChangeMessageVisibilityRequest {
        queue_url: url.clone(),
        receipt_handle: got.receipt_handle.clone().expect("a handle"),
        visibility_timeout,
    };
    cx.call(change(100)).await.unwrap();
    seconds(99).await;
    assert!(bodies(&cx, &url).await.is_empty());
    assert_eq!(code(cx.call(change(43_200)).await), "InvalidParameterValue", "too long in all");
    assert_eq!(code(cx.call(change(43_201)).await), "InvalidParameterValue");
    cx.call(change(0)).await.unwrap();
    assert_eq!(code(cx.call(change(10)).await), "MessageNotInflight");
    let again = received(&cx, some(&url, 1)).await.remove(0);
    assert_eq!(code(cx.call(change(10)).await), "MessageNotInflight", "by the handle of an earlier receive");
    delete(&cx, &url, &again).await.unwrap();
    assert_eq!(code(cx.call(change(10)).await), "InvalidParameterValue", "it is gone");
}

#[tokio::test(start_paused = true)]
async fn delays_retention_and_purges() {
    let cx = given();
    let url = queue(&cx, "jobs", [("DelaySeconds", "10"), ("MessageRetentionPeriod", "60")]).await;
    cx.call(message(&url, "late")).await.unwrap();
    cx.call(SendMessageRequest { delay_seconds: Some(0), ..message(&url, "now") }).await.unwrap();
    assert_eq!(counts(&cx, &url).await, ["1", "0", "1"]);
    assert_eq!(bodies(&cx, &url).await, ["now"]);
    seconds(11).await;
    assert_eq!(bodies(&cx, &url).await, ["late"]);
    seconds(60).await;
    assert_eq!(counts(&cx, &url).await, ["0", "0", "0"], "older than they are kept");
    for body in ["a", "b"] {
        cx.call(SendMessageRequest { delay_seconds: Some(0), ..message(&url, body) }).await.unwrap();
    }
    received(&cx, some(&url, 1)).await;
    cx.call(PurgeQueueRequest { queue_url: url.clone() }).await.unwrap();
    assert_eq!(counts(&cx, &url).await, ["0", "0", "0"]);
    assert_eq!(code(cx.call(PurgeQueueRequest { queue_url: url.clone() }).await), "PurgeQueueInProgress");
    seconds(60).await;
    cx.call(PurgeQueueRequest { queue_url: url.clone() }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_when_a_message_comes_becomes_visible_or_the_time_is_over() {
    let cx = given();
    let url = queue(&cx, "jobs", [("VisibilityTimeout", "3")]).await;
    let poll = ReceiveMessageRequest { wait_time_seconds: Some(20), ..some(&url, 10) };
    let begun = cx.now();
    let (got, _) = tokio::join!(received(&cx, poll.clone()), async {
        seconds(2).await;
        cx.call(message(&url, "a")).await.unwrap();
    });
    assert_eq!((got.len(), cx.now().since(begun).as_secs()), (1, 2), "as soon as it came");
    assert_eq!(received(&cx, poll.clone()).await.len(), 1, "when it was visible again");
    assert_eq!(cx.now().since(begun).as_secs(), 5);
    let later = SendMessageRequest { delay_seconds: Some(7), ..message(&url, "b") };
    seconds(4).await;
    delete(&cx, &url, &received(&cx, some(&url, 1)).await.remove(0)).await.unwrap();
    let (got, _) = tokio::join!(received(&cx, poll.clone()), async {
        cx.call(later).await.unwrap();
    });
    assert_eq!((got.len(), cx.now().since(begun).as_secs()), (1, 16), "when its delay was over");
    delete(&cx, &url, &got[0]).await.unwrap();
    assert!(received(&cx, poll).await.is_empty());
    assert_eq!(cx.now().since(begun).as_secs(), 36);
    // Three who wait, and one message each.
    let one = ReceiveMessageRequest { wait_time_seconds: Some(20), ..some(&url, 1) };
    let (a, b, c, ()) =
        tokio::join!(received(&cx, one.clone()), received(&cx, one.clone()), received(&cx, one), async {
            seconds(1).await;
            for body in ["x", "y", "z"] {
                cx.call(message(&url, body)).await.unwrap();
            }
        });
    assert_eq!((a.len(), b.len(), c.len(), cx.now().since(begun).as_secs()), (1, 1, 1, 37));
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_a_queue_that_is_deleted_is_told() {
    let cx = given();
    let url = queue(&cx, "jobs", []).await;
    let poll = ReceiveMessageRequest { wait_time_seconds: Some(20), ..some(&url, 10) };
    let (told, _) = tokio::join!(cx.call(poll), async {
        seconds(1).await;
        cx.call(DeleteQueueRequest { queue_url: url.clone() }).await.unwrap();
    });
    assert_eq!(code(told), "QueueDoesNotExist");
}

fn text(kind: &str, text: &str) -> MessageAttributeValue {
    MessageAttributeValue { data_type: kind.into(), string_value: Some(text.into()), ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn attributes_come_back_as_they_are_asked_for() {
    let cx = given();
    let url = queue(&cx, "jobs", [("VisibilityTimeout", "0")]).await;
    let binary = MessageAttributeValue {
        data_type: "Binary.png".into(),
        binary_value: Some(Blob(vec![0, 255])),
        ..Default::default()
    };
    let attributes = Map::from([
        ("a.b".to_owned(), text("String", "x")),
        ("a.c".to_owned(), text("Number", "-1.5e3")),
        ("d".to_owned(), binary),
    ]);
    let trace = MessageSystemAttributeValue {
        data_type: "String".into(),
        string_value: Some("Root=1-5759e988-bd862e3fe1be46a994272793".into()),
        ..Default::default()
    };
    let sent = SendMessageRequest {
        message_attributes: attributes,
        message_system_attributes: Map::from([("AWSTraceHeader".to_owned(), trace)]),
        ..message(&url, "a")
    };
    let sent = cx.call(sent).await.unwrap();
    assert!(sent.md5_of_message_system_attributes.is_some());
    for (names, expected) in [
        (vec![], vec![]),
        (vec!["All"], vec!["a.b", "a.c", "d"]),
        (vec![".*"], vec!["a.b", "a.c", "d"]),
        (vec!["a.*"], vec!["a.b", "a.c"]),
        (vec!["d", "none"], vec!["d"]),
    ] {
        let asked = ReceiveMessageRequest {
            message_attribute_names: names.iter().map(|name| (*name).to_owned()).collect(),
            message_system_attribute_names: vec!["AWSTraceHeader".into()],
            ..some(&url, 1)
        };
        let got = received(&cx, asked).await.remove(0);
        assert_eq!(got.message_attributes.keys().collect::<Vec<_>>(), expected, "{names:?}");
        assert_eq!(got.md5_of_message_attributes.is_some(), !expected.is_empty());
        if expected.len() == 3 {
            assert_eq!(got.md5_of_message_attributes, sent.md5_of_message_attributes);
        }
        assert_eq!(got.attributes.keys().collect::<Vec<_>>(), ["AWSTraceHeader"]);
    }
    for (name, value) in [
        ("aws.x", text("String", "x")),
        (".x", text("String", "x")),
        ("a b", text("String", "x")),
        ("a", text("Strange", "x")),
        ("a", text("Number", "x")),
        ("a", text("String", "")),
        ("a", text("Binary", "x")),
    ] {
        let sent =
            SendMessageRequest { message_attributes: Map::from([(name.to_owned(), value)]), ..message(&url, "a") };
        assert_eq!(code(cx.call(sent).await), "InvalidParameterValue", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_or_no_text_is_refused() {
    let cx = given();
    let url = queue(&cx, "jobs", [("MaximumMessageSize", "1024")]).await;
    assert_eq!(code(cx.call(message(&url, "")).await), "MissingParameter");
    assert_eq!(code(cx.call(message(&url, &"a".repeat(1_025))).await), "InvalidParameterValue");
    cx.call(message(&url, &"a".repeat(1_024))).await.unwrap();
    assert_eq!(code(cx.call(message(&url, "\u{1}")).await), "InvalidMessageContents");
    let delayed = SendMessageRequest { delay_seconds: Some(901), ..message(&url, "a") };
    assert_eq!(code(cx.call(delayed).await), "InvalidParameterValue");
    let grouped = SendMessageRequest { message_group_id: Some("g".into()), ..message(&url, "a") };
    assert_eq!(code(cx.call(grouped).await), "NotImplemented");
    let same = SendMessageRequest { message_deduplication_id: Some("g".into()), ..message(&url, "a") };
    assert_eq!(code(cx.call(same).await), "InvalidParameterValue");
    for most in [0, 11] {
        assert_eq!(code(cx.call(some(&url, most)).await), "InvalidParameterValue");
    }
    assert_eq!(code(cx.call(message("nonsense", "a")).await), "InvalidAddress");
}

#[tokio::test(start_paused = true)]
async fn entries_of_a_batch_fail_by_themselves() {
    let cx = given();
    let url = queue(&cx, "jobs", []).await;
    let entry = |id: &str, body: &str| SendMessageBatchRequestEntry {
        id: id.into(),
        message_body: body.into(),
        ..Default::default()
    };
    let batch = |entries| SendMessageBatchRequest { queue_url: url.clone(), entries };
    let sent = cx.call(batch(vec![entry("a", "x"), entry("b", "\u{1}"), entry("c", "y")])).await.unwrap();
    let ids: Vec<_> = sent.successful.iter().filter_map(|entry| entry.id.as_deref()).collect();
    assert_eq!(ids, ["a", "c"]);
    let failed = &sent.failed[0];
    assert_eq!(
        (failed.id.as_deref(), failed.code.as_deref(), failed.sender_fault),
        (Some("b"), Some("InvalidMessageContents"), Some(true))
    );
    let twelve: Vec<_> = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    for (entries, expected) in [
        (twelve, "TooManyEntriesInBatchRequest"),
        (vec![entry("a", "x"), entry("a", "y")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "x")], "InvalidBatchEntryId"),
        (vec![entry("a", &"x".repeat(600_000)), entry("b", &"x".repeat(600_000))], "BatchRequestTooLong"),
    ] {
        assert_eq!(code(cx.call(batch(entries)).await), expected);
    }
    let got = received(&cx, some(&url, 10)).await;
    assert_eq!(got.len(), 2);
    let handle = |n: usize| got[n].receipt_handle.clone().expect("a handle");
    let change = |id: &str, receipt_handle: String, timeout| ChangeMessageVisibilityBatchRequestEntry {
        id: id.into(),
        receipt_handle,
        visibility_timeout: Some(timeout),
    };
    let entries = vec![change("a", handle(0), 5), change("b", "nonsense".into(), 5), change("c", handle(1), -1)];
    let done = cx.call(ChangeMessageVisibilityBatchRequest { queue_url: url.clone(), entries }).await.unwrap();
    assert_eq!((done.successful.len(), done.failed.len()), (1, 2));
    let gone = |id: &str, receipt_handle: String| DeleteMessageBatchRequestEntry { id: id.into(), receipt_handle };
    let entries = vec![gone("a", handle(0)), gone("b", "nonsense".into()), gone("c", handle(1))];
    let done = cx.call(DeleteMessageBatchRequest { queue_url: url.clone(), entries }).await.unwrap();
    assert_eq!((done.successful.len(), done.failed.len()), (2, 1));
    assert_eq!(done.failed[0].code.as_deref(), Some("ReceiptHandleIsInvalid"));
    assert_eq!(counts(&cx, &url).await, ["0", "0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn tags_are_put_on_and_taken_off() {
    let cx = given();
    let made = CreateQueueRequest { queue_name: "a".into(), tags: texts([("x", "1")]), ..Default::default() };
    let url = cx.call(made).await.unwrap().queue_url.unwrap();
    cx.call(TagQueueRequest { queue_url: url.clone(), tags: texts([("y", "2"), ("z", "")]) }).await.unwrap();
    cx.call(UntagQueueRequest { queue_url: url.clone(), tag_keys: vec!["x".into(), "none".into()] }).await.unwrap();
    let tags = cx.call(ListQueueTagsRequest { queue_url: url.clone() }).await.unwrap().tags;
    assert_eq!(tags, texts([("y", "2"), ("z", "")]));
    let many: Map<String> = (0..49).map(|n| (format!("k{n}"), String::new())).collect();
    assert_eq!(code(cx.call(TagQueueRequest { queue_url: url, tags: many }).await), "InvalidParameterValue");
}
