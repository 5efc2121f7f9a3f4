//! `AWS::IAM::Role`. Ref: its name; GetAtt: Arn, RoleId.

use super::target::{Target, document, read_document};
use super::{found, gone_is_fine, pairs, removed_tags, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct RoleType;

#[async_trait]
impl ResourceType for RoleType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("RoleName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let given = request.text("RoleName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let ours = !generated && super::made_before::<crate::records::Role>(cx, request, &name).await?;
        let made = cx
            .call(CreateRoleRequest {
                role_name: name.clone(),
                path: request.text("Path"),
                assume_role_policy_document: document(&request.properties["AssumeRolePolicyDocument"]),
                description: request.text("Description"),
                max_session_duration: request.integer("MaxSessionDuration").and_then(|n| i32::try_from(n).ok()),
                permissions_boundary: request.text("PermissionsBoundary"),
                tags: tags(request),
            })
            .await;
        match made {
            // A generated name is this resource's alone: an earlier try made it.
            Err(error) if error.is("EntityAlreadyExists") && (generated || ours) => Ok(name),
            other => other.map(|_| name),
        }
    }

    async fn complete(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        Target::Role.set_policies(cx, name, request).await
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("AssumeRolePolicyDocument") {
            let policy_document = document(&request.properties["AssumeRolePolicyDocument"]);
            cx.call(UpdateAssumeRolePolicyRequest { role_name: name.to_owned(), policy_document }).await?;
        }
        if request.changed("Description") || request.changed("MaxSessionDuration") {
            let max = request.integer("MaxSessionDuration").and_then(|n| i32::try_from(n).ok()).or(Some(3600));
            cx.call(UpdateRoleRequest {
                role_name: name.to_owned(),
                description: request.changed("Description").then(|| request.text("Description").unwrap_or_default()),
                max_session_duration: max,
            })
            .await?;
        }
        if request.changed("PermissionsBoundary") {
            let role_name = name.to_owned();
            match request.text("PermissionsBoundary") {
                Some(permissions_boundary) => {
                    cx.call(PutRolePermissionsBoundaryRequest { role_name, permissions_boundary }).await?;
                }
                None => gone_is_fine(cx.call(DeleteRolePermissionsBoundaryRequest { role_name }).await)?,
            }
        }
        let (role_name, tag_keys, tags) = (name.to_owned(), removed_tags(request), tags(request));
        if !tag_keys.is_empty() {
            cx.call(UntagRoleRequest { role_name: role_name.clone(), tag_keys }).await?;
        }
        if !tags.is_empty() {
            cx.call(TagRoleRequest { role_name, tags }).await?;
        }
        Target::Role.set_policies(cx, name, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        if !Target::Role.clear_policies(cx, name).await? {
            return Ok(Stability::Ready);
        }
        gone_is_fine(cx.call(DeleteRoleRequest { role_name: name.to_owned() }).await)?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(answer) = found(cx.call(GetRoleRequest { role_name: name.to_owned() }).await)? else {
            return Ok(None);
        };
        let role = answer.role.unwrap_or_default();
        let trust = role.assume_role_policy_document.as_deref().map(read_document).transpose()?;
        let read = Properties::default()
            .with("RoleName", role.role_name)
            .with("Path", role.path)
            .with("Description", role.description.filter(|text| !text.is_empty()))
            .with("AssumeRolePolicyDocument", trust)
            .with("MaxSessionDuration", role.max_session_duration)
            .with("PermissionsBoundary", role.permissions_boundary.and_then(|b| b.permissions_boundary_arn))
            .with("Arn", role.arn)
            .with("RoleId", role.role_id)
            .with_tags(pairs(role.tags));
        Target::Role.read_policies(cx, name, read).await.map(Some)
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let role = cx.call(GetRoleRequest { role_name: name.to_owned() }).await?.role.unwrap_or_default();
        Ok(BTreeMap::from([("Arn".to_owned(), json!(role.arn)), ("RoleId".to_owned(), json!(role.role_id))]))
    }
}
