//! A stand-in for EC2: subnets, a security group whose rules a test sets,
//! instances whose states a test sets, and interfaces that are really kept.

use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Record, Service, operation};
use serde::{Deserialize, Serialize};

pub const VPC: &str = "vpc-00000000000000001";
pub const GROUP: &str = "sg-00000000000000001";
pub const SUBNETS: [(&str, &str, &str); 3] = [
    ("subnet-0000000000000000a", "us-east-1a", "10.0.0.0/24"),
    ("subnet-0000000000000000b", "us-east-1b", "10.0.1.0/24"),
    ("subnet-0000000000000000c", "us-east-1c", "10.0.2.0/24"),
];

/// An instance: its state and its address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StandIn {
    pub state: String,
    pub ip: String,
}
impl Record for StandIn {
    const KIND: &'static str = kiln_ec2_shapes::kinds::INSTANCE;
}

/// The blocks that may reach port 1–65535.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rules(pub Vec<String>);
impl Record for Rules {
    const KIND: &'static str = kiln_ec2_shapes::kinds::SECURITY_GROUP;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Interface {
    subnet: String,
    description: String,
    groups: Vec<String>,
    ip: String,
}
impl Record for Interface {
    const KIND: &'static str = kiln_ec2_shapes::kinds::NETWORK_INTERFACE;
}

const OPERATIONS: &[Operation] = &[
    operation!(DescribeSubnets: subnets(DescribeSubnetsRequest), on everything),
    operation!(DescribeVpcs: vpcs(DescribeVpcsRequest), on everything),
    operation!(DescribeInternetGateways: gateways(DescribeInternetGatewaysRequest), on everything),
    operation!(DescribeSecurityGroups: groups(DescribeSecurityGroupsRequest), on everything),
    operation!(DescribeInstances: instances(DescribeInstancesRequest), on everything),
    operation!(DescribeNetworkInterfaces: interfaces(DescribeNetworkInterfacesRequest), on everything),
    operation!(CreateNetworkInterface: create_interface(CreateNetworkInterfaceRequest), on everything),
    operation!(DeleteNetworkInterface: delete_interface(DeleteNetworkInterfaceRequest), on everything),
    operation!(ModifyNetworkInterfaceAttribute: modify_interface(ModifyNetworkInterfaceAttributeRequest), on everything),
];

pub fn service() -> Service {
    Service::new(&kiln_ec2_shapes::SERVICE, &[OPERATIONS])
}

/// The values of a filter; none when it is not given.
fn filter<'a>(filters: &'a [Filter], name: &str) -> Option<&'a [String]> {
    filters.iter().find(|f| f.name.as_deref() == Some(name)).map(|f| &f.values[..])
}

async fn subnets(_: &Cx, request: DescribeSubnetsRequest) -> Result<DescribeSubnetsResponse, Error> {
    if let Some(id) = request.subnet_ids.iter().find(|id| !SUBNETS.iter().any(|s| s.0 == **id)) {
        return Err(Error::sender("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")));
    }
    let asked = |id: &str| request.subnet_ids.is_empty() || request.subnet_ids.iter().any(|i| i == id);
    let one = |(id, zone, cidr): &(&str, &str, &str)| Subnet {
        subnet_id: Some((*id).into()),
        vpc_id: Some(VPC.into()),
        availability_zone: Some((*zone).into()),
        cidr_block: Some((*cidr).into()),
        ..Default::default()
    };
    let subnets = SUBNETS.iter().filter(|s| asked(s.0)).map(one).collect();
    Ok(DescribeSubnetsResponse { subnets, ..Default::default() })
}

