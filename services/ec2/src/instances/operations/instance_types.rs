//! Instance types as the catalogue lists them.

use crate::errors::{bad_token, invalid_value};
use crate::filters::{Filters, flag, maybe, one};
use crate::instance_types::{self, InstanceType};
use crate::zones;
use kiln_ec2_shapes::{
    DescribeInstanceTypeOfferingsRequest, DescribeInstanceTypeOfferingsResponse, DescribeInstanceTypesRequest,
    DescribeInstanceTypesResponse, EbsInfo, InstanceTypeInfo, InstanceTypeOffering, MemoryInfo, NetworkInfo,
    PlacementGroupInfo, ProcessorInfo, VCpuInfo,
};
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeInstanceTypeOfferings: describe_instance_type_offerings(DescribeInstanceTypeOfferingsRequest),
        on everything),
    operation!(DescribeInstanceTypes: describe_instance_types(DescribeInstanceTypesRequest), on everything),
];

const FILTERS: &[&str] = &[
    "auto-recovery-supported",
    "bare-metal",
    "burstable-performance-supported",
    "current-generation",
    "dedicated-hosts-supported",
    "ebs-info.attachment-limit-type",
    "ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.baseline-iops",
    "ebs-info.ebs-optimized-info.baseline-throughput-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-iops",
    "ebs-info.ebs-optimized-info.maximum-throughput-in-mbps",
    "ebs-info.ebs-optimized-support",
    "ebs-info.encryption-support",
    "ebs-info.maximum-ebs-attachments",
    "ebs-info.nvme-support",
    "free-tier-eligible",
    "hibernation-supported",
    "hypervisor",
    "instance-storage-info.disk.count",
    "instance-storage-info.disk.size-in-gb",
    "instance-storage-info.disk.type",
    "instance-storage-info.encryption-support",
    "instance-storage-info.nvme-support",
    "instance-storage-info.total-size-in-gb",
    "instance-storage-supported",
    "instance-type",
    "memory-info.size-in-mib",
    "network-info.bandwidth-weightings",
    "network-info.efa-info.maximum-efa-interfaces",
    "network-info.efa-supported",
    "network-info.ena-support",
    "network-info.encryption-in-transit-supported",
    "network-info.flexible-ena-queues-support",
    "network-info.ipv4-addresses-per-interface",
    "network-info.ipv6-addresses-per-interface",
    "network-info.ipv6-supported",
    "network-info.maximum-network-cards",
    "network-info.maximum-network-interfaces",
    "network-info.network-performance",
    "nitro-enclaves-support",
    "nitro-tpm-info.supported-versions",
    "nitro-tpm-support",
    "processor-info.supported-architecture",
    "processor-info.supported-features",
    "processor-info.sustained-clock-speed-in-ghz",
    "reboot-migration-support",
    "supported-boot-mode",
    "supported-root-device-type",
    "supported-usage-class",
    "supported-virtualization-type",
    "vcpu-info.default-cores",
    "vcpu-info.default-threads-per-core",
    "vcpu-info.default-vcpus",
    "vcpu-info.valid-cores",
    "vcpu-info.valid-threads-per-core",
];

async fn describe_instance_types(
    _cx: &Cx,
    request: DescribeInstanceTypesRequest,
) -> Result<DescribeInstanceTypesResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let unknown: Vec<&str> =
        request.instance_types.iter().map(String::as_str).filter(|name| instance_types::find(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Error::sender(
            "InvalidInstanceType",
            format!("The following supplied instance types do not exist: [{}]", unknown.join(", ")),
        ));
    }
    let mut types: Vec<(String, InstanceType)> = instance_types::all()
        .map(|t| (t.name(), t))
        .filter(|(name, _)| request.instance_types.is_empty() || request.instance_types.contains(name))
        .filter(|(name, t)| {
            filters.accept(&Default::default(), |filter| match filter {
                // What no type here has.
                "auto-recovery-supported"
                | "bare-metal"
                | "dedicated-hosts-supported"
                | "hibernation-supported"
                | "instance-storage-supported"
                | "network-info.efa-supported"
                | "network-info.ipv6-supported" => flag(false),
                "ebs-info.ebs-optimized-support" => one(t.ebs_optimized()),
                "ebs-info.encryption-support" | "ebs-info.nvme-support" => one("unsupported"),
                "network-info.ipv4-addresses-per-interface" => one(t.interface_limits().1),
                "network-info.ena-support" => one(ena(t)),
                "network-info.encryption-in-transit-supported" => flag(false),
                "network-info.flexible-ena-queues-support"
                | "nitro-enclaves-support"
                | "nitro-tpm-support"
                | "reboot-migration-support" => one(UNSUPPORTED),
                "supported-boot-mode" => boot_modes(t).iter().map(|mode| (*mode).to_owned()).collect(),
                "vcpu-info.valid-cores" => one(t.cores()),
                "vcpu-info.valid-threads-per-core" => one(t.family.threads),
                "network-info.maximum-network-cards" => one(1),
                "network-info.maximum-network-interfaces" => one(t.interface_limits().0),
                "network-info.ipv6-addresses-per-interface" => one(0),
                "processor-info.sustained-clock-speed-in-ghz" => maybe(t.family.clock_ghz),
                "supported-root-device-type" => one("ebs"),
                "supported-usage-class" => one("on-demand"),
                "vcpu-info.default-threads-per-core" => one(t.family.threads),
                "burstable-performance-supported" => flag(t.family.burstable),
                "current-generation" => flag(t.family.current),
                "free-tier-eligible" => flag(free(name)),
                "hypervisor" => one(t.family.hypervisor),
                "instance-type" => one(name),
                "memory-info.size-in-mib" => one(t.memory_mib),
                "processor-info.supported-architecture" => one(t.architecture()),
                "supported-virtualization-type" => one("hvm"),
                "vcpu-info.default-cores" => one(t.cores()),
                "vcpu-info.default-vcpus" => one(t.vcpus),
                _ => vec![],
            })
        })
        .collect();
    types.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = request.max_results.map_or(100, |n| n.clamp(5, 100) as usize);
    let page = paginate(types, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeInstanceTypesResponse {
        instance_types: page.items.iter().map(|(name, t)| info(name, t)).collect(),
        next_token: page.next_token,
    })
}

