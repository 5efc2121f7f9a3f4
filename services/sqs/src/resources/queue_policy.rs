//! `AWS::SQS::QueuePolicy`: one policy on several queues. Ref gives an id that is only the stack's.

use crate::errors::missing;
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability};
use kiln_sqs_shapes::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct QueuePolicy;

#[async_trait]
impl ResourceType for QueuePolicy {
    fn type_name(&self) -> &'static str {
        "AWS::SQS::QueuePolicy"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        // Of several queues those that there are first: a queue that is missing leaves nothing half made.
        let queues = request.texts("Queues");
        if queues.is_empty() {
            return Err(missing("Queues"));
        }
        for url in &queues {
            let asked = GetQueueAttributesRequest { queue_url: url.clone(), ..Default::default() };
            cx.call(asked).await?;
        }
        Ok(request.physical_name.clone())
    }

    async fn complete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        let policy = document(request).to_string();
        for url in request.texts("Queues") {
            put(cx, &url, &policy).await?;
        }
        Ok(())
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let kept = request.texts("Queues");
        for url in urls(&request.previous).into_iter().filter(|url| !kept.contains(url)) {
            clear(cx, &url).await?;
        }
        self.complete(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let own = document(request);
        for url in request.texts("Queues") {
            // What others have put there since is not this one's to take away.
            if policy_of(cx, &url).await? == Some(own.clone()) {
                clear(cx, &url).await?;
            }
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let (mut queues, mut document) = (vec![], None);
        for url in urls(known) {
            let Some(found) = policy_of(cx, &url).await? else { continue };
            // A queue that has another policy has not this one.
            if *document.get_or_insert_with(|| found.clone()) == found {
                queues.push(url);
            }
        }
        let read = Properties::default().with("Id", id).with_list("Queues", queues);
        Ok(document.map(|document| read.with("PolicyDocument", document)))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

/// The template's document, which may be written as text.
fn document(request: &ResourceRequest) -> Json {
    let given = &request.properties["PolicyDocument"];
    // Text that is no document is told so by SQS.
    given.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| given.clone())
}

fn urls(properties: &Json) -> Vec<String> {
    let all = properties.get("Queues").and_then(Json::as_array).into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

async fn put(cx: &Cx, url: &str, policy: &str) -> Result<(), Error> {
    let attributes = Map::from([("Policy".to_owned(), policy.to_owned())]);
    cx.call(SetQueueAttributesRequest { queue_url: url.to_owned(), attributes }).await?;
    Ok(())
}

/// Takes the policy away; a queue that is gone has none.
async fn clear(cx: &Cx, url: &str) -> Result<(), Error> {
    match put(cx, url, "").await {
        Err(error) if error.is("QueueDoesNotExist") => Ok(()),
        other => other,
    }
}

/// The policy of a queue; none where there is none, or no queue.
async fn policy_of(cx: &Cx, url: &str) -> Result<Option<Json>, Error> {
    let asked = GetQueueAttributesRequest { queue_url: url.to_owned(), attribute_names: vec!["Policy".to_owned()] };
    let found = match cx.call(asked).await {
        Err(error) if error.is("QueueDoesNotExist") => return Ok(None),
        answer => answer?.attributes.remove("Policy"),
    };
    let read = |text: String| serde_json::from_str(&text).map_err(|e| Error::failed("read the policy of a queue", e));
    found.map(read).transpose()
}
