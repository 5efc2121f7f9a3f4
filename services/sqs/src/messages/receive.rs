//! Messages go out, for a while or, after too many times, to a dead-letter queue.
//!
//! ```text
//! standard   the oldest that wait, whatever group
//! FIFO       group by group, in the order of their first messages: of a group of which something is in flight nothing,
//!            else as many of its first as are asked for
//! ```

use super::table::{IN_FLIGHT, Kept, Known, Place, SOME, Table, WAITS};
use super::{QueueNumber, Seq};
use rusqlite::{OptionalExtension, params};

/// Messages in flight of one queue. Source: SQS Developer Guide, "Amazon SQS message quotas": 120,000, of standard and
/// of FIFO queues.
const MOST_IN_FLIGHT: i64 = 120_000;

/// For how long a receive attempt of a FIFO queue can be made again. Source: SQS API Reference, ReceiveMessage: 5
/// minutes.
pub(super) const ATTEMPT: i64 = 5 * 60 * 1000;

/// Messages that one receive sends to the dead-letter queue at most: others wait meanwhile.
const MOST_DEAD: usize = 1_000;

/// What a caller wants to receive.
#[derive(Debug, Clone)]
pub struct Receive {
    pub queue: QueueNumber,
    pub now: i64,
    /// For how long what is received is invisible, in milliseconds.
    pub visibility: i64,
    /// One for each message that may be received: what its receipt handle is known by.
    pub tokens: Vec<i64>,
    /// Of a FIFO queue: how old a message must be, in milliseconds.
    pub fifo: Option<i64>,
    /// Of a FIFO queue: what the caller calls this attempt.
    pub attempt: Option<String>,
    pub dead: Option<Dead>,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone)]
pub struct Dead {
    pub queue: QueueNumber,
    /// How often one may be received.
    pub most: i64,
    /// The ARN of the queue that they come from.
    pub source: String,
}

/// What was received.
#[derive(Debug, Default)]
pub struct Received {
    pub messages: Vec<Got>,
    /// When the next message becomes visible, as far as that is known.
    pub next: Option<i64>,
    /// As many are in flight as may be.
    pub over_limit: bool,
    /// There is no such queue.
    pub gone: bool,
}

/// A message as it was received.
#[derive(Debug, Clone)]
pub struct Got {
    pub seq: Seq,
    pub token: i64,
    pub sent: i64,
    pub receives: i64,
    pub first: i64,
    /// Of a dead letter: the ARN of the queue that it was in.
    pub source: Option<String>,
    pub kept: Kept,
}

impl Table {
    /// Receives messages.
    pub fn receive(&mut self, receive: &Receive) -> rusqlite::Result<Received> {
        let Receive { queue, now, .. } = *receive;
        self.settle(queue, now, SOME)?;
        self.expire(queue, now, SOME)?;
        let Some(Known { counts, .. }) = self.known(queue)? else {
            return Ok(Received { gone: true, ..Received::default() });
        };
        if let Some(again) = self.again(receive)? {
            return Ok(again);
        }
        if counts.in_flight >= MOST_IN_FLIGHT {
            return Ok(Received { over_limit: true, next: self.next_due(queue)?, ..Received::default() });
        }
        let room = usize::try_from(MOST_IN_FLIGHT - counts.in_flight).unwrap_or(0).min(receive.tokens.len());
        let mut received = Received::default();
        match receive.fifo {
            None => self.of_standard(receive, room, &mut received)?,
            Some(age) => self.of_groups(receive, age, room, &mut received)?,
        }
        if received.messages.is_empty() {
            let due = self.next_due(queue)?;
            received.next = match (received.next, due) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        } else if let Some(id) = &receive.attempt {
            let got: Vec<(Seq, i64)> = received.messages.iter().map(|got| (got.seq, got.token)).collect();
            let got = serde_json::to_string(&got).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
            let note = "INSERT OR REPLACE INTO attempt (queue, id, at, got) VALUES (?1, ?2, ?3, ?4)";
            self.db.prepare_cached(note)?.execute(params![queue, id, now, got])?;
        }
        Ok(received)
    }

    fn of_standard(&mut self, receive: &Receive, room: usize, received: &mut Received) -> rusqlite::Result<()> {
        let mut dead = 0;
        while received.messages.len() < room && dead <= MOST_DEAD {
            let wanted = room - received.messages.len();
            let found = {
                let find = "SELECT queue, seq, state, sent, grp FROM message
                            WHERE queue = ?1 AND state = ?2 ORDER BY at, seq LIMIT ?3";
                let mut find = self.db.prepare_cached(find)?;
                let rows = find.query_map(params![receive.queue, WAITS, room as i64], Place::read)?;
                rows.collect::<rusqlite::Result<Vec<_>>>()?
            };
            // With a visibility of nothing a message stays at the front: it is received once.
            let found: Vec<Place> = found
                .into_iter()
                .filter(|place| received.messages.iter().all(|got| got.seq != place.seq))
                .take(wanted)
                .collect();
            if found.is_empty() {
                break;
            }
            let (some, before) = (found.len(), received.messages.len());
            for place in found {
                self.hand_out(receive, place, received)?;
            }
            dead += some - (received.messages.len() - before);
        }
        Ok(())
    }

