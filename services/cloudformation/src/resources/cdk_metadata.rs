//! `AWS::CDK::Metadata`: which constructs a template was made of. The AWS CDK adds it to every stack, for AWS to
//! count; it stands for nothing, here as there, and what it tells is kept with the template alone.

use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct CdkMetadataType;

#[async_trait]
impl ResourceType for CdkMetadataType {
    fn type_name(&self) -> &'static str {
        "AWS::CDK::Metadata"
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        Ok(request.token.clone())
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        Ok(Stability::Ready)
    }

    /// There is nothing to read: it is what the template says.
    async fn read(&self, _: &Cx, _: &str, known: &Json) -> Result<Option<Properties>, Error> {
        Ok(Some(Properties::default().with("Analytics", known.get("Analytics"))))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
