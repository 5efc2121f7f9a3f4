//! Parameters of AWS types name things that must exist: asked of ec2 before a stack is begun.

use crate::errors::validation;
use crate::records::stack::Parameters;
use crate::request::is_refusal;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error};
use kiln_ssm_shapes::GetParameterRequest;
use kiln_template::{ParameterType, Template};
use serde_json::Value as Json;

/// The name of a parameter, which must be there.
const SSM_NAME: &str = "AWS::SSM::Parameter::Name";

/// Refuses values of AWS types that name nothing.
pub async fn check_existence(cx: &Cx, template: &Template, parameters: &Parameters) -> Result<(), Error> {
    for (name, declared) in &template.parameters {
        let kind = match &declared.kind {
            ParameterType::SsmValue(inner) => inner,
            kind => kind,
        };
        let kind = match kind {
            ParameterType::Aws(kind) | ParameterType::AwsList(kind) => kind.as_str(),
            ParameterType::SsmName => SSM_NAME,
            _ => continue,
        };
        let values: Vec<String> = match parameters.values.get(name) {
            Some(Json::String(value)) => vec![value.clone()],
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => continue,
        };
        for value in values {
            if !exists(cx, kind, &value).await? {
                return Err(validation(format!(
                    "Parameter validation failed: parameter value {value} for parameter name {name} does not exist"
                )));
            }
        }
    }
    Ok(())
}

async fn exists(cx: &Cx, kind: &str, value: &str) -> Result<bool, Error> {
    let one = vec![value.to_owned()];
    let filter = |name: &str| vec![Filter { name: Some(name.to_owned()), values: one.clone() }];
    let found = match kind {
        SSM_NAME => {
            let request = GetParameterRequest { name: value.to_owned(), with_decryption: Some(false) };
            return match cx.call(request).await {
                Ok(_) => Ok(true),
                Err(error) if error.is("ParameterNotFound") => Ok(false),
                Err(error) => Err(error),
            };
        }
        "AWS::EC2::AvailabilityZone::Name" => cx
            .call(DescribeAvailabilityZonesRequest { zone_names: one, ..Default::default() })
            .await
            .map(|answer| !answer.availability_zones.is_empty()),
        "AWS::EC2::Image::Id" => cx
            .call(DescribeImagesRequest { image_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.images.is_empty()),
        "AWS::EC2::Instance::Id" => cx
            .call(DescribeInstancesRequest { instance_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.reservations.is_empty()),
        "AWS::EC2::KeyPair::KeyName" => cx
            .call(DescribeKeyPairsRequest { key_names: one, ..Default::default() })
            .await
            .map(|answer| !answer.key_pairs.is_empty()),
        "AWS::EC2::SecurityGroup::GroupName" => cx
            .call(DescribeSecurityGroupsRequest { filters: filter("group-name"), ..Default::default() })
            .await
            .map(|answer| !answer.security_groups.is_empty()),
        "AWS::EC2::SecurityGroup::Id" => cx
            .call(DescribeSecurityGroupsRequest { group_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.security_groups.is_empty()),
        "AWS::EC2::Subnet::Id" => cx
            .call(DescribeSubnetsRequest { subnet_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.subnets.is_empty()),
        "AWS::EC2::VPC::Id" => cx
            .call(DescribeVpcsRequest { vpc_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.vpcs.is_empty()),
        "AWS::EC2::Volume::Id" => cx
            .call(DescribeVolumesRequest { volume_ids: one, ..Default::default() })
            .await
            .map(|answer| !answer.volumes.is_empty()),
        other => return Err(Error::not_built(format!("parameters of type {other}"))),
    };
    match found {
        Ok(found) => Ok(found),
        Err(error) if is_refusal(&error) && error.code.starts_with("Invalid") => Ok(false),
        Err(error) => Err(error),
    }
}
