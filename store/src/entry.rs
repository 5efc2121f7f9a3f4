//! One record in memory: decoded while it is read, JSON while it is not.
//!
//! After a start a record is the JSON it was stored as; most are never looked at. The first reader
//! decodes it and the JSON is dropped. One that nobody has read for a while becomes JSON again
//! ([`Entry::rest`]): the text is one block, and what is decoded often several times its size.

use crate::{Scope, StoreError};
use parking_lot::RwLock;
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
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
    form: RwLock<Form>,
    /// Set when it was decoded for the first time; they stay while it rests.
    keys: OnceLock<Box<[(&'static str, Arc<str>)]>>,
    /// Read since it was last asked whether it was.
    read: AtomicBool,
}

enum Form {
    Json(Box<str>),
    Decoded { record: Arc<dyn Any + Send + Sync>, encode: fn(&(dyn Any + Send + Sync)) -> Option<String> },
}

impl Form {
    fn decoded<R: Record>(record: Arc<R>) -> Form {
        Form::Decoded { record, encode: |record| serde_json::to_string(record.downcast_ref::<R>()?).ok() }
    }
}

impl Entry {
    pub fn from_record<R: Record>(record: Arc<R>) -> Entry {
        let keys = OnceLock::from(keys_of(&*record));
        Entry { form: RwLock::new(Form::decoded(record)), keys, read: AtomicBool::new(true) }
    }

    pub fn from_json(json: Box<str>) -> Entry {
        Entry { form: RwLock::new(Form::Json(json)), keys: OnceLock::new(), read: AtomicBool::new(false) }
    }

    /// The record; `scope` and `id` are for the error's words.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Arc<R>, StoreError> {
        if !self.read.load(Ordering::Relaxed) {
            self.read.store(true, Ordering::Relaxed);
        }
        let decoded = match &*self.form.read() {
            Form::Decoded { record, .. } => Some(record.clone()),
            Form::Json(_) => None,
        };
        let record = match decoded {
            Some(record) => record,
            None => self.decode::<R>().map_err(|e| StoreError::Decode {
                kind: R::KIND.into(),
                scope: scope.clone(),
                id: id.into(),
                source: Arc::new(e),
            })?,
        };
        record.downcast::<R>().map_err(|_| StoreError::WrongType {
            kind: R::KIND,
            scope: scope.clone(),
            id: id.into(),
            wanted: std::any::type_name::<R>(),
        })
    }

    /// Its secondary keys; none before it was decoded.
    pub fn keys(&self) -> &[(&'static str, Arc<str>)] {
        self.keys.get().map_or(&[], |keys| keys)
    }

    /// Whether it has this key.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.keys().iter().any(|(of, text)| *of == name && **text == *value)
    }

    /// Whether nobody could read it yet.
    pub fn is_raw(&self) -> bool {
        self.keys.get().is_none()
    }

    /// Whether a key's text stands in its JSON; for one that does not read.
    pub fn mentions(&self, value: &str) -> bool {
        matches!(&*self.form.read(), Form::Json(json) if stands_in(value, json))
    }

    /// Makes it JSON again if nobody has read it since this was asked last and nobody holds it. Whether it did.
    pub fn rest(&self) -> bool {
        if self.read.swap(false, Ordering::Relaxed) {
            return false;
        }
        let json = match &*self.form.read() {
            Form::Decoded { record, encode } if Arc::strong_count(record) == 1 => encode(&**record),
            _ => None,
        };
        // What a record says never changes, so it is the same one, whoever has come for it meanwhile.
        let Some(json) = json else { return false };
        *self.form.write() = Form::Json(json.into());
        true
    }

    fn decode<R: Record>(&self) -> Result<Arc<dyn Any + Send + Sync>, serde_json::Error> {
        let mut form = self.form.write();
        let record = match &*form {
            // Somebody else came first.
            Form::Decoded { record, .. } => return Ok(record.clone()),
            Form::Json(text) => Arc::new(serde_json::from_str::<R>(text)?),
        };
        let _ = self.keys.set(keys_of(&*record));
        *form = Form::decoded(record.clone());
        Ok(record)
    }
}

fn keys_of<R: Record>(record: &R) -> Box<[(&'static str, Arc<str>)]> {
    record.keys().into_iter().map(|(name, value)| (name, value.into())).collect()
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
