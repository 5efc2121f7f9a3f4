//! What DescribeInstances' filters look at: every name AWS documents, with what an instance has
//! under it. What no instance here can have (a host, an IPv6 address) is known and never matches.

use crate::filters::{flag, maybe, one};
use crate::instance_shown::{Around, MONITORING};
use crate::records::{Attachment, Instance, NetworkInterface, PublicAddress};
use kiln_service_kit::Cx;

/// One instance under the eyes of a filter.
pub struct Look<'a> {
    pub cx: &'a Cx,
    pub record: &'a Instance,
    pub around: &'a Around,
}

type Values = fn(&Look<'_>) -> Vec<String>;

/// The names.
pub fn names() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).chain(NEVER.iter().copied()).collect()
}

/// What the instance has under a name.
pub fn values(look: &Look<'_>, name: &str) -> Vec<String> {
    TABLE.iter().find(|(known, _)| *known == name).map_or_else(Vec::new, |(_, values)| values(look))
}

impl Look<'_> {
    fn interface(&self) -> Option<&NetworkInterface> {
        self.around.interface.as_deref()
    }
    fn attachment(&self) -> Option<&Attachment> {
        self.interface()?.attachment.as_ref()
    }
    fn public(&self) -> Option<&PublicAddress> {
        self.interface()?.public.as_ref()
    }
    /// A terminated instance has left its network.
    fn alive<T: ToString>(&self, value: T) -> Vec<String> {
        if self.record.is_terminated() { vec![] } else { vec![value.to_string()] }
    }
    fn public_owner(&self) -> Option<String> {
        self.public()
            .map(|public| if public.elastic.is_some() { self.cx.account().to_owned() } else { "amazon".to_owned() })
    }
    fn elastic(&self) -> Option<(String, String)> {
        let (allocation, association) = self.public()?.elastic.as_ref()?;
        Some((allocation.to_string(), association.to_string()))
    }
    fn group_ids(&self) -> Vec<String> {
        self.around.groups.iter().map(|(id, _)| id.clone()).collect()
    }
    fn group_names(&self) -> Vec<String> {
        self.around.groups.iter().map(|(_, name)| name.clone()).collect()
    }
    fn attached(&self) -> &'static str {
        if self.record.launched { "attached" } else { "attaching" }
    }
    fn attach_time(&self) -> Vec<String> {
        maybe(self.attachment().map(|attachment| attachment.at.iso8601_millis()))
    }
}

fn on(on: bool) -> Vec<String> {
    one(if on { "enabled" } else { "disabled" })
}

