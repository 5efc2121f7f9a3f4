//! Tasks that move dead letters out of their queue; `crate::controllers::move_task` carries them out. Source: SQS API
//! Reference, StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks.

use super::messages;
use crate::errors::{not_found, parameter, unsupported, value};
use crate::place::{arn, of_arn};
use crate::records::{MoveTask, Queue, TaskStatus};
use crate::targets::by_arn;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Cx, Error, Operation, Scope, Touched, Tx, operation};
use kiln_sqs_shapes::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CancelMessageMoveTask: cancel_message_move_task(CancelMessageMoveTaskRequest),
        on |cx, r| by_arn(cx, &source_of(&r.task_handle))),
    operation!(ListMessageMoveTasks: list_message_move_tasks(ListMessageMoveTasksRequest),
        on |cx, r| by_arn(cx, &r.source_arn)),
    operation!(StartMessageMoveTask: start_message_move_task(StartMessageMoveTaskRequest), on started),
];

/// Tasks of a queue that are remembered, and shown at most.
const MOST: usize = 10;
/// Messages that a task may move in a second.
const FASTEST: i32 = 500;

/// What a task's handle says.
#[derive(Serialize, Deserialize)]
struct TaskHandle {
    #[serde(rename = "taskId")]
    task: String,
    #[serde(rename = "sourceArn")]
    source: String,
}

impl TaskHandle {
    fn text(&self) -> Result<String, Error> {
        let json = serde_json::to_vec(self).map_err(|e| Error::failed("write a task's handle", e))?;
        Ok(STANDARD.encode(json))
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
    }
}

/// The queue that a handle speaks of. One that is none matches no policy but `*`, and the call itself says so.
fn source_of(handle: &str) -> String {
    TaskHandle::read(handle).map_or_else(|| "arn:aws:sqs:::".to_owned(), |handle| handle.source)
}

/// Reading and deleting where the messages are, sending where they go. Source: SQS Developer Guide, "Configuring queue
/// permissions for dead-letter queue redrive".
fn started(cx: &Cx, request: &StartMessageMoveTaskRequest) -> Touched {
    let source = by_arn(cx, &request.source_arn)?;
    let asked = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let mut targets: Vec<_> = asked.into_iter().map(|action| source.clone().by(action)).collect();
    targets.insert(0, source);
    if let Some(destination) = &request.destination_arn {
        targets.push(by_arn(cx, destination)?.by("sqs:SendMessage"));
    }
    Ok(targets)
}

/// A queue of one's own.
fn queue_of(cx: &Cx, text: &str, of: &str) -> Result<(Scope, Arc<Queue>), Error> {
    let (scope, name) = of_arn(cx, text).ok_or_else(|| {
        let form = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
        parameter(format!("You must use this format to specify the {of}: {form}"))
    })?;
    let missing = || not_found(format!("The resource that you specified for the {of} parameter doesn't exist."));
    if *scope.account != *cx.account() || *scope.region != *cx.region() {
        return Err(missing());
    }
    let queue = cx.store().get::<Queue>(&scope, name)?.ok_or_else(missing)?;
    Ok((scope, queue))
}

/// The id of the records of a queue's tasks begins with it.
fn prefix(name: &str) -> String {
    format!("{name}/")
}

