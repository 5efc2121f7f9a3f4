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

    /// The names of what it can be looked up by beside its id, each a word such as `vpc`.
    const KEYS: &'static [&'static str] = &[];

    /// What it is looked up by: a name of [`Record::KEYS`] and a text, as often as it applies (an
    /// interface has several security groups). Pure, and cheap: every write asks for them. The text
    /// must stand in the record's JSON as a string of its own, or, if it has several lines, each of
    /// them: by that, one that does not read is known to concern a look-up or not.
    fn keys(&self) -> Keys {
        Vec::new()
    }
}

/// A record's secondary keys: name and text.
pub type Keys = Vec<(&'static str, String)>;

/// A scope's records with their ids, ordered by id.
pub type Rows<R> = Vec<(Arc<str>, Arc<R>)>;

/// Records of every scope, ordered by scope and id.
pub type ScopedRows<R> = Vec<(Scope, Arc<str>, Arc<R>)>;

/// A record's value.
pub(crate) struct Entry {
    decoded: OnceLock<Decoded>,
    json: Mutex<Option<Box<str>>>,
}

struct Decoded {
    record: Arc<dyn Any + Send + Sync>,
    keys: Box<[(&'static str, Arc<str>)]>,
}

impl Decoded {
    fn new<R: Record>(record: Arc<R>) -> Decoded {
        let keys = record.keys().into_iter().map(|(name, value)| (name, value.into())).collect();
        Decoded { record, keys }
    }
}

impl Entry {
    pub fn from_record<R: Record>(record: Arc<R>) -> Entry {
        Entry { decoded: OnceLock::from(Decoded::new(record)), json: Mutex::new(None) }
    }

    pub fn from_json(json: Box<str>) -> Entry {
        Entry { decoded: OnceLock::new(), json: Mutex::new(Some(json)) }
    }

    /// The record; `scope` and `id` are for the error's words.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Arc<R>, StoreError> {
        let decoded = match self.decoded.get() {
            Some(decoded) => decoded,
            None => self.decode::<R>().map_err(|e| StoreError::Decode {
                kind: R::KIND.into(),
                scope: scope.clone(),
                id: id.into(),
                source: Arc::new(e),
            })?,
        };
        decoded.record.clone().downcast::<R>().map_err(|_| StoreError::WrongType {
            kind: R::KIND,
            scope: scope.clone(),
            id: id.into(),
            wanted: std::any::type_name::<R>(),
        })
    }

    /// Its secondary keys; none before it was decoded.
    pub fn keys(&self) -> &[(&'static str, Arc<str>)] {
        self.decoded.get().map_or(&[], |decoded| &decoded.keys)
    }

    /// Whether it has this key.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.keys().iter().any(|(of, text)| *of == name && **text == *value)
    }

    /// Whether nobody could read it yet.
    pub fn is_raw(&self) -> bool {
        self.decoded.get().is_none()
    }

    /// Whether a key's text stands in its JSON; for one that does not read.
    pub fn mentions(&self, value: &str) -> bool {
        self.json.lock().as_deref().is_some_and(|json| stands_in(value, json))
    }

    fn decode<R: Record>(&self) -> Result<&Decoded, serde_json::Error> {
        let mut json = self.json.lock();
        if let Some(text) = json.as_deref() {
            let record: R = serde_json::from_str(text)?;
            // Under the lock and with the text still there: nobody else has set it.
            let _ = self.decoded.set(Decoded::new(Arc::new(record)));
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
            if reread {
                check_keys(&kept, &json)?;
            }
            Ok((json, Arc::new(kept)))
        })
        .map_err(|e| StoreError::Encode { kind: R::KIND, scope: scope.clone(), id: id.into(), source: Arc::new(e) })
}

/// Whether each line of a key's text is a string of the JSON.
fn stands_in(value: &str, json: &str) -> bool {
    value.split('\n').all(|line| serde_json::to_string(line).map_or(true, |quoted| json.contains(&quoted)))
}

/// What [`Record::keys`] promises.
fn check_keys<R: Record>(record: &R, json: &str) -> Result<(), serde_json::Error> {
    use serde::ser::Error;
    for (name, value) in record.keys() {
        if !R::KEYS.contains(&name) {
            return Err(serde_json::Error::custom(format!("the key {name} is not declared")));
        }
        if !stands_in(&value, json) {
            return Err(serde_json::Error::custom(format!("the key {name}, {value:?}, does not stand in the record")));
        }
    }
    Ok(())
}
