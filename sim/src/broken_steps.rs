//! Every controller's promise, with all services together: each step may run twice, may fail before
//! it did anything, may do its work and fail to say so, and the end is the same.
//!
//! Each scenario leads some controllers through all they do; the last test fails when a controller
//! is in none of them, so a new one must be added here.

use crate::play::{Player, platform};
use crate::script;
use kiln_cloudformation_shapes as cfn;
use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_iam_shapes as iam;
use kiln_machines_spec::MachineDriver;
use kiln_sts_shapes as sts;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Launch, heal and shrink.
fn a_group() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let text = "group web min 1 desired 2 max 3\nsettle\nkill one of web\nsettle\ndesired web 1\nsettle";
            let mut player = Player { kit: &kit, told: BTreeSet::new(), groups: vec![] };
            for (line, command) in script::parse(text).expect("a script") {
                player.command(&command).await.unwrap_or_else(|e| panic!("{line}: {e}"));
            }
            let serving = player.in_service("web", None).await.expect("described").len();
            let running = kit.machines().running();
            format!("{serving} in service, {running} machines run")
        })
    })
}

/// The base image, as an SSM parameter's name.
const TEMPLATE: &str = r"
Parameters:
  Base: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/debian/release/12/latest/amd64}
  Port: {Type: Number, Default: 8080}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.9.0.0/16}}
  SubnetA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.0.0/24, AvailabilityZone: us-east-1a}}
  SubnetB: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.1.0/24, AvailabilityZone: us-east-1b}}
  Balancer: {Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: {Scheme: internal, Subnets: [!Ref SubnetA, !Ref SubnetB]}}
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {VpcId: !Ref Vpc, Protocol: HTTP, Port: !Ref Port, Targets: [{Id: !Ref Machine}]}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties: {LoadBalancerArn: !Ref Balancer, Protocol: HTTP, Port: 80, DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]}
  Machine: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Base, InstanceType: t3.micro, SubnetId: !Ref SubnetA}}
";

fn parameter(value: &str) -> cfn::Parameter {
    cfn::Parameter {
        parameter_key: Some("Port".to_owned()),
        parameter_value: Some(value.to_owned()),
        ..Default::default()
    }
}

async fn status_of_stack(kit: &Testkit) -> String {
    let stacks = kit.call(cfn::ListStacksRequest::default()).await.expect("listed").stack_summaries;
    stacks.iter().map(|s| format!("{:?}", s.stack_status)).collect::<Vec<_>>().join(" ")
}

/// What there is of everything the stack makes.
async fn what_is(kit: &Testkit) -> String {
    let balancers = kit.call(elb::DescribeLoadBalancersRequest::default()).await.expect("described").load_balancers;
    let groups = kit.call(elb::DescribeTargetGroupsRequest::default()).await.expect("described").target_groups;
    let interfaces = kit.call(ec2::DescribeNetworkInterfacesRequest::default()).await.expect("described");
    let states: Vec<String> = balancers.into_iter().filter_map(|b| b.state?.code).collect();
    format!(
        "stack {}; balancers {states:?}; ports {:?}; {} interfaces; {} machines, {} networks on the host",
        status_of_stack(kit).await,
        groups.iter().filter_map(|g| g.port).collect::<Vec<_>>(),
        interfaces.network_interfaces.len(),
        kit.machines().list().await.expect("listed").len(),
        kit.machines().networks().await.expect("listed").len(),
    )
}

/// A stack with a machine and a load balancer: created, changed by replacing its target group, deleted.
fn a_stack() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            base_image(&kit).await;
            let name = || "shop".to_owned();
            let template_body = Some(TEMPLATE.to_owned());
            let create = cfn::CreateStackRequest {
                stack_name: name(),
                template_body: template_body.clone(),
                ..Default::default()
            };
            kit.call(create).await.expect("begun");
            kit.settle().await;
            let mut told = vec![what_is(&kit).await];
            let parameters = vec![parameter("8081")];
            let update =
                cfn::UpdateStackRequest { stack_name: name(), template_body, parameters, ..Default::default() };
            kit.call(update).await.expect("begun");
            kit.settle().await;
            told.push(what_is(&kit).await);
            kit.call(cfn::DeleteStackRequest { stack_name: name(), ..Default::default() }).await.expect("begun");
            kit.settle().await;
            told.push(what_is(&kit).await);
            told.join("\n")
        })
    })
}

