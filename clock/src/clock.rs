//! Where "now" comes from.

use crate::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A source of time: the system's, or one a simulation moves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Simulated { start: Timestamp, origin: Instant },
}

impl Clock {
    /// The real clock of this machine.
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that shows `start` now and moves with tokio's clock from here on. Under
    /// `tokio::time::pause` it stands still until `tokio::time::advance` or an awaited sleep
    /// moves it. Make it inside the runtime whose time it shall follow.
    pub fn simulated(start: Timestamp) -> Clock {
        Clock(Source::Simulated { start, origin: Instant::now() })
    }

    /// The time now, to the millisecond.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Simulated { start, origin } => *start + origin.elapsed(),
        }
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until [`Clock::now`] has reached `at`; returns at once when it already has. Looks
    /// again after waking, so a system clock that was set back does not end the wait early.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

fn system_now() -> Timestamp {
    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp(millis(after)),
        Err(before) => Timestamp(-millis(before.duration())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_only_by_hand() {
        let start = Timestamp(1_767_323_045_678);
        let clock = Clock::simulated(start);
        assert_eq!(clock.now(), start);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(clock.now(), start);

        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), start + Duration::from_secs(60));

        clock.sleep(Duration::from_millis(250)).await;
        assert_eq!(clock.now().since(start), Duration::from_millis(60_250));

        let later = start + Duration::from_secs(3600);
        clock.sleep_until(later).await;
        assert_eq!(clock.now(), later);
        clock.sleep_until(start).await;
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn the_system_clock_shows_this_century() {
        let now = Clock::system().now();
        assert!(now > Timestamp::parse("2025-01-01T00:00:00Z").unwrap(), "{now}");
        assert!(now < Timestamp::parse("2100-01-01T00:00:00Z").unwrap(), "{now}");
    }
}
