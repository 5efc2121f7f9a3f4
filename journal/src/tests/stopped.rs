//! Once what is on disk is in doubt nothing more is written, whatever came upon it: what only the store has for certain
//! stays there.

use super::meanwhile::Meddled;
use super::*;
use crate::engine::{Engine, Item, Range};
use crate::keeper::move_over;
use crate::{JournalError, Window};

fn doubt() -> JournalError {
    JournalError::Stopped { path: "here".into(), reason: "the disk did not confirm a write".into() }
}

/// An engine whose next removal fails, and whose next append would seem to succeed.
fn unconfirmed() -> Journal {
    let engine = Meddled::default();
    *engine.removed.lock() = Some(Box::new(|| Err(doubt())));
    keeping(Journal::on(Box::new(engine), Path::new("meddled")))
}

async fn takes_nothing_more(store: &Store, journal: &Journal, history: &History) {
    let told = move_over(store, journal).await.unwrap_err();
    assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
    let told = history.forget::<Happened>(&home(), "other").await.unwrap_err();
    assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
    assert_eq!(store.list::<crate::history::Pending>(&home()).unwrap().len(), 1, "it waits in the store");
    assert_eq!(history.read::<Happened>(&home(), "waits", &Window::default(), 9).unwrap().len(), 1, "and is read");
}

#[tokio::test]
async fn a_removal_that_the_disk_did_not_confirm_stops_the_journal() {
    let (store, journal) = (Store::in_memory(Clock::system()), unconfirmed());
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "waits", [1]).await;
    let told = history.forget::<Happened>(&home(), "s").await.unwrap_err();
    assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
    takes_nothing_more(&store, &journal, &history).await;
}

#[tokio::test]
async fn a_trim_that_the_disk_did_not_confirm_stops_the_journal() {
    let (store, journal) = (Store::in_memory(Clock::system()), unconfirmed());
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "s", [0]).await;
    move_over(&store, &journal).await.unwrap();
    note(&history, &store, "waits", [1]).await;
    let told = journal.trim(Timestamp::from_millis(i64::MAX / 2)).unwrap_err();
    assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
    takes_nothing_more(&store, &journal, &history).await;
}

#[tokio::test]
async fn a_writer_thread_that_fails_is_told_to_who_waits_and_to_who_comes() {
    let store = Store::in_memory(Clock::system());
    let engine = Meddled::default();
    *engine.appended.lock() = Some(Box::new(|| panic!("a bug in the engine, on purpose")));
    let journal = keeping(Journal::on(Box::new(engine), Path::new("meddled")));
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "waits", [1]).await;
    let told = move_over(&store, &journal).await.unwrap_err();
    assert!(told.to_string().contains("its writer thread failed, see the log"), "{told}");
    takes_nothing_more(&store, &journal, &history).await;
}

#[test]
fn the_engine_writes_nothing_more_to_a_file_in_which_a_removal_or_a_read_found_damage() {
    for removes in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let item = |n: usize| Item { stream: "s".into(), position: format!("{n:04}"), value: vec![7; 2_000] };
        let fill = crate::disk::open(&path).unwrap();
        fill.append(&(0..100).map(item).collect::<Vec<_>>()).unwrap();
        drop(fill);
        let file = path.join("journal.db");
        // The last one to close it leaves no log: all is in the file then.
        rusqlite::Connection::open(&file).unwrap().execute_batch("SELECT count(*) FROM entry").unwrap();
        assert!(!path.join("journal.db-wal").exists());
        let engine = crate::disk::open(&path).unwrap();
        let whole = std::fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        // The header's page stays.
        damaged[4096..].fill(0xff);
        std::fs::write(&file, &damaged).unwrap();
        let told = match removes {
            true => engine.remove("s", &Range::default()),
            false => engine.read("s", &Range::default(), false, 9).map(|_| ()),
        };
        let told = told.unwrap_err();
        assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
        // Once it looks whole again, an append would seem to succeed.
        std::fs::write(&file, &whole).unwrap();
        let told = engine.append(&[item(100)]).unwrap_err();
        assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
        let told = engine.remove("s", &Range::default()).unwrap_err();
        assert!(matches!(told, JournalError::Stopped { .. }), "{told:?}");
        drop(engine);
        crate::disk::open(&path).unwrap().append(&[item(100)]).expect("read afresh, it goes on");
    }
}
