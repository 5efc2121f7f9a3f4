//! History: entries that belong to a transaction of the store.
//!
//! ```text
//! transaction ──note──▶ a record "journal/pending", in the same commit as the fact
//!                          │ mover: append (durable), then delete the record
//!                          ▼
//!                       the engine                reads: records that wait ∪ engine
//! ```
//! One commit makes the fact and its entry durable, so neither is without the other and an answer waits for one
//! `fsync` as before. What the mover does it may do twice: an entry has one key, wherever it is. It deletes only what
//! it has appended: another that was noted at the same position meanwhile goes on waiting. A reader looks at what waits
//! first and at the engine then, so that an entry under way is seen, and seen once; of two at one position what waits
//! is newer.
//!
//! Turned down (`docs/decisions/0016-journal.md`): writing the journal first and dropping at start what the store
//! did not commit (a second `fsync` before each answer, and a failed commit must be taken out again), and one file
//! for both.

use crate::engine::{Item, Range};
use crate::journal::{behind, value_json, value_of};
use crate::key::{self, Position, UNIT};
use crate::{Entry, Journal, JournalError};
use kiln_clock::Timestamp;
use kiln_store::{Record, Scope, Store, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many entries may wait in the store while the journal takes none: 50,000 × about 1 KiB.
pub(crate) const MOST_WAITING: usize = 50_000;

/// Entries in one append of the mover, and of what is moved over from an older state.
pub(crate) const BATCH: usize = 500;

/// An entry that waits in the store; its id is `KIND ␟ STREAM ␟ POSITION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// From when its age counts.
    aged: Timestamp,
    json: String,
}

impl Record for Pending {
    const KIND: &'static str = "journal/pending";
}

impl Pending {
    /// A waiting entry as the engine takes it.
    pub fn item(&self, scope: &Scope, id: &str) -> Result<Item, JournalError> {
        let bad = || JournalError::BadName { name: id.to_owned() };
        let (kind, rest) = id.split_once(UNIT).ok_or_else(bad)?;
        let (stream, position) = rest.rsplit_once(UNIT).ok_or_else(bad)?;
        let (stream, position) = (key::stream(kind, scope, stream)?, position.to_owned());
        Ok(Item { stream, position, value: value_of(self.aged, &self.json) })
    }
}

/// Which entries of a stream, and from which end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Only behind this one, in the order of reading: where the page before ended.
    pub after: Option<Position>,
    /// Only from this time on.
    pub from: Option<Timestamp>,
    /// Only up to this time, which is within.
    pub to: Option<Timestamp>,
    /// From the newest backwards.
    pub newest_first: bool,
}

impl Window {
    /// All, newest first, behind `after`.
    pub fn newest(after: Option<Position>) -> Window {
        Window { after, newest_first: true, ..Window::default() }
    }

    /// The window as a part of a stream.
    fn range(&self) -> Range {
        let start = |at: Timestamp| Position::new(at, "").to_string();
        let from = self.from.map(start);
        let to = self.to.map(|to| start(Timestamp::from_millis(to.millis().saturating_add(1))));
        let after = self.after.as_ref().map(Position::to_string);
        match self.newest_first {
            true => Range { from, to: to.into_iter().chain(after).min() },
            false => Range { from: from.into_iter().chain(after.map(|after| behind(&after))).max(), to },
        }
    }
}

/// The store and the journal together, as services see what happened.
#[derive(Clone)]
pub struct History {
    store: Store,
    journal: Journal,
}

impl History {
    /// What happened to the things of a store.
    pub fn new(store: Store, journal: Journal) -> History {
        History { store, journal }
    }

    /// The journal itself.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Notes an entry in the transaction that makes it true, at the transaction's time; of one millisecond its place is
    /// behind everything noted before. So it is over all times, unless the system's clock is set back meanwhile.
    pub fn note<E: Entry>(&self, tx: &mut Tx<'_>, scope: &Scope, stream: &str, entry: &E) -> Result<(), JournalError> {
        let (sequence, number) = tx.place();
        let position = Position::new(tx.now(), format!("{sequence:016x}{number:08x}"));
        self.note_at(tx, scope, stream, &position, entry)
    }

    /// Notes an entry at a position of its own; one that is there is replaced.
    pub fn note_at<E: Entry>(
        &self,
        tx: &mut Tx<'_>,
        scope: &Scope,
        stream: &str,
        position: &Position,
        entry: &E,
    ) -> Result<(), JournalError> {
        // Counted where it is, so that it holds also while nothing is moved at all.
        if let Some(waiting) = tx.more_than::<Pending>(MOST_WAITING) {
            return Err(JournalError::Behind { waiting });
        }
        let (id, pending) = self.pending(scope, stream, position, entry.ages_from(tx.now()), entry)?;
        Ok(tx.put(scope, &id, pending)?)
    }