async fn vpcs(_: &Cx, request: DescribeVpcsRequest) -> Result<DescribeVpcsResponse, Error> {
    match request.vpc_ids.iter().find(|id| *id != VPC) {
        Some(id) => Err(Error::sender("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))),
        None => Ok(DescribeVpcsResponse::default()),
    }
}

async fn gateways(_: &Cx, _: DescribeInternetGatewaysRequest) -> Result<DescribeInternetGatewaysResponse, Error> {
    Ok(DescribeInternetGatewaysResponse { internet_gateways: vec![InternetGateway::default()], ..Default::default() })
}

async fn groups(cx: &Cx, request: DescribeSecurityGroupsRequest) -> Result<DescribeSecurityGroupsResponse, Error> {
    let rules = cx.store().get::<Rules>(cx.scope(), GROUP)?;
    let range = |cidr: &String| IpRange { cidr_ip: Some(cidr.clone()), description: None };
    let group = SecurityGroup {
        group_id: Some(GROUP.into()),
        vpc_id: Some(VPC.into()),
        ip_permissions: vec![IpPermission {
            ip_protocol: Some("tcp".into()),
            from_port: Some(1),
            to_port: Some(65535),
            ip_ranges: rules.iter().flat_map(|r| &r.0).map(range).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let asked = filter(&request.filters, "group-id").is_none_or(|ids| ids.iter().any(|id| id == GROUP));
    Ok(DescribeSecurityGroupsResponse {
        security_groups: asked.then_some(group).into_iter().collect(),
        ..Default::default()
    })
}

async fn instances(cx: &Cx, request: DescribeInstancesRequest) -> Result<DescribeInstancesResponse, Error> {
    let asked = filter(&request.filters, "instance-id").unwrap_or_default();
    let all = cx.store().list::<StandIn>(cx.scope())?;
    let one = |(id, seen): &(std::sync::Arc<str>, std::sync::Arc<StandIn>)| Instance {
        instance_id: Some(id.to_string()),
        vpc_id: Some(VPC.into()),
        private_ip_address: Some(seen.ip.clone()),
        state: Some(InstanceState { name: Some(seen.state.clone()), ..Default::default() }),
        placement: Some(Placement { availability_zone: Some("us-east-1a".into()), ..Default::default() }),
        ..Default::default()
    };
    let instances = all.iter().filter(|(id, _)| asked.iter().any(|a| **a == **id)).map(one).collect();
    Ok(DescribeInstancesResponse {
        reservations: vec![Reservation { instances, ..Default::default() }],
        ..Default::default()
    })
}

async fn interfaces(
    cx: &Cx,
    request: DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Error> {
    let asked = filter(&request.filters, "description").unwrap_or_default();
    let all = cx.store().list::<Interface>(cx.scope())?;
    let one = |(id, i): &(std::sync::Arc<str>, std::sync::Arc<Interface>)| NetworkInterface {
        network_interface_id: Some(id.to_string()),
        subnet_id: Some(i.subnet.clone()),
        description: Some(i.description.clone()),
        private_ip_address: Some(i.ip.clone()),
        requester_id: Some("elasticloadbalancing.amazonaws.com".to_owned()),
        groups: i.groups.iter().map(|g| GroupIdentifier { group_id: Some(g.clone()), group_name: None }).collect(),
        ..Default::default()
    };
    let network_interfaces = all.iter().filter(|(_, i)| asked.contains(&i.description)).map(one).collect();
    Ok(DescribeNetworkInterfacesResponse { network_interfaces, ..Default::default() })
}

async fn create_interface(
    cx: &Cx,
    request: CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResponse, Error> {
    let id = format!("eni-{}", cx.ids().hex(17));
    let zone = SUBNETS.iter().position(|s| s.0 == request.subnet_id).unwrap_or(0);
    let ip = format!("10.0.{zone}.{}", 10 + cx.ids().below(200));
    let interface = Interface {
        subnet: request.subnet_id,
        description: request.description.unwrap_or_default(),
        groups: request.groups,
        ip,
    };
    cx.store().write(|tx| tx.put(cx.scope(), &id, interface)).await?;
    Ok(CreateNetworkInterfaceResponse::default())
}

async fn delete_interface(
    cx: &Cx,
    request: DeleteNetworkInterfaceRequest,
) -> Result<DeleteNetworkInterfaceResponse, Error> {
    let id = &request.network_interface_id;
    let there = cx.store().write(|tx| Ok::<_, Error>(tx.delete::<Interface>(cx.scope(), id))).await?;
    match there {
        true => Ok(DeleteNetworkInterfaceResponse::default()),
        false => Err(Error::sender("InvalidNetworkInterfaceID.NotFound", id.clone())),
    }
}

async fn modify_interface(
    cx: &Cx,
    request: ModifyNetworkInterfaceAttributeRequest,
) -> Result<ModifyNetworkInterfaceAttributeResponse, Error> {
    let id = &request.network_interface_id;
    let mut interface = (*cx.store().get::<Interface>(cx.scope(), id)?.expect("the interface is there")).clone();
    interface.groups = request.groups;
    cx.store().write(|tx| tx.put(cx.scope(), id, interface)).await?;
    Ok(ModifyNetworkInterfaceAttributeResponse::default())
}
