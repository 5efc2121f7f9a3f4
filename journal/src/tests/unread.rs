//! A waiting entry that does not read: it is named to who asks for it, left as it is, and in nobody else's way.

use super::*;
use crate::keeper::move_over;
use crate::key::UNIT;
use crate::{JournalError, Position, Window};
use kiln_store::StoreError;

/// Of the same kind, and not to be read as what waits.
#[derive(Clone, Serialize, Deserialize)]
struct Broken(bool);

impl Record for Broken {
    const KIND: &'static str = <crate::history::Pending as Record>::KIND;
}

fn is_named(told: &JournalError, id: &str) -> bool {
    matches!(told, JournalError::Store(StoreError::Decode { id: named, .. }) if **named == *id)
}

#[tokio::test]
async fn it_is_named_where_it_belongs_and_the_others_are_read_moved_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let id = format!("test/happened{UNIT}broken{UNIT}{}", Position::new(at(0), "a"));
    let (store, _) = open(dir.path());
    store.write(|tx| tx.put(&home(), &id, Broken(true))).await.unwrap();
    drop(store);
    let (store, journal) = open(dir.path());
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "s", 0..3).await;
    note(&history, &store, "t", 3..5).await;

    let told = history.read::<Happened>(&home(), "broken", &Window::default(), 9).unwrap_err();
    assert!(is_named(&told, &id), "{told:?}");
    assert_eq!(history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap().len(), 3);
    history.forget::<Happened>(&home(), "t").await.unwrap();
    assert_eq!(history.newest::<Happened>(&home(), "t").unwrap(), None);
    let told = history.forget::<Happened>(&home(), "broken").await.unwrap_err();
    assert!(is_named(&told, &id), "{told:?}");

    move_over(&store, &journal).await.unwrap();
    assert_eq!(store.ids::<crate::history::Pending>(&home()).iter().map(|id| &**id).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap().len(), 3);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_read_looks_at_what_waits_of_its_stream_and_at_nothing_else() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        note(&history, &store, "s", 0..3).await;
        note(&history, &store, "other", 3..40).await;
        let before = store.figures().records_read;
        assert_eq!(history.read::<Happened>(&home(), "s", &Window::default(), 9).unwrap().len(), 3);
        assert_eq!(store.figures().records_read - before, 3);
    }
}
