//! Turns the names of a checked request into things: the image, the type, the key, the profile,
//! the root disk. What must be consistent with the launch itself (addresses, groups) is left to
//! the transaction in `make`.

use super::disk::{RootDisk, root_disk};
use crate::errors::{invalid_value, missing_parameter};
use crate::images::image_lookup;
use crate::images::records::Image;
use crate::instance_types::{self, InstanceType};
use crate::instances::records::{InstanceOptions, MetadataOptions, ProfileAssociation};
use crate::interfaces::allocation::WantedAddresses;
use crate::interfaces::asked::wanted as addresses;
use crate::keys::operations as key_pairs;
use crate::kinds;
use crate::passing::{Profile, passed};
use crate::tags::{self, Tags};
use crate::templates::check::{check, check_ena, not_ebs_optimized, user_data};
use kiln_ec2_shapes::{IamInstanceProfileSpecification, RunInstancesRequest};
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// All that a launch needs to know, besides addresses.
pub struct Resolved {
    pub image: Arc<Image>,
    pub machine_image: String,
    pub instance_type: InstanceType,
    pub key_name: Option<String>,
    pub ssh_keys: Vec<String>,
    pub user_data: Option<String>,
    pub profile: Option<ProfileAssociation>,
    pub options: InstanceOptions,
    pub dns_options_given: bool,
    pub metadata: MetadataOptions,
    pub root: RootDisk,
    pub place: Place,
    pub instance_tags: Tags,
    pub volume_tags: Tags,
    pub interface_tags: Tags,
    pub min: i32,
    pub max: i32,
    pub client_token: Option<String>,
}

/// Where instances go.
pub struct Place {
    /// The zone's name, for launches into the default VPC.
    pub zone: Option<String>,
    /// By device index; the first is at 0.
    pub interfaces: Vec<PlacedInterface>,
}

/// One interface of each instance.
#[derive(Default)]
pub struct PlacedInterface {
    pub device_index: i32,
    pub subnet: Option<String>,
    /// Security groups by id, or by name for the default VPC.
    pub groups: Vec<String>,
    pub group_names: Vec<String>,
    pub addresses: WantedAddresses,
    pub public_ip: Option<bool>,
    /// An interface that exists.
    pub interface: Option<String>,
    pub description: String,
    pub delete: bool,
}

/// Resolves a request whose launch template has been merged in.
pub async fn resolve(cx: &Cx, request: &RunInstancesRequest) -> Result<Resolved, Error> {
    check(request)?;
    let image_id = request.image_id.as_deref().ok_or_else(|| missing_parameter("ImageId"))?;
    let image_id = image_lookup::resolved(cx, image_id).await?;
    let (image, machine_image) = image_lookup::launchable(cx, &image_id)?;
    let (scope, _) = image_lookup::find(cx, &image_id)?;
    let snapshot_gib = image_lookup::snapshot_of(cx, &scope, &image)?.map_or(image.size_gib, |s| s.size_gib);
    // As AWS: the type of the first generation, which Kiln does not have, is the default.
    let type_name = request.instance_type.as_deref().unwrap_or("m1.small");
    let instance_type = instance_types::find(type_name)
        .ok_or_else(|| Error::not_built(format!("ec2:RunInstances with InstanceType {type_name}")))?;
    if instance_type.architecture() != image.architecture {
        return Err(invalid_value(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. \
             Specify an instance type and an AMI that have matching architectures, and try again.",
            instance_type.architecture(),
            image.architecture
        )));
    }
    if request.ebs_optimized == Some(true) && instance_type.ebs_optimized() == "unsupported" {
        return Err(not_ebs_optimized());
    }
    check_ena(&instance_type, image.ena_support)?;
    let ssh_keys = match request.key_name.as_deref() {
        None | Some("") => vec![],
        Some(name) => vec![key_pairs::by_name(cx, name)?.ok_or_else(|| key_pairs::none(name))?.public_key],
    };
    if let Some(text) = request.user_data.as_deref() {
        user_data(text)?;
    }
    let profile = match &request.iam_instance_profile {
        None => None,
        Some(given) => Some(profile(cx, given, "*").await?),
    };
    let among = ["instance", "volume", "network-interface", "spot-instances-request"];
    let tagged = |kind| tags::specified_among(cx, &own_tags(request), kind, &among);
    let mut instance_tags = tagged(&kinds::INSTANCE)?;
    instance_tags.extend(template_tags(request));
    Ok(Resolved {
        key_name: request.key_name.clone().filter(|name| !name.is_empty()),
        ssh_keys,
        user_data: request.user_data.clone().filter(|text| !text.is_empty()),
        profile,
        options: options(request, &image),
        dns_options_given: request.private_dns_name_options.as_ref().is_some_and(|o| o.hostname_type.is_some()),
        metadata: metadata(request, &image),
        root: root_disk(&request.block_device_mappings, &image, snapshot_gib)?,
        place: place(cx, request)?,
        instance_tags,
        volume_tags: tagged(&kinds::VOLUME)?,
        interface_tags: tagged(&kinds::NETWORK_INTERFACE)?,
        min: request.min_count,
        max: request.max_count,
        client_token: request.client_token.clone(),
        image,
        machine_image,
        instance_type,
    })
}

