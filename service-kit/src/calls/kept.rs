//! Calls in the journal: blocks of those that waited together, the newest of them only.

use super::{CallLog, CallRecord, Waiting};
use kiln_clock::Timestamp;
use kiln_journal::{Entry, History, JournalError, Kept, Position, Window};
use kiln_store::Scope;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// How many calls are kept, at least; older ones go by blocks. About 30 MB.
pub(super) const MOST_KEPT: u64 = 100_000;

/// Blocks read at a time.
const READ: usize = 8;

const STREAM: &str = "all";

/// For the journal: how long calls are kept.
pub(crate) const KEPT: Kept = Kept::of::<Block>();

/// Calls that were kept together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    /// The number of the first call.
    pub(super) first: u64,
    pub(super) calls: Vec<CallRecord>,
    /// How many came behind them for which there was no room.
    #[serde(default)]
    pub(super) lost: u64,
}

impl Block {
    /// The number behind its last call.
    fn end(&self) -> u64 {
        self.first + self.calls.len() as u64 + self.lost
    }
}

impl Entry for Block {
    const KIND: &'static str = "kiln/calls";
    /// As long as CloudTrail's event history shows them ("Viewing event history": 90 days).
    const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
}

/// What is told of past calls, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A call.
    Call(CallRecord),
    /// So many came here that were not kept: there were more than could be written in time.
    NotKept(u64),
}

/// Of all accounts and regions.
fn scope() -> Scope {
    Scope::new("", "")
}

/// What waits or was waiting together, in its order.
fn told(calls: Vec<CallRecord>, lost: u64) -> impl DoubleEndedIterator<Item = Told> {
    calls.into_iter().map(Told::Call).chain((lost > 0).then_some(Told::NotKept(lost)))
}

impl CallLog {
    /// The latest calls that are `wanted`, at most `limit` of them, oldest first. Reads the disk.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn latest(
        &self,
        history: &History,
        limit: usize,
        wanted: impl Fn(&CallRecord) -> bool,
    ) -> Result<Vec<Told>, JournalError> {
        // Nothing that waits is kept meanwhile.
        let _turn = self.turn.lock().await;
        let Waiting { calls, lost, .. } = self.waiting.lock().clone();
        let wanted = |told: &Told| !matches!(told, Told::Call(call) if !wanted(call));
        let mut found: VecDeque<Told> = told(calls, lost).filter(wanted).collect();
        let mut after = None;
        while found.len() < limit {
            let blocks = history.read::<Block>(&scope(), STREAM, &Window::newest(after), READ)?;
            let Some((last, _)) = blocks.last() else { break };
            after = Some(last.clone());
            for (_, block) in blocks {
                for told in told(block.calls, block.lost).rev().filter(wanted) {
                    found.push_front(told);
                }
            }
        }
        Ok(found.split_off(found.len().saturating_sub(limit)).into())
    }

    /// Keeps what waits, durably, and of all only the newest `most`. The first time it goes on behind what an earlier
    /// kiln kept.
    pub(super) async fn keep(&self, history: &History, now: Timestamp, most: u64) -> Result<(), JournalError> {
        let _turn = self.turn.lock().await;
        let newest = history.read::<Block>(&scope(), STREAM, &Window::newest(None), 1)?.pop();
        let Waiting { first, calls, lost } = {
            let mut waiting = self.waiting.lock();
            let end = newest.as_ref().map_or(0, |(_, block)| block.end());
            waiting.first = waiting.first.max(end);
            waiting.clone()
        };
        if calls.is_empty() {
            return Ok(());
        }
        let some = calls.len();
        let block = Block { first, calls, lost };
        // Blocks stand in the order of their numbers, also when the clock is set back.
        let at = newest.map_or(now, |(position, _)| now.max(position.at));
        let position = Position::new(at, format!("{first:016x}"));
        history.append(&scope(), STREAM, &position, &block).await?;
        {
            let mut waiting = self.waiting.lock();
            waiting.calls.drain(..some);
            waiting.lost -= lost;
            waiting.first = block.end();
        }
        let keep_from = block.end().saturating_sub(most);
        // One more goes than comes, so that it ends at the bound whatever it began with.
        for (position, old) in history.read::<Block>(&scope(), STREAM, &Window::default(), 2)? {
            if old.end() <= keep_from {
                history.forget_until::<Block>(&scope(), STREAM, &position)?;
            }
        }
        Ok(())
    }
}
