use super::super::policy::UpdatePolicy;
use super::super::state::{Sizes, Wanted};
use super::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const BEGAN: Timestamp = Timestamp::from_epoch_seconds(1_000);

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// A rolling update of three instances, whose size is set.
fn roll(batch: i32, floor: i32, meanwhile: i32) -> Roll {
    let sizes = Sizes { min: 1, max: 9, desired: 3 };
    Roll {
        phase: "p".to_owned(),
        began: BEGAN,
        found: sizes,
        last: sizes,
        meanwhile,
        sized: true,
        batch,
        floor,
        wanted: Wanted::default(),
        obsolete: set(&["i-a", "i-b", "i-c"]),
        known: set(&[]),
        kept: 0,
        leaving: BTreeMap::new(),
        waiting: None,
        successes: 0,
        failures: 0,
        spent: set(&[]),
        suspended: vec![],
        closed: false,
    }
}

fn policy(members: serde_json::Value) -> Rolling {
    let read = UpdatePolicy::read(&json!({ "AutoScalingRollingUpdate": members }));
    read.expect("a policy").rolling.expect("it rolls")
}

/// `i-a:InService i-n:Pending`; a, b and c are obsolete, an exclamation mark protects.
fn group(desired: i32, members: &str) -> Group {
    let member = |text: &str| {
        let (id, state) = text.split_once(':').expect("an id and a state");
        Member {
            id: id.to_owned(),
            state: state.trim_end_matches('!').to_owned(),
            protected: state.ends_with('!'),
            obsolete: ["i-a", "i-b", "i-c"].contains(&id),
        }
    };
    Group { desired, members: members.split_whitespace().map(member).collect(), terminate_suspended: false }
}

fn after(roll: &Roll, policy: &Rolling, group: &Group, signals: &[(&str, bool)], seconds: u64) -> Next {
    let signals = signals.iter().map(|(id, success)| ((*id).to_owned(), *success)).collect();
    next(roll, Some(policy), group, &signals, BEGAN + Duration::from_secs(seconds))
}

fn event(next: Next) -> (Roll, String) {
    match next {
        Next::Note(roll, Some(event)) => (*roll, event),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_more_go_than_may_be_missed() {
    let policy = policy(json!({"MaxBatchSize": 2}));
    for (floor, members, expected) in [
        (1, "i-a:InService i-b:InService i-c:InService", "[i-a,i-b]; replacing with 2 new"),
        (2, "i-a:InService i-b:InService i-c:InService", "[i-a]; replacing with 1 new"),
        // One in standby serves nobody, and nobody takes its place.
        (2, "i-a:InService i-b:InService i-c:Standby i-n:InService", "[i-a,i-c]; replacing with 1 new"),
    ] {
        let roll = Roll { known: set(&["i-n"]), ..roll(2, floor, 3) };
        let (_, told) = event(after(&roll, &policy, &group(3, members), &[], 0));
        assert!(told.contains(expected), "{floor}: {told}");
    }
    let short = group(3, "i-a:InService i-b:InService i-n:Pending");
    let Next::Settle(why) = after(&roll(2, 2, 3), &policy, &short, &[], 0) else { panic!("it waits") };
    assert_eq!(why, "2 of 3 instances are in service");
}

#[test]
fn what_was_added_goes_with_the_last_batch() {
    let policy = policy(json!({"MinInstancesInService": 3}));
    let roll = Roll { known: set(&["i-n", "i-o", "i-p"]), ..roll(1, 3, 4) };
    let last = group(4, "i-c:InService i-n:InService i-o:InService i-p:InService");
    let (leaving, told) = event(after(&roll, &policy, &last, &[], 0));
    assert_eq!(told, "Terminating instance(s) [i-c]; replacing with 0 new instance(s).");
    let next = after(&leaving, &policy, &last, &[], 0);
    assert_eq!(next, Next::Terminate(vec![("i-c".to_owned(), true)]));
    let going = group(3, "i-c:Terminating i-n:InService i-o:InService i-p:InService");
    assert_eq!(after(&leaving, &policy, &going, &[], 0), Next::Wait("instances to be terminated".to_owned()));
    let gone = group(3, "i-n:InService i-o:InService i-p:InService");
    let (done, told) = event(after(&leaving, &policy, &gone, &[], 0));
    assert_eq!(told, "Successfully terminated instance(s) [i-c] (Progress 100%).");
    assert_eq!(after(&done, &policy, &gone, &[], 0), Next::Close);
    assert_eq!(after(&Roll { closed: true, ..done }, &policy, &gone, &[], 0), Next::Closed);
}

#[test]
fn a_part_of_the_instances_may_be_enough_to_go_on() {
    let half = policy(json!({"MinActiveInstancesPercent": 50}));
    let members = "i-a:InService i-b:InService i-n:Pending";
    let (_, told) = event(after(&roll(1, 0, 3), &half, &group(3, members), &[], 0));
    assert!(told.starts_with("Terminating instance(s) [i-a]"), "{told}");
    let all = policy(json!({}));
    assert!(matches!(after(&roll(1, 0, 3), &all, &group(3, members), &[], 0), Next::Settle(_)));
    // Too many: Auto Scaling takes some away first, where it may.
    let many = |mark: &str| group(1, &format!("i-a:InService{mark} i-b:InService{mark}"));
    assert!(matches!(after(&roll(1, 0, 3), &all, &many(""), &[], 0), Next::Settle(_)));
    event(after(&roll(1, 0, 3), &all, &many("!"), &[], 0));
}

#[test]
fn signals_are_counted_by_batch() {
    let policy = policy(json!({"WaitOnResourceSignals": true, "MinSuccessfulInstancesPercent": 60}));
    let members = group(3, "i-b:InService i-c:InService i-n:InService");
    let (waits, told) = event(after(&roll(1, 0, 3), &policy, &members, &[], 0));
    assert_eq!(
        told,
        "New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT5M."
    );
    // Two of three must succeed, so one may fail.
    let Next::Note(closed, None) = after(&waits, &policy, &members, &[("i-n", false)], 1) else {
        panic!("one may fail")
    };
    assert_eq!((closed.failures, closed.waiting.is_none()), (1, true));
    let strangers = [("i-x", true), ("i-a", false)];
    assert!(matches!(after(&waits, &policy, &members, &strangers, 299), Next::Wait(_)), "they are not of the batch");
    let (late, told) = event(after(&waits, &policy, &members, &strangers, 300));
    assert!(told.starts_with("Failed to receive 1 resource signal(s) for the current batch."), "{told}");
    let Next::Note(closed, None) = after(&late, &policy, &members, &[], 300) else { panic!("one may be missing") };
    assert_eq!(closed.failures, 1);
    let second = Roll { leaving: BTreeMap::new(), ..*closed };
    let members = group(3, "i-c:InService i-n:InService i-o:InService");
    let (waits, _) = event(after(&second, &policy, &members, &[], 400));
    let Next::Fail(why) = after(&waits, &policy, &members, &[("i-o", false)], 401) else { panic!("two are too many") };
    assert_eq!(
        why,
        "Received 2 FAILURE signal(s) out of 3.  Unable to satisfy 60% MinSuccessfulInstancesPercent requirement"
    );
    // A signal under another name counts once.
    let Next::Note(closed, None) = after(&waits, &policy, &members, &[("web", true)], 401) else { panic!("it counts") };
    assert_eq!((closed.successes, closed.spent.contains("web")), (1, true));
}
