//! `AWS::Scheduler::Schedule`. Ref gives the name.

use crate::targets::{DEFAULT, schedule_arn};
use kiln_protocol::stored;
use kiln_scheduler_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, Timestamp, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct ScheduleType;

fn group(properties: &Json) -> &str {
    properties.get("GroupName").and_then(Json::as_str).unwrap_or(DEFAULT)
}

fn date(request: &ResourceRequest, name: &str) -> Result<Option<Timestamp>, Error> {
    let wrong = |_| crate::errors::validation(format!("{name} is not a date"));
    request.text(name).map(|text| Timestamp::parse(&text).map_err(wrong)).transpose()
}

fn put(request: &ResourceRequest, name: &str) -> Result<CreateScheduleRequest, Error> {
    let member = |name: &str| request.properties.get(name).cloned().unwrap_or_default();
    Ok(CreateScheduleRequest {
        name: name.to_owned(),
        group_name: request.text("GroupName"),
        description: request.text("Description"),
        schedule_expression: request.text("ScheduleExpression").unwrap_or_default(),
        schedule_expression_timezone: request.text("ScheduleExpressionTimezone"),
        start_date: date(request, "StartDate")?,
        end_date: date(request, "EndDate")?,
        state: request.text("State"),
        kms_key_arn: request.text("KmsKeyArn"),
        flexible_time_window: stored::from_json(member("FlexibleTimeWindow"))?,
        target: stored::from_json(member("Target"))?,
        client_token: Some(request.token.clone()),
        action_after_completion: None,
    })
}

#[async_trait]
impl ResourceType for ScheduleType {
    fn type_name(&self) -> &'static str {
        "AWS::Scheduler::Schedule"
    }

    fn serves(&self, property: &str) -> bool {
        property != "KmsKeyArn"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("Name").unwrap_or_else(|| request.physical_name.clone());
        cx.call(put(request, &name)?).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        let new = put(request, name)?;
        cx.call(UpdateScheduleRequest {
            name: new.name,
            group_name: new.group_name,
            description: new.description,
            schedule_expression: new.schedule_expression,
            schedule_expression_timezone: new.schedule_expression_timezone,
            start_date: new.start_date,
            end_date: new.end_date,
            state: new.state,
            kms_key_arn: new.kms_key_arn,
            flexible_time_window: new.flexible_time_window,
            target: new.target,
            client_token: None,
            action_after_completion: None,
        })
        .await
        .map(drop)
    }

    async fn delete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let group_name = Some(group(&request.properties).to_owned());
        match cx.call(DeleteScheduleRequest { name: name.to_owned(), group_name, client_token: None }).await {
            Err(error) if !error.is("ResourceNotFoundException") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let asked = GetScheduleRequest { name: name.to_owned(), group_name: Some(group(known).to_owned()) };
        let found = match cx.call(asked).await {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
            answer => answer?,
        };
        let read = Properties::default()
            .with("Name", name)
            .with("Arn", found.arn)
            .with("GroupName", found.group_name)
            .with("Description", found.description)
            .with("ScheduleExpression", found.schedule_expression)
            .with("ScheduleExpressionTimezone", found.schedule_expression_timezone)
            .with("StartDate", found.start_date.map(|at| at.iso8601()))
            .with("EndDate", found.end_date.map(|at| at.iso8601()))
            .with("State", found.state)
            .with_shape("FlexibleTimeWindow", &found.flexible_time_window)
            .with_shape("Target", &found.target);
        Ok(Some(read))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        name: &str,
        request: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        Ok([("Arn".to_owned(), schedule_arn(cx, group(&request.properties), name).into())].into())
    }
}
