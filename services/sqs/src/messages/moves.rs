//! Messages change their queue: dead letters on their way out, and on their way back.

use super::receive::Dead;
use super::table::{Place, Table, WAITS};
use super::{QueueNumber, Seq};
use rusqlite::{OptionalExtension, params};

/// What a step of a move task did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    pub moved: u64,
    /// The first that could not be moved: where it came from, if it is known.
    pub stuck: Option<Option<String>>,
    /// Nothing waits any more.
    pub empty: bool,
}

impl Table {
    /// Sends a message to the dead-letter queue; false where that is not there: then it stays. What it is stays as it
    /// is, and so does in a standard queue the time that its age counts from. Source: SQS Developer Guide, "Using
    /// dead-letter queues in Amazon SQS".
    pub(super) fn move_dead(&mut self, place: Place, dead: &Dead, now: i64) -> rusqlite::Result<bool> {
        if self.known(dead.queue)?.is_none() {
            return Ok(false);
        }
        let sent = if place.grp.is_some() { now } else { place.sent };
        let find = "SELECT receives, first FROM message WHERE queue = ?1 AND seq = ?2";
        let found = self
            .db
            .prepare_cached(find)?
            .query_row([place.queue, place.seq], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))?;
        let (receives, first) = found;
        let seq = self.rehouse(place, dead.queue, sent, now)?;
        let set =
            "UPDATE message SET receives = ?3, before = ?3, first = ?4, source = ?5 WHERE queue = ?1 AND seq = ?2";
        self.db.prepare_cached(set)?.execute(params![dead.queue, seq, receives, first, dead.source])?;
        Ok(true)
    }

    /// Moves some of the messages that wait in a dead-letter queue, the oldest first, each to the queue that `to` names
    /// for where it came from. They are new messages there. Source: SQS Developer Guide, "Learn how to configure a
    /// dead-letter queue redrive".
    pub fn move_back(
        &mut self,
        from: QueueNumber,
        now: i64,
        most: usize,
        to: impl Fn(Option<&str>) -> Option<QueueNumber>,
        mut id: impl FnMut() -> String,
    ) -> rusqlite::Result<Moved> {
        self.settle(from, now, super::table::SOME)?;
        self.expire(from, now, super::table::SOME)?;
        let mut done = Moved::default();
        for _ in 0..most {
            let find = "SELECT queue, seq, state, sent, grp, source FROM message
                        WHERE queue = ?1 AND state = ?2 ORDER BY at, seq LIMIT 1";
            let found = self
                .db
                .prepare_cached(find)?
                .query_row(params![from, WAITS], |row| Ok((Place::read(row)?, row.get::<_, Option<String>>(5)?)));
            let Some((place, source)) = found.optional()? else {
                done.empty = true;
                break;
            };
            let there = match to(source.as_deref()) {
                Some(number) if self.known(number)?.is_some() => Some(number),
                _ => None,
            };
            let Some(number) = there else {
                done.stuck = Some(source);
                break;
            };
            let seq = self.rehouse(place, number, now, now)?;
            let kept = super::Kept { id: id(), ..self.kept(seq)? };
            let data = self.data(&kept)?;
            self.db.prepare_cached("UPDATE body SET data = ?2 WHERE seq = ?1")?.execute(params![seq, data])?;
            done.moved += 1;
        }
        Ok(done)
    }

    /// Takes a message out of its queue and puts it into another, as one that was sent at a time.
    fn rehouse(&mut self, place: Place, to: QueueNumber, sent: i64, now: i64) -> rusqlite::Result<Seq> {
        let seq = self.next(now);
        self.take(place)?;
        self.db.prepare_cached("UPDATE body SET seq = ?2 WHERE seq = ?1")?.execute([place.seq, seq])?;
        let grp = match place.grp {
            Some(_) => match self.kept(seq)?.group {
                Some(name) => Some(self.group(to, &name, seq)?),
                None => None,
            },
            None => None,
        };
        let put = "INSERT INTO message (queue, seq, state, at, sent, grp) VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
        self.db.prepare_cached(put)?.execute(params![to, seq, WAITS, sent, grp])?;
        self.count(to, WAITS, 1);
        self.brought(to, 1);
        Ok(seq)
    }
}
