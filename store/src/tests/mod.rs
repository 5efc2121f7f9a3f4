//! The store's promises, one file per promise.

mod counted;
mod full_disk;
mod keys;
mod kill;
mod killed;
mod log;
mod ranges;
mod rest;
mod schema;
mod transactions;
mod unread;

use crate::sqlite::Sqlite;
use crate::{Record, Scope, Store, StoreError};
use kiln_clock::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub name: String,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub tags: HashMap<String, String>,
}

impl Record for Machine {
    const KIND: &'static str = "test/machine";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter(pub u64);

impl Record for Counter {
    const KIND: &'static str = "test/counter";
}

pub(super) fn machine(name: &str) -> Machine {
    Machine { name: name.to_owned(), tags: HashMap::new() }
}

pub(super) fn home() -> Scope {
    Scope::new("000000000000", "eu-central-1")
}

pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("state/kiln.db")
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(&file(dir), Clock::system()).expect("the store opens")
}

/// With the database, which tests make misbehave. To be dropped before it is opened again.
pub(super) fn open_with_log(dir: &Path) -> (Store, Arc<Sqlite>) {
    let log = Arc::new(Sqlite::open(&file(dir), Timestamp(0)).expect("the database opens"));
    (Store::on(log.clone(), Clock::system()).expect("the store opens"), log)
}

pub(super) fn simulated() -> Store {
    Store::in_memory(Clock::simulated(Timestamp(1_767_323_045_678)))
}

/// Every promise about transactions holds for both: each test gets one of each.
pub(super) fn both() -> [(Store, Option<tempfile::TempDir>); 2] {
    let dir = tempfile::tempdir().expect("a temporary directory");
    [(simulated(), None), (open(dir.path()), Some(dir))]
}

pub(super) async fn put(store: &Store, id: &str, machine: Machine) -> Result<(), StoreError> {
    store.write(|tx| tx.put(&home(), id, machine)).await
}

/// Polls once, without a waker.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
