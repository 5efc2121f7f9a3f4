//! One record in memory: decoded once, on first use.
//!
//! After a start a record is the JSON it was stored as; most are never looked at. The first reader
//! decodes it and the JSON is dropped. A record that was written in this run is never JSON here.

use crate::{Scope, StoreError};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// A type of thing the store keeps.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its name in the database and the change feed: `service/thing`, for example `ec2/instance`.
    /// Never change one that has been released.
    const KIND: &'static str;
}

/// A scope's records with their ids, ordered by id.
pub type Rows<R> = Vec<(Arc<str>, Arc<R>)>;

/// Records of every scope, ordered by scope and id.
pub type ScopedRows<R> = Vec<(Scope, Arc<str>, Arc<R>)>;

/// A record's value.
pub(crate) struct Entry {
    decoded: OnceLock<Arc<dyn Any + Send + Sync>>,
    json: Mutex<Option<Box<str>>>,
}

impl Entry {
    pub fn from_record<R: Record>(record: Arc<R>) -> Entry {
        Entry { decoded: OnceLock::from(record as Arc<dyn Any + Send + Sync>), json: Mutex::new(None) }
    }

    pub fn from_json(json: Box<str>) -> Entry {
        Entry { decoded: OnceLock::new(), json: Mutex::new(Some(json)) }
    }

    /// The record; `scope` and `id` are for the error's words.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Arc<R>, StoreError> {
        let any = match self.decoded.get() {
            Some(any) => any,
            None => self.decode::<R>().map_err(|e| StoreError::Decode {
                kind: R::KIND.into(),
                scope: scope.clone(),
                id: id.into(),
                source: Arc::new(e),
            })?,
        };
        any.clone().downcast::<R>().map_err(|_| StoreError::WrongType {
            kind: R::KIND,
            scope: scope.clone(),
            id: id.into(),
            wanted: std::any::type_name::<R>(),
        })
    }

    fn decode<R: Record>(&self) -> Result<&Arc<dyn Any + Send + Sync>, serde_json::Error> {
        let mut json = self.json.lock();
        if let Some(text) = json.as_deref() {
            let record: R = serde_json::from_str(text)?;
            // Under the lock and with the text still there: nobody else has set it.
            let _ = self.decoded.set(Arc::new(record));
            *json = None;
        }
        Ok(self.decoded.get().expect("an entry without JSON is decoded"))
    }
}

/// A record as JSON, and the value to keep in memory. With `reread` that value is what the JSON
/// reads back as, so a field that gets lost on the way is missing at once and not only after a
/// restart. Simulations and debug builds do that.
pub(crate) fn encode<R: Record>(
    scope: &Scope,
    id: &str,
    record: R,
    reread: bool,
) -> Result<(String, Arc<R>), StoreError> {
    serde_json::to_string(&record)
        .and_then(|json| {
            let kept = if reread { serde_json::from_str(&json)? } else { record };
            Ok((json, Arc::new(kept)))
        })
        .map_err(|e| StoreError::Encode { kind: R::KIND, scope: scope.clone(), id: id.into(), source: Arc::new(e) })
}
