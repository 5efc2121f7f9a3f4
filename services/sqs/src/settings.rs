//! What a queue's attributes say: read from a request with AWS's ranges and defaults, shown again. Source: SQS API
//! Reference, CreateQueue, SetQueueAttributes and GetQueueAttributes.

use crate::errors::{attribute_name, attribute_value};
use crate::policy;
use crate::redrive::{Allow, Redrive};
use kiln_service_kit::{Cx, Error, Map, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A queue's settings. Times are in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub delay: i64,
    pub maximum_size: i64,
    pub retention: i64,
    pub wait: i64,
    pub visibility: i64,
    /// Of a FIFO queue.
    #[serde(default)]
    pub fifo: Option<Fifo>,
    pub managed_sse: bool,
    #[serde(default)]
    pub policy: Option<String>,
    #[serde(default)]
    pub redrive: Option<Redrive>,
    #[serde(default)]
    pub redrive_allow: Option<Allow>,
}

/// What only FIFO queues have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    pub content_based: bool,
    /// Whether two messages are the same only within a group.
    pub per_group: bool,
    /// Whether the limit of throughput is each group's. Kiln has no such limit.
    pub limit_per_group: bool,
}

/// A number among the attributes.
struct Number {
    name: &'static str,
    least: i64,
    most: i64,
    of: fn(&mut Settings) -> &mut i64,
}

const NUMBERS: [Number; 5] = [
    Number { name: "DelaySeconds", least: 0, most: 900, of: |s| &mut s.delay },
    Number { name: "MaximumMessageSize", least: 1_024, most: MAXIMUM_SIZE, of: |s| &mut s.maximum_size },
    Number { name: "MessageRetentionPeriod", least: 60, most: 1_209_600, of: |s| &mut s.retention },
    Number { name: "ReceiveMessageWaitTimeSeconds", least: 0, most: 20, of: |s| &mut s.wait },
    Number { name: "VisibilityTimeout", least: 0, most: 43_200, of: |s| &mut s.visibility },
];

/// The longest message, and all of a batch together: 1 MiB.
pub const MAXIMUM_SIZE: i64 = 1_048_576;

/// What can be read and not be set.
const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// What can be set, beside the numbers.
const OTHERS: [&str; 10] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

impl Settings {
    /// AWS's defaults.
    pub fn new(fifo: bool) -> Self {
        Self {
            delay: 0,
            maximum_size: MAXIMUM_SIZE,
            retention: 345_600,
            wait: 0,
            visibility: 30,
            fifo: fifo.then(Fifo::default),
            managed_sse: true,
            policy: None,
            redrive: None,
            redrive_allow: None,
        }
    }

    /// Milliseconds that a message is kept.
    pub fn retention_millis(&self) -> i64 {
        self.retention * 1_000
    }

    /// Takes attributes over, of a queue of that name that is there or is being made.
    pub fn take(&mut self, cx: &Cx, scope: &Scope, name: &str, attributes: &Map<String>) -> Result<(), Error> {
        for (attribute, text) in attributes {
            self.take_one(cx, scope, name, attribute, text)?;
        }
        match self.fifo {
            Some(Fifo { limit_per_group: true, per_group: false, .. }) => Err(attribute_value("FifoThroughputLimit")),
            _ => Ok(()),
        }
    }

    fn take_one(&mut self, cx: &Cx, scope: &Scope, name: &str, attribute: &str, text: &str) -> Result<(), Error> {
        if let Some(number) = NUMBERS.iter().find(|number| number.name == attribute) {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let value: Option<i64> = text.parse().ok().filter(|_| digits);
            let value = value.filter(|value| (number.least..=number.most).contains(value));
            *(number.of)(self) = value.ok_or_else(|| attribute_value(attribute))?;
            return Ok(());
        }
        let is_fifo = self.fifo.is_some();
        match attribute {
            "FifoQueue" if !is_fifo => Err(attribute_name(attribute)),
            // What it is, it stays.
            "FifoQueue" => if flag(attribute, text)? { Ok(()) } else { Err(attribute_value(attribute)) },
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                let fifo = self.fifo.as_mut().ok_or_else(|| attribute_name(attribute))?;
                match (attribute, text) {
                    ("ContentBasedDeduplication", text) => fifo.content_based = flag(attribute, text)?,
                    ("DeduplicationScope", "queue" | "messageGroup") => fifo.per_group = text == "messageGroup",
                    ("FifoThroughputLimit", "perQueue" | "perMessageGroupId") => {
                        fifo.limit_per_group = text == "perMessageGroupId";
                    }
                    _ => return Err(attribute_value(attribute)),
                }
                Ok(())
            }
            "Policy" => {
                self.policy = given(text).map(|text| policy::check(cx, text)).transpose()?;
                Ok(())
            }
            "RedrivePolicy" => {
                let read = |text| Redrive::read(cx, scope, name, is_fifo, text);
                self.redrive = given(text).map(read).transpose()?;
                Ok(())
            }
            "RedriveAllowPolicy" => {
                self.redrive_allow = given(text).map(|text| Allow::read(cx, text)).transpose()?;
                Ok(())
            }
            "SqsManagedSseEnabled" => {
                self.managed_sse = flag(attribute, text)?;
                Ok(())
            }
            "KmsMasterKeyId" if text.is_empty() => Ok(()),
            "KmsMasterKeyId" => Err(Error::not_built("sqs: the queue attribute KmsMasterKeyId")),
            // The default, which says nothing without a key.
            "KmsDataKeyReusePeriodSeconds" if matches!(text, "" | "300") => Ok(()),
            "KmsDataKeyReusePeriodSeconds" => {
                Err(Error::not_built("sqs: the queue attribute KmsDataKeyReusePeriodSeconds"))
            }
            _ => Err(attribute_name(attribute)),
        }
    }

    /// What is set, as it is shown.
    pub fn shown(&self) -> BTreeMap<&'static str, String> {
        let mut copy = self.clone();
        let mut shown: BTreeMap<&'static str, String> =
            NUMBERS.iter().map(|number| (number.name, (number.of)(&mut copy).to_string())).collect();
        shown.insert("SqsManagedSseEnabled", self.managed_sse.to_string());
        if let Some(fifo) = self.fifo {
            shown.insert("FifoQueue", "true".to_owned());
            shown.insert("ContentBasedDeduplication", fifo.content_based.to_string());
            let scope = if fifo.per_group { "messageGroup" } else { "queue" };
            shown.insert("DeduplicationScope", scope.to_owned());
            let limit = if fifo.limit_per_group { "perMessageGroupId" } else { "perQueue" };
            shown.insert("FifoThroughputLimit", limit.to_owned());
        }
        let texts = [
            ("Policy", self.policy.clone()),
            ("RedrivePolicy", self.redrive.as_ref().map(Redrive::text)),
            ("RedriveAllowPolicy", self.redrive_allow.as_ref().map(Allow::text)),
        ];
        shown.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text?))));
        shown
    }
}

/// Whether a name is one of an attribute's.
pub fn is_attribute(name: &str) -> bool {
    READ_ONLY.contains(&name) || OTHERS.contains(&name) || NUMBERS.iter().any(|number| number.name == name)
}

/// An empty text takes away what was there.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

fn flag(attribute: &str, text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(attribute_value(attribute)),
    }
}
