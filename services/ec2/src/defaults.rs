//! What every account has in every region before anybody asked: a default VPC with a subnet in
//! each zone, an internet gateway and the route to it. Made on the scope's first EC2 call.
//!
//! [`new_vpc`] is also what CreateVpc does: no VPC is without a main route table, a default
//! security group and a default network ACL.

use crate::firewall::records::{GroupRule, NetworkAcl, RulePeer, SecurityGroup, Traffic, open_entries};
use crate::names::private_domain;
use crate::networks::records::{
    Destination, DhcpOptions, InternetGateway, Route, RouteAssociation, RouteTable, RouteTarget, RouteUser, Subnet,
    Vpc, VpcCidr,
};
use crate::tags::Tags;
use crate::zones;
use kiln_ids::*;
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Record, Tx};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Says that the scope has been given its defaults (the default VPC may have been deleted since).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScopeReady {
    pub dhcp_options: DhcpOptionsId,
}

impl Record for ScopeReady {
    const KIND: &'static str = "ec2/scope-ready";
}

const KEY: &str = "defaults";

/// Makes the scope's defaults if nobody has. Every operation that looks at networks begins so.
pub async fn ensure_defaults(cx: &Cx) -> Result<(), Error> {
    if cx.store().get::<ScopeReady>(cx.scope(), KEY)?.is_some() {
        return Ok(());
    }
    let cx = &cx.for_good();
    cx.store()
        .write(|tx| {
            if tx.get::<ScopeReady>(cx.scope(), KEY)?.is_some() {
                return Ok(());
            }
            let options = DhcpOptions {
                id: DhcpOptionsId::new(cx.ids()),
                domain_name: private_domain(cx.region()),
                tags: Tags::new(),
            };
            tx.put(cx.scope(), KEY, ScopeReady { dhcp_options: options.id.clone() })?;
            tx.put(cx.scope(), &options.id.clone(), options)?;
            new_default_vpc(tx, cx)?;
            Ok(())
        })
        .await
}

/// The default VPC with all that belongs to it.
pub fn new_default_vpc(tx: &mut Tx, cx: &Cx) -> Result<Vpc, Error> {
    let block = block(Ipv4Addr::new(172, 31, 0, 0), 16);
    let vpc = new_vpc(tx, cx, block, true, Tags::new())?;
    let gateway =
        InternetGateway { id: InternetGatewayId::new(cx.ids()), vpc: Some(vpc.id.clone()), tags: Tags::new() };
    let main = main_table(tx, cx, &vpc.id)?;
    let mut table = RouteTable::clone(&main);
    table
        .routes
        .push(Route { destination: Destination::AnyV4, target: RouteTarget::InternetGateway(gateway.id.clone()) });
    tx.put(cx.scope(), &gateway.id.clone(), gateway)?;
    tx.put(cx.scope(), &table.id.clone(), table)?;
    for zone in zones::zones(cx.region()) {
        new_default_subnet(tx, cx, &vpc, &zone.name)?;
    }
    Ok(vpc)
}

/// The default subnet of a zone: the first free /20 of the default VPC.
pub fn new_default_subnet(tx: &mut Tx, cx: &Cx, vpc: &Vpc, zone: &str) -> Result<Subnet, Error> {
    let base = vpc.cidrs[0].cidr.base();
    let taken: Vec<Cidr> = tx.by_key::<Subnet>(cx.scope(), "vpc-id", &vpc.id)?.iter().map(|(_, s)| s.cidr).collect();
    // A /16 has sixteen /20 blocks.
    let free = (0..16u32)
        .map(|n| block(Ipv4Addr::from(u32::from(base) + n * 4096), 20))
        .find(|candidate| !taken.iter().any(|t| t.overlaps(candidate)));
    let cidr = free.ok_or_else(|| {
        Error::sender("InsufficientCidrBlocks", "There is not enough space in the default VPC to create a subnet.")
    })?;
    let subnet = Subnet {
        id: SubnetId::new(cx.ids()),
        vpc: vpc.id.clone(),
        cidr,
        zone: zone.to_owned(),
        default_for_az: true,
        map_public_ip_on_launch: true,
        hostname_type: "ip-name".to_owned(),
        resource_name_dns_a: false,
        tags: Tags::new(),
    };
    tx.put(cx.scope(), &subnet.id, subnet.clone())?;
    Ok(subnet)
}

