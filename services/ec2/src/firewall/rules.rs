//! Security group rules between AWS's words and records: `IpPermission`s and rule requests are
//! read and checked here, and records are written as either.

use crate::errors::invalid_value;
use crate::firewall::records::{GroupRule, RulePeer, SecurityGroup, Traffic};
use crate::kinds;
use crate::tags;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{IpPermission, IpRange, Ipv6Range, ReferencedSecurityGroup, UserIdGroupPair};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Tx};

/// One rule as asked for, before it has an id.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub traffic: Traffic,
    pub peer: RulePeer,
    pub description: Option<String>,
}

impl Asked {
    /// Whether a rule of that direction allows just this; descriptions do not count.
    pub fn is(&self, rule: &GroupRule, egress: bool) -> bool {
        rule.egress == egress && rule.traffic == self.traffic && rule.peer == self.peer
    }
}

/// Every rule that permissions ask for: one per peer.
pub fn from_permissions(
    tx: &Tx,
    cx: &Cx,
    group: &SecurityGroup,
    permissions: &[IpPermission],
) -> Result<Vec<Asked>, Error> {
    let mut asked = vec![];
    for permission in permissions {
        let traffic = traffic(permission.ip_protocol.as_deref(), permission.from_port, permission.to_port)?;
        let before = asked.len();
        let mut add = |peer, description: &Option<String>| -> Result<(), Error> {
            asked.push(Asked { traffic: traffic.clone(), peer, description: described(description)? });
            Ok(())
        };
        for range in &permission.ip_ranges {
            add(RulePeer::Cidr(cidr(range.cidr_ip.as_deref().unwrap_or(""))?), &range.description)?;
        }
        for range in &permission.ipv6_ranges {
            add(RulePeer::CidrV6(cidr_v6(range.cidr_ipv6.as_deref().unwrap_or(""))?), &range.description)?;
        }
        for list in &permission.prefix_list_ids {
            add(peer_list(cx, list.prefix_list_id.as_deref().unwrap_or(""))?, &list.description)?;
        }
        for pair in &permission.user_id_group_pairs {
            add(peer_group(tx, cx, group, pair)?, &pair.description)?;
        }
        if asked.len() == before {
            return Err(Error::sender(
                "MissingParameter",
                "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or groupId",
            ));
        }
    }
    Ok(asked)
}

/// A prefix list as the other end of a rule: one of AWS's own, as no others can be made.
fn peer_list(cx: &Cx, id: &str) -> Result<RulePeer, Error> {
    let list = crate::prefix_lists::of_region(cx.region()).into_iter().find(|list| list.id == id);
    let list = list.ok_or_else(|| {
        Error::sender("InvalidPrefixListID.NotFound", format!("The prefix list ID '{id}' does not exist"))
    })?;
    Ok(RulePeer::PrefixList { id: list.id, name: list.name })
}

/// A group as the other end of a rule: of the same account and VPC.
fn peer_group(tx: &Tx, cx: &Cx, group: &SecurityGroup, pair: &UserIdGroupPair) -> Result<RulePeer, Error> {
    if pair.vpc_peering_connection_id.is_some() || pair.user_id.as_deref().is_some_and(|id| id != cx.account()) {
        return Err(Error::not_built("security group rules that name another account's group"));
    }
    let found = match (&pair.group_id, &pair.group_name) {
        (Some(id), _) => crate::lookup::need::<SecurityGroup>(tx, cx.scope(), id)?,
        (None, Some(name)) => by_name(tx, cx, &group.vpc, name)?,
        (None, None) => return Err(crate::errors::missing_parameter("groupId")),
    };
    if found.vpc != group.vpc {
        return Err(Error::sender(
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
        ));
    }
    Ok(RulePeer::Group(found.id.clone()))
}

