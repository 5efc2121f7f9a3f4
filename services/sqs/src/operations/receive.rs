//! Messages are received, at once or as soon as there are some. Source: SQS API Reference, ReceiveMessage; SQS Developer
//! Guide, "Amazon SQS short and long polling".

use super::messages;
use super::send::sequence;
use crate::attributes::is_attribute;
use crate::digest;
use crate::errors::{attribute_name, no_queue, over_limit, value};
use crate::message::{TRACE, check_id};
use crate::messages::{Attribute, Dead, Got, Handle, Receive};
use crate::meter;
use crate::place::{Found, arn, find, of_arn};
use crate::receipt;
use crate::records::Queue;
use crate::targets::queue;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Blob, Cx, Error, Map, Operation, operation};
use kiln_sqs_shapes::*;
use std::time::Duration;

pub const OPERATIONS: &[Operation] =
    &[operation!(ReceiveMessage: receive_message(ReceiveMessageRequest), on |cx, r| queue(cx, &r.queue_url))];

/// Messages of one answer, seconds that a call waits, and that a message is invisible.
const MOST: i32 = 10;
const LONGEST_WAIT: i64 = 20;
const LONGEST_VISIBILITY: i64 = 43_200;

async fn receive_message(cx: &Cx, request: ReceiveMessageRequest) -> Result<ReceiveMessageResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let wanted = Wanted::read(&request)?;
    let settings = &found.queue.settings;
    let most = request.max_number_of_messages.unwrap_or(1);
    if !(1..=MOST).contains(&most) {
        return Err(value(most, "MaxNumberOfMessages", format!("Must be between 1 and {MOST}, if provided.")));
    }
    let wait = request.wait_time_seconds.map_or(settings.wait, i64::from);
    if !(0..=LONGEST_WAIT).contains(&wait) {
        return Err(value(wait, "WaitTimeSeconds", format!("Must be >= 0 and <= {LONGEST_WAIT}, if provided.")));
    }
    let visibility = request.visibility_timeout.map_or(settings.visibility, i64::from);
    check_visibility(visibility)?;
    let attempt = request.receive_request_attempt_id.as_deref();
    if let Some(attempt) = attempt {
        if settings.fifo.is_none() {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(value(attempt, "ReceiveRequestAttemptId", reason));
        }
        check_id(attempt, "ReceiveRequestAttemptId")?;
    }
    let receive = Receive {
        queue: found.queue.number,
        now: 0,
        visibility: visibility * 1_000,
        tokens: (0..most).map(|_| token(cx)).collect(),
        fifo: settings.fifo.map(|_| settings.delay * 1_000),
        attempt: attempt.map(str::to_owned),
        dead: dead_letters(cx, &found)?,
    };
    let got = received(cx, &found, receive, wait).await?;
    let done = messages(cx)?;
    match got.len() {
        0 => done.done().count(&found.queue.number, meter::EMPTY, 1.0, 1),
        many => done.done().count(&found.queue.number, meter::RECEIVED, many as f64, 1),
    }
    let fifo = settings.fifo.is_some();
    Ok(ReceiveMessageResponse {
        messages: got.into_iter().map(|got| wanted.message(found.queue.number, fifo, got)).collect(),
    })
}

/// A number that tells one receive from another.
fn token(cx: &Cx) -> i64 {
    i64::try_from(cx.ids().below(1 << 62)).unwrap_or(0).max(1)
}

pub fn check_visibility(seconds: i64) -> Result<(), Error> {
    match (0..=LONGEST_VISIBILITY).contains(&seconds) {
        true => Ok(()),
        false => {
            let reason = format!("VisibilityTimeout must be an integer between 0 and {LONGEST_VISIBILITY}.");
            Err(value(seconds, "VisibilityTimeout", reason))
        }
    }
}

/// Where what was received too often goes. A dead-letter queue that is gone takes none: messages stay.
fn dead_letters(cx: &Cx, found: &Found) -> Result<Option<Dead>, Error> {
    let Some(redrive) = &found.queue.settings.redrive else { return Ok(None) };
    let Some((scope, name)) = of_arn(cx, &redrive.target) else { return Ok(None) };
    let queue = cx.store().get::<Queue>(&scope, name)?;
    Ok(queue.filter(|queue| queue.settings.fifo.is_some() == found.queue.settings.fifo.is_some()).map(|queue| Dead {
        queue: queue.number,
        most: redrive.most,
        source: arn(cx, &found.scope, &found.queue.name),
    }))
}

