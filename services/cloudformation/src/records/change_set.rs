//! A change set: a version that a stack could be led to, and what that would change. One that was executed is no
//! longer listed and its name is free; by its ARN, or by its name and the stack's ARN, it tells how that went, also
//! when the stack is gone.

use super::stack::OnFailure;
use super::{Stack, Status, Version};
use kiln_cloudformation_shapes::Change;
use kiln_service_kit::{Error, Keys, Record, Scope, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A change set; its id in the store is its ARN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack_id: String,
    pub stack_name: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub version: Arc<Version>,
    pub role_arn: Option<String>,
    pub on_failure: Option<OnFailure>,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    pub reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, or how its execution went.
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
    const KEYS: &'static [&'static str] = &["stack"];
    fn keys(&self) -> Keys {
        vec![("stack", self.stack_id.clone())]
    }
}

/// Its execution goes on, has succeeded, has failed.
pub const EXECUTING: &str = "EXECUTE_IN_PROGRESS";
const COMPLETE: &str = "EXECUTE_COMPLETE";
const FAILED: &str = "EXECUTE_FAILED";

/// Change sets of a stack that are kept after their execution; the oldest go first.
const KEPT: usize = 20;

impl ChangeSet {
    /// Whether it was executed, or is.
    pub fn was_executed(&self) -> bool {
        [EXECUTING, COMPLETE, FAILED].contains(&self.execution.as_str())
    }
}

/// A stack has come to rest: how the execution of its change set went.
pub fn executed(tx: &mut Tx<'_>, scope: &Scope, stack: &Stack) -> Result<(), Error> {
    let Some(id) = &stack.change_set_id else { return Ok(()) };
    let Some(set) = tx.get::<ChangeSet>(scope, id)?.filter(|set| set.execution == EXECUTING) else { return Ok(()) };
    let mut set = (*set).clone();
    let succeeded = matches!(stack.status, Status::CreateComplete | Status::UpdateComplete);
    set.execution = if succeeded { COMPLETE } else { FAILED }.to_owned();
    Ok(tx.put(scope, id, set)?)
}

/// A change set is executed: what the others would change is no longer known, and of those executed before the
/// oldest are dropped.
pub fn supersede(tx: &mut Tx<'_>, scope: &Scope, by: &ChangeSet) -> Result<(), Error> {
    let all = tx.by_key::<ChangeSet>(scope, "stack", &by.stack_id)?.into_iter();
    let mut others: Vec<_> = all.filter(|(id, _)| **id != *by.id).collect();
    others.sort_by_key(|(_, other)| std::cmp::Reverse(other.created));
    let mut kept = 1;
    for (id, other) in others {
        kept += usize::from(other.was_executed());
        if !other.was_executed() || kept > KEPT {
            tx.delete::<ChangeSet>(scope, &id);
        }
    }
    Ok(())
}

/// The stack is deleted: what was never executed goes with it.
pub fn discard(tx: &mut Tx<'_>, scope: &Scope, stack_id: &str) -> Result<(), Error> {
    for (id, set) in tx.by_key::<ChangeSet>(scope, "stack", stack_id)? {
        if !set.was_executed() {
            tx.delete::<ChangeSet>(scope, &id);
        }
    }
    Ok(())
}
