//! Load balancers at work.

use crate::ec2;
use crate::world::*;
use kiln_elbv2_shapes::*;
use kiln_reconcile::Hooks;
use kiln_service_kit::{Chaos, Clock, Store};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

const PORT: u16 = 18080;

/// A load balancer that forwards to one address; active and healthy.
async fn shop(world: &World) -> (String, String) {
    let lb = world.load_balancer("shop").await.load_balancer_arn.expect("an ARN");
    let group = world.target_group("shop", "ip").await;
    let target = server("shop").await;
    world.register(&group, "10.0.0.5", target).await;
    world.listener(&lb, PORT, forward(&group)).await;
    until("the load balancer to be active", || async { world.state(&lb).await == "active" }).await;
    until("the target to be healthy", || async { world.health(&group).await == ["10.0.0.5 healthy"] }).await;
    (lb, group)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_forwards_follows_changes_and_leaves_nothing() {
    let world = World::new().await;
    let (lb, group) = shop(&world).await;
    let at = world.address(&lb, PORT);
    assert_eq!(get(at, "/").await, Some((200, "shop".into())));

    let second = server("second").await;
    let other = world.target_group("other", "ip").await;
    world.register(&other, "10.0.0.5", second).await;
    assert_eq!(world.health(&other).await, ["10.0.0.5 unused Target.NotInUse"]);
    let listeners = DescribeListenersRequest { load_balancer_arn: Some(lb.clone()), ..Default::default() };
    let listener = world.cx.call(listeners).await.expect("listed").listeners.remove(0).listener_arn.expect("an ARN");
    let rule = CreateRuleRequest {
        listener_arn: listener,
        priority: 1,
        conditions: vec![RuleCondition {
            field: Some("path-pattern".into()),
            values: vec!["/other/*".into()],
            ..Default::default()
        }],
        actions: forward(&other),
        ..Default::default()
    };
    world.cx.call(rule).await.expect("a rule");
    until("the rule to lead to the other group", || async {
        get(at, "/other/1").await == Some((200, "second".into()))
    })
    .await;
    assert_eq!(get(at, "/").await, Some((200, "shop".into())));

    world.cx.call(DeleteLoadBalancerRequest { load_balancer_arn: lb.clone() }).await.expect("deleted");
    until("the port to be closed", || async { get(at, "/").await.is_none() }).await;
    until("its interfaces to be gone", || async {
        world.store.list::<ec2::Interface>(world.cx.scope()).expect("readable").is_empty()
    })
    .await;
    until("the targets to be unused", || async { world.health(&group).await == ["10.0.0.5 unused Target.NotInUse"] })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_security_group_is_asked_before_a_client_is_served() {
    let world = World::new().await;
    let (lb, _) = shop(&world).await;
    let at = world.address(&lb, PORT);
    world.let_in(&["10.0.0.0/8"]).await;
    until("nobody to be let in from outside", || async { get(at, "/").await.is_none() }).await;
    world.let_in(&["127.0.0.0/8"]).await;
    until("loopback to be let in", || async { get(at, "/").await == Some((200, "shop".into())) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deregistered_target_finishes_its_requests_and_then_is_gone() {
    let world = World::new().await;
    let lb = world.load_balancer("slow").await.load_balancer_arn.expect("an ARN");
    let group = world.target_group("slow", "ip").await;
    let (slow, mut requests) = holding_server("slow").await;
    world.register(&group, "10.0.0.5", slow).await;
    world.listener(&lb, PORT, forward(&group)).await;
    until("the target to be healthy", || async { world.health(&group).await == ["10.0.0.5 healthy"] }).await;
    let at = world.address(&lb, PORT);
    let asked = tokio::spawn(get(at, "/"));
    let request = requests.recv().await.expect("the target has the request");
    let leave = DeregisterTargetsRequest { target_group_arn: group.clone(), targets: vec![target("10.0.0.5", slow)] };
    world.cx.call(leave).await.expect("deregistered");
    assert_eq!(world.health(&group).await, ["10.0.0.5 draining Target.DeregistrationInProgress"]);
    assert!(!asked.is_finished(), "the target has not answered yet");
    request.send(()).expect("the target waits");
    assert_eq!(asked.await.expect("answered"), Some((200, "slow".into())), "the request under way is finished");
    until("the target to be gone", || async { world.health(&group).await.is_empty() }).await;
    assert_eq!(get(at, "/").await.map(|(status, _)| status), Some(503));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_instance_is_unused_at_once_and_a_terminated_one_is_forgotten() {
    let world = World::new().await;
    let (id, mut feed) = ("i-00000000000000001", world.store.feed());
    let lb = world.load_balancer("shop").await.load_balancer_arn.expect("an ARN");
    let group = world.target_group("shop", "instance").await;
    let at = server("shop").await;
    let register = |world: &World| {
        let (cx, target_group_arn) = (world.cx.clone(), group.clone());
        async move { cx.call(RegisterTargetsRequest { target_group_arn, targets: vec![target(id, at)] }).await }
    };
    let refused = register(&world).await.expect_err("there is no such instance");
    assert_eq!(
        refused.to_string(),
        format!("InvalidTarget: The following targets are not in a running state and cannot be registered: '{id}'")
    );
    world.instance(id, "running").await;
    register(&world).await.expect("registered");
    world.listener(&lb, PORT, forward(&group)).await;
    until("healthy", || async { world.health(&group).await == [format!("{id} healthy")] }).await;
    world.instance(id, "stopped").await;
    until("unused", || async { world.health(&group).await == [format!("{id} unused Target.InvalidState")] }).await;
    world.instance(id, "running").await;
    until("healthy again", || async { world.health(&group).await == [format!("{id} healthy")] }).await;
    world.instance(id, "terminated").await;
    until("gone", || async { world.health(&group).await.is_empty() }).await;
    let mut told = 0;
    while let Ok(commit) = feed.try_recv() {
        told += commit
            .changes
            .iter()
            .filter(|c| &*c.kind == kiln_elbv2_shapes::kinds::TARGET_HEALTH && c.id.contains(id))
            .count();
    }
    assert!(told >= 4, "the change feed told of {told} changes of health");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_rebuilds_everything_from_records() {
    let store = Store::in_memory(Clock::system());
    let world = World::with(store.clone(), Hooks::default()).await;
    let (lb, group) = shop(&world).await;
    let at = world.address(&lb, PORT);
    drop(world);
    // The old data plane closes its port when its last user is gone.
    until("the old port to be closed", || async { get(at, "/").await.is_none() }).await;
    let world = World::with(store, Hooks::default()).await;
    until("it to answer again", || async { get(at, "/").await == Some((200, "shop".into())) }).await;
    assert_eq!(world.health(&group).await, ["10.0.0.5 healthy"]);
    assert_eq!(world.state(&lb).await, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_may_run_twice_and_may_break() {
    let broken: Mutex<HashSet<String>> = Mutex::default();
    let once = Arc::new(move |_: &str, _: &kiln_service_kit::Name, step: &str| {
        // Each step breaks the first time, by turns before and after its work; then runs twice.
        let mut broken = broken.lock().expect("not poisoned");
        let even = broken.len().is_multiple_of(2);
        match (broken.insert(step.to_owned()), even) {
            (true, true) => Chaos::FailBefore,
            (true, false) => Chaos::FailAfter,
            (false, _) => Chaos::Twice,
        }
    });
    let chaos: kiln_reconcile::ChaosFor = once;
    let world = World::with(Store::in_memory(Clock::system()), Hooks { chaos: Some(chaos), on_pass: None }).await;
    let (lb, group) = shop(&world).await;
    let at = world.address(&lb, PORT);
    assert_eq!(get(at, "/").await, Some((200, "shop".into())));
    let interfaces = world.store.list::<ec2::Interface>(world.cx.scope()).expect("readable");
    assert_eq!(interfaces.len(), 2, "one in each zone, however often it was tried");
    world.cx.call(DeleteLoadBalancerRequest { load_balancer_arn: lb }).await.expect("deleted");
    world.cx.call(DeleteTargetGroupRequest { target_group_arn: group }).await.expect("deleted");
    until("nothing to be left", || async {
        get(at, "/").await.is_none()
            && world.store.list::<ec2::Interface>(world.cx.scope()).expect("readable").is_empty()
    })
    .await;
}
