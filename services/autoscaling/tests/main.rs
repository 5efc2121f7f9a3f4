//! A story with simulated machines: the real EC2 service, the real controllers, a clock that moves
//! only when everybody waits. It is told again with every step of every controller run twice,
//! failing before it began and failing after it was done, and must end alike each time.

use kiln_autoscaling_shapes::*;
use kiln_ec2_shapes as ec2;
use kiln_machines_spec::{BaseRecipe, MachineDriver, NoProgress};
use kiln_testkit::{Builder, Testkit, break_each_step};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn platform() -> Builder {
    Testkit::new(1).service(kiln_ec2::service()).service(kiln_autoscaling::service())
}

/// A call that must succeed.
async fn call<R: kiln_service_kit::Request>(kit: &Testkit, request: R) -> R::Response {
    match kit.call(request).await {
        Ok(answer) => answer,
        Err(error) => panic!("{}: {error}", R::OPERATION),
    }
}

async fn see(kit: &Testkit) -> Option<AutoScalingGroup> {
    call(kit, DescribeAutoScalingGroupsRequest::default()).await.auto_scaling_groups.into_iter().next()
}

/// Waits until the group has `n` instances, all in service, and not `without`; returns their ids.
async fn serving(kit: &Testkit, n: usize, without: &str) -> Vec<String> {
    let settled = || async {
        let instances = see(kit).await.map(|group| group.instances).unwrap_or_default();
        instances.len() == n
            && instances
                .iter()
                .all(|i| i.lifecycle_state.as_deref() == Some("InService") && i.instance_id.as_deref() != Some(without))
    };
    kit.until(&format!("{n} instances in service"), 2 * MINUTE, settled).await;
    see(kit).await.into_iter().flat_map(|group| group.instances).filter_map(|i| i.instance_id).collect()
}

/// Machines that exist, in any state.
async fn machines(kit: &Testkit) -> Vec<String> {
    let all = kit.machines().list().await.expect("the simulation lists its machines");
    let mut ids: Vec<String> = all.into_iter().map(|m| m.spec.id.to_string()).collect();
    ids.sort();
    ids
}

/// Makes a launch template and the group `web` over all default subnets.
async fn given_a_group(kit: &Testkit, desired: i32) {
    let base = kit.machines().ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image");
    let image = kiln_ec2::register_base(kit.platform(), &base).await.expect("EC2 knows the image");
    let data = ec2::RequestLaunchTemplateData {
        image_id: Some(image),
        instance_type: Some("t3.micro".to_owned()),
        ..Default::default()
    };
    let template = ec2::CreateLaunchTemplateRequest {
        launch_template_name: "web".to_owned(),
        launch_template_data: data,
        ..Default::default()
    };
    call(kit, template).await;
    let subnets = call(kit, ec2::DescribeSubnetsRequest::default()).await.subnets;
    let subnets: Vec<String> = subnets.into_iter().filter_map(|s| s.subnet_id).collect();
    let template = LaunchTemplateSpecification { launch_template_name: Some("web".to_owned()), ..Default::default() };
    let group = CreateAutoScalingGroupRequest {
        auto_scaling_group_name: "web".to_owned(),
        launch_template: Some(template),
        min_size: 0,
        max_size: 9,
        desired_capacity: Some(desired),
        vpc_zone_identifier: Some(subnets.join(",")),
        ..Default::default()
    };
    call(kit, group).await;
}

