//! Simple Queue Service: queues, standard and FIFO, whose messages are on disk before anybody is told that they are
//! taken.

mod attributes;
mod controllers;
mod digest;
mod errors;
mod message;
mod messages;
mod meter;
mod operations;
mod place;
mod policy;
mod receipt;
mod records;
mod redrive;
mod resources;
mod settings;
mod targets;

#[cfg(test)]
mod tests;

pub use messages::{Messages, MessagesError};

use kiln_service_kit::{BoxFuture, Error, Platform, Service, records};
use std::sync::Arc;

/// Source: Amazon SQS Developer Guide, "Logging Amazon Simple Queue Service API calls using AWS CloudTrail".
const DATA_EVENTS: &[&str] = &[
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListQueueTags",
    "ListQueues",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
];

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_sqs_shapes::SERVICE,
        &[
            operations::attributes::OPERATIONS,
            operations::dead_letters::OPERATIONS,
            operations::delete::OPERATIONS,
            operations::move_tasks::OPERATIONS,
            operations::permissions::OPERATIONS,
            operations::purge::OPERATIONS,
            operations::queues::OPERATIONS,
            operations::receive::OPERATIONS,
            operations::send::OPERATIONS,
            operations::tags::OPERATIONS,
            operations::visibility::OPERATIONS,
        ],
    );
    service.owns = true;
    service.data_events = DATA_EVENTS;
    service.path_names = Some("QueueUrl");
    service.controllers = vec![Arc::new(controllers::move_task::MoveTasks)];
    service.records = records![records::MoveTask, records::Queue];
    service.resources = vec![Arc::new(resources::queue::Queue), Arc::new(resources::queue_policy::QueuePolicy)];
    service.start = vec![agree, meter::start];
    service
}

/// Makes messages and records agree: a kiln that was killed may have left the messages of a queue that is gone.
fn agree(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        // A platform without this part has no queues.
        let Ok(messages) = platform.part::<Messages>() else { return Ok(()) };
        let queues = match platform.store().whole().list_everywhere::<records::Queue>() {
            Ok(queues) => queues,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "it is not known which queues there are: no messages are tidied");
                return Ok(());
            }
        };
        let there =
            queues.iter().map(|(_, _, queue)| (queue.number, queue.settings.retention_millis())).collect::<Vec<_>>();
        let tidied = messages.run(move |table| table.agree(&there)).await?;
        // It may take its time: nobody can see them any more.
        if !tidied.forgotten.is_empty() {
            tracing::info!(queues = tidied.forgotten.len(), "messages of queues that are gone are removed");
            tokio::spawn(async move {
                for number in tidied.forgotten {
                    if let Err(error) = operations::queues::remove_messages(&messages, number).await {
                        tracing::warn!(error = error.chain(), "messages of a queue that is gone are left");
                        return;
                    }
                }
            });
        }
        Ok(())
    })
}
