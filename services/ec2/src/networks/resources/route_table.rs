//! `AWS::EC2::RouteTable`, `AWS::EC2::Route` and `AWS::EC2::SubnetRouteTableAssociation`.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

async fn table(cx: &Cx, id: &str) -> Result<Option<RouteTable>, Error> {
    let look = DescribeRouteTablesRequest { route_table_ids: vec![id.to_owned()], ..Default::default() };
    Ok(found(cx.call(look).await)?.and_then(|answer| answer.route_tables.into_iter().next()))
}

/// Ref: its id.
pub struct RouteTableType;

#[async_trait]
impl ResourceType for RouteTableType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::RouteTable"
    }

    fn serves(&self, property: &str) -> bool {
        ["Tags", "VpcId"].contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, &["Tags", "VpcId"])?;
        let look = DescribeRouteTablesRequest { filters: made_before(request), ..Default::default() };
        let table = match cx.call(look).await?.route_tables.into_iter().next() {
            Some(table) => Some(table),
            None => {
                let new = CreateRouteTableRequest {
                    vpc_id: required(request, "VpcId")?,
                    tag_specifications: tagged(request, &kinds::ROUTE_TABLE),
                    ..Default::default()
                };
                cx.call(new).await?.route_table
            }
        };
        table.and_then(|table| table.route_table_id).ok_or_else(|| lacks("RouteTableId"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteRouteTableRequest { route_table_id: id.to_owned(), ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let read = |table: RouteTable| {
            Properties::default().with("RouteTableId", id).with("VpcId", table.vpc_id).with_tags(pairs(table.tags))
        };
        Ok(table(cx, id).await?.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("RouteTableId".to_owned(), json!(id))]))
    }
}

/// Ref: `rtb-…|destination`.
pub struct RouteType;

fn destination(request: &ResourceRequest) -> Option<String> {
    request.text("DestinationCidrBlock").or_else(|| request.text("DestinationIpv6CidrBlock"))
}

/// The route as the template has it; the operation refuses targets that are not built.
fn wanted(request: &ResourceRequest) -> Result<ReplaceRouteRequest, Error> {
    Ok(ReplaceRouteRequest {
        route_table_id: required(request, "RouteTableId")?,
        destination_cidr_block: request.text("DestinationCidrBlock"),
        destination_ipv6_cidr_block: request.text("DestinationIpv6CidrBlock"),
        destination_prefix_list_id: request.text("DestinationPrefixListId"),
        gateway_id: request.text("GatewayId"),
        nat_gateway_id: request.text("NatGatewayId"),
        carrier_gateway_id: request.text("CarrierGatewayId"),
        core_network_arn: request.text("CoreNetworkArn"),
        egress_only_internet_gateway_id: request.text("EgressOnlyInternetGatewayId"),
        instance_id: request.text("InstanceId"),
        local_gateway_id: request.text("LocalGatewayId"),
        network_interface_id: request.text("NetworkInterfaceId"),
        transit_gateway_id: request.text("TransitGatewayId"),
        vpc_endpoint_id: request.text("VpcEndpointId"),
        vpc_peering_connection_id: request.text("VpcPeeringConnectionId"),
        ..Default::default()
    })
}

