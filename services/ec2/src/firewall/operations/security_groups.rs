//! Security groups: create, delete, describe. Their rules are in `group_rules`.

use crate::defaults::{default_vpc, egress_to_anywhere, ensure_defaults, no_default_vpc};
use crate::errors::{dependency, invalid_value, missing_parameter};
use crate::filters::{Filters, one};
use crate::firewall::records::{GroupRule, RulePeer, SecurityGroup};
use crate::firewall::rules;
use crate::firewall::targets::{NAMED_SECURITY_GROUP, SECURITY_GROUP};
use crate::interfaces::records::NetworkInterface;
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::Vpc;
use crate::networks::targets::VPC;
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    CreateSecurityGroupRequest, CreateSecurityGroupResponse, DeleteSecurityGroupRequest, DeleteSecurityGroupResponse,
    DescribeSecurityGroupsRequest, DescribeSecurityGroupsResponse,
};
use kiln_ids::SecurityGroupId;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateSecurityGroup: create_security_group(CreateSecurityGroupRequest),
        on things![VPC vpc_id, makes SECURITY_GROUP]),
    operation!(DeleteSecurityGroup: delete_security_group(DeleteSecurityGroupRequest),
        on things![SECURITY_GROUP group_id, NAMED_SECURITY_GROUP group_name]),
    operation!(DescribeSecurityGroups: describe_security_groups(DescribeSecurityGroupsRequest), on everything),
];

/// Names and descriptions take these beside letters and digits.
const SIGNS: &str = " ._-:/()#,@[]+=&;{}!$*";

