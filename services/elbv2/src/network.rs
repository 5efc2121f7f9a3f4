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
    let found: Vec<Subnet> = found.subnets.into_iter().map(subnet).collect::<Result<_, _>>()?;
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
    found.subnets.into_iter().map(subnet).collect()
}

fn subnet(s: ec2::Subnet) -> Result<Subnet, Error> {
    Ok(Subnet {
        id: told(s.subnet_id, "a subnet's id")?,
        vpc: told(s.vpc_id, "a subnet's VPC")?,
        zone: told(s.availability_zone, "a subnet's zone")?,
        // One for IPv6 alone has none.
        block: s.cidr_block.map(|text| told(block_v4(&text), "a subnet's block")).transpose()?,
    })
}

/// What EC2 always tells. A thing that is left out because its answer lacks something, or is not understood, is taken
/// for gone, and made anew at each pass; what a rule admits would be guessed.
fn told<T>(member: Option<T>, what: &str) -> Result<T, Error> {
    member.ok_or_else(|| Error::internal(format!("EC2's answer does not tell {what}")))
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
    found.security_groups.into_iter().map(group).collect()
}

/// The VPC's default security group.
pub async fn default_group(cx: &Cx, vpc: &str) -> Result<String, Error> {
    let filters = vec![filter("vpc-id", &[vpc.to_owned()]), filter("group-name", &["default".to_owned()])];
    let found = own(cx).call(ec2::DescribeSecurityGroupsRequest { filters, ..Default::default() }).await?;
    let id = found.security_groups.into_iter().find_map(|g| g.group_id);
    id.ok_or_else(|| Error::sender("InvalidSecurityGroup", format!("The VPC '{vpc}' has no default security group")))
}

fn group(g: ec2::SecurityGroup) -> Result<Group, Error> {
    let each = g.ip_permissions.iter().map(lets_in).collect::<Result<Vec<_>, _>>()?;
    Ok(Group {
        id: told(g.group_id, "a security group's id")?,
        vpc: told(g.vpc_id, "a security group's VPC")?,
        lets_in: each.concat(),
    })
}

fn lets_in(permission: &ec2::IpPermission) -> Result<Vec<LetIn>, Error> {
    let port = |p: Option<i32>| told(p.and_then(|p| u16::try_from(p).ok()), "the ports of a rule for TCP");
    let (from, to) = match permission.ip_protocol.as_deref() {
        Some("-1") => (0, u16::MAX),
        Some("tcp" | "6") => (port(permission.from_port)?, port(permission.to_port)?),
        _ => return Ok(vec![]),
    };
    let v4 = permission.ip_ranges.iter().filter_map(|r| r.cidr_ip.as_deref());
    let v6 = permission.ipv6_ranges.iter().filter_map(|r| r.cidr_ipv6.as_deref());
    let let_in = |text| told(block(text), "a rule's block").map(|block| LetIn { block, from, to });
    v4.chain(v6).map(let_in).collect()
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
    found.reservations.into_iter().flat_map(|r| r.instances).map(instance).collect()
}

fn instance(i: ec2::Instance) -> Result<(String, Instance), Error> {
    let seen = Instance {
        state: told(i.state.and_then(|state| state.name), "an instance's state")?,
        vpc: i.vpc_id,
        zone: i.placement.and_then(|p| p.availability_zone).unwrap_or_default(),
        // One that is terminated has none.
        ip: i.private_ip_address.map(|ip| told(ip.parse().ok(), "an instance's address")).transpose()?,
    };
    Ok((told(i.instance_id, "an instance's id")?, seen))
}

/// The interfaces that this service made with this description, which names their load balancer.
/// Anybody may call an interface so; only this service's own have it as requester.
pub async fn interfaces(cx: &Cx, description: &str) -> Result<Vec<Interface>, Error> {
    let filters =
        vec![filter("description", &[description.to_owned()]), filter("requester-id", &[PRINCIPAL.to_owned()])];
    let found = own(cx).call(ec2::DescribeNetworkInterfacesRequest { filters, ..Default::default() }).await?;
    found
        .network_interfaces
        .into_iter()
        .filter(|i| i.description.as_deref() == Some(description) && i.requester_id.as_deref() == Some(PRINCIPAL))
        .map(interface)
        .collect()
}

fn interface(i: ec2::NetworkInterface) -> Result<Interface, Error> {
    let address = i.private_ip_address.and_then(|ip| ip.parse().ok());
    let groups = i.groups.into_iter().map(|g| told(g.group_id, "an interface's security group"));
    Ok(Interface {
        id: told(i.network_interface_id, "an interface's id")?,
        subnet: told(i.subnet_id, "an interface's subnet")?,
        ip: told(address, "an interface's address")?,
        groups: groups.collect::<Result<_, _>>()?,
    })
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

    /// Whose rules cannot be read lets nobody in by them; what cannot be read is not taken for gone.
    #[test]
    fn what_an_answer_of_ec2_does_not_tell_is_not_guessed() {
        let of_ports = |from: Option<i32>, to: Option<i32>, cidr: &str| {
            let rule = ec2::IpPermission {
                ip_protocol: Some("tcp".into()),
                from_port: from,
                to_port: to,
                ip_ranges: vec![ec2::IpRange { cidr_ip: Some(cidr.into()), ..Default::default() }],
                ..Default::default()
            };
            let (id, vpc) = (Some("sg-1".into()), Some("vpc-1".into()));
            group(ec2::SecurityGroup { group_id: id, vpc_id: vpc, ip_permissions: vec![rule], ..Default::default() })
        };
        assert_eq!(of_ports(Some(80), Some(81), "10.0.0.0/8").expect("complete").lets_in.len(), 1);
        for (from, to, cidr, what) in [
            (None, None, "10.0.0.0/8", "the ports of a rule"),
            (Some(80), Some(70_000), "10.0.0.0/8", "the ports of a rule"),
            (Some(80), Some(80), "10.0.0.0/99", "a rule's block"),
        ] {
            let told = of_ports(from, to, cidr).expect_err(what).chain();
            assert!(told.contains(what), "{told}");
        }
        let whole = ec2::NetworkInterface {
            network_interface_id: Some("eni-1".into()),
            subnet_id: Some("subnet-1".into()),
            private_ip_address: Some("10.0.0.9".into()),
            ..Default::default()
        };
        assert_eq!(interface(whole.clone()).expect("complete").ip, Ipv4Addr::new(10, 0, 0, 9));
        let strange = ec2::NetworkInterface { private_ip_address: Some("somewhere".into()), ..whole.clone() };
        assert!(interface(strange).is_err(), "another one would be made beside it");
        assert!(interface(ec2::NetworkInterface { subnet_id: None, ..whole }).is_err());
        let dead = ec2::Instance {
            instance_id: Some("i-1".into()),
            state: Some(ec2::InstanceState { name: Some("terminated".into()), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(instance(dead.clone()).expect("complete").1.ip, None);
        assert!(instance(ec2::Instance { state: None, ..dead }).is_err(), "it is not known to be gone");
    }

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
