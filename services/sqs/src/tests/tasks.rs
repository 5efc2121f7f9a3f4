//! Dead letters: where they go, and how they come back.

use super::*;
use crate::controllers::move_task::MoveTasks;
use crate::records::MoveTask;

const DEAD: &str = "arn:aws:sqs:us-east-1:111111111111:dead";

async fn with_dead_letters(cx: &Cx, name: &str, most: u32) -> String {
    let policy = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":"{most}"}}"#);
    queue(cx, name, [("RedrivePolicy", &policy), ("VisibilityTimeout", "1")]).await
}

#[tokio::test(start_paused = true)]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let cx = given();
    let dead = queue(&cx, "dead", []).await;
    let url = with_dead_letters(&cx, "jobs", 2).await;
    let sent = cx.call(message(&url, "bad")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(bodies(&cx, &url).await, ["bad"]);
        seconds(2).await;
    }
    assert!(bodies(&cx, &url).await.is_empty());
    assert_eq!((counts(&cx, &url).await[0].as_str(), counts(&cx, &dead).await[0].as_str()), ("0", "1"));
    let all = ReceiveMessageRequest { attribute_names: vec!["All".into()], ..some(&dead, 1) };
    let got = received(&cx, all).await.remove(0);
    assert_eq!(got.message_id, sent.message_id);
    assert_eq!(got.attributes["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:111111111111:jobs");
    assert_eq!(got.attributes["ApproximateReceiveCount"], "3");
    let listed = ListDeadLetterSourceQueuesRequest { queue_url: dead.clone(), ..Default::default() };
    assert_eq!(cx.call(listed).await.unwrap().queue_urls, [url.as_str()]);
    assert_eq!(
        attribute(&cx, &url, "RedrivePolicy").await,
        Some(format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":2}}"#))
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_is_there_of_the_same_type_and_willing() {
    let cx = given();
    let policy = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":3}}"#);
    let made = |name: &str, policy: &str| {
        let mut attributes = texts([("RedrivePolicy", policy)]);
        if name.ends_with(".fifo") {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        CreateQueueRequest { queue_name: name.into(), attributes, ..Default::default() }
    };
    assert_eq!(code(cx.call(made("a", &policy)).await), "InvalidParameterValue", "it is not there");
    let dead = queue(&cx, "dead", []).await;
    for (name, policy) in [
        ("a.fifo", policy.as_str()),
        ("a", &policy.replace('3', "1001")),
        ("a", &policy.replace("111111111111", "222222222222")),
        ("a", &policy.replace("us-east-1", "us-west-2")),
        ("a", &policy.replace("maxReceiveCount", "most")),
    ] {
        assert_eq!(code(cx.call(made(name, policy)).await), "InvalidParameterValue", "{name} {policy}");
    }
    let allow = |text: &str| SetQueueAttributesRequest {
        queue_url: dead.clone(),
        attributes: texts([("RedriveAllowPolicy", text)]),
    };
    cx.call(allow(r#"{"redrivePermission":"denyAll"}"#)).await.unwrap();
    assert_eq!(code(cx.call(made("a", &policy)).await), "InvalidParameterValue");
    let by = r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:111111111111:a"]}"#;
    cx.call(allow(by)).await.unwrap();
    cx.call(made("a", &policy)).await.unwrap();
    assert_eq!(code(cx.call(made("b", &policy)).await), "InvalidParameterValue");
    cx.call(allow("")).await.unwrap();
    cx.call(made("b", &policy)).await.unwrap();
}

/// Passes of the controller until it has nothing to do.
async fn run(cx: &Cx) {
    for _ in 0..200 {
        let names = Controller::all(&MoveTasks, cx.store()).expect("names");
        if names.is_empty() {
            return;
        }
        for name in names {
            let pass =
                AnyController::pass(&MoveTasks, &cx.as_service("sqs.amazonaws.com"), &name, &|_| Chaos::None).await;
            assert!(pass.error.is_none(), "{:?}", pass.error);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the task does not end");
}

async fn dead_letters(cx: &Cx, url: &str, count: usize) {
    for n in 0..count {
        cx.call(message(url, &n.to_string())).await.unwrap();
    }
    for _ in 0..2 {
        while !received(cx, some(url, 10)).await.is_empty() {}
        seconds(2).await;
    }
}

async fn tasks(cx: &Cx, most: i32) -> Vec<ListMessageMoveTasksResultEntry> {
    let asked = ListMessageMoveTasksRequest { source_arn: DEAD.into(), max_results: Some(most) };
    cx.call(asked).await.expect("tasks").results
}

#[tokio::test(start_paused = true)]
async fn a_task_moves_dead_letters_back_or_elsewhere() {
    let cx = given();
    let dead = queue(&cx, "dead", []).await;
    let start = |destination: Option<&str>, rate| StartMessageMoveTaskRequest {
        source_arn: DEAD.into(),
        destination_arn: destination.map(str::to_owned),
        max_number_of_messages_per_second: rate,
    };
    assert_eq!(code(cx.call(start(None, None)).await), "InvalidParameterValue", "nobody's dead letters");
    let (a, b) = (with_dead_letters(&cx, "a", 1).await, with_dead_letters(&cx, "b", 1).await);
    dead_letters(&cx, &a, 130).await;
    dead_letters(&cx, &b, 3).await;
    assert_eq!(counts(&cx, &dead).await[0], "133");
    cx.call(start(None, None)).await.unwrap();
    assert_eq!(code(cx.call(start(None, None)).await), "InvalidParameterValue", "one at a time");
    run(&cx).await;
    assert_eq!([&counts(&cx, &a).await[0], &counts(&cx, &b).await[0], &counts(&cx, &dead).await[0]], ["130", "3", "0"]);
    let done = tasks(&cx, 1).await.remove(0);
    assert_eq!((done.status.as_deref(), done.approximate_number_of_messages_moved), (Some("COMPLETED"), Some(133)));
    assert_eq!((done.approximate_number_of_messages_to_move, done.task_handle), (Some(133), None));

    // Slowly, elsewhere, and not to the end.
    dead_letters(&cx, &b, 0).await;
    let other = queue(&cx, "other", []).await;
    let begun = cx.now();
    let handle = cx.call(start(Some("arn:aws:sqs:us-east-1:111111111111:other"), Some(1))).await.unwrap().task_handle;
    run(&cx).await;
    assert!(cx.now().since(begun).as_secs() >= 2, "one in a second");
    assert_eq!(counts(&cx, &other).await[0], counts(&cx, &other).await[0]);
    let handle = handle.unwrap();
    let cancel = CancelMessageMoveTaskRequest { task_handle: handle };
    assert_eq!(code(cx.call(cancel).await), "UnsupportedOperation", "it is done");
    assert_eq!(tasks(&cx, 10).await.len(), 2);
    for rate in [0, 501] {
        assert_eq!(code(cx.call(start(None, Some(rate))).await), "InvalidParameterValue");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_cancelled_and_what_was_moved_stays() {
    let cx = given();
    let dead = queue(&cx, "dead", []).await;
    let url = with_dead_letters(&cx, "a", 1).await;
    dead_letters(&cx, &url, 5).await;
    let start = StartMessageMoveTaskRequest {
        source_arn: DEAD.into(),
        max_number_of_messages_per_second: Some(2),
        ..Default::default()
    };
    let task_handle = cx.call(start).await.unwrap().task_handle.unwrap();
    let name = Controller::all(&MoveTasks, cx.store()).unwrap().remove(0);
    AnyController::pass(&MoveTasks, &cx.as_service("sqs.amazonaws.com"), &name, &|_| Chaos::None).await;
    let moved = cx.call(CancelMessageMoveTaskRequest { task_handle }).await.unwrap();
    assert_eq!(moved.approximate_number_of_messages_moved, Some(2));
    run(&cx).await;
    assert_eq!([&counts(&cx, &url).await[0], &counts(&cx, &dead).await[0]], ["2", "3"]);
    assert_eq!(tasks(&cx, 1).await[0].status.as_deref(), Some("CANCELLED"));
    cx.call(DeleteQueueRequest { queue_url: dead }).await.unwrap();
    assert!(cx.store().list::<MoveTask>(cx.scope()).unwrap().is_empty(), "tasks go with their queue");
}
