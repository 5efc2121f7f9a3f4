//! Records by their names, found in one step.
//!
//! The ordered map that ranges are read from compares an id with a dozen others, each in a place of its own in memory,
//! before it comes to the one that is meant: a look-up among 10,000 records took several times as long as one among ten.

use crate::Scope;
use crate::entry::Entry;
use std::collections::HashMap;
use std::sync::Arc;

/// By kind, scope and id.
#[derive(Default)]
pub(crate) struct Points(HashMap<Arc<str>, HashMap<Scope, Ids>>);

type Ids = HashMap<Arc<str>, Arc<Entry>>;

impl Points {
    pub fn get(&self, kind: &str, scope: &Scope, id: &str) -> Option<&Arc<Entry>> {
        self.0.get(kind)?.get(scope)?.get(id)
    }

    pub fn insert(&mut self, kind: &Arc<str>, scope: &Scope, id: &Arc<str>, entry: Arc<Entry>) {
        let scopes = self.0.entry(kind.clone()).or_default();
        scopes.entry(scope.clone()).or_default().insert(id.clone(), entry);
    }

    /// Takes one out, and the maps that have become empty with it.
    pub fn remove(&mut self, kind: &str, scope: &Scope, id: &str) {
        let Some(scopes) = self.0.get_mut(kind) else { return };
        let Some(ids) = scopes.get_mut(scope) else { return };
        ids.remove(id);
        if ids.is_empty() {
            scopes.remove(scope);
            if scopes.is_empty() {
                self.0.remove(kind);
            }
        }
    }
}
