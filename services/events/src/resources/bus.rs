//! `AWS::Events::EventBus`. Ref gives the name.

use super::{document, parsed, tags, update_tags, with_tags};
use crate::names::BusName;
use crate::records::Bus;
use kiln_events_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct BusType;

async fn described(cx: &Cx, name: &str) -> Result<Option<DescribeEventBusResponse>, Error> {
    match cx.call(DescribeEventBusRequest { name: Some(name.to_owned()) }).await {
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        answer => answer.map(Some),
    }
}

/// Puts the policy that a template says on a bus; none where it says none and said one before.
async fn put_policy(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let bus = Some(name.to_owned());
    match document(request.properties.get("Policy")) {
        Some(policy) => {
            let put = PutPermissionRequest { event_bus_name: bus, policy: Some(policy), ..Default::default() };
            cx.call(put).await.map(drop)
        }
        None if request.changed("Policy") && !request.previous.is_null() => {
            let all = Some(true);
            let remove =
                RemovePermissionRequest { event_bus_name: bus, remove_all_permissions: all, ..Default::default() };
            cx.call(remove).await.map(drop)
        }
        None => Ok(()),
    }
}

#[async_trait]
impl ResourceType for BusType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::EventBus"
    }

    fn serves(&self, property: &str) -> bool {
        matches!(property, "Name" | "Description" | "Policy" | "Tags" | "Arn")
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("Name").unwrap_or_else(|| request.physical_name.clone());
        let ours = request.made_before(cx, |tx| Ok(tx.get::<Bus>(cx.scope(), &name)?.is_some())).await?;
        if !ours {
            let description = request.text("Description");
            let make =
                CreateEventBusRequest { name: name.clone(), description, tags: tags(request), ..Default::default() };
            cx.call(make).await?;
        }
        Ok(name)
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        put_policy(cx, name, request).await
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("Description") {
            let description = request.text("Description");
            cx.call(UpdateEventBusRequest { name: Some(name.to_owned()), description, ..Default::default() }).await?;
        }
        put_policy(cx, name, request).await?;
        update_tags(cx, &BusName::own(cx, name).arn, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.call(DeleteEventBusRequest { name: name.to_owned() }).await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(found) = described(cx, name).await? else { return Ok(None) };
        let arn = BusName::own(cx, name).arn;
        let read = Properties::default()
            .with("Name", name)
            .with("Arn", &arn)
            .with("Description", found.description)
            .with("Policy", found.policy.as_deref().map(parsed).transpose()?);
        Ok(Some(with_tags(cx, &arn, read).await?))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let policy = described(cx, name).await?.and_then(|found| found.policy).unwrap_or_default();
        let arn = BusName::own(cx, name).arn;
        Ok([("Arn".to_owned(), arn.into()), ("Name".to_owned(), name.into()), ("Policy".to_owned(), policy.into())]
            .into())
    }
}
