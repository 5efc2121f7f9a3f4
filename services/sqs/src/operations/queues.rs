//! Queues are made, found, listed and deleted. Source: SQS API Reference, CreateQueue, DeleteQueue, GetQueueUrl,
//! ListQueues.

use super::messages;
use super::tags::check_tags;
use crate::errors::{no_queue, over_limit, parameter, value};
use crate::messages::{Messages, QueueNumber};
use crate::place::{arn, own, url};
use crate::records::Queue;
use crate::settings::Settings;
use crate::targets::{made, named, own_queue};
use kiln_service_kit::{Cx, Error, Operation, Scope, operation, paginate};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateQueue: create_queue(CreateQueueRequest), on |cx, r| made(cx, &r.queue_name, &r.tags)),
    operation!(DeleteQueue: delete_queue(DeleteQueueRequest), on |cx, r| own_queue(cx, &r.queue_url)),
    operation!(GetQueueUrl: get_queue_url(GetQueueUrlRequest),
        on |cx, r| named(cx, &r.queue_name, r.queue_owner_aws_account_id.as_deref())),
    operation!(ListQueues: list_queues(ListQueuesRequest), on everything),
];

/// Queues of an account in a region. AWS names no limit; each takes a kilobyte of memory here.
const MOST_QUEUES: usize = 10_000;

/// Queues in one answer.
pub const MOST_LISTED: i32 = 1_000;

async fn create_queue(cx: &Cx, request: CreateQueueRequest) -> Result<CreateQueueResponse, Error> {
    let CreateQueueRequest { queue_name: name, attributes, tags } = request;
    let wants_fifo = attributes.get("FifoQueue").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let fifo = check_name(&name, wants_fifo)?;
    let mut settings = Settings::new(fifo);
    settings.take(cx, cx.scope(), &name, &attributes)?;
    check_tags(cx, &tags)?;
    let queue_url = Some(url(cx, cx.account(), &name));
    let same = |kept: &Queue| {
        let (kept, wanted) = (kept.settings.shown(), settings.shown());
        match attributes.keys().find(|name| kept.get(name.as_str()) != wanted.get(name.as_str())) {
            None => Ok(()),
            Some(other) => {
                let text =
                    format!("A queue already exists with the same name and a different value for attribute {other}");
                Err(Error::sender("QueueNameExists", text))
            }
        }
    };
    if let Some(kept) = cx.store().get::<Queue>(cx.scope(), &name)? {
        same(&kept)?;
        return Ok(CreateQueueResponse { queue_url });
    }
    // Its messages have a place before it is there; what is left of a call that ends here goes at the next start.
    let messages = messages(cx)?;
    let (number, retention) = (new_number(cx), settings.retention_millis());
    messages.run(move |table| table.put_queue(number, retention)).await?;
    let now = cx.now();
    let made = cx
        .store()
        .write(|tx| {
            if let Some(kept) = tx.get::<Queue>(cx.scope(), &name)? {
                same(&kept)?;
                return Ok(false);
            }
            if tx.count::<Queue>(cx.scope()) >= MOST_QUEUES {
                return Err(over_limit(format!("An account can have at most {MOST_QUEUES} queues in a region.")));
            }
            let (settings, name) = (settings.clone(), name.clone());
            let queue = Queue { name, number, created: now, modified: now, settings, tags: tags.clone(), purged: None };
            tx.put(cx.scope(), &queue.name.clone(), queue)?;
            Ok(true)
        })
        .await;
    if !matches!(made, Ok(true)) {
        messages.run(move |table| table.forget(number)).await?;
    }
    made.map(|_| CreateQueueResponse { queue_url })
}

/// A number that no queue had before: 62 random bits.
fn new_number(cx: &Cx) -> QueueNumber {
    i64::try_from(cx.ids().below(1 << 62)).unwrap_or(0).max(1)
}

/// Whether a name is that of a FIFO queue, where it can be a queue's at all.
fn check_name(name: &str, wants_fifo: bool) -> Result<bool, Error> {
    let good =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let short = name.len() <= 80;
    match (wants_fifo, name.strip_suffix(".fifo")) {
        (true, Some(rest)) if short && good(rest) => Ok(true),
        (true, _) => Err(parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length.",
        )),
        (false, _) if short && good(name) => Ok(false),
        (false, _) => {
            Err(parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"))
        }
    }
}

async fn delete_queue(cx: &Cx, request: DeleteQueueRequest) -> Result<DeleteQueueResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    let (scope, name, number) = (&found.scope, &found.queue.name, found.queue.number);
    cx.store()
        .write(|tx| {
            let kept = tx.get::<Queue>(scope, name)?.filter(|kept| kept.number == number);
            kept.ok_or_else(|| no_queue(cx))?;
            tx.delete::<Queue>(scope, name);
            super::move_tasks::forget(tx, scope, name)?;
            Ok::<_, Error>(())
        })
        .await?;
    let messages = messages(cx)?;
    messages.run(move |table| table.forget(number)).await?;
    remove_messages(&messages, number).await?;
    Ok(DeleteQueueResponse {})
}

/// Removes the messages of a queue that is gone, piece by piece: others have their turn in between.
pub async fn remove_messages(messages: &Messages, number: QueueNumber) -> Result<(), Error> {
    while messages.run(move |table| table.purge(number, i64::MAX)).await? {}
    Ok(())
}

async fn get_queue_url(cx: &Cx, request: GetQueueUrlRequest) -> Result<GetQueueUrlResponse, Error> {
    let account = request.queue_owner_aws_account_id.as_deref().unwrap_or(cx.account());
    let scope = Scope::new(account, cx.region());
    let found = cx.store().get::<Queue>(&scope, &request.queue_name)?;
    let let_in = account == cx.account() || cx.is_let_in(&arn(cx, &scope, &request.queue_name), account);
    match found {
        Some(_) if let_in => Ok(GetQueueUrlResponse { queue_url: Some(url(cx, account, &request.queue_name)) }),
        _ => Err(no_queue(cx)),
    }
}

async fn list_queues(cx: &Cx, request: ListQueuesRequest) -> Result<ListQueuesResponse, Error> {
    let limit = page_size(request.max_results, request.next_token.as_deref())?;
    let prefix = request.queue_name_prefix.as_deref().unwrap_or("");
    let found = cx.store().list_prefix::<Queue>(cx.scope(), prefix)?;
    let page = paginate(found, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    let queue_urls = page.items.iter().map(|(name, _)| url(cx, cx.account(), name)).collect();
    // A caller that asks for no pages gets the first thousand.
    Ok(ListQueuesResponse { queue_urls, next_token: page.next_token.filter(|_| request.max_results.is_some()) })
}

/// How many are wanted in one answer.
pub fn page_size(max_results: Option<i32>, token: Option<&str>) -> Result<usize, Error> {
    match max_results {
        None if token.is_some() => Err(parameter("NextToken can only be used together with MaxResults.")),
        None => Ok(MOST_LISTED as usize),
        Some(most) if (1..=MOST_LISTED).contains(&most) => Ok(most as usize),
        Some(most) => {
            Err(value(most, "MaxResults", format!("MaxResults must be an integer between 1 and {MOST_LISTED}.")))
        }
    }
}

pub fn bad_token() -> Error {
    parameter("Invalid or expired next token.")
}
