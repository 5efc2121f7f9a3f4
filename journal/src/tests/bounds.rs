//! What is too old goes, what is not stays; a copy is whole; memory holds a page.

use super::*;
use crate::{JournalError, Position, Window};

fn position(minutes: i64) -> Position {
    Position::new(at(minutes * 60_000), "a")
}

#[tokio::test]
async fn a_trim_takes_what_is_older_than_its_kind_is_kept() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        let entries: Vec<_> = (0..90).map(|n| (format!("s{}", n % 2), position(n), Happened(n as u64))).collect();
        history.adopt(&home(), &entries, |_| {}).await.unwrap();
        journal.trim(at(100 * 60_000)).unwrap();
        for stream in ["s0", "s1"] {
            let left = history.read::<Happened>(&home(), stream, &Window::default(), 99).unwrap();
            let numbers: Vec<u64> = left.iter().map(|(_, happened)| happened.0).collect();
            assert!(numbers.iter().all(|n| *n >= 40) && numbers.len() == 25, "{stream}: {numbers:?}");
        }
        journal.trim(at(1_000 * 60_000)).unwrap();
        assert_eq!(history.newest::<Happened>(&home(), "s0").unwrap(), None);
    }
}

#[tokio::test]
async fn an_entry_that_does_not_age_in_order_is_asked_for_its_age() {
    for (store, journal, _dir) in both() {
        let history = History::new(store.clone(), journal.clone());
        // Placed long ago and noted now.
        store
            .write::<_, JournalError>(|tx| {
                history.note_at(tx, &home(), "s", &Position::new(Timestamp(1), "a"), &Gone(1))
            })
            .await
            .unwrap();
        let noted = store.changes_since(0).unwrap()[0].at;
        crate::keeper::move_over(&store, &journal).await.unwrap();
        journal.trim(noted + Duration::from_secs(3600)).unwrap();
        assert_eq!(history.newest::<Gone>(&home(), "s").unwrap(), Some(Gone(1)));
        journal.trim(noted + Duration::from_secs(3601)).unwrap();
        assert_eq!(history.newest::<Gone>(&home(), "s").unwrap(), None);
    }
}

#[tokio::test]
async fn a_copy_is_of_one_moment_and_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (store, journal) = open(dir.path());
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "s", 0..100).await;
    crate::keeper::move_over(&store, &journal).await.unwrap();
    let held = journal.hold().await;
    journal.copy_to(&dir.path().join("copy")).unwrap();
    drop(held);
    note(&history, &store, "s", 100..110).await;
    let copy = keeping(Journal::open(&dir.path().join("copy")).unwrap());
    let copied = History::new(Store::in_memory(Clock::system()), copy);
    let all = copied.read::<Happened>(&home(), "s", &Window::default(), 999).unwrap();
    assert_eq!(all.into_iter().map(|(_, happened)| happened.0).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert!(journal.copy_to(&dir.path().join("copy")).is_err(), "it is there");
}

#[tokio::test]
async fn while_the_journal_is_held_nothing_is_moved() {
    let (store, journal) = (Store::in_memory(Clock::system()), keeping(Journal::in_memory()));
    let history = History::new(store.clone(), journal.clone());
    note(&history, &store, "s", [1]).await;
    let held = journal.hold().await;
    let mut moves = Box::pin(crate::keeper::move_over(&store, &journal));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(moves.as_mut().poll(&mut context).is_pending());
    assert_eq!(journal.size().unwrap(), 0);
    drop(held);
    moves.await.unwrap();
    assert!(journal.size().unwrap() > 0);
}

#[tokio::test]
async fn what_waits_is_bounded_also_while_nothing_is_moved() {
    let (store, journal) = (Store::in_memory(Clock::system()), keeping(Journal::in_memory()));
    let history = History::new(store.clone(), journal.clone());
    let most = crate::history::MOST_WAITING;
    let held = journal.hold().await;
    // In two scopes and a transaction for each: 25,000 and 25,001.
    let filled = [(home(), most / 2), (Scope::new("1", "r"), most / 2 + 1)];
    for (scope, entries) in &filled {
        let noted = store.write::<_, JournalError>(|tx| {
            (0..*entries as u64).try_for_each(|n| history.note(tx, scope, "s", &Happened(n)))
        });
        noted.await.unwrap();
    }
    let note_one = || store.write(|tx| history.note(tx, &home(), "s", &Happened(1)));
    let told = note_one().await.unwrap_err();
    assert!(matches!(told, JournalError::Behind { waiting } if waiting == most + 1), "{told:?}");
    drop(held);
    crate::keeper::move_over(&store, &journal).await.unwrap();
    note_one().await.unwrap();
}
