//! VPCs, their blocks and attributes.

use crate::defaults::{ensure_defaults, new_default_subnet, new_default_vpc, new_vpc, no_default_vpc};
use crate::errors::{dependency, invalid_combination, invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, flag, one};
use crate::firewall::records::{NetworkAcl, SecurityGroup};
use crate::interfaces::records::NetworkInterface;
use crate::kinds;
use crate::lookup::{asked, need, page, selected};
use crate::networks::records::{InternetGateway, NatGateway, RouteTable, Subnet, Vpc, VpcCidr};
use crate::networks::targets::VPC;
use crate::tags;
use crate::targets::things;
use crate::zones;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResponse, AttributeBooleanValue, CreateDefaultSubnetRequest,
    CreateDefaultSubnetResponse, CreateDefaultVpcRequest, CreateDefaultVpcResponse, CreateVpcRequest,
    CreateVpcResponse, DeleteVpcRequest, DeleteVpcResponse, DescribeVpcAttributeRequest, DescribeVpcAttributeResponse,
    DescribeVpcsRequest, DescribeVpcsResponse, DisassociateVpcCidrBlockRequest, DisassociateVpcCidrBlockResponse,
    ModifyVpcAttributeRequest, ModifyVpcAttributeResponse, VpcCidrBlockAssociation, VpcCidrBlockState,
};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Operation, Scope, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateVpc: create_vpc(CreateVpcRequest), on things![makes VPC]),
    operation!(CreateDefaultVpc: create_default_vpc(CreateDefaultVpcRequest), on everything),
    operation!(CreateDefaultSubnet: create_default_subnet(CreateDefaultSubnetRequest), on everything),
    operation!(DeleteVpc: delete_vpc(DeleteVpcRequest), on things![VPC vpc_id]),
    operation!(DescribeVpcs: describe_vpcs(DescribeVpcsRequest), on everything),
    operation!(DescribeVpcAttribute: describe_vpc_attribute(DescribeVpcAttributeRequest), on things![VPC vpc_id]),
    operation!(ModifyVpcAttribute: modify_vpc_attribute(ModifyVpcAttributeRequest), on things![VPC vpc_id]),
    operation!(AssociateVpcCidrBlock: associate_vpc_cidr_block(AssociateVpcCidrBlockRequest), on things![VPC vpc_id]),
    operation!(DisassociateVpcCidrBlock: disassociate_vpc_cidr_block(DisassociateVpcCidrBlockRequest),
        on things![VPC association_id]),
];

async fn create_vpc(cx: &Cx, request: CreateVpcRequest) -> Result<CreateVpcResponse, Error> {
    refuse(
        "CreateVpc",
        &[
            ("Ipv6Pool", request.ipv6_pool.is_some()),
            ("Ipv6CidrBlock", request.ipv6_cidr_block.is_some()),
            ("Ipv4IpamPoolId", request.ipv4_ipam_pool_id.is_some()),
            ("Ipv4NetmaskLength", request.ipv4_netmask_length.is_some()),
            ("Ipv6IpamPoolId", request.ipv6_ipam_pool_id.is_some()),
            ("Ipv6NetmaskLength", request.ipv6_netmask_length.is_some()),
            ("Ipv6CidrBlockNetworkBorderGroup", request.ipv6_cidr_block_network_border_group.is_some()),
            ("AmazonProvidedIpv6CidrBlock", request.amazon_provided_ipv6_cidr_block == Some(true)),
            ("VpcEncryptionControl", request.vpc_encryption_control.is_some()),
            ("InstanceTenancy other than default", request.instance_tenancy.is_some_and(|t| t != "default")),
        ],
    )?;
    ensure_defaults(cx).await?;
    let cidr = block(request.cidr_block.as_deref().ok_or_else(|| missing_parameter("cidrBlock"))?)?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::VPC)?;
    let vpc = cx.store().write(|tx| new_vpc(tx, cx, cidr, false, tags)).await?;
    Ok(CreateVpcResponse { vpc: Some(shown(cx, &vpc)) })
}

/// Addresses of no network: this host, loopback, link-local (the metadata service), multicast and
/// what is kept. Source: VPC User Guide, "VPC CIDR blocks".
const NO_NETWORKS: [&str; 4] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];
/// The network between a VPC's router and the internet.
const WAY_OUT: &str = "198.19.255.0/24";

