//! CloudFormation types, one file each, one line each here.

mod group_rule;
mod network_acl;
mod security_group;

use kiln_service_kit::ResourceType;
use std::sync::Arc;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(group_rule::GroupRuleType { egress: false }),
        Arc::new(group_rule::GroupRuleType { egress: true }),
        Arc::new(network_acl::NetworkAclType),
        Arc::new(network_acl::NetworkAclEntryType),
        Arc::new(network_acl::SubnetNetworkAclAssociationType),
        Arc::new(security_group::SecurityGroupType),
    ]
}
