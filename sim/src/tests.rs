//! The committed scripts.

#[test]
fn every_script_tells_its_committed_story() {
    let scripts = crate::scripts().expect("the folder is there");
    assert!(!scripts.is_empty());
    for file in scripts {
        crate::run(&file, false, true).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_wrong_expectation_fails() {
    let played = crate::play::play("group web min 1 desired 1 max 1\nsettle\nexpect web in service 2").expect("read");
    assert_eq!(played.failure.as_deref(), Some("expect web in service 2: 1 in service"));
}
