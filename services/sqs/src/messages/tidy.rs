//! What goes without being received: purged queues, deleted ones, and what is too old.

use super::receive::ATTEMPT;
use super::send::DEDUPLICATED;
use super::table::{Place, SOME, Table};
use super::{QueueNumber, Seq};
use kiln_service_kit::Timestamp;
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

/// What a start found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Queues whose messages are to be removed: nobody has them.
    pub forgotten: Vec<QueueNumber>,
}

impl Table {
    /// The greatest number given so far: what is sent from now on has a greater one.
    pub fn newest(&mut self, now: i64) -> Seq {
        self.next(now)
    }

    /// Removes some messages of a queue up to one; whether there are more.
    pub fn purge(&mut self, queue: QueueNumber, until: Seq) -> rusqlite::Result<bool> {
        let some = {
            let sql =
                format!("SELECT {} FROM message WHERE queue = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3", Place::COLUMNS);
            let mut find = self.db.prepare_cached(&sql)?;
            let rows = find.query_map(params![queue, until, SOME as i64], Place::read)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        let more = some.len() == SOME;
        for place in some {
            self.remove(place)?;
        }
        Ok(more)
    }

    /// A queue is not there any more; its messages go piece by piece ([`Table::purge`]).
    pub fn forget(&mut self, queue: QueueNumber) -> rusqlite::Result<()> {
        self.known_no_more(queue);
        self.db.prepare_cached("DELETE FROM queue WHERE number = ?1")?.execute([queue])?;
        // Who waits is told that it is gone.
        self.brought(queue, u32::MAX);
        Ok(())
    }

    /// Makes the queues those that are there, with their retention; the numbers of others, whose messages are to go.
    pub fn agree(&mut self, queues: &[(QueueNumber, i64)]) -> rusqlite::Result<Tidied> {
        let mut others = BTreeSet::new();
        for (number, retention) in queues {
            self.put_queue(*number, *retention)?;
        }
        let there: BTreeSet<QueueNumber> = queues.iter().map(|(number, _)| *number).collect();
        let known: Vec<QueueNumber> = {
            let mut find = self.db.prepare("SELECT number FROM queue")?;
            find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        for number in known {
            if !there.contains(&number) {
                self.forget(number)?;
                others.insert(number);
            }
        }
        // Those that a kiln was removing when it was killed: from queue to queue, not over all messages.
        let mut last = QueueNumber::MIN;
        loop {
            let next = "SELECT queue FROM message WHERE queue > ?1 ORDER BY queue LIMIT 1";
            let Some(next) = self.db.query_row(next, [last], |row| row.get(0)).optional()? else { break };
            last = next;
            if !there.contains(&last) {
                others.insert(last);
            }
        }
        Ok(Tidied { forgotten: others.into_iter().collect() })
    }

    /// Removes what is too old, of all queues; whether there is more.
    pub(super) fn tidy(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        let now = now.millis();
        let old = "DELETE FROM sent WHERE (queue, key) IN (SELECT queue, key FROM sent WHERE at <= ?1 LIMIT ?2)";
        let mut more = self.db.prepare_cached(old)?.execute(params![now - DEDUPLICATED, SOME as i64])? == SOME;
        let old = "DELETE FROM attempt WHERE (queue, id) IN (SELECT queue, id FROM attempt WHERE at <= ?1 LIMIT ?2)";
        more |= self.db.prepare_cached(old)?.execute(params![now - ATTEMPT, SOME as i64])? == SOME;
        // Only those whose first that waits is too old: one look into the index for each queue.
        let queues: Vec<QueueNumber> = {
            let find = "SELECT number FROM queue
                        WHERE EXISTS (SELECT 1 FROM message WHERE queue = number AND state = 0 AND at <= ?1 - retention)
                        OR EXISTS (SELECT 1 FROM message WHERE queue = number AND state = 1 AND at <= ?1)
                        OR EXISTS (SELECT 1 FROM message WHERE queue = number AND state = 2 AND at <= ?1)
                        LIMIT ?2";
            let mut find = self.db.prepare_cached(find)?;
            find.query_map(params![now, 100], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        for queue in queues {
            more |= self.settle(queue, now, 100)?;
            more |= self.expire(queue, now, 100)?;
        }
        Ok(more)
    }
}
