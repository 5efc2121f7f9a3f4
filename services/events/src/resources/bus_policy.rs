//! `AWS::Events::EventBusPolicy`: one statement of a bus's policy. Ref gives `BUS|STATEMENT`.

use super::parsed;
use crate::names::DEFAULT;
use kiln_events_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct BusPolicyType;

/// How often a statement is written again that another's write took away.
const TRIES: usize = 20;

async fn statements(cx: &Cx, bus: &str) -> Result<Option<Vec<Json>>, Error> {
    let policy = match cx.call(DescribeEventBusRequest { name: Some(bus.to_owned()) }).await {
        Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
        answer => answer?.policy,
    };
    let policy = policy.as_deref().map(parsed).transpose()?.unwrap_or_default();
    Ok(Some(match &policy["Statement"] {
        Json::Array(all) => all.clone(),
        Json::Null => vec![],
        one => vec![one.clone()],
    }))
}

/// The statement that a template writes whole.
fn whole(request: &ResourceRequest, sid: &str) -> Result<Option<Json>, Error> {
    let mut statement = match request.properties.get("Statement") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => parsed(text)?,
        Some(json) => json.clone(),
    };
    if let Some(members) = statement.as_object_mut() {
        members.insert("Sid".to_owned(), sid.into());
    }
    Ok(Some(statement))
}

async fn put(cx: &Cx, request: &ResourceRequest, id: &str) -> Result<(), Error> {
    let (bus, sid) = named(id);
    let Some(statement) = whole(request, sid)? else {
        let put = PutPermissionRequest {
            event_bus_name: Some(bus.to_owned()),
            action: request.text("Action"),
            principal: request.text("Principal"),
            statement_id: Some(sid.to_owned()),
            ..Default::default()
        };
        return cx.call(put).await.map(drop);
    };
    // The call sets a whole policy: where another statement was written meanwhile, it is done again.
    for _ in 0..TRIES {
        let mut all = statements(cx, bus).await?.unwrap_or_default();
        if all.contains(&statement) {
            return Ok(());
        }
        all.retain(|one| one["Sid"] != sid);
        all.push(statement.clone());
        let policy = json!({"Version": "2012-10-17", "Statement": all}).to_string();
        let put =
            PutPermissionRequest { event_bus_name: Some(bus.to_owned()), policy: Some(policy), ..Default::default() };
        cx.call(put).await?;
    }
    Err(Error::internal("the policy of a bus is changed again and again"))
}

/// Bus and statement.
fn named(id: &str) -> (&str, &str) {
    id.split_once('|').unwrap_or((DEFAULT, id))
}

#[async_trait]
impl ResourceType for BusPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::EventBusPolicy"
    }

    fn serves(&self, property: &str) -> bool {
        property != "Condition"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let bus = request.text("EventBusName").unwrap_or_else(|| DEFAULT.to_owned());
        let id = format!("{bus}|{}", request.text("StatementId").unwrap_or_default());
        put(cx, request, &id).await?;
        Ok(id)
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request, id).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let (bus, sid) = named(id);
        let (event_bus_name, statement_id) = (Some(bus.to_owned()), Some(sid.to_owned()));
        match cx.call(RemovePermissionRequest { event_bus_name, statement_id, ..Default::default() }).await {
            Err(error) if !error.is("ResourceNotFoundException") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let (bus, sid) = named(id);
        let all = statements(cx, bus).await?.unwrap_or_default();
        let Some(statement) = all.into_iter().find(|statement| statement["Sid"] == sid) else { return Ok(None) };
        let read = Properties::default().with("EventBusName", bus).with("StatementId", sid);
        // As it was written: whole, or by its parts.
        if known.get("Action").is_some() {
            let who = statement["Principal"]["AWS"].as_str().and_then(|arn| arn.split(':').nth(4)).unwrap_or("*");
            return Ok(Some(read.with("Action", &statement["Action"]).with("Principal", who)));
        }
        Ok(Some(read.with("Statement", statement)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
