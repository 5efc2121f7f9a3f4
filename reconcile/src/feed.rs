//! From the change feed to names: who watches the kind of what changed is asked whom it wakes.
//!
//! A reader that lagged reads on in the history, piece by piece; only when the history no longer
//! reaches back is everything looked at, spread over some seconds. A controller that cannot say whom a
//! change wakes, because the store failed or a record cannot be read, is asked again until it can.

use crate::Shared;
use crate::backoff::failure_delay;
use kiln_service_kit::{AnyController, Change, Commit, Error, Name, RecordKind, Scope};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// How many commits are read from the history at once: some milliseconds' work.
const PIECE: u64 = 1_000;

/// Over how long a look at everything is spread that had to be because changes were lost.
const LOST: Duration = Duration::from_secs(10);

/// The controllers that watch a kind, by their indexes.
pub struct Watchers(HashMap<RecordKind, Vec<usize>>);

impl Watchers {
    pub fn new(controllers: &[Arc<dyn AnyController>]) -> Watchers {
        let mut by_kind: HashMap<RecordKind, Vec<usize>> = HashMap::new();
        for (index, controller) in controllers.iter().enumerate() {
            for kind in controller.watches() {
                by_kind.entry(kind).or_default().push(index);
            }
        }
        Watchers(by_kind)
    }

    fn of(&self, kind: &str) -> &[usize] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }
}

/// A record's change that a controller could not judge yet: one for each record, however often it changes.
pub type Unjudged = BTreeMap<Key, Change>;

/// A controller's index and a record: kind, scope, id.
type Key = (usize, Arc<str>, Scope, Arc<str>);

/// Reads the feed until the runner stops. `last` is the newest commit that was seen.
pub async fn follow(shared: Arc<Shared>, mut feed: Receiver<Arc<Commit>>, mut last: u64) {
    let mut stopped = shared.stopped.clone();
    loop {
        let received = tokio::select! {
            received = feed.recv() => received,
            _ = stopped.changed() => return,
        };
        match received {
            // Read in the history already.
            Ok(commit) if commit.sequence <= last => {}
            Ok(commit) => {
                last = commit.sequence;
                tell(&shared, &commit);
            }
            Err(RecvError::Lagged(commits)) => {
                tracing::info!(commits, "the controllers fell behind the changes and read on in the history");
                last = read_on(&shared, last).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Reads in the history up to now; the newest commit seen.
async fn read_on(shared: &Arc<Shared>, mut last: u64) -> u64 {
    loop {
        // Before the history is read: what comes later comes by the feed.
        let newest = shared.platform.store().sequence();
        match shared.platform.store().changes_after(last, PIECE) {
            Ok(commits) => {
                let Some(end) = commits.last() else { return last };
                last = end.sequence;
                commits.iter().for_each(|commit| tell(shared, commit));
                tokio::task::yield_now().await;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "changes were lost; everything is looked at");
                for index in 0..shared.controllers.len() {
                    tokio::spawn(crate::rounds::look_at_all(shared.clone(), index, LOST));
                }
                return newest;
            }
        }
    }
}

fn tell(shared: &Arc<Shared>, commit: &Commit) {
    for change in &commit.changes {
        for &index in shared.watchers.of(&change.kind) {
            judge(shared, index, change);
        }
    }
}

/// Whom a change concerns.
fn wakes(shared: &Shared, index: usize, change: &Change) -> Result<Vec<Name>, Error> {
    let (store, controller) = (shared.platform.store(), &shared.controllers[index]);
    let name = || format!("wakes {} {}", controller.name(), change.kind);
    store.counted_sync(name, || controller.wakes(store, change))
}

fn judge(shared: &Arc<Shared>, index: usize, change: &Change) {
    let controller = &shared.controllers[index];
    match wakes(shared, index, change) {
        Ok(names) => names.into_iter().for_each(|name| shared.wake(index, name)),
        Err(error) => {
            shared.figures.of(index).unjudged();
            tracing::error!(controller = controller.name(), kind = %change.kind, id = %change.id, error = error.chain(), "cannot see whom a change concerns; asked again");
            let key = (index, change.kind.clone(), change.scope.clone(), change.id.clone());
            match shared.unjudged.lock().entry(key.clone()) {
                Entry::Vacant(place) => {
                    place.insert(change.clone());
                    tokio::spawn(judge_again(shared.clone(), key));
                }
                // Two changes in one: what was there before either of them is no longer told.
                Entry::Occupied(mut known) => drop(known.insert(change.without_old())),
            }
        }
    }
}

async fn judge_again(shared: Arc<Shared>, key: Key) {
    let mut stopped = shared.stopped.clone();
    for failures in 1.. {
        tokio::select! {
            _ = tokio::time::sleep(failure_delay(failures)) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        // Taken out, so that a change that comes meanwhile is not forgotten with this one.
        let Some(change) = shared.unjudged.lock().remove(&key) else { return };
        match wakes(&shared, key.0, &change) {
            Ok(names) => {
                names.into_iter().for_each(|name| shared.wake(key.0, name));
                return;
            }
            Err(_) => {
                shared.figures.of(key.0).unjudged();
                match shared.unjudged.lock().entry(key.clone()) {
                    // What was there before may itself be what cannot be read: from now on without.
                    Entry::Vacant(place) => drop(place.insert(change.without_old())),
                    // A later change is kept, with somebody who asks again; this one is part of it.
                    Entry::Occupied(mut later) => {
                        let both = later.get().without_old();
                        later.insert(both);
                        return;
                    }
                }
            }
        }
    }
}
