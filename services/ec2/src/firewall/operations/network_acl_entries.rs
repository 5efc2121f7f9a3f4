//! The rules of network ACLs: create, replace, delete. The network's controller puts them on the host.

use crate::defaults::ensure_defaults;
use crate::errors::{invalid_combination, invalid_value, missing_parameter};
use crate::firewall::records::{AclEntry, AclPeer, NetworkAcl};
use crate::firewall::rules;
use crate::firewall::targets::NETWORK_ACL;
use crate::lookup::need;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    CreateNetworkAclEntryRequest, CreateNetworkAclEntryResponse, DeleteNetworkAclEntryRequest,
    DeleteNetworkAclEntryResponse, IcmpTypeCode, NetworkAclEntry, ReplaceNetworkAclEntryRequest,
    ReplaceNetworkAclEntryResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateNetworkAclEntry: create_network_acl_entry(CreateNetworkAclEntryRequest),
        on things![NETWORK_ACL network_acl_id]),
    operation!(DeleteNetworkAclEntry: delete_network_acl_entry(DeleteNetworkAclEntryRequest),
        on things![NETWORK_ACL network_acl_id]),
    operation!(ReplaceNetworkAclEntry: replace_network_acl_entry(ReplaceNetworkAclEntryRequest),
        on things![NETWORK_ACL network_acl_id]),
];

/// AWS's quota "Rules per network ACL", for each direction by itself.
const MOST_RULES: usize = 20;
/// The number that AWS shows for the last rules, which deny the rest. Callers' ones are lower.
const LAST: i32 = 32_767;

async fn create_network_acl_entry(
    cx: &Cx,
    request: CreateNetworkAclEntryRequest,
) -> Result<CreateNetworkAclEntryResponse, Error> {
    ensure_defaults(cx).await?;
    let entry = entry(&request)?;
    cx.store()
        .write(|tx| {
            let mut acl = NetworkAcl::clone(&*need::<NetworkAcl>(tx, cx.scope(), &request.network_acl_id)?);
            if find(&acl, entry.number, entry.egress).is_some() {
                return Err(Error::sender(
                    "NetworkAclEntryAlreadyExists",
                    format!("The network acl entry identified by {} already exists.", entry.number),
                ));
            }
            if acl.entries.iter().filter(|e| e.egress == entry.egress).count() >= MOST_RULES {
                return Err(Error::sender(
                    "NetworkAclEntryLimitExceeded",
                    "The maximum number of network ACL entries has been reached.",
                ));
            }
            acl.entries.push(entry);
            Ok(tx.put(cx.scope(), &acl.id.clone(), acl)?)
        })
        .await?;
    Ok(CreateNetworkAclEntryResponse::default())
}

async fn replace_network_acl_entry(
    cx: &Cx,
    request: ReplaceNetworkAclEntryRequest,
) -> Result<ReplaceNetworkAclEntryResponse, Error> {
    ensure_defaults(cx).await?;
    let entry = entry(&CreateNetworkAclEntryRequest {
        dry_run: None,
        network_acl_id: request.network_acl_id.clone(),
        rule_number: request.rule_number,
        protocol: request.protocol,
        rule_action: request.rule_action,
        egress: request.egress,
        cidr_block: request.cidr_block,
        ipv6_cidr_block: request.ipv6_cidr_block,
        icmp_type_code: request.icmp_type_code,
        port_range: request.port_range,
    })?;
    cx.store()
        .write(|tx| {
            let mut acl = NetworkAcl::clone(&*need::<NetworkAcl>(tx, cx.scope(), &request.network_acl_id)?);
            match find(&acl, entry.number, entry.egress) {
                Some(at) => acl.entries[at] = entry,
                None => return Err(not_found(entry.number, entry.egress)),
            }
            Ok(tx.put(cx.scope(), &acl.id.clone(), acl)?)
        })
        .await?;
    Ok(ReplaceNetworkAclEntryResponse::default())
}

async fn delete_network_acl_entry(
    cx: &Cx,
    request: DeleteNetworkAclEntryRequest,
) -> Result<DeleteNetworkAclEntryResponse, Error> {
    ensure_defaults(cx).await?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let mut acl = NetworkAcl::clone(&*need::<NetworkAcl>(tx, cx.scope(), &request.network_acl_id)?);
            let at = find(&acl, request.rule_number, request.egress);
            acl.entries.remove(at.ok_or_else(|| not_found(request.rule_number, request.egress))?);
            Ok(tx.put(cx.scope(), &acl.id.clone(), acl)?)
        })
        .await?;
    Ok(DeleteNetworkAclEntryResponse::default())
}

fn find(acl: &NetworkAcl, number: i32, egress: bool) -> Option<usize> {
    acl.entries.iter().position(|entry| entry.number == number && entry.egress == egress)
}

