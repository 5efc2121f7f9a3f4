//! Network ACLs: create, delete, describe, and which subnet follows which. Their rules are in
//! `network_acl_entries`.

use crate::defaults::ensure_defaults;
use crate::errors::{dependency, invalid_value};
use crate::filters::{Filters, flag, one};
use crate::firewall::association::{associated, association_id};
use crate::firewall::operations::network_acl_entries;
use crate::firewall::records::{AclAssociation, NetworkAcl, acl_of};
use crate::firewall::targets::{ASSOCIATED_SUBNET, NETWORK_ACL};
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::{Subnet, Vpc};
use crate::networks::targets::VPC;
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    CreateNetworkAclRequest, CreateNetworkAclResponse, DeleteNetworkAclRequest, DeleteNetworkAclResponse,
    DescribeNetworkAclsRequest, DescribeNetworkAclsResponse, NetworkAclAssociation, NetworkAclEntry,
    ReplaceNetworkAclAssociationRequest, ReplaceNetworkAclAssociationResponse,
};
use kiln_ids::NetworkAclId;
use kiln_service_kit::{Cx, Error, Operation, Remembered, operation, request_hash};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateNetworkAcl: create_network_acl(CreateNetworkAclRequest),
        on things![VPC vpc_id, makes NETWORK_ACL]),
    operation!(DeleteNetworkAcl: delete_network_acl(DeleteNetworkAclRequest), on things![NETWORK_ACL network_acl_id]),
    operation!(DescribeNetworkAcls: describe_network_acls(DescribeNetworkAclsRequest), on everything),
    operation!(ReplaceNetworkAclAssociation: replace_network_acl_association(ReplaceNetworkAclAssociationRequest),
        on things![NETWORK_ACL association_id, ASSOCIATED_SUBNET association_id, NETWORK_ACL network_acl_id]),
];

/// AWS's quota "Network ACLs per VPC".
const MOST_PER_VPC: usize = 200;

async fn create_network_acl(cx: &Cx, request: CreateNetworkAclRequest) -> Result<CreateNetworkAclResponse, Error> {
    ensure_defaults(cx).await?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::NETWORK_ACL)?;
    let token = request.client_token.clone();
    let hash = request_hash(&CreateNetworkAclRequest { client_token: None, ..request.clone() });
    let acl = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let vpc = need::<Vpc>(tx, cx.scope(), &request.vpc_id)?;
            if let Some(token) = &token
                && let Some(id) = Remembered::find(tx, cx, "CreateNetworkAcl", token, &hash)?
                && let Some(made) = tx.get::<NetworkAcl>(cx.scope(), &id)?
            {
                return Ok(NetworkAcl::clone(&made));
            }
            let of_vpc = tx.by_key::<NetworkAcl>(cx.scope(), "vpc-id", &vpc.id)?.len();
            if of_vpc >= MOST_PER_VPC {
                return Err(Error::sender(
                    "NetworkAclLimitExceeded",
                    "The maximum number of network ACLs has been reached.",
                ));
            }
            let acl = NetworkAcl {
                id: NetworkAclId::new(cx.ids()),
                vpc: vpc.id.clone(),
                is_default: false,
                entries: vec![],
                associations: vec![],
                tags,
            };
            if let Some(token) = &token {
                Remembered::keep(tx, cx, "CreateNetworkAcl", token, &hash, &acl.id)?;
            }
            tx.put(cx.scope(), &acl.id, acl.clone())?;
            Ok(acl)
        })
        .await?;
    Ok(CreateNetworkAclResponse { network_acl: Some(shown(cx, &acl, vec![])), client_token: token })
}

async fn delete_network_acl(cx: &Cx, request: DeleteNetworkAclRequest) -> Result<DeleteNetworkAclResponse, Error> {
    ensure_defaults(cx).await?;
    cx.store()
        .write(|tx| {
            let acl = need::<NetworkAcl>(tx, cx.scope(), &request.network_acl_id)?;
            if acl.is_default {
                return Err(invalid_value(format!("cannot delete default network ACL {}", acl.id)));
            }
            if !acl.associations.is_empty() {
                return Err(dependency(format!("The networkAcl '{}' has dependencies and cannot be deleted.", acl.id)));
            }
            tx.delete::<NetworkAcl>(cx.scope(), &acl.id);
            Ok(())
        })
        .await?;
    Ok(DeleteNetworkAclResponse::default())
}

async fn replace_network_acl_association(
    cx: &Cx,
    request: ReplaceNetworkAclAssociationRequest,
) -> Result<ReplaceNetworkAclAssociationResponse, Error> {
    ensure_defaults(cx).await?;
    let id = cx
        .store()
        .write(|tx| {
            let wanted = need::<NetworkAcl>(tx, cx.scope(), &request.network_acl_id)?;
            let id = &request.association_id;
            let found = associated(tx.list(cx.scope())?, tx.list(cx.scope())?, id);
            let none = || format!("The association ID '{id}' does not exist");
            let (subnet, now) = found.ok_or_else(|| Error::sender("InvalidAssociationID.NotFound", none()))?;
            if subnet.vpc != wanted.vpc {
                return Err(invalid_value(format!(
                    "network acl {} and subnet {} belong to different networks",
                    wanted.id, subnet.id
                )));
            }
            let mut now = NetworkAcl::clone(&now);
            now.associations.retain(|association| association.subnet != subnet.id);
            let mut wanted = if now.id == wanted.id {
                now
            } else {
                tx.put(cx.scope(), &now.id.clone(), now)?;
                NetworkAcl::clone(&wanted)
            };
            let id = format!("aclassoc-{}", cx.ids().hex(17));
            wanted.associations.push(AclAssociation { id: id.clone(), subnet: subnet.id.clone() });
            tx.put(cx.scope(), &wanted.id.clone(), wanted)?;
            Ok(id)
        })
        .await?;
    Ok(ReplaceNetworkAclAssociationResponse { new_association_id: Some(id) })
}

