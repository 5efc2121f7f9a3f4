//! `AWS::CloudFormation::WaitCondition`: nothing is made; the stack waits for signals.
//!
//! With a creation policy the engine counts what SignalResource brings. With a handle, what came to
//! the handle's URL counts; signals that came before the condition began count too, as on AWS.

use crate::records::{WaitCondition, WaitHandle, WaitSignal};
use crate::wait_url::{HandleUrl, find};
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, Timestamp};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest a condition may wait: 12 hours.
const LONGEST: i64 = 43_200;

pub struct WaitConditionType;

#[async_trait]
impl ResourceType for WaitConditionType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::WaitCondition"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let id = format!("{}/{}", request.stack_id, request.physical_name);
        if request.properties.get("Handle").is_some() {
            handle(cx, request)?;
            Wanted::of(request)?;
        }
        cx.store()
            .write::<_, Error>(|tx| {
                if tx.get::<WaitCondition>(cx.scope(), &id)?.is_none() {
                    let since = tx.now();
                    let properties = request.properties.clone();
                    tx.put(cx.scope(), &id, WaitCondition { since, properties })?;
                }
                Ok(())
            })
            .await?;
        Ok(id)
    }

    async fn stability(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        if request.properties.get("Handle").is_none() {
            return Ok(Stability::Ready);
        }
        let handle = handle(cx, request)?;
        let condition = cx.store().get::<WaitCondition>(cx.scope(), id)?;
        let condition = condition.ok_or_else(|| Error::internal(format!("the wait condition {id} has no record")))?;
        Ok(judge(&handle.signals, &Wanted::of(request)?, condition.since, cx.now()))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::sender(
            "NotUpdatable",
            "Update to resource type AWS::CloudFormation::WaitCondition is not supported.",
        ))
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.store()
            .write::<_, Error>(|tx| {
                tx.delete::<WaitCondition>(cx.scope(), id);
                Ok(())
            })
            .await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(condition) = cx.store().get::<WaitCondition>(cx.scope(), id)? else { return Ok(None) };
        let of = |name: &str| condition.properties.get(name).cloned();
        let handle = of("Handle").as_ref().and_then(Json::as_str).and_then(HandleUrl::read);
        let handle = handle.map(|url| find(cx.platform(), &url)).transpose()?.flatten();
        // Without the handle that it names, or not knowing which, nobody can tell what came.
        let known = condition.properties.is_object() && (of("Handle").is_none() || handle.is_some());
        let read = Properties::default()
            .with("Id", id)
            .with("Handle", of("Handle"))
            .with("Count", of("Count"))
            .with("Timeout", of("Timeout"))
            .with("Data", known.then(|| data(handle.as_deref())));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let handle = request.properties.get("Handle").map(|_| handle(cx, request)).transpose()?;
        Ok(BTreeMap::from([
            ("Data".to_owned(), Json::String(data(handle.as_deref()))),
            ("Id".to_owned(), Json::String(id.to_owned())),
        ]))
    }
}

/// What the signals brought, by their ids: JSON, as text.
fn data(handle: Option<&WaitHandle>) -> String {
    let signals = handle.into_iter().flat_map(|handle| &handle.signals);
    let data: Map<String, Json> = signals.map(|(id, signal)| (id.clone(), Json::String(signal.data.clone()))).collect();
    Json::Object(data).to_string()
}

/// The handle that the properties name.
fn handle(cx: &Cx, request: &ResourceRequest) -> Result<Arc<WaitHandle>, Error> {
    let wrong =
        || Error::sender("ValidationError", "Handle must be the Ref of an AWS::CloudFormation::WaitConditionHandle");
    let url = request.text("Handle").as_deref().and_then(HandleUrl::read).ok_or_else(wrong)?;
    if url.scope != *cx.scope() {
        return Err(wrong());
    }
    find(cx.platform(), &url)?.ok_or_else(wrong)
}

/// What a condition waits for.
struct Wanted {
    count: u64,
    timeout: Duration,
}

impl Wanted {
    fn of(request: &ResourceRequest) -> Result<Wanted, Error> {
        let wrong = |text: String| Error::sender("ValidationError", text);
        let timeout = request.integer("Timeout").filter(|seconds| (0..=LONGEST).contains(seconds));
        let timeout = timeout.ok_or_else(|| {
            wrong(format!("Timeout of a WaitCondition with a Handle must be a number of seconds from 0 to {LONGEST}"))
        })?;
        let count = match request.properties.get("Count") {
            None => Some(1),
            Some(_) => request.integer("Count").filter(|count| *count > 0),
        };
        let count = count.ok_or_else(|| wrong("Count of a WaitCondition must be a whole number above 0".to_owned()))?;
        Ok(Wanted { count: count.unsigned_abs(), timeout: Duration::from_secs(timeout.unsigned_abs()) })
    }
}

/// Whether what has come is enough. One failure fails it.
fn judge(signals: &BTreeMap<String, WaitSignal>, wanted: &Wanted, since: Timestamp, now: Timestamp) -> Stability {
    if let Some((id, failure)) = signals.iter().find(|(_, signal)| !signal.success) {
        let reason = &failure.reason;
        return Stability::Failed(format!("WaitCondition received failed message: '{reason}' for uniqueId: {id}"));
    }
    let (received, count) = (signals.len() as u64, wanted.count);
    if received >= count {
        return Stability::Ready;
    }
    match now >= since + wanted.timeout {
        true => {
            Stability::Failed(format!("WaitCondition timed out. Received {received} conditions when expecting {count}"))
        }
        false => Stability::Pending(format!("{received} of {count} signals")),
    }
}
