//! What policies know of tags: the things that get or lose them.

use crate::firewall::targets::{NETWORK_ACL, SECURITY_GROUP, SECURITY_GROUP_RULE};
use crate::images::targets::{IMAGE, SNAPSHOT};
use crate::instances::targets::{INSTANCE, VOLUME};
use crate::interfaces::targets::{ADDRESS, NETWORK_INTERFACE};
use crate::keys::targets::KEY_PAIR;
use crate::networks::targets::{DHCP_OPTIONS, INTERNET_GATEWAY, NAT_GATEWAY, ROUTE_TABLE, SUBNET, VPC};
use crate::targets::Thing;
use crate::templates::targets::LAUNCH_TEMPLATE;
use kiln_ec2_shapes::Tag;
use kiln_service_kit::{Cx, Touched};

/// Every kind by which an id tells what it means.
const TAGGABLE: &[Thing] = &[
    ADDRESS,
    DHCP_OPTIONS,
    IMAGE,
    INSTANCE,
    INTERNET_GATEWAY,
    KEY_PAIR,
    LAUNCH_TEMPLATE,
    NAT_GATEWAY,
    NETWORK_ACL,
    NETWORK_INTERFACE,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SNAPSHOT,
    SUBNET,
    VOLUME,
    VPC,
];

/// Everything that the ids name, with the tags of the request. An id of no known kind is refused by the
/// call itself.
pub fn tagged(cx: &Cx, ids: &[String], tags: &[Tag]) -> Touched {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let given: Vec<(String, String)> = tags.iter().map(|tag| (text(&tag.key), text(&tag.value))).collect();
    let mut targets = vec![];
    for id in ids {
        let kinds = TAGGABLE.iter().filter(|thing| id.starts_with(thing.kind.prefix));
        if let Some(thing) = kinds.max_by_key(|thing| thing.kind.prefix.len()) {
            let given = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            targets.push(thing.named(cx, id)?.given_tags(given));
        }
    }
    Ok(targets)
}