async fn start_message_move_task(
    cx: &Cx,
    request: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResponse, Error> {
    let (scope, source) = queue_of(cx, &request.source_arn, "SourceArn")?;
    if let Some(rate) = request.max_number_of_messages_per_second.filter(|rate| !(1..=FASTEST).contains(rate)) {
        let reason = format!("You must enter a value between 1 and {FASTEST} for MaxNumberOfMessagesPerSecond.");
        return Err(value(rate, "MaxNumberOfMessagesPerSecond", reason));
    }
    let source_arn = arn(cx, &scope, &source.name);
    if cx.store().by_key::<Queue>(&scope, Queue::BY_DEAD_LETTERS, &source_arn)?.is_empty() {
        return Err(parameter("Source queue must be configured as a Dead Letter Queue."));
    }
    if let Some(destination) = &request.destination_arn {
        let (_, queue) = queue_of(cx, destination, "DestinationArn")?;
        if queue.number == source.number {
            return Err(parameter("Source queue arn and destination queue arn must be different."));
        }
        if queue.settings.fifo.is_some() != source.settings.fifo.is_some() {
            return Err(parameter("The destination queue must be of the same type as the source queue."));
        }
    }
    let (number, now) = (source.number, cx.now());
    let counts = messages(cx)?.run(move |table| table.counts(number, now.millis(), None)).await?.unwrap_or_default();
    let id = format!("{}{:013}-{}", prefix(&source.name), now.millis(), cx.ids().uuid());
    let task = MoveTask {
        source: source.name.clone(),
        number,
        destination: request.destination_arn.clone(),
        per_second: request.max_number_of_messages_per_second,
        status: TaskStatus::Running,
        started: now,
        moved: 0,
        to_move: counts.waiting + counts.delayed,
        moved_at: None,
        failure: None,
    };
    cx.store()
        .write(|tx| {
            let others = tx.list_prefix::<MoveTask>(&scope, &prefix(&source.name))?;
            if others.iter().any(|(_, other)| other.status.goes_on()) {
                return Err(parameter(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a given \
                     time.",
                ));
            }
            // The oldest stand first.
            let too_many = (others.len() + 1).saturating_sub(MOST);
            for (old, _) in others.iter().take(too_many) {
                tx.delete::<MoveTask>(&scope, old);
            }
            tx.put(&scope, &id, task)?;
            Ok(())
        })
        .await?;
    let handle = TaskHandle { task: id, source: source_arn };
    Ok(StartMessageMoveTaskResponse { task_handle: Some(handle.text()?) })
}

async fn cancel_message_move_task(
    cx: &Cx,
    request: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResponse, Error> {
    let handle = TaskHandle::read(&request.task_handle);
    let handle = handle.ok_or_else(|| parameter("Value for parameter TaskHandle is invalid."))?;
    let (scope, _) = queue_of(cx, &handle.source, "SourceArn")?;
    let moved = cx
        .store()
        .write(|tx| {
            let task = tx.get::<MoveTask>(&scope, &handle.task)?;
            let task = task.ok_or_else(|| not_found("Task does not exist."))?;
            if task.status != TaskStatus::Running {
                return Err(unsupported("Only active tasks can be cancelled."));
            }
            let moved = task.moved;
            tx.put(&scope, &handle.task, MoveTask { status: TaskStatus::Cancelling, ..(*task).clone() })?;
            Ok(moved)
        })
        .await?;
    Ok(CancelMessageMoveTaskResponse { approximate_number_of_messages_moved: Some(moved) })
}

async fn list_message_move_tasks(
    cx: &Cx,
    request: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResponse, Error> {
    let (scope, source) = queue_of(cx, &request.source_arn, "SourceArn")?;
    let most = request.max_results.unwrap_or(1);
    if !(1..=MOST as i32).contains(&most) {
        return Err(value(most, "MaxResults", format!("You must enter a value between 1 and {MOST} for MaxResults.")));
    }
    let source_arn = arn(cx, &scope, &source.name);
    let tasks = cx.store().list_prefix::<MoveTask>(&scope, &prefix(&source.name))?;
    let newest = tasks.into_iter().rev().take(most as usize);
    let results = newest.map(|(id, task)| {
        let handle = TaskHandle { task: id.to_string(), source: source_arn.clone() };
        Ok(ListMessageMoveTasksResultEntry {
            // Only of one that goes on, as there is nothing to do with another's.
            task_handle: (task.status == TaskStatus::Running).then(|| handle.text()).transpose()?,
            status: Some(task.status.name().to_owned()),
            source_arn: Some(source_arn.clone()),
            destination_arn: task.destination.clone(),
            max_number_of_messages_per_second: task.per_second,
            approximate_number_of_messages_moved: Some(task.moved),
            approximate_number_of_messages_to_move: Some(task.to_move),
            failure_reason: task.failure.clone(),
            started_timestamp: Some(task.started.millis()),
        })
    });
    Ok(ListMessageMoveTasksResponse { results: results.collect::<Result<_, Error>>()? })
}

/// The tasks of a queue go with it, in the same transaction.
pub fn forget(tx: &mut Tx<'_>, scope: &Scope, name: &str) -> Result<(), Error> {
    for (id, _) in tx.list_prefix::<MoveTask>(scope, &prefix(name))? {
        tx.delete::<MoveTask>(scope, &id);
    }
    Ok(())
}
