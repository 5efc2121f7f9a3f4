//! `kill -9`: no acknowledged entry is lost, none is there twice, none without its transaction, none in another
//! order. A child process (this test binary again) notes numbers while a keeper moves them, and is killed.

use super::*;
use crate::keeper::move_over;
use crate::{Keeper, Window};
use std::io::Write;

const DIRECTORY: &str = "KILN_JOURNAL_KILL_TEST";
const ROUNDS: usize = 10;

#[test]
#[ignore = "the child of entries_and_facts_survive_kill_9_together, which starts it"]
fn child() {
    let dir = std::env::var_os(DIRECTORY).expect("started by the test beside");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let (store, journal) = open(Path::new(&dir));
        let history = History::new(store.clone(), journal.clone());
        let _keeper = Keeper::start(store.clone(), journal, Clock::system());
        // Numbers that were cut off leave holes; go on after the highest.
        let first = store.list::<Fact>(&home()).unwrap().last().map_or(0, |(_, n)| n.0 + 1);
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (store, history) = (store.clone(), history.clone());
                tokio::spawn(async move {
                    // It ends by being killed; the bound is for a parent that is gone.
                    for n in (first + writer..first + 1_000_000).step_by(4) {
                        note(&history, &store, "s", [n]).await;
                        writeln!(std::io::stdout(), "wrote {n:08}").unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

#[test]
fn entries_and_facts_survive_kill_9_together() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 0..ROUNDS {
        let said = super::killed::acknowledged("tests::kill::child", DIRECTORY, dir.path(), round);
        acknowledged.extend(said.iter().filter_map(|number| number.parse::<u64>().ok()));

        let (store, journal) = open(dir.path());
        let history = History::new(store.clone(), journal.clone());
        let read = || -> Vec<u64> {
            let all = history.read::<Happened>(&home(), "s", &Window::default(), usize::MAX).unwrap();
            all.into_iter().map(|(_, happened)| happened.0).collect()
        };
        let entries = read();
        let mut sorted = entries.clone();
        sorted.sort();
        let facts: Vec<u64> = store.list::<Fact>(&home()).unwrap().into_iter().map(|(_, fact)| fact.0).collect();
        assert_eq!(sorted, facts, "round {round}: an entry is lost, is there twice, or has no fact");
        let lost: Vec<&u64> = acknowledged.iter().filter(|n| facts.binary_search(n).is_err()).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} were acknowledged and are gone");
        // What the child had not moved is moved now, to the same places.
        runtime.block_on(move_over(&store, &journal)).unwrap();
        assert_eq!(read(), entries, "round {round}");
        assert!(store.list::<crate::history::Pending>(&home()).unwrap().is_empty());
    }
}
