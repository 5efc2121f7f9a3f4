//! An instance as DescribeInstances shows it.
//!
//! Addresses and groups are its interface's, so a change there is seen here; a terminated instance
//! has no interface any more and shows none.

use crate::firewall::records::SecurityGroup;
use crate::instance_types;
use crate::instances::records::{Instance, InstanceOptions, InstanceState, MetadataOptions};
use crate::interfaces::records::{Attachment, NetworkInterface, PublicAddress};
use crate::names::{ip_host, private_domain, public_dns_name};
use crate::networks::records::Vpc;
use crate::tags;
use kiln_ec2_shapes::{
    self as shapes, CapacityReservationSpecificationResponse, CpuOptions, EbsInstanceBlockDevice, EnclaveOptions,
    GroupIdentifier, HibernationOptions, IamInstanceProfile, InstanceBlockDeviceMapping, InstanceMaintenanceOptions,
    InstanceMetadataOptionsResponse, InstanceNetworkInterface, InstanceNetworkInterfaceAssociation,
    InstanceNetworkInterfaceAttachment, InstancePrivateIpAddress, InstanceStateChange, Monitoring, Placement,
    PrivateDnsNameOptionsResponse, StateReason,
};
use kiln_service_kit::{Cx, Error};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What stands around an instance.
pub struct Around {
    /// The one at device index 0.
    pub interface: Option<Arc<NetworkInterface>>,
    /// Its groups, id and name.
    pub groups: Vec<(String, String)>,
    /// The others with theirs, by device index.
    pub more: Vec<(Arc<NetworkInterface>, Vec<(String, String)>)>,
    pub dns_hostnames: bool,
}

impl Around {
    /// Reads it.
    pub fn of(cx: &Cx, instance: &Instance) -> Result<Around, Error> {
        let (store, scope) = (cx.store(), cx.scope());
        let interface = match instance.is_terminated() {
            true => None,
            false => store.get::<NetworkInterface>(scope, &instance.interface)?,
        };
        let groups_of = |interface: &NetworkInterface| -> Result<Vec<(String, String)>, Error> {
            let mut groups = vec![];
            for id in &interface.groups {
                let name = store.get::<SecurityGroup>(scope, id)?.map_or_else(String::new, |group| group.name.clone());
                groups.push((id.to_string(), name));
            }
            Ok(groups)
        };
        let groups = interface.as_deref().map_or(Ok(vec![]), groups_of)?;
        let mut more = vec![];
        for id in instance.more_interfaces.iter().filter(|_| !instance.is_terminated()) {
            if let Some(interface) = store.get::<NetworkInterface>(scope, id)? {
                let groups = groups_of(&interface)?;
                more.push((interface, groups));
            }
        }
        more.sort_by_key(|(interface, _)| interface.attachment.as_ref().map(|a| a.device_index));
        let dns_hostnames = store.get::<Vpc>(scope, &instance.vpc)?.is_some_and(|vpc| vpc.gives_public_names());
        Ok(Around { interface, groups, more, dns_hostnames })
    }

    pub fn public_ip(&self) -> Option<Ipv4Addr> {
        self.interface.as_ref().and_then(|interface| interface.public.as_ref()).map(|public| public.ip)
    }

    /// The public name, where the VPC gives out names.
    pub fn public_dns(&self, region: &str) -> Option<String> {
        let ip = self.public_ip().filter(|_| self.dns_hostnames)?;
        Some(public_dns_name(region, ip))
    }

    pub fn group_identifiers(&self) -> Vec<GroupIdentifier> {
        identifiers(&self.groups)
    }

    /// Every interface with its groups, the first one first.
    pub fn interfaces(&self) -> impl Iterator<Item = (&NetworkInterface, &[(String, String)])> {
        let first = self.interface.iter().map(|first| (&**first, &*self.groups));
        first.chain(self.more.iter().map(|(interface, groups)| (&**interface, &**groups)))
    }
}

fn identifiers(groups: &[(String, String)]) -> Vec<GroupIdentifier> {
    let one =
        |(id, name): &(String, String)| GroupIdentifier { group_id: Some(id.clone()), group_name: Some(name.clone()) };
    groups.iter().map(one).collect()
}

/// AWS's status of an attachment to this instance.
pub fn attachment_status(record: &Instance, attachment: &Attachment) -> &'static str {
    match (attachment.detaching, attachment.plugged && record.launched) {
        (true, _) => "detaching",
        (false, true) => "attached",
        (false, false) => "attaching",
    }
}

