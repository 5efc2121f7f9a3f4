//! The committed scripts, and Auto Scaling's promise about every step.

use crate::play::{Player, platform};
use crate::script;
use kiln_testkit::break_each_step;
use std::collections::BTreeSet;

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

/// Launch, heal and shrink, with every step of every controller run twice and broken once.
#[test]
fn a_group_heals_whatever_step_breaks() {
    let broken = break_each_step(platform, |kit| async move {
        let text = "group web min 1 desired 2 max 3\nsettle\nkill one of web\nsettle\ndesired web 1\nsettle";
        let mut player = Player { kit: &kit, told: BTreeSet::new(), groups: vec![] };
        for (line, command) in script::parse(text).expect("a script") {
            player.command(&command).await.unwrap_or_else(|e| panic!("{line}: {e}"));
        }
        let serving = player.in_service("web", None).await.expect("described").len();
        let running = kit.machines().running();
        format!("{serving} in service, {running} machines run")
    });
    assert!(broken.steps.len() > 20, "{:#?}", broken.steps);
}
