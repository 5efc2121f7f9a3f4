//! Every controller's promise, with all services together: each step may run twice, may fail before
//! it did anything, may do its work and fail to say so, and the end is the same.
//!
//! Each scenario leads some controllers through what they do. The last test knows the kinds of steps that
//! every controller takes: one that is in no scenario fails it, and so does a step of no known kind.

mod alarms;
mod balancers;
mod groups;
mod images;
mod keys;
mod kinds;
mod lifecycles;
mod logs;
mod machines;
mod networks;
mod queues;
mod schedules;
mod secrets;
mod sessions;
mod stacks;

use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_machines_spec::MachineDriver;
use kiln_testkit::{Broken, Testkit};
use std::sync::Arc;

/// As the server does it at its start.
pub async fn base_image(kit: &Testkit) -> String {
    let recipe = kiln_machines_spec::BaseRecipe::default();
    let base = kit.machines().ensure_base(&recipe, Arc::new(kiln_machines_spec::NoProgress)).await.expect("simulated");
    kiln_ec2::register_base(kit.platform(), &base).await.expect("registered")
}

/// Waits until all is at rest, and says what there is of it.
async fn state_of(kit: &Testkit, instance: &str) -> String {
    kit.settle().await;
    let request = ec2::DescribeInstancesRequest { instance_ids: vec![instance.to_owned()], ..Default::default() };
    let found = match kit.call(request).await {
        Ok(answer) => answer.reservations.into_iter().flat_map(|r| r.instances).next(),
        Err(error) => return error.code.into_owned(),
    };
    let Some(instance) = found else { return "not shown".to_owned() };
    let state = instance.state.and_then(|s| s.name).unwrap_or_default();
    let reason = instance.state_reason.and_then(|r| r.code).unwrap_or_default();
    format!("{state} {reason} with {} interfaces", instance.network_interfaces.len())
}

/// Starts one machine.
async fn run(kit: &Testkit, image: &str, subnet: Option<&str>) -> String {
    let request = ec2::RunInstancesRequest {
        image_id: Some(image.to_owned()),
        instance_type: Some("t3.micro".to_owned()),
        min_count: 1,
        max_count: 1,
        subnet_id: subnet.map(str::to_owned),
        ..Default::default()
    };
    kit.call(request).await.expect("begun").instances.remove(0).instance_id.expect("an id")
}

async fn default_vpc(kit: &Testkit) -> Option<String> {
    let vpcs = kit.call(ec2::DescribeVpcsRequest::default()).await.expect("described").vpcs;
    vpcs.into_iter().find_map(|vpc| vpc.vpc_id)
}

/// A new target group's ARN.
async fn target_group(kit: &Testkit) -> String {
    let create = elb::CreateTargetGroupRequest {
        name: "web".to_owned(),
        protocol: Some("HTTP".to_owned()),
        port: Some(80),
        vpc_id: default_vpc(kit).await,
        ..Default::default()
    };
    let made = kit.call(create).await.expect("made").target_groups.remove(0);
    made.target_group_arn.expect("an ARN")
}

/// The default subnets, by zone.
async fn subnets(kit: &Testkit) -> Vec<String> {
    let mut found = kit.call(ec2::DescribeSubnetsRequest::default()).await.expect("described").subnets;
    found.sort_by(|a, b| a.availability_zone.cmp(&b.availability_zone));
    found.into_iter().filter_map(|subnet| subnet.subnet_id).collect()
}

#[test]
fn a_group_heals_whatever_step_breaks() {
    assert!(groups::heals().steps.len() > 20, "{:#?}", groups::heals().steps);
}

#[test]
fn a_group_lends_its_instances_whatever_step_breaks() {
    groups::lends_its_instances();
}

#[test]
fn a_group_waits_for_hooks_and_room_whatever_step_breaks() {
    groups::waits();
}

#[test]
fn a_stack_comes_and_goes_whatever_step_breaks() {
    stacks::comes_and_goes();
}

#[test]
fn a_stack_that_fails_goes_back_whatever_step_breaks() {
    stacks::fails();
}

#[test]
fn an_image_comes_and_goes_whatever_step_breaks() {
    images::comes_and_goes();
}

#[test]
fn an_image_that_cannot_be_taken_fails_whatever_step_breaks() {
    images::fails();
}

#[test]
fn a_machine_lives_whatever_step_breaks() {
    machines::lives();
}

#[test]
fn a_network_changes_whatever_step_breaks() {
    networks::changes();
}

#[test]
fn a_load_balancer_changes_whatever_step_breaks() {
    balancers::changes();
}

#[test]
fn a_key_is_rotated_and_goes_whatever_step_breaks() {
    assert_eq!(keys::rotates_and_goes().steps.len(), 2, "{:#?}", keys::rotates_and_goes().steps);
}

#[test]
fn a_lifecycle_is_carried_out_whatever_step_breaks() {
    lifecycles::expires();
}

#[test]
fn a_deleted_secret_goes_whatever_step_breaks() {
    assert_eq!(secrets::goes().steps.len(), 1, "{:#?}", secrets::goes().steps);
}

#[test]
fn a_session_is_forgotten_whatever_step_breaks() {
    assert_eq!(sessions::ends().steps.len(), 1, "{:#?}", sessions::ends().steps);
}

#[test]
fn an_alarm_sets_in_motion_whatever_step_breaks() {
    alarms::set_in_motion();
}

#[test]
fn what_an_alarm_sets_in_motion_is_refused_whatever_step_breaks() {
    alarms::refused();
}

#[test]
fn dead_letters_go_back_whatever_step_breaks() {
    queues::moves();
}

#[test]
fn log_events_and_queries_come_and_go_whatever_step_breaks() {
    logs::come_and_go();
}

#[test]
fn schedules_come_whatever_step_breaks() {
    assert!(schedules::come().steps.len() > 2, "{:#?}", schedules::come().steps);
}

#[test]
fn every_kind_of_step_is_in_a_scenario() {
    let scenarios: &[&Broken] = &[
        groups::heals(),
        groups::lends_its_instances(),
        groups::waits(),
        stacks::comes_and_goes(),
        stacks::fails(),
        images::comes_and_goes(),
        images::fails(),
        logs::come_and_go(),
        machines::lives(),
        networks::changes(),
        queues::moves(),
        schedules::come(),
        balancers::changes(),
        keys::rotates_and_goes(),
        lifecycles::expires(),
        secrets::goes(),
        sessions::ends(),
        alarms::set_in_motion(),
        alarms::refused(),
    ];
    kinds::check(scenarios.iter().flat_map(|broken| &broken.steps));
}
