//! What happened, counted: the source of the CloudWatch metrics of a load balancer, its target
//! groups and its targets. Plain atomics; read with `snapshot`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// 2 per power of two of microseconds, up to 2^32 µs (71 minutes): 2 × 32 = 64 buckets.
const BUCKETS: usize = 64;

/// Live counters.
#[derive(Debug)]
pub(crate) struct Counters {
    pub requests: AtomicU64,
    pub target: [AtomicU64; 4],
    pub elb: [AtomicU64; 3],
    pub elb_codes: [AtomicU64; 6],
    pub connection_errors: AtomicU64,
    pub retries: AtomicU64,
    pub active_connections: AtomicI64,
    pub new_connections: AtomicU64,
    pub in_flight: AtomicI64,
    latency: [AtomicU64; BUCKETS],
    latency_sum_us: AtomicU64,
}

/// The elb-made codes that are counted one by one.
pub(crate) const ELB_CODES: [u16; 6] = [460, 463, 500, 502, 503, 504];

/// Counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountersSnapshot {
    /// Requests that were given to a target (targets and groups), or that arrived (balancers).
    pub requests: u64,
    /// Answers of targets by class: 2xx, 3xx, 4xx, 5xx.
    pub target: [u64; 4],
    /// Answers the balancer made itself by class: 3xx, 4xx, 5xx.
    pub elb: [u64; 3],
    /// Answers the balancer made itself with 460, 463, 500, 502, 503, 504.
    pub elb_codes: [(u16, u64); 6],
    /// Connections to targets that could not be made.
    pub connection_errors: u64,
    /// Requests that were tried again on another target.
    pub retries: u64,
    /// Client connections open now.
    pub active_connections: i64,
    /// Client connections accepted so far.
    pub new_connections: u64,
    /// Requests in flight now.
    pub in_flight: i64,
    /// Time from sending to a target to its response head: (upper bound, how many).
    pub latency: Vec<(Duration, u64)>,
    /// The sum of those times.
    pub latency_sum: Duration,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            requests: AtomicU64::new(0),
            target: Default::default(),
            elb: Default::default(),
            elb_codes: Default::default(),
            connection_errors: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            active_connections: AtomicI64::new(0),
            new_connections: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            latency: [const { AtomicU64::new(0) }; BUCKETS],
            latency_sum_us: AtomicU64::new(0),
        }
    }
}

fn bucket(us: u64) -> usize {
    let us = us.max(1);
    let log = us.ilog2() as usize;
    let half = if log == 0 { 0 } else { ((us >> (log - 1)) & 1) as usize };
    (2 * log + half).min(BUCKETS - 1)
}

fn upper_bound(bucket: usize) -> Duration {
    let base = 1u64 << (bucket / 2);
    Duration::from_micros(if bucket.is_multiple_of(2) { base + base.div_ceil(2) } else { base * 2 })
}

impl Counters {
    /// A target answered.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        if let Some(class) = (status / 100).checked_sub(2)
            && let Some(counter) = self.target.get(usize::from(class))
        {
            counter.fetch_add(1, Relaxed);
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency[bucket(us)].fetch_add(1, Relaxed);
        self.latency_sum_us.fetch_add(us, Relaxed);
    }

    /// The balancer answered by itself.
    pub(crate) fn own(&self, status: u16) {
        if let Some(class) = (status / 100).checked_sub(3)
            && let Some(counter) = self.elb.get(usize::from(class))
        {
            counter.fetch_add(1, Relaxed);
        }
        if let Some(i) = ELB_CODES.iter().position(|c| *c == status) {
            self.elb_codes[i].fetch_add(1, Relaxed);
        }
    }

    /// All values now.
    pub(crate) fn snapshot(&self) -> CountersSnapshot {
        let read = |a: &AtomicU64| a.load(Relaxed);
        let mut elb_codes = [(0, 0); 6];
        for (slot, (code, counter)) in elb_codes.iter_mut().zip(ELB_CODES.iter().zip(&self.elb_codes)) {
            *slot = (*code, read(counter));
        }
        CountersSnapshot {
            requests: read(&self.requests),
            target: std::array::from_fn(|i| read(&self.target[i])),
            elb: std::array::from_fn(|i| read(&self.elb[i])),
            elb_codes,
            connection_errors: read(&self.connection_errors),
            retries: read(&self.retries),
            active_connections: self.active_connections.load(Relaxed),
            new_connections: read(&self.new_connections),
            in_flight: self.in_flight.load(Relaxed),
            latency: self
                .latency
                .iter()
                .enumerate()
                .filter(|(_, n)| read(n) > 0)
                .map(|(i, n)| (upper_bound(i), read(n)))
                .collect(),
            latency_sum: Duration::from_micros(read(&self.latency_sum_us)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_under_its_buckets_bound() {
        for us in [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 1_000, 123_456, 60_000_000] {
            let i = bucket(us);
            assert!(Duration::from_micros(us) < upper_bound(i), "{us} µs in bucket {i}");
            assert!(i == 0 || Duration::from_micros(us.max(1)) >= upper_bound(i - 1), "{us} µs");
        }
    }

    #[test]
    fn answers_are_counted_by_class() {
        let c = Counters::default();
        c.answered(204, Duration::from_micros(3));
        c.answered(503, Duration::from_micros(3));
        c.own(502);
        let s = c.snapshot();
        assert_eq!(s.target, [1, 0, 0, 1]);
        assert_eq!(s.elb, [0, 0, 1]);
        assert!(s.elb_codes.contains(&(502, 1)));
        assert_eq!(s.latency.iter().map(|(_, n)| n).sum::<u64>(), 2);
    }
}
