//! Subnets.

use crate::defaults::ensure_defaults;
use crate::errors::{dependency, invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, flag, maybe, one};
use crate::firewall::records::NetworkAcl;
use crate::interfaces::allocation::free_addresses;
use crate::interfaces::records::NetworkInterface;
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::{RouteTable, RouteUser, Subnet, Vpc};
use crate::networks::targets::{SUBNET, VPC};
use crate::tags;
use crate::targets::things;
use crate::zones;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AttributeBooleanValue, CreateSubnetRequest, CreateSubnetResponse, DeleteSubnetRequest, DeleteSubnetResponse,
    DescribeSubnetsRequest, DescribeSubnetsResponse, ModifySubnetAttributeRequest, ModifySubnetAttributeResponse,
    PrivateDnsNameOptionsOnLaunch,
};
use kiln_ids::SubnetId;
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateSubnet: create_subnet(CreateSubnetRequest), on things![VPC vpc_id, makes SUBNET]),
    operation!(DeleteSubnet: delete_subnet(DeleteSubnetRequest), on things![SUBNET subnet_id]),
    operation!(DescribeSubnets: describe_subnets(DescribeSubnetsRequest), on everything),
    operation!(ModifySubnetAttribute: modify_subnet_attribute(ModifySubnetAttributeRequest),
        on things![SUBNET subnet_id]),
];

async fn create_subnet(cx: &Cx, request: CreateSubnetRequest) -> Result<CreateSubnetResponse, Error> {
    refuse(
        "CreateSubnet",
        &[
            ("Ipv6CidrBlock", request.ipv6_cidr_block.is_some()),
            ("Ipv6Native", request.ipv6_native == Some(true)),
            ("OutpostArn", request.outpost_arn.is_some()),
            ("Ipv4IpamPoolId", request.ipv4_ipam_pool_id.is_some()),
            ("Ipv4NetmaskLength", request.ipv4_netmask_length.is_some()),
            ("Ipv6IpamPoolId", request.ipv6_ipam_pool_id.is_some()),
            ("Ipv6NetmaskLength", request.ipv6_netmask_length.is_some()),
        ],
    )?;
    ensure_defaults(cx).await?;
    let text = request.cidr_block.as_deref().ok_or_else(|| missing_parameter("cidrBlock"))?;
    let cidr: Cidr = text.parse().map_err(|_| {
        invalid_value(format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."))
    })?;
    let range = || Error::sender("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid."));
    if !(16..=28).contains(&cidr.prefix()) {
        return Err(range());
    }
    let zone =
        zones::wanted(cx.region(), request.availability_zone.as_deref(), request.availability_zone_id.as_deref())?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::SUBNET)?;
    let subnet = cx
        .store()
        .write(|tx| {
            let vpc = need::<Vpc>(tx, cx.scope(), &request.vpc_id)?;
            if !vpc.cidrs.iter().any(|block| block.cidr.holds(&cidr)) {
                return Err(range());
            }
            let others = tx.by_key::<Subnet>(cx.scope(), "vpc-id", &vpc.id)?;
            if others.iter().any(|(_, s)| s.cidr.overlaps(&cidr)) {
                return Err(Error::sender(
                    "InvalidSubnet.Conflict",
                    format!("The CIDR '{cidr}' conflicts with another subnet"),
                ));
            }
            let zone = match &zone {
                Some(zone) => zone.clone(),
                None => emptiest_zone(tx, cx, &vpc)?,
            };
            let subnet = Subnet {
                id: SubnetId::new(cx.ids()),
                vpc: vpc.id.clone(),
                cidr,
                zone,
                default_for_az: false,
                map_public_ip_on_launch: false,
                hostname_type: "ip-name".to_owned(),
                resource_name_dns_a: false,
                tags,
            };
            tx.put(cx.scope(), &subnet.id, subnet.clone())?;
            Ok(subnet)
        })
        .await?;
    Ok(CreateSubnetResponse { subnet: Some(shown(cx, &subnet, subnet.usable())) })
}

