//! What is noted while entries are on their way, and an engine that other tests make misbehave.

use super::*;
use crate::engine::{Engine, Found, Item, Range};
use crate::keeper::move_over;
use crate::memory::Memory;
use crate::{JournalError, Position, Window};
use parking_lot::Mutex;

type Once = Box<dyn FnOnce() -> Result<(), JournalError> + Send>;

/// The engine in memory, with something that happens once at its next append, and at its next removal.
#[derive(Default)]
pub(super) struct Meddled {
    engine: Memory,
    /// After the entries are there.
    pub appended: Mutex<Option<Once>>,
    /// Instead of a removal.
    pub removed: Mutex<Option<Once>>,
}

impl Engine for Meddled {
    fn append(&self, items: &[Item]) -> Result<(), JournalError> {
        self.engine.append(items)?;
        let then = self.appended.lock().take();
        then.map_or(Ok(()), |then| then())
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
        match self.removed.lock().take() {
            Some(instead) => instead(),
            None => self.engine.remove(stream, range),
        }
    }
    fn size(&self) -> Result<u64, JournalError> {
        self.engine.size()
    }
    fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        self.engine.copy_to(path)
    }
}

fn place() -> Position {
    Position::new(at(0), "a")
}

async fn note_there(history: &History, store: &Store, number: u64) {
    let noted = store.write(|tx| history.note_at(tx, &home(), "s", &place(), &Happened(number)));
    noted.await.expect("noted");
}

fn there(history: &History) -> Vec<u64> {
    let all = history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap();
    all.into_iter().map(|(_, happened)| happened.0).collect()
}

#[tokio::test]
async fn what_is_noted_in_the_place_of_an_entry_under_way_is_moved_too() {
    let store = Store::in_memory(Clock::system());
    let engine = Meddled::default();
    let (again, runtime) = (store.clone(), tokio::runtime::Handle::current());
    *engine.appended.lock() = Some(Box::new(move || {
        // The journal has the first, and the mover has not looked again.
        let history = History::new(again.clone(), keeping(Journal::in_memory()));
        runtime.block_on(note_there(&history, &again, 2));
        Ok(())
    }));
    let journal = keeping(Journal::on(Box::new(engine), Path::new("meddled")));
    let history = History::new(store.clone(), journal.clone());
    note_there(&history, &store, 1).await;
    move_over(&store, &journal).await.unwrap();
    assert_eq!(there(&history), [2]);
    assert!(store.list::<crate::history::Pending>(&home()).unwrap().is_empty());
}

#[tokio::test]
async fn of_two_at_one_place_the_newer_is_read_whether_it_waits_or_is_moved() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        note_there(&history, &store, 1).await;
        move_over(&store, &journal).await.unwrap();
        note_there(&history, &store, 2).await;
        assert_eq!(there(&history), [2]);
        assert_eq!(history.newest::<Happened>(&home(), "s").unwrap(), Some(Happened(2)));
        move_over(&store, &journal).await.unwrap();
        assert_eq!(there(&history), [2]);
    }
}
