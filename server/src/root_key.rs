//! The root key of a state directory: made at the first start, and from then on this one or none. What is sealed under it
//! opens with no other, so that a kiln without it would go on as if all its secrets had never been.
//!
//! ```text
//!               no mark in the database           a mark
//! no root.key   nothing is sealed: a new key      refused: it is lost
//! root.key      it is marked                      it must be the one that was marked, else refused
//! ```
//! The mark is a text that was sealed under it.

use kiln_ids::IdSource;
use kiln_sealing::RootKey;
use kiln_service_kit::{Scope, Store, chain};
use kiln_store::Record;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A text sealed under the root key.
#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    sealed: String,
}

impl Record for Mark {
    const KIND: &'static str = "kiln/root-key";
}

/// What the mark is sealed for, and what is in it.
const PURPOSE: &str = "kiln/root-key";
const TEXT: &str = "this is the root key";

/// Kinds of records that are sealed under it, of before there was a mark.
const SEALED: [&str; 2] = ["kms/key", "secretsmanager/value"];

/// The root key. `Err` is a line for the terminal.
pub async fn open(state_dir: &Path, store: &Store, ids: &IdSource) -> Result<RootKey, String> {
    let scope = Scope::new("", "");
    let mark = store.get::<Mark>(&scope, "").map_err(|e| chain(&e))?;
    let file = state_dir.join(RootKey::FILE);
    let file = file.display();
    let is_this_one = |root: &RootKey, mark: &Mark| root.open_text(PURPOSE, "", &mark.sealed).is_some();
    let root = match (RootKey::read(state_dir)?, &mark) {
        (Some(root), Some(mark)) if is_this_one(&root, mark) => return Ok(root),
        (Some(_), Some(_)) => {
            return Err(format!(
                "{file} is not the root key that the secrets of this state directory are sealed under: put that one back, \
                 from a copy of the directory or a backup (kiln restore)"
            ));
        }
        (None, mark) if mark.is_some() || is_sealed(store)? => {
            return Err(format!(
                "{file} is missing, and the keys of KMS, access keys, secrets and messages of this state directory are \
                 sealed under it: put it back, from a copy of the directory or a backup (kiln restore). Without it they \
                 cannot be read; to begin without them, use another --state-dir"
            ));
        }
        (Some(root), None) => root,
        (None, _) => RootKey::make(state_dir, ids)?,
    };
    let sealed = root.seal_text(ids, PURPOSE, "", TEXT);
    store.write(|tx| tx.put(&scope, "", Mark { sealed })).await.map_err(|e| chain(&e))?;
    Ok(root)
}

/// Whether a kiln that made no marks has sealed something.
fn is_sealed(store: &Store) -> Result<bool, String> {
    let kinds = store.record_counts();
    let any = kinds.iter().any(|(kind, count)| *count > 0 && SEALED.contains(&&**kind));
    Ok(any || kiln_iam::any_sealed(store).map_err(|e| e.chain())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_clock::Clock;

    #[tokio::test]
    async fn a_lost_or_another_key_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let (store, ids) = (Store::in_memory(Clock::system()), IdSource::seeded(1));
        let file = dir.path().join(RootKey::FILE);
        let root = open(dir.path(), &store, &ids).await.expect("the first start makes one");
        let sealed = root.seal_text(&ids, "test", "", "hunter2");
        let again = open(dir.path(), &store, &ids).await.expect("it is there");
        assert_eq!(again.open_text("test", "", &sealed).as_deref(), Some("hunter2"));
        let kept = std::fs::read(&file).expect("read");
        std::fs::remove_file(&file).expect("removed");
        let told = open(dir.path(), &store, &ids).await.expect_err("it is lost");
        assert!(told.contains("root.key is missing") && told.contains("kiln restore"), "{told}");
        assert!(!file.exists(), "none is made in its place");
        std::fs::write(&file, [7; 32]).expect("written");
        let told = open(dir.path(), &store, &ids).await.expect_err("it is another");
        assert!(told.contains("is not the root key"), "{told}");
        std::fs::write(&file, kept).expect("written");
        open(dir.path(), &store, &ids).await.expect("put back");
    }
}
