//! `AWS::IAM::ManagedPolicy`. Ref: its ARN.

use super::target::{TARGETS, document, read_document, texts};
use super::{found, gone_is_fine};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct ManagedPolicyType;

/// Attaches the policy to everybody named, and detaches it from those that an earlier template named.
async fn attach(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    for (target, property) in TARGETS {
        let wanted = texts(&request.properties, property);
        for holder in texts(&request.previous, property).difference(&wanted) {
            target.detach(cx, holder, arn).await?;
        }
        for holder in &wanted {
            target.attach(cx, holder, arn).await?;
        }
    }
    Ok(())
}

/// The versions that are not the default one, newest first.
async fn other_versions(cx: &Cx, arn: &str) -> Result<Vec<String>, Error> {
    let found = cx.call(ListPolicyVersionsRequest { policy_arn: arn.to_owned(), ..Default::default() }).await?;
    let others = found.versions.into_iter().filter(|version| version.is_default_version != Some(true));
    Ok(others.filter_map(|version| version.version_id).collect())
}

async fn delete_version(cx: &Cx, arn: &str, version_id: String) -> Result<(), Error> {
    gone_is_fine(cx.call(DeletePolicyVersionRequest { policy_arn: arn.to_owned(), version_id }).await)
}

/// What is read-only.
fn told(policy: &Policy) -> [(&'static str, Json); 8] {
    let date = |at: Option<kiln_service_kit::Timestamp>| json!(at.map(|at| at.iso8601()));
    [
        ("PolicyArn", json!(policy.arn)),
        ("PolicyId", json!(policy.policy_id)),
        ("AttachmentCount", json!(policy.attachment_count)),
        ("PermissionsBoundaryUsageCount", json!(policy.permissions_boundary_usage_count)),
        ("DefaultVersionId", json!(policy.default_version_id)),
        ("IsAttachable", json!(policy.is_attachable)),
        ("CreateDate", date(policy.create_date)),
        ("UpdateDate", date(policy.update_date)),
    ]
}

#[async_trait]
impl ResourceType for ManagedPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ManagedPolicy"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("ManagedPolicyName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let given = request.text("ManagedPolicyName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let ours = !generated && super::made_before::<crate::records::ManagedPolicy>(cx, request, &name).await?;
        let path = request.text("Path");
        let made = cx
            .call(CreatePolicyRequest {
                policy_name: name.clone(),
                path: path.clone(),
                policy_document: document(&request.properties["PolicyDocument"]),
                description: request.text("Description"),
                tags: vec![],
            })
            .await;
        let arn = match made {
            // A generated name is this resource's alone: an earlier try made it.
            Err(error) if error.is("EntityAlreadyExists") && (generated || ours) => {
                crate::names::arn(cx, "policy", path.as_deref().unwrap_or("/"), &name)
            }
            other => {
                let arn = other?.policy.and_then(|policy| policy.arn);
                arn.ok_or_else(|| Error::internal("iam answered a policy without an ARN"))?
            }
        };
        Ok(arn)
    }

    async fn complete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        attach(cx, arn, request).await
    }

    /// A changed document becomes a new default version; the oldest makes room for it.
    async fn update(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("PolicyDocument") {
            let others = other_versions(cx, arn).await?;
            if others.len() == 4
                && let Some(oldest) = others.last()
            {
                delete_version(cx, arn, oldest.clone()).await?;
            }
            let policy_document = document(&request.properties["PolicyDocument"]);
            let policy_arn = arn.to_owned();
            cx.call(CreatePolicyVersionRequest { policy_arn, policy_document, set_as_default: Some(true) }).await?;
        }
        attach(cx, arn, request).await
    }

    async fn delete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        for (target, property) in TARGETS {
            for holder in texts(&request.properties, property) {
                target.detach(cx, &holder, arn).await?;
            }
        }
        let others = match other_versions(cx, arn).await {
            Err(error) if error.is("NoSuchEntity") => return Ok(Stability::Ready),
            other => other?,
        };
        for version in others {
            delete_version(cx, arn, version).await?;
        }
        gone_is_fine(cx.call(DeletePolicyRequest { policy_arn: arn.to_owned() }).await)?;
        Ok(Stability::Ready)
    }

    async fn exists(&self, cx: &Cx, name: &str, properties: &Json) -> Result<bool, Error> {
        let path = properties.get("Path").and_then(Json::as_str).unwrap_or("/");
        let policy_arn = crate::names::arn(cx, "policy", path, name);
        Ok(found(cx.call(GetPolicyRequest { policy_arn }).await)?.is_some())
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let policy_arn = || arn.to_owned();
        let asked = GetPolicyRequest { policy_arn: policy_arn() };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let policy = answer.policy.unwrap_or_default();
        let version_id = policy.default_version_id.clone().unwrap_or_default();
        let version = cx.call(GetPolicyVersionRequest { policy_arn: policy_arn(), version_id }).await?.policy_version;
        let document = version.and_then(|version| version.document);
        // Users, groups and roles share its pages.
        let mut holders = ListEntitiesForPolicyResponse::default();
        loop {
            let asked = ListEntitiesForPolicyRequest {
                policy_arn: policy_arn(),
                marker: holders.marker.take(),
                ..Default::default()
            };
            let page = cx.call(asked).await?;
            holders.policy_users.extend(page.policy_users);
            holders.policy_groups.extend(page.policy_groups);
            holders.policy_roles.extend(page.policy_roles);
            if page.is_truncated != Some(true) {
                break;
            }
            holders.marker = page.marker;
        }
        let read = told(&policy).into_iter().fold(Properties::default(), |read, (name, value)| read.with(name, value));
        let read = read
            .with("ManagedPolicyName", policy.policy_name)
            .with("Path", policy.path)
            .with("Description", policy.description.filter(|text| !text.is_empty()))
            .with("PolicyDocument", document.as_deref().map(read_document).transpose()?)
            .with_list("Users", holders.policy_users.into_iter().filter_map(|user| user.user_name))
            .with_list("Groups", holders.policy_groups.into_iter().filter_map(|group| group.group_name))
            .with_list("Roles", holders.policy_roles.into_iter().filter_map(|role| role.role_name));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, arn: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let policy = cx.call(GetPolicyRequest { policy_arn: arn.to_owned() }).await?.policy.unwrap_or_default();
        Ok(told(&policy).map(|(name, value)| (name.to_owned(), value)).into())
    }
}
