//! `AWS::Logs::LogStream`. Ref gives the name.

use super::{already_there, gone, is_ours, known_text};
use async_trait::async_trait;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct Stream;

const TYPE: &str = "AWS::Logs::LogStream";

#[async_trait]
impl ResourceType for Stream {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LogStreamName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("LogStreamName").unwrap_or_else(|| request.physical_name.clone());
        let group = known_text(&request.properties, "LogGroupName")?;
        let asked = CreateLogStreamRequest { log_group_name: group.clone(), log_stream_name: name.clone() };
        match cx.call(asked).await {
            Err(error) if error.is("ResourceAlreadyExistsException") => {
                let made = find(cx, &group, &name).await?.and_then(|stream| stream.creation_time);
                if is_ours(made, request) { Ok(name) } else { Err(already_there(TYPE, &name)) }
            }
            answer => answer.map(|_| name),
        }
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        // All that it has replaces it.
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let log_group_name = known_text(&request.properties, "LogGroupName")?;
        match cx.call(DeleteLogStreamRequest { log_group_name, log_stream_name: name.to_owned() }).await {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        Ok(find(cx, &known_text(properties, "LogGroupName")?, name).await?.is_some())
    }

    async fn read(&self, cx: &Cx, name: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let group = known_text(known, "LogGroupName")?;
        let found = find(cx, &group, name).await?;
        Ok(found.map(|_| Properties::default().with("LogGroupName", group).with("LogStreamName", name)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}

async fn find(cx: &Cx, group: &str, name: &str) -> Result<Option<LogStream>, Error> {
    let asked = DescribeLogStreamsRequest {
        log_group_name: Some(group.to_owned()),
        log_stream_name_prefix: Some(name.to_owned()),
        // The name itself is the first that begins with it.
        limit: Some(1),
        ..Default::default()
    };
    match cx.call(asked).await {
        Err(error) if gone(&error) => Ok(None),
        answer => Ok(answer?.log_streams.into_iter().find(|stream| stream.log_stream_name.as_deref() == Some(name))),
    }
}
