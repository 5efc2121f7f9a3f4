//! `AWS::IAM::AccessKey`. Ref: its id; GetAtt: SecretAccessKey.
//!
//! CreateAccessKey takes no client token and answers the secret once only. So that a second try finds what the
//! first one made, the keys that the user had before are noted first; the secret is read from this service's own
//! record.

use super::{found, gone_is_fine};
use crate::records::{AccessKey, everywhere};
use crate::secrets;
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, Remembered, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct AccessKeyType;

const NOTE: &str = "AWS::IAM::AccessKey";

fn user(request: &ResourceRequest) -> Result<String, Error> {
    request.text("UserName").ok_or_else(|| Error::sender("ValidationError", "Property UserName is missing."))
}

async fn keys(cx: &Cx, user: &str) -> Result<Vec<String>, Error> {
    let request = ListAccessKeysRequest { user_name: Some(user.to_owned()), ..Default::default() };
    let found = cx.call(request).await?.access_key_metadata;
    Ok(found.into_iter().filter_map(|key| key.access_key_id).collect())
}

async fn set_status(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let status = request.text("Status").unwrap_or_else(|| "Active".to_owned());
    let (user_name, access_key_id) = (Some(user(request)?), id.to_owned());
    cx.call(UpdateAccessKeyRequest { user_name, access_key_id, status }).await.map(drop)
}

#[async_trait]
impl ResourceType for AccessKeyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::AccessKey"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let user_name = user(request)?;
        let now = keys(cx, &user_name).await?;
        let noted = cx
            .store()
            .write(|tx| match Remembered::find(tx, cx, NOTE, &request.token, "")? {
                Some(noted) => Ok(noted),
                None => {
                    let noted = now.join(",");
                    Remembered::keep(tx, cx, NOTE, &request.token, "", &noted)?;
                    Ok::<String, Error>(noted)
                }
            })
            .await?;
        match now.into_iter().find(|id| !noted.split(',').any(|before| before == id)) {
            Some(id) => Ok(id),
            None => {
                let made = cx.call(CreateAccessKeyRequest { user_name: Some(user_name) }).await?.access_key;
                let id = made.and_then(|key| key.access_key_id);
                id.ok_or_else(|| Error::internal("iam answered an access key without an id"))
            }
        }
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        match request.text("Status").is_some_and(|status| status != "Active") {
            true => set_status(cx, id, request).await,
            false => Ok(()),
        }
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_status(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let (user_name, access_key_id) = (Some(user(request)?), id.to_owned());
        gone_is_fine(cx.call(DeleteAccessKeyRequest { user_name, access_key_id }).await)?;
        Ok(Stability::Ready)
    }

    /// The secret is told once, when the key is made.
    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let user_name = match known.get("UserName").and_then(Json::as_str) {
            Some(user) => Some(user.to_owned()),
            None => {
                let asked = GetAccessKeyLastUsedRequest { access_key_id: id.to_owned() };
                found(cx.call(asked).await)?.and_then(|answer| answer.user_name)
            }
        };
        if user_name.is_none() {
            return Ok(None);
        }
        let asked = ListAccessKeysRequest { user_name, ..Default::default() };
        let keys = found(cx.call(asked).await)?.map(|answer| answer.access_key_metadata).unwrap_or_default();
        let key = keys.into_iter().find(|key| key.access_key_id.as_deref() == Some(id));
        let read = |key: AccessKeyMetadata| {
            Properties::default().with("Id", id).with("UserName", key.user_name).with("Status", key.status)
        };
        Ok(key.map(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let key = cx.store().get::<AccessKey>(&everywhere(), id)?.filter(|key| key.account == cx.account());
        let key = key.ok_or_else(|| Error::sender("NoSuchEntity", format!("The access key {id} is gone.")))?;
        let secret = secrets::open(&cx.part()?, &key)?;
        Ok(BTreeMap::from([("Id".to_owned(), json!(id)), ("SecretAccessKey".to_owned(), json!(secret))]))
    }
}
