//! Records that do not read: told by name, skipped by listings, never overlooked by who decides.

use super::*;
use crate::{Keys, Rows};
use std::ops::Bound;

/// As [`Machine`] was before it had a rack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    name: String,
    place: String,
}

impl Record for Old {
    const KIND: &'static str = "test/racked";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Racked {
    name: String,
    rack: String,
}

impl Record for Racked {
    const KIND: &'static str = "test/racked";
    const KEYS: &'static [&'static str] = &["rack"];
    fn keys(&self) -> Keys {
        vec![("rack", self.rack.clone())]
    }
}

/// i-1, i-3 and i-5 read, i-2 and i-4 do not; i-4 has the text `r-1` somewhere in it.
async fn mixed(dir: &Path) -> Store {
    let store = open(dir);
    let write = store.write::<_, StoreError>(|tx| {
        for (id, rack) in [("i-1", "r-1"), ("i-3", "r-2"), ("i-5", "r-1")] {
            tx.put(&home(), id, Racked { name: id.into(), rack: rack.into() })?;
        }
        tx.put(&home(), "i-2", Old { name: "i-2".into(), place: "r-9".into() })?;
        tx.put(&home(), "i-4", Old { name: "i-4".into(), place: "r-1".into() })
    });
    write.await.unwrap();
    drop(store);
    open(dir)
}

fn ids(rows: Rows<Racked>) -> Vec<String> {
    rows.into_iter().map(|(id, _)| id.to_string()).collect()
}

#[tokio::test]
async fn one_that_does_not_read_skips_itself_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = mixed(dir.path()).await;
    assert_eq!(store.unread(), [], "nobody has looked yet");
    assert_eq!(ids(store.list(&home()).unwrap()), ["i-1", "i-3", "i-5"]);
    assert_eq!(store.list_everywhere::<Racked>().unwrap().len(), 3);
    assert_eq!(ids(store.list_prefix(&home(), "i-").unwrap()), ["i-1", "i-3", "i-5"]);
    assert_eq!(ids(store.range(&home(), Bound::Excluded("i-1"), 2).unwrap()), ["i-3", "i-5"], "a page is full");
    assert_eq!(ids(store.by_key(&home(), "rack", "r-1").unwrap()), ["i-1", "i-5"]);
    assert!(matches!(store.get::<Racked>(&home(), "i-2"), Err(StoreError::Decode { .. })));
    // Who only wants names has all of them.
    assert_eq!(store.ids::<Racked>(&home()).len(), 5);
    assert_eq!(store.ids_everywhere::<Racked>().len(), 5);

    let unread = store.unread();
    let named: Vec<_> = unread.iter().map(|unread| (&*unread.kind, &*unread.id)).collect();
    assert_eq!(named, [("test/racked", "i-2"), ("test/racked", "i-4")]);
    assert!(unread[0].reason.contains("missing field `rack`"), "{unread:?}");
    store.write::<_, StoreError>(|tx| Ok(tx.delete::<Racked>(&home(), "i-2"))).await.unwrap();
    assert_eq!(store.unread().len(), 1, "one that is gone is named no longer");
}

#[tokio::test]
async fn who_decides_by_what_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = mixed(dir.path()).await;
    let whole = store.whole();
    let told = [
        whole.list::<Racked>(&home()).unwrap_err(),
        whole.list_everywhere::<Racked>().unwrap_err(),
        whole.range::<Racked>(&home(), Bound::Unbounded, 2).unwrap_err(),
        store.write(|tx| tx.list::<Racked>(&home())).await.unwrap_err(),
        store.write(|tx| tx.list_everywhere::<Racked>()).await.unwrap_err(),
        store.write(|tx| tx.list_prefix::<Racked>(&home(), "i-")).await.unwrap_err(),
    ];
    for told in told {
        assert!(told.to_string().contains("test/racked i-2"), "{told}");
    }
    // By key only those can matter that have its text in them.
    let told = [
        whole.by_key::<Racked>(&home(), "rack", "r-1").unwrap_err(),
        whole.by_key_everywhere::<Racked>("rack", "r-1").unwrap_err(),
        store.write(|tx| tx.by_key::<Racked>(&home(), "rack", "r-1")).await.unwrap_err(),
        store.write(|tx| tx.by_key_everywhere::<Racked>("rack", "r-1")).await.unwrap_err(),
    ];
    for told in told {
        assert!(told.to_string().contains("test/racked i-4"), "{told}");
    }
    assert_eq!(ids(whole.by_key(&home(), "rack", "r-2").unwrap()), ["i-3"]);
    assert_eq!(ids(store.write(|tx| tx.by_key(&home(), "rack", "r-2")).await.unwrap()), ["i-3"]);
    // Whoever deletes it has decided.
    let deleted = store.write(|tx| {
        tx.delete::<Racked>(&home(), "i-4");
        tx.by_key::<Racked>(&home(), "rack", "r-1")
    });
    assert_eq!(ids(deleted.await.unwrap()), ["i-1", "i-5"]);
    assert_eq!(ids(store.whole().by_key(&home(), "rack", "r-1").unwrap()), ["i-1", "i-5"]);
}
