//! The journal itself: appends that wait together share one commit, reads, trims, a copy.

use crate::engine::{Engine, Found, Item, Range};
use crate::key::{Position, UNIT};
use crate::memory::Memory;
use crate::{JournalError, Kept};
use kiln_clock::Timestamp;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{OwnedMutexGuard, oneshot};

/// Entries looked at in one go where all are looked at.
const LOOK: usize = 512;

/// Bytes of an entry before its JSON: the time that its age counts from, milliseconds since 1970.
const AGE: usize = 8;

/// The journal. Cheap to clone; the last clone to go finishes what is queued.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// None in memory.
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Box<dyn Engine>,
    path: PathBuf,
    queue: Mutex<Queue>,
    wake: Condvar,
    kept: RwLock<BTreeMap<&'static str, Kept>>,
    moving: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// Why nothing more is written.
    stopped: Option<JournalError>,
    closed: bool,
}

/// Entries and who waits for them.
struct Job {
    entries: Vec<Item>,
    answer: oneshot::Sender<Result<(), JournalError>>,
}

/// While it lives nothing is moved from the store to the journal: a copy of the store and one of the journal that
/// are made meanwhile fit together. Direct appends go on.
pub struct Held(#[allow(dead_code)] OwnedMutexGuard<()>);

impl Journal {
    /// Opens the journal in the directory `path`, and makes it when it is not there. One process at a time: the
    /// store's lock beside it sees to that.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let shared = Arc::new(Shared::new(Box::new(crate::disk::open(path)?), path.to_owned()));
        let thread = std::thread::Builder::new()
            .name("kiln-journal".to_owned())
            .spawn({
                let shared = shared.clone();
                move || run(&shared)
            })
            .map_err(|e| JournalError::Io {
                doing: "start the writer thread for",
                path: path.to_owned(),
                source: Arc::new(e),
            })?;
        Ok(Journal { handle: Arc::new(Handle { shared, thread: Some(thread) }) })
    }

    /// A journal for simulations: the same meaning, but no disk and no thread.
    pub fn in_memory() -> Journal {
        let shared = Arc::new(Shared::new(Box::new(Memory::default()), PathBuf::from("memory")));
        Journal { handle: Arc::new(Handle { shared, thread: None }) }
    }

    #[cfg(test)]
    pub(crate) fn on(engine: Box<dyn Engine>, path: &Path) -> Journal {
        let shared = Arc::new(Shared::new(engine, path.to_owned()));
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || run(&shared)
        });
        Journal { handle: Arc::new(Handle { shared, thread: Some(thread) }) }
    }

    /// Notes how long kinds are kept. Entries of a kind that nobody has noted are refused.
    pub fn keep(&self, kinds: impl IntoIterator<Item = Kept>) {
        self.shared().kept.write().extend(kinds.into_iter().map(|kept| (kept.kind, kept)));
    }

    /// Bytes on disk.
    pub fn size(&self) -> Result<u64, JournalError> {
        self.shared().engine.size()
    }

    /// Keeps the store and the journal as they are to each other, for a copy of both; see [`Held`].
    pub async fn hold(&self) -> Held {
        Held(self.shared().moving.clone().lock_owned().await)
    }

    /// Writes a consistent copy to `path`, which must not be there; [`Journal::open`] opens it. Appends go on
    /// meanwhile; the call blocks until the copy is durable. For a copy of the state directory: [`Journal::hold`],
    /// copy the store, copy the journal, let go.
    pub fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        self.shared().engine.copy_to(path)
    }

    /// Takes out what is older at `now` than its kind is kept. Blocks for the disk.
    pub fn trim(&self, now: Timestamp) -> Result<(), JournalError> {
        let kinds: Vec<Kept> = self.shared().kept.read().values().copied().collect();
        for kept in kinds {
            let oldest =
                Timestamp::from_millis(now.millis() - i64::try_from(kept.kept.as_millis()).unwrap_or(i64::MAX));
            match kept.ages_in_order {
                true => self.trim_streams(kept.kind, oldest)?,
                false => self.trim_all(kept.kind, oldest)?,
            }
        }
        Ok(())
    }

    /// The beginning of each stream goes; what is not too old is not looked at.
    fn trim_streams(&self, kind: &str, oldest: Timestamp) -> Result<(), JournalError> {
        let old = Range { from: None, to: Some(Position::new(oldest, "").to_string()) };
        self.each_stream(kind, |stream| self.shared().remove(stream, &old))
    }

    /// Each entry is asked for its age.
    fn trim_all(&self, kind: &str, oldest: Timestamp) -> Result<(), JournalError> {
        self.each_stream(kind, |stream| {
            let mut rest = Range::default();
            loop {
                let some = self.read(stream, &rest, false, LOOK)?;
                let Some((last, _)) = some.last() else { return Ok(()) };
                rest.from = Some(behind(last));
                for (position, value) in some {
                    if value_age(&value).is_some_and(|age| age < oldest) {
                        self.shared().remove(stream, &Range { to: Some(behind(&position)), from: Some(position) })?;
                    }
                }
            }
        })
    }

    fn each_stream(
        &self,
        kind: &str,
        mut work: impl FnMut(&str) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let (prefix, mut after) = (format!("{kind}{UNIT}"), String::new());
        loop {
            let streams = self.streams(&prefix, &after, LOOK)?;
            for stream in &streams {
                work(stream)?;
            }
            match streams.into_iter().next_back() {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// Appends entries; durable when it answers.
    pub(crate) async fn append(&self, entries: Vec<Item>) -> Result<(), JournalError> {
        let shared = self.shared();
        if self.handle.thread.is_none() {
            return shared.engine.append(&entries);
        }
        let (answer, durable) = oneshot::channel();
        {
            let mut queue = shared.queue.lock();
            if let Some(stopped) = &queue.stopped {
                return Err(stopped.clone());
            }
            queue.jobs.push(Job { entries, answer });
        }
        shared.wake.notify_one();
        durable.await.unwrap_or_else(|_| Err(shared.thread_failed()))
    }

    pub(crate) fn read(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Found, JournalError> {
        self.shared().told(self.shared().engine.read(stream, range, backwards, limit))
    }

    pub(crate) fn positions(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<String>, JournalError> {
        self.shared().told(self.shared().engine.positions(stream, range, backwards, limit))
    }

    pub(crate) fn replace(&self, stream: &str, gone: &[String], items: &[Item]) -> Result<(), JournalError> {
        if let Some(stopped) = self.shared().queue.lock().stopped.clone() {
            return Err(stopped);
        }
        self.shared().told(self.shared().engine.replace(stream, gone, items))
    }

    pub(crate) fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, JournalError> {
        self.shared().told(self.shared().engine.streams(prefix, after, limit))
    }

    pub(crate) fn remove(&self, stream: &str) -> Result<(), JournalError> {
        self.remove_range(stream, &Range::default())
    }

    pub(crate) fn remove_range(&self, stream: &str, range: &Range) -> Result<(), JournalError> {
        self.shared().remove(stream, range)
    }

    pub(crate) fn is_kept(&self, kind: &str) -> bool {
        self.shared().kept.read().contains_key(kind)
    }

    /// Whether calls block for a disk.
    pub fn is_on_disk(&self) -> bool {
        self.handle.thread.is_some()
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }
}

/// The least text behind a position.
pub(crate) fn behind(position: &str) -> String {
    format!("{position}\0")
}

/// An entry's value as the engine keeps it.
pub(crate) fn value_of(age: Timestamp, json: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(AGE + json.len());
    value.extend(age.millis().to_be_bytes());
    value.extend(json.as_bytes());
    value
}

fn value_age(value: &[u8]) -> Option<Timestamp> {
    Some(Timestamp::from_millis(i64::from_be_bytes(value.get(..AGE)?.try_into().ok()?)))
}

/// The JSON of a value.
pub(crate) fn value_json(value: &[u8]) -> &[u8] {
    value.get(AGE..).unwrap_or_default()
}

impl Shared {
    fn new(engine: Box<dyn Engine>, path: PathBuf) -> Shared {
        Shared {
            engine,
            path,
            queue: Mutex::default(),
            wake: Condvar::new(),
            kept: RwLock::default(),
            moving: Arc::default(),
        }
    }

    /// Takes a part of a stream out, unless nothing more is written.
    fn remove(&self, stream: &str, range: &Range) -> Result<(), JournalError> {
        if let Some(stopped) = self.queue.lock().stopped.clone() {
            return Err(stopped);
        }
        self.told(self.engine.remove(stream, range))
    }

    /// Passes on what the engine says. Once what is on disk is in doubt, whoever came upon it, nothing more is written:
    /// the mover would delete what only the store has for certain.
    fn told<T>(&self, said: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error @ JournalError::Stopped { .. }) = &said {
            self.queue.lock().stopped.get_or_insert_with(|| error.clone());
        }
        said
    }

    fn thread_failed(&self) -> JournalError {
        JournalError::Stopped { path: self.path.clone(), reason: "its writer thread failed, see the log".into() }
    }
}

/// The thread's body: what has gathered is one commit. While it waits for the disk, the next one gathers.
fn run(shared: &Shared) {
    let stop_on_panic = StopOnPanic(shared);
    while let Some(jobs) = next_jobs(shared) {
        let (entries, answers): (Vec<Vec<Item>>, Vec<_>) =
            jobs.into_iter().map(|job| (job.entries, job.answer)).unzip();
        let written = shared.told(shared.engine.append(&entries.concat()));
        if let Err(error) = &written {
            tracing::error!(error = error as &dyn std::error::Error, "an append failed; nothing of it was written");
        }
        for answer in answers {
            // Who no longer waits has been served all the same.
            let _ = answer.send(written.clone());
        }
    }
    drop(stop_on_panic);
}

fn next_jobs(shared: &Shared) -> Option<Vec<Job>> {
    let mut queue = shared.queue.lock();
    while queue.jobs.is_empty() {
        if queue.closed {
            return None;
        }
        shared.wake.wait(&mut queue);
    }
    Some(std::mem::take(&mut queue.jobs))
}

/// Without its thread the journal must say so instead of waiting for ever.
struct StopOnPanic<'a>(&'a Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.queue.lock();
            queue.stopped = Some(self.0.thread_failed());
            // Who waits is told when the answer's other end goes.
            queue.jobs.clear();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_one();
        if thread.join().is_err() {
            tracing::error!("the journal's writer thread had failed");
        }
    }
}
