//! Tables: what is seen, and the steps that follow.

use super::*;
use crate::records::{
    Action, GroupTag, Health, Hook, Launch, Process, Suspension, TargetGroup, Transition, Unhealthy, Verdict,
};
use std::time::Duration;

const T0: Timestamp = Timestamp::from_epoch_seconds(1_767_323_045);
const AT: &str = "At 2026-01-02T03:04:05Z";

fn group(desired: i32) -> Group {
    Group {
        name: "web".into(),
        uuid: "u".into(),
        created: T0,
        launch_template: None,
        launch_configuration: Some("lc".into()),
        min: 0,
        max: 9,
        desired,
        cooldown: 300,
        zones: vec!["a".into(), "b".into(), "c".into()],
        subnets: vec![],
        target_groups: vec![],
        health_check_type: "EC2".into(),
        grace_period: 60,
        termination_policies: vec!["Default".into()],
        new_instances_protected: false,
        suspended: vec![],
        tags: vec![GroupTag { key: "k".into(), value: "v".into(), propagate: true }],
        hooks: vec![],
        default_instance_warmup: None,
        context: None,
        capacity_rebalance: false,
        notifications: vec![],
        enabled_metrics: vec![],
        service_linked_role: None,
        reason: None,
        last_scaling: None,
        launches: vec![],
        to_replace: 0,
        launch_count: 0,
        launch_failures: 0,
        launch_not_before: None,
        launch_failed: None,
        troubles: BTreeMap::new(),
        deleting: false,
    }
}

/// In service since `T0`, one second younger with each letter of the id.
fn member(id: &str, zone: &str) -> Member {
    let age = u64::from(id.bytes().last().unwrap_or(b'1') - b'0');
    Member {
        id: id.into(),
        group: "web".into(),
        zone: zone.into(),
        subnet: None,
        instance_type: "t3.micro".into(),
        image: "ami-1".into(),
        template: None,
        configuration: Some("lc".into()),
        lifecycle: Lifecycle::InService,
        health: Health::Healthy,
        unhealthy: None,
        protected: false,
        rebalance: false,
        launched: T0 - Duration::from_secs(100 - age),
        in_service: Some(T0),
        activity: None,
        registered: vec![],
        draining: vec![],
        left_out: vec![],
        action: None,
        hooks_done: vec![],
        terminate_called: false,
    }
}

/// Every member's machine runs.
fn seen(group: Group, members: Vec<Member>) -> Seen {
    let running = |m: &Member| (m.id.clone(), Machine { state: "running".into(), reason: None });
    let instances = members.iter().map(running).collect();
    Seen { group, members, instances, targets: BTreeMap::new() }
}

fn three() -> Seen {
    seen(group(3), vec![member("i-1", "a"), member("i-2", "b"), member("i-3", "c")])
}

fn steps(seen: &Seen) -> Vec<Step> {
    plan(seen, T0).steps
}

fn decide(first: u64, zones: &[&str], cause: String) -> Step {
    let places = zones.iter().map(|z| Place { zone: (*z).into(), subnet: None }).collect();
    Step::DecideLaunches { first, places, cause, rebalance: false, replaces: 0 }
}

fn begin(id: &str, why: Option<Unhealthy>, cause: String) -> Step {
    Step::BeginTermination { instance: id.into(), why, cause }
}

fn start_of(from: u32, to: u32) -> String {
    format!(
        "{AT} an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {from} to {to}."
    )
}

fn suspend(seen: &mut Seen, process: Process) {
    seen.group.suspended.push(Suspension { process: process.name().into(), reason: String::new() });
}

fn waits(seen: &Seen) -> String {
    plan(seen, T0).report.waiting_for.map(|w| w.what).unwrap_or_default()
}

#[test]
fn a_new_group_launches_over_its_zones() {
    let mut new = seen(group(4), vec![]);
    new.group.reason = Some("At X a user did it.".into());
    let cause = format!("At X a user did it.  {}", start_of(0, 4));
    assert_eq!(steps(&new), [decide(1, &["a", "b", "c", "a"], cause)]);
}

#[test]
fn a_group_at_rest_does_nothing() {
    assert_eq!(steps(&three()), []);
    assert_eq!(plan(&three(), T0).report.sees, "3 InService");
}

