//! Meters on a clock that is moved by hand.

use crate::{Meter, Reading, TICK, Tally, Tick, start};
use async_trait::async_trait;
use kiln_points::{Metric, Points, Query};
use kiln_service_kit::{Clock, Error, IdSource, Platform, PlatformBuilder, Scope, Store, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Tells what it counted, and nothing where it cannot.
#[derive(Default)]
struct Counter {
    count: AtomicU64,
    broken: AtomicU64,
    looks: Mutex<Vec<Tick>>,
}

#[async_trait]
impl Meter for Arc<Counter> {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn read(&self, platform: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error> {
        self.looks.lock().push(tick);
        if self.broken.load(Relaxed) > 0 {
            return Err(Error::internal("the counter is gone"));
        }
        let count = self.count.swap(0, Relaxed);
        let values = (count > 0).then_some((count as f64, 1.0)).into_iter().collect();
        let (name, dimensions) = ("Things", vec![("Of", "a".to_owned())]);
        let scope = platform.home().clone();
        Ok(vec![Reading { scope, namespace: "AWS/Test", name, dimensions, unit: "Count", values }])
    }
}

fn given(at: &str) -> (Arc<Platform>, Points, Arc<Counter>) {
    let clock = Clock::simulated(Timestamp::parse(at).expect("a time"));
    let points = Points::in_memory(clock.clone());
    let store = Store::in_memory(clock.clone());
    let platform = PlatformBuilder::new(store, clock, IdSource::seeded(1)).part(points.clone()).build();
    let counter = Arc::new(Counter::default());
    start(&platform, counter.clone()).expect("started");
    (platform, points, counter)
}

/// Sums by minute, from a time.
async fn sums(platform: &Platform, points: &Points, from: &str) -> Vec<f64> {
    let scope: &Scope = platform.home();
    let metric = Metric {
        account: scope.account.to_string(),
        region: scope.region.to_string(),
        namespace: "AWS/Test".into(),
        name: "Things".into(),
        dimensions: vec![("Of".into(), "a".into())],
    };
    let from = Timestamp::parse(from).expect("a time").millis() / 1000;
    let query = Query { metric, unit: None, from, to: from + 3600, period: 60, distribution: false };
    points.read(vec![query]).await.expect("read").remove(0).into_iter().map(|bucket| bucket.point.sum).collect()
}

#[tokio::test(start_paused = true)]
async fn what_happened_in_a_minute_is_the_minutes() {
    let (platform, points, counter) = given("2026-01-01T12:00:55Z");
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    // 12:00:59.900, told with the look at 12:01:00.
    counter.count.fetch_add(3, Relaxed);
    tokio::time::sleep(Duration::from_millis(200)).await;
    counter.count.fetch_add(4, Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(sums(&platform, &points, "2026-01-01T12:00:00Z").await, [3.0, 4.0]);
    let looks = counter.looks.lock().clone();
    assert!(looks[0].ends(1) && !looks[0].ends(5) && !looks[1].ends(1), "{looks:?}");
    assert!(looks.windows(2).all(|pair| pair[1].at.since(pair[0].at) == TICK), "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_no_point() {
    let (platform, points, counter) = given("2026-01-01T12:00:00Z");
    counter.broken.store(1, Relaxed);
    counter.count.store(5, Relaxed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(sums(&platform, &points, "2026-01-01T12:00:00Z").await.is_empty());
    counter.broken.store(0, Relaxed);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(sums(&platform, &points, "2026-01-01T12:00:00Z").await, [5.0]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_slept_has_one_look_for_all_of_it() {
    let (platform, points, counter) = given("2026-01-01T12:00:00Z");
    tokio::time::sleep(Duration::from_millis(1)).await;
    counter.count.store(5, Relaxed);
    tokio::time::advance(Duration::from_secs(1_807)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(counter.looks.lock().len(), 1);
    assert_eq!(sums(&platform, &points, "2026-01-01T12:00:00Z").await, [5.0]);
    assert_eq!(sums(&platform, &points, "2026-01-01T12:29:00Z").await, [5.0]);
}

#[test]
fn counts_are_taken_once_and_have_an_end() {
    let tally = Tally::default();
    tally.count(&"queue", "Sent", 1.0, 2);
    tally.count(&"queue", "Sent", 1.0, 1);
    tally.count(&"queue", "Sent", 1.0, 0);
    (0..1000).for_each(|size| tally.count(&"queue", "Size", f64::from(size), 1));
    let mut taken = tally.take();
    taken.sort_by_key(|(_, metric, _)| *metric);
    assert_eq!(taken[0], ("queue", "Sent", vec![(1.0, 3.0)]));
    assert_eq!((taken[1].2.len(), taken[1].2.iter().map(|(_, count)| count).sum::<f64>()), (150, 1000.0));
    assert!(tally.take().is_empty());
    let crowded = Tally::default();
    (0..30_000).for_each(|n| crowded.count(&n, "Sent", 1.0, 1));
    assert_eq!(crowded.take().len(), 20_000);
}
