//! Lets records rest that nobody reads, and has memory given back after it. What a kiln which made much took for that it
//! gives back in part only, until its next start: docs/decisions/0016-journal.md has the numbers.

use kiln_service_kit::Store;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// What controllers look at with each full pass, once a minute, does not rest in between.
const EVERY: Duration = Duration::from_secs(120);

/// How often records were laid to rest.
static RESTED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The rest after which this thread gave its memory back last.
    static GAVE_BACK: Cell<u32> = const { Cell::new(0) };
}

/// Goes on for as long as the runtime does.
pub fn start(store: Store) {
    tokio::spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let store = store.clone();
            match tokio::task::spawn_blocking(move || rest(&store)).await {
                Ok(0) => {}
                Ok(rested) => tracing::debug!("{rested} records rest"),
                Err(error) => tracing::error!("records do not rest: {error}"),
            }
        }
    });
}

fn rest(store: &Store) -> usize {
    let rested = store.rest();
    collect();
    RESTED.fetch_add(1, Ordering::Release);
    rested
}

/// For each thread of the runtime whenever it has nothing to do: after a rest it gives back what others freed of its
/// memory, which only it can do (docs/decisions/0006-allocator.md).
pub fn before_sleep() {
    let rested = RESTED.load(Ordering::Acquire);
    if GAVE_BACK.replace(rested) != rested {
        collect();
    }
}

/// Gives this thread's free memory back to the system.
fn collect() {
    // SAFETY: may be called by any thread at any time (mimalloc's manual, "Extended Functions").
    unsafe { libmimalloc_sys::mi_collect(true) }
}
