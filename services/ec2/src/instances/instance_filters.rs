//! What DescribeInstances' filters look at: every name AWS documents, with what an instance has
//! under it. What no instance here can have (a host, an IPv6 address) is known and never matches.

use crate::filters::{flag, maybe, one};
use crate::instances::records::Instance;
use crate::instances::shown::{Around, attachment_status, monitoring_state, private_name};
use crate::interfaces::records::{Attachment, NetworkInterface, PublicAddress};
use crate::names::public_dns_name;
use kiln_service_kit::Cx;
use std::net::Ipv4Addr;

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
    /// What each interface has.
    fn each<T: ToString>(&self, has: impl Fn(&NetworkInterface) -> Option<T>) -> Vec<String> {
        self.around.interfaces().filter_map(|(i, _)| has(i)).map(|value| value.to_string()).collect()
    }
    fn each_attachment<T: ToString>(&self, has: impl Fn(&Attachment) -> T) -> Vec<String> {
        self.each(|i| i.attachment.as_ref().map(&has))
    }
    fn each_address(&self, has: impl Fn(&NetworkInterface, Ipv4Addr) -> String) -> Vec<String> {
        let all = self.around.interfaces().flat_map(|(i, _)| i.addresses().map(move |(ip, _)| (i, ip)));
        all.map(|(i, ip)| has(i, ip)).collect()
    }
    fn each_public(&self, has: impl Fn(&PublicAddress) -> Option<String>) -> Vec<String> {
        let all = self.around.interfaces().flat_map(|(i, _)| i.addresses().filter_map(|(_, public)| public));
        all.filter_map(has).collect()
    }
    fn groups(&self, part: impl Fn(&(String, String)) -> String) -> Vec<String> {
        self.around.interfaces().flat_map(|(_, groups)| groups).map(part).collect()
    }
    fn owner(&self, public: &PublicAddress) -> String {
        if public.elastic.is_some() { self.cx.account() } else { "amazon" }.to_owned()
    }
    fn public_dns(&self, public: &PublicAddress) -> Option<String> {
        self.around.dns_hostnames.then(|| public_dns_name(self.cx.region(), public.ip))
    }
    fn name(&self, interface: &NetworkInterface, ip: Ipv4Addr) -> String {
        private_name(self.cx.region(), self.record, interface, ip)
    }
    /// A terminated instance has left its network.
    fn alive<T: ToString>(&self, value: T) -> Vec<String> {
        if self.record.is_terminated() { vec![] } else { vec![value.to_string()] }
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
        let attachment = self.interface().and_then(|interface| interface.attachment.as_ref());
        maybe(attachment.map(|attachment| attachment.at.iso8601_millis()))
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
    ("monitoring-state", |l| one(monitoring_state(&l.record.options))),
    ("network-interface.addresses.association.allocation-id", |l| {
        l.each_public(|p| p.elastic.as_ref().map(|(allocation, _)| allocation.to_string()))
    }),
    ("network-interface.addresses.association.association-id", |l| {
        l.each_public(|p| p.elastic.as_ref().map(|(_, association)| association.to_string()))
    }),
    ("network-interface.addresses.association.ip-owner-id", |l| l.each_public(|p| Some(l.owner(p)))),
    ("network-interface.addresses.association.public-dns-name", |l| l.each_public(|p| l.public_dns(p))),
    ("network-interface.addresses.association.public-ip", |l| l.each_public(|p| Some(p.ip.to_string()))),
    ("network-interface.addresses.primary", |l| l.each_address(|i, ip| (i.ip == ip).to_string())),
    ("network-interface.addresses.private-dns-name", |l| l.each_address(|i, ip| l.name(i, ip))),
    ("network-interface.addresses.private-ip-address", |l| l.each_address(|_, ip| ip.to_string())),
    ("network-interface.association.allocation-id", |l| {
        l.each(|i| i.public.as_ref()?.elastic.as_ref().map(|(allocation, _)| allocation.to_string()))
    }),
    ("network-interface.association.association-id", |l| {
        l.each(|i| i.public.as_ref()?.elastic.as_ref().map(|(_, association)| association.to_string()))
    }),
    ("network-interface.association.ip-owner-id", |l| l.each(|i| i.public.as_ref().map(|p| l.owner(p)))),
    ("network-interface.association.public-dns-name", |l| l.each(|i| l.public_dns(i.public.as_ref()?))),
    ("network-interface.association.public-ip", |l| l.each(|i| i.public.as_ref().map(|p| p.ip))),
    ("network-interface.attachment.attach-time", |l| l.each_attachment(|a| a.at.iso8601_millis())),
    ("network-interface.attachment.attachment-id", |l| l.each_attachment(|a| a.id.to_string())),
    ("network-interface.attachment.delete-on-termination", |l| l.each_attachment(|a| a.delete_on_termination)),
    ("network-interface.attachment.device-index", |l| l.each_attachment(|a| a.device_index)),
    ("network-interface.attachment.instance-id", |l| l.each_attachment(|a| a.instance.to_string())),
    ("network-interface.attachment.instance-owner-id", |l| l.each_attachment(|_| l.cx.account().to_owned())),
    ("network-interface.attachment.network-card-index", |l| l.each_attachment(|_| 0)),
    ("network-interface.attachment.status", |l| l.each_attachment(|a| attachment_status(l.record, a))),
    ("network-interface.availability-zone", |l| l.each(|i| Some(i.zone.clone()))),
    ("network-interface.description", |l| l.each(|i| Some(i.description.clone()))),
    ("network-interface.group-id", |l| l.groups(|(id, _)| id.clone())),
    ("network-interface.group-name", |l| l.groups(|(_, name)| name.clone())),
    ("network-interface.mac-address", |l| l.each(|i| Some(i.mac))),
    ("network-interface.network-interface-id", |l| l.each(|i| Some(i.id.to_string()))),
    ("network-interface.owner-id", |l| l.each(|_| Some(l.cx.account().to_owned()))),
    ("network-interface.private-dns-name", |l| l.each(|i| Some(l.name(i, i.ip)))),
    ("network-interface.private-ip-address", |l| l.each(|i| Some(i.ip))),
    ("network-interface.requester-id", |l| l.each(|i| i.managed_by.clone())),
    ("network-interface.requester-managed", |l| l.each(|i| Some(i.managed_by.is_some()))),
    ("network-interface.source-dest-check", |l| l.each(|i| Some(i.source_dest_check))),
    ("network-interface.status", |l| l.each(|_| Some("in-use"))),
    ("network-interface.subnet-id", |l| l.each(|i| Some(i.subnet.to_string()))),
    ("network-interface.tag-key", |l| l.around.interfaces().flat_map(|(i, _)| i.tags.keys().cloned()).collect()),
    ("network-interface.tag-value", |l| l.around.interfaces().flat_map(|(i, _)| i.tags.values().cloned()).collect()),
    ("network-interface.vpc-id", |l| l.each(|i| Some(i.vpc.to_string()))),
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
