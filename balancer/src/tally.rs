//! What happens, counted for those who tell it on every few seconds: each look takes what came since the last one.
//!
//! Every worker counts in a place of its own, so that none waits for another and no line of memory goes to and fro
//! between cores; a look takes the places one after the other ([`Balancer::take`](crate::Balancer::take)).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;

/// Up to here microseconds are counted one by one.
const EXACT: u64 = 64;
/// Steps of each doubling above it: a step is at most 1/32 wide, its middle 1.6 % off at most.
const STEPS: u64 = 32;
/// 64 + 26 doublings (2^6 to 2^32 µs, 71 minutes) × 32.
const PLACES: usize = 64 + 26 * 32;

/// How long targets took to begin their answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(Vec<u32>);

impl Times {
    fn add(&mut self, took: Duration) {
        if self.0.is_empty() {
            self.0 = vec![0; PLACES];
        }
        let place = &mut self.0[place(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))];
        *place = place.saturating_add(1);
    }

    fn add_all(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (here, there) in self.0.iter_mut().zip(&other.0) {
            *here = here.saturating_add(*there);
        }
    }

    /// Seconds, and how many answers took that long, shortest first.
    pub fn seconds(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let all = self.0.iter().enumerate().filter(|(_, many)| **many > 0);
        all.map(|(place, many)| (middle(place) / 1e6, u64::from(*many)))
    }
}

fn place(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let power = u64::from(micros.ilog2()).min(31);
    let step = (micros.min(u64::from(u32::MAX)) >> (power - 5)) - STEPS;
    (EXACT + (power - 6) * STEPS + step) as usize
}

/// Microseconds in the middle of a place.
fn middle(place: usize) -> f64 {
    let place = place as u64;
    if place < EXACT {
        return place as f64;
    }
    let (power, step) = ((place - EXACT) / STEPS, (place - EXACT) % STEPS);
    let width = 2f64.powi(power as i32 + 1);
    (STEPS + step) as f64 * width + width / 2.0
}

/// What went to the targets that a group has in a zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// Requests for which a target was chosen.
    pub requests: u64,
    /// Answers of targets: 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 4],
    /// How long these took to begin.
    pub times: Times,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that could not be made.
    pub connection_errors: u64,
}

impl Sent {
    pub(crate) fn answered(&mut self, status: u16, took: Duration) {
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(count) = class.and_then(|class| self.answers.get_mut(class)) {
            *count += 1;
        }
        self.times.add(took);
    }

    /// With what went elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answers.iter_mut().zip(other.answers).for_each(|(here, there)| *here += there);
        self.times.add_all(&other.times);
        self.connections += other.connections;
        self.connection_errors += other.connection_errors;
    }
}

/// Apart from others' by a line of memory.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// What went to a group's targets, by zone: a place for each worker.
pub(crate) struct SentByZone(Box<[Apart<Mutex<Vec<(String, Sent)>>>]>);

impl SentByZone {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Apart::default()).collect())
    }

    /// Counts something of a zone.
    pub(crate) fn count(&self, worker: usize, zone: &str, count: impl FnOnce(&mut Sent)) {
        let mut zones = self.0[worker].0.lock();
        let at = match zones.iter().position(|(known, _)| known == zone) {
            Some(at) => at,
            None => {
                zones.push((zone.to_owned(), Sent::default()));
                zones.len() - 1
            }
        };
        count(&mut zones[at].1);
    }

    /// What came since the last look.
    pub(crate) fn take(&self) -> Vec<(String, Sent)> {
        let mut all: Vec<(String, Sent)> = vec![];
        for place in &self.0 {
            for (zone, sent) in std::mem::take(&mut *place.0.lock()) {
                match all.iter_mut().find(|(known, _)| *known == zone) {
                    Some((_, known)) => known.add(&sent),
                    None => all.push((zone, sent)),
                }
            }
        }
        all
    }
}

/// What a worker counts of a load balancer.
#[derive(Default)]
struct OfWorker {
    bytes: AtomicU64,
    rules: AtomicU64,
}

/// What is counted of a load balancer by worker, and what is counted seldom.
pub(crate) struct Done {
    workers: Box<[Apart<OfWorker>]>,
    pub(crate) redirects: AtomicU64,
    pub(crate) fixed_responses: AtomicU64,
    pub(crate) rejected_connections: AtomicU64,
}