const TABLE: &[(&str, Values)] = &[
    ("architecture", |l| one(&l.record.architecture)),
    ("availability-zone", |l| one(&l.record.zone)),
    ("availability-zone-id", |l| maybe(crate::zones::zone_id(l.cx.region(), &l.record.zone))),
    ("block-device-mapping.attach-time", |l| l.attach_time()),
    ("block-device-mapping.delete-on-termination", |l| l.alive(true)),
    ("block-device-mapping.device-name", |l| one(&l.record.root_device)),
    ("block-device-mapping.status", |l| l.alive(l.attached())),
    ("block-device-mapping.volume-id", |l| l.alive(&l.record.volume)),
    ("capacity-reservation-specification.capacity-reservation-preference", |l| {
        one(&l.record.options.capacity_reservation_preference)
    }),
    ("client-token", |l| maybe(l.record.client_token.as_ref())),
    ("dns-name", |l| maybe(l.around.public_dns(l.cx.region()))),
    ("ebs-optimized", |l| flag(l.record.options.ebs_optimized)),
    ("ena-support", |_| flag(true)),
    ("enclave-options.enabled", |_| flag(false)),
    ("group-id", |l| l.group_ids()),
    ("group-name", |l| l.group_names()),
    ("hibernation-options.configured", |_| flag(false)),
    ("hypervisor", |_| one("xen")),
    ("iam-instance-profile.arn", |l| maybe(l.record.profile.as_ref().map(|p| &p.arn))),
    ("iam-instance-profile.id", |l| maybe(l.record.profile.as_ref().map(|p| &p.id))),
    ("iam-instance-profile.name", |l| maybe(l.record.profile.as_ref().map(|p| p.name()))),
    ("image-id", |l| one(&l.record.image)),
    ("instance-id", |l| one(&l.record.id)),
    ("instance-state-code", |l| one(l.record.state.code())),
    ("instance-state-name", |l| one(l.record.state.name())),
    ("instance-type", |l| one(&l.record.instance_type)),
    ("instance.group-id", |l| l.group_ids()),
    ("instance.group-name", |l| l.group_names()),
    ("ip-address", |l| maybe(l.around.public_ip())),
    ("key-name", |l| maybe(l.record.key_name.as_ref())),
    ("launch-index", |l| one(l.record.launch_index)),
    ("launch-time", |l| one(l.record.launch_time.iso8601_millis())),
    ("maintenance-options.auto-recovery", |l| one(&l.record.options.auto_recovery)),
    ("metadata-options.http-endpoint", |l| on(l.record.metadata.enabled)),
    ("metadata-options.http-protocol-ipv4", |l| on(l.record.metadata.enabled)),
    ("metadata-options.http-protocol-ipv6", |_| on(false)),
    ("metadata-options.http-put-response-hop-limit", |l| one(l.record.metadata.hop_limit)),
    ("metadata-options.http-tokens", |l| one(if l.record.metadata.tokens_required { "required" } else { "optional" })),
    ("metadata-options.instance-metadata-tags", |l| on(l.record.metadata.tags_enabled)),
    ("metadata-options.state", |_| one("applied")),
    ("monitoring-state", |_| one(MONITORING)),
    ("network-interface.addresses.association.allocation-id", |l| maybe(l.elastic().map(|(allocation, _)| allocation))),
    ("network-interface.addresses.association.association-id", |l| {
        maybe(l.elastic().map(|(_, association)| association))
    }),
    ("network-interface.addresses.association.ip-owner-id", |l| maybe(l.public_owner())),
    ("network-interface.addresses.association.public-dns-name", |l| maybe(l.around.public_dns(l.cx.region()))),
    ("network-interface.addresses.association.public-ip", |l| maybe(l.around.public_ip())),
    ("network-interface.addresses.primary", |l| maybe(l.interface().map(|_| true))),
    ("network-interface.addresses.private-dns-name", |l| l.alive(l.record.private_dns_name(l.cx.region()))),
    ("network-interface.addresses.private-ip-address", |l| maybe(l.interface().map(|i| i.ip))),
    ("network-interface.association.allocation-id", |l| maybe(l.elastic().map(|(allocation, _)| allocation))),
    ("network-interface.association.association-id", |l| maybe(l.elastic().map(|(_, association)| association))),
    ("network-interface.association.ip-owner-id", |l| maybe(l.public_owner())),
    ("network-interface.association.public-dns-name", |l| maybe(l.around.public_dns(l.cx.region()))),
    ("network-interface.association.public-ip", |l| maybe(l.around.public_ip())),
    ("network-interface.attachment.attach-time", |l| l.attach_time()),
    ("network-interface.attachment.attachment-id", |l| maybe(l.attachment().map(|a| &a.id))),
    ("network-interface.attachment.delete-on-termination", |l| maybe(l.attachment().map(|a| a.delete_on_termination))),
    ("network-interface.attachment.device-index", |l| maybe(l.attachment().map(|a| a.device_index))),
    ("network-interface.attachment.instance-id", |l| maybe(l.attachment().map(|a| &a.instance))),
    ("network-interface.attachment.instance-owner-id", |l| maybe(l.attachment().map(|_| l.cx.account()))),
    ("network-interface.attachment.network-card-index", |l| maybe(l.attachment().map(|_| 0))),
    ("network-interface.attachment.status", |l| l.alive(l.attached())),
    ("network-interface.availability-zone", |l| maybe(l.interface().map(|i| &i.zone))),
    ("network-interface.description", |l| maybe(l.interface().map(|i| &i.description))),
    ("network-interface.group-id", |l| l.group_ids()),
    ("network-interface.group-name", |l| l.group_names()),
    ("network-interface.mac-address", |l| maybe(l.interface().map(|i| i.mac))),
    ("network-interface.network-interface-id", |l| maybe(l.interface().map(|i| &i.id))),
    ("network-interface.owner-id", |l| maybe(l.interface().map(|_| l.cx.account()))),
    ("network-interface.private-dns-name", |l| l.alive(l.record.private_dns_name(l.cx.region()))),
    ("network-interface.private-ip-address", |l| maybe(l.interface().map(|i| i.ip))),
    ("network-interface.requester-id", |l| maybe(l.interface().and_then(|i| i.managed_by.as_ref()))),
    ("network-interface.requester-managed", |l| maybe(l.interface().map(|i| i.managed_by.is_some()))),
    ("network-interface.source-dest-check", |l| maybe(l.interface().map(|i| i.source_dest_check))),
    ("network-interface.status", |l| l.alive("in-use")),
    ("network-interface.subnet-id", |l| l.alive(&l.record.subnet)),
    ("network-interface.tag-key", |l| l.interface().map_or_else(Vec::new, |i| i.tags.keys().cloned().collect())),
    ("network-interface.tag-value", |l| l.interface().map_or_else(Vec::new, |i| i.tags.values().cloned().collect())),
    ("network-interface.vpc-id", |l| l.alive(&l.record.vpc)),
    ("owner-id", |l| one(l.cx.account())),
    ("platform-details", |_| one("Linux/UNIX")),
    ("private-dns-name", |l| l.alive(l.record.private_dns_name(l.cx.region()))),
    ("private-dns-name-options.enable-resource-name-dns-a-record", |l| flag(l.record.options.resource_name_dns_a)),
    ("private-dns-name-options.enable-resource-name-dns-aaaa-record", |_| flag(false)),
    ("private-dns-name-options.hostname-type", |l| one(&l.record.options.hostname_type)),
    ("private-ip-address", |l| l.alive(l.record.ip)),
    ("reason", |l| one(&l.record.transition_reason)),
    ("requester-id", |l| maybe(l.record.requester.as_ref())),
    ("reservation-id", |l| one(&l.record.reservation)),
    ("root-device-name", |l| one(&l.record.root_device)),
    ("root-device-type", |_| one("ebs")),
    ("source-dest-check", |l| maybe(l.interface().map(|i| i.source_dest_check))),
    ("state-reason-code", |l| maybe(l.record.reason.as_ref().map(|r| &r.code))),
    ("state-reason-message", |l| maybe(l.record.reason.as_ref().map(|r| &r.message))),
    ("subnet-id", |l| l.alive(&l.record.subnet)),
    ("tenancy", |_| one("default")),
    ("usage-operation", |_| one("RunInstances")),
    ("usage-operation-update-time", |l| one(l.record.launch_time.iso8601_millis())),
    ("virtualization-type", |_| one("hvm")),
    ("vpc-id", |l| l.alive(&l.record.vpc)),
];

const NEVER: &[&str] = &[
    "affinity",
    "boot-mode",
    "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
    "current-instance-boot-mode",
    "host-id",
    "instance-lifecycle",
    "ipv6-address",
    "kernel-id",
    "network-interface.addresses.association.carrier-ip",
    "network-interface.addresses.association.customer-owned-ip",
    "network-interface.association.carrier-ip",
    "network-interface.association.customer-owned-ip",
    "network-interface.deny-all-igw-traffic",
    "network-interface.ipv4-prefixes.ipv4-prefix",
    "network-interface.ipv6-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-native",
    "network-interface.ipv6-prefixes.ipv6-prefix",
    "network-interface.operator.managed",
    "network-interface.operator.principal",
    "network-interface.outpost-arn",
    "network-interface.public-dns-name",
    "network-performance-options.bandwidth-weighting",
    "operator.managed",
    "operator.principal",
    "outpost-arn",
    "placement-group-name",
    "placement-partition-number",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "spot-instance-request-id",
    "tpm-support",
];
