//! What policies know of the room: see [`crate::targets`].

use crate::firewall::association::associated;
use crate::firewall::records::{NetworkAcl, SecurityGroup};
use crate::kinds;
use crate::networks::records::{Subnet, Vpc};
use crate::tags::Tags;
use crate::targets::{Thing, by_id, first};
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

pub const SECURITY_GROUP: Thing = Thing { kind: &kinds::SECURITY_GROUP, find: by_id::<SecurityGroup> };

/// By its name: that of one in the default VPC, for calls too.
pub const NAMED_SECURITY_GROUP: Thing = Thing {
    kind: &kinds::SECURITY_GROUP,
    find: |cx, text| {
        let store = cx.store().whole();
        let vpcs = store.list::<Vpc>(cx.scope())?;
        let Some((vpc, _)) = vpcs.into_iter().find(|(_, vpc)| vpc.is_default) else { return Ok(None) };
        let groups = store.by_key::<SecurityGroup>(cx.scope(), "vpc-id", &vpc)?;
        let found = groups.into_iter().find(|(_, group)| group.name == text);
        Ok(found.map(|(id, group)| (id.to_string(), group.tags.clone())))
    },
};

/// By its id; it is kept in its group.
pub const SECURITY_GROUP_RULE: Thing = Thing {
    kind: &kinds::SECURITY_GROUP_RULE,
    find: |cx, text| {
        let tags = |group: &SecurityGroup| -> Option<Tags> {
            group.rules.iter().find(|rule| *rule.id == *text).map(|rule| rule.tags.clone())
        };
        let group = first::<SecurityGroup>(cx, |group| tags(group).is_some())?;
        Ok(group.and_then(|(_, group)| tags(&group)).map(|tags| (text.to_owned(), tags)))
    },
};

/// By its id, or by an association with a subnet.
pub const NETWORK_ACL: Thing = Thing {
    kind: &kinds::NETWORK_ACL,
    find: |cx, text| match by_id::<NetworkAcl>(cx, text)? {
        Some(found) => Ok(Some(found)),
        None => Ok(with_association(cx, text)?.map(|(_, acl)| (acl.id.to_string(), acl.tags.clone()))),
    },
};

/// The subnet that an association with a network ACL is of.
pub const ASSOCIATED_SUBNET: Thing = Thing {
    kind: &kinds::SUBNET,
    find: |cx, text| Ok(with_association(cx, text)?.map(|(subnet, _)| (subnet.id.to_string(), subnet.tags.clone()))),
};

fn with_association(cx: &Cx, id: &str) -> Result<Option<(Arc<Subnet>, Arc<NetworkAcl>)>, Error> {
    Ok(associated(cx.store().list(cx.scope())?, cx.store().list(cx.scope())?, id))
}