/// Activities as `STATUS description | cause`, sorted, times and ids left out.
async fn told(kit: &Testkit) -> String {
    let request = DescribeScalingActivitiesRequest { include_deleted_groups: Some(true), ..Default::default() };
    let activities = call(kit, request).await.activities;
    let mut lines: Vec<String> = activities
        .into_iter()
        .map(|a| {
            let [status, what, cause] = [a.status_code, a.description, a.cause].map(|text| text.unwrap_or_default());
            plain(&format!("{status} {what} | {cause}"))
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

fn plain(text: &str) -> String {
    let word = |w: &str| match w {
        w if w.starts_with("i-") => "i-X".to_owned(),
        w if w.starts_with("2026-") => "T".to_owned(),
        w => w.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

const STORY: &str = "\
Successful Launching a new EC2 instance: i-X | At T a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At T an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
Successful Launching a new EC2 instance: i-X | At T a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At T an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
Successful Launching a new EC2 instance: i-X | At T a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At T an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
Successful Launching a new EC2 instance: i-X | At T an instance was launched in response to an unhealthy instance needing to be replaced.
Successful Terminating EC2 instance: i-X | At T a user request explicitly set group desired capacity changing the desired capacity from 3 to 2.  At T an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 3 to 2.  At T instance i-X was selected for termination.
Successful Terminating EC2 instance: i-X | At T an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
Successful Terminating EC2 instance: i-X | At T instance i-X was taken out of service in response to a user request to delete its AutoScalingGroup.
Successful Terminating EC2 instance: i-X | At T instance i-X was taken out of service in response to a user request to delete its AutoScalingGroup.";

async fn three_machines_one_dies(kit: Arc<Testkit>) -> String {
    given_a_group(&kit, 3).await;
    let before = serving(&kit, 3, "").await;

    // when one dies, then one starts
    kit.kill(&before[0]).expect("the machine runs");
    let after = serving(&kit, 3, &before[0]).await;
    assert!(before[1..].iter().all(|id| after.contains(id)), "the healthy ones are left alone");

    // when fewer are wanted, then one goes
    let fewer = SetDesiredCapacityRequest {
        auto_scaling_group_name: "web".to_owned(),
        desired_capacity: 2,
        honor_cooldown: None,
    };
    call(&kit, fewer).await;
    let mut left = serving(&kit, 2, "").await;
    left.sort();
    assert_eq!(machines(&kit).await, left, "no machine is left over");

    // when the group is deleted, then nothing is left
    let delete = DeleteAutoScalingGroupRequest { auto_scaling_group_name: "web".to_owned(), force_delete: Some(true) };
    call(&kit, delete).await;
    kit.until("the group is gone", 2 * MINUTE, || async { see(&kit).await.is_none() }).await;
    assert_eq!(machines(&kit).await, Vec::<String>::new(), "so are its machines");
    let launched = call(&kit, ec2::DescribeInstancesRequest::default()).await.reservations.len();
    assert_eq!(launched, 4, "three and one replacement were launched, no more");
    told(&kit).await
}

#[test]
fn a_story_ends_alike_whichever_step_breaks() {
    let broken = break_each_step(platform, |kit| async {
        let told = three_machines_one_dies(kit).await;
        assert_eq!(told, STORY);
        told
    });
    let own = broken.steps.iter().filter(|step| step.starts_with("autoscaling/group")).count();
    assert!(own > 20, "the group's own steps are among the {}: {own}", broken.steps.len());
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct AnyActivity(serde_json::Value);

impl kiln_service_kit::Record for AnyActivity {
    const KIND: &'static str = "autoscaling/activity";
}

#[test]
fn activities_that_ended_are_history_and_found_in_every_way_for_six_weeks() {
    kiln_testkit::simulate(async {
        let kit = platform().start().await;
        given_a_group(&kit, 3).await;
        serving(&kit, 3, "").await;
        kit.settle().await;
        let under_way = kit.store().list::<AnyActivity>(&kit.scope()).expect("there are none to read");
        assert!(under_way.is_empty(), "{} activities are still records", under_way.len());

        let ids = |answer: DescribeScalingActivitiesResponse| -> Vec<String> {
            answer.activities.into_iter().filter_map(|activity| activity.activity_id).collect()
        };
        let of_group = || DescribeScalingActivitiesRequest {
            auto_scaling_group_name: Some("web".to_owned()),
            ..Default::default()
        };
        let all = ids(call(&kit, DescribeScalingActivitiesRequest::default()).await);
        assert_eq!(all.len(), 3);
        assert_eq!(ids(call(&kit, of_group()).await), all);
        let (mut paged, mut token) = (vec![], None);
        loop {
            let page = DescribeScalingActivitiesRequest { max_records: Some(1), next_token: token, ..of_group() };
            let page = call(&kit, page).await;
            token = page.next_token.clone();
            paged.extend(ids(page));
            if token.is_none() {
                break;
            }
        }
        assert_eq!(paged, all, "page by page the same, in the same order");
        let two = vec![all[2].clone(), "unknown".to_owned(), all[0].clone()];
        let by_id = DescribeScalingActivitiesRequest { activity_ids: two, ..Default::default() };
        assert_eq!(ids(call(&kit, by_id).await), [all[0].clone(), all[2].clone()]);
        let filter = |name: &str, value: &str| Filter { name: Some(name.to_owned()), values: vec![value.to_owned()] };
        let failed = DescribeScalingActivitiesRequest { filters: vec![filter("Status", "Failed")], ..of_group() };
        assert!(ids(call(&kit, failed).await).is_empty());
        let now = kit.now().iso8601();
        let later =
            DescribeScalingActivitiesRequest { filters: vec![filter("StartTimeLowerBound", &now)], ..of_group() };
        assert!(ids(call(&kit, later).await).is_empty());

        let delete =
            DeleteAutoScalingGroupRequest { auto_scaling_group_name: "web".to_owned(), force_delete: Some(true) };
        call(&kit, delete).await;
        kit.settle().await;
        assert!(ids(call(&kit, DescribeScalingActivitiesRequest::default()).await).is_empty());
        kit.call(of_group()).await.expect_err("the group is gone");
        let deleted = || DescribeScalingActivitiesRequest { include_deleted_groups: Some(true), ..of_group() };
        assert_eq!(ids(call(&kit, deleted()).await).len(), 6);
        let later = kit.now() + Duration::from_secs(43 * 24 * 3600);
        kit.platform().history().journal().trim(later).expect("trimmed");
        assert!(ids(call(&kit, deleted()).await).is_empty(), "six weeks are over");
    });
}
