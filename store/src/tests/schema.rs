//! Opening: older schemas, newer ones, files in use, records that do not read.

use super::*;
use crate::sqlite::{MIGRATIONS, migrate};
use rusqlite::Connection;
use std::error::Error;
use std::os::unix::fs::PermissionsExt;

fn database(dir: &Path) -> Connection {
    std::fs::create_dir_all(file(dir).parent().unwrap()).unwrap();
    Connection::open(file(dir)).unwrap()
}

fn failure(dir: &Path) -> StoreError {
    match Store::open(&file(dir), Clock::system()) {
        Ok(_) => panic!("it opened"),
        Err(e) => e,
    }
}

#[tokio::test]
async fn a_version_1_database_is_brought_up_with_its_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = database(dir.path());
    migrate(&mut old, &file(dir.path()), &MIGRATIONS[..1], Timestamp(0)).unwrap();
    old.execute(
        "INSERT INTO record VALUES ('test/machine', '000000000000', 'eu-central-1', 'i-1', ?1)",
        [r#"{"name":"from version 1"}"#],
    )
    .unwrap();
    drop(old);

    let store = open(dir.path());
    assert_eq!(*store.get::<Machine>(&home(), "i-1").unwrap().unwrap(), machine("from version 1"));
    assert_eq!(store.sequence(), 0);
    put(&store, "i-2", machine("two")).await.unwrap();
    assert_eq!(store.changes_since(0).unwrap().len(), 1);
    drop(store);

    let versions: Vec<u32> = database(dir.path())
        .prepare("SELECT version FROM schema_version ORDER BY version")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(versions, (1..=MIGRATIONS.len() as u32).collect::<Vec<_>>());
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let newer = database(dir.path());
    newer.execute("INSERT INTO schema_version VALUES (99, 0)", []).unwrap();
    drop(newer);
    let told = failure(dir.path());
    assert!(matches!(told, StoreError::Newer { found: 99, .. }), "{told:?}");
}

#[test]
fn a_database_in_use_names_who_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let told = failure(dir.path()).to_string();
    assert!(told.contains(&format!("in use by process {}", std::process::id())), "{told}");
    drop(store);
    open(dir.path());
}

/// A child that is being started has all files of its parent for a moment, and with them its lock.
#[test]
fn a_child_that_is_being_started_does_not_hold_a_closed_database() {
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = open_with_log(dir.path());
    let in_a_child = log._lock.0.try_clone().unwrap();
    drop((store, log));
    open(dir.path());
    drop(in_a_child);
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(file(dir.path()).parent().unwrap()).unwrap();
    std::fs::write(file(dir.path()), "this is a shopping list, not a database. ".repeat(100)).unwrap();
    let told = failure(dir.path());
    assert!(told.to_string().contains("damaged"), "{told}");
}

#[test]
fn only_the_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    for entry in std::fs::read_dir(file(dir.path()).parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_record_that_does_not_read_is_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "i-1", machine("one")).await.unwrap();
    drop(store);
    let outside = database(dir.path());
    outside.execute("UPDATE record SET json = '{\"nom\":\"un\"}'", []).unwrap();
    drop(outside);

    let store = open(dir.path());
    for told in [
        store.get::<Machine>(&home(), "i-1").unwrap_err(),
        store.whole().list::<Machine>(&home()).unwrap_err(),
        store.whole().list_everywhere::<Machine>().unwrap_err(),
    ] {
        let text = told.to_string();
        assert!(text.contains("test/machine i-1 of 000000000000/eu-central-1"), "{text}");
        assert!(told.source().unwrap().to_string().contains("missing field `name`"), "{told:?}");
    }
    // It is neither consumed by a read that failed nor overwritten; once it is deleted, its id is free.
    let told = put(&store, "i-1", machine("mended")).await.unwrap_err();
    assert!(matches!(told, StoreError::Decode { .. }), "{told:?}");
    assert!(store.write::<_, StoreError>(|tx| Ok(tx.delete::<Machine>(&home(), "i-1"))).await.unwrap());
    put(&store, "i-1", machine("mended")).await.unwrap();
    assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap().unwrap().name, "mended");
}

#[tokio::test]
async fn history_that_is_gone_is_an_error_not_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = open_with_log(dir.path());
    for n in 0..5 {
        put(&store, "i-1", machine(&n.to_string())).await.unwrap();
    }
    log.conn.lock().execute("DELETE FROM feed WHERE sequence <= 2", []).unwrap();
    let told = store.changes_since(1).unwrap_err();
    assert!(matches!(told, StoreError::HistoryGone { asked: 1, oldest: 2 }), "{told:?}");
    assert_eq!(store.changes_since(2).unwrap().len(), 3);
}
