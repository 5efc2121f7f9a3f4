//! A transaction: what it reads, what it means to write.
//!
//! It reads through three layers: its own writes, what earlier transactions have queued for the
//! disk, what is durable. Its writes go to the first layer only, so giving up is dropping it.

use crate::entry::{Entry, Record, Rows, ScopedRows, encode};
use crate::feed::{Change, Old, Op};
use crate::store::Shared;
use crate::table::Table;
use crate::writer::{Queued, Value};
use crate::{Scope, StoreError};
use kiln_clock::Timestamp;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A running transaction; made by [`Store::write`](crate::Store::write).
pub struct Tx<'a> {
    shared: &'a Shared,
    queued: &'a Table<Queued>,
    own: Table<Option<Value>>,
    /// The keys in `own`, in the order they were first touched.
    order: Vec<(Arc<str>, Scope, Arc<str>)>,
    /// Whether an answer rests on something that is not durable yet.
    saw_queued: Cell<bool>,
    now: Timestamp,
    /// The number its commit will have.
    sequence: u64,
}

/// The changes a transaction made, each with its new value (none: deleted).
pub(crate) type Changes = (Vec<Change>, Vec<Option<Value>>);

impl<'a> Tx<'a> {
    pub(crate) fn new(shared: &'a Shared, queued: &'a Table<Queued>, sequence: u64) -> Tx<'a> {
        Tx {
            shared,
            sequence,
            queued,
            own: Table::default(),
            order: Vec::new(),
            saw_queued: Cell::new(false),
            now: shared.clock.now(),
        }
    }

    /// The time of the transaction: the same however often it is asked for.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A place in the order of everything that is ever written: the number that the commit will have, and how many
    /// records the transaction has touched so far. Greater than any place before it, unless nothing was touched
    /// in between; a transaction that fails leaves its places to the next.
    pub fn place(&self) -> (u64, u32) {
        (self.sequence, u32::try_from(self.order.len()).unwrap_or(u32::MAX))
    }

    /// A record, as this transaction has left it.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        let entry = self.entry(R::KIND, scope, id);
        self.shared.read(entry.iter().len());
        entry.map(|entry| entry.get(scope, id)).transpose()
    }

    /// The records of a scope, ordered by id.
    pub fn list<R: Record>(&self, scope: &Scope) -> Result<Rows<R>, StoreError> {
        let mut entries: BTreeMap<Arc<str>, Arc<Entry>> = {
            let memory = self.shared.memory.read();
            let ids = memory.ids(R::KIND, scope);
            ids.into_iter().flatten().map(|(id, e)| (id.clone(), e.clone())).collect()
        };
        for (id, queued) in self.queued.ids(R::KIND, scope).into_iter().flatten() {
            self.saw_queued.set(true);
            overlay(&mut entries, id, queued.entry.as_ref());
        }
        for (id, own) in self.own.ids(R::KIND, scope).into_iter().flatten() {
            overlay(&mut entries, id, own.as_ref().map(|v| &v.entry));
        }
        self.shared.read(entries.len());
        entries.into_iter().map(|(id, entry)| entry.get(scope, &id).map(|record| (id, record))).collect()
    }

    /// The records of a kind in every account and region, ordered by scope and id.
    pub fn list_everywhere<R: Record>(&self) -> Result<ScopedRows<R>, StoreError> {
        let mut scopes: BTreeSet<Scope> = {
            let memory = self.shared.memory.read();
            memory.scopes(R::KIND).map(|(scope, _)| scope.clone()).collect()
        };
        scopes.extend(self.queued.scopes(R::KIND).map(|(scope, _)| scope.clone()));
        scopes.extend(self.own.scopes(R::KIND).map(|(scope, _)| scope.clone()));
        let mut all = Vec::new();
        for scope in scopes {
            let records = self.list::<R>(&scope)?;
            all.extend(records.into_iter().map(|(id, record)| (scope.clone(), id, record)));
        }
        Ok(all)
    }

    /// Writes a record, new or in place of the one there.
    pub fn put<R: Record>(&mut self, scope: &Scope, id: &str, record: R) -> Result<(), StoreError> {
        let (json, record) = encode(scope, id, record, self.shared.reread)?;
        self.set(R::KIND, scope, id, Some(Value { json, entry: Arc::new(Entry::from_record(record)) }));
        Ok(())
    }

    /// Like [`Tx::put`], but does nothing when the record there is equal: no write, no entry in
    /// the change feed, nobody woken. Says whether it changed.
    pub fn put_if_changed<R: Record>(&mut self, scope: &Scope, id: &str, record: R) -> Result<bool, StoreError> {
        let before = self.get::<R>(scope, id)?;
        let (json, record) = encode(scope, id, record, self.shared.reread)?;
        if let Some(before) = before
            && same(scope, id, &*before, &json)?
        {
            return Ok(false);
        }
        self.set(R::KIND, scope, id, Some(Value { json, entry: Arc::new(Entry::from_record(record)) }));
        Ok(true)
    }

    /// Removes a record; says whether it was there.
    pub fn delete<R: Record>(&mut self, scope: &Scope, id: &str) -> bool {
        let there = self.entry(R::KIND, scope, id).is_some();
        if there {
            self.set(R::KIND, scope, id, None);
        }
        there
    }

    pub(crate) fn saw_queued(&self) -> bool {
        self.saw_queued.get()
    }

    /// What remains to be written. A record that was made and deleted here leaves no trace.
    pub(crate) fn finish(mut self) -> Changes {
        let (mut changes, mut values) = (Vec::new(), Vec::new());
        for (kind, scope, id) in std::mem::take(&mut self.order) {
            let value = self.own.remove(&kind, &scope, &id).expect("every ordered key has a value");
            let op = if value.is_some() { Op::Put } else { Op::Delete };
            let before = self.beneath(&kind, &scope, &id);
            if op == Op::Delete && before.is_none() {
                continue;
            }
            let old = before.map_or(Old::Nothing, Old::Record);
            changes.push(Change { kind, scope, id, op, old });
            values.push(value);
        }
        (changes, values)
    }

    fn set(&mut self, kind: &'static str, scope: &Scope, id: &str, value: Option<Value>) {
        let kind = self.own.kind(kind);
        let id: Arc<str> = id.into();
        if self.own.insert(&kind, scope, &id, value).is_none() {
            self.order.push((kind, scope.clone(), id));
        }
    }

    /// A record as it was before this transaction.
    fn beneath(&self, kind: &str, scope: &Scope, id: &str) -> Option<Arc<Entry>> {
        match self.queued.get(kind, scope, id) {
            Some(queued) => queued.entry.clone(),
            None => self.shared.memory.read().get(kind, scope, id).cloned(),
        }
    }

    fn entry(&self, kind: &str, scope: &Scope, id: &str) -> Option<Arc<Entry>> {
        if let Some(own) = self.own.get(kind, scope, id) {
            return own.as_ref().map(|v| v.entry.clone());
        }
        if let Some(queued) = self.queued.get(kind, scope, id) {
            self.saw_queued.set(true);
            return queued.entry.clone();
        }
        self.shared.memory.read().get(kind, scope, id).cloned()
    }
}

fn overlay(entries: &mut BTreeMap<Arc<str>, Arc<Entry>>, id: &Arc<str>, entry: Option<&Arc<Entry>>) {
    match entry {
        Some(entry) => entries.insert(id.clone(), entry.clone()),
        None => entries.remove(id),
    };
}

/// Whether a record would be stored as this JSON. The order of a hash map's members is chance, so
/// text that differs is compared once more as a value.
fn same<R: Record>(scope: &Scope, id: &str, before: &R, json: &str) -> Result<bool, StoreError> {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    serde_json::to_string(before)
        .and_then(|text| Ok(text == json || value(&text)? == value(json)?))
        .map_err(|e| StoreError::Encode { kind: R::KIND, scope: scope.clone(), id: id.into(), source: Arc::new(e) })
}
