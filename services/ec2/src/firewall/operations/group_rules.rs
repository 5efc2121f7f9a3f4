//! The rules of security groups. A change is a change of the group, which wakes the network
//! controller: rules reach running machines.

use crate::defaults::ensure_defaults;
use crate::errors::{invalid_combination, missing_parameter};
use crate::filters::{Filters, one};
use crate::firewall::operations::security_groups::named;
use crate::firewall::records::{GroupRule, SecurityGroup};
use crate::firewall::rules::{self, Asked};
use crate::firewall::targets::{NAMED_SECURITY_GROUP, SECURITY_GROUP, SECURITY_GROUP_RULE};
use crate::kinds;
use crate::lookup::page;
use crate::networks::records::Vpc;
use crate::tags::{self, Tags};
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResponse, AuthorizeSecurityGroupIngressRequest,
    AuthorizeSecurityGroupIngressResponse, DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResponse,
    IpPermission, IpRange, ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResponse,
    RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResponse, RevokeSecurityGroupIngressRequest,
    RevokeSecurityGroupIngressResponse, RevokedSecurityGroupRule, SecurityGroupRuleDescription,
    SecurityGroupRuleRequest, UpdateSecurityGroupRuleDescriptionsEgressRequest,
    UpdateSecurityGroupRuleDescriptionsEgressResponse, UpdateSecurityGroupRuleDescriptionsIngressRequest,
    UpdateSecurityGroupRuleDescriptionsIngressResponse, UserIdGroupPair,
};
use kiln_ids::SecurityGroupRuleId;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(AuthorizeSecurityGroupEgress: authorize_egress(AuthorizeSecurityGroupEgressRequest),
        on things![SECURITY_GROUP group_id]),
    operation!(AuthorizeSecurityGroupIngress: authorize_ingress(AuthorizeSecurityGroupIngressRequest),
        on things![SECURITY_GROUP group_id, NAMED_SECURITY_GROUP group_name]),
    operation!(DescribeSecurityGroupRules: describe_rules(DescribeSecurityGroupRulesRequest), on everything),
    operation!(ModifySecurityGroupRules: modify_rules(ModifySecurityGroupRulesRequest),
        on things![SECURITY_GROUP group_id, SECURITY_GROUP_RULE security_group_rules]),
    operation!(RevokeSecurityGroupEgress: revoke_egress(RevokeSecurityGroupEgressRequest),
        on things![SECURITY_GROUP group_id]),
    operation!(RevokeSecurityGroupIngress: revoke_ingress(RevokeSecurityGroupIngressRequest),
        on things![SECURITY_GROUP group_id, NAMED_SECURITY_GROUP group_name]),
    operation!(UpdateSecurityGroupRuleDescriptionsEgress: describe_egress(UpdateSecurityGroupRuleDescriptionsEgressRequest),
        on things![SECURITY_GROUP group_id, NAMED_SECURITY_GROUP group_name]),
    operation!(UpdateSecurityGroupRuleDescriptionsIngress: describe_ingress(UpdateSecurityGroupRuleDescriptionsIngressRequest),
        on things![SECURITY_GROUP group_id, NAMED_SECURITY_GROUP group_name]),
];

/// AWS's quota per group and direction.
const MOST: usize = 60;

/// The old way to write one permission: members of the request itself.
#[derive(Default)]
struct Plain {
    protocol: Option<String>,
    from: Option<i32>,
    to: Option<i32>,
    cidr: Option<String>,
    group_name: Option<String>,
    group_owner: Option<String>,
}

