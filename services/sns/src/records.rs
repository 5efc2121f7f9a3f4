//! What sns keeps.

use kiln_delivery::Reach;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A topic; its id in the store is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
    pub made: Timestamp,
    pub display_name: String,
    /// As it was given; none: AWS's default policy.
    pub policy: Option<String>,
    /// As it was given.
    pub delivery_policy: Option<String>,
    /// `1` or `2`, where it was said.
    pub signature_version: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// How many subscriptions are gone.
    pub deleted: u64,
}

impl Record for Topic {
    const KIND: &'static str = "sns/topic";
}

/// A subscription; its id in the store is `TOPIC/ID`, so that a topic's stand together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub topic: String,
    /// The last part of its ARN.
    pub id: String,
    /// The account that subscribed.
    pub owner: String,
    pub protocol: String,
    pub endpoint: String,
    /// Who named the endpoint, of HTTP.
    pub reach: Option<Reach>,
    pub made: Timestamp,
    /// Until somebody shows its token.
    pub pending: Option<Pending>,
    /// The token that it was confirmed with, which may be shown again.
    pub shown: Option<String>,
    /// Whether who confirmed it was authenticated.
    pub authenticated: bool,
    /// Whether it is ended by authenticated calls only.
    pub closed: bool,
    pub attributes: Attributes,
}

/// What waits for confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub token: String,
    pub since: Timestamp,
}

/// What can be set of a subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    pub raw: bool,
    /// As they were given.
    pub filter: Option<String>,
    /// Whether the filter is one of the body.
    pub on_body: bool,
    pub redrive: Option<String>,
    pub delivery: Option<String>,
}

/// How long a token is good. Source: Amazon SNS FAQs, "How long will subscription requests remain pending".
pub const CONFIRMED_WITHIN: Duration = Duration::from_secs(48 * 3_600);

impl Subscription {
    /// Whether it was not confirmed in time: it is as if it were gone, and is taken away with the topic's next one.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.pending.as_ref().is_some_and(|pending| now.since(pending.since) >= CONFIRMED_WITHIN)
    }

    /// What it is found by when somebody subscribes again: a topic has an endpoint once.
    pub fn place(topic: &str, protocol: &str, endpoint: &str) -> String {
        format!("{topic}\n{protocol}\n{endpoint}")
    }
}

impl Record for Subscription {
    const KIND: &'static str = "sns/subscription";
    const KEYS: &'static [&'static str] = &["place", "owner", "token", "pending"];

    fn keys(&self) -> Keys {
        let mut keys =
            vec![("place", Self::place(&self.topic, &self.protocol, &self.endpoint)), ("owner", self.owner.clone())];
        if let Some(pending) = &self.pending {
            keys.extend([("token", pending.token.clone()), ("pending", self.topic.clone())]);
        }
        keys.extend(self.shown.as_ref().map(|token| ("token", token.clone())));
        keys
    }
}
