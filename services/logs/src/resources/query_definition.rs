//! `AWS::Logs::QueryDefinition`. Ref gives the id.

use super::{gone, known_text};
use async_trait::async_trait;
use kiln_logs_shapes as shapes;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct QueryDefinition;

#[async_trait]
impl ResourceType for QueryDefinition {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::QueryDefinition"
    }

    fn serves(&self, property: &str) -> bool {
        matches!(property, "LogGroupNames" | "Name" | "QueryDefinitionId" | "QueryString")
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("QueryLanguage", "\"CWLI\"")]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        // A token has 36 characters at least.
        let token = format!("{:-<36.128}", request.token);
        let made = cx.call(PutQueryDefinitionRequest { client_token: Some(token), ..put(request)? }).await?;
        made.query_definition_id.ok_or_else(|| Error::internal("PutQueryDefinition answered without an id"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let query_definition_id = Some(id.to_owned());
        cx.call(PutQueryDefinitionRequest { query_definition_id, ..put(request)? }).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteQueryDefinitionRequest { query_definition_id: id.to_owned() }).await {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let found = find(cx, id).await?;
        Ok(found.map(|found| {
            Properties::default()
                .with("QueryDefinitionId", id)
                .with("Name", found.name)
                .with("QueryString", found.query_string)
                .with("QueryLanguage", found.query_language)
                .with_list("LogGroupNames", found.log_group_names)
        }))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("QueryDefinitionId".to_owned(), json!(id))]))
    }
}

fn put(request: &ResourceRequest) -> Result<PutQueryDefinitionRequest, Error> {
    Ok(PutQueryDefinitionRequest {
        name: known_text(&request.properties, "Name")?,
        query_string: known_text(&request.properties, "QueryString")?,
        log_group_names: request.texts("LogGroupNames"),
        ..Default::default()
    })
}

async fn find(cx: &Cx, id: &str) -> Result<Option<shapes::QueryDefinition>, Error> {
    let mut next_token = None;
    loop {
        let page = cx.call(DescribeQueryDefinitionsRequest { next_token, ..Default::default() }).await?;
        let found = page.query_definitions.into_iter().find(|one| one.query_definition_id.as_deref() == Some(id));
        next_token = page.next_token;
        if found.is_some() || next_token.is_none() {
            return Ok(found);
        }
    }
}