/// AWS chooses a zone when the caller does not; here the first with the fewest subnets of the VPC.
fn emptiest_zone(tx: &Tx, cx: &Cx, vpc: &Vpc) -> Result<String, Error> {
    let subnets = tx.by_key::<Subnet>(cx.scope(), "vpc-id", &vpc.id)?;
    let count = |zone: &str| subnets.iter().filter(|(_, s)| s.zone == zone).count();
    let zones = zones::zones(cx.region());
    let emptiest = zones.into_iter().min_by_key(|zone| count(&zone.name));
    Ok(emptiest.expect("every region has zones").name)
}

async fn delete_subnet(cx: &Cx, request: DeleteSubnetRequest) -> Result<DeleteSubnetResponse, Error> {
    cx.store()
        .write(|tx| {
            let subnet = need::<Subnet>(tx, cx.scope(), &request.subnet_id)?;
            if !tx.by_key::<NetworkInterface>(cx.scope(), "subnet-id", &subnet.id)?.is_empty() {
                return Err(dependency(format!("The subnet '{}' has dependencies and cannot be deleted.", subnet.id)));
            }
            for (id, table) in tx.by_key::<RouteTable>(cx.scope(), "vpc-id", &subnet.vpc)? {
                if table.serves(&subnet.id) {
                    let mut table = RouteTable::clone(&table);
                    table.associations.retain(|a| a.user != RouteUser::Subnet(subnet.id.clone()));
                    tx.put(cx.scope(), &id, table)?;
                }
            }
            for (id, acl) in tx.by_key::<NetworkAcl>(cx.scope(), "vpc-id", &subnet.vpc)? {
                if acl.was_given(&subnet.id) {
                    let mut acl = NetworkAcl::clone(&acl);
                    acl.associations.retain(|association| association.subnet != subnet.id);
                    tx.put(cx.scope(), &id, acl)?;
                }
            }
            tx.delete::<Subnet>(cx.scope(), &subnet.id);
            Ok(())
        })
        .await?;
    Ok(DeleteSubnetResponse::default())
}

const FILTERS: &[&str] = &[
    "availability-zone",
    "availability-zone-id",
    "availabilityZone",
    "availabilityZoneId",
    "available-ip-address-count",
    "cidr",
    "cidr-block",
    "cidrBlock",
    "customer-owned-ipv4-pool",
    "default-for-az",
    "defaultForAz",
    "enable-dns64",
    "enable-lni-at-device-index",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.state",
    "ipv6-native",
    "map-customer-owned-ip-on-launch",
    "map-public-ip-on-launch",
    "outpost-arn",
    "owner-id",
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
    "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
    "private-dns-name-options-on-launch.hostname-type",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
];

async fn describe_subnets(cx: &Cx, request: DescribeSubnetsRequest) -> Result<DescribeSubnetsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut subnets = asked::<Subnet>(cx, &request.subnet_ids, &filters, "subnet-id")?;
    let mut free: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (id, subnet) in &subnets {
        free.insert(id.clone(), free_addresses(cx, subnet)?);
    }
    let free = |subnet: &Subnet| free.get(&*subnet.id).copied().unwrap_or_default();
    subnets.retain(|(_, subnet)| {
        filters.accept(&subnet.tags, |name| match name {
            "availability-zone" | "availabilityZone" => one(&subnet.zone),
            "availability-zone-id" | "availabilityZoneId" => maybe(zones::zone_id(cx.region(), &subnet.zone)),
            "available-ip-address-count" => one(free(subnet)),
            "cidr" | "cidrBlock" | "cidr-block" => one(subnet.cidr),
            "default-for-az" | "defaultForAz" => flag(subnet.default_for_az),
            "ipv6-native" => flag(false),
            "map-public-ip-on-launch" => flag(subnet.map_public_ip_on_launch),
            "owner-id" => one(cx.account()),
            "enable-dns64"
            | "map-customer-owned-ip-on-launch"
            | "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record" => flag(false),
            "private-dns-name-options-on-launch.enable-resource-name-dns-a-record" => flag(subnet.resource_name_dns_a),
            "private-dns-name-options-on-launch.hostname-type" => one(&subnet.hostname_type),
            "state" => one("available"),
            "subnet-arn" => one(arn(cx, subnet)),
            "subnet-id" => one(&subnet.id),
            "vpc-id" => one(&subnet.vpc),
            _ => vec![],
        })
    });
    let page = page(subnets, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeSubnetsResponse {
        next_token: page.next_token,
        subnets: page.items.iter().map(|s| shown(cx, s, free(s))).collect(),
    })
}

