//! What the service asks of EC2, by its public operations and as itself: where subnets are, what
//! security groups let in, how instances are, and the load balancers' own interfaces.

use crate::PRINCIPAL;
use crate::errors;
use kiln_ec2_shapes as ec2;
use kiln_ids::{IpNet, Ipv4Net, block, block_v4};
use kiln_service_kit::{Cx, Error};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// A subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Subnet {
    pub id: String,
    pub vpc: String,
    pub zone: String,
    pub block: Option<Ipv4Net>,
}

/// A security group, and what it lets in by address.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub id: String,
    pub vpc: String,
    pub lets_in: Vec<LetIn>,
}

/// One address block that may reach a range of TCP ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetIn {
    pub block: IpNet,
    pub from: u16,
    pub to: u16,
}

/// An instance, as far as a load balancer cares.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub state: String,
    pub vpc: Option<String>,
    pub zone: String,
    pub ip: Option<IpAddr>,
}

/// A load balancer's interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    pub id: String,
    pub subnet: String,
    pub ip: Ipv4Addr,
    pub groups: Vec<String>,
}

fn own(cx: &Cx) -> Cx {
    cx.as_service(PRINCIPAL)
}

fn filter(name: &str, values: &[String]) -> ec2::Filter {
    ec2::Filter { name: Some(name.to_owned()), values: values.to_vec() }
}

/// The subnets of these ids, in their order.
pub async fn subnets(cx: &Cx, ids: &[String]) -> Result<Vec<Subnet>, Error> {
    let request = ec2::DescribeSubnetsRequest { subnet_ids: ids.to_vec(), ..Default::default() };
    let found = own(cx).call(request).await.map_err(|e| {
        if e.code.starts_with("InvalidSubnetI") { Error::sender("SubnetNotFound", e.message) } else { e }
    })?;
    let found: Vec<Subnet> = found.subnets.into_iter().filter_map(subnet).collect();
    ids.iter()
        .map(|id| {
            let missing = || Error::sender("SubnetNotFound", format!("The subnet ID '{id}' does not exist"));
            found.iter().find(|s| s.id == *id).cloned().ok_or_else(missing)
        })
        .collect()
}

/// All subnets of a VPC.
pub async fn subnets_of(cx: &Cx, vpc: &str) -> Result<Vec<Subnet>, Error> {
    let filters = vec![filter("vpc-id", &[vpc.to_owned()])];
    let found = own(cx).call(ec2::DescribeSubnetsRequest { filters, ..Default::default() }).await?;
    Ok(found.subnets.into_iter().filter_map(subnet).collect())
}

fn subnet(s: ec2::Subnet) -> Option<Subnet> {
    Some(Subnet {
        id: s.subnet_id?,
        vpc: s.vpc_id?,
        zone: s.availability_zone?,
        block: s.cidr_block.as_deref().and_then(block_v4),
    })
}

/// Fails as AWS does when there is no such VPC.
pub async fn check_vpc(cx: &Cx, vpc: &str) -> Result<(), Error> {
    let request = ec2::DescribeVpcsRequest { vpc_ids: vec![vpc.to_owned()], ..Default::default() };
    match own(cx).call(request).await {
        Ok(_) => Ok(()),
        Err(e) if e.code.starts_with("InvalidVpcI") => Err(errors::invalid(format!("The VPC ID '{vpc}' is not found"))),
        Err(e) => Err(e),
    }
}

/// Whether an internet gateway is attached to the VPC.
pub async fn has_internet_gateway(cx: &Cx, vpc: &str) -> Result<bool, Error> {
    let filters = vec![filter("attachment.vpc-id", &[vpc.to_owned()])];
    let found = own(cx).call(ec2::DescribeInternetGatewaysRequest { filters, ..Default::default() }).await?;
    Ok(!found.internet_gateways.is_empty())
}

/// The security groups of these ids; those that are gone are left out.
pub async fn groups(cx: &Cx, ids: &[String]) -> Result<Vec<Group>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let filters = vec![filter("group-id", ids)];
    let found = own(cx).call(ec2::DescribeSecurityGroupsRequest { filters, ..Default::default() }).await?;
    Ok(found.security_groups.into_iter().filter_map(group).collect())
}

/// The VPC's default security group.
pub async fn default_group(cx: &Cx, vpc: &str) -> Result<String, Error> {
    let filters = vec![filter("vpc-id", &[vpc.to_owned()]), filter("group-name", &["default".to_owned()])];
    let found = own(cx).call(ec2::DescribeSecurityGroupsRequest { filters, ..Default::default() }).await?;
    let id = found.security_groups.into_iter().find_map(|g| g.group_id);
    id.ok_or_else(|| Error::sender("InvalidSecurityGroup", format!("The VPC '{vpc}' has no default security group")))
}

fn group(g: ec2::SecurityGroup) -> Option<Group> {
    let lets_in = g.ip_permissions.iter().flat_map(lets_in).collect();
    Some(Group { id: g.group_id?, vpc: g.vpc_id?, lets_in })
}

