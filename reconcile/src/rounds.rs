//! Rounds: every thing is looked at once a minute, spread evenly over it, though nothing woke it.
//!
//! With 10,000 things that is 17 looks every 0.1 s and not 10,000 at once behind which a change would
//! wait. Each controller goes its own rounds. A thing's turn comes at the end of its part of the minute,
//! so that the first round, which begins with the start, does not double the look at the start.

use crate::Shared;
use kiln_service_kit::Name;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Every thing is looked at this often even when nothing woke its controller.
const ROUND: Duration = Duration::from_secs(60);

/// Turns come at multiples of this.
const TICK: Duration = Duration::from_millis(100);

/// When the turn of thing `number` of `all` comes in a round of that length: up to the next tick.
fn turn(number: usize, all: usize, round: Duration) -> Duration {
    let exact = round.as_millis() * (number as u128 + 1) / all as u128;
    let ticks = exact.div_ceil(TICK.as_millis());
    (TICK * ticks as u32).min(round)
}

/// Goes rounds until the runner stops.
pub async fn go(shared: Arc<Shared>, index: usize) {
    loop {
        let began = Instant::now();
        let names = shared.all(index);
        if !spread(&shared, index, names, ROUND).await || !sleep_until(&shared, began + ROUND).await {
            return;
        }
    }
}

/// One look at everything there is, and at what the runner knew though it is gone by now.
pub async fn look_at_all(shared: Arc<Shared>, index: usize, over: Duration) {
    let mut names: BTreeSet<Name> = shared.all(index).into_iter().collect();
    names.extend(shared.queue.lock().known(index));
    spread(&shared, index, names.into_iter().collect(), over).await;
}

/// Wakes the names one after the other; false when the runner stopped.
async fn spread(shared: &Arc<Shared>, index: usize, names: Vec<Name>, over: Duration) -> bool {
    let (began, all) = (Instant::now(), names.len());
    for (number, name) in names.into_iter().enumerate() {
        let at = began + turn(number, all, over);
        if at > Instant::now() && !sleep_until(shared, at).await {
            return false;
        }
        shared.wake(index, name);
    }
    true
}

async fn sleep_until(shared: &Shared, at: Instant) -> bool {
    let mut stopped = shared.stopped.clone();
    tokio::select! {
        _ = tokio::time::sleep_until(at) => true,
        _ = stopped.wait_for(|stopped| *stopped) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_even_and_end_with_the_round() {
        let turns = |all: usize| (0..all).map(|n| turn(n, all, ROUND).as_millis()).collect::<Vec<_>>();
        assert_eq!(turns(1), [60_000]);
        assert_eq!(turns(3), [20_000, 40_000, 60_000]);
        let many = turns(10_000);
        assert_eq!((many[0], many[9_999]), (100, 60_000));
        let most = many.chunk_by(|a, b| a == b).map(<[u128]>::len).max();
        assert_eq!(most, Some(17), "60 s / 0.1 s = 600 ticks, 10,000 / 600 = 16.7");
    }
}
