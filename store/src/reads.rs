//! Reading from memory: what is durable, by id, by range of ids, by secondary key.
//!
//! A record that does not read as its type is told of by name (the log, [`Store::unread`]) and skips
//! itself: the rest of its kind is listed without it. Whoever removes or decides by what is *not* listed
//! reads the [`Whole`], which fails instead.

use crate::entry::{Entry, Record, Rows, ScopedRows};
use crate::memory::{Found, Looked, Memory};
use crate::shared::Shared;
use crate::{Scope, Store, StoreError};
use std::ops::Bound;
use std::sync::Arc;

impl Store {
    /// A record. One that does not read as `R` is an error that names it, never a default.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        self.shared().get(scope, id)
    }

    /// The records of a scope, ordered by id. It costs by all there are: see [`Store::list_prefix`],
    /// [`Store::range`] and [`Store::by_key`] for less.
    pub fn list<R: Record>(&self, scope: &Scope) -> Result<Rows<R>, StoreError> {
        self.reader().list(scope)
    }

    /// The records of a scope whose ids begin with `prefix`, ordered by id. No other record is looked at.
    pub fn list_prefix<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, StoreError> {
        self.reader().list_prefix(scope, prefix)
    }

    /// At most `limit` records of a scope, ordered by id, from an id on: `Bound::Excluded(last)` reads on
    /// behind the last of a page, [`past_prefix`](crate::past_prefix) behind all that begin alike. Fewer
    /// mean that there are no more. No other record is looked at. Two calls may see two states of the store.
    pub fn range<R: Record>(&self, scope: &Scope, from: Bound<&str>, limit: usize) -> Result<Rows<R>, StoreError> {
        self.reader().range(scope, from, limit)
    }

    /// The records of a scope that have a key of [`Record::KEYS`], ordered by id. No other record is
    /// looked at. The first look-up of a kind reads all of it once.
    pub fn by_key<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, StoreError> {
        self.reader().by_key(scope, key, value)
    }

    /// As [`Store::by_key`] in every account and region, ordered by scope and id.
    pub fn by_key_everywhere<R: Record>(&self, key: &'static str, value: &str) -> Result<ScopedRows<R>, StoreError> {
        self.reader().by_key_everywhere(key, value)
    }

    /// At most `limit` records of a scope, ordered by a key's value and then by id, from a value on; each
    /// with the value. Fewer mean that there are no more.
    pub fn range_by_key<R: Record>(
        &self,
        scope: &Scope,
        key: &'static str,
        from: Bound<&str>,
        limit: usize,
    ) -> Result<Vec<(Arc<str>, Arc<str>, Arc<R>)>, StoreError> {
        let shared = self.shared();
        let look = |memory: &Memory| memory.range_by_key(R::KIND, scope, key, from, limit);
        let (found, raw) = shared.indexed::<R, _>(key, look)?;
        self.reader().decoded::<R>(raw)?;
        let read = |(value, (_, id, entry)): (Arc<str>, Found)| {
            let record = shared.read_entry(scope, &id, &entry)?;
            Ok((value, id, record))
        };
        found.into_iter().map(read).collect()
    }

    /// The records of a kind in every account and region, ordered by scope and id.
    pub fn list_everywhere<R: Record>(&self) -> Result<ScopedRows<R>, StoreError> {
        self.reader().list_everywhere()
    }

    /// The ids of a kind in every account and region, ordered by scope and id. No record is read, so
    /// those that do not read are among them.
    pub fn ids_everywhere<R: Record>(&self) -> Vec<(Scope, Arc<str>)> {
        let memory = self.shared().memory.read();
        let ids = memory.records.scopes(R::KIND);
        ids.flat_map(|(scope, ids)| ids.keys().map(|id| (scope.clone(), id.clone()))).collect()
    }

    /// The ids of a kind in a scope, as [`Store::ids_everywhere`].
    pub fn ids<R: Record>(&self, scope: &Scope) -> Vec<Arc<str>> {
        self.shared()
            .memory
            .read()
            .records
            .ids(R::KIND, scope)
            .into_iter()
            .flat_map(|ids| ids.keys().cloned())
            .collect()
    }

    /// The same reads for who must miss nothing: one that comes upon a record that does not read fails
    /// with its name. A look-up by key fails if the key's text stands in such a record.
    pub fn whole(&self) -> Whole<'_> {
        Whole { shared: self.shared(), skips: false }
    }

    fn reader(&self) -> Whole<'_> {
        Whole { shared: self.shared(), skips: true }
    }
}

/// Reads that miss nothing; made by [`Store::whole`].
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    shared: &'a Shared,
    /// Whether it is the store's own reading, which does without what does not read.
    skips: bool,
}

