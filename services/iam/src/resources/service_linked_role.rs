//! `AWS::IAM::ServiceLinkedRole`. Ref: its name; GetAtt: RoleName.
//!
//! The service gives the role its name, and CreateServiceLinkedRole takes no client token. So that a second try
//! finds what the first one made, and not what somebody else did, whether the role was there before is noted first.

use super::gone_is_fine;
use crate::operations::service_linked_roles::role_name;
use crate::records::{Role, key};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Remembered, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct ServiceLinkedRoleType;

const NOTE: &str = "AWS::IAM::ServiceLinkedRole";

/// What the note says where the role was not there before.
const ABSENT: &str = "absent";

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
        let (before, is_there) = cx
            .store()
            .write(|tx| {
                let is_there = tx.get::<Role>(&cx.global_scope(), &key(&name))?.is_some();
                if let Some(before) = Remembered::find(tx, cx, NOTE, &request.token, "")? {
                    return Ok((before, is_there));
                }
                let before = if is_there { "there" } else { ABSENT }.to_owned();
                Remembered::keep(tx, cx, NOTE, &request.token, "", &before)?;
                Ok::<_, Error>((before, is_there))
            })
            .await?;
        if !(is_there && before == ABSENT) {
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

    async fn attributes(&self, _: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("RoleName".to_owned(), json!(name))]))
    }
}