    fn of_groups(&mut self, receive: &Receive, age: i64, room: usize, received: &mut Received) -> rusqlite::Result<()> {
        let mut behind: Seq = 0;
        let mut dead = 0;
        while received.messages.len() < room && dead <= MOST_DEAD {
            let ready = "SELECT id, head FROM grp WHERE queue = ?1 AND in_flight = 0 AND head > ?2
                         ORDER BY head LIMIT 1";
            let ready: Option<(i64, Seq)> = self
                .db
                .prepare_cached(ready)?
                .query_row([receive.queue, behind], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((grp, head)) = ready else { break };
            let wanted = room - received.messages.len();
            let found = {
                let find = "SELECT queue, seq, state, sent, grp FROM message WHERE grp = ?1 ORDER BY seq LIMIT ?2";
                let mut find = self.db.prepare_cached(find)?;
                let rows = find.query_map(params![grp, wanted as i64], Place::read)?;
                rows.collect::<rusqlite::Result<Vec<_>>>()?
            };
            let young = found.iter().position(|place| place.sent + age > receive.now).unwrap_or(found.len());
            if let Some(place) = found.get(young) {
                let due = place.sent + age;
                received.next = Some(received.next.map_or(due, |known| known.min(due)));
            }
            if young == 0 {
                // All groups behind begin with what was sent later.
                break;
            }
            let before = received.messages.len();
            for place in &found[..young] {
                self.hand_out(receive, *place, received)?;
            }
            let gone = young - (received.messages.len() - before);
            dead += gone;
            // Where dead letters went, the group begins with what was behind them: it is looked at again.
            behind = if gone > 0 && received.messages.len() == before { behind } else { head };
        }
        Ok(())
    }

    /// Gives a message out, or sends it to the dead-letter queue if it was received as often as it may be.
    fn hand_out(&mut self, receive: &Receive, place: Place, received: &mut Received) -> rusqlite::Result<()> {
        let Place { queue, seq, sent, grp, .. } = place;
        if received.messages.iter().any(|got| got.seq == seq) {
            return Ok(());
        }
        let find = "SELECT receives, first, source, before FROM message WHERE queue = ?1 AND seq = ?2";
        let found = self.db.prepare_cached(find)?.query_row([queue, seq], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })?;
        let (receives, first, source, before) = found;
        if let Some(dead) = receive.dead.as_ref().filter(|dead| receives - before >= dead.most)
            && self.move_dead(place, dead, receive.now)?
        {
            return Ok(());
        }
        let Some(token) = receive.tokens.get(received.messages.len()).copied() else { return Ok(()) };
        let (receives, first) = (receives + 1, first.unwrap_or(receive.now));
        let (state, at) = match receive.visibility {
            0 => (WAITS, sent),
            visibility => (IN_FLIGHT, receive.now + visibility),
        };
        let set = "UPDATE message SET state = ?3, at = ?4, receives = ?5, first = ?6, last = ?7, token = ?8
                   WHERE queue = ?1 AND seq = ?2";
        let values = params![queue, seq, state, at, receives, first, receive.now, token];
        self.db.prepare_cached(set)?.execute(values)?;
        if state == IN_FLIGHT {
            self.count(queue, WAITS, -1);
            self.count(queue, IN_FLIGHT, 1);
            self.due(queue, at);
            if let Some(grp) = grp {
                let more = "UPDATE grp SET in_flight = in_flight + 1 WHERE id = ?1";
                self.db.prepare_cached(more)?.execute([grp])?;
            }
        }
        let kept = self.kept(seq)?;
        received.messages.push(Got { seq, token, sent, receives, first, source, kept });
        Ok(())
    }

    /// What an attempt of that name got, if all of it is still in flight for it.
    fn again(&mut self, receive: &Receive) -> rusqlite::Result<Option<Received>> {
        let Receive { queue, now, .. } = *receive;
        let Some(id) = &receive.attempt else { return Ok(None) };
        let find = "SELECT got FROM attempt WHERE queue = ?1 AND id = ?2 AND at > ?3";
        let found: Option<String> =
            self.db.prepare_cached(find)?.query_row(params![queue, id, now - ATTEMPT], |row| row.get(0)).optional()?;
        let Some(found) = found else { return Ok(None) };
        let read = |e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e));
        let got: Vec<(Seq, i64)> = serde_json::from_str(&found).map_err(read)?;
        let mut messages = vec![];
        for (seq, token) in got {
            let find = "SELECT receives, first, source, sent FROM message
                        WHERE queue = ?1 AND seq = ?2 AND token = ?3 AND state = ?4";
            let row = self.db.prepare_cached(find)?.query_row(params![queue, seq, token, IN_FLIGHT], |row| {
                let first = row.get::<_, Option<i64>>(1)?.unwrap_or(now);
                Ok((row.get(0)?, first, row.get(2)?, row.get(3)?))
            });
            let Some((receives, first, source, sent)) = row.optional()? else { return Ok(None) };
            messages.push(Got { seq, token, sent, receives, first, source, kept: self.kept(seq)? });
        }
        for got in &messages {
            let set = "UPDATE message SET at = ?3 WHERE queue = ?1 AND seq = ?2";
            self.db.prepare_cached(set)?.execute([queue, got.seq, now + receive.visibility])?;
        }
        self.due(queue, now + receive.visibility);
        Ok(Some(Received { messages, ..Received::default() }))
    }

    /// When the next message of a queue becomes visible.
    fn next_due(&mut self, queue: QueueNumber) -> rusqlite::Result<Option<i64>> {
        let next = "SELECT min(at) FROM message WHERE queue = ?1 AND state = ?2";
        let mut next = self.db.prepare_cached(next)?;
        let mut of = |state: i64| next.query_row([queue, state], |row| row.get::<_, Option<i64>>(0));
        let (one, other) = (of(IN_FLIGHT)?, of(super::table::DELAYED)?);
        Ok(match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }
}
