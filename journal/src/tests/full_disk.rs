//! A disk that is full: whoever appends is told, the facts stay in the store, and it goes on once there is room.

use super::*;
use crate::engine::{Engine, Found, Item, Range};
use crate::keeper::move_over;
use crate::{JournalError, Window};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The engine on disk, on a disk that can be filled.
struct Small {
    engine: Box<dyn Engine>,
    full: Arc<AtomicBool>,
    tried: Mutex<usize>,
}

impl Engine for Small {
    fn append(&self, items: &[Item]) -> Result<(), JournalError> {
        *self.tried.lock() += 1;
        match self.full.load(Ordering::Relaxed) {
            true => {
                let source = Arc::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
                Err(JournalError::NoSpace { path: "here".into(), source })
            }
            false => self.engine.append(items),
        }
    }
    fn read(&self, stream: &str, range: &Range, backwards: bool, limit: usize) -> Result<Found, JournalError> {
        self.engine.read(stream, range, backwards, limit)
    }
    fn positions(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<String>, JournalError> {
        self.engine.positions(stream, range, backwards, limit)
    }
    fn replace(&self, stream: &str, gone: &[String], items: &[Item]) -> Result<(), JournalError> {
        self.engine.replace(stream, gone, items)
    }
    fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, JournalError> {
        self.engine.streams(prefix, after, limit)
    }
    fn remove(&self, stream: &str, range: &Range) -> Result<(), JournalError> {
        self.engine.remove(stream, range)
    }
    fn size(&self) -> Result<u64, JournalError> {
        self.engine.size()
    }
    fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        self.engine.copy_to(path)
    }
}

#[tokio::test]
async fn the_mover_is_told_nothing_is_lost_and_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("kiln.db"), Clock::system()).unwrap();
    let full = Arc::new(AtomicBool::new(true));
    let engine = Box::new(crate::disk::open(&dir.path().join("journal")).unwrap());
    let small = Small { engine, full: full.clone(), tried: Mutex::default() };
    let journal = keeping(Journal::on(Box::new(small), dir.path()));
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "s", 0..3).await;
    let told = move_over(&store, &journal).await.unwrap_err();
    assert!(matches!(told, JournalError::NoSpace { .. }), "{told:?}");
    assert!(told.to_string().contains("free some space"), "{told}");
    let seen = history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap();
    assert_eq!(seen.len(), 3, "they wait in the store");
    full.store(false, Ordering::Relaxed);
    move_over(&store, &journal).await.unwrap();
    assert!(store.list::<crate::history::Pending>(&home()).unwrap().is_empty());
    let seen = history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap();
    assert_eq!(seen.len(), 3);
}

#[test]
fn the_engine_reports_a_full_disk_keeps_what_it_had_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let engine =
        crate::disk::open_with(&path, |writer| writer.query_row("PRAGMA max_page_count = 60", [], |_| Ok(()))).unwrap();
    let item = |n: usize| Item { stream: "s".into(), position: format!("{n:04}"), value: vec![7; 20_000] };
    let mut written = 0;
    let told = loop {
        match engine.append(&[item(written)]) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(written > 0);
    assert!(matches!(told, JournalError::NoSpace { .. }), "{told:?}");
    let there = || engine.read("s", &Range::default(), false, 99).unwrap().len();
    assert_eq!(there(), written);
    // What is removed makes room.
    engine.remove("s", &Range { from: None, to: Some("0001".into()) }).unwrap();
    engine.append(&[item(written)]).unwrap();
    assert_eq!(there(), written);
}