/// A VPC's block: /16 to /28.
fn block(text: &str) -> Result<Cidr, Error> {
    let cidr: Cidr = text.parse().map_err(|_| {
        invalid_value(format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."))
    })?;
    let reserved = NO_NETWORKS.iter().any(|text| text.parse::<Cidr>().is_ok_and(|kept| kept.overlaps(&cidr)));
    if WAY_OUT.parse::<Cidr>().is_ok_and(|kept| kept.overlaps(&cidr)) {
        return Err(Error::not_built(format!("a VPC over {WAY_OUT}, which its way to the internet uses")));
    }
    match cidr.prefix() {
        16..=28 if !reserved => Ok(cidr),
        _ => Err(Error::sender("InvalidVpc.Range", format!("The CIDR '{text}' is invalid."))),
    }
}

async fn create_default_vpc(cx: &Cx, _request: CreateDefaultVpcRequest) -> Result<CreateDefaultVpcResponse, Error> {
    ensure_defaults(cx).await?;
    let vpc = cx
        .store()
        .write(|tx| {
            if crate::defaults::default_vpc(tx, cx)?.is_some() {
                return Err(Error::sender(
                    "DefaultVpcAlreadyExists",
                    "A Default VPC already exists for this account in this region.",
                ));
            }
            new_default_vpc(tx, cx)
        })
        .await?;
    Ok(CreateDefaultVpcResponse { vpc: Some(shown(cx, &vpc)) })
}

async fn create_default_subnet(
    cx: &Cx,
    request: CreateDefaultSubnetRequest,
) -> Result<CreateDefaultSubnetResponse, Error> {
    refuse("CreateDefaultSubnet", &[("Ipv6Native", request.ipv6_native == Some(true))])?;
    ensure_defaults(cx).await?;
    let zone =
        zones::wanted(cx.region(), request.availability_zone.as_deref(), request.availability_zone_id.as_deref())?
            .ok_or_else(|| missing_parameter("availabilityZone"))?;
    let subnet = cx
        .store()
        .write(|tx| {
            let vpc = crate::defaults::default_vpc(tx, cx)?.ok_or_else(no_default_vpc)?;
            let subnets = tx.by_key::<Subnet>(cx.scope(), "vpc-id", &vpc.id)?;
            if subnets.iter().any(|(_, s)| s.default_for_az && s.zone == zone) {
                return Err(Error::sender(
                    "DefaultSubnetAlreadyExistsInAvailabilityZone",
                    format!("A default subnet already exists in the availability zone {zone}."),
                ));
            }
            new_default_subnet(tx, cx, &vpc, &zone)
        })
        .await?;
    let free = subnet.usable();
    Ok(CreateDefaultSubnetResponse { subnet: Some(crate::networks::operations::subnets::shown(cx, &subnet, free)) })
}

async fn delete_vpc(cx: &Cx, request: DeleteVpcRequest) -> Result<DeleteVpcResponse, Error> {
    cx.store()
        .write(|tx| {
            let (scope, vpc) = (cx.scope(), need::<Vpc>(tx, cx.scope(), &request.vpc_id)?);
            if has_dependents(tx, scope, &vpc)? {
                return Err(dependency(format!("The vpc '{}' has dependencies and cannot be deleted.", vpc.id)));
            }
            for (id, _) in tx.by_key::<RouteTable>(scope, "vpc-id", &vpc.id)? {
                tx.delete::<RouteTable>(scope, &id);
            }
            for (id, _) in tx.by_key::<SecurityGroup>(scope, "vpc-id", &vpc.id)? {
                tx.delete::<SecurityGroup>(scope, &id);
            }
            for (id, _) in tx.by_key::<NetworkAcl>(scope, "vpc-id", &vpc.id)? {
                tx.delete::<NetworkAcl>(scope, &id);
            }
            tx.delete::<Vpc>(scope, &vpc.id);
            Ok(())
        })
        .await?;
    Ok(DeleteVpcResponse::default())
}

/// Anything beside the main route table, the default group and the default ACL.
fn has_dependents(tx: &Tx, scope: &Scope, vpc: &Vpc) -> Result<bool, Error> {
    let id = &vpc.id;
    Ok(!tx.by_key::<Subnet>(scope, "vpc-id", id)?.is_empty()
        || !tx.by_key::<NetworkInterface>(scope, "vpc-id", id)?.is_empty()
        || !tx.by_key::<InternetGateway>(scope, "attachment.vpc-id", id)?.is_empty()
        || tx.by_key::<NatGateway>(scope, "vpc-id", id)?.iter().any(|(_, r)| r.state.is_live())
        || tx.by_key::<RouteTable>(scope, "vpc-id", id)?.iter().any(|(_, r)| !r.is_main())
        || tx.by_key::<NetworkAcl>(scope, "vpc-id", id)?.iter().any(|(_, r)| !r.is_default)
        || tx.by_key::<SecurityGroup>(scope, "vpc-id", id)?.iter().any(|(_, r)| r.name != "default"))
}

const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block-association.association-id",
    "cidr-block-association.cidr-block",
    "cidr-block-association.state",
    "dhcp-options-id",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.ipv6-pool",
    "ipv6-cidr-block-association.state",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];