impl Whole<'_> {
    /// As [`Store::get`].
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        self.shared.get(scope, id)
    }

    /// As [`Store::list`].
    pub fn list<R: Record>(&self, scope: &Scope) -> Result<Rows<R>, StoreError> {
        self.read(scope, Bound::Unbounded, &|_| true, usize::MAX)
    }

    /// As [`Store::list_prefix`].
    pub fn list_prefix<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, StoreError> {
        self.read(scope, Bound::Included(prefix), &|id| id.starts_with(prefix), usize::MAX)
    }

    /// As [`Store::range`].
    pub fn range<R: Record>(&self, scope: &Scope, from: Bound<&str>, limit: usize) -> Result<Rows<R>, StoreError> {
        self.read(scope, from, &|_| true, limit)
    }

    /// As [`Store::list_everywhere`].
    pub fn list_everywhere<R: Record>(&self) -> Result<ScopedRows<R>, StoreError> {
        self.decoded(self.shared.all(R::KIND))
    }

    /// As [`Store::by_key`].
    pub fn by_key<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, StoreError> {
        let found = self.look_up(Some(scope), key, value)?;
        Ok(found.into_iter().map(|(_, id, record)| (id, record)).collect())
    }

    /// As [`Store::by_key_everywhere`].
    pub fn by_key_everywhere<R: Record>(&self, key: &'static str, value: &str) -> Result<ScopedRows<R>, StoreError> {
        self.look_up(None, key, value)
    }

    fn look_up<R: Record>(
        &self,
        scope: Option<&Scope>,
        key: &'static str,
        value: &str,
    ) -> Result<ScopedRows<R>, StoreError> {
        let Looked { mut found, raw } = self.shared.by_key::<R>(scope, key, value)?;
        // Told of, or failed for.
        found.extend(raw);
        self.decoded(found)
    }

    fn read<R: Record>(
        &self,
        scope: &Scope,
        from: Bound<&str>,
        within: &dyn Fn(&str) -> bool,
        limit: usize,
    ) -> Result<Rows<R>, StoreError> {
        let mut rows: Rows<R> = Vec::new();
        let mut from: Bound<Arc<str>> = from.map(Arc::from);
        loop {
            let wanted = limit - rows.len();
            // Decoded after the lock is given back: the first time it can take a while.
            let entries = self.shared.entries(R::KIND, scope, from.as_ref().map(|id| &**id), within, wanted);
            let ends = entries.len() < wanted;
            let Some(last) = entries.last().map(|(id, _)| id.clone()) else { return Ok(rows) };
            for (id, entry) in entries {
                rows.extend(self.one(scope, &id, &entry)?.map(|record| (id, record)));
            }
            // Those that were skipped do not count: fewer than asked for are all there are.
            if ends || rows.len() == limit {
                return Ok(rows);
            }
            from = Bound::Excluded(last);
        }
    }

    fn decoded<R: Record>(&self, entries: Vec<Found>) -> Result<ScopedRows<R>, StoreError> {
        let mut rows = Vec::with_capacity(entries.len());
        for (scope, id, entry) in entries {
            if let Some(record) = self.one(&scope, &id, &entry)? {
                rows.push((scope, id, record));
            }
        }
        Ok(rows)
    }

    fn one<R: Record>(&self, scope: &Scope, id: &str, entry: &Entry) -> Result<Option<Arc<R>>, StoreError> {
        match self.shared.read_entry(scope, id, entry) {
            Err(StoreError::Decode { .. }) if self.skips => Ok(None),
            read => read.map(Some),
        }
    }
}

impl Shared {
    /// At most so many of a scope's records from an id on, as long as their ids are `within`.
    fn entries(
        &self,
        kind: &str,
        scope: &Scope,
        from: Bound<&str>,
        within: &dyn Fn(&str) -> bool,
        wanted: usize,
    ) -> Vec<(Arc<str>, Arc<Entry>)> {
        let memory = self.memory.read();
        let ids = memory.records.ids_from(kind, scope, from);
        ids.take_while(|(id, _)| within(id)).take(wanted).map(|(id, entry)| (id.clone(), entry.clone())).collect()
    }

    /// A kind's records in every account and region.
    fn all(&self, kind: &str) -> Vec<Found> {
        let memory = self.memory.read();
        let scopes = memory.records.scopes(kind);
        scopes
            .flat_map(|(scope, ids)| ids.iter().map(|(id, entry)| (scope.clone(), id.clone(), entry.clone())))
            .collect()
    }

    fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        let entry = self.memory.read().get(R::KIND, scope, id).cloned();
        entry.map(|entry| self.read_entry(scope, id, &entry)).transpose()
    }

    /// Reads one record for somebody: it is counted, and told of if it does not read.
    pub(crate) fn read_entry<R: Record>(&self, scope: &Scope, id: &str, entry: &Entry) -> Result<Arc<R>, StoreError> {
        self.readers.count(1);
        entry.get(scope, id).inspect_err(|error| self.unread.tell(error))
    }

    /// The durable records that have a key.
    pub(crate) fn by_key<R: Record>(
        &self,
        scope: Option<&Scope>,
        key: &'static str,
        value: &str,
    ) -> Result<Looked, StoreError> {
        self.indexed::<R, _>(key, |memory| memory.by_key(R::KIND, scope, key, value))
    }

    fn indexed<R: Record, T>(&self, key: &'static str, look: impl FnOnce(&Memory) -> T) -> Result<T, StoreError> {
        if !R::KEYS.contains(&key) {
            return Err(StoreError::NoKey { kind: R::KIND, key });
        }
        let memory = self.memory.read();
        if memory.is_indexed(R::KIND) {
            return Ok(look(&memory));
        }
        drop(memory);
        let mut memory = self.memory.write();
        memory.make_index::<R>();
        Ok(look(&memory))
    }
}