#[test]
fn a_dead_machine_is_replaced_in_the_same_pass_where_it_was() {
    let mut s = three();
    s.instances.get_mut("i-2").unwrap().state = "stopped".into();
    let dead = format!(
        "{AT} an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
    );
    let instead = |places, cause| match decide(1, places, cause) {
        Step::DecideLaunches { first, places, cause, rebalance, .. } => {
            Step::DecideLaunches { first, places, cause, rebalance, replaces: 1 }
        }
        other => other,
    };
    let cause = format!("{AT} an instance was launched in response to an unhealthy instance needing to be replaced.");
    let replaced = [begin("i-2", Some(Unhealthy::Ec2), dead.clone()), instead(&["b"], cause)];
    assert_eq!(steps(&s), replaced);
    // More than the dead one are missing: that is another cause.
    s.group.desired = 4;
    assert_eq!(steps(&s), [begin("i-2", Some(Unhealthy::Ec2), dead), instead(&["b", "a"], start_of(2, 4))]);
    s.group.desired = 3;
    // One that EC2 has forgotten is as dead.
    s.instances.remove("i-2");
    assert_eq!(steps(&s), replaced);
}

#[test]
fn suspended_processes_hold_their_part() {
    let dead = || {
        let mut s = three();
        s.instances.get_mut("i-2").unwrap().state = "terminated".into();
        s
    };
    let mut s = dead();
    suspend(&mut s, Process::HealthCheck);
    assert_eq!(steps(&s), []);

    let mut s = dead();
    suspend(&mut s, Process::ReplaceUnhealthy);
    assert_eq!(steps(&s), [Step::MarkUnhealthy { instance: "i-2".into(), why: Unhealthy::Ec2 }]);

    let mut s = dead();
    suspend(&mut s, Process::Launch);
    assert!(matches!(&steps(&s)[..], [Step::BeginTermination { .. }]));
    assert_eq!(waits(&s), "Launch to be resumed");

    let mut s = three();
    s.group.desired = 1;
    suspend(&mut s, Process::Terminate);
    assert_eq!(steps(&s), []);
}

#[test]
fn the_load_balancers_check_counts_after_the_grace_period_and_only_if_asked_for() {
    let mut s = three();
    s.group.target_groups = vec![TargetGroup { arn: "tg".into(), state: TargetGroupState::InService }];
    for m in &mut s.members {
        m.registered = vec!["tg".into()];
    }
    s.targets.insert(("tg".into(), "i-1".into()), "unhealthy".into());
    assert_eq!(steps(&s), [], "EC2 checks only");
    s.group.health_check_type = "ELB".into();
    let waiting = plan(&s, T0).report.waiting_for.expect("the grace period");
    assert_eq!(waiting.until, Some(T0 + Duration::from_secs(60)));
    let later = plan(&s, T0 + Duration::from_secs(60)).steps;
    assert!(
        matches!(&later[..], [Step::BeginTermination { why: Some(Unhealthy::Elb), cause, .. }, Step::DecideLaunches { .. }] if cause.ends_with("in response to an ELB system health check failure."))
    );
}

#[test]
fn too_many_shrink_in_the_fullest_zone_by_the_policies() {
    let table: [(&[&str], &[&str]); 3] = [
        (&["OldestInstance"], &["i-1", "i-3"]),
        (&["NewestInstance"], &["i-4", "i-5"]),
        (&["Default"], &["i-4", "i-3"]),
    ];
    for (policies, expected) in table {
        let members =
            vec![member("i-1", "a"), member("i-2", "b"), member("i-3", "c"), member("i-4", "a"), member("i-5", "c")];
        let mut s = seen(group(3), members);
        s.group.termination_policies = policies.iter().map(|p| (*p).into()).collect();
        if policies == ["Default"] {
            // An outdated launch configuration goes first.
            s.members[3].configuration = Some("old".into());
        }
        let chosen: Vec<String> = steps(&s)
            .into_iter()
            .map(|step| match step {
                Step::BeginTermination { instance, .. } => instance,
                other => panic!("{other:?}"),
            })
            .collect();
        let mut expected: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
        let mut sorted = chosen.clone();
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected, "{policies:?}");
    }
}

#[test]
fn a_shrinking_group_says_what_it_selected() {
    let mut s = three();
    s.group.desired = 2;
    let cause = format!(
        "{AT} an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 3 to 2.  {AT} instance i-1 was selected for termination."
    );
    assert_eq!(steps(&s), [begin("i-1", None, cause)]);
    s.members.iter_mut().for_each(|m| m.protected = true);
    assert_eq!(steps(&s), []);
    assert!(waits(&s).contains("scale-in protection"));
}

#[test]
fn those_on_their_way_in_are_not_taken_for_those_that_serve() {
    let mut s = three();
    s.group.desired = 2;
    s.members[1].lifecycle = Lifecycle::Pending;
    s.instances.get_mut("i-2").unwrap().state = "pending".into();
    assert_eq!(steps(&s), []);
    assert!(waits(&s).contains("i-2 to be running"));
}

