//! `AWS::EC2::SecurityGroup`. GetAtt GroupId: its id. Ref: its id too, or its name where the template names no VPC,
//! as in AWS; the default VPC then has it.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait, given};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct SecurityGroupType;

const NAME: &str = "AWS::EC2::SecurityGroup";
const SERVED: &[&str] =
    &["GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"];

/// A rule of a template (`SecurityGroupIngress` item or resource) as a permission.
pub fn permission(rule: &Json) -> Result<IpPermission, Error> {
    let description = text(rule, "Description");
    let mut permission = IpPermission {
        ip_protocol: text(rule, "IpProtocol"),
        from_port: number(rule, "FromPort")?,
        to_port: number(rule, "ToPort")?,
        ..Default::default()
    };
    if let Some(cidr) = text(rule, "CidrIp") {
        permission.ip_ranges.push(IpRange { description: description.clone(), cidr_ip: Some(cidr) });
    }
    if let Some(cidr) = text(rule, "CidrIpv6") {
        permission.ipv6_ranges.push(Ipv6Range { description: description.clone(), cidr_ipv6: Some(cidr) });
    }
    let group = text(rule, "SourceSecurityGroupId").or_else(|| text(rule, "DestinationSecurityGroupId"));
    let name = text(rule, "SourceSecurityGroupName");
    if group.is_some() || name.is_some() {
        permission.user_id_group_pairs.push(UserIdGroupPair {
            description: description.clone(),
            user_id: text(rule, "SourceSecurityGroupOwnerId"),
            group_id: group,
            group_name: name,
            ..Default::default()
        });
    }
    if let Some(list) = text(rule, "SourcePrefixListId").or_else(|| text(rule, "DestinationPrefixListId")) {
        permission.prefix_list_ids.push(PrefixListId { description, prefix_list_id: Some(list) });
    }
    Ok(permission)
}

/// A permission as the rules of a template: one for each that it is for.
fn rules(permission: &IpPermission, egress: bool) -> Vec<Json> {
    let (group, list) = match egress {
        true => ("DestinationSecurityGroupId", "DestinationPrefixListId"),
        false => ("SourceSecurityGroupId", "SourcePrefixListId"),
    };
    let rule = |whose: Json, description: &Option<String>| {
        let mut rule = json!({
            "IpProtocol": permission.ip_protocol,
            "FromPort": permission.from_port,
            "ToPort": permission.to_port,
            "Description": description.as_ref().filter(|text| !text.is_empty()),
        });
        if let (Json::Object(rule), Json::Object(whose)) = (&mut rule, whose) {
            rule.extend(whose);
        }
        given(rule)
    };
    let pair = |pair: &UserIdGroupPair| {
        let mut whose = json!({group: pair.group_id});
        if !egress {
            whose["SourceSecurityGroupOwnerId"] = json!(pair.user_id);
        }
        rule(whose, &pair.description)
    };
    let ranges = permission.ip_ranges.iter().map(|range| rule(json!({"CidrIp": range.cidr_ip}), &range.description));
    let wide = permission.ipv6_ranges.iter();
    let wide = wide.map(|range| rule(json!({"CidrIpv6": range.cidr_ipv6}), &range.description));
    let lists = permission.prefix_list_ids.iter();
    let lists = lists.map(|prefixes| rule(json!({list: prefixes.prefix_list_id}), &prefixes.description));
    ranges.chain(wide).chain(permission.user_id_group_pairs.iter().map(pair)).chain(lists).collect()
}

fn permissions(properties: &Json, name: &str) -> Result<Vec<IpPermission>, Error> {
    items(properties, name).into_iter().map(permission).collect()
}

/// A rule that is there already is as good as made.
pub fn there_is_fine<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if !error.is("InvalidPermission.Duplicate") => Err(error),
        _ => Ok(()),
    }
}

fn to_anywhere() -> IpPermission {
    IpPermission {
        ip_protocol: Some("-1".to_owned()),
        ip_ranges: vec![IpRange { description: None, cidr_ip: Some("0.0.0.0/0".to_owned()) }],
        ..Default::default()
    }
}

/// What the template says is allowed outwards: everything, unless it names rules.
fn egress(properties: &Json) -> Result<Vec<IpPermission>, Error> {
    let rules = permissions(properties, "SecurityGroupEgress")?;
    Ok(if rules.is_empty() { vec![to_anywhere()] } else { rules })
}

