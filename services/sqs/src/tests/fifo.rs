//! FIFO queues: groups in order, and no message twice.

use super::*;

async fn fifo<const N: usize>(cx: &Cx, name: &str, more: [(&str, &str); N]) -> String {
    let mut attributes = texts(more);
    attributes.insert("FifoQueue".into(), "true".into());
    let made = CreateQueueRequest { queue_name: name.into(), attributes, ..Default::default() };
    cx.call(made).await.expect("made").queue_url.expect("a URL")
}

fn of(url: &str, group: &str, id: &str, body: &str) -> SendMessageRequest {
    SendMessageRequest {
        message_group_id: Some(group.into()),
        message_deduplication_id: Some(id.into()),
        ..message(url, body)
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_when_nothing_of_it_is_in_flight() {
    let cx = given();
    let url = fifo(&cx, "a.fifo", []).await;
    for (group, id) in [("g", "1"), ("h", "2"), ("g", "3"), ("g", "4"), ("h", "5")] {
        cx.call(of(&url, group, id, &format!("{group}{id}"))).await.unwrap();
    }
    let first = received(&cx, some(&url, 2)).await;
    let shown = |messages: &[Message]| messages.iter().filter_map(|m| m.body.clone()).collect::<Vec<_>>();
    assert_eq!(shown(&first), ["g1", "g3"]);
    assert_eq!(bodies(&cx, &url).await, ["h2", "h5"], "g is in flight");
    assert!(bodies(&cx, &url).await.is_empty());
    delete(&cx, &url, &first[0]).await.unwrap();
    assert!(bodies(&cx, &url).await.is_empty(), "g3 is in flight still");
    let change = ChangeMessageVisibilityRequest {
        queue_url: url.clone(),
        receipt_handle: first[1].receipt_handle.clone().unwrap(),
        visibility_timeout: 0,
    };
    cx.call(change).await.unwrap();
    let second = received(&cx, some(&url, 10)).await;
    assert_eq!(shown(&second), ["g3", "g4"]);
    seconds(31).await;
    assert_eq!(code(delete(&cx, &url, &second[0]).await), "InvalidParameterValue", "the handle has expired");
    assert_eq!(bodies(&cx, &url).await, ["h2", "h5", "g3", "g4"], "by the first of each group");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_not_taken_again_for_five_minutes() {
    let cx = given();
    let url = fifo(&cx, "a.fifo", []).await;
    let first = cx.call(of(&url, "g", "1", "a")).await.unwrap();
    let again = cx.call(of(&url, "h", "1", "b")).await.unwrap();
    assert_eq!((&again.message_id, &again.sequence_number), (&first.message_id, &first.sequence_number));
    let got = received(&cx, some(&url, 10)).await;
    assert_eq!(got.len(), 1);
    delete(&cx, &url, &got[0]).await.unwrap();
    seconds(299).await;
    cx.call(of(&url, "g", "1", "a")).await.unwrap();
    assert!(bodies(&cx, &url).await.is_empty(), "also when it was deleted");
    seconds(1).await;
    let new = cx.call(of(&url, "g", "1", "c")).await.unwrap();
    assert!(new.sequence_number > first.sequence_number);
    assert_eq!(bodies(&cx, &url).await, ["c"]);

    let scoped = [("DeduplicationScope", "messageGroup"), ("FifoThroughputLimit", "perMessageGroupId")];
    let url = fifo(&cx, "b.fifo", scoped).await;
    for group in ["g", "h", "g"] {
        cx.call(of(&url, group, "1", group)).await.unwrap();
    }
    assert_eq!(bodies(&cx, &url).await, ["g", "h"]);

    let url = fifo(&cx, "c.fifo", [("ContentBasedDeduplication", "true")]).await;
    for body in ["x", "y", "x"] {
        let sent = SendMessageRequest { message_group_id: Some("g".into()), ..message(&url, body) };
        cx.call(sent).await.unwrap();
    }
    assert_eq!(bodies(&cx, &url).await, ["x", "y"]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_s_delay_holds_for_what_is_in_it() {
    let cx = given();
    let url = fifo(&cx, "a.fifo", [("DelaySeconds", "60")]).await;
    cx.call(of(&url, "g", "1", "a")).await.unwrap();
    assert_eq!(counts(&cx, &url).await, ["0", "0", "1"]);
    assert!(bodies(&cx, &url).await.is_empty());
    let set = SetQueueAttributesRequest { queue_url: url.clone(), attributes: texts([("DelaySeconds", "5")]) };
    cx.call(set).await.unwrap();
    let begun = cx.now();
    let poll = ReceiveMessageRequest { wait_time_seconds: Some(20), ..some(&url, 10) };
    assert_eq!(received(&cx, poll).await.len(), 1);
    assert_eq!(cx.now().since(begun).as_secs(), 5);
    let delayed = SendMessageRequest { delay_seconds: Some(1), ..of(&url, "g", "2", "a") };
    assert_eq!(code(cx.call(delayed).await), "InvalidParameterValue");
    let no_group = SendMessageRequest { message_group_id: None, ..of(&url, "g", "2", "a") };
    assert_eq!(code(cx.call(no_group).await), "MissingParameter");
    let no_id = SendMessageRequest { message_deduplication_id: None, ..of(&url, "g", "2", "a") };
    assert_eq!(code(cx.call(no_id).await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_receive_attempt_is_made_again() {
    let cx = given();
    let url = fifo(&cx, "a.fifo", []).await;
    for id in ["1", "2"] {
        cx.call(of(&url, "g", id, id)).await.unwrap();
    }
    let attempt = |id: &str| ReceiveMessageRequest { receive_request_attempt_id: Some(id.into()), ..some(&url, 1) };
    let first = received(&cx, attempt("x")).await;
    seconds(20).await;
    let again = received(&cx, attempt("x")).await;
    assert_eq!((first.len(), &again[0].receipt_handle), (1, &first[0].receipt_handle));
    assert!(received(&cx, attempt("y")).await.is_empty());
    seconds(20).await;
    assert!(bodies(&cx, &url).await.is_empty(), "its visibility began anew");
    delete(&cx, &url, &again[0]).await.unwrap();
    assert_eq!(received(&cx, attempt("x")).await[0].body.as_deref(), Some("2"));
    let plain = queue(&cx, "plain", []).await;
    let asked = ReceiveMessageRequest { queue_url: plain, ..attempt("x") };
    assert_eq!(code(cx.call(asked).await), "InvalidParameterValue");
}
