//! What is known of streams without the disk: read from the names of their blocks when it is first asked for.

use super::block::{Head, LARGEST};
use super::{Disk, Events};
use kiln_service_kit::{Between, Error, Scope};
use std::collections::HashMap;

/// Streams that are known; as many again from before.
const MOST: usize = 5_000;
/// Names of blocks that are read at a time.
const LOOK: usize = 4_096;
/// A block smaller than this is to become a part of a larger one.
pub const SMALL: u64 = (LARGEST / 4) as u64;
/// As many small ones are made one.
pub const MERGED: usize = 32;

/// What a stream has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamStats {
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// When the last came in.
    pub ingested: Option<i64>,
    pub bytes: u64,
}

#[derive(Debug, Clone, Default)]
pub struct State {
    pub stats: StreamStats,
    /// Blocks that are small; never more than [`MERGED`] for long.
    pub small: Vec<Head>,
}

impl State {
    pub fn add(&mut self, head: &Head) {
        let stats = &mut self.stats;
        stats.first = Some(stats.first.map_or(head.first, |first| first.min(head.first)));
        stats.last = Some(stats.last.map_or(head.last, |last| last.max(head.last)));
        stats.ingested = stats.ingested.max(Some(head.ingested));
        stats.bytes += head.bytes;
        if head.bytes < SMALL && self.small.len() < 2 * MERGED {
            self.small.push(head.clone());
        }
    }
}

/// The streams used last, in two generations.
#[derive(Default)]
pub struct Known {
    /// Grows with each block that is written: what was read of a stream meanwhile may lack it.
    written: u64,
    young: HashMap<(Scope, String), State>,
    old: HashMap<(Scope, String), State>,
}

impl Known {
    pub fn get(&mut self, scope: &Scope, stream: &str) -> Option<&mut State> {
        let key = (scope.clone(), stream.to_owned());
        if !self.young.contains_key(&key) {
            let state = self.old.remove(&key)?;
            self.put(scope, stream, state);
        }
        self.young.get_mut(&key)
    }

    pub fn put(&mut self, scope: &Scope, stream: &str, state: State) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((scope.clone(), stream.to_owned()), state);
    }

    /// Takes in blocks that were written.
    pub fn add(&mut self, scope: &Scope, stream: &str, heads: &[Head]) {
        self.written += 1;
        if let Some(state) = self.get(scope, stream) {
            heads.iter().for_each(|head| state.add(head));
        }
    }

    pub fn forget(&mut self, scope: &Scope, stream: &str) {
        self.written += 1;
        let key = (scope.clone(), stream.to_owned());
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

impl Disk {
    /// What a stream has, by the names of all its blocks.
    pub(super) fn state(&self, stream: &str) -> Result<State, Error> {
        let mut state = State::default();
        let mut between = Between::default();
        loop {
            let heads = self.heads(stream, &between, false, LOOK)?;
            heads.iter().for_each(|head| state.add(head));
            match heads.last() {
                Some(last) if heads.len() == LOOK => between.from = Some(last.position().next()),
                _ => return Ok(state),
            }
        }
    }
}

impl Events {
    /// What a stream has. Reads the disk where it is not known.
    pub fn stats(&self, disk: &Disk, stream: &str) -> Result<StreamStats, Error> {
        let written = {
            let mut known = self.0.known.lock();
            if let Some(state) = known.get(&disk.scope, stream) {
                return Ok(state.stats.clone());
            }
            known.written
        };
        let state = disk.state(stream)?;
        let stats = state.stats.clone();
        let mut known = self.0.known.lock();
        if known.written == written {
            known.put(&disk.scope, stream, state);
        }
        Ok(stats)
    }
}
