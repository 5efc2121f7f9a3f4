//! `AWS::IAM::Policy`: one inline policy put on several users, groups and roles. Ref: a generated id.

use super::target::{TARGETS, document, texts};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct PolicyType;

/// Puts the policy on everybody named, and takes it off those that an earlier template named.
async fn put(cx: &Cx, request: &ResourceRequest) -> Result<(), Error> {
    let name = request.text("PolicyName").unwrap_or_else(|| request.physical_name.clone());
    let text = document(&request.properties["PolicyDocument"]);
    let earlier_name = request.previous.get("PolicyName").and_then(Json::as_str).unwrap_or(&name);
    for (target, property) in TARGETS {
        let wanted = texts(&request.properties, property);
        for holder in &wanted {
            target.put_inline(cx, holder, &name, &text).await?;
        }
        for holder in texts(&request.previous, property) {
            if earlier_name != name || !wanted.contains(&holder) {
                target.delete_inline(cx, &holder, earlier_name).await?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl ResourceType for PolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Policy"
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        if TARGETS.iter().all(|(_, property)| texts(&request.properties, property).is_empty()) {
            let text = "At least one of [Groups,Roles,Users] must be non-empty.";
            return Err(Error::sender("ValidationError", text));
        }
        Ok(request.physical_name.clone())
    }

    async fn complete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request).await
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request).await
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let name = request.text("PolicyName").unwrap_or_else(|| request.physical_name.clone());
        for (target, property) in TARGETS {
            for holder in texts(&request.properties, property) {
                target.delete_inline(cx, &holder, &name).await?;
            }
        }
        Ok(Stability::Ready)
    }

    /// It stands on its holders alone: those that are known and have it still.
    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let Some(name) = known.get("PolicyName").and_then(Json::as_str) else { return Ok(None) };
        let (mut read, mut document) = (Properties::default().with("Id", id).with("PolicyName", name), None);
        for (target, property) in TARGETS {
            let mut holders = vec![];
            for holder in texts(known, property) {
                let Some(found) = target.inline(cx, &holder, name).await? else { continue };
                // Who has another document under that name has not this policy.
                if *document.get_or_insert_with(|| found.clone()) == found {
                    holders.push(holder);
                }
            }
            read = read.with_list(property, holders);
        }
        Ok(document.map(|document| read.with("PolicyDocument", document)))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
