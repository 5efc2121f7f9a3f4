//! `AWS::IAM::ServiceLinkedRole`. Ref: its name; GetAtt: RoleName.
//!
//! The service gives the role its name, and CreateServiceLinkedRole takes no client token. So that a second try
//! finds what the first one made, and not what somebody else did, whether the role was there before is noted first.

use super::{found, gone_is_fine};
use crate::operations::service_linked_roles::role_name;
use crate::records::Role;
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct ServiceLinkedRoleType;

#[async_trait]
impl ResourceType for ServiceLinkedRoleType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ServiceLinkedRole"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let missing = || Error::sender("ValidationError", "Property AWSServiceName is missing.");
        let aws_service_name = request.text("AWSServiceName").ok_or_else(missing)?;
        let custom_suffix = request.text("CustomSuffix");
        let name = role_name(&aws_service_name, custom_suffix.as_deref())?;
        if !super::made_before::<Role>(cx, request, &name).await? {
            let description = request.text("Description");
            cx.call(CreateServiceLinkedRoleRequest { aws_service_name, description, custom_suffix }).await?;
        }
        Ok(name)
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        let description = request.text("Description").unwrap_or_default();
        cx.call(UpdateRoleDescriptionRequest { role_name: name.to_owned(), description }).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        gone_is_fine(cx.call(DeleteServiceLinkedRoleRequest { role_name: name.to_owned() }).await)?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(answer) = found(cx.call(GetRoleRequest { role_name: name.to_owned() }).await)? else {
            return Ok(None);
        };
        let description = answer.role.and_then(|role| role.description).filter(|text| !text.is_empty());
        Ok(Some(Properties::default().with("RoleName", name).with("Description", description)))
    }

    async fn attributes(&self, _: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("RoleName".to_owned(), json!(name))]))
    }
}
