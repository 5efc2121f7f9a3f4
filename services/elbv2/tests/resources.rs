//! The CloudFormation types, asked as the engine asks them.

use crate::ec2;
use crate::world::*;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{ResourceRequest, Stability};
use serde_json::{Value as Json, json};

fn request(logical: &str, properties: Json) -> ResourceRequest {
    let tag = |key: &str, value: &str| (format!("aws:cloudformation:{key}"), value.to_owned());
    ResourceRequest {
        stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1".into(),
        stack_name: "shop".into(),
        logical_id: logical.into(),
        token: format!("token-{logical}"),
        physical_name: format!("shop-{logical}-1A2B3C4D5E6F7"),
        properties,
        previous: Json::Null,
        previous_tags: vec![],
        since: kiln_service_kit::Timestamp(0),
        tags: vec![
            tag("stack-id", "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1"),
            tag("logical-id", logical),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stacks_load_balancer_is_made_once_changed_and_deleted() {
    let world = World::new().await;
    let of = |name: &str| {
        let full = format!("AWS::ElasticLoadBalancingV2::{name}");
        world.cx.platform().resource_type(&full).expect("a type")
    };
    let (lbs, groups, listeners, rules) = (of("LoadBalancer"), of("TargetGroup"), of("Listener"), of("ListenerRule"));
    let lb_request = request(
        "LoadBalancer",
        json!({"Type": "application", "Scheme": "internet-facing", "SecurityGroups": [ec2::GROUP],
            "Subnets": [ec2::SUBNETS[0].0, ec2::SUBNETS[1].0],
            "LoadBalancerAttributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]}),
    );
    let lb = lbs.create(&world.cx, &lb_request).await.expect("made");
    assert_eq!(lbs.create(&world.cx, &lb_request).await.expect("found"), lb, "a second try finds the first one's");
    lbs.complete(&world.cx, &lb, &lb_request).await.expect("completed");
    let mut foreign = request("Other", lb_request.properties.clone());
    foreign.properties["Name"] = json!("shop-LoadBalancer-1A2B3C4D5E6F7");
    let refused = lbs.create(&world.cx, &foreign).await.expect_err("somebody else's");
    assert!(refused.is("AlreadyExists"), "{refused}");
    until("ready", || async { lbs.stability(&world.cx, &lb, &lb_request).await.expect("known") == Stability::Ready })
        .await;
    let attributes = lbs.attributes(&world.cx, &lb, &lb_request).await.expect("attributes");
    assert!(attributes["DNSName"].as_str().expect("a text").ends_with(".elb.localhost.localdomain"));
    assert!(attributes["LoadBalancerFullName"].as_str().expect("a text").starts_with("app/shop-LoadBalancer-"));

    let group_request = request(
        "Targets",
        json!({"VpcId": ec2::VPC, "Protocol": "HTTP", "Port": 8080, "TargetType": "ip", "HealthCheckPath": "/healthz",
            "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 2, "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]}),
    );
    let group = groups.create(&world.cx, &group_request).await.expect("made");
    assert_eq!(groups.create(&world.cx, &group_request).await.expect("found"), group);
    for _ in 0..2 {
        groups.complete(&world.cx, &group, &group_request).await.expect("completed");
    }
    let mut changed = group_request.clone();
    changed.previous = group_request.properties.clone();
    changed.properties["HealthCheckPath"] = json!("/");
    changed.properties.as_object_mut().expect("an object").remove("TargetGroupAttributes");
    groups.update(&world.cx, &group, &changed).await.expect("changed");
    let found = DescribeTargetGroupAttributesRequest { target_group_arn: group.clone() };
    let found = world.cx.call(found).await.expect("described").attributes;
    let delay = found.iter().find(|a| a.key.as_deref() == Some("deregistration_delay.timeout_seconds"));
    assert_eq!(delay.and_then(|a| a.value.as_deref()), Some("300"), "left out: back to the default");

    let listener_request = request(
        "Listener",
        json!({"LoadBalancerArn": lb, "Protocol": "HTTP", "Port": 18100,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}]}),
    );
    let listener = listeners.create(&world.cx, &listener_request).await.expect("made");
    assert_eq!(listeners.create(&world.cx, &listener_request).await.expect("found"), listener);
    listeners.complete(&world.cx, &listener, &listener_request).await.expect("completed");
    let rule_request = request(
        "Rule",
        json!({"ListenerArn": listener, "Priority": 7,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}],
            "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}]}),
    );
    let rule = rules.create(&world.cx, &rule_request).await.expect("made");
    assert_eq!(rules.create(&world.cx, &rule_request).await.expect("found"), rule);
    let mut moved = rule_request.clone();
    moved.previous = rule_request.properties.clone();
    moved.properties["Priority"] = json!(8);
    rules.update(&world.cx, &rule, &moved).await.expect("moved");
    until("the rule to answer", || async {
        get(world.address(&lb, 18100), "/x").await.map(|(status, _)| status) == Some(418)
    })
    .await;

    assert_eq!(rules.delete(&world.cx, &rule, &moved).await.expect("deleted"), Stability::Ready);
    assert_eq!(rules.delete(&world.cx, &rule, &moved).await.expect("gone already"), Stability::Ready);
    assert_eq!(listeners.delete(&world.cx, &listener, &listener_request).await.expect("deleted"), Stability::Ready);
    assert_eq!(groups.delete(&world.cx, &group, &changed).await.expect("deleted"), Stability::Ready);
    until("the load balancer to be gone with its interfaces", || async {
        lbs.delete(&world.cx, &lb, &lb_request).await.expect("deleting") == Stability::Ready
    })
    .await;
}
