//! The trail as it is kept: what waits, the files that outlive a `kill -9`, the blocks of the journal, and lookups in them.

use super::class::{Class, Classes};
use super::spool::Spool;
use crate::calls::{Block, Logged, Told, Waiting, read_blocks};
use kiln_clock::Timestamp;
use kiln_journal::{History, JournalError, Kept, Position};
use kiln_protocol::Error;
use kiln_store::Scope;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// For the journal: how long records are kept.
pub(crate) const KEPT: Kept = Kept::of::<Block<TrailRecord>>();

/// What waits weighs so much at most, bytes.
const HEAVIEST: usize = 16 * 1024 * 1024;

/// Writes that wait, at most: so many that only a journal that takes nothing reaches it.
const MOST_WRITES: usize = 40_000;

/// Lookups of an account in a region, in a second. Source: AWS CloudTrail API Reference, LookupEvents.
const LOOKUPS: u32 = 2;

/// Accounts and regions whose lookups are counted at once.
const MOST_COUNTED: usize = 1_000;

/// One management call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailRecord {
    pub at: Timestamp,
    pub account: String,
    /// Where it is found: the call's, and of a global service its partition's first.
    pub region: String,
    pub event_id: String,
    /// The record as CloudTrail writes it: JSON.
    pub event: String,
}

impl TrailRecord {
    /// The record as CloudTrail writes it: the `detail` of "AWS API Call via CloudTrail".
    ///
    /// # Errors
    /// It is damaged.
    pub fn json(&self) -> Result<serde_json::Value, Error> {
        serde_json::from_str(&self.event).map_err(|e| Error::failed("read a record of the trail", e))
    }

    /// As a line of the spool. JSON has neither tabs nor line ends in it, and needs no marks in front of its quotes here.
    fn line(&self) -> String {
        let Self { at, account, region, event_id, event } = self;
        format!("{}\t{account}\t{region}\t{event_id}\t{event}\n", at.0)
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut parts = line.splitn(5, '\t');
        let mut next = || parts.next();
        let at = Timestamp(next()?.parse().ok()?);
        let [account, region, event_id, event] = [next()?, next()?, next()?, next()?].map(str::to_owned);
        Some(Self { at, account, region, event_id, event })
    }
}

impl Logged for TrailRecord {
    const KIND: &'static str = "kiln/trail";
    /// Reads; of writes more may wait. So 2,000 reads a second are told at most, whatever comes.
    const MOST_WAITING: usize = 500;
    /// About 300 MB.
    const MOST_KEPT: u64 = 250_000;

    fn weight(&self) -> usize {
        self.event.len() + 200
    }
}

/// Is told of each record when its call has ended, before the answer goes out. It must not take long.
pub type Listener = Arc<dyn Fn(&TrailRecord) + Send + Sync>;

/// Where a lookup goes on: behind the record of that place in that block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    block: Position,
    index: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.block)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (index, block) = text.split_once('/').ok_or(())?;
        Ok(Self { block: block.parse().map_err(drop)?, index: index.parse().map_err(drop)? })
    }
}

/// Some records, newest first, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub records: Vec<TrailRecord>,
    /// None: there are no more.
    pub next: Option<Place>,
}

/// The trail of a platform.
pub struct Trail {
    classes: Classes,
    pub(super) waiting: Waiting<TrailRecord>,
    pub(super) spool: Mutex<Option<Spool>>,
    /// Told apart in their ids, those of one request too.
    count: AtomicU64,
    listener: RwLock<Option<Listener>>,
    lookups: Mutex<HashMap<Scope, (i64, u32)>>,
}

impl Trail {
    pub(crate) fn new(classes: Classes) -> Self {
        Self {
            classes,
            waiting: Waiting::default(),
            spool: Mutex::new(None),
            count: AtomicU64::new(0),
            listener: RwLock::new(None),
            lookups: Mutex::default(),
        }
    }

    /// What kind of event an operation is.
    pub(crate) fn class(&self, service: &str, operation: &str) -> Class {
        self.classes.of(service, operation)
    }

    /// Whether a read may wait; one that may not is counted.
    pub(crate) fn has_room_for_a_read(&self) -> bool {
        let room = self.waiting.len() < TrailRecord::MOST_WAITING;
        if !room {
            self.waiting.add_unkept();
        }
        room
    }

    /// One more record; `durably`: it is on the disk when this returns, as far as a `kill -9` goes.
    pub(crate) fn add(&self, record: TrailRecord, durably: bool) {
        if let Some(listener) = &*self.listener.read() {
            listener(&record);
        }
        match durably {
            true => self.add_durably(record),
            false => self.waiting.add(record, TrailRecord::MOST_WAITING, HEAVIEST),
        }
    }

    /// Sets who is told of each record.
    pub fn set_listener(&self, listener: Listener) {
        *self.listener.write() = Some(listener);
    }

    /// A version 4 UUID by its form. Not from the platform's source of names: in a simulation a call that is told would
    /// change all names after it.
    pub(crate) fn event_id(&self, request_id: &str, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::digest(format!("{request_id} {count} {}", now.0));
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
        format!("{a}-{b}-4{c}-a{d}-{}", &hex[20..])
    }