/// The id of a group by its physical id; none when it is gone. No name begins like an id.
async fn find(cx: &Cx, physical_id: &str) -> Result<Option<String>, Error> {
    if physical_id.starts_with("sg-") {
        return Ok(Some(physical_id.to_owned()));
    }
    let look = DescribeSecurityGroupsRequest { group_names: vec![physical_id.to_owned()], ..Default::default() };
    match cx.call(look).await {
        Ok(found) => Ok(found.security_groups.into_iter().next().and_then(|group| group.group_id)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn there(cx: &Cx, physical_id: &str) -> Result<String, Error> {
    let gone = || Error::sender("InvalidGroup.NotFound", format!("The security group '{physical_id}' does not exist"));
    find(cx, physical_id).await?.ok_or_else(gone)
}

/// Takes away what only `old` has, adds what only `new` has.
async fn change(cx: &Cx, id: &str, outwards: bool, old: &[IpPermission], new: &[IpPermission]) -> Result<(), Error> {
    let (group_id, group) = (id.to_owned(), Some(id.to_owned()));
    for gone in old.iter().filter(|rule| !new.contains(rule)) {
        let ip_permissions = vec![gone.clone()];
        let revoked = if outwards {
            let group_id = group_id.clone();
            let revoke = RevokeSecurityGroupEgressRequest { group_id, ip_permissions, ..Default::default() };
            cx.call(revoke).await.map(drop)
        } else {
            let group_id = group.clone();
            let revoke = RevokeSecurityGroupIngressRequest { group_id, ip_permissions, ..Default::default() };
            cx.call(revoke).await.map(drop)
        };
        gone_is_fine(revoked)?;
    }
    for added in new.iter().filter(|rule| !old.contains(rule)) {
        let ip_permissions = vec![added.clone()];
        let authorized = if outwards {
            let group_id = group_id.clone();
            let authorize = AuthorizeSecurityGroupEgressRequest { group_id, ip_permissions, ..Default::default() };
            cx.call(authorize).await.map(drop)
        } else {
            let group_id = group.clone();
            let authorize = AuthorizeSecurityGroupIngressRequest { group_id, ip_permissions, ..Default::default() };
            cx.call(authorize).await.map(drop)
        };
        there_is_fine(authorized)?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for SecurityGroupType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("GroupName")
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let look = DescribeSecurityGroupsRequest { filters: made_before(request), ..Default::default() };
        let before = cx.call(look).await?.security_groups.into_iter().next();
        let name = request.text("GroupName").unwrap_or_else(|| request.physical_name.clone());
        let id = match before.and_then(|group| group.group_id) {
            Some(id) => id,
            None => {
                let new = CreateSecurityGroupRequest {
                    description: required(request, "GroupDescription")?,
                    group_name: name.clone(),
                    vpc_id: request.text("VpcId"),
                    tag_specifications: tagged(request, &kinds::SECURITY_GROUP),
                    ..Default::default()
                };
                cx.call(new).await?.group_id.ok_or_else(|| lacks("GroupId"))?
            }
        };
        Ok(if request.text("VpcId").is_some() { id } else { name })
    }

    async fn complete(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let id = &there(cx, physical_id).await?;
        change(cx, id, false, &[], &permissions(&request.properties, "SecurityGroupIngress")?).await?;
        change(cx, id, true, &[to_anywhere()], &egress(&request.properties)?).await
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        let id = &there(cx, physical_id).await?;
        let ingress = |properties: &Json| permissions(properties, "SecurityGroupIngress");
        change(cx, id, false, &ingress(&request.previous)?, &ingress(&request.properties)?).await?;
        change(cx, id, true, &egress(&request.previous)?, &egress(&request.properties)?).await?;
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let group_id = find(cx, physical_id).await?;
        if group_id.is_none() {
            return Ok(Stability::Ready);
        }
        deleted(cx.call(DeleteSecurityGroupRequest { group_id, ..Default::default() }).await)
    }

    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        let Some(vpc) = text(properties, "VpcId") else { return Ok(find(cx, name).await?.is_some()) };
        let filters = [filter("group-name", name), filter("vpc-id", &vpc)].concat();
        let found = cx.call(DescribeSecurityGroupsRequest { filters, ..Default::default() }).await?;
        Ok(!found.security_groups.is_empty())
    }

    async fn read(&self, cx: &Cx, physical_id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(id) = find(cx, physical_id).await? else { return Ok(None) };
        let look = DescribeSecurityGroupsRequest { group_ids: vec![id.clone()], ..Default::default() };
        let group = found(cx.call(look).await)?.and_then(|answer| answer.security_groups.into_iter().next());
        let read = |group: SecurityGroup| {
            let inwards = group.ip_permissions.iter().flat_map(|permission| rules(permission, false));
            let outwards = group.ip_permissions_egress.iter().flat_map(|permission| rules(permission, true));
            Properties::default()
                .with("Id", &id)
                .with("GroupId", &id)
                .with("GroupName", group.group_name)
                .with("GroupDescription", group.description)
                .with("VpcId", group.vpc_id)
                .with_list("SecurityGroupIngress", inwards)
                .with_list("SecurityGroupEgress", outwards)
                .with_tags(pairs(group.tags))
        };
        Ok(group.map(read))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        let id = &there(cx, physical_id).await?;
        let look = DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
        let group = cx.call(look).await?.security_groups.into_iter().next().ok_or_else(|| lacks("the group"))?;
        Ok(BTreeMap::from([
            ("GroupId".to_owned(), json!(id)),
            ("GroupName".to_owned(), json!(group.group_name)),
            ("Id".to_owned(), json!(id)),
            ("VpcId".to_owned(), json!(group.vpc_id)),
        ]))
    }
}
