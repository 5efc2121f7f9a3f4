//! What iam keeps, all in the account's global scope. Keys are the names, since names are unique in
//! an account without regard to case (AWS IAM User Guide, "IAM and AWS STS quotas").

use kiln_service_kit::{Keys, Record, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// The key under which something of that name is kept.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

/// What a user, a group or a role may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Permissions {
    /// Inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order they were attached.
    pub attached: Vec<String>,
    /// The ARN of the managed policy that limits the others. Groups have none.
    pub boundary: Option<String>,
}

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub path: String,
    /// `AIDA…`.
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    pub tags: Tags,
    /// Keys of the groups it is in.
    pub groups: Vec<String>,
    /// Ids of its access keys; at most two.
    pub access_keys: Vec<String>,
    pub permissions: Permissions,
}

impl Record for User {
    const KIND: &'static str = "iam/user";
    const KEYS: &'static [&'static str] = &["group"];
    fn keys(&self) -> Keys {
        self.groups.iter().map(|group| ("group", group.clone())).collect()
    }
}

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub path: String,
    /// `AGPA…`.
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    pub permissions: Permissions,
}

impl Record for Group {
    const KIND: &'static str = "iam/group";
}

/// A secret in the database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// As it was written before secrets were sealed; sealed at the next start.
    Open(String),
    /// Base64 of what kiln-sealing's `seal_text` made.
    Sealed { sealed: String },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A user's access key. Kept under its id in [`everywhere`], for a request says its key first and
/// so its account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    pub secret: Secret,
    pub account: String,
    /// The user's key.
    pub user: String,
    pub created: Timestamp,
    pub active: bool,
}

impl Record for AccessKey {
    const KIND: &'static str = "iam/access-key";
}

/// When an access key or a role was last used. Kept under the key's id or the role's unique id in
/// [`everywhere`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastUsed {
    pub at: Timestamp,
    /// As signatures name it, e.g. `ec2`.
    pub service: String,
    /// The one that the request was signed for.
    pub region: String,
}

impl Record for LastUsed {
    const KIND: &'static str = "iam/last-used";
}

/// The scope of what is found without knowing an account.
pub fn everywhere() -> Scope {
    Scope::new("", "")
}

/// A customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManagedPolicy {
    pub name: String,
    pub path: String,
    /// `ANPA…`.
    pub id: String,
    pub arn: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: Tags,
    /// By number; at most five.
    pub versions: BTreeMap<u32, Version>,
    pub default_version: u32,
    /// The highest number given so far: numbers are not given twice.
    pub last_version: u32,
}

impl Record for ManagedPolicy {
    const KIND: &'static str = "iam/policy";
}

/// A version of a managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    pub document: String,
    pub created: Timestamp,
}

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub path: String,
    /// `AROA…`.
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    /// Who may assume it, as given.
    pub trust_policy: String,
    pub description: Option<String>,
    /// Seconds.
    pub max_session_duration: i32,
    pub tags: Tags,
    pub permissions: Permissions,
}

impl Record for Role {
    const KIND: &'static str = "iam/role";
}

/// An instance profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceProfile {
    pub name: String,
    pub path: String,
    /// `AIPA…`.
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    /// The name of its role; at most one.
    pub role: Option<String>,
    pub tags: Tags,
}

impl Record for InstanceProfile {
    const KIND: &'static str = "iam/instance-profile";
}

/// The account's alias.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    pub alias: String,
}

impl Record for Alias {
    const KIND: &'static str = "iam/account-alias";
    const KEYS: &'static [&'static str] = &["alias"];
    fn keys(&self) -> Keys {
        vec![("alias", self.alias.clone())]
    }
}

/// A service-linked role's deletion, which is done when it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeletionTask {
    pub at: Timestamp,
}

impl Record for DeletionTask {
    const KIND: &'static str = "iam/deletion-task";
}
