//! Today's code reads what earlier versions wrote.
//!
//! `records.jsonl` has records as they stood in a state directory, each line a kind and its JSON; lines that begin
//! with `#` say which version wrote those below. It only grows: a line stands for what is on somebody's disk.
//! When a record gets a field or a variant, add a line that a kiln with it wrote; `docs/guides/upgrade.md`
//! tells how.

use crate::whole::whole;
use kiln_service_kit::{RECORDS, RecordType};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CORPUS: &str = include_str!("../records.jsonl");

/// Kinds that earlier versions kept and today's does not: nobody reads them.
const GONE: [&str; 0] = [];

/// Kind and JSON of each line.
fn corpus() -> Vec<(String, String)> {
    let lines = CORPUS.lines().filter(|line| !line.starts_with('#'));
    let line = |line: &str| {
        let (kind, record): (String, serde_json::Value) = serde_json::from_str(line).expect("a kind and a record");
        (kind, record.to_string())
    };
    lines.map(line).collect()
}

/// Every kind that a kiln keeps.
fn kinds() -> BTreeMap<&'static str, RecordType> {
    let services = crate::services::services();
    let all = services.iter().flat_map(|service| service.records).chain(RECORDS);
    let mut kinds = BTreeMap::new();
    for kind in all {
        assert!(kinds.insert(kind.kind, *kind).is_none(), "two types are {}", kind.kind);
    }
    kinds
}

#[test]
fn records_of_earlier_versions_are_read() {
    let kinds = kinds();
    let mut failed = vec![];
    for (kind, json) in corpus() {
        match kinds.get(&*kind) {
            Some(known) => failed.extend((known.read)(&json).err().map(|e| format!("{kind}: {e}: {json}"))),
            None if GONE.contains(&&*kind) => {}
            None => failed.push(format!("{kind} is kept by nobody")),
        }
    }
    assert!(failed.is_empty(), "on somebody's disk, and not read any more:\n{}", failed.join("\n"));
}

#[test]
fn every_kind_is_in_the_corpus() {
    let there: BTreeSet<String> = corpus().into_iter().map(|(kind, _)| kind).collect();
    let kinds = kinds();
    let missing: Vec<&&str> = kinds.keys().filter(|kind| !there.contains(**kind)).collect();
    assert!(missing.is_empty(), "add a line to sim/records.jsonl (docs/guides/upgrade.md) for each of {missing:?}");
}

/// The services' own lists are whole: each `impl Record for …` of their sources is in one. What tests keep is not.
#[test]
fn every_record_is_listed_by_its_service() {
    let kinds = kinds();
    let listed = kinds.values().map(|kind| (kind.name)().rsplit("::").next().expect("a name"));
    let mut found = vec![];
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    sources(&top.join("service-kit/src"), &mut found);
    sources(&top.join("delivery/src"), &mut found);
    for service in std::fs::read_dir(top.join("services")).expect("the services") {
        sources(&service.expect("a service").path().join("src"), &mut found);
    }
    whole(listed, found, "`service.records = records![…]` in the service's lib.rs is to list every record");
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let records = text.lines().filter_map(|line| line.strip_prefix("impl Record for ")?.strip_suffix(" {"));
            found.extend(records.map(str::to_owned));
        }
    }
}
