//! What is read is counted to who reads it.
#![cfg(debug_assertions)]

use super::*;
use crate::Reads;

#[tokio::test]
async fn reads_count_to_the_run_that_makes_them_and_to_those_around_it() {
    let store = simulated();
    for n in 0..5 {
        put(&store, &format!("i-{n}"), machine("m")).await.unwrap();
    }
    let inner = async || {
        tokio::task::yield_now().await;
        store.list_prefix::<Machine>(&home(), "i-3").unwrap()
    };
    let outer = async {
        store.get::<Machine>(&home(), "i-1").unwrap();
        store.counted(|| "inner".into(), inner()).await;
        store.write::<_, StoreError>(|tx| tx.get::<Machine>(&home(), "i-2")).await.unwrap();
        store.counted_sync(|| "at once".into(), || store.list::<Machine>(&home()).unwrap());
    };
    store.counted(|| "outer".into(), outer).await;
    store.counted(|| "inner".into(), async { store.get::<Machine>(&home(), "none").unwrap() }).await;
    let of = |name: &str| store.reads()[name];
    assert_eq!(of("inner"), Reads { runs: 2, most: 1, records: 1 });
    assert_eq!(of("at once"), Reads { runs: 1, most: 5, records: 5 });
    assert_eq!(of("outer"), Reads { runs: 1, most: 8, records: 8 });
    assert_eq!(store.figures().records_read, 8, "counted once");
    store.forget_reads();
    assert!(store.reads().is_empty());
}