    fn pending<E: Entry>(
        &self,
        scope: &Scope,
        stream: &str,
        position: &Position,
        aged: Timestamp,
        entry: &E,
    ) -> Result<(String, Pending), JournalError> {
        if !self.journal.is_kept(E::KIND) {
            return Err(JournalError::UnknownKind { kind: E::KIND });
        }
        key::stream(E::KIND, scope, stream)?;
        if position.tie.contains(UNIT) {
            return Err(JournalError::BadName { name: position.tie.clone() });
        }
        let id = waiting_of::<E>(stream) + &position.to_string();
        let json = serde_json::to_string(entry).map_err(|e| JournalError::Entry {
            key: id.clone(),
            done: "written",
            source: Arc::new(e),
        })?;
        Ok((id, Pending { aged, json }))
    }

    /// At most `limit` entries of a stream with their positions.
    pub fn read<E: Entry>(
        &self,
        scope: &Scope,
        stream: &str,
        window: &Window,
        limit: usize,
    ) -> Result<Vec<(Position, E)>, JournalError> {
        let (name, range) = (key::stream(E::KIND, scope, stream)?, window.range());
        let within = |position: &str| {
            range.from.as_deref().is_none_or(|from| position >= from)
                && range.to.as_deref().is_none_or(|to| position < to)
        };
        let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        // One that does not read is an error here, as it is in the engine; those of other streams are not looked at.
        for (id, pending) in self.store.whole().list_prefix::<Pending>(scope, &waiting_of::<E>(stream))? {
            let Item { position, value, .. } = pending.item(scope, &id)?;
            if within(&position) {
                found.insert(position, value);
            }
        }
        for (position, value) in self.journal.read(&name, &range, window.newest_first, limit)? {
            // What waits is what was noted last at its place.
            found.entry(position).or_insert(value);
        }
        let read = |(position, value): (String, Vec<u8>)| {
            let key = || format!("{name}{UNIT}{position}");
            let read = serde_json::from_slice(value_json(&value));
            let entry = read.map_err(|e| JournalError::Entry { key: key(), done: "read", source: Arc::new(e) })?;
            Ok((position.parse().map_err(|_| JournalError::BadName { name: key() })?, entry))
        };
        match window.newest_first {
            true => found.into_iter().rev().take(limit).map(read).collect(),
            false => found.into_iter().take(limit).map(read).collect(),
        }
    }

    /// The newest entry of a stream.
    pub fn newest<E: Entry>(&self, scope: &Scope, stream: &str) -> Result<Option<E>, JournalError> {
        Ok(self.read(scope, stream, &Window::newest(None), 1)?.pop().map(|(_, entry)| entry))
    }

    /// Forgets a stream, what waits of it too. It may be done twice.
    pub async fn forget<E: Entry>(&self, scope: &Scope, stream: &str) -> Result<(), JournalError> {
        let name = key::stream(E::KIND, scope, stream)?;
        // What is being moved just now is in the journal then.
        let _held = self.journal.hold().await;
        self.store
            .write::<_, JournalError>(|tx| {
                for (id, _) in tx.list_prefix::<Pending>(scope, &waiting_of::<E>(stream))? {
                    tx.delete::<Pending>(scope, &id);
                }
                Ok(())
            })
            .await?;
        self.journal.remove(&name)
    }

    /// Appends an entry that belongs to no transaction, since what it tells is no fact of the store; durable when it
    /// answers. One that is at that position is replaced.
    pub async fn append<E: Entry>(
        &self,
        scope: &Scope,
        stream: &str,
        position: &Position,
        entry: &E,
    ) -> Result<(), JournalError> {
        let (id, pending) = self.pending(scope, stream, position, entry.ages_from(position.at), entry)?;
        self.journal.append(vec![pending.item(scope, &id)?]).await
    }

    /// Forgets what a stream has in the journal up to a position, which is within: for streams that a number bounds,
    /// whose entries are appended. Blocks for the disk.
    pub fn forget_until<E: Entry>(&self, scope: &Scope, stream: &str, last: &Position) -> Result<(), JournalError> {
        let range = Range { from: None, to: Some(behind(&last.to_string())) };
        self.journal.remove_range(&key::stream(E::KIND, scope, stream)?, &range)
    }

    /// Moves records of an older kiln over: `entries` are durable in the journal before `forget` takes their
    /// records out of the store. Done twice, it comes to the same.
    pub async fn adopt<E: Entry>(
        &self,
        scope: &Scope,
        entries: &[(String, Position, E)],
        forget: impl FnOnce(&mut Tx<'_>),
    ) -> Result<(), JournalError> {
        let mut items = vec![];
        for (stream, position, entry) in entries {
            let (id, pending) = self.pending(scope, stream, position, entry.ages_from(position.at), entry)?;
            items.push(pending.item(scope, &id)?);
        }
        self.journal.append(items).await?;
        self.store
            .write::<_, JournalError>(|tx| {
                forget(tx);
                Ok(())
            })
            .await
    }
}

/// How the ids begin of what waits of a stream.
fn waiting_of<E: Entry>(stream: &str) -> String {
    format!("{}{UNIT}{stream}{UNIT}", E::KIND)
}
