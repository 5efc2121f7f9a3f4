//! The journal's promises, one file per promise.

mod bounds;
mod engine;
mod full_disk;
mod kill;
#[path = "../../../store/src/tests/killed.rs"]
mod killed;
mod meanwhile;
mod notes;
mod stopped;
mod unread;

use crate::{Entry, History, Journal, Kept};
use kiln_clock::{Clock, Timestamp};
use kiln_store::{Record, Scope, Store};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Happened(pub u64);

impl Entry for Happened {
    const KIND: &'static str = "test/happened";
    const KEPT: Duration = Duration::from_secs(3600);
}

/// Kept under another time than that of its age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Gone(pub u64);

impl Entry for Gone {
    const KIND: &'static str = "test/gone";
    const KEPT: Duration = Duration::from_secs(3600);
    const AGES_IN_ORDER: bool = false;
}

/// The fact that an entry tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fact(pub u64);

impl Record for Fact {
    const KIND: &'static str = "test/fact";
}

pub(super) fn home() -> Scope {
    Scope::new("000000000000", "eu-central-1")
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_000_000_000 + millis)
}

pub(super) fn keeping(journal: Journal) -> Journal {
    journal.keep([Kept::of::<Happened>(), Kept::of::<Gone>()]);
    journal
}

pub(super) fn open(dir: &Path) -> (Store, Journal) {
    let store = Store::open(&dir.join("kiln.db"), Clock::system()).expect("the store opens");
    (store, keeping(Journal::open(&dir.join("journal")).expect("the journal opens")))
}

/// Both engines, each with a store of its own.
pub(super) fn both() -> [(Store, Journal, Option<tempfile::TempDir>); 2] {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (store, journal) = open(dir.path());
    let simulated = (Store::in_memory(Clock::simulated(at(0))), keeping(Journal::in_memory()), None);
    [simulated, (store, journal, Some(dir))]
}

/// Notes numbers, each in a transaction with its fact.
pub(super) async fn note(history: &History, store: &Store, stream: &str, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        let noted = store.write::<_, crate::JournalError>(|tx| {
            tx.put(&home(), &format!("{n:08}"), Fact(n))?;
            history.note(tx, &home(), stream, &Happened(n))
        });
        noted.await.expect("noted");
    }
}
