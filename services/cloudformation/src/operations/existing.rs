//! `ImportExistingResources` of a change set: resources whose names are taken already would be imported. That is not
//! built; where none of the names is taken, there is nothing to import and the change set is like any other.
//! `cdk bootstrap` and `cdk deploy --import-existing-resources` ask for it.

use crate::changes::Changes;
use crate::schemas::own_name;
use kiln_autoscaling_shapes::{DescribeAutoScalingGroupsRequest, DescribeLaunchConfigurationsRequest};
use kiln_ec2_shapes::{DescribeKeyPairsRequest, DescribeLaunchTemplatesRequest, DescribeSecurityGroupsRequest, Filter};
use kiln_elbv2_shapes::{DescribeLoadBalancersRequest, DescribeTargetGroupsRequest};
use kiln_iam_shapes::{GetGroupRequest, GetInstanceProfileRequest, GetPolicyRequest, GetRoleRequest, GetUserRequest};
use kiln_s3_shapes::HeadBucketRequest;
use kiln_service_kit::{Cx, Error};
use kiln_ssm_shapes::GetParameterRequest;
use kiln_template::changes::Action;
use serde_json::Value as Json;

/// Refuses to import the things that have the names of resources that would be added.
pub async fn refuse_import(cx: &Cx, changes: &Changes) -> Result<(), Error> {
    for change in changes.resources.iter().filter(|change| change.action == Action::Add) {
        let Some(after) = &change.after else { continue };
        let Some(name) = own_name(&change.resource_type, &after.properties) else { continue };
        if exists(cx, &change.resource_type, name, &after.properties).await? {
            let (kind, id) = (&change.resource_type, &change.logical_id);
            return Err(Error::not_built(format!("import of existing resources ({id}: the {kind} {name} is there)")));
        }
    }
    Ok(())
}

/// Whether an answer tells of a thing; a refusal because there is none tells of nothing.
fn any<T>(answer: Result<T, Error>, has: impl FnOnce(T) -> bool) -> Result<bool, Error> {
    match answer {
        Ok(answer) => Ok(has(answer)),
        Err(error) if error.is("NoSuchEntity") || error.status == 404 || error.code.contains("NotFound") => Ok(false),
        Err(error) => Err(error),
    }
}

async fn exists(cx: &Cx, resource_type: &str, name: &str, properties: &Json) -> Result<bool, Error> {
    let text = || name.to_owned();
    let names = || vec![name.to_owned()];
    let filter = |key: &str, value: &str| Filter { name: Some(key.to_owned()), values: vec![value.to_owned()] };
    match resource_type {
        "AWS::AutoScaling::AutoScalingGroup" => {
            let asked = DescribeAutoScalingGroupsRequest { auto_scaling_group_names: names(), ..Default::default() };
            any(cx.call(asked).await, |found| !found.auto_scaling_groups.is_empty())
        }
        "AWS::AutoScaling::LaunchConfiguration" => {
            let asked =
                DescribeLaunchConfigurationsRequest { launch_configuration_names: names(), ..Default::default() };
            any(cx.call(asked).await, |found| !found.launch_configurations.is_empty())
        }
        "AWS::EC2::KeyPair" => {
            let asked = DescribeKeyPairsRequest { filters: vec![filter("key-name", name)], ..Default::default() };
            any(cx.call(asked).await, |found| !found.key_pairs.is_empty())
        }
        "AWS::EC2::LaunchTemplate" => {
            let filters = vec![filter("launch-template-name", name)];
            let asked = DescribeLaunchTemplatesRequest { filters, ..Default::default() };
            any(cx.call(asked).await, |found| !found.launch_templates.is_empty())
        }
        "AWS::EC2::SecurityGroup" => {
            let vpc = properties.get("VpcId").and_then(Json::as_str);
            let filters =
                std::iter::once(filter("group-name", name)).chain(vpc.map(|vpc| filter("vpc-id", vpc))).collect();
            let asked = DescribeSecurityGroupsRequest { filters, ..Default::default() };
            any(cx.call(asked).await, |found| !found.security_groups.is_empty())
        }
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
            let asked = DescribeLoadBalancersRequest { names: names(), ..Default::default() };
            any(cx.call(asked).await, |found| !found.load_balancers.is_empty())
        }
        "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            let asked = DescribeTargetGroupsRequest { names: names(), ..Default::default() };
            any(cx.call(asked).await, |found| !found.target_groups.is_empty())
        }
        "AWS::IAM::Group" => any(cx.call(GetGroupRequest { group_name: text(), ..Default::default() }).await, |_| true),
        "AWS::IAM::InstanceProfile" => {
            any(cx.call(GetInstanceProfileRequest { instance_profile_name: text() }).await, |_| true)
        }
        "AWS::IAM::ManagedPolicy" => {
            let path = properties.get("Path").and_then(Json::as_str).unwrap_or("/");
            let policy_arn = format!("arn:aws:iam::{}:policy{path}{name}", cx.account());
            any(cx.call(GetPolicyRequest { policy_arn }).await, |_| true)
        }
        "AWS::IAM::Role" => any(cx.call(GetRoleRequest { role_name: text() }).await, |_| true),
        "AWS::IAM::User" => any(cx.call(GetUserRequest { user_name: Some(text()) }).await, |_| true),
        "AWS::S3::Bucket" => any(cx.call(HeadBucketRequest { bucket: text(), ..Default::default() }).await, |_| true),
        "AWS::SSM::Parameter" => {
            let asked = GetParameterRequest { name: text(), with_decryption: Some(false) };
            any(cx.call(asked).await, |_| true)
        }
        other => Err(Error::not_built(format!("import of existing resources of type {other}"))),
    }
}
