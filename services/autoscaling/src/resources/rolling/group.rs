//! A group as Auto Scaling describes it, and which of its instances are obsolete.

use super::next;
use super::state::{Roll, Sizes, Wanted};
use kiln_autoscaling_shapes::{AutoScalingGroup, Instance};
use kiln_ec2_shapes::{DescribeInstancesRequest, DescribeLaunchTemplateVersionsRequest};
use kiln_service_kit::{Cx, Error, ResourceRequest};
use std::collections::{BTreeMap, BTreeSet};

pub fn sizes(group: &AutoScalingGroup) -> Sizes {
    let size = |size: Option<i32>| size.unwrap_or(0);
    Sizes { min: size(group.min_size), max: size(group.max_size), desired: size(group.desired_capacity) }
}

pub fn suspended(group: &AutoScalingGroup) -> BTreeSet<String> {
    group.suspended_processes.iter().filter_map(|process| process.process_name.clone()).collect()
}

/// Whether the template changes what is launched, or where.
pub fn launches_otherwise(request: &ResourceRequest) -> bool {
    ["LaunchConfigurationName", "LaunchTemplate", "VPCZoneIdentifier"].iter().any(|name| request.changed(name))
}

/// What the group shall launch from, with the version that its words stand for now.
pub struct Now {
    wanted: Wanted,
    /// The version is given as `$Latest` or `$Default`.
    follows: bool,
}

impl Now {
    /// As it is kept: a group that follows the newest version may launch newer ones meanwhile.
    pub fn remembered(&self) -> Wanted {
        let version = self.wanted.version.clone().filter(|_| !self.follows);
        Wanted { version, ..self.wanted.clone() }
    }
}

pub async fn wanted(owner: &Cx, request: &ResourceRequest) -> Result<Now, Error> {
    let configuration = request.text("LaunchConfigurationName");
    let Some(given) = request.properties.get("LaunchTemplate") else {
        return Ok(Now { wanted: Wanted { configuration, ..Default::default() }, follows: false });
    };
    let text = |name: &str| {
        let value = given.get(name)?;
        value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
    };
    let (id, name) = (text("LaunchTemplateId"), text("LaunchTemplateName"));
    let version = text("Version").unwrap_or_else(|| "$Default".to_owned());
    let follows = version.starts_with('$');
    let wanted = match id {
        Some(id) if !follows => Wanted { configuration, template: Some(id), version: Some(version) },
        id => {
            let request = DescribeLaunchTemplateVersionsRequest {
                launch_template_name: name.filter(|_| id.is_none()),
                launch_template_id: id,
                versions: vec![version],
                ..Default::default()
            };
            // What is not there is refused by the type, with Auto Scaling's words.
            let found = owner.call(request).await.map(|answer| answer.launch_template_versions.into_iter().next());
            match found {
                Ok(Some(found)) => Wanted {
                    configuration,
                    template: found.launch_template_id,
                    version: found.version_number.map(|number| number.to_string()),
                },
                Ok(None) => Wanted::default(),
                Err(error) if error.code.contains("NotFound") => Wanted::default(),
                Err(error) => return Err(error),
            }
        }
    };
    Ok(Now { wanted, follows })
}

/// The instances that must go: made from something else, or where the group is no more.
pub async fn obsolete(
    owner: &Cx,
    request: &ResourceRequest,
    group: &AutoScalingGroup,
    now: &Now,
) -> Result<BTreeSet<String>, Error> {
    let subnets: BTreeSet<String> = request.texts("VPCZoneIdentifier").into_iter().collect();
    let there = group.vpc_zone_identifier.iter().flat_map(|list| list.split(',')).map(|id| id.trim().to_owned());
    let moves = !subnets.is_empty() && subnets != there.collect();
    let places = if moves { subnets_of(owner, group).await? } else { BTreeMap::new() };
    let zones = if subnets.is_empty() { request.texts("AvailabilityZones") } else { vec![] };
    let outside = |instance: &Instance| {
        let subnet = instance.instance_id.as_ref().and_then(|id| places.get(id));
        let zone = instance.availability_zone.as_ref();
        subnet.is_some_and(|subnet| !subnets.contains(subnet))
            || (!zones.is_empty() && zone.is_some_and(|zone| !zones.contains(zone)))
    };
    let gone = |instance: &&Instance| differs(instance, &now.wanted) || outside(instance);
    Ok(group.instances.iter().filter(gone).filter_map(|instance| instance.instance_id.clone()).collect())
}

async fn subnets_of(owner: &Cx, group: &AutoScalingGroup) -> Result<BTreeMap<String, String>, Error> {
    let instance_ids: Vec<String> = group.instances.iter().filter_map(|i| i.instance_id.clone()).collect();
    if instance_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = owner.call(DescribeInstancesRequest { instance_ids, ..Default::default() }).await?;
    let all = found.reservations.into_iter().flat_map(|reservation| reservation.instances);
    Ok(all.filter_map(|instance| Some((instance.instance_id?, instance.subnet_id?))).collect())
}

fn differs(instance: &Instance, wanted: &Wanted) -> bool {
    let template = instance.launch_template.as_ref();
    match &wanted.template {
        Some(id) => template.is_none_or(|made| {
            made.launch_template_id.as_ref() != Some(id) || (wanted.version.is_some() && made.version != wanted.version)
        }),
        None => wanted.configuration.is_some() && instance.launch_configuration_name != wanted.configuration,
    }
}

/// The group as the next step is decided on it.
pub fn seen(group: &AutoScalingGroup, roll: &Roll) -> next::Group {
    let member = |instance: &Instance| {
        let id = instance.instance_id.clone()?;
        Some(next::Member {
            obsolete: roll.obsolete.contains(&id) || differs(instance, &roll.wanted),
            state: instance.lifecycle_state.clone()?,
            protected: instance.protected_from_scale_in == Some(true),
            id,
        })
    };
    next::Group {
        desired: group.desired_capacity.unwrap_or(0),
        members: group.instances.iter().filter_map(member).collect(),
        terminate_suspended: suspended(group).contains("Terminate"),
    }
}
