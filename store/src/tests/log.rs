//! The store asks nothing of its log but what the trait says: another one, in a map, serves it as well.

use super::*;
use crate::{Commit, DurableLog, Op, Stored, Transaction};
use parking_lot::Mutex;
use std::collections::BTreeMap;

#[derive(Default)]
struct Mapped(Mutex<State>);

#[derive(Default)]
struct State {
    records: BTreeMap<[String; 4], String>,
    commits: Vec<Commit>,
    fails: Option<StoreError>,
}

impl DurableLog for Mapped {
    fn place(&self) -> Arc<str> {
        "map://here".into()
    }

    fn load(&self, record: &mut dyn FnMut(Stored<'_>)) -> Result<u64, StoreError> {
        let state = self.0.lock();
        for ([kind, account, region, id], json) in &state.records {
            record(Stored { kind, account, region, id, json });
        }
        Ok(state.commits.last().map_or(0, |commit| commit.sequence))
    }

    fn commit(&self, group: &[Transaction<'_>]) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        if let Some(error) = &state.fails {
            return Err(error.clone());
        }
        for Transaction { commit, json } in group {
            for (change, json) in commit.changes.iter().zip(json) {
                let (scope, id) = (&change.scope, &change.id);
                let key = [&*change.kind, &*scope.account, &*scope.region, &**id].map(str::to_owned);
                match json {
                    Some(json) => drop(state.records.insert(key, (*json).to_owned())),
                    None => drop(state.records.remove(&key)),
                }
            }
            let changes = commit.changes.iter().map(|change| change.without_old()).collect();
            state.commits.push(Commit { changes, ..**commit });
        }
        Ok(())
    }

    fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let source = Arc::new(std::io::Error::from(std::io::ErrorKind::Unsupported));
        Err(StoreError::File { doing: "copy a map to", path: to.to_owned(), source })
    }

    fn changes(&self, sequence: u64, last: u64) -> Result<Vec<Commit>, StoreError> {
        let state = self.0.lock();
        let within = |commit: &&Commit| commit.sequence > sequence && commit.sequence <= last;
        Ok(state.commits.iter().filter(within).cloned().collect())
    }
}

#[tokio::test]
async fn another_log_serves_as_well() {
    let log = Arc::new(Mapped::default());
    let on = || Store::on(log.clone(), Clock::system()).unwrap();
    let store = on();
    put(&store, "i-1", machine("one")).await.unwrap();
    put(&store, "i-2", machine("two")).await.unwrap();
    store.write::<_, StoreError>(|tx| Ok(tx.delete::<Machine>(&home(), "i-1"))).await.unwrap();
    drop(store);

    let store = on();
    assert_eq!(store.sequence(), 3);
    let all = store.list::<Machine>(&home()).unwrap();
    assert_eq!(all.iter().map(|(id, machine)| (&**id, &*machine.name)).collect::<Vec<_>>(), [("i-2", "two")]);
    let ops: Vec<Op> = store.changes_since(0).unwrap().iter().map(|commit| commit.changes[0].op).collect();
    assert_eq!(ops, [Op::Put, Op::Put, Op::Delete]);

    let full = StoreError::NoSpace { place: log.place(), source: Arc::new(std::io::Error::other("it is full")) };
    log.0.lock().fails = Some(full);
    let told = put(&store, "i-3", machine("three")).await.unwrap_err();
    assert!(told.to_string().contains("no space left to write map://here"), "{told}");
    assert_eq!(std::error::Error::source(&told).unwrap().to_string(), "it is full");
    log.0.lock().fails = Some(StoreError::Stopped { place: log.place(), reason: "it is in doubt".into() });
    put(&store, "i-3", machine("three")).await.unwrap_err();
    log.0.lock().fails = None;
    let told = put(&store, "i-3", machine("three")).await.unwrap_err();
    assert!(matches!(told, StoreError::Stopped { .. }), "no more writes are taken: {told:?}");
    assert_eq!(store.list::<Machine>(&home()).unwrap().len(), 1);
}