async fn create_security_group(
    cx: &Cx,
    request: CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResponse, Error> {
    let name = request.group_name.trim().to_owned();
    for (what, text) in [("groupName", &name), ("groupDescription", &request.description)] {
        if text.is_empty() {
            return Err(missing_parameter(what));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || SIGNS.contains(c);
        if text.chars().count() > 255 || !text.chars().all(good) {
            return Err(invalid_value(format!(
                "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported."
            )));
        }
    }
    if name.starts_with("sg-") {
        return Err(invalid_value(format!(
            "Value ({name}) for parameter groupName is invalid. Group names may not begin with sg-."
        )));
    }
    ensure_defaults(cx).await?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::SECURITY_GROUP)?;
    let group = cx
        .store()
        .write(|tx| {
            let vpc = match &request.vpc_id {
                Some(id) => need::<Vpc>(tx, cx.scope(), id)?,
                None => default_vpc(tx, cx)?.ok_or_else(no_default_vpc)?,
            };
            if name == "default" {
                return Err(invalid_value("Cannot use reserved security group name: default"));
            }
            if tx.by_key::<SecurityGroup>(cx.scope(), "vpc-id", &vpc.id)?.iter().any(|(_, g)| g.name == name) {
                return Err(Error::sender(
                    "InvalidGroup.Duplicate",
                    format!("The security group '{name}' already exists for VPC '{}'", vpc.id),
                ));
            }
            let group = SecurityGroup {
                id: SecurityGroupId::new(cx.ids()),
                name,
                description: request.description,
                vpc: vpc.id.clone(),
                rules: vec![egress_to_anywhere(cx)],
                tags,
            };
            tx.put(cx.scope(), &group.id, group.clone())?;
            Ok(group)
        })
        .await?;
    Ok(CreateSecurityGroupResponse {
        group_id: Some(group.id.to_string()),
        tags: tags::shown(&group.tags),
        security_group_arn: Some(arn(cx, &group)),
    })
}

/// The group that a call names by id, or by name in the default VPC.
pub fn named(tx: &Tx, cx: &Cx, id: Option<&str>, name: Option<&str>) -> Result<Arc<SecurityGroup>, Error> {
    match (id, name) {
        (Some(id), _) => need::<SecurityGroup>(tx, cx.scope(), id),
        (None, Some(name)) => {
            let vpc = default_vpc(tx, cx)?.ok_or_else(no_default_vpc)?;
            let groups = tx.by_key::<SecurityGroup>(cx.scope(), "vpc-id", &vpc.id)?;
            groups.into_iter().map(|(_, g)| g).find(|g| g.name == name).ok_or_else(|| {
                Error::sender(
                    "InvalidGroup.NotFound",
                    format!("The security group '{name}' does not exist in default VPC '{}'", vpc.id),
                )
            })
        }
        (None, None) => Err(missing_parameter("groupName or groupId")),
    }
}

async fn delete_security_group(
    cx: &Cx,
    request: DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResponse, Error> {
    ensure_defaults(cx).await?;
    let id = cx
        .store()
        .write(|tx| {
            let group = named(tx, cx, request.group_id.as_deref(), request.group_name.as_deref())?;
            if group.name == "default" {
                return Err(Error::sender(
                    "CannotDelete",
                    format!("the specified group: \"{}\" name: \"default\" cannot be deleted by a user", group.id),
                ));
            }
            let used = tx.by_key::<NetworkInterface>(cx.scope(), "group-id", &group.id)?;
            let named = tx.by_key::<SecurityGroup>(cx.scope(), "peer", &group.id)?;
            if !used.is_empty() || named.iter().any(|(_, other)| other.id != group.id) {
                return Err(dependency(format!("resource {} has a dependent object", group.id)));
            }
            tx.delete::<SecurityGroup>(cx.scope(), &group.id);
            Ok(group.id.to_string())
        })
        .await?;
    Ok(DeleteSecurityGroupResponse { r#return: Some(true), group_id: Some(id) })
}

const FILTERS: &[&str] = &[
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.from-port",
    "egress.ip-permission.group-id",
    "egress.ip-permission.group-name",
    "egress.ip-permission.ipv6-cidr",
    "egress.ip-permission.prefix-list-id",
    "egress.ip-permission.protocol",
    "egress.ip-permission.to-port",
    "egress.ip-permission.user-id",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.group-name",
    "ip-permission.ipv6-cidr",
    "ip-permission.prefix-list-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "ip-permission.user-id",
    "owner-id",
    "vpc-id",
];

async fn describe_security_groups(
    cx: &Cx,
    request: DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    // Rules are shown with the names of others' groups.
    let by_rule = request.filters.iter().any(|filter| filter.name.iter().any(|name| name.contains("ip-permission")));
    let all = match by_rule || !request.group_names.is_empty() {
        true => cx.store().list::<SecurityGroup>(cx.scope())?,
        false => vec![],
    };
    let mut groups = asked::<SecurityGroup>(cx, &request.group_ids, &filters, "group-id")?;
    if !request.group_names.is_empty() {
        let vpcs = cx.store().list::<Vpc>(cx.scope())?;
        let default = vpcs.iter().find(|(_, vpc)| vpc.is_default).map(|(_, vpc)| vpc.id.clone());
        let in_default = |g: &SecurityGroup| Some(&g.vpc) == default.as_ref();
        for name in &request.group_names {
            if !all.iter().any(|(_, g)| in_default(g) && g.name == *name) {
                let message = format!("The security group '{name}' does not exist");
                return Err(Error::sender("InvalidGroup.NotFound", message));
            }
        }
        groups.retain(|(_, g)| in_default(g) && request.group_names.contains(&g.name));
    }
    groups.retain(|(_, group)| {
        filters.accept(&group.tags, |name| match name {
            "description" => one(&group.description),
            "group-id" => one(&group.id),
            "group-name" => one(&group.name),
            "owner-id" => one(cx.account()),
            "vpc-id" => one(&group.vpc),
            other => {
                let (egress, field) = match other.strip_prefix("egress.ip-permission.") {
                    Some(field) => (true, field),
                    None => (false, other.trim_start_matches("ip-permission.")),
                };
                let rules = group.rules.iter().filter(|rule| rule.egress == egress);
                rules.filter_map(|rule| rule_value(cx, &all, rule, field)).collect()
            }
        })
    });
    let page = page(groups, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeSecurityGroupsResponse {
        next_token: page.next_token,
        security_groups: page.items.iter().map(|group| shown(cx, group)).collect(),
    })
}

/// What a rule has under the last part of an `ip-permission` filter's name.
fn rule_value(cx: &Cx, groups: &[(Arc<str>, Arc<SecurityGroup>)], rule: &GroupRule, field: &str) -> Option<String> {
    match (field, &rule.peer) {
        ("protocol", _) => Some(rule.traffic.protocol.clone()),
        ("from-port", _) => rule.traffic.from_port.map(|p| p.to_string()),
        ("to-port", _) => rule.traffic.to_port.map(|p| p.to_string()),
        ("cidr", RulePeer::Cidr(cidr)) => Some(cidr.to_string()),
        ("ipv6-cidr", RulePeer::CidrV6(cidr)) => Some(cidr.clone()),
        ("prefix-list-id", RulePeer::PrefixList { id, .. }) => Some(id.clone()),
        ("group-id", RulePeer::Group(id)) => Some(id.to_string()),
        ("group-name", RulePeer::Group(id)) => groups.iter().find(|(_, g)| g.id == *id).map(|(_, g)| g.name.clone()),
        ("user-id", RulePeer::Group(_)) => Some(cx.account().to_owned()),
        _ => None,
    }
}

fn arn(cx: &Cx, group: &SecurityGroup) -> String {
    cx.arn("ec2", &format!("security-group/{}", group.id))
}

fn shown(cx: &Cx, group: &SecurityGroup) -> shapes::SecurityGroup {
    shapes::SecurityGroup {
        group_id: Some(group.id.to_string()),
        ip_permissions_egress: rules::permissions(cx, group, true),
        tags: tags::shown(&group.tags),
        vpc_id: Some(group.vpc.to_string()),
        security_group_arn: Some(arn(cx, group)),
        owner_id: Some(cx.account().to_owned()),
        group_name: Some(group.name.clone()),
        description: Some(group.description.clone()),
        ip_permissions: rules::permissions(cx, group, false),
    }
}
