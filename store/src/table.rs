//! The ordered map everything in memory is kept in: kind, then scope, then id.
//!
//! Nested instead of one map with a four-part key: a look-up borrows its three names and allocates
//! nothing, one scope's records are one inner map, and each name is stored once.

use crate::Scope;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Values by kind, scope and id.
pub(crate) struct Table<V> {
    kinds: BTreeMap<Arc<str>, Scopes<V>>,
}

type Scopes<V> = BTreeMap<Scope, Ids<V>>;
pub(crate) type Ids<V> = BTreeMap<Arc<str>, V>;

impl<V> Default for Table<V> {
    fn default() -> Table<V> {
        Table { kinds: BTreeMap::new() }
    }
}

impl<V> Table<V> {
    pub fn clear(&mut self) {
        self.kinds.clear();
    }

    pub fn get(&self, kind: &str, scope: &Scope, id: &str) -> Option<&V> {
        self.kinds.get(kind)?.get(scope)?.get(id)
    }

    /// One scope's values of a kind, ordered by id.
    pub fn ids(&self, kind: &str, scope: &Scope) -> Option<&Ids<V>> {
        self.kinds.get(kind)?.get(scope)
    }

    /// One scope's values of a kind from an id on, ordered by id. Finding the first takes a look-up,
    /// whatever lies before it.
    pub fn ids_from(&self, kind: &str, scope: &Scope, from: Bound<&str>) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.ids(kind, scope).into_iter().flat_map(move |ids| ids.range::<str, _>((from, Bound::Unbounded)))
    }

    /// Every scope's values of a kind, ordered by scope.
    pub fn scopes(&self, kind: &str) -> impl Iterator<Item = (&Scope, &Ids<V>)> {
        self.kinds.get(kind).into_iter().flatten()
    }

    /// A kind's values in one scope or everywhere, ordered by scope and id.
    pub fn rows(&self, kind: &str, scope: Option<&Scope>) -> impl Iterator<Item = (&Scope, &Arc<str>, &V)> {
        let scopes = self.scopes(kind).filter(move |(at, _)| scope.is_none_or(|scope| scope == *at));
        scopes.flat_map(|(at, ids)| ids.iter().map(move |(id, value)| (at, id, value)))
    }

    /// How many values of a kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.scopes(kind).map(|(_, ids)| ids.len()).sum()
    }

    /// All values, by kind, scope and id.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Scope, &Arc<str>, &V)> {
        let scopes =
            self.kinds.iter().flat_map(|(kind, scopes)| scopes.iter().map(move |(scope, ids)| (kind, scope, ids)));
        scopes.flat_map(|(kind, scope, ids)| ids.iter().map(move |(id, value)| (kind, scope, id, value)))
    }

    /// How many values of each kind there are.
    pub fn counts(&self) -> Vec<(Arc<str>, usize)> {
        self.kinds.iter().map(|(kind, scopes)| (kind.clone(), scopes.values().map(Ids::len).sum())).collect()
    }

    /// The kind's name as stored, or a new one.
    pub fn kind(&self, kind: &str) -> Arc<str> {
        match self.kinds.get_key_value(kind) {
            Some((stored, _)) => stored.clone(),
            None => kind.into(),
        }
    }

    pub fn insert(&mut self, kind: &Arc<str>, scope: &Scope, id: &Arc<str>, value: V) -> Option<V> {
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(kind.clone(), Scopes::new());
        }
        let scopes = self.kinds.get_mut(kind).expect("it was just put there");
        if !scopes.contains_key(scope) {
            scopes.insert(scope.clone(), Ids::new());
        }
        let ids = scopes.get_mut(scope).expect("it was just put there");
        ids.insert(id.clone(), value)
    }

    /// Takes a value out, and the maps that have become empty with it.
    pub fn remove(&mut self, kind: &str, scope: &Scope, id: &str) -> Option<V> {
        let scopes = self.kinds.get_mut(kind)?;
        let ids = scopes.get_mut(scope)?;
        let value = ids.remove(id)?;
        if ids.is_empty() {
            scopes.remove(scope);
            if scopes.is_empty() {
                self.kinds.remove(kind);
            }
        }
        Some(value)
    }
}
