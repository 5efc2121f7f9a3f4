//! How hard a delivery is tried: the four phases of SNS's delivery policies, which every service's own rule fits into.
//! Pure. Source: Amazon SNS Developer Guide, "Message delivery retries".
//!
//! ```text
//! attempt ── at once (immediate) ── least apart (before) ── growing (backoff) ── greatest apart (after) ── given up
//! ```

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Retries and the time between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Retries without delay.
    pub immediate: u32,
    /// Retries with the least delay, before it grows.
    pub before: u32,
    /// Retries while it grows.
    pub backoff: u32,
    /// Retries with the greatest delay, after it has grown.
    pub after: u32,
    /// Milliseconds.
    pub least: u64,
    /// Milliseconds.
    pub greatest: u64,
    pub growth: Growth,
    /// Given up when it is older than this many milliseconds, whatever tries are left.
    pub oldest: Option<u64>,
    /// Most attempts to the target in a second.
    pub per_second: Option<u32>,
}

/// How the delay grows from the least to the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Growth {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 3_600 * SECOND;

impl Policy {
    /// To what is a part of the platform: SNS's for queues and functions. 3 at once, 2 a second apart, 10 growing to
    /// 20 s, 100,000 each 20 s: 23 days.
    pub const INSIDE: Self = Self {
        immediate: 3,
        before: 2,
        backoff: 10,
        after: 100_000,
        least: SECOND,
        greatest: 20 * SECOND,
        growth: Growth::Exponential,
        oldest: Some(23 * DAY),
        per_second: None,
    };
    /// To mailboxes: SNS's for SMTP. 2 tries 10 s apart, 10 growing to 600 s, 38 each 600 s.
    pub const MAIL: Self = Self {
        immediate: 0,
        before: 2,
        backoff: 10,
        after: 38,
        least: 10 * SECOND,
        greatest: 600 * SECOND,
        growth: Growth::Exponential,
        oldest: None,
        per_second: None,
    };
    /// To HTTP endpoints, where nobody says otherwise: 3 retries, 20 s apart.
    pub const HTTP: Self = Self {
        immediate: 0,
        before: 0,
        backoff: 3,
        after: 0,
        least: 20 * SECOND,
        greatest: 20 * SECOND,
        growth: Growth::Linear,
        oldest: Some(3_600 * SECOND),
        per_second: None,
    };

    /// All retries together.
    pub fn retries(&self) -> u32 {
        [self.immediate, self.before, self.backoff, self.after].into_iter().fold(0, u32::saturating_add)
    }

    /// The time before a retry, counted from 1; none: there is no such retry. `chance` is below 1,000: by it the delay of
    /// a growing or repeated wait is spread over the last fifth of it, so that what failed together is not tried together.
    pub fn delay(&self, retry: u32, chance: u64) -> Option<Duration> {
        if retry == 0 || retry > self.retries() {
            return None;
        }
        let whole = self.unspread(retry);
        let spread = whole / 5 * chance.min(999) / 1_000;
        Some(Duration::from_millis(whole - spread))
    }

    fn unspread(&self, retry: u32) -> u64 {
        let (before, backoff) = (self.immediate, self.immediate + self.before);
        if retry <= before {
            return 0;
        }
        if retry <= backoff {
            return self.least;
        }
        let step = retry - backoff;
        if step > self.backoff {
            return self.greatest;
        }
        self.grown(u64::from(step), u64::from(self.backoff))
    }

    /// The delay before growing retry `step` of `steps`: the least at the first, the greatest at the last.
    fn grown(&self, step: u64, steps: u64) -> u64 {
        let (least, span) = (self.least, self.greatest.saturating_sub(self.least));
        if steps <= 1 {
            return if span == 0 { least } else { self.greatest };
        }
        let part = (step - 1) as f64 / (steps - 1) as f64;
        let part = match self.growth {
            Growth::Linear => part,
            // 1 + 2 + 3 …: the growth itself grows.
            Growth::Arithmetic => part * (part + 1.0) / 2.0,
            Growth::Geometric => {
                ((self.greatest.max(1) as f64 / least.max(1) as f64).powf(part) - 1.0)
                    / ((self.greatest.max(1) as f64 / least.max(1) as f64) - 1.0).max(f64::EPSILON)
            }
            Growth::Exponential => (2f64.powf(part * 10.0) - 1.0) / 1_023.0,
        };
        least + (span as f64 * part.clamp(0.0, 1.0)) as u64
    }

    /// Whether something noted so long ago is given up.
    pub fn is_too_old(&self, age: Duration) -> bool {
        self.oldest.is_some_and(|oldest| age >= Duration::from_millis(oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &Policy, chance: u64) -> Vec<u64> {
        (1..=policy.retries().min(16)).map(|retry| policy.delay(retry, chance).unwrap().as_secs()).collect()
    }

    #[test]
    fn delays_follow_the_phases_and_end() {
        assert_eq!(seconds(&Policy::HTTP, 0), [20, 20, 20]);
        assert_eq!(Policy::HTTP.delay(4, 0), None);
        let inside = seconds(&Policy::INSIDE, 0);
        assert_eq!(inside[..6], [0, 0, 0, 1, 1, 1]);
        assert_eq!(inside[14..], [20, 20]);
        assert!(inside.windows(2).all(|two| two[0] <= two[1]), "{inside:?}");
        assert_eq!(Policy::INSIDE.retries(), 100_015);
        assert!(Policy::INSIDE.delay(100_015, 0).is_some() && Policy::INSIDE.delay(100_016, 0).is_none());
    }

    #[test]
    fn every_growth_begins_at_the_least_and_ends_at_the_greatest() {
        for growth in [Growth::Linear, Growth::Arithmetic, Growth::Geometric, Growth::Exponential] {
            let policy = Policy { backoff: 5, least: 1_000, greatest: 100_000, growth, ..Policy::HTTP };
            let delays = seconds(&policy, 0);
            assert_eq!((delays[0], delays[4]), (1, 100), "{growth:?}: {delays:?}");
            assert!(delays.windows(2).all(|two| two[0] <= two[1]), "{growth:?}: {delays:?}");
        }
    }

    #[test]
    fn chance_spreads_over_a_fifth_and_never_beyond() {
        let all: Vec<u64> =
            [0, 500, 999, u64::MAX].map(|chance| Policy::HTTP.delay(1, chance).unwrap().as_millis() as u64).to_vec();
        assert_eq!(all, [20_000, 18_000, 16_004, 16_004]);
    }
}
