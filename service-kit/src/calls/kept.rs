//! Calls in the journal: blocks of those that waited together, the newest of them only.

use super::Waiting;
use kiln_clock::Timestamp;
use kiln_journal::{Entry, History, JournalError, Position, Window};
use kiln_store::Scope;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Calls in one block at most: what is read to find one of them.
const BLOCK: usize = 1_000;

/// Blocks read at a time.
const READ: usize = 8;

const STREAM: &str = "all";

/// What is known of the blocks that are kept, which are long to read.
#[derive(Default)]
pub(super) struct Ends {
    /// Its position, its number, and how many calls were kept ever, with it.
    newest: Option<(Position, u64, u64)>,
    /// Its position, and how many calls were kept ever, with it.
    oldest: Option<(Position, u64)>,
}

/// What is told of a call, for one reader or another.
pub trait Logged: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind of its blocks in the journal.
    const KIND: &'static str;
    /// How many wait to be kept, at most.
    const MOST_WAITING: usize;
    /// How many are kept, at least; older ones go by blocks.
    const MOST_KEPT: u64;

    /// What it takes in memory, where that differs much from one to the next; bytes.
    fn weight(&self) -> usize {
        0
    }
}

/// What was kept together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block<R> {
    /// Which block it is: one more than the one before.
    number: u64,
    pub(crate) told: Vec<Told<R>>,
    /// How many calls were kept ever, with these.
    kept: u64,
}

impl<R: Logged> Entry for Block<R> {
    const KIND: &'static str = R::KIND;
    /// As long as CloudTrail's event history shows them ("Viewing event history": 90 days).
    const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
}

/// What is told of past calls, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told<R = super::CallRecord> {
    /// A call.
    Call(R),
    /// So many came here that were not kept: there were more than could be written in time.
    NotKept(u64),
}

/// Of all accounts and regions.
fn scope() -> Scope {
    Scope::new("", "")
}

impl<R: Logged> Waiting<R> {
    /// The latest calls that are `wanted`, at most `limit` of them, oldest first. Reads the disk.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn latest(
        &self,
        history: &History,
        limit: usize,
        wanted: impl Fn(&R) -> bool,
    ) -> Result<Vec<Told<R>>, JournalError> {
        // Nothing that waits is kept meanwhile.
        let _turn = self.turn.lock().await;
        let wanted = |told: &Told<R>| !matches!(told, Told::Call(call) if !wanted(call));
        let mut found: VecDeque<Told<R>> = self.waiting.lock().iter().filter(|told| wanted(told)).cloned().collect();
        let mut after = None;
        while found.len() < limit {
            let blocks = read_blocks::<R>(history, after)?;
            let Some((last, _)) = blocks.last() else { break };
            after = Some(last.clone());
            for (_, block) in blocks {
                for told in block.told.into_iter().rev().filter(wanted) {
                    found.push_front(told);
                }
            }
        }
        Ok(found.split_off(found.len().saturating_sub(limit)).into())
    }

    /// Keeps what waits, durably, and of all calls only the newest `most`.
    pub(crate) async fn keep(&self, history: &History, now: Timestamp, most: u64) -> Result<(), JournalError> {
        let mut ends = self.turn.lock().await;
        let told = self.waiting.lock().clone();
        for told in told.chunks(BLOCK) {
            self.keep_block(history, now, most, &mut ends, told.to_vec()).await?;
        }
        Ok(())
    }

    async fn keep_block(
        &self,
        history: &History,
        now: Timestamp,
        most: u64,
        ends: &mut Ends,
        told: Vec<Told<R>>,
    ) -> Result<(), JournalError> {
        if ends.newest.is_none() {
            let newest = history.read::<Block<R>>(&scope(), STREAM, &Window::newest(None), 1)?.pop();
            ends.newest = newest.map(|(position, block)| (position, block.number, block.kept));
        }
        let calls = told.iter().filter(|told| matches!(told, Told::Call(_))).count() as u64;
        // Blocks stand in the order of their numbers, also when the clock is set back.
        let (number, before, at) = match &ends.newest {
            Some((position, number, kept)) => (number + 1, *kept, now.max(position.at)),
            None => (0, 0, now),
        };
        let block = Block { number, told, kept: before + calls };
        let position = Position::new(at, format!("{number:016x}"));
        history.append(&scope(), STREAM, &position, &block).await?;
        ends.newest = Some((position, number, block.kept));
        self.kept(&block.told);
        // One more goes than comes, so that it ends at the bound whatever it began with.
        for _ in 0..2 {
            if ends.oldest.is_none() {
                let oldest = history.read::<Block<R>>(&scope(), STREAM, &Window::default(), 1)?.pop();
                ends.oldest = oldest.map(|(position, old)| (position, old.kept));
            }
            let Some((oldest, _)) = ends.oldest.take_if(|(_, kept)| block.kept - *kept >= most) else { break };
            history.forget_until::<Block<R>>(&scope(), STREAM, &oldest)?;
        }
        Ok(())
    }

    /// These wait no longer.
    pub(super) fn kept(&self, told: &[Told<R>]) {
        let mut waiting = self.waiting.lock();
        let weight = told.iter().map(Told::weight).sum();
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        let last = waiting.drain(..told.len()).next_back();
        // More were counted while the count was being written.
        if let (Some(Told::NotKept(all)), Some(Told::NotKept(written))) = (last, told.last())
            && all > *written
        {
            waiting.insert(0, Told::NotKept(all - written));
        }
    }
}

impl<R: Logged> Told<R> {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Call(call) => call.weight(),
            Self::NotKept(_) => 0,
        }
    }
}

/// Blocks behind a position, newest first, some at a time. Reads the disk.
pub(crate) fn read_blocks<R: Logged>(
    history: &History,
    after: Option<Position>,
) -> Result<Vec<(Position, Block<R>)>, JournalError> {
    history.read(&scope(), STREAM, &Window::newest(after), READ)
}
