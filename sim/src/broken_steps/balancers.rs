//! Load balancers and the health of their targets.

use super::{base_image, default_vpc, run, state_of, subnets, target_group};
use crate::play::platform;
use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_testkit::{Broken, Testkit, break_steps};
use std::sync::OnceLock;

/// How a target is and which interfaces there are, once all is at rest.
async fn what_is(kit: &Testkit, target_group: &str) -> String {
    kit.settle().await;
    let request = elb::DescribeTargetHealthRequest { target_group_arn: target_group.to_owned(), ..Default::default() };
    let health = kit.call(request).await.expect("described").target_health_descriptions;
    let states: Vec<String> = health.into_iter().filter_map(|t| t.target_health?.state).collect();
    let interfaces = kit.call(ec2::DescribeNetworkInterfacesRequest::default()).await.expect("described");
    let mut interfaces: Vec<String> = interfaces
        .network_interfaces
        .into_iter()
        .filter(|i| i.description.as_deref().is_some_and(|text| text.starts_with("ELB ")))
        .map(|i| format!("{} with {} groups", i.availability_zone.unwrap_or_default(), i.groups.len()))
        .collect();
    interfaces.sort();
    let balancers = kit.call(elb::DescribeLoadBalancersRequest::default()).await.expect("described").load_balancers;
    let balancers: Vec<String> = balancers.into_iter().filter_map(|b| b.state?.code).collect();
    format!("targets {states:?}, interfaces {interfaces:?}, balancers {balancers:?}")
}

/// Security groups, zones and listeners change; a target stops, comes back and leaves; all goes.
pub fn changes() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_steps(
            platform,
            |step| step.starts_with("elbv2/"),
            |kit| async move {
                let base = base_image(&kit).await;
                let zones = subnets(&kit).await;
                let machine = run(&kit, &base, Some(&zones[1])).await;
                let mut told = vec![state_of(&kit, &machine).await];
                let create = elb::CreateLoadBalancerRequest {
                    name: "web".to_owned(),
                    subnets: zones[..2].to_vec(),
                    scheme: Some("internal".to_owned()),
                    ..Default::default()
                };
                let made = kit.call(create).await.expect("begun").load_balancers.remove(0);
                let load_balancer_arn = made.load_balancer_arn.expect("an ARN");
                let target_group_arn = target_group(&kit).await;
                let action = elb::Action {
                    r#type: "forward".to_owned(),
                    target_group_arn: Some(target_group_arn.clone()),
                    ..Default::default()
                };
                let listen = elb::CreateListenerRequest {
                    load_balancer_arn: load_balancer_arn.clone(),
                    protocol: Some("HTTP".to_owned()),
                    port: Some(80),
                    default_actions: vec![action],
                    ..Default::default()
                };
                let listener = kit.call(listen).await.expect("made").listeners.remove(0).listener_arn.expect("an ARN");
                let targets = || vec![elb::TargetDescription { id: machine.clone(), ..Default::default() }];
                let register =
                    elb::RegisterTargetsRequest { target_group_arn: target_group_arn.clone(), targets: targets() };
                kit.call(register).await.expect("registered");
                told.push(what_is(&kit, &target_group_arn).await);

                let create = ec2::CreateSecurityGroupRequest {
                    description: "another".to_owned(),
                    group_name: "another".to_owned(),
                    vpc_id: default_vpc(&kit).await,
                    ..Default::default()
                };
                let group = kit.call(create).await.expect("made").group_id.expect("an id");
                let default = kit.call(ec2::DescribeSecurityGroupsRequest::default()).await.expect("described");
                let default = default.security_groups.into_iter().find(|g| g.group_name.as_deref() == Some("default"));
                let security_groups = vec![group, default.and_then(|g| g.group_id).expect("an id")];
                let set = elb::SetSecurityGroupsRequest {
                    load_balancer_arn: load_balancer_arn.clone(),
                    security_groups,
                    ..Default::default()
                };
                kit.call(set).await.expect("begun");
                let set = elb::SetSubnetsRequest {
                    load_balancer_arn: load_balancer_arn.clone(),
                    subnets: zones[1..3].to_vec(),
                    ..Default::default()
                };
                kit.call(set).await.expect("begun");
                told.push(what_is(&kit, &target_group_arn).await);

                let instance_ids = || vec![machine.clone()];
                let stop = ec2::StopInstancesRequest { instance_ids: instance_ids(), ..Default::default() };
                kit.call(stop).await.expect("begun");
                told.push(what_is(&kit, &target_group_arn).await);
                let start = ec2::StartInstancesRequest { instance_ids: instance_ids(), ..Default::default() };
                kit.call(start).await.expect("begun");
                told.push(what_is(&kit, &target_group_arn).await);
                let leave =
                    elb::DeregisterTargetsRequest { target_group_arn: target_group_arn.clone(), targets: targets() };
                kit.call(leave).await.expect("begun");
                told.push(what_is(&kit, &target_group_arn).await);
                kit.call(elb::DeleteListenerRequest { listener_arn: listener }).await.expect("gone");
                told.push(what_is(&kit, &target_group_arn).await);
                kit.call(elb::DeleteLoadBalancerRequest { load_balancer_arn }).await.expect("gone");
                told.push(what_is(&kit, &target_group_arn).await);
                told.join("\n")
            },
        )
    })
}
