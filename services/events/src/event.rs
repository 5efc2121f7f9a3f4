//! An event as targets read it: the envelope with its members in AWS's order, the detail as it was given.

use kiln_service_kit::Timestamp;
use serde_json::{Value as Json, json};

/// An event on a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub source: String,
    pub detail_type: String,
    pub account: String,
    pub region: String,
    pub time: Timestamp,
    pub resources: Vec<String>,
    /// A JSON object.
    pub detail: Json,
    /// The detail as text.
    pub detail_text: String,
}

fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}

impl Event {
    /// As it is matched.
    pub fn json(&self) -> Json {
        let mut event = self.without_detail();
        event["detail"] = self.detail.clone();
        event
    }

    fn without_detail(&self) -> Json {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time.iso8601(),
            "region": self.region,
            "resources": self.resources,
        })
    }

    /// As it is told.
    pub fn text(&self) -> String {
        format!("{},\"detail\":{}}}", self.open_envelope(), self.detail_text)
    }

    /// The same without its detail (`<aws.events.event>`).
    pub fn envelope(&self) -> String {
        format!("{}}}", self.open_envelope())
    }

    fn open_envelope(&self) -> String {
        let resources: Vec<String> = self.resources.iter().map(|arn| quoted(arn)).collect();
        format!(
            "{{\"version\":\"0\",\"id\":{},\"detail-type\":{},\"source\":{},\"account\":{},\"time\":{},\"region\":{},\
             \"resources\":[{}]",
            quoted(&self.id),
            quoted(&self.detail_type),
            quoted(&self.source),
            quoted(&self.account),
            quoted(&self.time.iso8601()),
            quoted(&self.region),
            resources.join(",")
        )
    }
}