#[test]
fn an_open_launch_is_carried_out_and_counted() {
    let mut s = seen(group(1), vec![]);
    s.group.launches = vec![Launch {
        number: 7,
        activity: "act".into(),
        at: T0,
        zone: "a".into(),
        subnet: None,
        template: None,
        configuration: Some("lc".into()),
        interface: None,
        tags: vec![],
        protected: false,
        rebalance: false,
    }];
    assert_eq!(steps(&s), [Step::Launch { number: 7 }]);
}

#[test]
fn after_failed_launches_it_waits_and_tries_another_zone() {
    let mut s = seen(group(1), vec![]);
    s.group.failed_in("a", T0 - Duration::from_secs(1), false, T0);
    assert_eq!(steps(&s), [decide(1, &["b"], start_of(0, 1))], "two zones are left");
    s.group.failed_in("b", T0, false, T0);
    s.group.failed_in("c", T0, false, T0);
    assert_eq!(steps(&s), []);
    assert_eq!(s.group.launch_not_before, Some(T0 + Duration::from_secs(1)), "none is left");
    s.group.launch_not_before = Some(T0);
    assert_eq!(steps(&s), [decide(1, &["a"], start_of(0, 1))]);
}

#[test]
fn launches_that_fail_together_count_once() {
    let mut g = group(2);
    let later = |seconds| T0 + Duration::from_secs(seconds);
    g.failed_in("a", T0, false, later(1));
    g.failed_in("a", T0, false, later(2));
    let trouble = |g: &Group| (g.troubles["a"].count, g.troubles["a"].until);
    assert_eq!(trouble(&g), (1, later(11)));
    g.failed_in("a", later(12), false, later(13));
    assert_eq!(trouble(&g), (2, later(33)));
    assert_eq!((g.launch_failures, g.launch_not_before), (0, None), "other zones are left");

    g.put_off(later(13), later(14));
    g.put_off(later(13), later(14));
    assert_eq!((g.launch_failures, g.launch_not_before), (1, Some(later(15))));
}

#[test]
fn the_way_into_service() {
    let mut s = three();
    s.group.hooks = vec![hook(Transition::Launching)];
    s.group.target_groups = vec![TargetGroup { arn: "tg".into(), state: TargetGroupState::Added }];
    s.members.iter_mut().for_each(|m| m.registered = vec!["tg".into()]);
    s.members[0].lifecycle = Lifecycle::Pending;
    s.members[0].registered = vec![];
    assert_eq!(steps(&s), [Step::StartHook { instance: "i-1".into(), hook: "h".into() }]);

    s.members[0].lifecycle = Lifecycle::PendingWait;
    s.members[0].action = Some(action(None));
    assert_eq!(steps(&s), []);
    assert_eq!(waits(&s), "lifecycle hook h of i-1");
    let end = Step::EndHook { instance: "i-1".into(), hook: "h".into() };
    assert_eq!(plan(&s, T0 + Duration::from_secs(30)).steps, [end.clone()]);
    s.members[0].action = Some(action(Some(Verdict::Continue)));
    assert_eq!(steps(&s), [end]);

    s.members[0].lifecycle = Lifecycle::PendingProceed;
    s.members[0].action = None;
    s.members[0].hooks_done = vec!["h".into()];
    let enter = |register: &[&str], leave_out: &[&str]| Step::EnterService {
        instance: "i-1".into(),
        register: register.iter().map(|a| (*a).into()).collect(),
        leave_out: leave_out.iter().map(|a| (*a).into()).collect(),
    };
    assert_eq!(steps(&s), [enter(&["tg"], &[])]);
    suspend(&mut s, Process::AddToLoadBalancer);
    assert_eq!(steps(&s), [enter(&[], &["tg"])]);
}

#[test]
fn the_way_out_of_service() {
    let mut s = three();
    s.group.desired = 2;
    s.group.target_groups = vec![TargetGroup { arn: "tg".into(), state: TargetGroupState::InService }];
    s.group.hooks = vec![hook(Transition::Terminating)];
    s.members.iter_mut().for_each(|m| m.registered = vec!["tg".into()]);
    s.members[0].lifecycle = Lifecycle::Terminating;
    let target_groups = vec!["tg".to_owned()];
    assert_eq!(steps(&s), [Step::Deregister { instance: "i-1".into(), target_groups: target_groups.clone() }]);

    s.members[0].registered = vec![];
    s.members[0].draining = vec!["tg".into()];
    s.targets.insert(("tg".into(), "i-1".into()), "draining".into());
    assert_eq!(steps(&s), []);
    assert_eq!(waits(&s), "connections of i-1 to drain");
    let drained = Step::Drained { instance: "i-1".into(), target_groups };
    // A dead machine has nothing to drain.
    s.instances.get_mut("i-1").unwrap().state = "stopped".into();
    assert_eq!(steps(&s), [drained.clone()]);
    s.instances.get_mut("i-1").unwrap().state = "running".into();
    s.targets.clear();
    assert_eq!(steps(&s), [drained]);

    s.members[0].draining = vec![];
    assert_eq!(steps(&s), [Step::StartHook { instance: "i-1".into(), hook: "h".into() }]);
    s.members[0].hooks_done = vec!["h".into()];
    assert_eq!(steps(&s), [Step::Terminate { instance: "i-1".into() }]);
    s.members[0].terminate_called = true;
    assert_eq!(waits(&s), "i-1 to be terminated");
    s.instances.get_mut("i-1").unwrap().state = "terminated".into();
    assert_eq!(steps(&s), [Step::Finish { instance: "i-1".into() }]);
}

