//! Where a queue's dead letters go, and whose dead letters a queue takes. Source: SQS Developer Guide, "Using
//! dead-letter queues in Amazon SQS".

use crate::errors::value;
use crate::place::{arn, of_arn};
use crate::records::Queue;
use crate::settings::{Allow, Redrive};
use kiln_service_kit::{Cx, Error, Scope};
use serde_json::Value as Json;

/// Queues that one may allow by name.
const MOST_SOURCES: usize = 10;

impl Redrive {
    /// Reads a policy for a queue of that name and type. The dead-letter queue must be there, of the same type, account
    /// and region, and let the queue in.
    pub fn read(cx: &Cx, scope: &Scope, name: &str, fifo: bool, text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| value(text, "RedrivePolicy", reason);
        let Ok(Json::Object(members)) = serde_json::from_str::<Json>(text) else {
            return Err(wrong("Redrive policy is not a valid JSON map."));
        };
        let lacks = |what| wrong(&format!("Redrive policy does not contain mandatory attribute: {what}."));
        let target = members.get("deadLetterTargetArn").ok_or_else(|| lacks("deadLetterTargetArn"))?;
        let most = members.get("maxReceiveCount").ok_or_else(|| lacks("maxReceiveCount"))?;
        if let Some(other) = members.keys().find(|key| !["deadLetterTargetArn", "maxReceiveCount"].contains(&&***key)) {
            return Err(wrong(&format!("Redrive policy contains unknown attribute: {other}.")));
        }
        let count = match most {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        let count = count.filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
            let shown = most.as_str().map_or_else(|| most.to_string(), str::to_owned);
            wrong(&format!(
                "Invalid value for maxReceiveCount: {shown}, valid values are from 1 to 1000 both inclusive."
            ))
        })?;
        let target = target.as_str().ok_or_else(|| wrong("Invalid value for deadLetterTargetArn."))?;
        let (at, dead) = of_arn(cx, target).ok_or_else(|| wrong("Invalid value for deadLetterTargetArn."))?;
        if at.region != scope.region {
            return Err(wrong("Dead letter target must be in the same region as the source."));
        }
        if at.account != scope.account {
            return Err(wrong("Dead letter target owner should be same as the source."));
        }
        let found = cx.store().get::<Queue>(&at, dead)?;
        let found = found.ok_or_else(|| wrong("Dead letter target does not exist."))?;
        if found.settings.fifo.is_some() != fifo {
            return Err(wrong("Dead-letter queue must be same type of queue as the source."));
        }
        let source = arn(cx, scope, name);
        let allowed = match &found.settings.redrive_allow {
            None | Some(Allow::All) => true,
            Some(Allow::None) => false,
            Some(Allow::By(sources)) => sources.contains(&source),
        };
        if !allowed {
            return Err(wrong("Dead-letter queue does not allow redrive from the source queue."));
        }
        Ok(Self { target: target.to_owned(), most: count })
    }
}

impl Allow {
    pub fn read(cx: &Cx, text: &str) -> Result<Self, Error> {
        let reason = "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.";
        let wrong = || value(text, "RedriveAllowPolicy", reason);
        let Ok(Json::Object(members)) = serde_json::from_str::<Json>(text) else { return Err(wrong()) };
        if members.keys().any(|key| !["redrivePermission", "sourceQueueArns"].contains(&key.as_str())) {
            return Err(wrong());
        }
        let sources = members.get("sourceQueueArns");
        match (members.get("redrivePermission").and_then(Json::as_str), sources) {
            (Some("allowAll"), None) => Ok(Self::All),
            (Some("denyAll"), None) => Ok(Self::None),
            (Some("byQueue"), Some(Json::Array(sources))) if (1..=MOST_SOURCES).contains(&sources.len()) => {
                let source = |source: &Json| source.as_str().filter(|arn| of_arn(cx, arn).is_some()).map(str::to_owned);
                sources.iter().map(source).collect::<Option<_>>().map(Self::By).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}
