//! Associations of subnets with network ACLs, among them those that nobody made: a subnet that was given no ACL
//! follows its VPC's default one.

use crate::firewall::records::{NetworkAcl, acl_of};
use crate::networks::records::Subnet;
use kiln_ids::SubnetId;
use kiln_service_kit::Rows;
use std::sync::Arc;

/// The subnet that an association is of, with the ACL that it follows now.
pub fn associated(acls: Rows<NetworkAcl>, subnets: Rows<Subnet>, id: &str) -> Option<(Arc<Subnet>, Arc<NetworkAcl>)> {
    let acls: Vec<Arc<NetworkAcl>> = acls.into_iter().map(|(_, acl)| acl).collect();
    subnets.into_iter().find_map(|(_, subnet)| {
        let acl = acl_of(&subnet.vpc, &subnet.id, &acls).filter(|acl| association_id(acl, &subnet.id) == id)?;
        Some((subnet, acl.clone()))
    })
}

/// The name of the association between a subnet and the ACL that it follows. One that nobody made is
/// named after the subnet: it never changes.
pub fn association_id(acl: &NetworkAcl, subnet: &SubnetId) -> String {
    let given = acl.associations.iter().find(|association| association.subnet == *subnet);
    given.map_or_else(
        || format!("aclassoc-{}", subnet.trim_start_matches(SubnetId::PREFIX)),
        |association| association.id.clone(),
    )
}
