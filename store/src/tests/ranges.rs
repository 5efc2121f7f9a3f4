//! Ranges and prefixes: the same as picking from the whole list, in every layer of a transaction, and
//! without looking at the rest.

use super::*;
use crate::{Rows, Tx, past_prefix};
use std::ops::Bound;

const IDS: [&str; 12] =
    ["a", "a/", "a/1", "a/2", "a0", "b", "b/\u{d7ff}", "b/\u{e000}", "b/\u{10ffff}", "c", "ä", "\u{10ffff}"];

fn bounds() -> Vec<Bound<&'static str>> {
    let mut bounds = vec![Bound::Unbounded, Bound::Included(""), Bound::Included("zz"), Bound::Excluded("a/11")];
    bounds.extend(IDS.iter().flat_map(|id| [Bound::Included(*id), Bound::Excluded(*id)]));
    bounds
}

fn shown(rows: &Rows<Machine>) -> Vec<(String, String)> {
    rows.iter().map(|(id, machine)| (id.to_string(), machine.name.clone())).collect()
}

/// What a reader must find in a state, by looking at all of it.
fn check(
    state: &Rows<Machine>,
    read: impl Fn(Bound<&str>, usize) -> Rows<Machine>,
    prefix: impl Fn(&str) -> Rows<Machine>,
) {
    let all = shown(state);
    for from in bounds() {
        let behind = |id: &str| match from {
            Bound::Included(from) => id >= from,
            Bound::Excluded(from) => id > from,
            Bound::Unbounded => true,
        };
        for limit in [0, 1, 2, 5, usize::MAX] {
            let wanted: Vec<_> = all.iter().filter(|(id, _)| behind(id)).take(limit).cloned().collect();
            assert_eq!(shown(&read(from, limit)), wanted, "{from:?}, {limit}");
        }
    }
    for begin in IDS.iter().copied().chain(["", "b/", "x"]) {
        let wanted: Vec<_> = all.iter().filter(|(id, _)| id.starts_with(begin)).cloned().collect();
        assert_eq!(shown(&prefix(begin)), wanted, "{begin:?}");
    }
}

fn check_tx(tx: &Tx<'_>) {
    let all = IDS.iter().filter_map(|id| Some(((*id).into(), tx.get::<Machine>(&home(), id).unwrap()?)));
    let mut all: Rows<Machine> = all.collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(shown(&tx.list(&home()).unwrap()), shown(&all));
    assert_eq!(tx.count::<Machine>(&home()), all.len());
    let everywhere = all.len() + 1;
    assert_eq!(tx.more_than::<Machine>(everywhere - 1), Some(everywhere), "and one elsewhere");
    assert_eq!(tx.more_than::<Machine>(everywhere), None);
    let range = |from: Bound<&str>, limit| tx.range(&home(), from, limit).unwrap();
    check(&all, range, |prefix| tx.list_prefix(&home(), prefix).unwrap());
}

/// Some ids put, some deleted, the rest left; another choice for every round.
fn stir(tx: &mut Tx<'_>, round: usize, name: &str) {
    for (n, id) in IDS.iter().enumerate() {
        match (n * 7 + round * 5 + n * round) % 4 {
            0 => drop(tx.delete::<Machine>(&home(), id)),
            1 | 2 => tx.put(&home(), id, machine(name)).unwrap(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn ranges_are_what_the_whole_list_has_there_in_every_layer() {
    for (store, _dir) in both() {
        let elsewhere = |tx: &mut Tx<'_>| tx.put(&Scope::new("1", "r"), "elsewhere", machine("m"));
        store.write::<_, StoreError>(elsewhere).await.unwrap();
        for round in 0..8 {
            // The first is queued, on disk, when the second reads it; neither is awaited before both have run.
            let first = store.write(async_free(move |tx| stir(tx, round, "first")));
            let second = store.write(async_free(move |tx| {
                check_tx(tx);
                stir(tx, round + 3, "second");
                check_tx(tx);
            }));
            let (first, second) = tokio::join!(first, second);
            first.unwrap();
            second.unwrap();
            let all = store.list::<Machine>(&home()).unwrap();
            let range = |from: Bound<&str>, limit| store.range(&home(), from, limit).unwrap();
            check(&all, range, |prefix| store.list_prefix(&home(), prefix).unwrap());
        }
    }
}

/// A transaction that cannot fail.
fn async_free(f: impl FnOnce(&mut Tx<'_>)) -> impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError> {
    move |tx| {
        f(tx);
        Ok(())
    }
}

#[test]
fn what_lies_behind_a_prefix() {
    assert_eq!(past_prefix("a/").as_deref(), Some("a0"));
    assert_eq!(past_prefix("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
    assert_eq!(past_prefix("a\u{10ffff}\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(past_prefix("\u{10ffff}"), None);
    assert_eq!(past_prefix(""), None);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_range_reads_what_it_gives_however_much_there_is() {
    for (store, _dir) in both() {
        let fill = |tx: &mut Tx<'_>| (0..1000).try_for_each(|n| tx.put(&home(), &format!("i-{n:04}"), machine("m")));
        store.write::<_, StoreError>(fill).await.unwrap();
        let before = store.figures().records_read;
        assert_eq!(store.range::<Machine>(&home(), Bound::Excluded("i-0500"), 10).unwrap().len(), 10);
        assert_eq!(store.list_prefix::<Machine>(&home(), "i-070").unwrap().len(), 10);
        let within = |tx: &mut Tx<'_>| tx.range::<Machine>(&home(), Bound::Excluded("i-0500"), 10);
        assert_eq!(store.write::<_, StoreError>(within).await.unwrap().len(), 10);
        assert_eq!(store.figures().records_read - before, 30);
    }
}
