//! `AWS::ElasticLoadBalancingV2::ListenerRule`. Ref gives the ARN.

use super::{as_request, found, is_ours, own_tags};
use async_trait::async_trait;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct ListenerRule;

#[async_trait]
impl ResourceType for ListenerRule {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::ListenerRule"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let create = CreateRuleRequest { tags: own_tags(request), ..as_request(request, None)? };
        let (listener, priority) = (create.listener_arn.clone(), create.priority.to_string());
        match cx.call(create).await {
            Ok(made) => {
                let arn = made.rules.into_iter().find_map(|rule| rule.rule_arn);
                arn.ok_or_else(crate::errors::no_rule)
            }
            Err(error) if error.is("PriorityInUse") => {
                let of = DescribeRulesRequest { listener_arn: Some(listener), ..Default::default() };
                let there = cx.call(of).await?.rules.into_iter().find(|r| r.priority.as_ref() == Some(&priority));
                match there.and_then(|rule| rule.rule_arn) {
                    Some(arn) if is_ours(cx, &arn, request).await? => Ok(arn),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let wanted: CreateRuleRequest = as_request(request, None)?;
        cx.call(ModifyRuleRequest {
            rule_arn: physical_id.to_owned(),
            conditions: wanted.conditions,
            actions: wanted.actions,
            transforms: wanted.transforms,
            reset_transforms: None,
        })
        .await?;
        if request.changed("Priority") {
            let pair = RulePriorityPair { rule_arn: Some(physical_id.to_owned()), priority: Some(wanted.priority) };
            cx.call(SetRulePrioritiesRequest { rule_priorities: vec![pair] }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteRuleRequest { rule_arn: physical_id.to_owned() }).await {
            Err(error) if !error.is("RuleNotFound") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeRulesRequest { rule_arns: vec![arn.to_owned()], ..Default::default() };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let Some(rule) = answer.rules.into_iter().next() else { return Ok(None) };
        let read = Properties::default()
            .with("RuleArn", arn)
            .with("IsDefault", rule.is_default)
            .with("Priority", rule.priority)
            .with_shape("Conditions", &rule.conditions)
            .with_shape("Actions", &rule.actions)
            .with_shape("Transforms", &rule.transforms);
        Ok(Some(read))
    }

    async fn attributes(
        &self,
        _: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("IsDefault".to_owned(), json!(false)), ("RuleArn".to_owned(), json!(physical_id))]))
    }
}
