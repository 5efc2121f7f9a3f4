//! What queues hold and what is done with them, as AWS/SQS names it. Source: SQS Developer Guide, "Available CloudWatch
//! metrics for Amazon SQS".
//!
//! Calls are told with each look, what queues hold each minute, and a 0 of what nobody did, as long as a queue is active:
//! it has messages, or somebody did something with it within six hours. After a start only what it has says so.

use crate::messages::{Messages, QueueNumber};
use crate::records::Queue;
use kiln_meters::{Meter, Reading, Tick};
use kiln_service_kit::{BoxFuture, Error, Platform, Scope, Timestamp, async_trait};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub const SENT: &str = "NumberOfMessagesSent";
pub const RECEIVED: &str = "NumberOfMessagesReceived";
pub const DELETED: &str = "NumberOfMessagesDeleted";
pub const EMPTY: &str = "NumberOfEmptyReceives";
pub const SIZE: &str = "SentMessageSize";

/// For how long a queue that nobody uses is active.
const ACTIVE: Duration = Duration::from_secs(6 * 3600);
/// Queues that are looked at in one piece of work: others' work waits meanwhile.
const AT_ONCE: usize = 50;

/// Measures from now on.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        // A platform without this part has no queues.
        let Ok(messages) = platform.part::<Messages>() else { return Ok(()) };
        kiln_meters::start(&platform, Queues { messages, used: Mutex::default() })
    })
}

struct Queues {
    messages: Messages,
    /// When a queue was last used.
    used: Mutex<HashMap<QueueNumber, Timestamp>>,
}

/// What a queue holds.
struct Holds {
    waiting: i64,
    in_flight: i64,
    delayed: i64,
    /// When the oldest message was sent.
    oldest: Option<i64>,
}

#[async_trait]
impl Meter for Queues {
    fn name(&self) -> &'static str {
        "sqs"
    }

    async fn read(&self, platform: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error> {
        let done = self.messages.done().take();
        if done.is_empty() && !tick.ends(1) {
            return Ok(vec![]);
        }
        let all = platform.store().whole().list_everywhere::<Queue>()?;
        let by_number: HashMap<QueueNumber, (&Scope, &Queue)> =
            all.iter().map(|(scope, _, queue)| (queue.number, (scope, &**queue))).collect();
        let mut readings = vec![];
        {
            let mut used = self.used.lock();
            for (number, metric, values) in done {
                used.insert(number, tick.at);
                let Some((scope, queue)) = by_number.get(&number) else { continue };
                let unit = if metric == SIZE { "Bytes" } else { "Count" };
                readings.push(reading(scope, queue, metric, unit, values));
            }
        }
        if !tick.ends(1) {
            return Ok(readings);
        }
        self.used.lock().retain(|number, at| by_number.contains_key(number) && tick.at.since(*at) < ACTIVE);
        let now = platform.clock().now().millis();
        for queues in all.chunks(AT_ONCE) {
            let asked: Vec<_> = queues
                .iter()
                .map(|(_, _, queue)| {
                    let since = queue.settings.fifo.map(|_| now - queue.settings.delay * 1_000);
                    (queue.number, since)
                })
                .collect();
            let held = self.messages.run(move |table| {
                let each = asked.into_iter().map(|(number, since)| {
                    let Some(counts) = table.counts(number, now, since)? else { return Ok(None) };
                    let oldest = table.oldest(number)?;
                    let (waiting, in_flight, delayed) = (counts.waiting, counts.in_flight, counts.delayed);
                    Ok(Some(Holds { waiting, in_flight, delayed, oldest }))
                });
                each.collect::<rusqlite::Result<Vec<_>>>()
            });
            for ((scope, _, queue), holds) in queues.iter().zip(held.await?) {
                let Some(holds) = holds else { continue };
                if holds.oldest.is_none() && !self.used.lock().contains_key(&queue.number) {
                    continue;
                }
                readings.extend(standing(scope, queue, &holds, now));
            }
        }
        Ok(readings)
    }
}

fn reading(scope: &Scope, queue: &Queue, name: &'static str, unit: &'static str, values: Vec<(f64, f64)>) -> Reading {
    let dimensions = vec![("QueueName", queue.name.clone())];
    Reading { scope: scope.clone(), namespace: "AWS/SQS", name, dimensions, unit, values }
}

/// What an active queue holds, and a 0 of each thing that is done with messages: what was done is told besides.
fn standing(scope: &Scope, queue: &Queue, holds: &Holds, now: i64) -> Vec<Reading> {
    let age = holds.oldest.map_or(0, |sent| (now - sent).max(0) / 1_000);
    let values = [
        ("ApproximateNumberOfMessagesVisible", "Count", holds.waiting),
        ("ApproximateNumberOfMessagesNotVisible", "Count", holds.in_flight),
        ("ApproximateNumberOfMessagesDelayed", "Count", holds.delayed),
        ("ApproximateAgeOfOldestMessage", "Seconds", age),
        (SENT, "Count", 0),
        (RECEIVED, "Count", 0),
        (DELETED, "Count", 0),
        (EMPTY, "Count", 0),
    ];
    values.map(|(name, unit, value)| reading(scope, queue, name, unit, vec![(value as f64, 1.0)])).into()
}