    pub(super) fn add_durably(&self, record: TrailRecord) {
        // Held until it waits too: what is moved is what the files have that are full by then.
        let mut spool = self.spool.lock();
        if let Some(spool) = &mut *spool
            && let Err(error) = spool.write(record.line().as_bytes())
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a record of the trail waits in memory only");
        }
        self.waiting.add(record, MOST_WRITES, HEAVIEST);
    }

    /// Keeps writes in this folder until the journal has them, and takes up those that an earlier kiln has left.
    ///
    /// # Errors
    /// The folder or the journal cannot be read.
    pub async fn open(&self, folder: &Path, history: &History, now: Timestamp) -> Result<(), Error> {
        let failed = |e| Error::failed("open the trail's folder", e);
        let (spool, lines) = Spool::open(folder).map_err(failed)?;
        let damaged = || Error::internal(format!("what an earlier kiln left in {} is damaged", folder.display()));
        let left: Vec<TrailRecord> =
            lines.iter().map(|line| TrailRecord::of_line(line)).collect::<Option<_>>().ok_or_else(damaged)?;
        let known = known(&left, history)?;
        for record in left.into_iter().filter(|record| !known.contains(&record.event_id)) {
            self.waiting.add(record, usize::MAX, usize::MAX);
        }
        *self.spool.lock() = Some(spool);
        self.keep(history, now).await?;
        // What lay in files from before is in the journal now.
        if let Some(spool) = &*self.spool.lock() {
            spool.forget(u64::MAX).map_err(failed)?;
        }
        Ok(())
    }

    /// Keeps what waits, durably.
    pub(crate) async fn keep(&self, history: &History, now: Timestamp) -> Result<(), JournalError> {
        if self.waiting.len() == 0 {
            return Ok(());
        }
        let full = self.spool.lock().as_mut().map(Spool::turn_over);
        self.waiting.keep(history, now, TrailRecord::MOST_KEPT).await?;
        let forgotten = match full {
            Some(Ok(last)) => self.spool.lock().as_ref().map_or(Ok(()), |spool| spool.forget(last)),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Err(error) = forgotten {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "files of the trail are left, though the journal has what is in them");
        }
        Ok(())
    }

    /// Answers once many records wait.
    pub(crate) async fn many(&self) {
        self.waiting.many().await;
    }

    /// Records that are `wanted`, newest first: of those behind a place so many are looked at, and so many given, at most.
    ///
    /// # Errors
    /// The journal cannot be read, or takes nothing.
    pub async fn find(
        &self,
        history: &History,
        now: Timestamp,
        behind: Option<Place>,
        (look, limit): (usize, usize),
        wanted: impl Fn(&TrailRecord) -> Wanted + Send + 'static,
    ) -> Result<Found, Error> {
        // What waits has no place yet.
        self.keep(history, now).await?;
        let history = history.clone();
        let read = tokio::task::spawn_blocking(move || find(&history, behind, look, limit, wanted));
        read.await.map_err(|e| Error::failed("read the trail", e))?
    }

    /// Whether an account may look once more in this second.
    pub fn may_look(&self, scope: &Scope, now: Timestamp) -> bool {
        let second = now.0.div_euclid(1_000);
        let mut lookups = self.lookups.lock();
        if lookups.len() >= MOST_COUNTED {
            lookups.retain(|_, (at, _)| *at == second);
        }
        let (at, count) = lookups.entry(scope.clone()).or_insert((second, 0));
        if *at != second {
            (*at, *count) = (second, 0);
        }
        *count += 1;
        *count <= LOOKUPS
    }
}

/// What a lookup says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Yes,
    No,
    /// Nor any older one.
    Enough,
}

fn find(
    history: &History,
    behind: Option<Place>,
    look: usize,
    limit: usize,
    wanted: impl Fn(&TrailRecord) -> Wanted,
) -> Result<Found, Error> {
    let (mut records, mut looked) = (vec![], 0);
    // The block of the place is read again: it is the first at or behind it.
    let mut after = behind.as_ref().map(|place| {
        let mut tie = place.block.tie.clone();
        tie.push('~');
        Position::new(place.block.at, tie)
    });
    loop {
        let blocks = read_blocks::<TrailRecord>(history, after.take())?;
        let Some((last, _)) = blocks.last() else { return Ok(Found { records, next: None }) };
        after = Some(last.clone());
        for (position, block) in blocks {
            let from = match &behind {
                Some(place) if place.block == position => place.index,
                _ => block.told.len(),
            };
            for (index, told) in block.told.into_iter().enumerate().take(from).rev() {
                let Told::Call(record) = told else { continue };
                if records.len() == limit || looked == look {
                    let next = Some(Place { block: position, index: index + 1 });
                    return Ok(Found { records, next });
                }
                looked += 1;
                match wanted(&record) {
                    Wanted::Yes => records.push(record),
                    Wanted::No => {}
                    Wanted::Enough => return Ok(Found { records, next: None }),
                }
            }
        }
    }
}

/// Which of these the journal has: those that were moved when that kiln ended.
fn known(left: &[TrailRecord], history: &History) -> Result<HashSet<String>, Error> {
    let mut known = HashSet::new();
    let Some(oldest) = left.iter().map(|record| record.at).min() else { return Ok(known) };
    let mut after = None;
    loop {
        let blocks = read_blocks::<TrailRecord>(history, after)?;
        let Some((last, _)) = blocks.last() else { return Ok(known) };
        // A block stands at the time when it was kept, which is behind its calls'.
        let enough = last.at < oldest;
        after = Some(last.clone());
        for (_, block) in blocks {
            known.extend(block.told.into_iter().filter_map(|told| match told {
                Told::Call(record) => Some(record.event_id),
                Told::NotKept(_) => None,
            }));
        }
        if enough {
            return Ok(known);
        }
    }
}
