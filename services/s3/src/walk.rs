//! The keys of a bucket from where a page begins, in order, read as far as somebody takes them: whatever
//! is rolled up behind a delimiter is stepped over, not read.
//!
//! It may take several reads; what is written meanwhile is as it was at one of them.

use kiln_service_kit::{Error, Record, Scope, Store, past_prefix};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

/// What a listing is asked for.
#[derive(Default)]
pub struct Asked<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Only what comes after this key or common prefix.
    pub after: &'a str,
    pub most: usize,
}

impl Asked<'_> {
    /// The common prefix that a key is rolled up in.
    pub fn common<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix).filter(|_| !self.delimiter.is_empty())?;
        rest.find(self.delimiter).map(|at| &key[..self.prefix.len() + at + self.delimiter.len()])
    }
}

/// What one read gave.
pub struct Span<T> {
    /// In the order of their keys; several of one key follow each other.
    pub rows: Vec<(Arc<str>, T)>,
    /// It has all up to this key; without, to the end.
    pub upto: Option<Arc<str>>,
}

/// A bucket's things of one kind whose id is their key, as a span of at most `limit`.
pub fn by_id<R: Record>(store: &Store, scope: &Scope, from: Bound<&str>, limit: usize) -> Result<Span<Arc<R>>, Error> {
    let rows = store.range::<R>(scope, from, limit)?;
    let upto = rows.last().filter(|_| rows.len() == limit).map(|(key, _)| key.clone());
    Ok(Span { rows, upto })
}

/// Records with their ids.
type Named<R> = (Arc<str>, Arc<R>);

/// A bucket's things of one kind that say their key, of each key all: some `limit` of them.
pub fn by_key<R: Record>(
    store: &Store,
    scope: &Scope,
    from: Bound<&str>,
    limit: usize,
) -> Result<Span<Named<R>>, Error> {
    let rows = store.range_by_key::<R>(scope, "key", from, limit)?;
    let upto = rows.last().filter(|_| rows.len() == limit).map(|(key, _, _)| key.clone());
    let mut rows: Vec<(Arc<str>, Named<R>)> = rows.into_iter().map(|(key, id, record)| (key, (id, record))).collect();
    if let Some(last) = &upto {
        // It may have been cut off in the middle of the last.
        rows.retain(|(key, _)| key != last);
        rows.extend(store.by_key::<R>(scope, "key", last)?.into_iter().map(|named| (last.clone(), named)));
    }
    Ok(Span { rows, upto })
}

/// See the module's head.
pub struct Walk<'a, T, F> {
    asked: &'a Asked<'a>,
    read: F,
    /// Where to read on; none: there is no more.
    from: Option<Bound<String>>,
    /// How much to read at once.
    length: usize,
    ahead: VecDeque<(Arc<str>, T)>,
}

/// At most this is read at once.
const LONGEST: usize = 1_001;

impl<'a, T, F> Walk<'a, T, F> {
    /// What is asked for, of what `read` gives. With `again` the key that a page ended with comes once more.
    pub fn new(asked: &'a Asked<'a>, again: bool, read: F) -> Self {
        let from = if asked.after < asked.prefix {
            Some(Bound::Included(asked.prefix.to_owned()))
        } else {
            match asked.common(asked.after) {
                Some(common) => past_prefix(common).map(Bound::Included),
                None if again => Some(Bound::Included(asked.after.to_owned())),
                None => Some(Bound::Excluded(asked.after.to_owned())),
            }
        };
        // Where much may be rolled up, a read grows only while nothing is.
        let length = if asked.delimiter.is_empty() { asked.most.saturating_add(1).min(LONGEST) } else { 1 };
        Walk { asked, read, from, length, ahead: VecDeque::new() }
    }

    /// Leaves out all that is rolled up with this key.
    fn step_over(&mut self, key: &str) {
        let Some(common) = self.asked.common(key) else { return };
        while self.ahead.front().is_some_and(|(next, _)| next.starts_with(common)) {
            self.ahead.pop_front();
        }
        if self.ahead.is_empty() && self.from.is_some() {
            self.from = past_prefix(common).map(Bound::Included);
            self.length = 1;
        }
    }
}

impl<T, F: FnMut(Bound<&str>, usize) -> Result<Span<T>, Error>> Iterator for Walk<'_, T, F> {
    type Item = Result<(Arc<str>, T), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, thing)) = self.ahead.pop_front() {
                if !key.starts_with(self.asked.prefix) {
                    return None;
                }
                self.step_over(&key);
                return Some(Ok((key, thing)));
            }
            let from = self.from.take()?;
            let span = match (self.read)(from.as_ref().map(String::as_str), self.length) {
                Ok(span) => span,
                Err(error) => return Some(Err(error)),
            };
            self.length = self.length.saturating_mul(2).min(LONGEST);
            self.from = span.upto.map(|upto| Bound::Excluded(upto.to_string()));
            self.ahead = span.rows.into();
        }
    }
}
