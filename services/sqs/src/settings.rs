//! What a queue's attributes say, as it is kept and shown. Source: SQS API Reference, GetQueueAttributes.

use serde::{Deserialize, Serialize};
use serde_json::json;
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
pub struct Number {
    pub name: &'static str,
    pub least: i64,
    pub most: i64,
    pub of: fn(&mut Settings) -> &mut i64,
}

pub const NUMBERS: [Number; 5] = [
    Number { name: "DelaySeconds", least: 0, most: 900, of: |s| &mut s.delay },
    Number { name: "MaximumMessageSize", least: 1_024, most: MAXIMUM_SIZE, of: |s| &mut s.maximum_size },
    Number { name: "MessageRetentionPeriod", least: 60, most: 1_209_600, of: |s| &mut s.retention },
    Number { name: "ReceiveMessageWaitTimeSeconds", least: 0, most: 20, of: |s| &mut s.wait },
    Number { name: "VisibilityTimeout", least: 0, most: 43_200, of: |s| &mut s.visibility },
];

/// The longest message, and all of a batch together: 1 MiB.
pub const MAXIMUM_SIZE: i64 = 1_048_576;

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

/// `RedrivePolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The ARN of the dead-letter queue.
    pub target: String,
    /// How often a message is received before it goes there.
    pub most: i64,
}

/// `RedriveAllowPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allow {
    All,
    None,
    /// The ARNs of the queues.
    By(Vec<String>),
}

impl Redrive {
    /// As GetQueueAttributes shows it.
    pub fn text(&self) -> String {
        json!({"deadLetterTargetArn": self.target, "maxReceiveCount": self.most}).to_string()
    }
}

impl Allow {
    /// As GetQueueAttributes shows it.
    pub fn text(&self) -> String {
        match self {
            Self::All => json!({"redrivePermission": "allowAll"}),
            Self::None => json!({"redrivePermission": "denyAll"}),
            Self::By(sources) => json!({"redrivePermission": "byQueue", "sourceQueueArns": sources}),
        }
        .to_string()
    }
}
