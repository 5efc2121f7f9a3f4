//! What a reader sees of what transactions noted: all of it, once, in order, wherever it is just now.

use super::*;
use crate::keeper::move_over;
use crate::{JournalError, Keeper, Position, Window};

fn numbers(read: Vec<(Position, Happened)>) -> Vec<u64> {
    read.into_iter().map(|(_, happened)| happened.0).collect()
}

#[tokio::test]
async fn pages_go_on_where_they_ended_whether_entries_wait_or_are_moved() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        note(&history, &store, "s", 0..7).await;
        move_over(&store, &journal).await.unwrap();
        note(&history, &store, "s", 7..10).await;
        note(&history, &store, "other", [99]).await;
        let page = |window: Window, limit| history.read::<Happened>(&home(), "s", &window, limit).unwrap();
        assert_eq!(numbers(page(Window::default(), 99)), (0..10).collect::<Vec<_>>());
        let first = page(Window::newest(None), 4);
        let after = first.last().map(|(position, _)| position.clone());
        assert_eq!(numbers(first), [9, 8, 7, 6]);
        // Moved between two pages: nothing twice, nothing missing.
        move_over(&store, &journal).await.unwrap();
        assert_eq!(numbers(page(Window::newest(after.clone()), 99)), [5, 4, 3, 2, 1, 0]);
        assert_eq!(numbers(page(Window { after, ..Window::default() }, 99)), [7, 8, 9]);
        assert_eq!(history.newest::<Happened>(&home(), "other").unwrap(), Some(Happened(99)));
        assert_eq!(history.newest::<Happened>(&Scope::new("1", "r"), "s").unwrap(), None);
    }
}

#[tokio::test]
async fn a_window_is_a_time_with_both_ends() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        let entries: Vec<_> =
            (0..10).map(|n| ("s".to_owned(), Position::new(at(n), "a"), Happened(n as u64))).collect();
        history.adopt(&home(), &entries, |_| {}).await.unwrap();
        let window = Window { from: Some(at(3)), to: Some(at(6)), ..Window::default() };
        assert_eq!(numbers(history.read(&home(), "s", &window, 99).unwrap()), [3, 4, 5, 6]);
        let window = Window { after: Some(Position::new(at(5), "a")), newest_first: true, ..window };
        assert_eq!(numbers(history.read(&home(), "s", &window, 99).unwrap()), [4, 3]);
    }
}

#[tokio::test]
async fn a_transaction_that_fails_or_rehearses_leaves_no_entry() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        let failed = store.write::<(), JournalError>(|tx| {
            history.note(tx, &home(), "s", &Happened(1))?;
            Err(JournalError::UnknownKind { kind: "on purpose" })
        });
        failed.await.unwrap_err();
        let rehearsed = store.rehearsing().write(|tx| history.note(tx, &home(), "s", &Happened(2))).await;
        assert!(matches!(rehearsed, Err(JournalError::Store(kiln_store::StoreError::Rehearsed))), "{rehearsed:?}");
        move_over(&store, &journal).await.unwrap();
        assert_eq!(history.newest::<Happened>(&home(), "s").unwrap(), None);
    }
}

#[tokio::test]
async fn a_stream_that_is_forgotten_is_gone_wherever_it_was() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        note(&history, &store, "s", 0..3).await;
        move_over(&store, &journal).await.unwrap();
        note(&history, &store, "s", 3..5).await;
        note(&history, &store, "t", [7]).await;
        history.forget::<Happened>(&home(), "s").await.unwrap();
        history.forget::<Happened>(&home(), "s").await.unwrap();
        move_over(&store, &journal).await.unwrap();
        assert_eq!(history.newest::<Happened>(&home(), "s").unwrap(), None);
        assert_eq!(history.newest::<Happened>(&home(), "t").unwrap(), Some(Happened(7)));
    }
}

#[tokio::test]
async fn what_nobody_says_how_long_it_is_kept_and_names_with_a_separator_are_refused() {
    let (store, journal) = (Store::in_memory(Clock::system()), Journal::in_memory());
    let history = History::new(store.clone(), journal.clone());
    let told = store.write(|tx| history.note(tx, &home(), "s", &Happened(1))).await.unwrap_err();
    assert!(matches!(told, JournalError::UnknownKind { kind: "test/happened" }), "{told:?}");
    keeping(journal);
    let told = store.write(|tx| history.note(tx, &home(), "a\u{1f}b", &Happened(1))).await.unwrap_err();
    assert!(matches!(told, JournalError::BadName { .. }), "{told:?}");
}

#[tokio::test]
async fn the_keeper_moves_what_is_noted_and_what_an_earlier_run_left() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        note(&history, &store, "s", [1]).await;
        let mut feed = store.feed();
        let _keeper = Keeper::start(store.clone(), journal.clone(), Clock::system());
        note(&history, &store, "s", [2]).await;
        while !store.list::<crate::history::Pending>(&home()).unwrap().is_empty() {
            feed.recv().await.unwrap();
        }
        assert_eq!(numbers(history.read(&home(), "s", &Window::default(), 9).unwrap()), [1, 2]);
    }
}
