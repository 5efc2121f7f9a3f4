//! What rests reads as before, is found as before, and is held no longer.

use super::*;
use crate::Keys;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Door {
    house: String,
    colour: String,
}

impl Record for Door {
    const KIND: &'static str = "test/door";
    const KEYS: &'static [&'static str] = &["house"];
    fn keys(&self) -> Keys {
        vec![("house", self.house.clone())]
    }
}

fn door(n: usize) -> Door {
    Door { house: format!("h-{}", n % 3), colour: format!("colour {n}") }
}

#[tokio::test]
async fn what_nobody_reads_rests_and_reads_as_before() {
    let store = Store::in_memory(Clock::system());
    let put = |n: usize| {
        let store = store.clone();
        async move { store.write::<_, StoreError>(|tx| tx.put(&home(), &format!("d-{n}"), door(n))).await.unwrap() }
    };
    for n in 0..9 {
        put(n).await;
    }
    assert_eq!(store.rest(), 0, "they have just been written");
    let held: Arc<Door> = store.get(&home(), "d-0").unwrap().unwrap();
    store.get::<Door>(&home(), "d-1").unwrap().unwrap();
    assert_eq!(store.rest(), 7, "but for the two that were read");
    assert_eq!(store.rest(), 1, "but for the one that is held");
    drop(held);
    assert_eq!(store.rest(), 1);
    assert_eq!(store.rest(), 0, "none is left");
    let rows = store.by_key::<Door>(&home(), "house", "h-1").unwrap();
    let rows: Vec<_> = rows.into_iter().map(|(id, door)| (id.to_string(), Door::clone(&door))).collect();
    assert_eq!(rows, [1, 4, 7].map(|n| (format!("d-{n}"), door(n))));
    // Made known by their keys, resting ones are found as well, changed and taken away.
    while store.rest() > 0 {}
    store.write::<_, StoreError>(|tx| tx.put(&home(), "d-1", door(2))).await.unwrap();
    store.write::<_, StoreError>(|tx| Ok(tx.delete::<Door>(&home(), "d-4"))).await.unwrap();
    assert_eq!(store.by_key::<Door>(&home(), "house", "h-1").unwrap().len(), 1);
    assert_eq!(store.by_key::<Door>(&home(), "house", "h-2").unwrap().len(), 4);
    let all = store.list::<Door>(&home()).unwrap();
    let all: Vec<_> = all.into_iter().map(|(id, door)| (id.to_string(), Door::clone(&door))).collect();
    let meant = |n: usize| if n == 1 { door(2) } else { door(n) };
    assert_eq!(all, [0, 1, 2, 3, 5, 6, 7, 8].map(|n| (format!("d-{n}"), meant(n))));
}