fn not_found(number: i32, egress: bool) -> Error {
    let direction = if egress { "egress" } else { "ingress" };
    Error::sender("InvalidNetworkAclEntry.NotFound", format!("no {direction} entry with number {number}"))
}

/// A rule as asked for.
fn entry(request: &CreateNetworkAclEntryRequest) -> Result<AclEntry, Error> {
    let number = request.rule_number;
    if !(1..LAST).contains(&number) {
        return Err(invalid_value(format!(
            "Value ({number}) for parameter ruleNumber is invalid. It must be between 1 and {}.",
            LAST - 1
        )));
    }
    let peer = match (&request.cidr_block, &request.ipv6_cidr_block) {
        (Some(block), None) => AclPeer::Cidr(rules::cidr(block)?),
        (None, Some(block)) => AclPeer::CidrV6(rules::cidr_v6(block)?),
        (None, None) => return Err(missing_parameter("cidrBlock or ipv6CidrBlock")),
        (Some(_), Some(_)) => {
            return Err(invalid_combination("The parameters cidrBlock and ipv6CidrBlock cannot be used together."));
        }
    };
    let protocol = protocol(&request.protocol)?;
    let ports = match protocol {
        6 | 17 => Some(ports(request.port_range.as_ref())?),
        _ => None,
    };
    let icmp = match protocol {
        1 | 58 => Some(icmp(request.icmp_type_code.as_ref())?),
        _ => None,
    };
    Ok(AclEntry { number, egress: request.egress, allow: request.rule_action == "allow", protocol, peer, ports, icmp })
}

/// By number, or by one of the names that AWS takes.
fn protocol(text: &str) -> Result<i16, Error> {
    let number = match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => Some(-1),
        "icmp" => Some(1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmpv6" => Some(58),
        number => number.parse::<u8>().ok().map(i16::from),
    };
    number.ok_or_else(|| {
        invalid_value(format!("Value ({text}) for parameter protocol is invalid. Unknown protocol number."))
    })
}

fn ports(range: Option<&shapes::PortRange>) -> Result<(u16, u16), Error> {
    let given = range.and_then(|range| Some((range.from?, range.to?)));
    let (from, to) = given.ok_or_else(|| missing_parameter("portRange"))?;
    match (u16::try_from(from), u16::try_from(to)) {
        (Ok(from), Ok(to)) if from <= to => Ok((from, to)),
        _ => Err(invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})"))),
    }
}

fn icmp(asked: Option<&IcmpTypeCode>) -> Result<(i16, i16), Error> {
    let given = asked.and_then(|asked| Some((asked.r#type?, asked.code?)));
    let (kind, code) = given.ok_or_else(|| missing_parameter("icmpTypeCode"))?;
    let good = |value: i32| (-1..=255).contains(&value);
    if !good(kind) || !good(code) {
        return Err(invalid_value(format!("Invalid ICMP type and code ({kind}:{code})")));
    }
    if kind == -1 && code != -1 {
        return Err(invalid_value("ICMP code (-1) must be used with ICMP type (-1)"));
    }
    Ok((kind as i16, code as i16))
}

/// Every rule of an ACL, egress first as AWS lists them, and the last ones, which deny the rest.
pub fn shown(acl: &NetworkAcl) -> Vec<NetworkAclEntry> {
    let mut all = vec![];
    for egress in [true, false] {
        let mut entries: Vec<&AclEntry> = acl.entries.iter().filter(|entry| entry.egress == egress).collect();
        entries.sort_by_key(|entry| entry.number);
        all.extend(entries.into_iter().map(one));
        all.push(NetworkAclEntry {
            cidr_block: Some("0.0.0.0/0".to_owned()),
            egress: Some(egress),
            protocol: Some("-1".to_owned()),
            rule_action: Some("deny".to_owned()),
            rule_number: Some(LAST),
            ..Default::default()
        });
    }
    all
}

fn one(entry: &AclEntry) -> NetworkAclEntry {
    let (v4, v6) = match &entry.peer {
        AclPeer::Cidr(cidr) => (Some(cidr.to_string()), None),
        AclPeer::CidrV6(cidr) => (None, Some(cidr.clone())),
    };
    NetworkAclEntry {
        cidr_block: v4,
        ipv6_cidr_block: v6,
        egress: Some(entry.egress),
        icmp_type_code: entry
            .icmp
            .map(|(kind, code)| IcmpTypeCode { code: Some(i32::from(code)), r#type: Some(i32::from(kind)) }),
        port_range: entry
            .ports
            .map(|(from, to)| shapes::PortRange { from: Some(i32::from(from)), to: Some(i32::from(to)) }),
        protocol: Some(entry.protocol.to_string()),
        rule_action: Some(if entry.allow { "allow" } else { "deny" }.to_owned()),
        rule_number: Some(entry.number),
    }
}
