//! What happened since the start, counted: for the page of kiln's own figures. Plain atomics; read with
//! `snapshot`. What metrics are made of is counted in `tally`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

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
        }
    }
}

impl Counters {
    /// A target answered.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(class) = (status / 100).checked_sub(2)
            && let Some(counter) = self.target.get(usize::from(class))
        {
            counter.fetch_add(1, Relaxed);
        }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class() {
        let c = Counters::default();
        c.answered(204);
        c.answered(503);
        c.own(502);
        let s = c.snapshot();
        assert_eq!(s.target, [1, 0, 0, 1]);
        assert_eq!(s.elb, [0, 0, 1]);
        assert!(s.elb_codes.contains(&(502, 1)));
    }
}
