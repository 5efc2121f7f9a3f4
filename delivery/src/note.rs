//! What is to be told, to whom, by whom and how hard it is tried: kept as a record from the transaction that makes it true
//! until the target took it.

use crate::{Address, Policy};
use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};

/// What a service hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub to: Address,
    /// The principal of the service that tells it, e.g. `sns.amazonaws.com`.
    pub by: String,
    /// The thing that tells it: `aws:SourceArn` of calls to other services.
    pub source_arn: String,
    pub parcel: Parcel,
    pub policy: Policy,
    /// The ARN of the queue that gets what is given up; where there is none it is gone, and the log says so.
    pub dead_letter: Option<String>,
}

/// What is handed to the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    pub body: String,
    /// Of mails, and of messages to topics.
    pub subject: Option<String>,
    /// Message attributes, for queues and topics.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Headers, for HTTP.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The mail's sender as it is shown.
    #[serde(default)]
    pub sender: Option<String>,
    /// The ARN of a role that the call to a queue or topic is made as, instead of as the service: the service assumes it
    /// anew for each attempt.
    #[serde(default)]
    pub role: Option<String>,
    /// What the dead letter says of itself, where the service documents that.
    #[serde(default)]
    pub letter: Option<Letter>,
}

/// The attributes of a dead letter: these, and what it was given up for (`ERROR_CODE`, `ERROR_MESSAGE`, `RETRY_ATTEMPTS`,
/// `EXHAUSTED_RETRY_CONDITION`). Source: Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered
/// events".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub attributes: Vec<Attribute>,
}

/// A message attribute as SQS and SNS have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    /// `String`, `Number`, `Binary`, `String.Array` …
    pub kind: String,
    /// The value; of a binary one Base64.
    pub value: String,
}

impl Attribute {
    /// A text.
    pub fn text(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), kind: "String".to_owned(), value: value.into() }
    }
}

impl Parcel {
    /// A body alone.
    pub fn of(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> u64 {
        let attributes = self.attributes.iter().map(|a| a.name.len() + a.kind.len() + a.value.len());
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        let subject = self.subject.as_deref().map_or(0, str::len);
        let letter = self.letter.iter().flat_map(|letter| &letter.attributes);
        let attributes = attributes.chain(letter.map(|a| a.name.len() + a.kind.len() + a.value.len()));
        (self.body.len() + subject + attributes.chain(headers).sum::<usize>()) as u64
    }
}

/// A note that waits; its id is its place in the order of everything that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    pub note: Note,
    pub noted: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// Attempts that failed.
    pub tries: u32,
    /// What the last one failed of.
    #[serde(default)]
    pub failed: Option<String>,
}

impl Record for Undelivered {
    const KIND: &'static str = "delivery/note";
}
