//! `kill -9` loses no acknowledged write. A child process (this test binary again) writes numbers
//! and says so on its standard output; it is killed; every number it said must be there.

use super::*;
use std::io::Write;

const DIRECTORY: &str = "KILN_STORE_KILL_TEST";
const ROUNDS: usize = 10;

#[test]
#[ignore = "the child of acknowledged_writes_survive_kill_9, which starts it"]
fn child() {
    let dir = std::env::var_os(DIRECTORY).expect("started by the test beside");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&dir));
        // Numbers that were cut off leave holes; go on after the highest.
        let first = store.list::<Counter>(&home()).unwrap().last().map_or(0, |(_, n)| n.0 + 1);
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    // It ends by being killed; the bound is for a parent that is gone.
                    for n in (first + writer..first + 1_000_000).step_by(4) {
                        let id = format!("{n:08}");
                        store.write(|tx| tx.put(&home(), &id, Counter(n))).await.unwrap();
                        writeln!(std::io::stdout(), "wrote {id}").unwrap();
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
fn acknowledged_writes_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(super::killed::acknowledged("tests::kill::child", DIRECTORY, dir.path(), round));

        let store = open(dir.path());
        for id in &acknowledged {
            let there = store.get::<Counter>(&home(), id).unwrap();
            assert!(there.is_some(), "round {round}: {id} was acknowledged and is gone");
        }
        let last = store.sequence();
        assert_eq!(last as usize, store.list::<Counter>(&home()).unwrap().len());
        assert_eq!(store.changes_since(0).unwrap().len() as u64, last, "the feed has a gap");
    }
}