async fn describe_vpcs(cx: &Cx, request: DescribeVpcsRequest) -> Result<DescribeVpcsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut vpcs = asked::<Vpc>(cx, &request.vpc_ids, &filters, "vpc-id")?;
    vpcs.retain(|(_, vpc)| {
        filters.accept(&vpc.tags, |name| match name {
            "cidr" => one(vpc.cidrs[0].cidr),
            "cidr-block-association.association-id" => vpc.cidrs.iter().map(|b| b.association.clone()).collect(),
            "cidr-block-association.cidr-block" => vpc.cidrs.iter().map(|b| b.cidr.to_string()).collect(),
            "cidr-block-association.state" => one("associated"),
            "dhcp-options-id" => one(&vpc.dhcp_options),
            "is-default" | "isDefault" => flag(vpc.is_default),
            "owner-id" => one(cx.account()),
            "state" => one("available"),
            "vpc-id" => one(&vpc.id),
            _ => vec![],
        })
    });
    let page = page(vpcs, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeVpcsResponse {
        next_token: page.next_token,
        vpcs: page.items.iter().map(|vpc| shown(cx, vpc)).collect(),
    })
}

fn shown(cx: &Cx, vpc: &Vpc) -> shapes::Vpc {
    shapes::Vpc {
        owner_id: Some(cx.account().to_owned()),
        instance_tenancy: Some("default".to_owned()),
        cidr_block_association_set: vpc.cidrs.iter().map(|block| association(block, "associated")).collect(),
        is_default: Some(vpc.is_default),
        tags: tags::shown(&vpc.tags),
        vpc_id: Some(vpc.id.to_string()),
        state: Some("available".to_owned()),
        cidr_block: Some(vpc.cidrs[0].cidr.to_string()),
        dhcp_options_id: Some(vpc.dhcp_options.to_string()),
        ..Default::default()
    }
}

fn association(block: &VpcCidr, state: &str) -> VpcCidrBlockAssociation {
    VpcCidrBlockAssociation {
        association_id: Some(block.association.clone()),
        cidr_block: Some(block.cidr.to_string()),
        cidr_block_state: Some(VpcCidrBlockState { state: Some(state.to_owned()), status_message: None }),
    }
}

async fn describe_vpc_attribute(
    cx: &Cx,
    request: DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResponse, Error> {
    ensure_defaults(cx).await?;
    let vpc = selected::<Vpc>(cx, std::slice::from_ref(&request.vpc_id))?.remove(0).1;
    let mut answer = DescribeVpcAttributeResponse { vpc_id: Some(vpc.id.to_string()), ..Default::default() };
    let value = |value| Some(AttributeBooleanValue { value: Some(value) });
    match request.attribute.as_str() {
        "enableDnsSupport" => answer.enable_dns_support = value(vpc.enable_dns_support),
        "enableDnsHostnames" => answer.enable_dns_hostnames = value(vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics" => answer.enable_network_address_usage_metrics = value(false),
        other => return Err(invalid_value(format!("Value ({other}) for parameter attribute is invalid."))),
    }
    Ok(answer)
}

async fn modify_vpc_attribute(
    cx: &Cx,
    request: ModifyVpcAttributeRequest,
) -> Result<ModifyVpcAttributeResponse, Error> {
    let value = |given: &Option<AttributeBooleanValue>| given.as_ref().and_then(|given| given.value);
    let (support, names) = (value(&request.enable_dns_support), value(&request.enable_dns_hostnames));
    let metrics = value(&request.enable_network_address_usage_metrics);
    match [support, names, metrics].iter().flatten().count() {
        0 => return Err(missing_parameter("enableDnsSupport, enableDnsHostnames or enableNetworkAddressUsageMetrics")),
        1 => {}
        _ => return Err(invalid_combination("Fields for multiple attribute types specified")),
    }
    if metrics == Some(true) {
        return Err(Error::not_built("ec2:ModifyVpcAttribute with EnableNetworkAddressUsageMetrics"));
    }
    ensure_defaults(cx).await?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let mut vpc = Vpc::clone(&*need::<Vpc>(tx, cx.scope(), &request.vpc_id)?);
            vpc.enable_dns_support = support.unwrap_or(vpc.enable_dns_support);
            vpc.enable_dns_hostnames = names.unwrap_or(vpc.enable_dns_hostnames);
            Ok(tx.put_if_changed(cx.scope(), &request.vpc_id, vpc)?)
        })
        .await?;
    Ok(ModifyVpcAttributeResponse::default())
}

