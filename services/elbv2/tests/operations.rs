//! What the operations take, refuse and answer.

use crate::ec2;
use crate::world::*;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Error, Request};

async fn refusal<R: Request>(world: &World, request: R) -> String
where
    R::Response: std::fmt::Debug,
{
    world.cx.call(request).await.expect_err("refused").to_string()
}

fn create(name: &str) -> CreateLoadBalancerRequest {
    CreateLoadBalancerRequest {
        name: name.into(),
        subnets: ec2::SUBNETS[..2].iter().map(|s| s.0.to_owned()).collect(),
        security_groups: vec![ec2::GROUP.into()],
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_have_awss_names_and_are_made_once() {
    let world = World::new().await;
    let lb = world.load_balancer("Shop").await;
    let dns = lb.dns_name.clone().expect("a name");
    assert!(dns.starts_with("shop-") && dns.ends_with(".us-east-1.elb.localhost.localdomain"), "{dns}");
    let arn = lb.load_balancer_arn.clone().expect("an ARN");
    assert!(arn.starts_with("arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/Shop/"), "{arn}");
    assert_eq!(lb.state.and_then(|s| s.code).as_deref(), Some("provisioning"));
    let again = world.load_balancer("Shop").await;
    assert_eq!(again.load_balancer_arn, Some(arn.clone()), "the same settings: the same load balancer");
    assert!(!world.address(&arn, 80).ip().to_string().starts_with("127.0."));
    let mut other = create("Shop");
    other.scheme = Some("internal".into());
    assert_eq!(
        refusal(&world, other).await,
        "DuplicateLoadBalancerName: A load balancer with the same name 'Shop' exists, but with different settings"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_protocol_version_means_none_given() {
    let world = World::new().await;
    let request = CreateTargetGroupRequest {
        name: "shop".into(),
        protocol: Some("HTTP".into()),
        protocol_version: Some(String::new()),
        port: Some(80),
        vpc_id: Some(ec2::VPC.into()),
        ..Default::default()
    };
    let made = world.cx.call(request).await.expect("as Terraform asks for it").target_groups.remove(0);
    assert_eq!(made.protocol_version.as_deref(), Some("HTTP1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_awss_words() {
    let world = World::new().await;
    let with = |change: fn(&mut CreateLoadBalancerRequest)| {
        let mut request = create("shop");
        change(&mut request);
        request
    };
    for (request, expected) in [
        (
            with(|r| r.name = "internal-shop".into()),
            "ValidationError: Load balancer name 'internal-shop' cannot begin with 'internal-'",
        ),
        (
            with(|r| r.name = "a_b".into()),
            "ValidationError: Load balancer name 'a_b' can only contain characters that are alphanumeric characters and hyphens(-)",
        ),
        (
            with(|r| r.subnets.truncate(1)),
            "ValidationError: At least two subnets in two different Availability Zones must be specified",
        ),
        (
            with(|r| r.subnets = vec!["subnet-1".into(), "subnet-2".into()]),
            "SubnetNotFound: The subnet ID 'subnet-1' does not exist",
        ),
        (
            with(|r| r.security_groups = vec!["sg-1".into()]),
            "InvalidSecurityGroup: The security group 'sg-1' does not exist",
        ),
        (
            with(|r| r.r#type = Some("network".into())),
            "NotImplemented: Kiln does not implement elasticloadbalancing:CreateLoadBalancer with Type=network yet. Nothing was changed.",
        ),
    ] {
        assert_eq!(refusal(&world, request).await, expected);
    }
    let none = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/none/0000000000000000";
    let describe =
        |arn: &str| DescribeLoadBalancersRequest { load_balancer_arns: vec![arn.into()], ..Default::default() };
    assert_eq!(refusal(&world, describe(none)).await, "LoadBalancerNotFound: One or more load balancers not found");
    assert_eq!(refusal(&world, describe("shop")).await, "ValidationError: 'shop' is not a valid load balancer ARN");
    assert_eq!(
        refusal(&world, DescribeLoadBalancersRequest { names: vec!["none".into()], ..Default::default() }).await,
        "LoadBalancerNotFound: Load balancers '[none]' not found"
    );

    let lb = world.load_balancer("shop").await.load_balancer_arn.expect("an ARN");
    let group = world.target_group("shop", "ip").await;
    let listener = |protocol: &str, port: i32, actions: Vec<Action>| CreateListenerRequest {
        load_balancer_arn: lb.clone(),
        protocol: Some(protocol.into()),
        port: Some(port),
        default_actions: actions,
        ..Default::default()
    };
    let refused = refusal(&world, listener("HTTPS", 443, forward(&group))).await;
    assert!(
        refused.starts_with(
            "NotImplemented: Kiln does not implement elasticloadbalancing:CreateListener with Protocol=HTTPS"
        ),
        "{refused}"
    );
    let made = world.listener(&lb, 18090, forward(&group)).await;
    assert_eq!(
        refusal(&world, listener("HTTP", 18090, fixed("200", "x"))).await,
        format!("DuplicateListener: A listener already exists on this port for this load balancer '{lb}'")
    );
    assert_eq!(
        refusal(&world, DeleteTargetGroupRequest { target_group_arn: group.clone() }).await,
        format!("ResourceInUse: Target group '{group}' is currently in use by a listener or a rule")
    );
    let second = world.load_balancer("second").await.load_balancer_arn.expect("an ARN");
    let stolen = CreateListenerRequest { load_balancer_arn: second, ..listener("HTTP", 18091, forward(&group)) };
    assert!(refusal(&world, stolen).await.starts_with("TargetGroupAssociationLimit: "));

    let rule = |priority: i32| CreateRuleRequest {
        listener_arn: made.clone(),
        priority,
        conditions: vec![RuleCondition {
            field: Some("host-header".into()),
            values: vec!["a.example.org".into()],
            ..Default::default()
        }],
        actions: fixed("404", "no"),
        ..Default::default()
    };
    world.cx.call(rule(5)).await.expect("a rule");
    assert_eq!(refusal(&world, rule(5)).await, "PriorityInUse: Priority '5' is currently in use");
    let rules = DescribeRulesRequest { listener_arn: Some(made.clone()), ..Default::default() };
    let rules = world.cx.call(rules).await.expect("listed").rules;
    let priorities: Vec<_> = rules.iter().filter_map(|r| r.priority.as_deref()).collect();
    assert_eq!(priorities, ["5", "default"]);
    let default = rules[1].rule_arn.clone().expect("an ARN");
    assert_eq!(
        refusal(&world, DeleteRuleRequest { rule_arn: default.clone() }).await,
        format!("OperationNotPermitted: Default rule '{default}' cannot be deleted")
    );

    let protect = |on: &str| ModifyLoadBalancerAttributesRequest {
        load_balancer_arn: lb.clone(),
        attributes: vec![LoadBalancerAttribute {
            key: Some("deletion_protection.enabled".into()),
            value: Some(on.into()),
        }],
    };
    world.cx.call(protect("true")).await.expect("protected");
    let delete = || DeleteLoadBalancerRequest { load_balancer_arn: lb.clone() };
    assert_eq!(
        refusal(&world, delete()).await,
        format!("OperationNotPermitted: Load balancer '{lb}' cannot be deleted because deletion protection is enabled")
    );
    world.cx.call(protect("false")).await.expect("open");
    world.cx.call(delete()).await.expect("deleted");
    let gone: Result<_, Error> =
        world.cx.call(DescribeListenersRequest { listener_arns: vec![made], ..Default::default() }).await;
    assert!(gone.expect_err("gone with its load balancer").is("ListenerNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_and_conditions_are_shown_in_full() {
    let world = World::new().await;
    let lb = world.load_balancer("shop").await.load_balancer_arn.expect("an ARN");
    let group = world.target_group("shop", "ip").await;
    world.listener(&lb, 18092, forward(&group)).await;
    let request = DescribeListenersRequest { load_balancer_arn: Some(lb.clone()), ..Default::default() };
    let action = world.cx.call(request).await.expect("listed").listeners.remove(0).default_actions.remove(0);
    let config = action.forward_config.expect("a config");
    assert_eq!(action.target_group_arn, Some(group.clone()));
    assert_eq!(config.target_groups[0].weight, Some(1));
    assert_eq!(config.target_group_stickiness_config.and_then(|s| s.enabled), Some(false));
    let groups = DescribeTargetGroupsRequest { load_balancer_arn: Some(lb.clone()), ..Default::default() };
    let found = world.cx.call(groups).await.expect("listed").target_groups.remove(0);
    assert_eq!((found.target_group_arn, found.load_balancer_arns), (Some(group.clone()), vec![lb]));
    assert_eq!(found.health_check_port.as_deref(), Some("traffic-port"));
    for what in ["AnomalyDetection", "All"] {
        let asked = DescribeTargetHealthRequest {
            target_group_arn: group.clone(),
            include: vec![what.into()],
            ..Default::default()
        };
        let told = refusal(&world, asked).await;
        assert!(told.contains("DescribeTargetHealth with Include"), "{told}");
    }
    let not_there = DescribeTargetHealthRequest {
        target_group_arn: group.clone(),
        targets: vec![TargetDescription { id: "10.0.0.9".into(), port: Some(9), ..Default::default() }],
        ..Default::default()
    };
    let found = world.cx.call(not_there).await.expect("described").target_health_descriptions.remove(0);
    assert_eq!(found.health_check_port.as_deref(), Some("9"));
    assert_eq!(found.target_health.and_then(|h| h.reason).as_deref(), Some("Target.NotRegistered"));
    let tags = vec![Tag { key: "a".into(), value: Some("b".into()) }];
    world.cx.call(AddTagsRequest { resource_arns: vec![group.clone()], tags: tags.clone() }).await.expect("tagged");
    let found = world.cx.call(DescribeTagsRequest { resource_arns: vec![group] }).await.expect("described");
    assert_eq!(found.tag_descriptions[0].tags, tags);
}
