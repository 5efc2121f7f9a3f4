//! `AWS::EC2::SecurityGroupIngress` and `AWS::EC2::SecurityGroupEgress`. Ref: the rule's id.

use crate::firewall::resources::security_group::permission;
use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// One type for both directions.
pub struct GroupRuleType {
    pub egress: bool,
}

const INGRESS: &[&str] = &[
    "CidrIp",
    "CidrIpv6",
    "Description",
    "FromPort",
    "GroupId",
    "GroupName",
    "IpProtocol",
    "SourcePrefixListId",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "SourceSecurityGroupOwnerId",
    "ToPort",
];
const EGRESS: &[&str] = &[
    "CidrIp",
    "CidrIpv6",
    "Description",
    "DestinationPrefixListId",
    "DestinationSecurityGroupId",
    "FromPort",
    "GroupId",
    "IpProtocol",
    "ToPort",
];

impl GroupRuleType {
    async fn authorize(&self, cx: &Cx, request: &ResourceRequest) -> Result<Vec<SecurityGroupRule>, Error> {
        let ip_permissions = vec![permission(&request.properties)?];
        let tag_specifications = marked(request, &kinds::SECURITY_GROUP_RULE);
        Ok(match self.egress {
            true => {
                let group_id = required(request, "GroupId")?;
                let new = AuthorizeSecurityGroupEgressRequest {
                    group_id,
                    ip_permissions,
                    tag_specifications,
                    ..Default::default()
                };
                cx.call(new).await?.security_group_rules
            }
            false => {
                let (group_id, group_name) = (request.text("GroupId"), request.text("GroupName"));
                let new = AuthorizeSecurityGroupIngressRequest {
                    group_id,
                    group_name,
                    ip_permissions,
                    tag_specifications,
                    ..Default::default()
                };
                cx.call(new).await?.security_group_rules
            }
        })
    }

    /// The rule that an earlier try made; one that allows the same and is somebody else's is not ours.
    async fn made_before(&self, cx: &Cx, request: &ResourceRequest) -> Result<Option<String>, Error> {
        let look = DescribeSecurityGroupRulesRequest { filters: made_before(request), ..Default::default() };
        let rules = cx.call(look).await?.security_group_rules;
        Ok(rules.into_iter().next().and_then(|rule| rule.security_group_rule_id))
    }

    /// The group that has the rule now; none when the rule is gone.
    async fn holder(&self, cx: &Cx, id: &str) -> Result<Option<String>, Error> {
        let security_group_rule_ids = vec![id.to_owned()];
        let look = DescribeSecurityGroupRulesRequest { security_group_rule_ids, ..Default::default() };
        match cx.call(look).await {
            Ok(found) => Ok(found.security_group_rules.into_iter().next().and_then(|rule| rule.group_id)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl ResourceType for GroupRuleType {
    fn type_name(&self) -> &'static str {
        if self.egress { "AWS::EC2::SecurityGroupEgress" } else { "AWS::EC2::SecurityGroupIngress" }
    }

    fn serves(&self, property: &str) -> bool {
        if self.egress { EGRESS } else { INGRESS }.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, if self.egress { EGRESS } else { INGRESS })?;
        let made = match self.made_before(cx, request).await? {
            Some(id) => Some(id),
            None => {
                let rules = self.authorize(cx, request).await?;
                rules.into_iter().next().and_then(|rule| rule.security_group_rule_id)
            }
        };
        made.ok_or_else(|| lacks("SecurityGroupRuleId"))
    }

    /// Only the description can change in place.
    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let Some(group_id) = self.holder(cx, id).await? else {
            return Err(Error::sender("NotFound", format!("The security group rule {id} is gone.")));
        };
        let security_group_rule_descriptions = vec![SecurityGroupRuleDescription {
            security_group_rule_id: Some(id.to_owned()),
            description: Some(request.text("Description").unwrap_or_else(String::new)),
        }];
        let group_id = Some(group_id);
        if self.egress {
            let change = UpdateSecurityGroupRuleDescriptionsEgressRequest {
                group_id,
                security_group_rule_descriptions,
                ..Default::default()
            };
            cx.call(change).await.map(drop)
        } else {
            let change = UpdateSecurityGroupRuleDescriptionsIngressRequest {
                group_id,
                security_group_rule_descriptions,
                ..Default::default()
            };
            cx.call(change).await.map(drop)
        }
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let Some(group_id) = self.holder(cx, id).await? else { return Ok(Stability::Ready) };
        let security_group_rule_ids = vec![id.to_owned()];
        if self.egress {
            let revoke = RevokeSecurityGroupEgressRequest { group_id, security_group_rule_ids, ..Default::default() };
            deleted(cx.call(revoke).await)
        } else {
            let group_id = Some(group_id);
            let revoke = RevokeSecurityGroupIngressRequest { group_id, security_group_rule_ids, ..Default::default() };
            deleted(cx.call(revoke).await)
        }
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let look =
            DescribeSecurityGroupRulesRequest { security_group_rule_ids: vec![id.to_owned()], ..Default::default() };
        let found = found(cx.call(look).await)?.and_then(|answer| answer.security_group_rules.into_iter().next());
        let Some(rule) = found.filter(|rule| rule.is_egress == Some(self.egress)) else { return Ok(None) };
        let (whose, list) = match self.egress {
            true => ("DestinationSecurityGroupId", "DestinationPrefixListId"),
            false => ("SourceSecurityGroupId", "SourcePrefixListId"),
        };
        let other = rule.referenced_group_info.unwrap_or_default();
        // Of ICMP -1 is all types or codes; of what has no ports it stands for none.
        let icmp = rule.ip_protocol.as_deref().is_some_and(|protocol| protocol.starts_with("icmp"));
        let mut read = Properties::default()
            .with("Id", id)
            .with("GroupId", &rule.group_id)
            .with("IpProtocol", rule.ip_protocol)
            .with("FromPort", rule.from_port.filter(|port| icmp || *port >= 0))
            .with("ToPort", rule.to_port.filter(|port| icmp || *port >= 0))
            .with("CidrIp", rule.cidr_ipv4)
            .with("CidrIpv6", rule.cidr_ipv6)
            .with("Description", rule.description.filter(|text| !text.is_empty()))
            .with(list, rule.prefix_list_id)
            .with(whose, &other.group_id);
        if !self.egress {
            read = read.with("SourceSecurityGroupOwnerId", other.user_id);
            // A template may say it by names.
            for (property, id) in [("GroupName", rule.group_id), ("SourceSecurityGroupName", other.group_id)] {
                if let (Some(_), Some(id)) = (known.get(property), id) {
                    let look = DescribeSecurityGroupsRequest { group_ids: vec![id], ..Default::default() };
                    let group = cx.call(look).await?.security_groups.into_iter().next();
                    read = read.with(property, group.and_then(|group| group.group_name));
                }
            }
        }
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
