//! CloudFormation's stacks.

use super::base_image;
use crate::play::platform;
use kiln_cloudformation_shapes as cfn;
use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_machines_spec::MachineDriver;
use kiln_testkit::{Broken, Testkit, break_each_step, break_steps};
use std::sync::OnceLock;

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

/// Fails where the late subnet is not within the VPC, which only EC2 knows, and while a machine is being made.
const FAILING: &str = r"
Parameters:
  Base: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/debian/release/12/latest/amd64}
  Late: {Type: String}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.9.0.0/16, Tags: [{Key: late, Value: !Ref Late}]}}
  Early: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.0.0/24, AvailabilityZone: us-east-1a}}
  Machine: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Base, InstanceType: t3.micro, SubnetId: !Ref Early}}
  LateOne: {Type: AWS::EC2::Subnet, DependsOn: Early, Properties: {VpcId: !Ref Vpc, CidrBlock: !Ref Late}}
";

fn parameter(key: &str, value: &str) -> cfn::Parameter {
    cfn::Parameter {
        parameter_key: Some(key.to_owned()),
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
pub fn comes_and_goes() -> &'static Broken {
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
            let parameters = vec![parameter("Port", "8081")];
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

/// A stack whose creation fails, and one whose update does.
pub fn fails() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_steps(
            platform,
            |step| step.starts_with("cloudformation/stack"),
            |kit| async move {
                base_image(&kit).await;
                let create = async |stack: &str, late: &str| {
                    let create = cfn::CreateStackRequest {
                        stack_name: stack.to_owned(),
                        template_body: Some(FAILING.to_owned()),
                        parameters: vec![parameter("Late", late)],
                        ..Default::default()
                    };
                    kit.call(create).await.expect("begun");
                    kit.settle().await;
                    what_is(&kit).await
                };
                let mut told = vec![create("never", "10.8.0.0/24").await];
                kit.call(cfn::DeleteStackRequest { stack_name: "never".to_owned(), ..Default::default() })
                    .await
                    .expect("begun");
                kit.settle().await;
                told.push(what_is(&kit).await);
                told.push(create("shop", "10.9.1.0/24").await);
                let update = cfn::UpdateStackRequest {
                    stack_name: "shop".to_owned(),
                    template_body: Some(FAILING.to_owned()),
                    parameters: vec![parameter("Late", "10.8.0.0/24")],
                    ..Default::default()
                };
                kit.call(update).await.expect("begun");
                kit.settle().await;
                told.push(what_is(&kit).await);
                let vpcs = kit.call(ec2::DescribeVpcsRequest::default()).await.expect("described").vpcs;
                let tags = vpcs.into_iter().flat_map(|vpc| vpc.tags).filter(|tag| tag.key.as_deref() == Some("late"));
                told.extend(tags.filter_map(|tag| tag.value));
                told.join("\n")
            },
        )
    })
}
