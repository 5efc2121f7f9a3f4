//! Messages come in.

use super::table::{DELAYED, Kept, Table, WAITS};
use super::{QueueNumber, Seq};
use rusqlite::{OptionalExtension, params};

/// For how long a FIFO queue knows what was sent to it. Source: SQS Developer Guide, "Exactly-once processing in Amazon
/// SQS": 5 minutes.
pub(super) const DEDUPLICATED: i64 = 5 * 60 * 1000;

/// Messages for a queue.
#[derive(Debug)]
pub struct Sending {
    pub queue: QueueNumber,
    pub now: i64,
    pub messages: Vec<NewMessage>,
}

/// One of them.
#[derive(Debug)]
pub struct NewMessage {
    pub kept: Kept,
    /// Milliseconds until it becomes visible; none of a FIFO queue's, whose delay is the queue's own.
    pub delay: i64,
    /// What makes it the same as another; FIFO queues only.
    pub same: Option<Vec<u8>>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    pub seq: Seq,
}

impl Table {
    /// Takes messages in; none where there is no such queue. Of one that was sent before, within the time that a queue
    /// knows it, only what was answered then comes back.
    pub fn send(&mut self, sending: Sending) -> rusqlite::Result<Option<Vec<Sent>>> {
        let Sending { queue, now, messages } = sending;
        if self.known(queue)?.is_none() {
            return Ok(None);
        }
        let sent: rusqlite::Result<Vec<Sent>> =
            messages.into_iter().map(|message| self.send_one(queue, now, message)).collect();
        sent.map(Some)
    }

    fn send_one(&mut self, queue: QueueNumber, now: i64, message: NewMessage) -> rusqlite::Result<Sent> {
        let NewMessage { kept, delay, same } = message;
        if let Some(key) = &same {
            let known = "SELECT seq, id FROM sent WHERE queue = ?1 AND key = ?2 AND at > ?3";
            let known = self
                .db
                .prepare_cached(known)?
                .query_row(params![queue, key, now - DEDUPLICATED], |row| {
                    Ok(Sent { seq: row.get(0)?, id: row.get(1)? })
                })
                .optional()?;
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let seq = self.next(now);
        if let Some(key) = &same {
            let note = "INSERT OR REPLACE INTO sent (queue, key, at, seq, id) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.db.prepare_cached(note)?.execute(params![queue, key, now, seq, kept.id])?;
        }
        self.put(queue, seq, now, delay, &kept)?;
        Ok(Sent { id: kept.id, seq })
    }

    /// Puts a message into a queue.
    pub(super) fn put(
        &mut self,
        queue: QueueNumber,
        seq: Seq,
        now: i64,
        delay: i64,
        kept: &Kept,
    ) -> rusqlite::Result<()> {
        let data = self.data(kept)?;
        self.db.prepare_cached("INSERT INTO body (seq, data) VALUES (?1, ?2)")?.execute(params![seq, data])?;
        let grp = kept.group.as_ref().map(|group| self.group(queue, group, seq)).transpose()?;
        let (state, at) = if delay > 0 { (DELAYED, now + delay) } else { (WAITS, now) };
        let put = "INSERT INTO message (queue, seq, state, at, sent, grp) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.db.prepare_cached(put)?.execute(params![queue, seq, state, at, now, grp])?;
        self.count(queue, state, 1);
        if delay > 0 {
            self.due(queue, at)
        } else {
            self.brought(queue, 1)
        }
        Ok(())
    }
}