/// A VPC with its main route table, default security group and default network ACL.
pub fn new_vpc(tx: &mut Tx, cx: &Cx, cidr: Cidr, is_default: bool, tags: Tags) -> Result<Vpc, Error> {
    let ready = tx
        .get::<ScopeReady>(cx.scope(), KEY)?
        .ok_or_else(|| Error::internal("a VPC is made before its scope's defaults"))?;
    let vpc = Vpc {
        id: VpcId::new(cx.ids()),
        cidrs: vec![VpcCidr { association: format!("vpc-cidr-assoc-{}", cx.ids().hex(17)), cidr }],
        is_default,
        dhcp_options: ready.dhcp_options.clone(),
        enable_dns_support: true,
        enable_dns_hostnames: is_default,
        tags,
    };
    let table = RouteTable {
        id: RouteTableId::new(cx.ids()),
        vpc: vpc.id.clone(),
        associations: vec![RouteAssociation { id: RouteTableAssociationId::new(cx.ids()), user: RouteUser::Main }],
        routes: vec![],
        tags: Tags::new(),
    };
    let id = SecurityGroupId::new(cx.ids());
    let from_itself = GroupRule {
        id: SecurityGroupRuleId::new(cx.ids()),
        egress: false,
        traffic: Traffic::all(),
        peer: RulePeer::Group(id.clone()),
        description: None,
        tags: Tags::new(),
    };
    let group = SecurityGroup {
        id,
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc: vpc.id.clone(),
        rules: vec![from_itself, egress_to_anywhere(cx)],
        tags: Tags::new(),
    };
    let acl = NetworkAcl {
        id: NetworkAclId::new(cx.ids()),
        vpc: vpc.id.clone(),
        is_default: true,
        entries: open_entries(),
        associations: vec![],
        tags: Tags::new(),
    };
    tx.put(cx.scope(), &vpc.id, vpc.clone())?;
    tx.put(cx.scope(), &table.id.clone(), table)?;
    tx.put(cx.scope(), &group.id.clone(), group)?;
    tx.put(cx.scope(), &acl.id.clone(), acl)?;
    Ok(vpc)
}

/// The rule every new group has.
pub fn egress_to_anywhere(cx: &Cx) -> GroupRule {
    GroupRule {
        id: SecurityGroupRuleId::new(cx.ids()),
        egress: true,
        traffic: Traffic::all(),
        peer: RulePeer::Cidr(Cidr::ANY),
        description: None,
        tags: Tags::new(),
    }
}

/// The main route table of a VPC.
pub fn main_table(tx: &Tx, cx: &Cx, vpc: &VpcId) -> Result<std::sync::Arc<RouteTable>, Error> {
    let tables = tx.by_key::<RouteTable>(cx.scope(), "vpc-id", vpc)?;
    let main = tables.into_iter().find(|(_, table)| table.is_main());
    main.map(|(_, table)| table).ok_or_else(|| Error::internal(format!("{vpc} has no main route table")))
}

/// The scope's default VPC, if it has not been deleted.
pub fn default_vpc(tx: &Tx, cx: &Cx) -> Result<Option<std::sync::Arc<Vpc>>, Error> {
    Ok(tx.list::<Vpc>(cx.scope())?.into_iter().map(|(_, vpc)| vpc).find(|vpc| vpc.is_default))
}

/// The answer to a call that needs a default VPC where there is none.
pub fn no_default_vpc() -> Error {
    Error::sender(
        "VPCIdNotSpecified",
        "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
    )
}

fn block(base: Ipv4Addr, prefix: u8) -> Cidr {
    Cidr::new(base, prefix).expect("the prefix is at most 32")
}
