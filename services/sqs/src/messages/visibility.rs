//! What a receipt handle is good for: a message goes for good, or is visible later or sooner.

use super::table::{IN_FLIGHT, Place, Table};
use super::{QueueNumber, Seq};
use rusqlite::OptionalExtension;

/// How long a message can be in flight from its receive on, in milliseconds. Source: SQS API Reference,
/// ChangeMessageVisibility: 12 hours.
const LONGEST: i64 = 12 * 3600 * 1000;

/// A message as one receive knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    pub queue: QueueNumber,
    pub seq: Seq,
    pub token: i64,
}

/// What became of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is not there, or the handle is an old one of a standard queue's: then the message stays.
    Done,
    /// Of a FIFO queue's message, which others may have by now.
    Expired,
    NoQueue,
}

/// What became of a change of visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Changed,
    /// The message is not there.
    NoMessage,
    NotInFlight,
    /// It would be in flight for longer than it may be.
    TooLong,
    NoQueue,
}

impl Table {
    /// Deletes a message.
    pub fn delete(&mut self, handle: Handle, fifo: bool, now: i64) -> rusqlite::Result<Deleted> {
        if self.known(handle.queue)?.is_none() {
            return Ok(Deleted::NoQueue);
        }
        let Some((place, token, at, _)) = self.received(handle)? else { return Ok(Deleted::Done) };
        let others = token != handle.token;
        if fifo && (others || place.state != IN_FLIGHT || at <= now) {
            return Ok(Deleted::Expired);
        }
        if !others {
            self.remove(place)?;
        }
        Ok(Deleted::Done)
    }

    /// Sets for how many milliseconds from now on a message is invisible.
    pub fn change(&mut self, handle: Handle, timeout: i64, now: i64) -> rusqlite::Result<Visibility> {
        let Handle { queue, seq, .. } = handle;
        if self.known(queue)?.is_none() {
            return Ok(Visibility::NoQueue);
        }
        let Some((place, token, at, last)) = self.received(handle)? else { return Ok(Visibility::NoMessage) };
        if token != handle.token || place.state != IN_FLIGHT || at <= now {
            return Ok(Visibility::NotInFlight);
        }
        if now + timeout > last + LONGEST {
            return Ok(Visibility::TooLong);
        }
        if timeout == 0 {
            self.becomes_visible(place)?;
            return Ok(Visibility::Changed);
        }
        let set = "UPDATE message SET at = ?3 WHERE queue = ?1 AND seq = ?2";
        self.db.prepare_cached(set)?.execute([queue, seq, now + timeout])?;
        self.due(queue, now + timeout);
        Ok(Visibility::Changed)
    }

    /// Where the message is, the token of its last receive, until when it is invisible, and when that receive was.
    fn received(&self, handle: Handle) -> rusqlite::Result<Option<(Place, i64, i64, i64)>> {
        let find = "SELECT queue, seq, state, sent, grp, token, at, last FROM message WHERE queue = ?1 AND seq = ?2";
        let mut find = self.db.prepare_cached(find)?;
        let found = find.query_row([handle.queue, handle.seq], |row| {
            Ok((Place::read(row)?, row.get(5)?, row.get(6)?, row.get::<_, Option<i64>>(7)?.unwrap_or(0)))
        });
        found.optional()
    }
}
