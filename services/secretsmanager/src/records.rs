//! What Secrets Manager keeps: a secret with what is known of its versions, and each version's value apart, so that a
//! label that moves or a new version does not write the other values again.

use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A secret; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    pub name: String,
    /// The six characters that its ARN ends with.
    pub suffix: String,
    pub description: Option<String>,
    /// As it was given; none: the AWS managed key.
    pub kms_key_id: Option<String>,
    /// Oldest first.
    pub versions: Vec<Version>,
    pub tags: BTreeMap<String, String>,
    /// The resource policy as it was given.
    pub policy: Option<String>,
    pub created: Timestamp,
    pub changed: Timestamp,
    /// The beginning of the day.
    pub accessed: Option<Timestamp>,
    /// When it goes for good, once somebody has deleted it.
    pub deleted: Option<Timestamp>,
}

impl Record for Secret {
    const KIND: &'static str = "secretsmanager/secret";
    /// The stack that made it.
    const KEYS: &'static [&'static str] = &["stack"];
    fn keys(&self) -> Keys {
        self.tags.get("aws:cloudformation:stack-id").map(|stack| ("stack", stack.clone())).into_iter().collect()
    }
}

impl Secret {
    /// The version of an id.
    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that a label is on.
    pub fn labelled(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.iter().any(|on| on == stage))
    }

    /// Under which the value of one of its versions is kept.
    pub fn value_id(&self, version: &str) -> String {
        format!("{}-{}/{version}", self.name, self.suffix)
    }
}

/// What is known of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub id: String,
    pub created: Timestamp,
    /// The beginning of the day.
    pub accessed: Option<Timestamp>,
    /// Its staging labels; without one it is deprecated.
    pub stages: Vec<String>,
    /// What it is encrypted with, as ListSecretVersionIds shows it.
    pub key: String,
}

/// A version's value, encrypted.
#[derive(Clone, Serialize, Deserialize)]
pub struct Value {
    /// A data key that KMS encrypted, in base64.
    pub key: String,
    /// What is sealed under it, in base64.
    pub sealed: String,
    /// `SecretBinary`, not `SecretString`.
    pub binary: bool,
}

impl Record for Value {
    const KIND: &'static str = "secretsmanager/value";
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(…)")
    }
}
