//! What is kept of a parameter: all its versions in one record, so that a change is one write.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most versions kept; the oldest goes when there is another.
pub const MOST_VERSIONS: usize = 100;

/// A parameter; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    /// Oldest first, never empty.
    pub versions: Vec<Version>,
    pub tags: BTreeMap<String, String>,
}

impl Record for Parameter {
    const KIND: &'static str = "ssm/parameter";
}

/// One version of a parameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    pub version: i64,
    pub kind: String,
    pub value: Stored,
    pub key_id: Option<String>,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub tier: String,
    pub data_type: String,
    pub modified: Timestamp,
    pub modified_by: String,
    pub labels: Vec<String>,
}

/// A value as it lies on disk.
#[derive(Clone, Serialize, Deserialize)]
pub enum Stored {
    Plain(String),
    /// Base64 of what `seal.rs` made: how secrets were kept before there was KMS.
    Sealed(String),
    /// Base64 of a ciphertext of KMS.
    Encrypted(String),
    /// Base64 of a data key that KMS encrypted, and of what is sealed under it.
    Enveloped {
        key: String,
        sealed: String,
    },
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stored::Plain(_) => "Plain(…)",
            Stored::Sealed(_) => "Sealed(…)",
            Stored::Encrypted(_) => "Encrypted(…)",
            Stored::Enveloped { .. } => "Enveloped(…)",
        })
    }
}

impl Parameter {
    /// The newest version.
    pub fn latest(&self) -> &Version {
        self.versions.last().expect("a parameter is made with a version and never loses its last")
    }

    /// The version of a number.
    pub fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.version == number)
    }
}