impl Done {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Apart::default()).collect(),
            redirects: AtomicU64::new(0),
            fixed_responses: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
        }
    }

    /// Bytes went to or came from a client.
    #[inline]
    pub(crate) fn moved(&self, worker: usize, bytes: u64) {
        self.workers[worker].0.bytes.fetch_add(bytes, Relaxed);
    }

    /// Rules were looked at, the default one apart.
    pub(crate) fn evaluated(&self, worker: usize, rules: u64) {
        self.workers[worker].0.rules.fetch_add(rules, Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.0.bytes.load(Relaxed)).sum()
    }

    pub(crate) fn rules(&self) -> u64 {
        self.workers.iter().map(|worker| worker.0.rules.load(Relaxed)).sum()
    }
}

/// Counts the bytes of one client's connection or message, for whom and as which worker.
#[derive(Clone)]
pub(crate) struct Moves {
    pub(crate) done: Arc<Done>,
    pub(crate) worker: usize,
}

impl Moves {
    #[inline]
    pub(crate) fn count(&self, bytes: usize) {
        self.done.moved(self.worker, bytes as u64);
    }

    /// The data of a frame, if one came.
    pub(crate) fn count_frame<E>(&self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>) {
        if let Poll::Ready(Some(Ok(frame))) = polled {
            self.count(frame.data_ref().map_or(0, Bytes::len));
        }
    }
}

/// What a load balancer did itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    /// Answers it made: 3xx, 4xx, 5xx.
    pub answers: [u64; 3],
    /// Answers it made with 500, 502, 503, 504.
    pub codes: [(u16, u64); 4],
    /// Answers of redirect actions.
    pub redirects: u64,
    /// Answers of fixed-response actions.
    pub fixed_responses: u64,
    /// Connections that clients made.
    pub connections: u64,
    /// Connections of clients that were turned away, since there were as many as there may be.
    pub rejected_connections: u64,
    /// Bytes to and from clients.
    pub bytes: u64,
    /// Rules that were looked at, the default ones apart.
    pub rules: u64,
}

impl Own {
    /// What came after `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut codes = self.codes;
        for ((_, count), (_, known)) in codes.iter_mut().zip(&before.codes) {
            *count -= known;
        }
        Self {
            answers: std::array::from_fn(|class| self.answers[class] - before.answers[class]),
            codes,
            redirects: self.redirects - before.redirects,
            fixed_responses: self.fixed_responses - before.fixed_responses,
            connections: self.connections - before.connections,
            rejected_connections: self.rejected_connections - before.rejected_connections,
            bytes: self.bytes - before.bytes,
            rules: self.rules - before.rules,
        }
    }
}

/// What came of a load balancer since the last look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    pub load_balancer: String,
    pub own: Own,
    /// By target group and zone; of groups that it has no longer too.
    pub sent: Vec<(String, String, Sent)>,
    /// Connections that are open now: of clients, and to targets.
    pub open_connections: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_nearly_as_they_were() {
        for micros in [0, 1, 5, 63, 64, 65, 100, 127, 128, 1_000, 123_456, 60_000_000, 4_294_967_295] {
            let mut times = Times::default();
            times.add(Duration::from_micros(micros));
            let told: Vec<_> = times.seconds().collect();
            let [(seconds, 1)] = told[..] else { panic!("{told:?}") };
            assert!((seconds * 1e6 - micros as f64).abs() <= micros as f64 * 0.016, "{micros} µs became {seconds} s");
        }
        let mut long = Times::default();
        long.add(Duration::from_secs(100_000));
        assert_eq!(long.seconds().count(), 1);
    }

    #[test]
    fn what_workers_counted_is_taken_once_and_together() {
        let sent = SentByZone::new(2);
        sent.count(0, "a", |sent| sent.requests += 1);
        sent.count(1, "a", |sent| sent.answered(503, Duration::from_millis(2)));
        sent.count(1, "b", |sent| sent.answered(101, Duration::from_millis(2)));
        let taken = sent.take();
        assert_eq!(taken.iter().map(|(zone, _)| zone.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((taken[0].1.requests, taken[0].1.answers), (1, [0, 0, 0, 1]));
        assert_eq!(taken[1].1.answers, [0; 4]);
        assert!(sent.take().is_empty());
    }
}
