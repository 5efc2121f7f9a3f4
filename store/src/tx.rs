//! A transaction: what it reads, what it means to write.
//!
//! It reads through three layers: its own writes, what earlier transactions have queued for the
//! disk, what is durable. Its writes go to the first layer only, so giving up is dropping it.

use crate::entry::{Entry, Record, Rows, ScopedRows, encode};
use crate::feed::{Change, Old, Op};
use crate::memory::Looked;
use crate::queue::{Queued, Value};
use crate::shared::Shared;
use crate::table::Table;
use crate::{Scope, StoreError};
use kiln_clock::Timestamp;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
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

/// What remains of a transaction.
pub(crate) struct Done {
    pub at: Timestamp,
    /// Whether its answer rests on something that is not durable yet.
    pub saw_queued: bool,
    pub changes: Changes,
}

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
        self.entry(R::KIND, scope, id).map(|entry| self.shared.read_entry(scope, id, &entry)).transpose()
    }

    /// The records of a scope, ordered by id. Who writes decides by what is there and what is not: like
    /// all reads of a transaction this fails for a record that does not read, as those of
    /// [`Store::whole`](crate::Store::whole).
    pub fn list<R: Record>(&self, scope: &Scope) -> Result<Rows<R>, StoreError> {
        self.read(scope, Bound::Unbounded, &|_| true, usize::MAX)
    }

    /// The records of a scope whose ids begin with `prefix`, as [`Store::list_prefix`](crate::Store::list_prefix).
    pub fn list_prefix<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, StoreError> {
        self.read(scope, Bound::Included(prefix), &|id| id.starts_with(prefix), usize::MAX)
    }

    /// At most `limit` records of a scope from an id on, as [`Store::range`](crate::Store::range).
    pub fn range<R: Record>(&self, scope: &Scope, from: Bound<&str>, limit: usize) -> Result<Rows<R>, StoreError> {
        self.read(scope, from, &|_| true, limit)
    }

    /// The records of a scope that have a key, as [`Store::by_key`](crate::Store::by_key).
    pub fn by_key<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, StoreError> {
        let found = self.look_up(Some(scope), key, value)?;
        Ok(found.into_iter().map(|(_, id, record)| (id, record)).collect())
    }

    /// As [`Tx::by_key`] in every account and region, ordered by scope and id.
    pub fn by_key_everywhere<R: Record>(&self, key: &'static str, value: &str) -> Result<ScopedRows<R>, StoreError> {
        self.look_up(None, key, value)
    }

    /// How many records of a kind a scope has, those that do not read among them. None is read.
    pub fn count<R: Record>(&self, scope: &Scope) -> usize {
        self.counted(R::KIND, Some(scope))
    }

    /// How many records of a kind there are in all accounts and regions, if more than `most`; those that do not read
    /// among them. None is read, and while there are clearly fewer none is looked at.
    pub fn more_than<R: Record>(&self, most: usize) -> Option<usize> {
        // What is in two layers counts twice here: never fewer than there are.
        let durable = self.shared.memory.read().records.count(R::KIND);
        if durable + self.queued.count(R::KIND) + self.own.count(R::KIND) <= most {
            return None;
        }
        Some(self.counted(R::KIND, None)).filter(|count| *count > most)
    }

    /// Counts a kind in one scope or everywhere.
    fn counted(&self, kind: &str, scope: Option<&Scope>) -> usize {
        let mut changed: BTreeMap<(&Scope, &Arc<str>), bool> = BTreeMap::new();
        for (at, id, queued) in self.queued.rows(kind, scope) {
            self.saw_queued.set(true);
            changed.insert((at, id), queued.entry.is_some());
        }
        changed.extend(self.own.rows(kind, scope).map(|(at, id, own)| ((at, id), own.is_some())));
        let memory = self.shared.memory.read();
        let durable = match scope {
            Some(scope) => memory.records.ids(kind, scope).map_or(0, |ids| ids.len()),
            None => memory.records.count(kind),
        };
        let as_it_was = changed.keys().filter(|(at, id)| memory.get(kind, at, id).is_some()).count();
        durable - as_it_was + changed.values().filter(|there| **there).count()
    }

    /// The records of a kind in every account and region, ordered by scope and id.
    pub fn list_everywhere<R: Record>(&self) -> Result<ScopedRows<R>, StoreError> {
        let mut scopes: BTreeSet<Scope> = {
            let memory = self.shared.memory.read();
            memory.records.scopes(R::KIND).map(|(scope, _)| scope.clone()).collect()
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

    fn read<R: Record>(
        &self,
        scope: &Scope,
        from: Bound<&str>,
        within: &dyn Fn(&str) -> bool,
        limit: usize,
    ) -> Result<Rows<R>, StoreError> {
        let entries = self.merged(R::KIND, scope, from, within, limit);
        entries.into_iter().map(|(id, e)| Ok((id.clone(), self.shared.read_entry(scope, &id, &e)?))).collect()
    }

    /// The three layers as one, read side by side from an id on, so that a limit bounds the reading too.
    fn merged(
        &self,
        kind: &str,
        scope: &Scope,
        from: Bound<&str>,
        within: &dyn Fn(&str) -> bool,
        limit: usize,
    ) -> Vec<(Arc<str>, Arc<Entry>)> {
        let memory = self.shared.memory.read();
        let mut durable = memory.records.ids_from(kind, scope, from).peekable();
        let mut queued = self.queued.ids_from(kind, scope, from).peekable();
        let mut own = self.own.ids_from(kind, scope, from).peekable();
        let mut merged = Vec::new();
        while merged.len() < limit {
            let heads =
                [durable.peek().map(|(id, _)| *id), queued.peek().map(|(id, _)| *id), own.peek().map(|(id, _)| *id)];
            let Some(id) = heads.into_iter().flatten().min().filter(|id| within(id)) else { break };
            let durable = durable.next_if(|(next, _)| *next == id).map(|(_, entry)| entry);
            let queued = queued.next_if(|(next, _)| *next == id).map(|(_, queued)| queued.entry.as_ref());
            let own = own.next_if(|(next, _)| *next == id).map(|(_, own)| own.as_ref().map(|v| &v.entry));
            if queued.is_some() {
                self.saw_queued.set(true);
            }
            if let Some(entry) = own.or(queued).unwrap_or(durable) {
                merged.push((id.clone(), entry.clone()));
            }
        }
        merged
    }

    fn look_up<R: Record>(
        &self,
        scope: Option<&Scope>,
        key: &'static str,
        value: &str,
    ) -> Result<ScopedRows<R>, StoreError> {
        let durable = self.shared.by_key::<R>(scope, key, value)?;
        let found = self.laid_over(durable, R::KIND, scope, key, value);
        let read = |((at, id), entry): ((Scope, Arc<str>), Arc<Entry>)| {
            let record = self.shared.read_entry(&at, &id, &entry)?;
            Ok((at, id, record))
        };
        found.into_iter().map(read).collect()
    }

    /// What is durable and has the key, less what the layers above changed, and what of these has it.
    /// The layers above are few, and their keys known: they are looked through.
    fn laid_over(
        &self,
        durable: Looked,
        kind: &str,
        scope: Option<&Scope>,
        key: &str,
        value: &str,
    ) -> BTreeMap<(Scope, Arc<str>), Arc<Entry>> {
        let durable = durable.found.into_iter().chain(durable.raw);
        let mut found: BTreeMap<(Scope, Arc<str>), Arc<Entry>> =
            durable.map(|(at, id, entry)| ((at, id), entry)).collect();
        let queued = self.queued.rows(kind, scope).map(|(at, id, queued)| (at, id, queued.entry.as_ref(), true));
        let own = self.own.rows(kind, scope);
        let own = own.map(|(at, id, own)| (at, id, own.as_ref().map(|value| &value.entry), false));
        for (at, id, entry, is_queued) in queued.chain(own) {
            let at = (at.clone(), id.clone());
            let has = entry.filter(|entry| entry.has(key, value));
            let changes = match has {
                Some(entry) => {
                    found.insert(at, entry.clone());
                    true
                }
                None => found.remove(&at).is_some(),
            };
            if changes && is_queued {
                self.saw_queued.set(true);
            }
        }
        found
    }

    /// Writes a record, new or in place of the one there. One that does not read as `R` is not
    /// overwritten: the error names it. It can be deleted.
    pub fn put<R: Record>(&mut self, scope: &Scope, id: &str, record: R) -> Result<(), StoreError> {
        if let Some(there) = self.entry(R::KIND, scope, id) {
            // Not counted: it is not given to anybody.
            there.get::<R>(scope, id).inspect_err(|error| self.shared.unread.tell(error))?;
        }
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

    /// What remains of it: nothing is written of one that is given up, but what it has seen must be durable all the same.
    #[inline(never)]
    pub(crate) fn done(self, succeeded: bool) -> Done {
        let (at, saw_queued) = (self.now, self.saw_queued.get());
        Done { at, saw_queued, changes: if succeeded { self.changes() } else { Changes::default() } }
    }

    /// What remains to be written. A record that was made and deleted here leaves no trace.
    fn changes(mut self) -> Changes {
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

/// Whether a record would be stored as this JSON. The order of a hash map's members is chance, so
/// text that differs is compared once more as a value.
fn same<R: Record>(scope: &Scope, id: &str, before: &R, json: &str) -> Result<bool, StoreError> {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    serde_json::to_string(before)
        .and_then(|text| Ok(text == json || value(&text)? == value(json)?))
        .map_err(|e| StoreError::Encode { kind: R::KIND, scope: scope.clone(), id: id.into(), source: Arc::new(e) })
}
