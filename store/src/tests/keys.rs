//! Secondary keys: the same as picking from the whole list, in every layer of a transaction and after a
//! restart, and without looking at the rest.

use super::*;
use crate::{Keys, Rows, ScopedRows, Tx};
use std::ops::Bound;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Port {
    network: String,
    groups: Vec<String>,
}

impl Record for Port {
    const KIND: &'static str = "test/port";
    const KEYS: &'static [&'static str] = &["network", "group"];
    fn keys(&self) -> Keys {
        let groups = self.groups.iter().map(|group| ("group", group.clone()));
        std::iter::once(("network", self.network.clone())).chain(groups).collect()
    }
}

const NETWORKS: [&str; 4] = ["n-1", "n-2", "n-\"3\"", "n-4"];

fn port(n: usize) -> Port {
    let groups = (0..n % 3).map(|g| format!("g-{}", (n + g) % 5)).collect();
    Port { network: NETWORKS[n % 4].to_owned(), groups }
}

fn away() -> Scope {
    Scope::new("111111111111", "eu-west-1")
}

fn shown(rows: Rows<Port>) -> Vec<(String, Port)> {
    rows.into_iter().map(|(id, port)| (id.to_string(), Port::clone(&port))).collect()
}

/// What a look-up must find, by looking at all there is.
fn check(
    all: &ScopedRows<Port>,
    by_key: impl Fn(&Scope, &'static str, &str) -> Rows<Port>,
    everywhere: impl Fn(&'static str, &str) -> ScopedRows<Port>,
) {
    let groups: Vec<String> = (0..6).map(|n| format!("g-{n}")).collect();
    let networks = NETWORKS.iter().map(|network| ("network", *network));
    for (key, value) in groups.iter().map(|group| ("group", group.as_str())).chain(networks) {
        let has = |port: &Port| port.keys().contains(&(key, value.to_owned()));
        let wanted: Vec<_> = all.iter().filter(|(_, _, port)| has(port)).cloned().collect();
        assert_eq!(everywhere(key, value), wanted, "{key} {value}");
        for scope in [home(), away()] {
            let wanted = wanted.iter().filter(|(of, _, _)| *of == scope);
            let wanted: Rows<Port> = wanted.map(|(_, id, port)| (id.clone(), port.clone())).collect();
            assert_eq!(shown(by_key(&scope, key, value)), shown(wanted), "{scope} {key} {value}");
        }
    }
}

fn check_tx(tx: &Tx<'_>) {
    let all = tx.list_everywhere::<Port>().unwrap();
    let by_key = |scope: &Scope, key, value: &str| tx.by_key(scope, key, value).unwrap();
    check(&all, by_key, |key, value| tx.by_key_everywhere(key, value).unwrap());
}

fn check_store(store: &Store) {
    let home_rows = store.list::<Port>(&home()).unwrap();
    let mut by_group: Vec<(String, String)> = home_rows
        .iter()
        .flat_map(|(id, port)| port.groups.iter().map(|group| (group.clone(), id.to_string())))
        .collect();
    by_group.sort();
    by_group.dedup();
    for from in [Bound::Unbounded, Bound::Included("g-1"), Bound::Excluded("g-1"), Bound::Excluded("g-9")] {
        for limit in [0, 1, 3, usize::MAX] {
            let within = |value: &str| match from {
                Bound::Included(from) => value >= from,
                Bound::Excluded(from) => value > from,
                Bound::Unbounded => true,
            };
            let wanted: Vec<_> = by_group.iter().filter(|(group, _)| within(group)).take(limit).cloned().collect();
            let read = store.range_by_key::<Port>(&home(), "group", from, limit).unwrap();
            let read: Vec<_> = read.iter().map(|(value, id, _)| (value.to_string(), id.to_string())).collect();
            assert_eq!(read, wanted, "{from:?} {limit}");
        }
    }
    let all = store.list_everywhere::<Port>().unwrap();
    let by_key = |scope: &Scope, key, value: &str| store.by_key(scope, key, value).unwrap();
    check(&all, by_key, |key, value| store.by_key_everywhere(key, value).unwrap());
}

/// Some ids put, some changed, some deleted; another choice for every round.
fn stir(tx: &mut Tx<'_>, round: usize) -> Result<(), StoreError> {
    for n in 0..16 {
        let scope = if n % 5 == 0 { away() } else { home() };
        let id = format!("p-{n:02}");
        match (n * 7 + round * 5 + n * round) % 4 {
            0 => drop(tx.delete::<Port>(&scope, &id)),
            1 | 2 => tx.put(&scope, &id, port(n + round))?,
            _ => {}
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_look_up_is_what_the_whole_list_has_in_every_layer_and_after_a_restart() {
    for (mut store, dir) in both() {
        for round in 0..8 {
            // The first is queued, on disk, when the second reads it; neither is awaited before both have run.
            let first = store.write(|tx| stir(tx, round));
            let second = store.write(|tx| -> Result<(), StoreError> {
                check_tx(tx);
                stir(tx, round + 3)?;
                check_tx(tx);
                Ok(())
            });
            let (first, second) = tokio::join!(first, second);
            first.unwrap();
            second.unwrap();
            check_store(&store);
            if let Some(dir) = &dir {
                drop(store);
                store = open(dir.path());
                // Nothing is decoded yet.
                check_store(&store);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_rests_on_a_queued_key_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = open_with_log(dir.path());
    let busy = log.conn.lock();
    let mut first = Box::pin(store.write(|tx| tx.put(&home(), "p-1", port(1))));
    assert!(poll_once(&mut first).is_none());
    let found = |key, value| store.write::<_, StoreError>(move |tx| Ok(tx.by_key::<Port>(&home(), key, value)?.len()));
    let mut by_key = Box::pin(found("network", "n-2"));
    assert!(poll_once(&mut by_key).is_none(), "told what is not durable yet");
    let mut apart = Box::pin(found("network", "n-1"));
    assert_eq!(poll_once(&mut apart).expect("it rests on nothing queued").unwrap(), 0);
    assert_eq!(store.by_key::<Port>(&home(), "network", "n-2").unwrap(), []);
    drop(busy);
    first.await.unwrap();
    assert_eq!(by_key.await.unwrap(), 1);
}

#[tokio::test]
async fn what_fails_leaves_no_key() {
    for (store, _dir) in both() {
        let put = |n| store.write(move |tx| tx.put(&home(), "p-1", port(n)));
        put(1).await.unwrap();
        let refused = store.write(|tx| -> Result<(), StoreError> {
            tx.put(&home(), "p-1", port(2))?;
            tx.put(&home(), "p-2", port(2))?;
            Err(StoreError::Rehearsed)
        });
        refused.await.unwrap_err();
        check_store(&store);
        assert_eq!(store.by_key::<Port>(&home(), "network", NETWORKS[1]).unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_is_not_declared_is_an_error_not_an_empty_answer() {
    let store = simulated();
    let told = store.by_key::<Port>(&home(), "colour", "red").unwrap_err();
    assert_eq!(told.to_string(), "records test/port cannot be looked up by colour");
    let told = store.write(|tx| tx.by_key::<Port>(&home(), "colour", "red")).await.unwrap_err();
    assert!(matches!(told, StoreError::NoKey { .. }), "{told:?}");
}

#[tokio::test]
async fn a_key_that_does_not_stand_in_the_record_is_seen_when_it_is_written() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Made(String);
    impl Record for Made {
        const KIND: &'static str = "test/made";
        const KEYS: &'static [&'static str] = &["made"];
        fn keys(&self) -> Keys {
            vec![("made", format!("of {}", self.0))]
        }
    }
    let told = simulated().write(|tx| tx.put(&home(), "m-1", Made("wood".into()))).await.unwrap_err();
    assert!(matches!(told, StoreError::Encode { .. }), "{told:?}");
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_look_up_reads_what_it_gives_however_much_there_is() {
    for (store, _dir) in both() {
        let fill = |tx: &mut Tx<'_>| {
            (0..1000).try_for_each(|n| {
                tx.put(&home(), &format!("p-{n:04}"), Port { network: format!("n-{}", n / 10), groups: vec![] })
            })
        };
        store.write::<_, StoreError>(fill).await.unwrap();
        let before = store.figures().records_read;
        assert_eq!(store.by_key::<Port>(&home(), "network", "n-7").unwrap().len(), 10);
        assert_eq!(store.by_key_everywhere::<Port>("network", "n-8").unwrap().len(), 10);
        let within = |tx: &mut Tx<'_>| tx.by_key::<Port>(&home(), "network", "n-9");
        assert_eq!(store.write::<_, StoreError>(within).await.unwrap().len(), 10);
        assert_eq!(store.figures().records_read - before, 30);
    }
}
