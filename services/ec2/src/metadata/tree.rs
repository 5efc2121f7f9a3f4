//! The categories below `/latest/meta-data/`: every leaf with its text, and listings made of them.

use super::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Path below `meta-data/` and text. A path that ends in `/` is a directory filled elsewhere.
pub type Leaves = BTreeMap<String, String>;

/// Everything the instance may read, but for credentials, which are asked for by name.
pub fn leaves(world: &World) -> Leaves {
    let (instance, region) = (&world.instance, &*world.scope.region);
    let host = instance.private_dns_name(region);
    let mut leaves = Leaves::new();
    let mut put = |path: &str, text: String| {
        leaves.insert(path.to_owned(), text);
    };
    put("ami-id", instance.image.to_string());
    // What AWS says of an image that is not in S3.
    put("ami-manifest-path", "(unknown)".to_owned());
    // The volume that is there from the start is the only one.
    put("block-device-mapping/ami", instance.root_device.clone());
    put("block-device-mapping/root", instance.root_device.clone());
    // Nothing is scheduled for an instance here, and nothing was.
    put("events/maintenance/history", "[]".to_owned());
    put("events/maintenance/scheduled", "[]".to_owned());
    put("ami-launch-index", instance.launch_index.to_string());
    put("hostname", host.clone());
    put("instance-action", "none".to_owned());
    put("instance-id", instance.id.to_string());
    put("instance-life-cycle", "on-demand".to_owned());
    put("instance-type", instance.instance_type.clone());
    put("local-hostname", host.clone());
    put("local-ipv4", instance.ip.to_string());
    put("mac", instance.mac.to_string());
    put("placement/availability-zone", instance.zone.clone());
    put("placement/region", region.to_owned());
    if let Some(id) = &world.zone_id {
        put("placement/availability-zone-id", id.clone());
    }
    if let Some(ip) = world.public_ip {
        put("public-ipv4", ip.to_string());
    }
    if let Some(name) = &world.public_dns {
        put("public-hostname", name.clone());
    }
    put("profile", "default-hvm".to_owned());
    put("reservation-id", instance.reservation.to_string());
    let partition = kiln_service_kit::regions::partition_of(region);
    put("services/domain", partition.dns_suffix.to_owned());
    put("services/partition", partition.name.to_owned());
    if let Some(key) = instance.ssh_keys.first() {
        put("public-keys/0/openssh-key", format!("{}\n", key.trim_end()));
    }
    if instance.metadata.tags_enabled {
        for (key, value) in instance.tags.iter().filter(|(key, _)| *key != crate::tags::TOKEN) {
            put(&format!("tags/instance/{key}"), value.clone());
        }
    }
    if world.in_a_group {
        put("autoscaling/target-lifecycle-state", String::new());
    }
    if instance.profile.is_some() {
        put("iam/info", String::new());
        put("iam/security-credentials/", String::new());
    }
    for interface in &world.interfaces {
        let record = &interface.record;
        let mut of = |name: &str, text: String| {
            put(&format!("network/interfaces/macs/{}/{name}", record.mac), text);
        };
        let device = record.attachment.as_ref().map_or(0, |attachment| attachment.device_index);
        of("device-number", device.to_string());
        of("interface-id", record.id.to_string());
        of("local-hostname", crate::instances::shown::private_name(region, instance, record, record.ip));
        let addresses: Vec<String> = record.addresses().map(|(ip, _)| ip.to_string()).collect();
        of("local-ipv4s", lines(addresses.iter()));
        of("mac", record.mac.to_string());
        of("network-card", "0".to_owned());
        of("owner-id", world.scope.account.to_string());
        of("security-group-ids", lines(interface.groups.iter().map(|(id, _)| id)));
        of("security-groups", lines(interface.groups.iter().map(|(_, name)| name)));
        of("subnet-id", record.subnet.to_string());
        of("vpc-id", record.vpc.to_string());
        if let Some(cidr) = &interface.subnet_cidr {
            of("subnet-ipv4-cidr-block", cidr.clone());
        }
        if let Some(primary) = interface.vpc_cidrs.first() {
            of("vpc-ipv4-cidr-block", primary.clone());
            of("vpc-ipv4-cidr-blocks", lines(interface.vpc_cidrs.iter()));
        }
        if let Some(name) = &interface.public_dns {
            of("public-hostname", name.clone());
        }
        let public: Vec<_> = record.addresses().filter_map(|(ip, public)| Some((public?.ip.to_string(), ip))).collect();
        if !public.is_empty() {
            of("public-ipv4s", lines(public.iter().map(|(public, _)| public)));
        }
        for (public, ip) in public {
            of(&format!("ipv4-associations/{public}"), ip.to_string());
        }
    }
    if let Some(primary) = world.interfaces.iter().find(|i| i.record.id == instance.interface) {
        put("security-groups", lines(primary.groups.iter().map(|(_, name)| name)));
    }
    leaves
}

fn lines<'a>(all: impl Iterator<Item = &'a String>) -> String {
    all.cloned().collect::<Vec<_>>().join("\n")
}

/// Categories and the version that brought them, as AWS lists them; a category with the longest
/// beginning counts. What AWS does not list is as old as its tree.
const SINCE: &[(&str, &str)] = &[
    ("ancestor-ami-ids", "2007-10-10"),
    ("autoscaling/", "2021-07-15"),
    ("block-device-mapping/", "2007-12-15"),
    ("events/maintenance/", "2018-08-17"),
    ("iam/", "2012-01-12"),
    ("instance-action", "2008-09-01"),
    ("instance-life-cycle", "2019-10-01"),
    ("instance-type", "2007-08-29"),
    ("local-hostname", "2007-01-19"),
    ("mac", "2011-01-01"),
    ("network/", "2011-01-01"),
    ("placement/availability-zone", "2008-02-01"),
    ("placement/availability-zone-id", "2019-10-01"),
    ("placement/region", "2020-08-24"),
    ("public-hostname", "2007-01-19"),
    ("public-ipv4", "2007-01-19"),
    ("services/domain", "2014-02-25"),
    ("services/partition", "2015-10-20"),
    ("tags/", "2021-03-23"),
];

/// Categories of an interface that are younger than the others.
const SINCE_OF_INTERFACES: &[(&str, &str)] = &[("network-card", "2020-11-01"), ("vpc-ipv4-cidr-blocks", "2016-06-30")];

/// Whether a version's tree has a leaf. Versions are dates, and `1.0` comes before all of them.
pub fn is_in(version: &str, path: &str) -> bool {
    if version == "latest" {
        return true;
    }
    let longest = SINCE.iter().filter(|(start, _)| path.starts_with(start)).max_by_key(|(start, _)| start.len());
    let last = path.rsplit('/').next().unwrap_or(path);
    let of_interface = SINCE_OF_INTERFACES.iter().filter(|(name, _)| path.starts_with("network/") && *name == last);
    longest.into_iter().chain(of_interface).all(|(_, since)| *since <= version)
}

/// The names right below a directory (`""` is the root): files as they are, directories with `/`.
pub fn listing(leaves: &Leaves, directory: &str) -> Option<String> {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    let names: BTreeSet<String> = leaves
        .keys()
        .filter_map(|path| path.strip_prefix(&prefix))
        .filter(|rest| !rest.is_empty())
        .map(|rest| rest.split_once('/').map_or_else(|| rest.to_owned(), |(name, _)| format!("{name}/")))
        .collect();
    (!names.is_empty()).then(|| lines(names.iter()))
}
