//! `AWS::Events::Rule`, with its targets. Ref gives the name, of a rule on another bus than the default one `BUS|NAME`.

use super::{document, parsed, tags, update_tags, with_tags};
use crate::names::{BusName, DEFAULT, rule_arn};
use crate::records::Rule;
use kiln_events_shapes::*;
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct RuleType;

/// Bus and rule.
fn named(id: &str) -> (&str, &str) {
    id.split_once('|').unwrap_or((DEFAULT, id))
}

/// A bus as a template names it, which may be by its ARN.
fn bus(request: &ResourceRequest) -> String {
    let given = request.text("EventBusName").unwrap_or_else(|| DEFAULT.to_owned());
    given.rsplit_once("event-bus/").map_or(given.clone(), |(_, name)| name.to_owned())
}

fn targets(properties: &Json) -> Result<Vec<Target>, Error> {
    let all = properties.get("Targets").and_then(Json::as_array).into_iter().flatten();
    all.map(|target| stored::from_json(target.clone())).collect()
}

fn put(request: &ResourceRequest, bus: &str, name: &str) -> PutRuleRequest {
    PutRuleRequest {
        name: name.to_owned(),
        event_bus_name: Some(bus.to_owned()),
        description: request.text("Description"),
        event_pattern: document(request.properties.get("EventPattern")),
        schedule_expression: request.text("ScheduleExpression"),
        state: request.text("State"),
        role_arn: request.text("RoleArn"),
        tags: tags(request),
    }
}

/// Puts the targets that a template says, and takes away those that it says no more.
async fn put_targets(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let (bus, rule) = named(id);
    let wanted = targets(&request.properties)?;
    let before = targets(&request.previous)?.into_iter().map(|target| target.id);
    let gone: Vec<String> = before.filter(|id| !wanted.iter().any(|target| target.id == *id)).collect();
    let event_bus_name = Some(bus.to_owned());
    if !gone.is_empty() {
        let (event_bus_name, rule) = (event_bus_name.clone(), rule.to_owned());
        cx.call(RemoveTargetsRequest { rule, event_bus_name, ids: gone, force: None }).await?;
    }
    if !wanted.is_empty() {
        cx.call(PutTargetsRequest { rule: rule.to_owned(), event_bus_name, targets: wanted }).await?;
    }
    Ok(())
}

fn arn(cx: &Cx, id: &str) -> String {
    let (bus, rule) = named(id);
    rule_arn(cx.partition(), cx.scope(), bus, rule)
}

async fn listed(cx: &Cx, id: &str) -> Result<Vec<Target>, Error> {
    let (bus, rule) = named(id);
    let asked =
        ListTargetsByRuleRequest { rule: rule.to_owned(), event_bus_name: Some(bus.to_owned()), ..Default::default() };
    Ok(cx.call(asked).await?.targets)
}

#[async_trait]
impl ResourceType for RuleType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::Rule"
    }

    fn serves(&self, property: &str) -> bool {
        property != "RoleArn"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        let bus = properties.get("EventBusName").and_then(Json::as_str).unwrap_or(DEFAULT);
        let bus = bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name);
        let id = if bus == DEFAULT { name.to_owned() } else { format!("{bus}|{name}") };
        Ok(self.read(cx, &id, properties).await?.is_some())
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let (bus, name) = (bus(request), request.text("Name").unwrap_or_else(|| request.physical_name.clone()));
        let id = BusName::own(cx, &bus).rule_id(&name);
        let mut there = false;
        let ours = request
            .made_before(cx, |tx| {
                there = tx.get::<Rule>(cx.scope(), &id)?.is_some();
                Ok(there)
            })
            .await?;
        if there && !ours {
            return Err(Error::sender("AlreadyExists", format!("{name} already exists on event bus {bus}")));
        }
        cx.call(put(request, &bus, &name)).await?;
        Ok(if bus == DEFAULT { name } else { format!("{bus}|{name}") })
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        put_targets(cx, id, request).await
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let (bus, name) = named(id);
        cx.call(PutRuleRequest { tags: vec![], ..put(request, bus, name) }).await?;
        put_targets(cx, id, request).await?;
        update_tags(cx, &arn(cx, id), request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let (bus, name) = named(id);
        let event_bus_name = Some(bus.to_owned());
        let ids: Vec<String> = match listed(cx, id).await {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(Stability::Ready),
            answer => answer?.into_iter().map(|target| target.id).collect(),
        };
        if !ids.is_empty() {
            let (event_bus_name, rule) = (event_bus_name.clone(), name.to_owned());
            cx.call(RemoveTargetsRequest { rule, event_bus_name, ids, force: None }).await?;
        }
        cx.call(DeleteRuleRequest { name: name.to_owned(), event_bus_name, force: None }).await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let (bus, name) = named(id);
        let asked = DescribeRuleRequest { name: name.to_owned(), event_bus_name: Some(bus.to_owned()) };
        let found = match cx.call(asked).await {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
            answer => answer?,
        };
        let read = Properties::default()
            .with("Arn", found.arn)
            .with("Name", name)
            .with("EventBusName", bus)
            .with("Description", found.description)
            .with("EventPattern", found.event_pattern.as_deref().map(parsed).transpose()?)
            .with("ScheduleExpression", found.schedule_expression)
            .with("State", found.state)
            .with_shape("Targets", &listed(cx, id).await?);
        Ok(Some(with_tags(cx, &arn(cx, id), read).await?))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok([("Arn".to_owned(), arn(cx, id).into())].into())
    }
}
