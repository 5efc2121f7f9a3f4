//! What KMS keeps.

use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A key; its id in the store is its key id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// A UUID.
    pub id: String,
    pub created: Timestamp,
    pub description: String,
    /// The key policy as it was given.
    pub policy: String,
    pub tags: BTreeMap<String, String>,
    pub state: State,
    /// The service whose AWS managed key it is, as in `alias/aws/NAME`; none: the customer's.
    pub managed_by: Option<String>,
    /// None: not rotated by itself.
    pub rotation: Option<Rotation>,
    /// Oldest first, never empty: what was encrypted with an older one still decrypts.
    pub materials: Vec<Material>,
}

impl Record for Key {
    const KIND: &'static str = "kms/key";
    /// The stack that made it.
    const KEYS: &'static [&'static str] = &["stack"];
    fn keys(&self) -> Keys {
        self.tags.get("aws:cloudformation:stack-id").map(|stack| ("stack", stack.clone())).into_iter().collect()
    }
}

impl Key {
    /// The one that encrypts.
    pub fn current(&self) -> &Material {
        self.materials.last().expect("a key is made with a material and never loses one")
    }
}

/// Whether a key can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Enabled,
    Disabled,
    PendingDeletion { at: Timestamp, days: i32 },
}

impl State {
    /// As KMS calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

/// Automatic rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub days: i32,
    pub next: Timestamp,
}

impl Rotation {
    /// Days between two rotations where nobody says how many, and of AWS's own keys. Source: API Reference,
    /// EnableKeyRotation.
    pub const DEFAULT_DAYS: i32 = 365;

    /// Every so many days from now.
    pub fn every(days: i32, now: Timestamp) -> Self {
        Self { days, next: now + in_days(days) }
    }
}

/// Days as time; there are no negative ones.
pub fn in_days(days: i32) -> Duration {
    Duration::from_secs(u64::from(days.unsigned_abs()) * 24 * 60 * 60)
}

/// What a key encrypts with, since some time.
#[derive(Clone, Serialize, Deserialize)]
pub struct Material {
    /// 64 hexadecimal digits.
    pub id: String,
    /// 32 bytes, sealed under the root key and bound to key and material, in base64.
    pub sealed: String,
    pub since: Timestamp,
    /// What brought it; none for the first.
    pub by: Option<RotatedBy>,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material({})", self.id)
    }
}

/// What a rotation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotatedBy {
    Schedule,
    Demand,
}

/// An alias; its id in the store is its name, with `alias/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    pub name: String,
    /// The id of its key.
    pub key: String,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Record for Alias {
    const KIND: &'static str = "kms/alias";
    const KEYS: &'static [&'static str] = &["key"];
    fn keys(&self) -> Keys {
        vec![("key", self.key.clone())]
    }
}

/// A grant, kept in its key's scope; its id in the store is `KEY/GRANT`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The key's id.
    pub key: String,
    pub name: Option<String>,
    pub created: Timestamp,
    pub grantee: String,
    /// By which it is found: what [`grantee_key`] says.
    pub held_by: String,
    pub retiring: Option<String>,
    /// The account of whoever made it.
    pub issuer: String,
    pub operations: Vec<String>,
    /// What the encryption context must at least have.
    pub subset: BTreeMap<String, String>,
    /// What it must be.
    pub equals: BTreeMap<String, String>,
}

impl Record for Grant {
    const KIND: &'static str = "kms/grant";
    const KEYS: &'static [&'static str] = &["grantee", "retiring"];
    fn keys(&self) -> Keys {
        let mut keys = vec![("grantee", self.held_by.clone())];
        keys.extend(self.retiring.iter().map(|who| ("retiring", who.clone())));
        keys
    }
}

/// By which the grants of a principal on a key are found; the principal as `names::known_as` says.
pub fn grantee_key(key: &str, grantee: &str) -> String {
    format!("{key}|{grantee}")
}

/// The id under which a grant is kept.
pub fn grant_id(key: &str, grant: &str) -> String {
    format!("{key}/{grant}")
}
