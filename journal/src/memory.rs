//! The engine of simulations: the same contract, nothing on disk, always the same order.

use crate::JournalError;
use crate::engine::{Engine, Found, Item, Range};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

/// Ordered maps that end with the process.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, BTreeMap<String, Vec<u8>>>>);

impl Engine for Memory {
    fn append(&self, items: &[Item]) -> Result<(), JournalError> {
        let mut streams = self.0.lock();
        for Item { stream, position, value } in items {
            streams.entry(stream.clone()).or_default().insert(position.clone(), value.clone());
        }
        Ok(())
    }

    fn read(&self, stream: &str, range: &Range, backwards: bool, limit: usize) -> Result<Found, JournalError> {
        let streams = self.0.lock();
        let Some(held) = streams.get(stream) else { return Ok(vec![]) };
        let within = held.iter().filter(|(position, _)| range.has(position));
        let found = within.map(|(position, value)| (position.clone(), value.clone()));
        Ok(if backwards { found.rev().take(limit).collect() } else { found.take(limit).collect() })
    }

    fn positions(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<String>, JournalError> {
        let found = self.read(stream, range, backwards, limit)?;
        Ok(found.into_iter().map(|(position, _)| position).collect())
    }

    fn replace(&self, stream: &str, gone: &[String], items: &[Item]) -> Result<(), JournalError> {
        if let Some(held) = self.0.lock().get_mut(stream) {
            held.retain(|position, _| !gone.contains(position));
        }
        self.append(items)
    }

    fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, JournalError> {
        let streams = self.0.lock();
        let behind = (Bound::Excluded(after.max(prefix)), Bound::Unbounded);
        let names = streams.range::<str, _>(behind).map(|(name, _)| name);
        Ok(names.take_while(|name| name.starts_with(prefix)).take(limit).cloned().collect())
    }

    fn remove(&self, stream: &str, range: &Range) -> Result<(), JournalError> {
        let mut streams = self.0.lock();
        if let Some(held) = streams.get_mut(stream) {
            held.retain(|position, _| !range.has(position));
            if held.is_empty() {
                streams.remove(stream);
            }
        }
        Ok(())
    }

    fn size(&self) -> Result<u64, JournalError> {
        Ok(self.0.lock().values().flatten().map(|(position, value)| (position.len() + value.len()) as u64).sum())
    }

    fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        Err(JournalError::NoDisk { path: path.to_owned() })
    }
}

impl Range {
    fn has(&self, position: &str) -> bool {
        self.from.as_deref().is_none_or(|from| position >= from) && self.to.as_deref().is_none_or(|to| position < to)
    }
}
