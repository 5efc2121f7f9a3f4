//! CloudFormation types, one file each, one line each here.

mod address;
mod group_rule;
mod instance;
mod internet_gateway;
mod key_pair;
mod launch_template;
mod modelled;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod network_interface_attachment;
mod properties;
mod route_table;
mod security_group;
mod subnet;
mod vpc;
mod vpc_cidr_block;

use kiln_service_kit::ResourceType;
use std::sync::Arc;

/// Every type of the service.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(instance::InstanceType),
        Arc::new(key_pair::KeyPairType),
        Arc::new(launch_template::LaunchTemplateType),
        Arc::new(address::EipType),
        Arc::new(address::EipAssociationType),
        Arc::new(group_rule::GroupRuleType { egress: false }),
        Arc::new(group_rule::GroupRuleType { egress: true }),
        Arc::new(internet_gateway::InternetGatewayType),
        Arc::new(internet_gateway::VpcGatewayAttachmentType),
        Arc::new(nat_gateway::NatGatewayType),
        Arc::new(network_acl::NetworkAclType),
        Arc::new(network_acl::NetworkAclEntryType),
        Arc::new(network_acl::SubnetNetworkAclAssociationType),
        Arc::new(network_interface::NetworkInterfaceType),
        Arc::new(network_interface_attachment::NetworkInterfaceAttachmentType),
        Arc::new(route_table::RouteTableType),
        Arc::new(route_table::RouteType),
        Arc::new(route_table::SubnetRouteTableAssociationType),
        Arc::new(security_group::SecurityGroupType),
        Arc::new(subnet::SubnetType),
        Arc::new(vpc::VpcType),
        Arc::new(vpc_cidr_block::VpcCidrBlockType),
    ]
}