const TEMPLATE_TAG: &str = "aws:ec2launchtemplate:";

/// The specifications without the tags that `merge` put there: those are Kiln's own, not the
/// caller's, who may not set `aws:` tags.
fn own_tags(request: &RunInstancesRequest) -> Vec<kiln_ec2_shapes::TagSpecification> {
    let mut given = request.tag_specifications.clone();
    for specification in &mut given {
        specification.tags.retain(|tag| !is_template_tag(request, tag));
    }
    given.retain(|specification| !specification.tags.is_empty());
    given
}

fn is_template_tag(request: &RunInstancesRequest, tag: &kiln_ec2_shapes::Tag) -> bool {
    request.launch_template.is_some() && tag.key.as_deref().is_some_and(|key| key.starts_with(TEMPLATE_TAG))
}

fn template_tags(request: &RunInstancesRequest) -> Tags {
    let all = request.tag_specifications.iter().flat_map(|specification| &specification.tags);
    all.filter(|tag| is_template_tag(request, tag))
        .filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?)))
        .collect()
}

/// The association of the instance profile that an instance gets; the caller must be allowed to pass
/// its role to it.
pub async fn profile(
    cx: &Cx,
    given: &IamInstanceProfileSpecification,
    instance: &str,
) -> Result<ProfileAssociation, Error> {
    let Profile { arn, id, .. } = passed(cx, given, instance).await?;
    Ok(ProfileAssociation { association: format!("iip-assoc-{}", cx.ids().hex(17)), arn, id, at: cx.now() })
}

fn options(request: &RunInstancesRequest, image: &Image) -> InstanceOptions {
    let dns = request.private_dns_name_options.clone().unwrap_or_default();
    InstanceOptions {
        disable_api_termination: request.disable_api_termination == Some(true),
        disable_api_stop: request.disable_api_stop == Some(true),
        terminate_on_shutdown: request.instance_initiated_shutdown_behavior.as_deref() == Some("terminate"),
        ebs_optimized: request.ebs_optimized == Some(true),
        detailed_monitoring: request.monitoring.as_ref().is_some_and(|monitoring| monitoring.enabled),
        ena_support: image.ena_support,
        hostname_type: dns.hostname_type.unwrap_or_else(|| "ip-name".to_owned()),
        resource_name_dns_a: dns.enable_resource_name_dns_a_record == Some(true),
        auto_recovery: request
            .maintenance_options
            .as_ref()
            .and_then(|m| m.auto_recovery.clone())
            .unwrap_or_else(|| "default".to_owned()),
        capacity_reservation_preference: request
            .capacity_reservation_specification
            .as_ref()
            .and_then(|c| c.capacity_reservation_preference.clone())
            .unwrap_or_else(|| "open".to_owned()),
    }
}

fn metadata(request: &RunInstancesRequest, image: &Image) -> MetadataOptions {
    let given = request.metadata_options.clone().unwrap_or_default();
    MetadataOptions {
        tokens_required: match given.http_tokens.as_deref() {
            Some(tokens) => tokens == "required",
            None => image.imds_v2,
        },
        hop_limit: given.http_put_response_hop_limit.unwrap_or(if image.imds_v2 { 2 } else { 1 }),
        enabled: given.http_endpoint.as_deref() != Some("disabled"),
        tags_enabled: given.instance_metadata_tags.as_deref() == Some("enabled"),
    }
}

fn place(cx: &Cx, request: &RunInstancesRequest) -> Result<Place, Error> {
    let placement = request.placement.clone().unwrap_or_default();
    let zone = crate::zones::wanted(
        cx.region(),
        placement.availability_zone.as_deref().filter(|zone| !zone.is_empty()),
        placement.availability_zone_id.as_deref(),
    )
    .map_err(|_| {
        let zone = placement.availability_zone.as_ref().or(placement.availability_zone_id.as_ref());
        invalid_value(format!("Invalid availability zone: [{}]", zone.map_or("", String::as_str)))
    })?;
    let mut interfaces = vec![];
    for given in &request.network_interfaces {
        interfaces.push(PlacedInterface {
            device_index: given.device_index.unwrap_or(0),
            subnet: given.subnet_id.clone(),
            groups: given.groups.clone(),
            group_names: vec![],
            addresses: addresses(
                given.private_ip_address.as_deref(),
                &given.private_ip_addresses,
                given.secondary_private_ip_address_count,
            )?,
            public_ip: given.associate_public_ip_address,
            interface: given.network_interface_id.clone(),
            description: given.description.clone().unwrap_or_default(),
            // An interface that existed before the instance outlives it unless told otherwise.
            delete: given.delete_on_termination.unwrap_or(given.network_interface_id.is_none()),
        });
    }
    interfaces.sort_by_key(|interface| interface.device_index);
    if interfaces.is_empty() {
        interfaces.push(PlacedInterface {
            subnet: request.subnet_id.clone().filter(|id| !id.is_empty()),
            groups: request.security_group_ids.clone(),
            group_names: request.security_groups.clone(),
            addresses: addresses(request.private_ip_address.as_deref(), &[], None)?,
            delete: true,
            ..PlacedInterface::default()
        });
    }
    Ok(Place { zone, interfaces })
}
