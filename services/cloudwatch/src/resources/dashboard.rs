//! `AWS::CloudWatch::Dashboard`. Ref gives the name.

use super::{deleted, free_name};
use crate::records::Dashboard;
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct DashboardType;

fn put(request: &ResourceRequest, name: &str) -> PutDashboardRequest {
    // The type has no tags.
    let dashboard_body = request.text("DashboardBody").unwrap_or_default();
    PutDashboardRequest { dashboard_name: name.to_owned(), dashboard_body, ..Default::default() }
}

#[async_trait]
impl ResourceType for DashboardType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::Dashboard"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("DashboardName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let scope = cx.global_scope();
        let there = |tx: &kiln_service_kit::Tx<'_>, name: &str| Ok(tx.get::<Dashboard>(&scope, name)?.is_some());
        let name = free_name(cx, request, "DashboardName", there).await?;
        cx.call(put(request, &name)).await?;
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        cx.call(put(request, name)).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let answer = cx.call(DeleteDashboardsRequest { dashboard_names: vec![name.to_owned()] }).await;
        deleted(answer, "DashboardNotFoundError")
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        match cx.call(GetDashboardRequest { dashboard_name: name.to_owned() }).await {
            Err(error) if error.is("DashboardNotFoundError") => Ok(None),
            Err(error) => Err(error),
            Ok(found) => {
                let read =
                    Properties::default().with("DashboardName", name).with("DashboardBody", found.dashboard_body);
                Ok(Some(read))
            }
        }
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
