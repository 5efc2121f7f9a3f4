//! Records that are written, found again, and outlive their kiln.

use super::log::*;
use super::*;
use kiln_clock::Clock;
use kiln_clock::Timestamp;
use kiln_journal::History;
use kiln_journal::Journal;
use kiln_store::Store;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn history() -> History {
    let journal = Journal::in_memory();
    journal.keep([KEPT]);
    History::new(Store::in_memory(Clock::system()), journal)
}

fn record(n: usize) -> TrailRecord {
    TrailRecord {
        at: NOW,
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        event_id: format!("event-{n}"),
        event: format!(r#"{{"number":{n}}}"#),
    }
}

fn trail() -> Trail {
    Trail::new(Classes::default())
}

async fn ids(trail: &Trail, history: &History) -> Vec<String> {
    let found = trail.find(history, NOW, None, (10_000, 10_000), |_| Wanted::Yes).await.expect("read");
    found.records.into_iter().map(|record| record.event_id).collect()
}

fn events(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|n| format!("event-{n}")).collect()
}

#[tokio::test]
async fn a_kiln_that_is_killed_has_lost_no_write() {
    let (dir, history) = (tempfile::tempdir().expect("a folder"), history());
    let folder = dir.path().join("trail");
    let killed = trail();
    killed.open(&folder, &history, NOW).await.expect("opened");
    (0..3).for_each(|n| killed.add_durably(record(n)));
    killed.keep(&history, NOW).await.expect("kept");
    (3..6).for_each(|n| killed.add_durably(record(n)));
    drop(killed);
    let next = trail();
    next.open(&folder, &history, NOW).await.expect("opened again");
    assert_eq!(ids(&next, &history).await, events((0..6).rev()));
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "only the file that is written to");
}

#[tokio::test]
async fn what_was_moved_when_it_was_killed_is_there_once() {
    let (dir, history) = (tempfile::tempdir().expect("a folder"), history());
    let killed = trail();
    killed.open(dir.path(), &history, NOW).await.expect("opened");
    (0..3).for_each(|n| killed.add_durably(record(n)));
    // As `keep` does, up to where it is killed: the journal has them, and the file is still there.
    killed.waiting.keep(&history, NOW, 100).await.expect("kept");
    killed.add_durably(record(3));
    // It was just writing a line.
    killed.spool.lock().as_mut().expect("open").write(b"1000000\t1111").expect("written");
    let next = trail();
    next.open(dir.path(), &history, NOW).await.expect("opened again");
    assert_eq!(ids(&next, &history).await, events((0..4).rev()));
}

#[tokio::test]
async fn while_the_journal_takes_nothing_files_stay() {
    let dir = tempfile::tempdir().expect("a folder");
    // Its kind is not noted: every append is refused.
    let refusing = History::new(Store::in_memory(Clock::system()), Journal::in_memory());
    let trail = trail();
    trail.open(dir.path(), &refusing, NOW).await.expect("nothing to keep yet");
    for n in 0..3 {
        trail.add_durably(record(n));
        assert!(trail.keep(&refusing, NOW).await.is_err());
    }
    let history = history();
    let next = Trail::new(Classes::default());
    next.open(dir.path(), &history, NOW).await.expect("opened");
    assert_eq!(ids(&next, &history).await, events((0..3).rev()));
}

#[tokio::test]
async fn what_waits_is_bounded_by_its_weight() {
    let trail = trail();
    let heavy = |n| TrailRecord { event: "x".repeat(1024 * 1024), ..record(n) };
    (0..40).for_each(|n| trail.add_durably(heavy(n)));
    let history = history();
    let kept = ids(&trail, &history).await.len();
    assert!((16..=18).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_lookup_looks_at_so_many_and_goes_on_behind_them() {
    let (trail, history) = (trail(), history());
    (0..2_500).for_each(|n| trail.add_durably(record(n)));
    let wanted = |record: &TrailRecord| match record.event_id.ends_with("00") {
        true => Wanted::Yes,
        false => Wanted::No,
    };
    let (mut found, mut behind, mut pages) = (vec![], None, 0);
    loop {
        let page = trail.find(&history, NOW, behind, (400, 3), wanted).await.expect("read");
        found.extend(page.records.into_iter().map(|record| record.event_id));
        pages += 1;
        let Some(next) = page.next else { break };
        behind = Some(next.to_string().parse().expect("a place"));
    }
    assert_eq!(found, events((0..2_500).rev().filter(|n| n % 100 == 0 && *n > 0)));
    assert!(pages >= 2_500 / 400, "{pages}");
}
