//! Both engines keep the same contract.

use crate::disk;
use crate::engine::{Engine, Item, Range};
use crate::memory::Memory;

fn item(stream: &str, position: &str, value: &str) -> Item {
    Item { stream: stream.into(), position: position.into(), value: value.into() }
}

fn texts(engine: &dyn Engine, stream: &str, range: (&str, &str), backwards: bool, limit: usize) -> Vec<String> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let range = Range { from: some(range.0), to: some(range.1) };
    let found = engine.read(stream, &range, backwards, limit).unwrap();
    found.into_iter().map(|(position, value)| format!("{position}={}", String::from_utf8(value).unwrap())).collect()
}

#[test]
fn streams_are_read_from_either_end_removed_in_part_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = disk::open(&dir.path().join("journal")).unwrap();
    for engine in [&Memory::default() as &dyn Engine, &on_disk] {
        engine.append(&[item("k/a", "1", "one"), item("k/a", "3", "three"), item("k/b", "2", "other")]).unwrap();
        engine.append(&[item("k/a", "2", "two"), item("k/a", "3", "three again"), item("l/c", "1", "c")]).unwrap();
        assert_eq!(texts(engine, "k/a", ("", ""), false, 9), ["1=one", "2=two", "3=three again"]);
        assert_eq!(texts(engine, "k/a", ("", ""), true, 2), ["3=three again", "2=two"]);
        assert_eq!(texts(engine, "k/a", ("2", "3"), false, 9), ["2=two"]);
        assert_eq!(texts(engine, "k/a", ("3", "2"), true, 9), Vec::<String>::new());
        assert_eq!(texts(engine, "nobody", ("", ""), false, 9), Vec::<String>::new());
        assert_eq!(engine.streams("k/", "", 9).unwrap(), ["k/a", "k/b"]);
        assert_eq!(engine.streams("k/", "k/a", 9).unwrap(), ["k/b"]);
        assert_eq!(engine.streams("k/", "", 1).unwrap(), ["k/a"]);
        assert!(engine.size().unwrap() > 0);
        engine.remove("k/a", &Range { from: None, to: Some("3".into()) }).unwrap();
        assert_eq!(texts(engine, "k/a", ("", ""), false, 9), ["3=three again"]);
        engine.remove("k/a", &Range::default()).unwrap();
        engine.remove("k/a", &Range::default()).unwrap();
        assert_eq!(engine.streams("k/", "", 9).unwrap(), ["k/b"]);
    }
}

#[test]
fn positions_are_read_alone_and_some_are_replaced_by_others_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = disk::open(&dir.path().join("journal")).unwrap();
    for engine in [&Memory::default() as &dyn Engine, &on_disk] {
        engine.append(&[item("k/a", "1", "one"), item("k/a", "2", "two"), item("k/a", "3", "three")]).unwrap();
        engine.append(&[item("k/b", "1", "other")]).unwrap();
        let all = Range::default();
        assert_eq!(engine.positions("k/a", &all, true, 2).unwrap(), ["3", "2"]);
        let gone = ["1".to_owned(), "2".to_owned()];
        engine.replace("k/a", &gone, &[item("k/a", "1", "one and two")]).unwrap();
        assert_eq!(texts(engine, "k/a", ("", ""), false, 9), ["1=one and two", "3=three"]);
        assert_eq!(engine.positions("k/a", &all, false, 9).unwrap(), ["1", "3"]);
        assert_eq!(texts(engine, "k/b", ("", ""), false, 9), ["1=other"]);
    }
}

#[test]
fn a_journal_from_a_newer_kiln_is_refused_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let engine = disk::open(&path).unwrap();
    engine.append(&[item("a", "1", "one")]).unwrap();
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.path().display());
    }
    drop(engine);
    let outside = rusqlite::Connection::open(path.join("journal.db")).unwrap();
    outside.pragma_update(None, "user_version", 99).unwrap();
    drop(outside);
    let told = disk::open(&path).map(|_| ()).unwrap_err();
    assert!(matches!(told, crate::JournalError::Newer { found: 99, .. }), "{told:?}");
}