#[async_trait]
impl ResourceType for RouteType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Route"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let r = wanted(request)?;
        let id = format!("{}|{}", r.route_table_id, destination(request).unwrap_or_default());
        // The same route once more is no error.
        cx.call(CreateRouteRequest {
            destination_prefix_list_id: r.destination_prefix_list_id,
            vpc_endpoint_id: r.vpc_endpoint_id,
            transit_gateway_id: r.transit_gateway_id,
            local_gateway_id: r.local_gateway_id,
            carrier_gateway_id: r.carrier_gateway_id,
            core_network_arn: r.core_network_arn,
            odb_network_arn: None,
            dry_run: None,
            route_table_id: r.route_table_id,
            destination_cidr_block: r.destination_cidr_block,
            gateway_id: r.gateway_id,
            destination_ipv6_cidr_block: r.destination_ipv6_cidr_block,
            egress_only_internet_gateway_id: r.egress_only_internet_gateway_id,
            instance_id: r.instance_id,
            network_interface_id: r.network_interface_id,
            vpc_peering_connection_id: r.vpc_peering_connection_id,
            nat_gateway_id: r.nat_gateway_id,
        })
        .await?;
        Ok(id)
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        cx.call(wanted(request)?).await?;
        Ok(())
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let delete = DeleteRouteRequest {
            route_table_id: required(request, "RouteTableId")?,
            destination_cidr_block: request.text("DestinationCidrBlock"),
            destination_ipv6_cidr_block: request.text("DestinationIpv6CidrBlock"),
            ..Default::default()
        };
        deleted(cx.call(delete).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some((table_id, to)) = id.split_once('|') else { return Ok(None) };
        let routes = table(cx, table_id).await?.map(|table| table.routes).unwrap_or_default();
        // Told as the block that it is, whatever address of it the template names.
        let block = |text: &str| text.parse::<Cidr>().ok();
        let is_it = |route: &Route| {
            let others = [&route.destination_ipv6_cidr_block, &route.destination_prefix_list_id];
            let v4 = route.destination_cidr_block.as_deref().and_then(block);
            (v4.is_some() && v4 == block(to)) || others.iter().any(|other| other.as_deref() == Some(to))
        };
        let read = |route: Route| {
            Properties::default()
                .with("RouteTableId", table_id)
                .with("CidrBlock", to)
                .with("DestinationCidrBlock", route.destination_cidr_block)
                .with("DestinationIpv6CidrBlock", route.destination_ipv6_cidr_block)
                .with("DestinationPrefixListId", route.destination_prefix_list_id)
                .with("GatewayId", route.gateway_id)
                .with("NatGatewayId", route.nat_gateway_id)
                .with("InstanceId", route.instance_id)
                .with("NetworkInterfaceId", route.network_interface_id)
                .with("EgressOnlyInternetGatewayId", route.egress_only_internet_gateway_id)
                .with("CarrierGatewayId", route.carrier_gateway_id)
                .with("CoreNetworkArn", route.core_network_arn)
                .with("LocalGatewayId", route.local_gateway_id)
                .with("TransitGatewayId", route.transit_gateway_id)
                .with("VpcPeeringConnectionId", route.vpc_peering_connection_id)
        };
        Ok(routes.into_iter().find(is_it).map(read))
    }

    async fn attributes(&self, _: &Cx, _: &str, request: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("CidrBlock".to_owned(), json!(destination(request)))]))
    }
}

/// Ref: the association's id.
pub struct SubnetRouteTableAssociationType;

#[async_trait]
impl ResourceType for SubnetRouteTableAssociationType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SubnetRouteTableAssociation"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        // Once more with the same table gives the same association.
        let associate = AssociateRouteTableRequest {
            route_table_id: required(request, "RouteTableId")?,
            subnet_id: request.text("SubnetId"),
            ..Default::default()
        };
        cx.call(associate).await?.association_id.ok_or_else(|| lacks("AssociationId"))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::internal("every property of a route table association needs a replacement"))
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let association_id = id.to_owned();
        deleted(cx.call(DisassociateRouteTableRequest { association_id, ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let filters = filter("association.route-table-association-id", id);
        let found = cx.call(DescribeRouteTablesRequest { filters, ..Default::default() }).await?.route_tables;
        let associations = found.into_iter().flat_map(|table| table.associations);
        let association = associations.into_iter().find(|one| one.route_table_association_id.as_deref() == Some(id));
        let read = |association: RouteTableAssociation| {
            Properties::default()
                .with("Id", id)
                .with("RouteTableId", association.route_table_id)
                .with("SubnetId", association.subnet_id)
        };
        Ok(association.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
