//! Where a group's instances may be, and what sends them traffic: checked with EC2 and Elastic
//! Load Balancing when they are named.

use crate::errors::validation;
use kiln_autoscaling_shapes::TrafficSourceIdentifier;
use kiln_ec2_shapes::{DescribeAvailabilityZonesRequest, DescribeSubnetsRequest};
use kiln_elbv2_shapes::DescribeTargetGroupsRequest;
use kiln_service_kit::{Cx, Error};

/// Zones by name, and subnets with their zones.
pub struct Placement {
    pub zones: Vec<String>,
    pub subnets: Vec<(String, String)>,
}

/// Reads `VPCZoneIdentifier` and `AvailabilityZones`.
pub async fn placement(cx: &Cx, subnets: Option<&str>, zones: &[String]) -> Result<Placement, Error> {
    let Some(subnets) = subnets else {
        check_zones(cx, zones).await?;
        return Ok(Placement { zones: zones.to_vec(), subnets: vec![] });
    };
    let ids: Vec<String> = subnets.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Err(validation("At least one Availability Zone or VPC Subnet is required."));
    }
    let request = DescribeSubnetsRequest { subnet_ids: ids.clone(), ..Default::default() };
    let answer = cx.call(request).await.map_err(|error| {
        match error.is("InvalidSubnetID.NotFound") || error.is("InvalidSubnetID.Malformed") {
            true => validation(format!("The subnet ID '{subnets}' does not exist: {}", error.message)),
            false => error,
        }
    })?;
    let mut found = vec![];
    let mut vpc = None;
    for id in ids {
        let subnet = answer.subnets.iter().find(|s| s.subnet_id.as_deref() == Some(&id));
        let Some(zone) = subnet.and_then(|s| s.availability_zone.clone()) else {
            return Err(validation(format!("The subnet ID '{id}' does not exist")));
        };
        let in_vpc = subnet.and_then(|s| s.vpc_id.clone());
        if vpc.is_some() && vpc != in_vpc {
            return Err(validation("The subnets of an Auto Scaling group must all be in the same VPC."));
        }
        vpc = in_vpc;
        if !found.iter().any(|(known, _)| *known == id) {
            found.push((id, zone));
        }
    }
    let mut in_zones: Vec<String> = found.iter().map(|(_, zone)| zone.clone()).collect();
    in_zones.sort();
    in_zones.dedup();
    if !zones.is_empty() && zones.iter().any(|zone| !in_zones.contains(zone)) {
        return Err(validation(
            "The availability zones of the specified subnets and the Auto Scaling group do not match",
        ));
    }
    Ok(Placement { zones: in_zones, subnets: found })
}

async fn check_zones(cx: &Cx, zones: &[String]) -> Result<(), Error> {
    if zones.is_empty() {
        return Err(validation("At least one Availability Zone or VPC Subnet is required."));
    }
    let known = cx.call(DescribeAvailabilityZonesRequest::default()).await?;
    for zone in zones {
        if !known.availability_zones.iter().any(|z| z.zone_name.as_deref() == Some(zone)) {
            return Err(validation(format!("Invalid availability zones: [{zone}]")));
        }
    }
    Ok(())
}

/// Checks that the target groups exist and can take instances.
pub async fn check_target_groups(cx: &Cx, arns: &[String]) -> Result<(), Error> {
    if arns.is_empty() {
        return Ok(());
    }
    let request = DescribeTargetGroupsRequest { target_group_arns: arns.to_vec(), ..Default::default() };
    let answer = cx.call(request).await.map_err(|error| {
        if error.is("TargetGroupNotFound") || error.is("ValidationError") {
            validation(format!(
                "Provided Target Groups may not be valid. Please ensure they exist and try again. {}",
                error.message
            ))
        } else {
            error
        }
    })?;
    for target_group in answer.target_groups {
        if target_group.target_type.as_deref() != Some("instance") {
            let arn = target_group.target_group_arn.as_deref().unwrap_or_default();
            return Err(validation(format!(
                "Provided Load Balancer Target Group '{arn}' has invalid target type. Please ensure all provided Target Groups have target type of instance."
            )));
        }
    }
    Ok(())
}

/// Target groups out of `TargetGroupARNs` and `TrafficSources`, each once.
pub fn target_groups(arns: &[String], sources: &[TrafficSourceIdentifier]) -> Result<Vec<String>, Error> {
    let mut all = arns.to_vec();
    for source in sources {
        match source.r#type.as_deref() {
            Some("elbv2") => {}
            None if source.identifier.contains(":targetgroup/") => {}
            other => {
                let kind = other.unwrap_or(&source.identifier);
                return Err(Error::not_built(format!("autoscaling traffic sources of type {kind}")));
            }
        }
        all.push(source.identifier.clone());
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|arn| seen.insert(arn.clone()));
    Ok(all)
}