fn lets_in(permission: &ec2::IpPermission) -> Vec<LetIn> {
    let port = |p: Option<i32>| p.and_then(|p| u16::try_from(p).ok());
    let (from, to) = match permission.ip_protocol.as_deref() {
        Some("-1") => (0, u16::MAX),
        Some("tcp" | "6") => match (port(permission.from_port), port(permission.to_port)) {
            (Some(from), Some(to)) => (from, to),
            _ => (0, u16::MAX),
        },
        _ => return vec![],
    };
    let v4 = permission.ip_ranges.iter().filter_map(|r| r.cidr_ip.as_deref());
    let v6 = permission.ipv6_ranges.iter().filter_map(|r| r.cidr_ipv6.as_deref());
    v4.chain(v6).filter_map(block).map(|block| LetIn { block, from, to }).collect()
}

/// The address blocks that groups let in to a port.
pub fn admitted(groups: &[Group], port: u16) -> Vec<IpNet> {
    let rules = groups.iter().flat_map(|g| &g.lets_in);
    let mut blocks: Vec<_> = rules.filter(|r| (r.from..=r.to).contains(&port)).map(|r| r.block).collect();
    blocks.sort();
    blocks.dedup();
    blocks
}

/// The instances of these ids; those that are gone are left out.
pub async fn instances(cx: &Cx, ids: &[String]) -> Result<BTreeMap<String, Instance>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let filters = vec![filter("instance-id", ids)];
    let found = own(cx).call(ec2::DescribeInstancesRequest { filters, ..Default::default() }).await?;
    let all = found.reservations.into_iter().flat_map(|r| r.instances);
    Ok(all
        .filter_map(|i| {
            let seen = Instance {
                state: i.state?.name?,
                vpc: i.vpc_id,
                zone: i.placement.and_then(|p| p.availability_zone).unwrap_or_default(),
                ip: i.private_ip_address.and_then(|ip| ip.parse().ok()),
            };
            Some((i.instance_id?, seen))
        })
        .collect())
}

/// The interfaces that this service made with this description, which names their load balancer.
/// Anybody may call an interface so; only this service's own have it as requester.
pub async fn interfaces(cx: &Cx, description: &str) -> Result<Vec<Interface>, Error> {
    let filters =
        vec![filter("description", &[description.to_owned()]), filter("requester-id", &[PRINCIPAL.to_owned()])];
    let found = own(cx).call(ec2::DescribeNetworkInterfacesRequest { filters, ..Default::default() }).await?;
    Ok(found
        .network_interfaces
        .into_iter()
        .filter(|i| i.description.as_deref() == Some(description) && i.requester_id.as_deref() == Some(PRINCIPAL))
        .filter_map(|i| {
            Some(Interface {
                id: i.network_interface_id?,
                subnet: i.subnet_id?,
                ip: i.private_ip_address?.parse().ok()?,
                groups: i.groups.into_iter().filter_map(|g| g.group_id).collect(),
            })
        })
        .collect())
}

/// Makes an interface.
pub async fn make_interface(cx: &Cx, description: &str, subnet: &str, groups: &[String]) -> Result<(), Error> {
    let request = ec2::CreateNetworkInterfaceRequest {
        subnet_id: subnet.to_owned(),
        description: Some(description.to_owned()),
        groups: groups.to_vec(),
        ..Default::default()
    };
    own(cx).call(request).await.map(|_| ())
}

/// Gives an interface other security groups.
pub async fn set_interface_groups(cx: &Cx, id: &str, groups: &[String]) -> Result<(), Error> {
    let request = ec2::ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: id.to_owned(),
        groups: groups.to_vec(),
        ..Default::default()
    };
    own(cx).call(request).await.map(|_| ())
}

/// Removes an interface; one that is gone is fine.
pub async fn delete_interface(cx: &Cx, id: &str) -> Result<(), Error> {
    let request = ec2::DeleteNetworkInterfaceRequest { network_interface_id: id.to_owned(), ..Default::default() };
    match own(cx).call(request).await {
        Err(e) if !e.is("InvalidNetworkInterfaceID.NotFound") => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_open_to_what_the_groups_let_in_to_its_port() {
        let permission = |protocol: &str, ports: Option<(i32, i32)>, cidr: &str| ec2::IpPermission {
            ip_protocol: Some(protocol.into()),
            from_port: ports.map(|p| p.0),
            to_port: ports.map(|p| p.1),
            ip_ranges: vec![ec2::IpRange { cidr_ip: Some(cidr.into()), ..Default::default() }],
            ..Default::default()
        };
        let shop = ec2::SecurityGroup {
            group_id: Some("sg-1".into()),
            vpc_id: Some("vpc-1".into()),
            ip_permissions: vec![
                permission("tcp", Some((80, 80)), "0.0.0.0/0"),
                permission("tcp", Some((8000, 9000)), "10.0.0.0/8"),
                permission("udp", Some((53, 53)), "0.0.0.0/0"),
                permission("-1", None, "192.0.2.7/32"),
            ],
            ..Default::default()
        };
        let groups = [group(shop).expect("complete")];
        let block = |text: &str| super::block(text).expect("a block");
        assert_eq!(admitted(&groups, 80), [block("0.0.0.0/0"), block("192.0.2.7/32")]);
        assert_eq!(admitted(&groups, 8080), [block("10.0.0.0/8"), block("192.0.2.7/32")]);
        assert_eq!(admitted(&groups, 53), [block("192.0.2.7/32")]);
        assert_eq!(admitted(&[], 80), []);
    }
}
