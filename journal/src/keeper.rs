//! The journal's caretaker: moves what transactions noted, and trims what is too old.

use crate::history::{BATCH, Pending};
use crate::{Journal, JournalError};
use kiln_clock::Clock;
use kiln_store::{Commit, Op, Scope, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

/// How long the journal is left alone after it took nothing.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(3600);

/// The task; it ends when this is dropped. What it has not moved waits in the store for the next start.
pub struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keeper {
    /// Starts it, on the runtime it is called in.
    pub fn start(store: Store, journal: Journal, clock: Clock) -> Keeper {
        Keeper(tokio::spawn(run(store, journal, clock)))
    }
}

async fn run(store: Store, journal: Journal, clock: Clock) {
    let mut feed = store.feed();
    let mut trim = tokio::time::interval(TRIM_EVERY);
    // Also what an earlier run left.
    let mut some = true;
    loop {
        if some {
            match move_over(&store, &journal).await {
                Ok(()) => some = false,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "what happened waits to be moved to the journal"
                    );
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
        }
        tokio::select! {
            told = feed.recv() => match told {
                Ok(commit) => some = notes(&commit),
                Err(RecvError::Lagged(_)) => some = true,
                Err(RecvError::Closed) => return,
            },
            _ = trim.tick() => trim_once(&journal, &clock).await,
        }
    }
}

fn notes(commit: &Commit) -> bool {
    commit.changes.iter().any(|change| change.is::<Pending>() && change.op == Op::Put)
}

async fn trim_once(journal: &Journal, clock: &Clock) {
    let (held, now) = (journal.clone(), clock.now());
    let done = match journal.is_on_disk() {
        true => tokio::task::spawn_blocking(move || held.trim(now)).await,
        false => Ok(held.trim(now)),
    };
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "the journal was not trimmed"),
        Err(error) => tracing::error!(%error, "the trim of the journal failed"),
    }
}

/// Moves all that waits, also what is noted meanwhile.
pub(crate) async fn move_over(store: &Store, journal: &Journal) -> Result<(), JournalError> {
    loop {
        let waiting = store.ids_everywhere::<Pending>();
        let mut moved = false;
        for some in waiting.chunks(BATCH) {
            moved |= move_some(store, journal, some).await?;
        }
        // What may be left then cannot be read, and stays.
        if !moved {
            return Ok(());
        }
    }
}

/// Moves what still waits of these; whether any does.
async fn move_some(store: &Store, journal: &Journal, ids: &[(Scope, Arc<str>)]) -> Result<bool, JournalError> {
    let _held = journal.hold().await;
    let mut waiting = vec![];
    for (scope, id) in ids {
        match store.get::<Pending>(scope, id) {
            Ok(found) => waiting.extend(found.map(|pending| (scope, id, pending))),
            // The store has told of it; the others do not wait for it.
            Err(StoreError::Decode { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if waiting.is_empty() {
        return Ok(false);
    }
    let items = waiting.iter().map(|(scope, id, pending)| pending.item(scope, id)).collect::<Result<_, _>>()?;
    journal.append(items).await?;
    store
        .write::<_, JournalError>(|tx| {
            for (scope, id, appended) in &waiting {
                // Another may have been noted in its place meanwhile: that one is not in the journal.
                if tx.get::<Pending>(scope, id)?.is_some_and(|there| there == *appended) {
                    tx.delete::<Pending>(scope, id);
                }
            }
            Ok(())
        })
        .await?;
    Ok(true)
}
