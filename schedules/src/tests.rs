//! Expressions of the user guides, and clocks that are set.

use crate::{Schedule, Zone};
use jiff::Timestamp;

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap_or_else(|e| panic!("{e}: {text}")).as_second()
}

/// The next times after one.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::scheduler(expression).unwrap_or_else(|e| panic!("{e}"));
    let zone = Zone::named(zone).expect(zone);
    let (since, mut at) = (second(after), second(after));
    let mut times = vec![];
    while let Some(next) = schedule.next(&zone, since, at).filter(|_| times.len() < count) {
        assert!(next > at, "{expression}: time goes on");
        times.push(Timestamp::from_second(next).unwrap().to_string().replace(":00Z", "Z"));
        at = next;
    }
    times
}

#[test]
fn cron_names_the_times_that_the_guide_says() {
    for (expression, wanted) in [
        ("cron(0 10 * * ? *)", ["2026-01-01T10:00Z", "2026-01-02T10:00Z"]),
        ("cron(15 12 * * ? *)", ["2026-01-01T12:15Z", "2026-01-02T12:15Z"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-01-01T18:00Z", "2026-01-02T18:00Z"]),
        ("cron(0 8 1 * ? *)", ["2026-01-01T08:00Z", "2026-02-01T08:00Z"]),
        ("cron(0/15 * * * ? *)", ["2026-01-01T00:15Z", "2026-01-01T00:30Z"]),
        ("cron(0/10 * ? * MON-FRI *)", ["2026-01-01T00:10Z", "2026-01-01T00:20Z"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["2026-01-01T08:00Z", "2026-01-01T08:05Z"]),
        ("cron(15 10 ? * 6L 2026-2027)", ["2026-01-30T10:15Z", "2026-02-27T10:15Z"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-01-05T09:00Z", "2026-02-02T09:00Z"]),
        ("cron(0 0 L * ? *)", ["2026-01-31T00:00Z", "2026-02-28T00:00Z"]),
        ("cron(0 0 LW * ? *)", ["2026-01-30T00:00Z", "2026-02-27T00:00Z"]),
        ("cron(0 0 1W * ? *)", ["2026-02-02T00:00Z", "2026-03-02T00:00Z"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
        ("cron(0 0 ? * FRI-MON *)", ["2026-01-02T00:00Z", "2026-01-03T00:00Z"]),
        ("cron(5,35 14 * JAN,jul ? *)", ["2026-01-01T14:05Z", "2026-01-01T14:35Z"]),
    ] {
        assert_eq!(times(expression, "UTC", "2026-01-01T00:00:00Z", 2), wanted, "{expression}");
    }
    assert_eq!(times("cron(0 0 1 1 ? 2025)", "UTC", "2026-01-01T00:00:00Z", 2), [""; 0]);
    assert_eq!(times("cron(0 0 31 2 ? *)", "UTC", "2026-01-01T00:00:00Z", 2), [""; 0]);
}

#[test]
fn what_is_no_schedule_is_refused() {
    for wrong in [
        "",
        "rate",
        "rate()",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(5 weeks)",
        "rate(5)",
        "rate( 5 minutes)",
        "rate(5.5 minutes)",
        "rate(99999999999999999999 days)",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * * * ? 1969)",
        "cron(*/0 * * * ? *)",
        "cron(* * ? * 6#6 *)",
        "cron(a * * * ? *)",
        "at(2026-01-01)",
        "at(2026-13-01T00:00:00)",
        "at(2026-02-30T00:00:00)",
        "at(2026-01-01T00:00:00Z)",
        "daily(1)",
        "cron(0 10 * * ? *",
    ] {
        Schedule::scheduler(wrong).expect_err(wrong);
    }
    Schedule::rule("at(2026-01-01T00:00:00)").expect_err("a rule has no at()");
    Schedule::rule(&format!("cron({}0 * * * ? *)", "0,".repeat(200))).expect_err("too long");
    assert_eq!(Zone::named("Mars/Olympus"), None);
}

#[test]
fn a_rate_is_counted_from_its_beginning() {
    let schedule = Schedule::rule("rate(5 minutes)").unwrap();
    for (after, next) in [(-10, 1_000), (999, 1_000), (1_000, 1_300), (1_299, 1_300), (1_300, 1_600), (10_000, 10_300)]
    {
        assert_eq!(schedule.next_utc(1_000, after), Some(next), "{after}");
    }
    assert_eq!(Schedule::rule("rate(1 day)").unwrap().next_utc(0, 0), Some(86_400));
}

/// Source: Scheduler's user guide, "Daylight savings time adjustment".
#[test]
fn a_time_that_is_skipped_is_skipped_and_one_that_is_shown_twice_comes_once() {
    // In Berlin 02:00 becomes 03:00 on 2026-03-29, and 03:00 becomes 02:00 on 2026-10-25.
    assert_eq!(
        times("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00Z", 2),
        ["2026-03-28T01:30Z", "2026-03-30T00:30Z"]
    );
    assert_eq!(
        times("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T00:00:00Z", 3),
        ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]
    );
    assert_eq!(times("at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-01-01T00:00:00Z", 2), [""; 0]);
    assert_eq!(times("at(2026-03-29T03:30:00)", "Europe/Berlin", "2026-01-01T00:00:00Z", 2), ["2026-03-29T01:30Z"]);
    assert_eq!(times("at(2026-07-01T12:00:00)", "America/New_York", "2026-01-01T00:00:00Z", 2), ["2026-07-01T16:00Z"]);
    // Rates do not look at the clock.
    assert_eq!(
        times("rate(1 hour)", "Europe/Berlin", "2026-10-25T00:00:00Z", 2),
        ["2026-10-25T01:00Z", "2026-10-25T02:00Z"]
    );
}
