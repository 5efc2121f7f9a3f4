//! `AWS::IAM::RolePolicy`, `AWS::IAM::UserPolicy` and `AWS::IAM::GroupPolicy`: one inline policy on
//! one holder. Ref: policy and holder, with a bar between.

use super::target::{Target, document};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct InlinePolicyType(pub Target);

impl InlinePolicyType {
    /// The property that names the holder.
    fn holder(&self) -> &'static str {
        match self.0 {
            Target::User => "UserName",
            Target::Group => "GroupName",
            Target::Role => "RoleName",
        }
    }

    /// Policy and holder.
    fn names(&self, request: &ResourceRequest) -> Result<(String, String), Error> {
        let text = |name: &str| {
            let missing = || Error::sender("ValidationError", format!("Property {name} is missing."));
            request.text(name).ok_or_else(missing)
        };
        Ok((text("PolicyName")?, text(self.holder())?))
    }

    async fn put(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let (policy, holder) = self.names(request)?;
        self.0.put_inline(cx, &holder, &policy, &document(&request.properties["PolicyDocument"])).await?;
        Ok(format!("{policy}|{holder}"))
    }
}

#[async_trait]
impl ResourceType for InlinePolicyType {
    fn type_name(&self) -> &'static str {
        match self.0 {
            Target::User => "AWS::IAM::UserPolicy",
            Target::Group => "AWS::IAM::GroupPolicy",
            Target::Role => "AWS::IAM::RolePolicy",
        }
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        self.put(cx, request).await
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        self.put(cx, request).await.map(|_| ())
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let (policy, holder) = self.names(request)?;
        self.0.delete_inline(cx, &holder, &policy).await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some((policy, holder)) = id.split_once('|') else { return Ok(None) };
        let document = self.0.inline(cx, holder, policy).await?;
        let read = Properties::default().with("PolicyName", policy).with(self.holder(), holder);
        Ok(document.map(|document| read.with("PolicyDocument", document)))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
