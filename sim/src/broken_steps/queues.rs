//! Queues' dead letters on their way back.

use kiln_service_kit::Map;
use kiln_sqs::Messages;
use kiln_sqs_shapes as sqs;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

/// Dead letters go back; a task is cancelled; one loses its queue.
pub fn moves() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || {
        let messages = || Messages::in_memory().expect("SQLite in memory");
        Testkit::new(1).services([kiln_sqs::service()]).part(move |builder, _| builder.part(messages()))
    };
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let dead = queue(&kit, "dead", &[]).await;
            let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
            let alive = queue(&kit, "alive", &[("RedrivePolicy", &policy), ("VisibilityTimeout", "0")]).await;
            let start = |rate| sqs::StartMessageMoveTaskRequest {
                source_arn: arn.to_owned(),
                max_number_of_messages_per_second: rate,
                ..Default::default()
            };
            let mut told = vec![];
            die(&kit, &alive).await;
            kit.call(start(None)).await.expect("started");
            kit.settle().await;
            told.push(counts(&kit, &[&alive, &dead]).await);
            die(&kit, &alive).await;
            let task_handle = kit.call(start(Some(1))).await.expect("started").task_handle.expect("a handle");
            kit.call(sqs::CancelMessageMoveTaskRequest { task_handle }).await.expect("cancelled");
            kit.settle().await;
            let list = sqs::ListMessageMoveTasksRequest { source_arn: arn.to_owned(), max_results: Some(10) };
            let tasks = kit.call(list).await.expect("listed").results;
            told.push(tasks.into_iter().filter_map(|task| task.status).collect::<Vec<_>>().join(" "));
            // Where they came from is gone, though the queue is another's for its dead letters.
            kit.call(sqs::DeleteQueueRequest { queue_url: alive }).await.expect("deleted");
            let other = queue(&kit, "other", &[("RedrivePolicy", &policy), ("VisibilityTimeout", "0")]).await;
            kit.call(start(None)).await.expect("started");
            kit.settle().await;
            let list = sqs::ListMessageMoveTasksRequest { source_arn: arn.to_owned(), max_results: None };
            let failed = kit.call(list).await.expect("listed").results.remove(0);
            told.push(format!("{:?} {:?}", failed.status, failed.failure_reason));
            // The dead letters' own queue goes while they go back.
            kit.call(sqs::PurgeQueueRequest { queue_url: dead.clone() }).await.expect("purged");
            die(&kit, &other).await;
            kit.call(start(Some(1))).await.expect("started");
            kit.call(sqs::DeleteQueueRequest { queue_url: dead }).await.expect("deleted");
            kit.advance(Duration::from_secs(2)).await;
            kit.settle().await;
            format!("{told:?}")
        })
    })
}

async fn queue(kit: &Testkit, name: &str, attributes: &[(&str, &str)]) -> String {
    let attributes: Map<String> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let made = sqs::CreateQueueRequest { queue_name: name.to_owned(), attributes, ..Default::default() };
    kit.call(made).await.expect("made").queue_url.expect("a URL")
}

/// Three messages are sent, received once, and then once too often.
async fn die(kit: &Testkit, url: &str) {
    kit.advance(Duration::from_secs(1)).await;
    for body in ["a", "b", "c"] {
        let message_body = body.to_owned();
        let send = sqs::SendMessageRequest { queue_url: url.to_owned(), message_body, ..Default::default() };
        kit.call(send).await.expect("sent");
    }
    for _ in 0..2 {
        let max_number_of_messages = Some(10);
        let receive =
            sqs::ReceiveMessageRequest { queue_url: url.to_owned(), max_number_of_messages, ..Default::default() };
        kit.call(receive).await.expect("received");
    }
}

async fn counts(kit: &Testkit, urls: &[&str]) -> String {
    let mut told = vec![];
    for url in urls {
        let name = "ApproximateNumberOfMessages".to_owned();
        let asked =
            sqs::GetQueueAttributesRequest { queue_url: (*url).to_owned(), attribute_names: vec![name.clone()] };
        told.extend(kit.call(asked).await.expect("attributes").attributes.remove(&name));
    }
    told.join(" ")
}
