//! `AWS::EC2::SecurityGroupIngress` and `AWS::EC2::SecurityGroupEgress`. Ref: the rule's id.

use super::properties::*;
use super::security_group::permission;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType, Stability, async_trait};
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
        Ok(match self.egress {
            true => {
                let group_id = required(request, "GroupId")?;
                let new = AuthorizeSecurityGroupEgressRequest { group_id, ip_permissions, ..Default::default() };
                cx.call(new).await?.security_group_rules
            }
            false => {
                let (group_id, group_name) = (request.text("GroupId"), request.text("GroupName"));
                let new =
                    AuthorizeSecurityGroupIngressRequest { group_id, group_name, ip_permissions, ..Default::default() };
                cx.call(new).await?.security_group_rules
            }
        })
    }

    /// The rule that allows what the template asks for: an earlier try made it.
    async fn existing(&self, cx: &Cx, request: &ResourceRequest) -> Result<Option<String>, Error> {
        let group = match request.text("GroupId") {
            Some(id) => id,
            None => {
                let group_names = vec![required(request, "GroupName")?];
                let found = cx.call(DescribeSecurityGroupsRequest { group_names, ..Default::default() }).await?;
                found.security_groups.into_iter().next().and_then(|g| g.group_id).ok_or_else(|| lacks("the group"))?
            }
        };
        let wanted = permission(&request.properties)?;
        let traffic = crate::rules::traffic(wanted.ip_protocol.as_deref(), wanted.from_port, wanted.to_port)?;
        let look = DescribeSecurityGroupRulesRequest { filters: filter("group-id", &group), ..Default::default() };
        let rules = cx.call(look).await?.security_group_rules;
        let cidr = wanted.ip_ranges.first().and_then(|r| r.cidr_ip.as_deref()).map(crate::rules::cidr).transpose()?;
        let cidr_v6 =
            wanted.ipv6_ranges.first().and_then(|r| r.cidr_ipv6.as_deref()).map(crate::rules::cidr_v6).transpose()?;
        let peer = wanted.user_id_group_pairs.first().and_then(|pair| pair.group_id.clone());
        let same = |rule: &&SecurityGroupRule| {
            rule.is_egress == Some(self.egress)
                && rule.ip_protocol.as_deref() == Some(traffic.protocol.as_str())
                && rule.from_port == Some(traffic.from_port.unwrap_or(-1))
                && rule.to_port == Some(traffic.to_port.unwrap_or(-1))
                && rule.cidr_ipv4 == cidr.map(|c| c.to_string())
                && rule.cidr_ipv6 == cidr_v6
                && rule.referenced_group_info.as_ref().and_then(|info| info.group_id.clone()) == peer
        };
        Ok(rules.iter().find(same).and_then(|rule| rule.security_group_rule_id.clone()))
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

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, if self.egress { EGRESS } else { INGRESS })?;
        let made = match self.authorize(cx, request).await {
            Ok(rules) => rules.into_iter().next().and_then(|rule| rule.security_group_rule_id),
            Err(error) if error.is("InvalidPermission.Duplicate") => self.existing(cx, request).await?,
            Err(error) => return Err(error),
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

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
