//! `AWS::CloudFormation::WaitConditionHandle`: a URL to which anybody who has it can send signals.

use crate::records::WaitHandle;
use crate::wait_url::{HandleUrl, find};
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Hex digits of a signature: 256 bits.
const DIGITS: usize = 64;

pub struct WaitConditionHandleType;

#[async_trait]
impl ResourceType for WaitConditionHandleType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::WaitConditionHandle"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let handle = request.token.clone();
        let fresh = WaitHandle { signature: cx.ids().hex(DIGITS), signals: BTreeMap::new() };
        let signature = cx
            .store()
            .write::<_, Error>(|tx| {
                // An earlier try made it: its URL may be known already.
                if let Some(made) = tx.get::<WaitHandle>(cx.scope(), &handle)? {
                    return Ok(made.signature.clone());
                }
                let signature = fresh.signature.clone();
                tx.put(cx.scope(), &handle, fresh)?;
                Ok(signature)
            })
            .await?;
        Ok(HandleUrl { scope: cx.scope().clone(), handle, signature }.text())
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        // It has no property that could change.
        Ok(())
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let url = HandleUrl::read(id)
            .ok_or_else(|| Error::internal(format!("the URL of a wait condition handle cannot be read: {id}")))?;
        cx.store()
            .write::<_, Error>(|tx| {
                tx.delete::<WaitHandle>(&url.scope, &url.handle);
                Ok(())
            })
            .await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(url) = HandleUrl::read(id) else { return Ok(None) };
        Ok(find(cx.platform(), &url)?.map(|_| Properties::default().with("Id", id)))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), Json::String(id.to_owned()))]))
    }
}