pub fn state(state: InstanceState) -> shapes::InstanceState {
    shapes::InstanceState { code: Some(state.code()), name: Some(state.name().to_owned()) }
}

pub fn change(id: &str, previous: InstanceState, current: InstanceState) -> InstanceStateChange {
    InstanceStateChange {
        instance_id: Some(id.to_owned()),
        current_state: Some(state(current)),
        previous_state: Some(state(previous)),
    }
}

pub fn metadata(options: &MetadataOptions) -> InstanceMetadataOptionsResponse {
    let on = |on: bool| Some(if on { "enabled" } else { "disabled" }.to_owned());
    InstanceMetadataOptionsResponse {
        // The metadata service reads the record at every request: there is no time between.
        state: Some("applied".to_owned()),
        http_tokens: Some(if options.tokens_required { "required" } else { "optional" }.to_owned()),
        http_put_response_hop_limit: Some(options.hop_limit),
        http_endpoint: on(options.enabled),
        http_protocol_ipv6: on(false),
        instance_metadata_tags: on(options.tags_enabled),
    }
}

pub fn instance(cx: &Cx, record: &Instance, around: &Around) -> shapes::Instance {
    let region = cx.region();
    let gone = record.is_terminated();
    let private_dns = record.private_dns_name(region);
    let kind = instance_types::find(&record.instance_type);
    shapes::Instance {
        architecture: Some(record.architecture.clone()),
        block_device_mappings: if gone { vec![] } else { vec![root_device(record, around)] },
        client_token: Some(record.client_token.clone().unwrap_or_default()),
        ebs_optimized: Some(record.options.ebs_optimized),
        ena_support: Some(record.options.ena_support),
        hypervisor: Some("xen".to_owned()),
        iam_instance_profile: record
            .profile
            .as_ref()
            .map(|profile| IamInstanceProfile { arn: Some(profile.arn.clone()), id: Some(profile.id.clone()) }),
        network_interfaces: around.interfaces().map(|(i, groups)| interface(cx, record, i, groups, around)).collect(),
        root_device_name: Some(record.root_device.clone()),
        root_device_type: Some("ebs".to_owned()),
        security_groups: around.group_identifiers(),
        source_dest_check: around.interface.as_ref().map(|interface| interface.source_dest_check),
        state_reason: record
            .reason
            .as_ref()
            .map(|r| StateReason { code: Some(r.code.clone()), message: Some(r.message.clone()) }),
        tags: tags::shown(&record.tags),
        virtualization_type: Some("hvm".to_owned()),
        cpu_options: kind.map(|kind| CpuOptions {
            core_count: Some(kind.cores()),
            threads_per_core: Some(kind.family.threads),
            ..CpuOptions::default()
        }),
        capacity_reservation_specification: Some(CapacityReservationSpecificationResponse {
            capacity_reservation_preference: Some(record.options.capacity_reservation_preference.clone()),
            ..CapacityReservationSpecificationResponse::default()
        }),
        hibernation_options: Some(HibernationOptions { configured: Some(false) }),
        metadata_options: Some(metadata(&record.metadata)),
        enclave_options: Some(EnclaveOptions { enabled: Some(false) }),
        platform_details: Some("Linux/UNIX".to_owned()),
        usage_operation: Some("RunInstances".to_owned()),
        usage_operation_update_time: Some(record.launch_time),
        private_dns_name_options: Some(PrivateDnsNameOptionsResponse {
            hostname_type: Some(record.options.hostname_type.clone()),
            enable_resource_name_dns_a_record: Some(record.options.resource_name_dns_a),
            enable_resource_name_dns_aaaa_record: Some(false),
        }),
        maintenance_options: Some(InstanceMaintenanceOptions {
            auto_recovery: Some(record.options.auto_recovery.clone()),
            ..InstanceMaintenanceOptions::default()
        }),
        instance_id: Some(record.id.to_string()),
        image_id: Some(record.image.to_string()),
        state: Some(state(record.state)),
        private_dns_name: Some(if gone { String::new() } else { private_dns }),
        public_dns_name: Some(around.public_dns(region).unwrap_or_default()),
        state_transition_reason: Some(record.transition_reason.clone()),
        key_name: record.key_name.clone(),
        ami_launch_index: Some(record.launch_index),
        instance_type: Some(record.instance_type.clone()),
        launch_time: Some(record.launch_time),
        placement: Some(Placement {
            availability_zone: Some(record.zone.clone()),
            availability_zone_id: crate::zones::zone_id(region, &record.zone),
            group_name: Some(String::new()),
            tenancy: Some("default".to_owned()),
            ..Placement::default()
        }),
        monitoring: Some(monitoring(&record.options)),
        subnet_id: (!gone).then(|| record.subnet.to_string()),
        vpc_id: (!gone).then(|| record.vpc.to_string()),
        private_ip_address: (!gone).then(|| record.ip.to_string()),
        public_ip_address: around.public_ip().map(|ip| ip.to_string()),
        ..shapes::Instance::default()
    }
}

