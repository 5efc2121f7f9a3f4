//! `AWS::CloudFormation::WaitCondition` with a creation policy: nothing is made, the engine counts
//! the signals that SignalResource brings. With a Handle it would need a URL that takes signals by
//! HTTP from inside machines; that is not built, and creation says so.

use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct WaitCondition;

#[async_trait]
impl ResourceType for WaitCondition {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::WaitCondition"
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        for name in ["Handle", "Count", "Timeout"] {
            if request.properties.get(name).is_some() {
                return Err(Error::not_built(format!(
                    "AWS::CloudFormation::WaitCondition with {name} (use CreationPolicy and SignalResource)"
                )));
            }
        }
        Ok(format!("{}/{}", request.stack_id, request.physical_name))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::sender(
            "NotUpdatable",
            "Update to resource type AWS::CloudFormation::WaitCondition is not supported.",
        ))
    }

    async fn delete(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        Ok(Stability::Ready)
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([
            ("Data".to_owned(), Json::String("{}".to_owned())),
            ("Id".to_owned(), Json::String(id.to_owned())),
        ]))
    }
}
