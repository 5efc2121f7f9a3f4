//! A change set: a version that a stack could be led to, and what that would change.

use super::Version;
use super::stack::OnFailure;
use kiln_cloudformation_shapes::Change;
use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};

/// A change set; its id in the store is its ARN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack_id: String,
    pub stack_name: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub version: Version,
    pub role_arn: Option<String>,
    pub on_failure: Option<OnFailure>,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    pub reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, `OBSOLETE`, `EXECUTE_COMPLETE`.
    pub execution: String,
    #[serde(with = "kiln_protocol::stored")]
    pub changes: Vec<Change>,
    pub imports: std::collections::BTreeSet<String>,
    /// `IncludeNestedStacks`, as asked; there are none in it.
    #[serde(default)]
    pub include_nested_stacks: bool,
}

impl Record for ChangeSet {
    const KIND: &'static str = "cloudformation/change-set";
}
