//! How long to wait after a failure, and how to slow down a controller that acts without end.

use std::time::Duration;

/// A change ends a longer wait after a failure, but not sooner than this after it: a controller that
/// fails and writes down that it failed wakes itself, and would spin.
pub const LEAST_CALM: Duration = Duration::from_secs(1);

/// 0.2 s, doubled per failure in a row, at most 30 s.
pub fn failure_delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    (Duration::from_millis(200) * 2u32.pow(doublings)).min(Duration::from_secs(30))
}

/// How many different steps count as getting on: a stack of 500 resources takes three each, and as many back.
pub const MOST_DIFFERENT: usize = 10 * 500;

/// Passes that acted are followed by another at once, up to 50 in a row that did nothing new; then
/// one a second, so that a controller which never comes to rest cannot eat the machine. A long
/// piece of work, each step of which is another, is not held up.
pub fn progress_delay(passes: u32) -> Option<Duration> {
    (passes > 50).then_some(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time_up_to_a_bound() {
        let waits: Vec<u64> = (1..=10).map(|n| failure_delay(n).as_millis() as u64).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
    }
}
