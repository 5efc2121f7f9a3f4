//! What a launch, or a template of one, may ask for: members that Kiln does not serve but that would change what the
//! instance is are refused by name; hints that change nothing here are let through.

use crate::errors::{invalid_combination, invalid_value, missing_parameter, refuse};
use crate::images::mappings::check_mappings;
use crate::instance_types::InstanceType;
use crate::interfaces::attaching::check_device_index;
use crate::tags;
use crate::templates::merge::as_request;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ec2_shapes::{InstanceNetworkInterfaceSpecification, RequestLaunchTemplateData, RunInstancesRequest};
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeSet;

/// Most instances that one call may ask for.
const MOST: i32 = 1_000;

/// AWS's limit of user data, in bytes before base64.
const MOST_USER_DATA: usize = 16 * 1024;

/// Refuses what is not built, and what does not go together.
pub fn check(request: &RunInstancesRequest) -> Result<(), Error> {
    check_built("RunInstances", request)?;
    check_interfaces(request)?;
    check_hop_limit(request.metadata_options.as_ref().and_then(|m| m.http_put_response_hop_limit))?;
    check_counts(request.min_count, request.max_count)
}

/// Refuses in a launch template what no launch of it could have. What AWS finds wrong with it is left
/// to the launch, as AWS does.
fn check_template(operation: &str, data: &RequestLaunchTemplateData) -> Result<(), Error> {
    let request = as_request(data)?;
    check_built(operation, &request)?;
    check_mappings(operation, &request.block_device_mappings)
}

/// User data must be base64, tags must be the caller's to give (who launches may be a service), and
/// what no launch could have is refused at once; the rest is checked when an instance is launched,
/// as AWS does.
pub fn check_data(cx: &Cx, operation: &str, data: &RequestLaunchTemplateData) -> Result<(), Error> {
    check_template(operation, data)?;
    for specification in &data.tag_specifications {
        tags::read(cx, &specification.tags)?;
    }
    match data.user_data.as_deref() {
        None => Ok(()),
        Some(text) => user_data(text).map(|_| ()),
    }
}

/// Decodes user data and checks its size.
pub fn user_data(base64: &str) -> Result<Vec<u8>, Error> {
    // Clients break lines as they like.
    let text: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| Error::sender("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if bytes.len() > MOST_USER_DATA {
        return Err(invalid_value("User data is limited to 16384 bytes"));
    }
    Ok(bytes)
}

fn check_built(operation: &str, request: &RunInstancesRequest) -> Result<(), Error> {
    let enabled = |value: Option<bool>| value == Some(true);
    let placement = request.placement.clone().unwrap_or_default();
    let reservation = request.capacity_reservation_specification.as_ref();
    refuse(
        operation,
        &[
            // "Reserved", and nothing more, in the API Reference.
            ("AdditionalInfo", request.additional_info.is_some()),
            ("Ipv6AddressCount", request.ipv6_address_count.is_some_and(|n| n > 0)),
            ("Ipv6Addresses", !request.ipv6_addresses.is_empty()),
            ("EnablePrimaryIpv6", enabled(request.enable_primary_ipv6)),
            ("KernelId", request.kernel_id.is_some()),
            ("RamdiskId", request.ramdisk_id.is_some()),
            ("ElasticGpuSpecification", !request.elastic_gpu_specification.is_empty()),
            ("ElasticInferenceAccelerators", !request.elastic_inference_accelerators.is_empty()),
            ("InstanceMarketOptions", request.instance_market_options.is_some()),
            ("CpuOptions", request.cpu_options.is_some()),
            (
                "CreditSpecification.CpuCredits standard",
                request.credit_specification.as_ref().is_some_and(|c| c.cpu_credits != "unlimited"),
            ),
            ("CapacityReservationTarget", reservation.is_some_and(|r| r.capacity_reservation_target.is_some())),
            (
                "CapacityReservationPreference capacity-reservations-only",
                reservation
                    .and_then(|r| r.capacity_reservation_preference.as_deref())
                    .is_some_and(|preference| !matches!(preference, "open" | "none")),
            ),
            (
                "PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord",
                request
                    .private_dns_name_options
                    .as_ref()
                    .is_some_and(|o| enabled(o.enable_resource_name_dns_aaaa_record)),
            ),
            ("HibernationOptions", request.hibernation_options.as_ref().is_some_and(|h| enabled(h.configured))),
            ("LicenseSpecifications", !request.license_specifications.is_empty()),
            ("EnclaveOptions", request.enclave_options.as_ref().is_some_and(|e| enabled(e.enabled))),
            ("NetworkPerformanceOptions", request.network_performance_options.is_some()),
            ("Operator", request.operator.is_some()),
            ("SecondaryInterfaces", !request.secondary_interfaces.is_empty()),
            ("Placement.HostId", placement.host_id.is_some()),
            ("Placement.HostResourceGroupArn", placement.host_resource_group_arn.is_some()),
            ("Placement.GroupName", placement.group_name.as_ref().is_some_and(|name| !name.is_empty())),
            ("Placement.GroupId", placement.group_id.is_some()),
            ("Placement.PartitionNumber", placement.partition_number.is_some()),
            ("Placement.Affinity", placement.affinity.is_some()),
            ("Placement.SpreadDomain", placement.spread_domain.is_some()),
            ("Placement.Tenancy", placement.tenancy.as_ref().is_some_and(|tenancy| tenancy != "default")),
            (
                "MetadataOptions.HttpProtocolIpv6",
                request.metadata_options.as_ref().and_then(|m| m.http_protocol_ipv6.as_deref()) == Some("enabled"),
            ),
        ],
    )?;
    request.network_interfaces.iter().try_for_each(|interface| check_interface_built(operation, interface))
}