fn arn(cx: &Cx, subnet: &Subnet) -> String {
    cx.arn("ec2", &format!("subnet/{}", subnet.id))
}

/// A subnet as answers show it.
pub fn shown(cx: &Cx, subnet: &Subnet, free: u32) -> shapes::Subnet {
    shapes::Subnet {
        availability_zone_id: zones::zone_id(cx.region(), &subnet.zone),
        map_customer_owned_ip_on_launch: Some(false),
        owner_id: Some(cx.account().to_owned()),
        assign_ipv6_address_on_creation: Some(false),
        tags: tags::shown(&subnet.tags),
        subnet_arn: Some(arn(cx, subnet)),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some(subnet.hostname_type.clone()),
            enable_resource_name_dns_a_record: Some(subnet.resource_name_dns_a),
            enable_resource_name_dns_aaaa_record: Some(false),
        }),
        subnet_id: Some(subnet.id.to_string()),
        state: Some("available".to_owned()),
        vpc_id: Some(subnet.vpc.to_string()),
        cidr_block: Some(subnet.cidr.to_string()),
        available_ip_address_count: i32::try_from(free).ok(),
        availability_zone: Some(subnet.zone.clone()),
        default_for_az: Some(subnet.default_for_az),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        ..Default::default()
    }
}

async fn modify_subnet_attribute(
    cx: &Cx,
    request: ModifySubnetAttributeRequest,
) -> Result<ModifySubnetAttributeResponse, Error> {
    let value = |given: &Option<AttributeBooleanValue>| given.as_ref().and_then(|given| given.value);
    refuse(
        "ModifySubnetAttribute",
        &[
            ("AssignIpv6AddressOnCreation", value(&request.assign_ipv6_address_on_creation) == Some(true)),
            ("MapCustomerOwnedIpOnLaunch", value(&request.map_customer_owned_ip_on_launch) == Some(true)),
            ("CustomerOwnedIpv4Pool", request.customer_owned_ipv4_pool.is_some()),
            ("EnableLniAtDeviceIndex", request.enable_lni_at_device_index.is_some()),
            ("DisableLniAtDeviceIndex", value(&request.disable_lni_at_device_index) == Some(true)),
            ("EnableDns64", value(&request.enable_dns64) == Some(true)),
            (
                "EnableResourceNameDnsAAAARecordOnLaunch",
                value(&request.enable_resource_name_dns_aaaa_record_on_launch) == Some(true),
            ),
        ],
    )?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let mut subnet = Subnet::clone(&*need::<Subnet>(tx, cx.scope(), &request.subnet_id)?);
            if let Some(map) = value(&request.map_public_ip_on_launch) {
                subnet.map_public_ip_on_launch = map;
            }
            if let Some(kind) = &request.private_dns_hostname_type_on_launch {
                subnet.hostname_type = kind.clone();
            }
            if let Some(record) = value(&request.enable_resource_name_dns_a_record_on_launch) {
                subnet.resource_name_dns_a = record;
            }
            Ok(tx.put_if_changed(cx.scope(), &request.subnet_id, subnet)?)
        })
        .await?;
    Ok(ModifySubnetAttributeResponse::default())
}
