//! The one thread that writes the database: takes everything queued, writes it as one
//! transaction, makes it visible, answers.
//!
//! While it waits for the disk, the next group gathers: with one writer every write has its own
//! `fsync`, with sixteen they share. No timer, nothing to tune.

use crate::StoreError;
use crate::log::DurableLog;
use crate::queue::{Job, Prepared};
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The thread's body.
pub(crate) fn run(shared: Arc<Shared>, log: Arc<dyn DurableLog>) {
    let stop_on_panic = StopOnPanic(&shared);
    while let Some(group) = next_group(&shared) {
        let written = {
            let prepared = group.iter().filter_map(|job| job.prepared.as_ref());
            let transactions: Vec<_> = prepared.map(Prepared::transaction).collect();
            match transactions.is_empty() {
                true => Ok(()),
                false => {
                    shared.disk_commits.fetch_add(1, Ordering::Relaxed);
                    let began = Instant::now();
                    let written = log.commit(&transactions);
                    shared.disk_nanoseconds.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    written
                }
            }
        };
        match written {
            Ok(()) => publish(&shared, group),
            Err(error) => fail(&shared, group, error),
        }
    }
    drop(stop_on_panic);
}

fn next_group(shared: &Shared) -> Option<Vec<Job>> {
    let mut head = shared.head.lock();
    while head.queue.is_empty() {
        if head.closed {
            return None;
        }
        shared.wake.wait(&mut head);
    }
    Some(std::mem::take(&mut head.queue))
}

/// Makes durable transactions visible, tells the feed, then answers their writers.
fn publish(shared: &Shared, group: Vec<Job>) {
    let mut answers = Vec::with_capacity(group.len());
    {
        let mut head = shared.head.lock();
        for job in group {
            if let Some(prepared) = job.prepared {
                for change in &prepared.commit.changes {
                    let (kind, scope, id) = (&change.kind, &change.scope, &change.id);
                    let newest = head.queued.get(kind, scope, id).map(|queued| queued.sequence);
                    if newest == Some(prepared.commit.sequence) {
                        head.queued.remove(kind, scope, id);
                    }
                }
                shared.apply(prepared);
            }
            answers.push(job.answer);
        }
    }
    for answer in answers {
        // A writer that no longer waits has been served all the same.
        let _ = answer.send(Ok(()));
    }
}

/// Forgets a failed group and everything queued behind it, which may have read from it.
fn fail(shared: &Shared, group: Vec<Job>, error: StoreError) {
    let behind = {
        let mut head = shared.head.lock();
        head.queued.clear();
        head.sequence = shared.sequence.load(Ordering::Acquire);
        if matches!(error, StoreError::Stopped { .. }) {
            head.stopped = Some(error.clone());
        }
        std::mem::take(&mut head.queue)
    };
    tracing::error!(
        error = &error as &dyn std::error::Error,
        writers = group.len() + behind.len(),
        "a commit failed; nothing of it was written"
    );
    for job in group.into_iter().chain(behind) {
        let _ = job.answer.send(Err(error.clone()));
    }
}

/// Without its thread the store must say so instead of waiting for ever.
struct StopOnPanic<'a>(&'a Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let place = self.0.place.clone();
            let reason = "its writer thread failed, see the log".into();
            fail(self.0, Vec::new(), StoreError::Stopped { place, reason });
        }
    }
}
