//! `AWS::IAM::InstanceProfile`. Ref: its name; GetAtt: Arn.

use super::{found, gone_is_fine, removed_tags, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct InstanceProfileType;

async fn current_role(cx: &Cx, name: &str) -> Result<Option<String>, Error> {
    let found = cx.call(GetInstanceProfileRequest { instance_profile_name: name.to_owned() }).await?;
    Ok(found.instance_profile.and_then(|p| p.roles.into_iter().next()).and_then(|role| role.role_name))
}

/// Gives the profile the role that is wanted, whichever it has.
async fn set_role(cx: &Cx, name: &str, wanted: Option<&String>) -> Result<(), Error> {
    let has = current_role(cx, name).await?;
    if has.as_ref() == wanted {
        return Ok(());
    }
    if let Some(role_name) = has {
        let instance_profile_name = name.to_owned();
        cx.call(RemoveRoleFromInstanceProfileRequest { instance_profile_name, role_name }).await?;
    }
    if let Some(role_name) = wanted.cloned() {
        let instance_profile_name = name.to_owned();
        cx.call(AddRoleToInstanceProfileRequest { instance_profile_name, role_name }).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for InstanceProfileType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::InstanceProfile"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("InstanceProfileName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let given = request.text("InstanceProfileName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let ours = !generated && super::made_before::<crate::records::InstanceProfile>(cx, request, &name).await?;
        let made = cx
            .call(CreateInstanceProfileRequest {
                instance_profile_name: name.clone(),
                path: request.text("Path"),
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
        set_role(cx, name, request.texts("Roles").first()).await
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_role(cx, name, request.texts("Roles").first()).await?;
        let (instance_profile_name, tag_keys, tags) = (name.to_owned(), removed_tags(request), tags(request));
        if !tag_keys.is_empty() {
            let instance_profile_name = instance_profile_name.clone();
            cx.call(UntagInstanceProfileRequest { instance_profile_name, tag_keys }).await?;
        }
        if !tags.is_empty() {
            cx.call(TagInstanceProfileRequest { instance_profile_name, tags }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        gone_is_fine(set_role(cx, name, None).await)?;
        gone_is_fine(cx.call(DeleteInstanceProfileRequest { instance_profile_name: name.to_owned() }).await)?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = GetInstanceProfileRequest { instance_profile_name: name.to_owned() };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let profile = answer.instance_profile.unwrap_or_default();
        let read = Properties::default()
            .with("InstanceProfileName", profile.instance_profile_name)
            .with("Path", profile.path)
            .with("Arn", profile.arn)
            .with_list("Roles", profile.roles.into_iter().filter_map(|role| role.role_name));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = cx.call(GetInstanceProfileRequest { instance_profile_name: name.to_owned() }).await?;
        let arn = found.instance_profile.and_then(|p| p.arn);
        Ok(BTreeMap::from([("Arn".to_owned(), json!(arn))]))
    }
}
