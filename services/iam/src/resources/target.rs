//! What the types of users, groups, roles and policies share: whom policies are put on, by that
//! kind's own public operations.

use super::{found, gone_is_fine, listed};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Whom a policy is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    User,
    Group,
    Role,
}

/// All of them, with the property that lists them.
pub const TARGETS: [(Target, &str); 3] = [(Target::User, "Users"), (Target::Group, "Groups"), (Target::Role, "Roles")];

/// A policy document given as an object or as text.
pub fn document(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A policy document as iam answers it, which is URL-encoded.
pub fn read_document(text: &str) -> Result<Json, Error> {
    let wrong = |error: String| Error::internal(format!("iam answered a policy that cannot be read: {error}"));
    let text = percent_decode_str(text).decode_utf8().map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// The texts of a list property.
pub fn texts(properties: &Json, name: &str) -> BTreeSet<String> {
    let list = properties.get(name).and_then(Json::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn inline(properties: &Json) -> BTreeMap<String, String> {
    let policies = properties.get("Policies").and_then(Json::as_array).into_iter().flatten();
    policies
        .filter_map(|p| Some((p.get("PolicyName")?.as_str()?.to_owned(), document(p.get("PolicyDocument")?))))
        .collect()
}

impl Target {
    pub async fn put_inline(self, cx: &Cx, name: &str, policy: &str, document: &str) -> Result<(), Error> {
        let (name, policy_name, policy_document) = (name.to_owned(), policy.to_owned(), document.to_owned());
        match self {
            Self::User => {
                cx.call(PutUserPolicyRequest { user_name: name, policy_name, policy_document }).await?;
            }
            Self::Group => {
                cx.call(PutGroupPolicyRequest { group_name: name, policy_name, policy_document }).await?;
            }
            Self::Role => {
                cx.call(PutRolePolicyRequest { role_name: name, policy_name, policy_document }).await?;
            }
        }
        Ok(())
    }

    pub async fn delete_inline(self, cx: &Cx, name: &str, policy: &str) -> Result<(), Error> {
        let (name, policy_name) = (name.to_owned(), policy.to_owned());
        match self {
            Self::User => gone_is_fine(cx.call(DeleteUserPolicyRequest { user_name: name, policy_name }).await),
            Self::Group => gone_is_fine(cx.call(DeleteGroupPolicyRequest { group_name: name, policy_name }).await),
            Self::Role => gone_is_fine(cx.call(DeleteRolePolicyRequest { role_name: name, policy_name }).await),
        }
    }

    pub async fn attach(self, cx: &Cx, name: &str, arn: &str) -> Result<(), Error> {
        let (name, policy_arn) = (name.to_owned(), arn.to_owned());
        match self {
            Self::User => {
                cx.call(AttachUserPolicyRequest { user_name: name, policy_arn }).await?;
            }
            Self::Group => {
                cx.call(AttachGroupPolicyRequest { group_name: name, policy_arn }).await?;
            }
            Self::Role => {
                cx.call(AttachRolePolicyRequest { role_name: name, policy_arn }).await?;
            }
        }
        Ok(())
    }

    pub async fn detach(self, cx: &Cx, name: &str, arn: &str) -> Result<(), Error> {
        let (name, policy_arn) = (name.to_owned(), arn.to_owned());
        match self {
            Self::User => gone_is_fine(cx.call(DetachUserPolicyRequest { user_name: name, policy_arn }).await),
            Self::Group => gone_is_fine(cx.call(DetachGroupPolicyRequest { group_name: name, policy_arn }).await),
            Self::Role => gone_is_fine(cx.call(DetachRolePolicyRequest { role_name: name, policy_arn }).await),
        }
    }

    /// Names of the inline policies; `NoSuchEntity` when the holder is gone.
    async fn inline_names(self, cx: &Cx, name: &str) -> Result<Vec<String>, Error> {
        let name = name.to_owned();
        Ok(match self {
            Self::User => {
                listed!(cx, ListUserPoliciesRequest { user_name: name, ..Default::default() }, policy_names)
            }
            Self::Group => {
                listed!(cx, ListGroupPoliciesRequest { group_name: name, ..Default::default() }, policy_names)
            }
            Self::Role => {
                listed!(cx, ListRolePoliciesRequest { role_name: name, ..Default::default() }, policy_names)
            }
        })
    }

    /// ARNs of the attached policies.
    async fn attached(self, cx: &Cx, name: &str) -> Result<Vec<String>, Error> {
        let name = name.to_owned();
        let found = match self {
            Self::User => {
                listed!(
                    cx,
                    ListAttachedUserPoliciesRequest { user_name: name, ..Default::default() },
                    attached_policies
                )
            }
            Self::Group => {
                listed!(
                    cx,
                    ListAttachedGroupPoliciesRequest { group_name: name, ..Default::default() },
                    attached_policies
                )
            }
            Self::Role => {
                listed!(
                    cx,
                    ListAttachedRolePoliciesRequest { role_name: name, ..Default::default() },
                    attached_policies
                )
            }
        };
        Ok(found.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    /// The document of an inline policy; none when there is none.
    pub async fn inline(self, cx: &Cx, name: &str, policy: &str) -> Result<Option<Json>, Error> {
        let (name, policy_name) = (name.to_owned(), policy.to_owned());
        let text = match self {
            Self::User => found(cx.call(GetUserPolicyRequest { user_name: name, policy_name }).await)?
                .and_then(|answer| answer.policy_document),
            Self::Group => found(cx.call(GetGroupPolicyRequest { group_name: name, policy_name }).await)?
                .and_then(|answer| answer.policy_document),
            Self::Role => found(cx.call(GetRolePolicyRequest { role_name: name, policy_name }).await)?
                .and_then(|answer| answer.policy_document),
        };
        text.map(|text| read_document(&text)).transpose()
    }

    /// `Policies` and `ManagedPolicyArns` as they are.
    pub async fn read_policies(self, cx: &Cx, name: &str, read: Properties) -> Result<Properties, Error> {
        let mut policies = vec![];
        for policy in self.inline_names(cx, name).await? {
            if let Some(document) = self.inline(cx, name, &policy).await? {
                policies.push(json!({"PolicyName": policy, "PolicyDocument": document}));
            }
        }
        let read = read.with_list("Policies", policies);
        Ok(read.with_list("ManagedPolicyArns", self.attached(cx, name).await?))
    }

    /// Brings `Policies` and `ManagedPolicyArns` to what the template says; removes only what an
    /// earlier template had put there.
    pub async fn set_policies(self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        let wanted = inline(&request.properties);
        for policy in inline(&request.previous).keys().filter(|policy| !wanted.contains_key(*policy)) {
            self.delete_inline(cx, name, policy).await?;
        }
        for (policy, document) in &wanted {
            self.put_inline(cx, name, policy, document).await?;
        }
        let wanted = texts(&request.properties, "ManagedPolicyArns");
        for arn in texts(&request.previous, "ManagedPolicyArns").difference(&wanted) {
            self.detach(cx, name, arn).await?;
        }
        for arn in &wanted {
            self.attach(cx, name, arn).await?;
        }
        Ok(())
    }

    /// Takes every policy off, so that the holder can be deleted. Says whether it was there.
    pub async fn clear_policies(self, cx: &Cx, name: &str) -> Result<bool, Error> {
        let policies = match self.inline_names(cx, name).await {
            Err(error) if error.is("NoSuchEntity") => return Ok(false),
            other => other?,
        };
        for policy in policies {
            self.delete_inline(cx, name, &policy).await?;
        }
        for arn in self.attached(cx, name).await? {
            self.detach(cx, name, &arn).await?;
        }
        Ok(true)
    }
}
