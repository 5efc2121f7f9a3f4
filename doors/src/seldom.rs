//! Lines of the log that somebody else can cause as often as he likes.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// One line in so many milliseconds.
const EVERY: u64 = 10_000;
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Says when a line may be written.
#[derive(Debug)]
pub struct Seldom {
    /// The earliest time of the next one, in milliseconds since the process asked first.
    next: AtomicU64,
    unsaid: AtomicU64,
}

impl Seldom {
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0), unsaid: AtomicU64::new(0) }
    }

    /// Whether to write one now, and how many were left out since the last.
    pub fn now(&self) -> Option<u64> {
        self.at(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn at(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let mine =
            now >= next && self.next.compare_exchange(next, now + EVERY, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let seldom = Seldom::new();
        assert_eq!([0, 1, EVERY - 1, EVERY, EVERY + 1].map(|at| seldom.at(at)), [Some(0), None, None, Some(2), None]);
    }
}