const FILTERS: &[&str] = &[
    "association.association-id",
    "association.network-acl-id",
    "association.subnet-id",
    "default",
    "entry.cidr",
    "entry.egress",
    "entry.icmp.code",
    "entry.icmp.type",
    "entry.ipv6-cidr",
    "entry.port-range.from",
    "entry.port-range.to",
    "entry.protocol",
    "entry.rule-action",
    "entry.rule-number",
    "network-acl-id",
    "owner-id",
    "vpc-id",
];

async fn describe_network_acls(
    cx: &Cx,
    request: DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let subnets = cx.store().list::<Subnet>(cx.scope())?;
    let all: Vec<Arc<NetworkAcl>> =
        cx.store().list::<NetworkAcl>(cx.scope())?.into_iter().map(|(_, acl)| acl).collect();
    let mut found: Vec<(Arc<str>, shapes::NetworkAcl)> = vec![];
    for (id, acl) in asked::<NetworkAcl>(cx, &request.network_acl_ids, &filters, "network-acl-id")? {
        let follows =
            |subnet: &Subnet| acl_of(&subnet.vpc, &subnet.id, &all).is_some_and(|followed| followed.id == acl.id);
        let associations: Vec<NetworkAclAssociation> = subnets
            .iter()
            .filter(|(_, subnet)| follows(subnet))
            .map(|(_, subnet)| NetworkAclAssociation {
                network_acl_association_id: Some(association_id(&acl, &subnet.id)),
                network_acl_id: Some(acl.id.to_string()),
                subnet_id: Some(subnet.id.to_string()),
            })
            .collect();
        let shown = shown(cx, &acl, associations);
        if filters.accept(&acl.tags, |name| values(&shown, name)) {
            found.push((id, shown));
        }
    }
    let page = page(found, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeNetworkAclsResponse { next_token: page.next_token, network_acls: page.items })
}

/// What an ACL has under the name of a filter.
fn values(acl: &shapes::NetworkAcl, name: &str) -> Vec<String> {
    let associations =
        |of: fn(&NetworkAclAssociation) -> Option<String>| acl.associations.iter().filter_map(of).collect();
    let entries = |of: fn(&NetworkAclEntry) -> Option<String>| acl.entries.iter().filter_map(of).collect();
    let number = |value: Option<i32>| value.map(|value| value.to_string());
    match name {
        "association.association-id" => associations(|a| a.network_acl_association_id.clone()),
        "association.network-acl-id" => associations(|a| a.network_acl_id.clone()),
        "association.subnet-id" => associations(|a| a.subnet_id.clone()),
        "default" => flag(acl.is_default == Some(true)),
        "entry.cidr" => entries(|e| e.cidr_block.clone()),
        "entry.egress" => entries(|e| e.egress.map(|egress| egress.to_string())),
        "entry.icmp.code" => acl.entries.iter().filter_map(|e| number(e.icmp_type_code.as_ref()?.code)).collect(),
        "entry.icmp.type" => acl.entries.iter().filter_map(|e| number(e.icmp_type_code.as_ref()?.r#type)).collect(),
        "entry.ipv6-cidr" => entries(|e| e.ipv6_cidr_block.clone()),
        "entry.port-range.from" => acl.entries.iter().filter_map(|e| number(e.port_range.as_ref()?.from)).collect(),
        "entry.port-range.to" => acl.entries.iter().filter_map(|e| number(e.port_range.as_ref()?.to)).collect(),
        "entry.protocol" => entries(|e| e.protocol.clone()),
        "entry.rule-action" => entries(|e| e.rule_action.clone()),
        "entry.rule-number" => acl.entries.iter().filter_map(|e| number(e.rule_number)).collect(),
        "network-acl-id" => one(acl.network_acl_id.as_deref().unwrap_or_default()),
        "owner-id" => one(acl.owner_id.as_deref().unwrap_or_default()),
        "vpc-id" => one(acl.vpc_id.as_deref().unwrap_or_default()),
        _ => vec![],
    }
}

fn shown(cx: &Cx, acl: &NetworkAcl, associations: Vec<NetworkAclAssociation>) -> shapes::NetworkAcl {
    shapes::NetworkAcl {
        associations,
        entries: network_acl_entries::shown(acl),
        is_default: Some(acl.is_default),
        network_acl_id: Some(acl.id.to_string()),
        tags: tags::shown(&acl.tags),
        vpc_id: Some(acl.vpc.to_string()),
        owner_id: Some(cx.account().to_owned()),
    }
}