/// Looks, and waits until there is something or the time is over.
async fn received(cx: &Cx, found: &Found, receive: Receive, wait: i64) -> Result<Vec<Got>, Error> {
    let messages = messages(cx)?;
    let deadline = cx.now() + Duration::from_secs(wait.unsigned_abs());
    let look = async || {
        let receive = Receive { now: cx.now().millis(), ..receive.clone() };
        let seen = messages.run(move |table| table.receive(&receive)).await?;
        if seen.gone {
            return Err(no_queue(cx));
        }
        if seen.over_limit && found.queue.settings.fifo.is_none() {
            return Err(over_limit("The maximum number of in flight messages is reached."));
        }
        Ok(seen)
    };
    if wait == 0 {
        return Ok(look().await?.messages);
    }
    let waiting = messages.wait(receive.queue).ok_or_else(too_many_wait)?;
    loop {
        // In the row before looking, so that what comes in between is not missed.
        let mut told = std::pin::pin!(waiting.told());
        told.as_mut().enable();
        let seen = look().await?;
        let now = cx.now();
        if !seen.messages.is_empty() || now >= deadline {
            return Ok(seen.messages);
        }
        let until = waiting.until(seen.next, now, deadline);
        tokio::select! {
            () = told => {}
            () = cx.platform().clock().sleep_until(until) => {}
        }
    }
}

fn too_many_wait() -> Error {
    Error::sender("RequestThrottled", "Too many calls wait for messages.").with_status(403)
}

/// What a caller wants to know of messages.
struct Wanted {
    all: bool,
    system: Vec<String>,
    /// Names of attributes, or beginnings of them.
    names: Vec<Name>,
}

enum Name {
    All,
    Is(String),
    Begins(String),
}

/// What of a message can be asked for.
const SYSTEM: [&str; 9] = [
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

impl Wanted {
    fn read(request: &ReceiveMessageRequest) -> Result<Self, Error> {
        let system: Vec<String> =
            request.attribute_names.iter().chain(&request.message_system_attribute_names).cloned().collect();
        // Names of a queue's attributes are known, and no message has them.
        let known = |name: &str| name == "All" || SYSTEM.contains(&name) || is_attribute(name);
        if let Some(other) = system.iter().find(|name| !known(name)) {
            return Err(attribute_name(other));
        }
        let name = |name: &String| match name.as_str() {
            "All" | ".*" => Name::All,
            name => match name.strip_suffix(".*") {
                Some(start) => Name::Begins(start.to_owned()),
                None => Name::Is(name.to_owned()),
            },
        };
        let names = request.message_attribute_names.iter().map(name).collect();
        Ok(Self { all: system.iter().any(|name| name == "All"), system, names })
    }

    fn message(&self, queue: i64, fifo: bool, got: Got) -> Message {
        let Got { seq, token, sent, receives, first, source, kept } = got;
        let wants = |name: &String| {
            self.names.iter().any(|wanted| match wanted {
                Name::All => true,
                Name::Is(exact) => name == exact,
                Name::Begins(start) => name.starts_with(start.as_str()),
            })
        };
        let attributes: Vec<(&String, &Attribute)> = kept.attributes.iter().filter(|(name, _)| wants(name)).collect();
        let system = [
            ("SenderId", Some(kept.sender.clone())),
            ("SentTimestamp", Some(sent.to_string())),
            ("ApproximateReceiveCount", Some(receives.to_string())),
            ("ApproximateFirstReceiveTimestamp", Some(first.to_string())),
            ("SequenceNumber", fifo.then(|| sequence(seq))),
            ("MessageDeduplicationId", kept.deduplication.clone()),
            ("MessageGroupId", kept.group.clone()),
            (TRACE, kept.trace.clone()),
            ("DeadLetterQueueSourceArn", source),
        ];
        let is_wanted = |name: &str| self.all || self.system.iter().any(|wanted| wanted == name);
        let system: Map<String> = system
            .into_iter()
            .filter(|(name, _)| is_wanted(name))
            .filter_map(|(n, v)| Some((n.to_owned(), v?)))
            .collect();
        Message {
            receipt_handle: Some(receipt::write(Handle { queue, seq, token })),
            attributes: system,
            md5_of_message_attributes: digest::of_attributes(attributes.iter().map(|(name, of)| (name.as_str(), *of))),
            message_attributes: attributes.into_iter().map(|(name, of)| (name.clone(), shown(of))).collect(),
            message_id: Some(kept.id),
            md5_of_body: Some(kept.md5),
            body: Some(kept.body),
        }
    }
}

fn shown(attribute: &Attribute) -> MessageAttributeValue {
    MessageAttributeValue {
        data_type: attribute.kind.clone(),
        string_value: attribute.text.clone(),
        // It was encoded here.
        binary_value: attribute.binary.as_ref().map(|binary| Blob(STANDARD.decode(binary).unwrap_or_default())),
        ..Default::default()
    }
}
