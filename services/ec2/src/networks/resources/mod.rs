//! CloudFormation types, one file each, one line each here.

mod internet_gateway;
mod nat_gateway;
mod route_table;
mod subnet;
mod vpc;
mod vpc_cidr_block;

use kiln_service_kit::ResourceType;
use std::sync::Arc;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(internet_gateway::InternetGatewayType),
        Arc::new(internet_gateway::VpcGatewayAttachmentType),
        Arc::new(nat_gateway::NatGatewayType),
        Arc::new(route_table::RouteTableType),
        Arc::new(route_table::RouteType),
        Arc::new(route_table::SubnetRouteTableAssociationType),
        Arc::new(subnet::SubnetType),
        Arc::new(vpc::VpcType),
        Arc::new(vpc_cidr_block::VpcCidrBlockType),
    ]
}
