//! Who has read how much: what a call or a pass reads is counted to its name, in debug builds, so that a
//! test can hold it to what it keeps. A release build counts all reads together only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static READER: Arc<AtomicU64>;
}

/// What all runs of one name have read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// How often it ran.
    pub runs: u64,
    /// Records that the run which read most was given.
    pub most: u64,
    /// Records that all runs were given together.
    pub records: u64,
}

/// All names' reads.
#[derive(Default)]
pub(crate) struct Readers {
    /// What nobody's run read is in it too.
    all: AtomicU64,
    by_name: parking_lot::Mutex<BTreeMap<String, Reads>>,
}

impl Readers {
    /// Notes records that are given to a reader.
    pub fn count(&self, records: usize) {
        self.all.fetch_add(records as u64, Ordering::Relaxed);
        if cfg!(debug_assertions) {
            add(records as u64);
        }
    }

    pub fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    pub fn by_name(&self) -> BTreeMap<String, Reads> {
        self.by_name.lock().clone()
    }

    pub fn forget(&self) {
        self.by_name.lock().clear();
    }

    pub async fn run<T>(&self, name: impl FnOnce() -> String, run: impl Future<Output = T>) -> T {
        if !cfg!(debug_assertions) {
            return run.await;
        }
        let own = Arc::new(AtomicU64::new(0));
        let output = READER.scope(own.clone(), run).await;
        self.note(name(), own.load(Ordering::Relaxed));
        output
    }

    pub fn run_sync<T>(&self, name: impl FnOnce() -> String, run: impl FnOnce() -> T) -> T {
        if !cfg!(debug_assertions) {
            return run();
        }
        let own = Arc::new(AtomicU64::new(0));
        let output = READER.sync_scope(own.clone(), run);
        self.note(name(), own.load(Ordering::Relaxed));
        output
    }

    /// A run has ended; whoever ran it has read what it read.
    fn note(&self, name: String, records: u64) {
        let mut by_name = self.by_name.lock();
        let reads = by_name.entry(name).or_default();
        reads.runs += 1;
        reads.most = reads.most.max(records);
        reads.records += records;
        drop(by_name);
        add(records);
    }
}

fn add(records: u64) {
    // Outside of a run nobody counts.
    let _ = READER.try_with(|own| own.fetch_add(records, Ordering::Relaxed));
}