/// As the server does it at its start.
async fn base_image(kit: &Testkit) -> String {
    let recipe = kiln_machines_spec::BaseRecipe::default();
    let base = kit.machines().ensure_base(&recipe, Arc::new(kiln_machines_spec::NoProgress)).await.expect("simulated");
    kiln_ec2::register_base(kit.platform(), &base).await.expect("registered")
}

/// An image is taken of a machine, given up and its bytes freed once the machine made of it is gone.
fn an_image() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let run = |image: String| ec2::RunInstancesRequest {
                image_id: Some(image),
                instance_type: Some("t3.micro".to_owned()),
                min_count: 1,
                max_count: 1,
                ..Default::default()
            };
            let base = base_image(&kit).await;
            let first = kit.call(run(base)).await.expect("begun").instances.remove(0).instance_id.expect("an id");
            kit.settle().await;
            let request =
                ec2::CreateImageRequest { instance_id: first.clone(), name: "taken".to_owned(), ..Default::default() };
            let image = kit.call(request).await.expect("begun").image_id.expect("an id");
            kit.settle().await;
            let second = kit.call(run(image.clone())).await.expect("begun");
            let second = second.instances.into_iter().next().and_then(|i| i.instance_id).expect("an id");
            kit.settle().await;
            let describe = ec2::DescribeImagesRequest { image_ids: vec![image.clone()], ..Default::default() };
            let shown = kit.call(describe).await.expect("described").images.remove(0);
            let snapshot =
                shown.block_device_mappings.into_iter().find_map(|b| b.ebs?.snapshot_id).expect("a snapshot");
            let request = ec2::DeregisterImageRequest { image_id: image.clone(), ..Default::default() };
            kit.call(request).await.expect("deregistered");
            let request = ec2::DeleteSnapshotRequest { snapshot_id: snapshot, ..Default::default() };
            kit.call(request).await.expect("deleted");
            kit.settle().await;
            let used = kit.machines().images().await.expect("listed").len();
            let instance_ids = vec![first, second];
            kit.call(ec2::TerminateInstancesRequest { instance_ids, ..Default::default() }).await.expect("begun");
            kit.settle().await;
            let images = kit.machines().images().await.expect("listed").len();
            let machines = kit.machines().list().await.expect("listed").len();
            format!("image {:?}; {used} images while it is used, {images} after; {machines} machines", shown.state)
        })
    })
}

/// Temporary credentials end and are forgotten.
fn a_session() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_iam::service(), kiln_sts::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
            let role = iam::CreateRoleRequest {
                role_name: "visitor".to_owned(),
                assume_role_policy_document: trust.to_owned(),
                ..Default::default()
            };
            kit.call(role).await.expect("made");
            let request = sts::AssumeRoleRequest {
                role_arn: "arn:aws:iam::000000000000:role/visitor".to_owned(),
                role_session_name: "guest".to_owned(),
                ..Default::default()
            };
            kit.call(request).await.expect("assumed");
            let sessions = || kit.platform().reports().iter().filter(|(c, ..)| *c == "sts/expiry").count();
            kit.settle().await;
            let mut told = vec![sessions()];
            // An hour of life, a day of memory.
            kit.advance(Duration::from_secs(26 * 3600)).await;
            kit.settle().await;
            told.push(sessions());
            format!("{told:?}")
        })
    })
}

#[test]
fn a_group_heals_whatever_step_breaks() {
    let broken = a_group();
    assert!(broken.steps.len() > 20, "{:#?}", broken.steps);
}

#[test]
fn a_stack_comes_and_goes_whatever_step_breaks() {
    let broken = a_stack();
    for step in ["cloudformation/stack", "elbv2/load-balancer", "elbv2/target-health"] {
        assert!(broken.steps.iter().any(|s| s.starts_with(step)), "{step}: {:#?}", broken.steps);
    }
}

#[test]
fn an_image_comes_and_goes_whatever_step_breaks() {
    assert!(an_image().steps.iter().any(|s| s.contains("Capture")), "{:#?}", an_image().steps);
}

#[test]
fn a_session_is_forgotten_whatever_step_breaks() {
    assert_eq!(a_session().steps.len(), 1, "{:#?}", a_session().steps);
}

#[test]
fn every_controller_is_in_a_scenario() {
    let all: BTreeSet<&str> =
        crate::services::services().iter().flat_map(|s| s.controllers.iter().map(|c| c.name())).collect();
    let scenarios = [a_group(), a_stack(), an_image(), a_session()];
    let broken: BTreeSet<&str> =
        scenarios.iter().flat_map(|b| &b.steps).filter_map(|step| step.split(' ').next()).collect();
    assert_eq!(broken, all);
}
