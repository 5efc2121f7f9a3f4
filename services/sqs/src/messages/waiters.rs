//! Who waits for messages (long polling), queue by queue.
//!
//! One that has come wakes one who waits, as many as have come; when something becomes visible sooner than those who
//! wait know, all are woken to see when.

use super::QueueNumber;
use kiln_service_kit::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Calls that wait at all queues together. Each is a connection and some kilobytes: 10,000 × 10 KB = 100 MB at worst.
const MOST: usize = 10_000;

/// What a transaction has brought to a queue.
#[derive(Debug, Default, Clone, Copy)]
pub struct Brought {
    /// Messages that can be received.
    pub messages: u32,
    /// When another becomes visible.
    pub due: Option<i64>,
}

#[derive(Default)]
pub(super) struct Waiters {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    all: usize,
    by_queue: HashMap<QueueNumber, (usize, Arc<Row>)>,
}

struct Row {
    notify: Notify,
    /// The soonest time that all in the row know of, in milliseconds.
    due: Mutex<i64>,
}

impl Waiters {
    pub fn enter(self: &Arc<Self>, queue: QueueNumber) -> Option<Waiting> {
        let mut rows = self.rows.lock();
        if rows.all >= MOST {
            return None;
        }
        rows.all += 1;
        let made = || (0, Arc::new(Row { notify: Notify::new(), due: Mutex::new(i64::MAX) }));
        let (count, row) = rows.by_queue.entry(queue).or_insert_with(made);
        *count += 1;
        Some(Waiting { waiters: self.clone(), queue, row: row.clone() })
    }

    pub fn wake(&self, brought: HashMap<QueueNumber, Brought>) {
        if brought.is_empty() {
            return;
        }
        let rows = self.rows.lock();
        for (queue, Brought { messages, due }) in brought {
            let Some((count, row)) = rows.by_queue.get(&queue) else { continue };
            if let Some(due) = due {
                let mut known = row.due.lock();
                if due < *known {
                    *known = due;
                    row.notify.notify_waiters();
                }
            }
            for _ in 0..(*count).min(messages as usize) {
                row.notify.notify_one();
            }
        }
    }
}

/// A place in a row; it is left when this is dropped.
pub struct Waiting {
    waiters: Arc<Waiters>,
    queue: QueueNumber,
    row: Arc<Row>,
}

impl Waiting {
    /// Ends when there may be something. Enable it before looking, so that nothing is missed.
    pub fn told(&self) -> Notified<'_> {
        self.row.notify.notified()
    }

    /// When to look again by oneself, where the next message becomes visible at `next`.
    pub fn until(&self, next: Option<i64>, now: Timestamp, deadline: Timestamp) -> Timestamp {
        let mut due = self.row.due.lock();
        if *due <= now.millis() {
            *due = i64::MAX;
        }
        *due = (*due).min(next.unwrap_or(i64::MAX));
        // At least a millisecond on: what was due now has been looked for.
        deadline.min(Timestamp::from_millis((*due).max(now.millis() + 1)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut rows = self.waiters.rows.lock();
        rows.all -= 1;
        if let Some((count, _)) = rows.by_queue.get_mut(&self.queue) {
            *count -= 1;
            if *count == 0 {
                rows.by_queue.remove(&self.queue);
            }
        }
    }
}
