//! The committed scripts.

use std::collections::BTreeSet;

#[test]
fn every_script_tells_its_committed_story() {
    let scripts = crate::scripts().expect("the folder is there");
    assert!(!scripts.is_empty());
    for file in scripts {
        crate::run(&file, false, true).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// docs/coverage.md is written from the source; this is what is really registered.
#[test]
fn the_resource_types_in_the_coverage_table_are_those_that_are_registered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coverage.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let told: BTreeSet<&str> = page.split('`').filter(|text| text.starts_with("AWS::")).collect();
    let services = crate::services::services();
    let registered: BTreeSet<&str> = services.iter().flat_map(|s| s.resources.iter().map(|r| r.type_name())).collect();
    assert_eq!(told, registered);
}

#[test]
fn a_wrong_expectation_fails() {
    let played = crate::play::play("group web min 1 desired 1 max 1\nsettle\nexpect web in service 2").expect("read");
    assert_eq!(played.failure.as_deref(), Some("expect web in service 2: 1 in service"));
}
