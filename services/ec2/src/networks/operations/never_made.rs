//! Things of AWS's networks that cannot be made here, so that a listing of them is truly empty and
//! asking for one by id truly finds none.

use kiln_ec2_shapes::{
    DescribeEgressOnlyInternetGatewaysRequest, DescribeEgressOnlyInternetGatewaysResponse, DescribeVpcEndpointsRequest,
    DescribeVpcEndpointsResponse, DescribeVpcPeeringConnectionsRequest, DescribeVpcPeeringConnectionsResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeEgressOnlyInternetGateways: egress_only(DescribeEgressOnlyInternetGatewaysRequest),
        on everything),
    operation!(DescribeVpcEndpoints: endpoints(DescribeVpcEndpointsRequest), on everything),
    operation!(DescribeVpcPeeringConnections: peerings(DescribeVpcPeeringConnectionsRequest), on everything),
];

/// None of the ids asked for exists.
fn none_exists(ids: &[String], code: &'static str, noun: &str) -> Result<(), Error> {
    match ids.first() {
        Some(id) => Err(Error::sender(code, format!("The {noun} '{id}' does not exist"))),
        None => Ok(()),
    }
}

async fn egress_only(
    _: &Cx,
    request: DescribeEgressOnlyInternetGatewaysRequest,
) -> Result<DescribeEgressOnlyInternetGatewaysResponse, Error> {
    none_exists(&request.egress_only_internet_gateway_ids, "InvalidGatewayID.NotFound", "gateway ID")?;
    Ok(Default::default())
}

async fn endpoints(_: &Cx, request: DescribeVpcEndpointsRequest) -> Result<DescribeVpcEndpointsResponse, Error> {
    none_exists(&request.vpc_endpoint_ids, "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id")?;
    Ok(Default::default())
}

async fn peerings(
    _: &Cx,
    request: DescribeVpcPeeringConnectionsRequest,
) -> Result<DescribeVpcPeeringConnectionsResponse, Error> {
    let ids = &request.vpc_peering_connection_ids;
    none_exists(ids, "InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID")?;
    Ok(Default::default())
}