const UNSUPPORTED: &str = "unsupported";

/// What an image's boot mode may be on the type; a machine here has no firmware of its own.
fn boot_modes(t: &InstanceType) -> &'static [&'static str] {
    match (t.family.arm, t.family.hypervisor) {
        (true, _) => &["uefi"],
        (_, "nitro") => &["legacy-bios", "uefi"],
        _ => &["legacy-bios"],
    }
}

/// Whether a type needs the network card of the Nitro system.
fn ena(t: &InstanceType) -> &'static str {
    if t.family.hypervisor == "nitro" { "required" } else { "unsupported" }
}

fn free(name: &str) -> bool {
    matches!(name, "t2.micro" | "t3.micro")
}

fn info(name: &str, t: &InstanceType) -> InstanceTypeInfo {
    InstanceTypeInfo {
        instance_type: Some(name.to_owned()),
        current_generation: Some(t.family.current),
        free_tier_eligible: Some(free(name)),
        supported_usage_classes: vec!["on-demand".to_owned()],
        supported_root_device_types: vec!["ebs".to_owned()],
        supported_virtualization_types: vec!["hvm".to_owned()],
        bare_metal: Some(false),
        hypervisor: Some(t.family.hypervisor.to_owned()),
        processor_info: Some(ProcessorInfo {
            supported_architectures: vec![t.architecture().to_owned()],
            sustained_clock_speed_in_ghz: t.family.clock_ghz,
            ..ProcessorInfo::default()
        }),
        vcpu_info: Some(VCpuInfo {
            default_vcpus: Some(t.vcpus),
            default_cores: Some(t.cores()),
            default_threads_per_core: Some(t.family.threads),
            // CPU options cannot be chosen.
            valid_cores: vec![t.cores()],
            valid_threads_per_core: vec![t.family.threads],
        }),
        memory_info: Some(MemoryInfo { size_in_mi_b: Some(t.memory_mib) }),
        instance_storage_supported: Some(false),
        ebs_info: Some(EbsInfo {
            ebs_optimized_support: Some(t.ebs_optimized().to_owned()),
            encryption_support: Some("unsupported".to_owned()),
            nvme_support: Some("unsupported".to_owned()),
            ..EbsInfo::default()
        }),
        placement_group_info: Some(PlacementGroupInfo::default()),
        network_info: Some(NetworkInfo {
            maximum_network_interfaces: Some(t.interface_limits().0),
            maximum_network_cards: Some(1),
            default_network_card_index: Some(0),
            ipv4_addresses_per_interface: Some(t.interface_limits().1),
            ipv6_addresses_per_interface: Some(0),
            ipv6_supported: Some(false),
            efa_supported: Some(false),
            ena_support: Some(ena(t).to_owned()),
            ena_srd_supported: Some(false),
            encryption_in_transit_supported: Some(false),
            flexible_ena_queues_support: Some(UNSUPPORTED.to_owned()),
            ..NetworkInfo::default()
        }),
        hibernation_supported: Some(false),
        burstable_performance_supported: Some(t.family.burstable),
        dedicated_hosts_supported: Some(false),
        auto_recovery_supported: Some(false),
        supported_boot_modes: boot_modes(t).iter().map(|mode| (*mode).to_owned()).collect(),
        nitro_enclaves_support: Some(UNSUPPORTED.to_owned()),
        nitro_tpm_support: Some(UNSUPPORTED.to_owned()),
        phc_support: Some(UNSUPPORTED.to_owned()),
        reboot_migration_support: Some(UNSUPPORTED.to_owned()),
        ..InstanceTypeInfo::default()
    }
}

async fn describe_instance_type_offerings(
    cx: &Cx,
    request: DescribeInstanceTypeOfferingsRequest,
) -> Result<DescribeInstanceTypeOfferingsResponse, Error> {
    let filters = Filters::read(&request.filters, &["instance-type", "location"])?;
    let kind = request.location_type.as_deref().unwrap_or("region");
    let places: Vec<String> = match kind {
        "region" => vec![cx.region().to_owned()],
        "availability-zone" => zones::zones(cx.region()).into_iter().map(|zone| zone.name).collect(),
        "availability-zone-id" => zones::zones(cx.region()).into_iter().map(|zone| zone.id).collect(),
        other => return Err(invalid_value(format!("Value ({other}) for parameter locationType is invalid."))),
    };
    let mut all: Vec<(String, InstanceTypeOffering)> = vec![];
    for place in &places {
        for name in instance_types::all().map(|t| t.name()) {
            let passes = filters.accept(&Default::default(), |filter| match filter {
                "instance-type" => one(&name),
                "location" => one(place),
                _ => vec![],
            });
            if passes {
                let offering = InstanceTypeOffering {
                    instance_type: Some(name.clone()),
                    location_type: Some(kind.to_owned()),
                    location: Some(place.clone()),
                };
                all.push((format!("{name} {place}"), offering));
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = request.max_results.map_or(1000, |n| n.clamp(5, 1000) as usize);
    let page = paginate(all, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeInstanceTypeOfferingsResponse {
        instance_type_offerings: page.items.into_iter().map(|(_, offering)| offering).collect(),
        next_token: page.next_token,
    })
}
