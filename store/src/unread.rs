//! Records that do not read as their type: each is told once, by name, and can be asked for.

use crate::entry::Entry;
use crate::{Scope, StoreError};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

/// A record that does not read as its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its kind.
    pub kind: Arc<str>,
    /// Whose and where.
    pub scope: Scope,
    /// Its id.
    pub id: Arc<str>,
    /// What did not fit.
    pub reason: String,
}

/// Those that somebody came upon since the start.
#[derive(Default)]
pub(crate) struct Unreads(Mutex<BTreeMap<(Arc<str>, Scope, Arc<str>), String>>);

impl Unreads {
    /// A reader has come upon one: the log hears of it the first time.
    pub fn tell(&self, error: &StoreError) {
        let StoreError::Decode { kind, scope, id, source } = error else { return };
        let key = (kind.clone(), scope.clone(), id.clone());
        if self.0.lock().insert(key, source.to_string()).is_none() {
            tracing::error!(error = error as &dyn Error, "a stored record does not read");
        }
    }

    /// Those that `still` stand there.
    pub fn all(&self, still: impl Fn(&str, &Scope, &str) -> Option<Arc<Entry>>) -> Vec<Unread> {
        let mut all = self.0.lock();
        all.retain(|(kind, scope, id), _| still(kind, scope, id).is_some_and(|entry| entry.is_raw()));
        let unread = |((kind, scope, id), reason): (&(Arc<str>, Scope, Arc<str>), &String)| Unread {
            kind: kind.clone(),
            scope: scope.clone(),
            id: id.clone(),
            reason: reason.clone(),
        };
        all.iter().map(unread).collect()
    }
}