/// AWS's bounds of the metadata service's hop limit.
pub fn check_hop_limit(limit: Option<i32>) -> Result<(), Error> {
    match limit {
        Some(limit) if !(1..=64).contains(&limit) => Err(invalid_value(format!(
            "Value ({limit}) for parameter HttpPutResponseHopLimit is invalid. It must be between 1 and 64."
        ))),
        _ => Ok(()),
    }
}

/// The type gives no EBS-optimized instances.
pub fn not_ebs_optimized() -> Error {
    invalid_combination(
        "EBS-optimized instances are not supported for your requested configuration. Please check the documentation for supported configurations.",
    )
}

/// Types of the Nitro system have no other network card.
pub fn check_ena(kind: &InstanceType, ena_support: bool) -> Result<(), Error> {
    match ena_support || kind.family.hypervisor != "nitro" {
        true => Ok(()),
        false => Err(invalid_combination(format!(
            "Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{}' instance type. \
             Ensure that you are using an AMI that is enabled for ENA.",
            kind.name()
        ))),
    }
}

fn check_interface_built(operation: &str, interface: &InstanceNetworkInterfaceSpecification) -> Result<(), Error> {
    let more = |n: Option<i32>| n.is_some_and(|n| n > 0);
    let kind = interface.interface_type.as_deref();
    refuse(
        operation,
        &[
            ("NetworkInterfaces.Ipv6AddressCount", more(interface.ipv6_address_count)),
            ("NetworkInterfaces.Ipv6Addresses", !interface.ipv6_addresses.is_empty()),
            ("NetworkInterfaces.Ipv4Prefixes", !interface.ipv4_prefixes.is_empty()),
            ("NetworkInterfaces.Ipv4PrefixCount", more(interface.ipv4_prefix_count)),
            ("NetworkInterfaces.Ipv6Prefixes", !interface.ipv6_prefixes.is_empty()),
            ("NetworkInterfaces.Ipv6PrefixCount", more(interface.ipv6_prefix_count)),
            ("NetworkInterfaces.PrimaryIpv6", interface.primary_ipv6 == Some(true)),
            ("NetworkInterfaces.AssociateCarrierIpAddress", interface.associate_carrier_ip_address == Some(true)),
            ("NetworkInterfaces.NetworkCardIndex", more(interface.network_card_index)),
            ("NetworkInterfaces.InterfaceType", kind.is_some_and(|kind| kind != "interface")),
            ("NetworkInterfaces.EnaSrdSpecification", interface.ena_srd_specification.is_some()),
            (
                "NetworkInterfaces.ConnectionTrackingSpecification",
                interface.connection_tracking_specification.is_some(),
            ),
            ("NetworkInterfaces.EnaQueueCount", interface.ena_queue_count.is_some()),
        ],
    )
}

fn check_interface(
    request: &RunInstancesRequest,
    interface: &InstanceNetworkInterfaceSpecification,
) -> Result<(), Error> {
    if request.subnet_id.is_some() {
        return Err(invalid_combination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        ));
    }
    if !request.security_group_ids.is_empty() || !request.security_groups.is_empty() {
        return Err(invalid_combination(
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        ));
    }
    if request.private_ip_address.is_some() {
        return Err(invalid_combination(
            "Network interfaces and an instance-level private IP address may not be specified on the same request",
        ));
    }
    if interface.network_interface_id.is_some() {
        if request.max_count > 1 {
            return Err(invalid_combination("A network interface can be given to one instance only."));
        }
        if interface.associate_public_ip_address.is_some() {
            return Err(invalid_combination(
                "The associatePublicIPAddress parameter cannot be specified for a network interface with an ID.",
            ));
        }
        let addresses = interface.private_ip_address.is_some()
            || !interface.private_ip_addresses.is_empty()
            || interface.secondary_private_ip_address_count.is_some();
        if interface.subnet_id.is_some() || !interface.groups.is_empty() || addresses {
            return Err(invalid_combination(
                "A network interface ID cannot be combined with a subnet, security groups or a private IP address.",
            ));
        }
    }
    Ok(())
}

/// Each on its own, then what they are to each other.
fn check_interfaces(request: &RunInstancesRequest) -> Result<(), Error> {
    let all = &request.network_interfaces;
    for interface in all {
        check_interface(request, interface)?;
    }
    let mut indices = BTreeSet::new();
    for interface in all {
        let index = match interface.device_index {
            Some(index) => index,
            None if all.len() == 1 => 0,
            None => return Err(missing_parameter("NetworkInterfaces.DeviceIndex")),
        };
        check_device_index(index)?;
        if !indices.insert(index) {
            return Err(invalid_value(format!("Each network interface requires a unique device index. ({index})")));
        }
    }
    if !all.is_empty() && !indices.contains(&0) {
        return Err(invalid_value("The first network interface's device index must be 0."));
    }
    if all.len() > 1 && all.iter().any(|interface| interface.associate_public_ip_address == Some(true)) {
        return Err(invalid_combination(
            "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.",
        ));
    }
    Ok(())
}

fn check_counts(least: i32, most: i32) -> Result<(), Error> {
    for (name, value) in [("minCount", least), ("maxCount", most)] {
        if value < 1 {
            return Err(invalid_value(format!("Value ({value}) for parameter {name} is invalid. Minimum is 1.")));
        }
    }
    if most < least {
        return Err(Error::sender(
            "InvalidParameterCombination",
            format!("The minimum count ({least}) is greater than the maximum count ({most})."),
        ));
    }
    if least > MOST {
        return Err(Error::sender(
            "InstanceLimitExceeded",
            format!("Your request for {least} instances exceeds the limit of {MOST} instances per call."),
        ));
    }
    Ok(())
}
