//! Calls wait, are kept, and are told as one, each once.

use super::*;
use kiln_clock::Clock;
use kiln_journal::{History, Journal};
use kiln_store::Store;

fn history() -> History {
    let journal = Journal::in_memory();
    journal.keep([KEPT]);
    History::new(Store::in_memory(Clock::system()), journal)
}

fn call(n: usize) -> CallRecord {
    CallRecord {
        at: Timestamp::from_millis(n as i64),
        request_id: format!("request-{n}"),
        service: "sts".into(),
        operation: "GetCallerIdentity".into(),
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        caller: "root".to_owned(),
        error: (n % 2 == 1).then(|| ("AccessDenied".to_owned(), "no".to_owned())),
        micros: 5,
    }
}

fn push(log: &CallLog, numbers: std::ops::Range<usize>) {
    for n in numbers {
        log.push(call(n), None);
    }
}

fn calls(numbers: std::ops::Range<usize>) -> Vec<Told> {
    numbers.map(|n| Told::Call(call(n))).collect()
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

#[tokio::test]
async fn what_waits_and_what_is_kept_is_told_once_and_in_order() {
    let (log, history) = (CallLog::default(), history());
    for begin in [0, 10, 20] {
        push(&log, begin..begin + 10);
        log.keep(&history, NOW, 1_000).await.expect("kept");
    }
    push(&log, 30..35);
    let latest = async |limit| log.latest(&history, limit, |_| true).await.expect("read");
    assert_eq!(latest(100).await, calls(0..35));
    assert_eq!(latest(7).await, calls(28..35));
    assert_eq!(latest(3).await, calls(32..35));
    let refused = log.latest(&history, 2, |call| call.error.is_some()).await.expect("read");
    assert_eq!(refused, [Told::Call(call(31)), Told::Call(call(33))]);
}

#[tokio::test]
async fn a_later_kiln_tells_those_of_an_earlier_one_also_when_the_clock_was_set_back() {
    let history = history();
    let earlier = CallLog::default();
    push(&earlier, 0..10);
    earlier.keep(&history, NOW, 1_000).await.expect("kept");
    let later = CallLog::default();
    push(&later, 10..12);
    assert_eq!(later.latest(&history, 100, |_| true).await.expect("read"), calls(0..12));
    later.keep(&history, Timestamp::from_millis(5), 1_000).await.expect("kept");
    push(&later, 12..13);
    assert_eq!(later.latest(&history, 100, |_| true).await.expect("read"), calls(0..13));
}

#[tokio::test]
async fn what_comes_while_there_is_no_room_is_counted() {
    let (log, history) = (CallLog::default(), history());
    push(&log, 0..CallRecord::MOST_WAITING + 3);
    log.keep(&history, NOW, 1_000_000).await.expect("kept");
    push(&log, CallRecord::MOST_WAITING + 3..CallRecord::MOST_WAITING + 5);
    let told = log.latest(&history, 4, |_| true).await.expect("read");
    let last = call(CallRecord::MOST_WAITING - 1);
    assert_eq!(told[..2], [Told::Call(last), Told::NotKept(3)]);
    assert_eq!(told[2..], calls(CallRecord::MOST_WAITING + 3..CallRecord::MOST_WAITING + 5));
    log.keep(&history, NOW, 1_000_000).await.expect("kept");
    assert_eq!(log.latest(&history, 4, |_| true).await.expect("read"), told);
}

#[tokio::test]
async fn what_comes_during_a_write_that_finds_no_room_is_counted_in_its_place() {
    let (log, history) = (CallLog::default(), history());
    push(&log, 0..CallRecord::MOST_WAITING + 3);
    // As `keep` does, in its steps.
    let written = log.waiting.lock().clone();
    push(&log, 0..4);
    log.kept(&written);
    assert_eq!(*log.waiting.lock(), [Told::NotKept(4)]);
    push(&log, 7..8);
    let (calls, told) = (log.waiting.lock().clone(), [Told::NotKept(4), Told::Call(call(7))]);
    assert_eq!(calls, told);
    // Also when nothing else comes.
    let alone = CallLog::default();
    alone.waiting.lock().push(Told::NotKept(4));
    for log in [&alone, &log] {
        log.keep(&history, NOW, 1_000_000).await.expect("kept");
        assert_eq!(*log.waiting.lock(), []);
    }
    assert_eq!(log.latest(&history, 9, |_| true).await.expect("read")[1..], told);
}

#[tokio::test]
async fn what_was_not_kept_pushes_nothing_out() {
    let (log, history) = (CallLog::default(), history());
    push(&log, 0..10);
    log.keep(&history, NOW, 100).await.expect("kept");
    log.waiting.lock().push(Told::NotKept(100_000));
    for n in 10..15 {
        push(&log, n..n + 1);
        log.keep(&history, NOW, 100).await.expect("kept");
    }
    let mut told = calls(0..15);
    told.insert(10, Told::NotKept(100_000));
    assert_eq!(log.latest(&history, 100, |_| true).await.expect("read"), told);
}

#[tokio::test]
async fn the_newest_are_kept() {
    let (log, history) = (CallLog::default(), history());
    for begin in 0..10 {
        push(&log, begin * 10..begin * 10 + 10);
        log.keep(&history, NOW, 45).await.expect("kept");
    }
    assert_eq!(log.latest(&history, 1_000, |_| true).await.expect("read"), calls(50..100));
    // A lower bound is reached although each time only one comes.
    for n in 100..106 {
        push(&log, n..n + 1);
        log.keep(&history, NOW, 10).await.expect("kept");
    }
    assert_eq!(log.latest(&history, 1_000, |_| true).await.expect("read"), calls(90..106));
}

#[tokio::test]
async fn what_the_journal_does_not_take_goes_on_waiting() {
    // Its kind is not noted: every append is refused.
    let refusing = History::new(Store::in_memory(Clock::system()), Journal::in_memory());
    let log = CallLog::default();
    push(&log, 0..5);
    assert!(log.keep(&refusing, NOW, 1_000).await.is_err());
    let history = history();
    assert_eq!(log.latest(&history, 10, |_| true).await.expect("read"), calls(0..5));
    log.keep(&history, NOW, 1_000).await.expect("kept");
    assert_eq!(log.latest(&history, 10, |_| true).await.expect("read"), calls(0..5));
}