#[test]
fn a_machine_that_dies_before_it_serves_is_a_failed_launch() {
    let mut s = three();
    s.members[0].lifecycle = Lifecycle::Pending;
    let machine = s.instances.get_mut("i-1").unwrap();
    *machine = Machine { state: "terminated".into(), reason: Some("Server.InternalError: no".into()) };
    assert!(
        matches!(&steps(&s)[..], [Step::FailLaunch { message, .. }] if message.ends_with("Termination Reason: Server.InternalError: no")),
        "where to try again is decided when the failure is written down"
    );
}

#[test]
fn uneven_zones_are_balanced_by_one_more_first() {
    let members = vec![member("i-1", "a"), member("i-2", "a"), member("i-3", "a")];
    let mut s = seen(group(3), members);
    let launched = steps(&s);
    assert!(
        matches!(&launched[..], [Step::DecideLaunches { places, rebalance: true, cause, .. }] if places[0].zone == "b" && cause.contains("to balance instances in zones b"))
    );
    suspend(&mut s, Process::AzRebalance);
    assert_eq!(steps(&s), []);
}

#[test]
fn a_zone_in_which_launches_failed_is_balanced_later_and_delays_nothing_else() {
    let members = vec![member("i-1", "b"), member("i-2", "b"), member("i-3", "c")];
    let mut s = seen(group(3), members);
    s.group.failed_in("a", T0, true, T0);
    assert_eq!((steps(&s), s.group.launch_not_before), (vec![], None));
    let waiting = plan(&s, T0).report.waiting_for.expect("it waits");
    assert_eq!(waiting.what, "another try to launch in a after a failed one");
    assert_eq!(waiting.until, Some(T0 + Duration::from_secs(10)));
    let then = plan(&s, T0 + Duration::from_secs(10)).steps;
    assert!(matches!(&then[..], [Step::DecideLaunches { places, rebalance: true, .. }] if places[0].zone == "a"));
}

#[test]
fn a_deleted_group_empties_and_goes() {
    let mut s = three();
    s.group.deleting = true;
    s.group.desired = 0;
    // Also the one that stands by: nobody else would end it, and the group would never go.
    s.members[0].lifecycle = Lifecycle::Standby;
    assert_eq!(steps(&s).len(), 3);
    let mut s = seen(group(0), vec![]);
    s.group.deleting = true;
    assert_eq!(steps(&s), [Step::DeleteGroup]);
}

#[test]
fn target_groups_follow_what_is_attached() {
    let mut s = three();
    s.group.target_groups = vec![
        TargetGroup { arn: "new".into(), state: TargetGroupState::Adding },
        TargetGroup { arn: "old".into(), state: TargetGroupState::Removing },
    ];
    s.members.truncate(1);
    s.group.desired = 1;
    s.members[0].registered = vec!["old".into()];
    assert_eq!(
        steps(&s),
        [
            Step::Register { instance: "i-1".into(), target_groups: vec!["new".into()] },
            Step::Deregister { instance: "i-1".into(), target_groups: vec!["old".into()] },
        ]
    );
    s.members[0].registered = vec!["new".into()];
    s.targets.insert(("new".into(), "i-1".into()), "healthy".into());
    assert_eq!(
        steps(&s),
        [
            Step::SetTargetGroup { arn: "new".into(), state: TargetGroupState::InService },
            Step::DropTargetGroup { arn: "old".into() },
        ]
    );
}

fn hook(transition: Transition) -> Hook {
    Hook {
        name: "h".into(),
        transition,
        notification_target: None,
        role: None,
        notification_metadata: None,
        heartbeat_timeout: 30,
        default_result: Verdict::Abandon,
    }
}

fn action(verdict: Option<Verdict>) -> Action {
    Action {
        hook: "h".into(),
        token: "t".into(),
        deadline: T0 + Duration::from_secs(30),
        last_deadline: T0 + Duration::from_secs(3000),
        heartbeat_timeout: 30,
        default_result: Verdict::Abandon,
        verdict,
    }
}
