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

/// Each controller says what it looks after (`Controller::ABOUT`).
#[test]
fn the_table_of_controllers_in_the_architecture_is_what_they_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let head = "| controller | looks after |\n|---|---|\n";
    let (_, rest) = page.split_once(head).expect("the table is there");
    let told: BTreeSet<&str> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    let services = crate::services::services();
    let all = services.iter().flat_map(|service| &service.controllers);
    let rows: BTreeSet<String> = all.map(|c| format!("| `{}` | {} |", c.name(), c.about())).collect();
    assert!(told.iter().eq(&rows), "ARCHITECTURE.md's table is to be:\n{head}{}", Vec::from_iter(rows).join("\n"));
}

#[test]
fn a_wrong_expectation_fails() {
    let played = crate::play::play("group web min 1 desired 1 max 1\nsettle\nexpect web in service 2").expect("read");
    assert_eq!(played.failure.as_deref(), Some("expect web in service 2: 1 in service"));
}
