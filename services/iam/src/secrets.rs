//! Secrets of access keys as they lie in the database: sealed under the root key, each bound to its access key's id. A
//! copy of the database alone gives none away.
//!
//! A signature is checked with the secret itself, at every request, so that what was opened once is kept open in
//! memory: with the sealed text that it was, so that none is ever stale.

use crate::records::{AccessKey, Secret, everywhere};
use kiln_sealing::{Opened, RootKey};
use kiln_service_kit::{Error, IdSource, Platform, Store};
use std::sync::Arc;

/// What the root key's key for them is for.
const PURPOSE: &str = "iam/access-key";

/// Seals the secret of the access key of that id.
pub fn seal(root: &RootKey, ids: &IdSource, id: &str, secret: &str) -> Secret {
    Secret::Sealed { sealed: root.seal_text(ids, PURPOSE, id, secret) }
}

/// The secret of an access key.
pub fn open(root: &RootKey, key: &AccessKey) -> Result<String, Error> {
    match &key.secret {
        Secret::Open(secret) => Ok(secret.clone()),
        Secret::Sealed { sealed } => root.open_text(PURPOSE, &key.id, sealed).ok_or_else(|| closed(key)),
    }
}

/// Secrets that were opened, by their access keys.
pub struct Secrets(Opened);

impl Secrets {
    pub fn new(root: RootKey) -> Self {
        Self(Opened::new(root, PURPOSE))
    }

    /// The secret of an access key.
    pub fn secret(&self, key: &AccessKey) -> Result<Arc<str>, Error> {
        match &key.secret {
            Secret::Open(secret) => Ok(secret.as_str().into()),
            Secret::Sealed { sealed } => self.0.text(&key.id, sealed).ok_or_else(|| closed(key)),
        }
    }
}

fn closed(key: &AccessKey) -> Error {
    Error::internal(format!("the secret of access key {} does not open with root.key", key.id))
}

/// Whether any secret lies sealed in a store.
pub fn any_sealed(store: &Store) -> Result<bool, Error> {
    let all = store.list_everywhere::<AccessKey>()?;
    Ok(all.iter().any(|(_, _, key)| matches!(key.secret, Secret::Sealed { .. })))
}

/// Seals what an earlier version wrote open. Cut off, it goes on at the next start.
pub async fn seal_all(platform: &Platform) -> Result<(), Error> {
    let root = platform.part::<RootKey>()?;
    let is_open = |key: &AccessKey| matches!(key.secret, Secret::Open(_));
    let all = platform.store().list_everywhere::<AccessKey>()?;
    let left: Vec<String> =
        all.into_iter().filter(|(_, _, key)| is_open(key)).map(|(_, _, key)| key.id.clone()).collect();
    if left.is_empty() {
        return Ok(());
    }
    platform
        .store()
        .write::<_, Error>(|tx| {
            for id in &left {
                let Some(key) = tx.get::<AccessKey>(&everywhere(), id)? else { continue };
                let Secret::Open(secret) = &key.secret else { continue };
                let secret = seal(&root, platform.ids(), id, secret);
                tx.put(&everywhere(), id, AccessKey { secret, ..(*key).clone() })?;
            }
            Ok(())
        })
        .await?;
    tracing::info!(keys = left.len(), "sealed the secrets of access keys that an earlier version kept open");
    Ok(())
}
