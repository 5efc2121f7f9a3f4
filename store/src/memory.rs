//! What is durable, as it stands in memory: the records, and for each kind that is looked up by a
//! secondary key an index of its keys.
//!
//! An index is made at the first look-up of its kind, from records that are decoded for it, and kept
//! from then on: a change of a record is a change of its keys, under the same lock. A kind that nobody
//! looks up by key costs nothing.

use crate::entry::{Entry, Record};
use crate::points::Points;
use crate::table::Table;
use crate::{Scope, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// A record as a look-up finds it.
pub(crate) type Found = (Scope, Arc<str>, Arc<Entry>);

/// What a look-up by key finds.
#[derive(Default)]
pub(crate) struct Looked {
    pub found: Vec<Found>,
    /// Those that do not read and may have the key.
    pub raw: Vec<Found>,
}

#[derive(Default)]
pub(crate) struct Memory {
    /// To be read in their order; changed by [`Memory::set`] alone.
    pub records: Table<Arc<Entry>>,
    points: Points,
    indexes: HashMap<Arc<str>, Index>,
}

/// The keys of a kind.
#[derive(Default)]
struct Index {
    /// By name, scope, value and id. One flat map: most values lead to one record, for which a map of its own
    /// would be many times as large. With the records, which need not be looked up again among all of their kind.
    rows: BTreeMap<(&'static str, Scope, Arc<str>, Arc<str>), Arc<Entry>>,
    /// Those that do not read, whose keys nobody knows.
    raw: BTreeSet<(Scope, Arc<str>)>,
}

impl Index {
    fn add(&mut self, scope: &Scope, id: &Arc<str>, entry: &Arc<Entry>) {
        if entry.is_raw() {
            self.raw.insert((scope.clone(), id.clone()));
        }
        for (name, value) in entry.keys() {
            self.rows.insert((name, scope.clone(), value.clone(), id.clone()), entry.clone());
        }
    }

    fn remove(&mut self, scope: &Scope, id: &Arc<str>, entry: &Entry) {
        if !self.raw.is_empty() {
            self.raw.remove(&(scope.clone(), id.clone()));
        }
        for (name, value) in entry.keys() {
            self.rows.remove(&(*name, scope.clone(), value.clone(), id.clone()));
        }
    }
}

impl Memory {
    pub fn new(records: Table<Arc<Entry>>) -> Memory {
        let mut points = Points::default();
        for (kind, scope, id, entry) in records.all() {
            points.insert(kind, scope, id, entry.clone());
        }
        Memory { records, points, indexes: HashMap::new() }
    }

    /// One record.
    pub fn get(&self, kind: &str, scope: &Scope, id: &str) -> Option<&Arc<Entry>> {
        self.points.get(kind, scope, id)
    }

    /// Puts a record in, or takes it out.
    pub fn set(&mut self, kind: &Arc<str>, scope: &Scope, id: &Arc<str>, entry: Option<Arc<Entry>>) {
        let mut index = self.indexes.get_mut(kind);
        if let (Some(index), Some(entry)) = (index.as_deref_mut(), &entry) {
            // Before the old one is taken out of the index: the same key may be of both.
            if let Some(old) = self.points.get(kind, scope, id) {
                index.remove(scope, id, old);
            }
            index.add(scope, id, entry);
        }
        match entry {
            Some(entry) => {
                self.points.insert(kind, scope, id, entry.clone());
                self.records.insert(kind, scope, id, entry);
            }
            None => {
                self.points.remove(kind, scope, id);
                let old = self.records.remove(kind, scope, id);
                if let (Some(index), Some(old)) = (index, old) {
                    index.remove(scope, id, &old);
                }
            }
        }
    }

    /// Whether the kind's keys are known already.
    pub fn is_indexed(&self, kind: &str) -> bool {
        self.indexes.contains_key(kind)
    }

    /// Decodes every record of a kind and notes its keys.
    pub fn make_index<R: Record>(&mut self) {
        if self.is_indexed(R::KIND) {
            return;
        }
        let mut index = Index::default();
        for (scope, ids) in self.records.scopes(R::KIND) {
            for (id, entry) in ids {
                // One that does not read is told of when a look-up would have come to it.
                let _: Result<Arc<R>, StoreError> = entry.get(scope, id);
                index.add(scope, id, entry);
            }
        }
        self.indexes.insert(R::KIND.into(), index);
    }

    /// The records that have a key, in one scope or everywhere, ordered by scope and id; then those that
    /// do not read and have the key's text in them. The kind must be indexed.
    pub fn by_key(&self, kind: &str, scope: Option<&Scope>, name: &'static str, value: &str) -> Looked {
        let Some(index) = self.indexes.get(kind) else { return Looked::default() };
        let value: Arc<str> = value.into();
        let of = |scope: &Scope| {
            let from = (name, scope.clone(), value.clone(), Arc::from(""));
            let rows = index.rows.range(from..);
            let rows = rows.take_while(|((of, at, text, _), _)| *of == name && at == scope && *text == value);
            rows.map(|((_, at, _, id), entry)| (at.clone(), id.clone(), entry.clone())).collect::<Vec<_>>()
        };
        let found = match scope {
            Some(scope) => of(scope),
            None => self.records.scopes(kind).flat_map(|(scope, _)| of(scope)).collect(),
        };
        let raw = self.raw(kind, index, scope).filter(|(_, _, entry)| entry.mentions(&value)).collect();
        Looked { found, raw }
    }

    /// At most `limit` records of a scope, ordered by a key's value and by id, from a value on. A record
    /// comes as often as it has the key. Then those of the scope that do not read.
    pub fn range_by_key(
        &self,
        kind: &str,
        scope: &Scope,
        name: &'static str,
        from: Bound<&str>,
        limit: usize,
    ) -> (Vec<(Arc<str>, Found)>, Vec<Found>) {
        let Some(index) = self.indexes.get(kind) else { return Default::default() };
        let first = match from {
            Bound::Included(value) | Bound::Excluded(value) => value,
            Bound::Unbounded => "",
        };
        let rows = index.rows.range((name, scope.clone(), Arc::from(first), Arc::from(""))..);
        let rows = rows.take_while(|((of, at, _, _), _)| *of == name && at == scope);
        let rows = rows.skip_while(|((_, _, value, _), _)| from == Bound::Excluded(&**value));
        let found = rows.map(|((_, at, value, id), entry)| (value.clone(), (at.clone(), id.clone(), entry.clone())));
        (found.take(limit).collect(), self.raw(kind, index, Some(scope)).collect())
    }

    fn raw<'a>(
        &'a self,
        kind: &'a str,
        index: &'a Index,
        scope: Option<&'a Scope>,
    ) -> impl Iterator<Item = Found> + 'a {
        let raw = index.raw.iter().filter(move |(at, _)| scope.is_none_or(|scope| scope == at));
        raw.filter_map(move |(at, id)| self.found(kind, at, id))
    }

    fn found(&self, kind: &str, scope: &Scope, id: &Arc<str>) -> Option<Found> {
        self.get(kind, scope, id).map(|entry| (scope.clone(), id.clone(), entry.clone()))
    }
}