/// The permissions of a request, written in either way.
fn permissions(list: Vec<IpPermission>, plain: Plain) -> Result<Vec<IpPermission>, Error> {
    let given = plain.protocol.is_some() || plain.cidr.is_some() || plain.group_name.is_some();
    match (list.is_empty(), given) {
        (false, true) => {
            Err(invalid_combination("The parameter 'ipProtocol' may not be used in combination with 'ipPermissions'"))
        }
        (false, false) => Ok(list),
        (true, false) => Err(missing_parameter("ipPermissions")),
        (true, true) => {
            // A group named alone allows all traffic from it, as in EC2-Classic.
            let protocol = plain.protocol.or_else(|| plain.group_name.is_some().then(|| "-1".to_owned()));
            let range = plain.cidr.map(|cidr| IpRange { description: None, cidr_ip: Some(cidr) });
            let pair = plain.group_name.map(|name| UserIdGroupPair {
                user_id: plain.group_owner,
                group_name: Some(name),
                ..Default::default()
            });
            Ok(vec![IpPermission {
                ip_protocol: protocol,
                from_port: plain.from,
                to_port: plain.to,
                ip_ranges: range.into_iter().collect(),
                user_id_group_pairs: pair.into_iter().collect(),
                ..Default::default()
            }])
        }
    }
}

fn duplicate(asked: &Asked) -> Error {
    Error::sender(
        "InvalidPermission.Duplicate",
        format!("the specified rule \"{}\" already exists", rules::in_words(asked)),
    )
}

async fn authorize(
    cx: &Cx,
    egress: bool,
    (id, name): (Option<String>, Option<String>),
    permissions: Vec<IpPermission>,
    tags: Tags,
) -> Result<Vec<shapes::SecurityGroupRule>, Error> {
    ensure_defaults(cx).await?;
    cx.store()
        .write(|tx| {
            let mut group = SecurityGroup::clone(&*named(tx, cx, id.as_deref(), name.as_deref())?);
            let asked = rules::from_permissions(tx, cx, &group, &permissions)?;
            let mut made = vec![];
            for (at, one) in asked.iter().enumerate() {
                if asked[..at].iter().any(|other| other.traffic == one.traffic && other.peer == one.peer) {
                    return Err(crate::errors::invalid_value(format!(
                        "The same permission must not appear multiple times: {}",
                        rules::in_words(one)
                    )));
                }
                if group.rules.iter().any(|rule| one.is(rule, egress)) {
                    return Err(duplicate(one));
                }
                made.push(GroupRule {
                    id: SecurityGroupRuleId::new(cx.ids()),
                    egress,
                    traffic: one.traffic.clone(),
                    peer: one.peer.clone(),
                    description: one.description.clone(),
                    tags: tags.clone(),
                });
            }
            if group.rules.iter().filter(|rule| rule.egress == egress).count() + made.len() > MOST {
                return Err(Error::sender(
                    "RulesPerSecurityGroupLimitExceeded",
                    "The maximum number of rules per security group has been reached.",
                ));
            }
            group.rules.extend(made.clone());
            let shown = made.iter().map(|rule| rules::shown(cx, &group, rule)).collect();
            tx.put(cx.scope(), &group.id.clone(), group)?;
            Ok(shown)
        })
        .await
}

