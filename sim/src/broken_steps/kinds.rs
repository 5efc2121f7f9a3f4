//! The kinds of steps that controllers take, by how their texts begin.

use std::collections::BTreeSet;

const KINDS: &[(&str, &[&str])] = &[
    (
        "autoscaling/group",
        &[
            "BeginTermination",
            "DecideLaunches",
            "DeleteGroup",
            "Deregister",
            "Detach",
            "Drained",
            "DropTargetGroup",
            "EndHook",
            "EnterService",
            "EnterStandby",
            "FailLaunch",
            "Finish",
            "ForgetReason",
            "Launch",
            "MarkUnhealthy",
            "Register",
            "SetTargetGroup",
            "StartHook",
            "Terminate",
        ],
    ),
    ("cloudformation/stack", &["Begin", "Cancel", "Check", "Forget", "Remove", "Restore", "Turn"]),
    ("ec2/discarded-image", &["Delete", "Forget"]),
    ("ec2/dns", &["Serve", "Stop"]),
    ("ec2/image", &["Capture", "Fail", "Finish", "Release", "Start", "Stop"]),
    (
        "ec2/instance",
        &[
            "GiveUp",
            "Launch",
            "Purge",
            "Reboot",
            "RecordExit",
            "RecordInterfaces",
            "RecordLost",
            "RecordRebooted",
            "RecordRunning",
            "RecordStopped",
            "RecordTerminated",
            "SetInterfaces",
            "Start",
            "Stop",
            "Terminate",
        ],
    ),
    ("ec2/network", &["apply the network", "note that nat", "remove the network"]),
    (
        "elbv2/load-balancer",
        &[
            "forget it",
            "give",
            "listen inside",
            "make a network interface",
            "remove",
            "say that it is",
            "serve",
            "stop listening inside",
            "take it down",
        ],
    ),
    ("elbv2/target-health", &["forget", "look at", "note", "send nothing more"]),
    ("sts/expiry", &["Forget"]),
];

/// What a controller does only after another step was broken: noting what the host has already, and making a
/// call that was about to be made. They are done in the broken runs, where nothing else breaks.
const AFTER_OTHERS: &[(&str, &str)] = &[("ec2/network", "note that"), ("cloudformation/stack", "Carry")];

/// Panics when a kind is in no step, or a step of no kind. `steps` are `controller thing: text`.
pub fn check<'a>(steps: impl Iterator<Item = &'a String>) {
    let mut unseen: BTreeSet<(&str, &str)> =
        KINDS.iter().flat_map(|(controller, kinds)| kinds.iter().map(move |kind| (*controller, *kind))).collect();
    let mut unknown = BTreeSet::new();
    for step in steps {
        let (controller, rest) = step.split_once(' ').expect("a controller's name");
        let text = rest.split_once(": ").expect("the step's text").1;
        let own = KINDS.iter().find(|(name, _)| *name == controller).map_or(&[][..], |(_, kinds)| kinds);
        // The longest, as one may begin like another.
        match own.iter().filter(|kind| begins(text, kind)).max_by_key(|kind| kind.len()) {
            Some(kind) => drop(unseen.remove(&(controller, *kind))),
            None if AFTER_OTHERS.iter().any(|(name, kind)| *name == controller && begins(text, kind)) => {}
            None => drop(unknown.insert(step)),
        }
    }
    assert!(unseen.is_empty() && unknown.is_empty(), "never broken: {unseen:#?}\nof no kind: {unknown:#?}");
}

/// Whether the text begins with these words.
fn begins(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}
