//! Auto Scaling groups.

use super::target_group;
use crate::play::{Player, platform};
use crate::script;
use kiln_autoscaling_shapes as asg;
use kiln_elbv2_shapes as elb;
use kiln_testkit::{Broken, Testkit, break_each_step, break_steps};
use std::sync::OnceLock;
use std::time::Duration;

/// Launch, heal and shrink.
pub fn heals() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let text = "group web min 1 desired 2 max 3\nsettle\nkill one of web\nsettle\ndesired web 1\nsettle";
            let mut player = Player::new(&kit);
            for (line, command) in script::parse(text).expect("a script") {
                player.command(&command).await.unwrap_or_else(|e| panic!("{line}: {e}"));
            }
            let serving = player.in_service("web", None).await.expect("described").len();
            let running = kit.machines().running();
            format!("{serving} in service, {running} machines run")
        })
    })
}

/// Instances by state, targets, machines; once all is at rest.
async fn what_is(kit: &Testkit, target_group: &str) -> String {
    kit.settle().await;
    let request = asg::DescribeAutoScalingGroupsRequest::default();
    let group = kit.call(request).await.expect("described").auto_scaling_groups.into_iter().next();
    let mut states: Vec<String> = vec![];
    for instance in group.map(|group| group.instances).unwrap_or_default() {
        states.push(instance.lifecycle_state.unwrap_or_default());
    }
    states.sort();
    let request = elb::DescribeTargetHealthRequest { target_group_arn: target_group.to_owned(), ..Default::default() };
    let targets = kit.call(request).await.expect("described").target_health_descriptions.len();
    format!("{states:?}, {targets} targets, {} machines run", kit.machines().running())
}

/// The ids of those in service.
async fn serving(kit: &Testkit) -> Vec<String> {
    let player = Player::new(kit);
    player.in_service("web", None).await.expect("described")
}

/// A group `web` of up to four, without instances.
async fn given_a_group(kit: &Testkit) {
    let mut player = Player::new(kit);
    for (line, command) in script::parse("group web min 0 desired 0 max 4").expect("a script") {
        player.command(&command).await.unwrap_or_else(|e| panic!("{line}: {e}"));
    }
}

fn group() -> String {
    "web".to_owned()
}

async fn capacity(kit: &Testkit, desired_capacity: i32) {
    let auto_scaling_group_name = group();
    let set = asg::SetDesiredCapacityRequest { auto_scaling_group_name, desired_capacity, honor_cooldown: None };
    kit.call(set).await.expect("set");
}

async fn delete(kit: &Testkit) {
    let delete = asg::DeleteAutoScalingGroupRequest { auto_scaling_group_name: group(), force_delete: Some(true) };
    kit.call(delete).await.expect("begun");
}

/// A target group comes and goes, an instance stands by, leaves and joins again, and one that died stays while
/// nothing may be replaced.
pub fn lends_its_instances() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_steps(
            platform,
            |step| step.starts_with("autoscaling/group"),
            |kit| async move {
                let arn = target_group(&kit).await;
                given_a_group(&kit).await;
                capacity(&kit, 2).await;
                let mut told = vec![what_is(&kit, &arn).await];
                let target_group_arns = vec![arn.clone()];
                let attach =
                    asg::AttachLoadBalancerTargetGroupsRequest { auto_scaling_group_name: group(), target_group_arns };
                kit.call(attach).await.expect("begun");
                told.push(what_is(&kit, &arn).await);

                let first = vec![serving(&kit).await.remove(0)];
                let standby = asg::EnterStandbyRequest {
                    instance_ids: first.clone(),
                    auto_scaling_group_name: group(),
                    should_decrement_desired_capacity: true,
                };
                kit.call(standby).await.expect("begun");
                told.push(what_is(&kit, &arn).await);
                let back = asg::ExitStandbyRequest { instance_ids: first.clone(), auto_scaling_group_name: group() };
                kit.call(back).await.expect("begun");
                told.push(what_is(&kit, &arn).await);
                let detach = asg::DetachInstancesRequest {
                    instance_ids: first.clone(),
                    auto_scaling_group_name: group(),
                    should_decrement_desired_capacity: true,
                };
                kit.call(detach).await.expect("begun");
                told.push(what_is(&kit, &arn).await);
                let attach =
                    asg::AttachInstancesRequest { instance_ids: first.clone(), auto_scaling_group_name: group() };
                kit.call(attach).await.expect("begun");
                told.push(what_is(&kit, &arn).await);

                let scaling_processes = || vec!["ReplaceUnhealthy".to_owned()];
                let suspend = asg::SuspendProcessesRequest {
                    auto_scaling_group_name: group(),
                    scaling_processes: scaling_processes(),
                };
                kit.call(suspend).await.expect("suspended");
                kit.kill(&first[0]).expect("it runs");
                told.push(what_is(&kit, &arn).await);
                let resume = asg::ResumeProcessesRequest {
                    auto_scaling_group_name: group(),
                    scaling_processes: scaling_processes(),
                };
                kit.call(resume).await.expect("resumed");
                told.push(what_is(&kit, &arn).await);

                let target_group_arns = vec![arn.clone()];
                let detach =
                    asg::DetachLoadBalancerTargetGroupsRequest { auto_scaling_group_name: group(), target_group_arns };
                kit.call(detach).await.expect("begun");
                told.push(what_is(&kit, &arn).await);
                delete(&kit).await;
                told.push(what_is(&kit, &arn).await);
                told.join("\n")
            },
        )
    })
}

/// Hooks hold instances that come and go; one is reported as unhealthy; for another there is no room.
pub fn waits() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_steps(
            platform,
            |step| step.starts_with("autoscaling/group"),
            |kit| async move {
                given_a_group(&kit).await;
                for transition in ["LAUNCHING", "TERMINATING"] {
                    let hook = asg::PutLifecycleHookRequest {
                        lifecycle_hook_name: transition.to_lowercase(),
                        auto_scaling_group_name: group(),
                        lifecycle_transition: Some(format!("autoscaling:EC2_INSTANCE_{transition}")),
                        heartbeat_timeout: Some(30),
                        default_result: Some("CONTINUE".to_owned()),
                        ..Default::default()
                    };
                    kit.call(hook).await.expect("put");
                }
                // A hook holds for half a minute; who is replaced leaves and comes by way of both.
                let mut told = vec![];
                let mut look = async |seconds: u64| {
                    kit.advance(Duration::from_secs(seconds)).await;
                    let serving = serving(&kit).await;
                    told.push(format!("{} serve, {} machines run", serving.len(), kit.machines().running()));
                    serving.into_iter().next()
                };
                capacity(&kit, 1).await;
                let first = look(60).await.expect("one serves");
                let ill = asg::SetInstanceHealthRequest {
                    instance_id: first,
                    health_status: "Unhealthy".to_owned(),
                    should_respect_grace_period: Some(false),
                };
                kit.call(ill).await.expect("noted");
                look(150).await;
                // No room for one more, and then there is.
                kit.machines().set_room(Some(1));
                capacity(&kit, 2).await;
                kit.advance(Duration::from_secs(1)).await;
                kit.machines().set_room(None);
                look(180).await;
                delete(&kit).await;
                kit.settle().await;
                told.push(format!("{} machines run in the end", kit.machines().running()));
                told.join("\n")
            },
        )
    })
}