async fn authorize_ingress(
    cx: &Cx,
    r: AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResponse, Error> {
    let plain = Plain {
        protocol: r.ip_protocol,
        from: r.from_port,
        to: r.to_port,
        cidr: r.cidr_ip,
        group_name: r.source_security_group_name,
        group_owner: r.source_security_group_owner_id,
    };
    let tags = tags::specified(cx, &r.tag_specifications, &kinds::SECURITY_GROUP_RULE)?;
    let made = authorize(cx, false, (r.group_id, r.group_name), permissions(r.ip_permissions, plain)?, tags).await?;
    Ok(AuthorizeSecurityGroupIngressResponse { r#return: Some(true), security_group_rules: made })
}

async fn authorize_egress(
    cx: &Cx,
    r: AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResponse, Error> {
    let plain = Plain {
        protocol: r.ip_protocol,
        from: r.from_port,
        to: r.to_port,
        cidr: r.cidr_ip,
        group_name: r.source_security_group_name,
        group_owner: r.source_security_group_owner_id,
    };
    let tags = tags::specified(cx, &r.tag_specifications, &kinds::SECURITY_GROUP_RULE)?;
    let made = authorize(cx, true, (Some(r.group_id), None), permissions(r.ip_permissions, plain)?, tags).await?;
    Ok(AuthorizeSecurityGroupEgressResponse { r#return: Some(true), security_group_rules: made })
}

fn no_rule() -> Error {
    Error::sender("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
}

/// The rules that were taken away, and the permissions that no rule was found for.
type Revoked = (Vec<RevokedSecurityGroupRule>, Vec<IpPermission>);

/// Removes rules named by id or by what they allow: all or, when one does not exist, none. In a
/// default VPC, as AWS has it, those that exist go and the others are told.
async fn revoke(
    cx: &Cx,
    egress: bool,
    (id, name): (Option<String>, Option<String>),
    rule_ids: Vec<String>,
    list: Vec<IpPermission>,
    plain: Plain,
) -> Result<Revoked, Error> {
    ensure_defaults(cx).await?;
    let permissions = match rule_ids.is_empty() {
        true => permissions(list, plain)?,
        false => vec![],
    };
    cx.store()
        .write(|tx| {
            let mut group = SecurityGroup::clone(&*named(tx, cx, id.as_deref(), name.as_deref())?);
            let lenient = tx.get::<Vpc>(cx.scope(), &group.vpc)?.is_some_and(|vpc| vpc.is_default);
            let (mut gone, mut unknown) = (vec![], vec![]);
            for id in &rule_ids {
                kinds::SECURITY_GROUP_RULE.check(id)?;
                let at = group.rules.iter().position(|rule| rule.id == **id && rule.egress == egress);
                let at = at.ok_or_else(|| kinds::SECURITY_GROUP_RULE.none(id))?;
                gone.push(group.rules.remove(at));
            }
            for permission in permissions.iter().flat_map(one_by_one) {
                for one in rules::from_permissions(tx, cx, &group, std::slice::from_ref(&permission))? {
                    match group.rules.iter().position(|rule| one.is(rule, egress)) {
                        Some(at) => gone.push(group.rules.remove(at)),
                        None if lenient => unknown.push(permission.clone()),
                        None => return Err(no_rule()),
                    }
                }
            }
            let revoked = gone.iter().map(|rule| revoked(cx, &group, rule)).collect();
            tx.put_if_changed(cx.scope(), &group.id.clone(), group)?;
            Ok((revoked, unknown))
        })
        .await
}

/// A permission as several of one peer each.
fn one_by_one(permission: &IpPermission) -> Vec<IpPermission> {
    let bare = IpPermission {
        ip_protocol: permission.ip_protocol.clone(),
        from_port: permission.from_port,
        to_port: permission.to_port,
        ..Default::default()
    };
    let v4 = permission.ip_ranges.iter().map(|r| IpPermission { ip_ranges: vec![r.clone()], ..bare.clone() });
    let v6 = permission.ipv6_ranges.iter().map(|r| IpPermission { ipv6_ranges: vec![r.clone()], ..bare.clone() });
    let pairs = permission.user_id_group_pairs.iter();
    let groups = pairs.map(|p| IpPermission { user_id_group_pairs: vec![p.clone()], ..bare.clone() });
    let lists = permission.prefix_list_ids.iter();
    let lists = lists.map(|l| IpPermission { prefix_list_ids: vec![l.clone()], ..bare.clone() });
    let all: Vec<IpPermission> = v4.chain(v6).chain(groups).chain(lists).collect();
    // Without a peer it is refused where permissions are read.
    if all.is_empty() { vec![bare] } else { all }
}

fn revoked(cx: &Cx, group: &SecurityGroup, rule: &GroupRule) -> RevokedSecurityGroupRule {
    let shown = rules::shown(cx, group, rule);
    RevokedSecurityGroupRule {
        security_group_rule_id: shown.security_group_rule_id,
        group_id: shown.group_id,
        is_egress: shown.is_egress,
        ip_protocol: shown.ip_protocol,
        from_port: shown.from_port,
        to_port: shown.to_port,
        cidr_ipv4: shown.cidr_ipv4,
        cidr_ipv6: shown.cidr_ipv6,
        prefix_list_id: shown.prefix_list_id,
        referenced_group_id: shown.referenced_group_info.and_then(|info| info.group_id),
        description: shown.description,
    }
}

async fn revoke_ingress(
    cx: &Cx,
    r: RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResponse, Error> {
    let plain = Plain {
        protocol: r.ip_protocol,
        from: r.from_port,
        to: r.to_port,
        cidr: r.cidr_ip,
        group_name: r.source_security_group_name,
        group_owner: r.source_security_group_owner_id,
    };
    let (gone, unknown) =
        revoke(cx, false, (r.group_id, r.group_name), r.security_group_rule_ids, r.ip_permissions, plain).await?;
    Ok(RevokeSecurityGroupIngressResponse {
        r#return: Some(true),
        unknown_ip_permissions: unknown,
        revoked_security_group_rules: gone,
    })
}

async fn revoke_egress(
    cx: &Cx,
    r: RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResponse, Error> {
    let plain = Plain {
        protocol: r.ip_protocol,
        from: r.from_port,
        to: r.to_port,
        cidr: r.cidr_ip,
        group_name: r.source_security_group_name,
        group_owner: r.source_security_group_owner_id,
    };
    let (gone, unknown) =
        revoke(cx, true, (Some(r.group_id), None), r.security_group_rule_ids, r.ip_permissions, plain).await?;
    Ok(RevokeSecurityGroupEgressResponse {
        r#return: Some(true),
        unknown_ip_permissions: unknown,
        revoked_security_group_rules: gone,
    })
}

async fn describe_rules(
    cx: &Cx,
    request: DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, &["group-id", "security-group-rule-id"])?;
    let groups = cx.store().list::<SecurityGroup>(cx.scope())?;
    for id in &request.security_group_rule_ids {
        kinds::SECURITY_GROUP_RULE.check(id)?;
        if !groups.iter().any(|(_, g)| g.rules.iter().any(|r| r.id == **id)) {
            return Err(kinds::SECURITY_GROUP_RULE.none(id));
        }
    }
    let mut found: Vec<(Arc<str>, shapes::SecurityGroupRule)> = vec![];
    for (_, group) in &groups {
        for rule in &group.rules {
            let wanted = &request.security_group_rule_ids;
            let named = wanted.is_empty() || wanted.iter().any(|id| rule.id == **id);
            let passes = filters.accept(&rule.tags, |name| match name {
                "group-id" => one(&group.id),
                "security-group-rule-id" => one(&rule.id),
                _ => vec![],
            });
            if named && passes {
                found.push((Arc::from(rule.id.as_str()), rules::shown(cx, group, rule)));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let page = page(found, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeSecurityGroupRulesResponse { next_token: page.next_token, security_group_rules: page.items })
}

async fn modify_rules(
    cx: &Cx,
    request: ModifySecurityGroupRulesRequest,
) -> Result<ModifySecurityGroupRulesResponse, Error> {
    ensure_defaults(cx).await?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let mut group = SecurityGroup::clone(&*named(tx, cx, Some(&request.group_id), None)?);
            for update in &request.security_group_rules {
                let id = &update.security_group_rule_id;
                kinds::SECURITY_GROUP_RULE.check(id)?;
                let new = update.security_group_rule.as_ref().ok_or_else(|| missing_parameter("SecurityGroupRule"))?;
                let asked = rules::from_permissions(tx, cx, &group, &[as_permission(new)?])?.remove(0);
                let at = group.rules.iter().position(|rule| rule.id == **id);
                let at = at.ok_or_else(|| kinds::SECURITY_GROUP_RULE.none(id))?;
                let egress = group.rules[at].egress;
                if group.rules.iter().enumerate().any(|(n, rule)| n != at && asked.is(rule, egress)) {
                    return Err(duplicate(&asked));
                }
                let rule = &mut group.rules[at];
                (rule.traffic, rule.peer, rule.description) = (asked.traffic, asked.peer, asked.description);
            }
            Ok(tx.put_if_changed(cx.scope(), &request.group_id, group)?)
        })
        .await?;
    Ok(ModifySecurityGroupRulesResponse { r#return: Some(true) })
}

/// A rule request as the permission it is; it must have exactly one peer.
fn as_permission(request: &SecurityGroupRuleRequest) -> Result<IpPermission, Error> {
    let peers = [&request.cidr_ipv4, &request.cidr_ipv6, &request.prefix_list_id, &request.referenced_group_id];
    if peers.iter().filter(|peer| peer.is_some()).count() != 1 {
        return Err(invalid_combination(
            "You must specify exactly one of: CidrIpv4, CidrIpv6, PrefixListId, or ReferencedGroupId.",
        ));
    }
    let description = request.description.clone();
    let mut permission = IpPermission {
        ip_protocol: request.ip_protocol.clone(),
        from_port: request.from_port,
        to_port: request.to_port,
        ..Default::default()
    };
    if let Some(cidr) = &request.cidr_ipv4 {
        permission.ip_ranges.push(IpRange { description, cidr_ip: Some(cidr.clone()) });
    } else if let Some(cidr) = &request.cidr_ipv6 {
        permission.ipv6_ranges.push(shapes::Ipv6Range { description, cidr_ipv6: Some(cidr.clone()) });
    } else if let Some(group) = &request.referenced_group_id {
        let pair = UserIdGroupPair { description, group_id: Some(group.clone()), ..Default::default() };
        permission.user_id_group_pairs.push(pair);
    } else {
        let prefix_list_id = request.prefix_list_id.clone();
        permission.prefix_list_ids.push(shapes::PrefixListId { description, prefix_list_id });
    }
    Ok(permission)
}

async fn redescribe(
    cx: &Cx,
    egress: bool,
    (id, name): (Option<String>, Option<String>),
    permissions: Vec<IpPermission>,
    descriptions: Vec<SecurityGroupRuleDescription>,
) -> Result<(), Error> {
    ensure_defaults(cx).await?;
    if permissions.is_empty() == descriptions.is_empty() {
        return Err(invalid_combination("Specify either ipPermissions or securityGroupRuleDescriptions."));
    }
    cx.store()
        .write(|tx: &mut Tx| -> Result<_, Error> {
            let mut group = SecurityGroup::clone(&*named(tx, cx, id.as_deref(), name.as_deref())?);
            for one in rules::from_permissions(tx, cx, &group, &permissions)? {
                let rule = group.rules.iter_mut().find(|rule| one.is(rule, egress)).ok_or_else(no_rule)?;
                rule.description = one.description;
            }
            for one in &descriptions {
                let id =
                    one.security_group_rule_id.as_deref().ok_or_else(|| missing_parameter("SecurityGroupRuleId"))?;
                let rule = group.rules.iter_mut().find(|rule| rule.id == *id && rule.egress == egress);
                rule.ok_or_else(|| kinds::SECURITY_GROUP_RULE.none(id))?.description =
                    rules::described(&one.description)?;
            }
            Ok(tx.put_if_changed(cx.scope(), &group.id.clone(), group)?)
        })
        .await?;
    Ok(())
}

async fn describe_ingress(
    cx: &Cx,
    r: UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResponse, Error> {
    redescribe(cx, false, (r.group_id, r.group_name), r.ip_permissions, r.security_group_rule_descriptions).await?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResponse { r#return: Some(true) })
}

async fn describe_egress(
    cx: &Cx,
    r: UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResponse, Error> {
    redescribe(cx, true, (r.group_id, r.group_name), r.ip_permissions, r.security_group_rule_descriptions).await?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResponse { r#return: Some(true) })
}