async fn associate_vpc_cidr_block(
    cx: &Cx,
    request: AssociateVpcCidrBlockRequest,
) -> Result<AssociateVpcCidrBlockResponse, Error> {
    refuse(
        "AssociateVpcCidrBlock",
        &[
            (
                "an IPv6 block",
                request.ipv6_cidr_block.is_some() || request.amazon_provided_ipv6_cidr_block == Some(true),
            ),
            ("Ipv4IpamPoolId", request.ipv4_ipam_pool_id.is_some()),
            ("Ipv6IpamPoolId", request.ipv6_ipam_pool_id.is_some()),
            ("Ipv6Pool", request.ipv6_pool.is_some()),
            ("Ipv4NetmaskLength", request.ipv4_netmask_length.is_some()),
            ("Ipv6NetmaskLength", request.ipv6_netmask_length.is_some()),
            ("Ipv6CidrBlockNetworkBorderGroup", request.ipv6_cidr_block_network_border_group.is_some()),
        ],
    )?;
    let cidr = block(request.cidr_block.as_deref().ok_or_else(|| missing_parameter("cidrBlock"))?)?;
    let made = cx
        .store()
        .write(|tx| {
            let mut vpc = Vpc::clone(&*need::<Vpc>(tx, cx.scope(), &request.vpc_id)?);
            if vpc.cidrs.iter().any(|b| b.cidr.overlaps(&cidr)) {
                return Err(Error::sender(
                    "CidrConflict",
                    format!("The CIDR '{cidr}' conflicts with a block that is already associated with {}", vpc.id),
                ));
            }
            if vpc.cidrs.len() >= 5 {
                return Err(Error::sender(
                    "CidrLimitExceeded",
                    format!("This network '{}' has met its maximum number of allowed CIDRs: 5", vpc.id),
                ));
            }
            let block = VpcCidr { association: format!("vpc-cidr-assoc-{}", cx.ids().hex(17)), cidr };
            vpc.cidrs.push(block.clone());
            tx.put(cx.scope(), &request.vpc_id, vpc)?;
            Ok(block)
        })
        .await?;
    Ok(AssociateVpcCidrBlockResponse {
        // As AWS answers; it is there as soon as somebody looks.
        cidr_block_association: Some(association(&made, "associating")),
        vpc_id: Some(request.vpc_id),
        ..Default::default()
    })
}

async fn disassociate_vpc_cidr_block(
    cx: &Cx,
    request: DisassociateVpcCidrBlockRequest,
) -> Result<DisassociateVpcCidrBlockResponse, Error> {
    let id = &request.association_id;
    let (vpc, block) = cx
        .store()
        .write(|tx| {
            let holder = tx.list::<Vpc>(cx.scope())?.into_iter().map(|(_, vpc)| vpc);
            let found = holder.into_iter().find_map(|vpc| {
                let at = vpc.cidrs.iter().position(|b| b.association == *id)?;
                Some((Vpc::clone(&vpc), at))
            });
            let (mut vpc, at) = found.ok_or_else(|| {
                Error::sender(
                    "InvalidVpcCidrBlockAssociationID.NotFound",
                    format!("The vpc CIDR block association ID '{id}' does not exist"),
                )
            })?;
            if at == 0 {
                return Err(Error::sender(
                    "OperationNotPermitted",
                    format!("The vpc CIDR block with association ID {id} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"),
                ));
            }
            let block = vpc.cidrs.remove(at);
            if tx.by_key::<Subnet>(cx.scope(), "vpc-id", &vpc.id)?.iter().any(|(_, s)| block.cidr.holds(&s.cidr)) {
                return Err(dependency(format!("The vpc CIDR block '{}' is in use by a subnet.", block.cidr)));
            }
            tx.put(cx.scope(), &vpc.id.clone(), vpc.clone())?;
            Ok((vpc, block))
        })
        .await?;
    Ok(DisassociateVpcCidrBlockResponse {
        cidr_block_association: Some(association(&block, "disassociating")),
        vpc_id: Some(vpc.id.to_string()),
        ..Default::default()
    })
}