/// How often it is measured, in AWS's words.
pub fn monitoring(options: &InstanceOptions) -> Monitoring {
    Monitoring { state: Some(monitoring_state(options).to_owned()) }
}

pub fn monitoring_state(options: &InstanceOptions) -> &'static str {
    if options.detailed_monitoring { "enabled" } else { "disabled" }
}

pub fn root_device(record: &Instance, around: &Around) -> InstanceBlockDeviceMapping {
    // The disk is there since the launch; LaunchTime is that of the latest start.
    let interface = around.interface.as_ref().and_then(|interface| interface.attachment.as_ref());
    InstanceBlockDeviceMapping {
        device_name: Some(record.root_device.clone()),
        ebs: Some(EbsInstanceBlockDevice {
            attach_time: Some(interface.map_or(record.launch_time, |attachment| attachment.at)),
            delete_on_termination: Some(true),
            status: Some(if record.launched { "attached" } else { "attaching" }.to_owned()),
            volume_id: Some(record.volume.to_string()),
            ..EbsInstanceBlockDevice::default()
        }),
    }
}

/// The private name of an address: the instance's own for its first one.
pub fn private_name(region: &str, record: &Instance, interface: &NetworkInterface, ip: Ipv4Addr) -> String {
    match ip == record.ip && interface.id == record.interface {
        true => record.private_dns_name(region),
        false => format!("{}.{}", ip_host(ip), private_domain(region)),
    }
}

fn interface(
    cx: &Cx,
    record: &Instance,
    interface: &NetworkInterface,
    groups: &[(String, String)],
    around: &Around,
) -> InstanceNetworkInterface {
    let region = cx.region();
    let name = |ip| private_name(region, record, interface, ip);
    let association = |public: &PublicAddress| InstanceNetworkInterfaceAssociation {
        ip_owner_id: Some(if public.elastic.is_some() { cx.account() } else { "amazon" }.to_owned()),
        public_dns_name: Some(match around.dns_hostnames {
            true => public_dns_name(region, public.ip),
            false => String::new(),
        }),
        public_ip: Some(public.ip.to_string()),
        ..InstanceNetworkInterfaceAssociation::default()
    };
    InstanceNetworkInterface {
        association: interface.public.as_ref().map(association),
        attachment: interface.attachment.as_ref().map(|attachment| InstanceNetworkInterfaceAttachment {
            attach_time: Some(attachment.at),
            attachment_id: Some(attachment.id.to_string()),
            delete_on_termination: Some(attachment.delete_on_termination),
            device_index: Some(attachment.device_index),
            status: Some(attachment_status(record, attachment).to_owned()),
            network_card_index: Some(0),
            ..InstanceNetworkInterfaceAttachment::default()
        }),
        description: Some(interface.description.clone()),
        groups: identifiers(groups),
        mac_address: Some(interface.mac.to_string()),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(cx.account().to_owned()),
        private_dns_name: Some(name(interface.ip)),
        private_ip_address: Some(interface.ip.to_string()),
        private_ip_addresses: interface
            .addresses()
            .map(|(ip, public)| InstancePrivateIpAddress {
                association: public.map(association),
                primary: Some(ip == interface.ip),
                private_dns_name: Some(name(ip)),
                private_ip_address: Some(ip.to_string()),
            })
            .collect(),
        source_dest_check: Some(interface.source_dest_check),
        status: Some("in-use".to_owned()),
        subnet_id: Some(interface.subnet.to_string()),
        vpc_id: Some(interface.vpc.to_string()),
        interface_type: Some("interface".to_owned()),
        ..InstanceNetworkInterface::default()
    }
}
