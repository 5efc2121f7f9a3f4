//! A network with gateways, and what the host has of it.

use super::{base_image, run};
use crate::play::platform;
use kiln_ec2_shapes as ec2;
use kiln_machines_spec::MachineDriver;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;

/// States of all NAT gateways, and how many networks the host has.
async fn what_is(kit: &Testkit) -> String {
    kit.settle().await;
    let nats = kit.call(ec2::DescribeNatGatewaysRequest::default()).await.expect("described").nat_gateways;
    let mut states: Vec<String> = nats.into_iter().filter_map(|nat| nat.state).collect();
    states.sort();
    format!("{states:?} {} networks", kit.machines().networks().await.expect("listed").len())
}

/// A VPC gets a machine, a NAT gateway that works and one that cannot; all of it goes again.
pub fn changes() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let base = base_image(&kit).await;
            let cidr_block = Some("10.9.0.0/16".to_owned());
            let vpc = kit.call(ec2::CreateVpcRequest { cidr_block, ..Default::default() }).await.expect("made").vpc;
            let vpc_id = vpc.and_then(|vpc| vpc.vpc_id).expect("an id");
            let cidr_block = Some("10.9.0.0/24".to_owned());
            let create = ec2::CreateSubnetRequest { vpc_id: vpc_id.clone(), cidr_block, ..Default::default() };
            let subnet = kit.call(create).await.expect("made").subnet.and_then(|s| s.subnet_id).expect("an id");
            let nat = async || {
                let address = kit.call(ec2::AllocateAddressRequest::default()).await.expect("given");
                let subnet_id = Some(subnet.clone());
                let allocation_id = address.allocation_id;
                let request = ec2::CreateNatGatewayRequest { subnet_id, allocation_id, ..Default::default() };
                let made = kit.call(request).await.expect("begun").nat_gateway.expect("shown");
                made.nat_gateway_id.expect("an id")
            };
            // There is no way out of the VPC yet.
            nat().await;
            let mut told = vec![what_is(&kit).await];
            let gateway = kit.call(ec2::CreateInternetGatewayRequest::default()).await.expect("made").internet_gateway;
            let internet_gateway_id = gateway.and_then(|g| g.internet_gateway_id).expect("an id");
            let attach =
                ec2::AttachInternetGatewayRequest { internet_gateway_id, vpc_id: vpc_id.clone(), ..Default::default() };
            kit.call(attach).await.expect("attached");
            // The way out is a route of its own.
            let tables = kit.call(ec2::DescribeRouteTablesRequest::default()).await.expect("described").route_tables;
            let table = tables.into_iter().find(|table| table.vpc_id.as_ref() == Some(&vpc_id)).expect("the main one");
            let gateways = kit.call(ec2::DescribeInternetGatewaysRequest::default()).await.expect("described");
            let of_vpc = |g: &ec2::InternetGateway| g.attachments.iter().any(|a| a.vpc_id.as_ref() == Some(&vpc_id));
            let gateway = gateways.internet_gateways.into_iter().find(of_vpc).and_then(|g| g.internet_gateway_id);
            let route = ec2::CreateRouteRequest {
                route_table_id: table.route_table_id.expect("an id"),
                destination_cidr_block: Some("0.0.0.0/0".to_owned()),
                gateway_id: gateway,
                ..Default::default()
            };
            kit.call(route).await.expect("made");
            let works = nat().await;
            let machine = run(&kit, &base, Some(&subnet)).await;
            told.push(what_is(&kit).await);
            kit.call(ec2::DeleteNatGatewayRequest { nat_gateway_id: works, ..Default::default() }).await.expect("gone");
            let instance_ids = vec![machine];
            kit.call(ec2::TerminateInstancesRequest { instance_ids, ..Default::default() }).await.expect("begun");
            told.push(what_is(&kit).await);
            told.join("\n")
        })
    })
}
