//! A disk that is full: writers are told, nothing half-done stays, and it goes on once there is
//! space again.

use super::*;

/// Lets the database file grow no further than a few pages from here.
fn fill(log: &Sqlite) {
    let conn = log.conn.lock();
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    set_limit(&conn, pages + 1);
}

fn set_limit(conn: &rusqlite::Connection, pages: i64) {
    conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

fn large(name: &str) -> Machine {
    Machine { name: name.to_owned(), tags: [("blob".to_owned(), "x".repeat(100_000))].into() }
}

#[tokio::test]
async fn every_affected_writer_is_told_and_nothing_of_theirs_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = open_with_log(dir.path());
    put(&store, "i-1", machine("before")).await.unwrap();
    let mut feed = store.feed();
    fill(&log);

    // While the disk is held, one write is with the disk thread and the rest queue behind it.
    let held = log.conn.lock();
    let mut first = Box::pin(put(&store, "i-1", large("too large")));
    let mut behind = Box::pin(put(&store, "i-2", machine("behind it")));
    let mut reads = Box::pin(store.write(|tx| tx.get::<Machine>(&home(), "i-2")));
    assert!(poll_once(&mut first).is_none());
    assert!(poll_once(&mut behind).is_none());
    assert!(poll_once(&mut reads).is_none());
    assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap().unwrap().name, "before");
    drop(held);

    for told in [first.await, behind.await, reads.await.map(|_| ())] {
        let told = told.unwrap_err();
        assert!(matches!(told, StoreError::NoSpace { .. }), "{told:?}");
        assert!(told.to_string().contains("free some space"), "{told}");
    }
    assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap().unwrap().name, "before");
    assert_eq!(store.get::<Machine>(&home(), "i-2").unwrap(), None);
    assert_eq!(store.sequence(), 1);
    assert!(feed.try_recv().is_err(), "the feed told of something that did not happen");
    let seen = store.write(|tx| tx.list::<Machine>(&home())).await.unwrap();
    assert_eq!(seen.len(), 1, "a later transaction saw what had failed");

    // There is space again.
    set_limit(&log.conn.lock(), 1_000_000);
    put(&store, "i-1", large("after")).await.unwrap();
    assert_eq!(feed.try_recv().unwrap().sequence, 2, "numbers have no gap");
    drop((store, log));
    let again = open(dir.path());
    assert_eq!(again.get::<Machine>(&home(), "i-1").unwrap().unwrap().name, "after");
    assert_eq!(again.get::<Machine>(&home(), "i-2").unwrap(), None);
}
