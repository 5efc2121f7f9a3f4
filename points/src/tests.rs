//! Points as everybody sees them: on disk, in memory, after an end that nobody expected.

use crate::*;
use kiln_clock::{Clock, Timestamp};
use std::sync::Arc;

/// The beginning of an hour.
const NOW: i64 = 1_800_000_000;

fn clock() -> Clock {
    Clock::simulated(Timestamp::from_epoch_seconds(NOW))
}

fn metric(name: &str) -> Metric {
    Metric {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        namespace: "shop".into(),
        name: name.into(),
        dimensions: vec![("host".into(), "a".into())],
    }
}

fn sample(name: &str, at: i64, value: f64) -> Sample {
    let observed = Observed::Values(vec![(value, 1.0)]);
    Sample { metric: Arc::new(metric(name)), unit: 0, fine: false, at, observed }
}

fn query(name: &str, from: i64, to: i64, period: i64) -> Query {
    Query { metric: metric(name), unit: None, from, to, period, distribution: true }
}

async fn sums(points: &Points, query: Query) -> Vec<(i64, f64)> {
    let found = points.read(vec![query]).await.expect("read");
    found[0].iter().map(|bucket| (bucket.start, bucket.point.sum)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_in_memory_and_what_is_in_chunks_is_one() {
    let points = Points::in_memory(clock());
    points.put((0..600).map(|n| sample("m", NOW - 36_000 + n * 60, 1.0)).collect()).await.expect("kept");
    points.settle().expect("settled");
    points.put((0..600).map(|n| sample("m", NOW - 36_000 + n * 60, 1.0)).collect()).await.expect("kept");
    let all: Vec<_> = (0..10).map(|hour| (NOW - 36_000 + hour * 3600, 120.0)).collect();
    assert_eq!(sums(&points, query("m", NOW - 36_000, NOW, 3600)).await, all);
    points.settle().expect("settled");
    assert_eq!(sums(&points, query("m", NOW - 36_000, NOW, 3600)).await, all);
    let by_five = sums(&points, query("m", NOW - 600, NOW, 300)).await;
    assert_eq!(by_five, [(NOW - 600, 10.0), (NOW - 300, 10.0)]);
    let beside = sums(&points, query("m", NOW - 3660, NOW, 3600)).await;
    assert_eq!(beside, [(NOW - 3660, 120.0), (NOW - 60, 2.0)], "periods begin where it is asked from");
}

#[tokio::test(start_paused = true)]
async fn each_level_is_kept_for_its_time() {
    let points = Points::in_memory(clock());
    let day = 24 * 3600;
    let old = [14 * day, 3600, 60];
    points
        .put(old.iter().map(|ago| Sample { fine: true, ..sample("m", NOW - ago, 1.0) }).collect())
        .await
        .expect("kept");
    points.settle().expect("settled");
    let seconds = sums(&points, query("m", NOW - 7200, NOW, 1)).await;
    assert_eq!(seconds, [(NOW - 3600, 1.0), (NOW - 60, 1.0)]);
    tokio::time::advance(std::time::Duration::from_secs(2 * 24 * 3600)).await;
    points.settle().expect("settled");
    let at = NOW + 2 * day;
    assert_eq!(sums(&points, query("m", NOW - 7200, at, 1)).await, [], "seconds are gone after three hours");
    assert_eq!(sums(&points, query("m", NOW - 14 * day, NOW - 13 * day, 60)).await, [], "minutes after 15 days");
    assert_eq!(sums(&points, query("m", NOW - 14 * day, NOW - 13 * day, 300)).await, [(NOW - 14 * day, 1.0)]);
    tokio::time::advance(std::time::Duration::from_secs(60 * 24 * 3600)).await;
    points.settle().expect("settled");
    assert_eq!(sums(&points, query("m", NOW - 14 * day, NOW - 13 * day, 300)).await, []);
    assert_eq!(sums(&points, query("m", NOW - 14 * day, NOW - 13 * day, 3600)).await, [(NOW - 14 * day, 1.0)]);
}

#[tokio::test]
async fn what_was_answered_is_there_after_any_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("points");
    let points = Points::open(&path, clock()).expect("opened");
    points.put(vec![sample("m", NOW - 60, 2.0), sample("m", NOW - 60, 3.0)]).await.expect("kept");
    // As it lies on disk now, with no farewell.
    let cut = folder.path().join("cut");
    std::fs::create_dir(&cut).expect("made");
    for file in std::fs::read_dir(&path).expect("read") {
        let file = file.expect("read");
        std::fs::copy(file.path(), cut.join(file.file_name())).expect("copied");
    }
    let again = Points::open(&cut, clock()).expect("opened");
    assert_eq!(sums(&again, query("m", NOW - 120, NOW, 60)).await, [(NOW - 60, 5.0)]);
    again.settle().expect("settled");
    assert_eq!(sums(&again, query("m", NOW - 120, NOW, 60)).await, [(NOW - 60, 5.0)]);
    points.settle().expect("settled");
    let copy = folder.path().join("copy");
    points.put(vec![sample("m", NOW - 120, 1.0)]).await.expect("kept");
    points.copy_to(&copy).expect("copied");
    assert!(points.copy_to(&copy).is_err(), "there is one already");
    let copied = Points::open(&copy, clock()).expect("opened");
    assert_eq!(sums(&copied, query("m", NOW - 120, NOW, 60)).await, [(NOW - 120, 1.0), (NOW - 60, 5.0)]);
    assert!(points.size().expect("a size") > 0);
}

#[tokio::test(start_paused = true)]
async fn metrics_are_listed_by_name_and_dimension() {
    let points = Points::in_memory(clock());
    points.put(["c", "a", "b"].map(|name| sample(name, NOW, 1.0)).to_vec()).await.expect("kept");
    let wanted = || Wanted { account: "000000000000".into(), region: "us-east-1".into(), ..Wanted::default() };
    let first = points.list(wanted(), None, 2).await.expect("listed");
    assert_eq!(first.metrics, [metric("a"), metric("b")]);
    let rest = points.list(wanted(), first.next, 2).await.expect("listed");
    assert_eq!((rest.metrics, rest.next), (vec![metric("c")], None));
    let by = |name: &str, value: Option<&str>| Wanted {
        dimensions: vec![(name.to_owned(), value.map(str::to_owned))],
        namespace: Some("shop".into()),
        name: Some("a".into()),
        ..wanted()
    };
    for (wanted, many) in
        [(by("host", None), 1), (by("host", Some("a")), 1), (by("host", Some("b")), 0), (by("x", None), 0)]
    {
        assert_eq!(points.list(wanted, None, 9).await.expect("listed").metrics.len(), many);
    }
    let later = Wanted { seen_since: NOW + 1, ..wanted() };
    assert_eq!(points.list(later, None, 9).await.expect("listed").metrics, []);
    assert!(points.exists(metric("a")).await.expect("asked") && !points.exists(metric("z")).await.expect("asked"));
}

#[tokio::test(start_paused = true)]
async fn units_are_apart_where_they_are_asked_for() {
    let points = Points::in_memory(clock());
    points.put(vec![sample("m", NOW, 1.0), Sample { unit: 3, ..sample("m", NOW, 5.0) }]).await.expect("kept");
    let read = |unit| points.read(vec![Query { unit, ..query("m", NOW, NOW + 60, 60) }]);
    let units =
        |found: Vec<Vec<Bucket>>| found[0].iter().map(|bucket| (bucket.unit, bucket.point.sum)).collect::<Vec<_>>();
    assert_eq!(units(read(None).await.expect("read")), [(0, 1.0), (3, 5.0)]);
    assert_eq!(units(read(Some(3)).await.expect("read")), [(3, 5.0)]);
    assert_eq!(units(read(Some(4)).await.expect("read")), []);
}