/// The group of that name in a VPC.
pub fn by_name(tx: &Tx, cx: &Cx, vpc: &kiln_ids::VpcId, name: &str) -> Result<std::sync::Arc<SecurityGroup>, Error> {
    let groups = tx.by_key::<SecurityGroup>(cx.scope(), "vpc-id", vpc)?;
    groups.into_iter().map(|(_, g)| g).find(|g| g.name == name).ok_or_else(|| {
        Error::sender("InvalidGroup.NotFound", format!("The security group '{name}' does not exist in VPC '{vpc}'"))
    })
}

/// Protocol and ports, checked and in their usual form.
pub fn traffic(protocol: Option<&str>, from: Option<i32>, to: Option<i32>) -> Result<Traffic, Error> {
    let Some(given) = protocol else {
        return Err(invalid_value(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.",
        ));
    };
    let protocol = match given.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(Traffic::all()),
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmp" | "1" => "icmp",
        "icmpv6" | "58" => "icmpv6",
        other => match other.parse::<u8>() {
            // Ports mean nothing to the rest; AWS keeps none.
            Ok(number) => return Ok(Traffic { protocol: number.to_string(), from_port: None, to_port: None }),
            Err(_) => {
                return Err(invalid_value(format!("Invalid value '{given}' for IP protocol. Unknown protocol.")));
            }
        },
    };
    let (Some(from), Some(to)) = (from, to) else {
        let text = match protocol {
            "tcp" | "udp" => "Must specify both from and to ports with TCP/UDP.",
            // AWS reads a missing type and code of icmpv6 as any; of icmp it does not.
            "icmpv6" => return Ok(Traffic { protocol: "icmpv6".to_owned(), from_port: Some(-1), to_port: Some(-1) }),
            _ => "Must specify both from and to ports with ICMP.",
        };
        return Err(invalid_value(format!("Invalid value '{text}' for portRange.")));
    };
    let ports = matches!(protocol, "tcp" | "udp");
    let range = if ports { 0..=65535 } else { -1..=255 };
    for port in [from, to] {
        if !range.contains(&port) {
            let what = if ports { "TCP/UDP port" } else { "ICMP type or code" };
            return Err(invalid_value(format!("{what} ({port}) out of range")));
        }
    }
    if ports && from > to {
        return Err(invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    if !ports && from == -1 && to != -1 {
        return Err(invalid_value("ICMP code (-1) must be used with ICMP type (-1)"));
    }
    Ok(Traffic { protocol: protocol.to_owned(), from_port: Some(from), to_port: Some(to) })
}

/// An IPv4 block of a rule.
pub fn cidr(text: &str) -> Result<Cidr, Error> {
    text.parse().map_err(|_| invalid_value(format!("CIDR block {text} is malformed")))
}

/// An IPv6 block of a rule, its host bits cleared.
pub fn cidr_v6(text: &str) -> Result<String, Error> {
    let block = kiln_ids::block_v6(text).map(|block| block.trunc().to_string());
    block.ok_or_else(|| invalid_value(format!("CIDR block {text} is malformed")))
}

/// A rule's description: at most 255 of AWS's characters; empty means none.
pub fn described(given: &Option<String>) -> Result<Option<String>, Error> {
    let Some(text) = given else { return Ok(None) };
    if text.chars().count() > 255 {
        return Err(invalid_value(format!("Invalid rule description '{text}'. It may have at most 255 characters.")));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if !text.chars().all(good) {
        return Err(invalid_value(format!(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*: '{text}'"
        )));
    }
    Ok((!text.is_empty()).then(|| text.clone()))
}

/// A rule the way AWS's error texts name it.
pub fn in_words(asked: &Asked) -> String {
    let peer = match &asked.peer {
        RulePeer::Cidr(cidr) => cidr.to_string(),
        RulePeer::CidrV6(cidr) => cidr.clone(),
        RulePeer::Group(id) => id.to_string(),
        RulePeer::PrefixList { id, .. } => id.clone(),
    };
    let traffic = match (asked.traffic.protocol.as_str(), asked.traffic.from_port, asked.traffic.to_port) {
        ("-1", _, _) => "ALL".to_owned(),
        (protocol @ ("tcp" | "udp"), Some(from), Some(to)) => {
            format!("{}, from port: {from}, to port: {to}", protocol.to_ascii_uppercase())
        }
        (protocol @ ("icmp" | "icmpv6"), Some(kind), Some(code)) => {
            format!("{}, type: {kind}, code: {code}", protocol.to_ascii_uppercase())
        }
        (protocol, _, _) => format!("protocol {protocol}"),
    };
    format!("peer: {peer}, {traffic}, ALLOW")
}

/// The rules of one direction as permissions: those of the same traffic together.
pub fn permissions(cx: &Cx, group: &SecurityGroup, egress: bool) -> Vec<IpPermission> {
    let mut all: Vec<IpPermission> = vec![];
    for rule in group.rules.iter().filter(|rule| rule.egress == egress) {
        let Traffic { protocol, from_port, to_port } = &rule.traffic;
        let same = |p: &&mut IpPermission| {
            p.ip_protocol.as_ref() == Some(protocol) && p.from_port == *from_port && p.to_port == *to_port
        };
        let at = match all.iter_mut().find(same) {
            Some(at) => at,
            None => {
                all.push(IpPermission {
                    ip_protocol: Some(protocol.clone()),
                    from_port: *from_port,
                    to_port: *to_port,
                    ..Default::default()
                });
                all.last_mut().expect("one was pushed")
            }
        };
        let description = rule.description.clone();
        match &rule.peer {
            RulePeer::Cidr(cidr) => at.ip_ranges.push(IpRange { description, cidr_ip: Some(cidr.to_string()) }),
            RulePeer::CidrV6(cidr) => at.ipv6_ranges.push(Ipv6Range { description, cidr_ipv6: Some(cidr.clone()) }),
            RulePeer::PrefixList { id, .. } => {
                at.prefix_list_ids.push(shapes::PrefixListId { description, prefix_list_id: Some(id.clone()) })
            }
            RulePeer::Group(id) => at.user_id_group_pairs.push(UserIdGroupPair {
                description,
                user_id: Some(cx.account().to_owned()),
                group_id: Some(id.to_string()),
                ..Default::default()
            }),
        }
    }
    all
}

/// One rule as DescribeSecurityGroupRules shows it.
pub fn shown(cx: &Cx, group: &SecurityGroup, rule: &GroupRule) -> shapes::SecurityGroupRule {
    let mut shown = shapes::SecurityGroupRule {
        security_group_rule_id: Some(rule.id.to_string()),
        group_id: Some(group.id.to_string()),
        group_owner_id: Some(cx.account().to_owned()),
        is_egress: Some(rule.egress),
        ip_protocol: Some(rule.traffic.protocol.clone()),
        from_port: Some(rule.traffic.from_port.unwrap_or(-1)),
        to_port: Some(rule.traffic.to_port.unwrap_or(-1)),
        description: rule.description.clone(),
        tags: tags::shown(&rule.tags),
        security_group_rule_arn: Some(
            cx.arn("ec2", &format!("{}/{}", kinds::SECURITY_GROUP_RULE.resource_type, rule.id)),
        ),
        ..Default::default()
    };
    match &rule.peer {
        RulePeer::Cidr(cidr) => shown.cidr_ipv4 = Some(cidr.to_string()),
        RulePeer::CidrV6(cidr) => shown.cidr_ipv6 = Some(cidr.clone()),
        RulePeer::PrefixList { id, .. } => shown.prefix_list_id = Some(id.clone()),
        RulePeer::Group(id) => {
            shown.referenced_group_info = Some(ReferencedSecurityGroup {
                group_id: Some(id.to_string()),
                user_id: Some(cx.account().to_owned()),
                vpc_id: Some(group.vpc.to_string()),
                ..Default::default()
            })
        }
    }
    shown
}
