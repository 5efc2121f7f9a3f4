//! A resource of a stack: the real thing it stands for, older things that must still go, and how
//! far the phase in hand has come with it.
//!
//! Most of a record is what the thing was made with, and it is there up to three times while work is in hand: what it
//! is, what it was before, what the work is about. Copies of a record, of which every step makes one, share all of that.

use kiln_service_kit::{Error, Keys, Record, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kept::KeptJson;
use super::stack::Reads;

/// A resource; its id in the store is `STACK-ARN#LOGICAL-ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resource {
    pub stack_id: String,
    pub stack_name: String,
    pub logical_id: String,
    pub resource_type: String,
    /// AWS's word, e.g. `CREATE_COMPLETE`.
    pub status: String,
    pub reason: Option<String>,
    pub updated: Timestamp,
    /// The thing it stands for.
    pub live: Option<Arc<Live>>,
    /// Things that stood here before and must be removed.
    pub old: Vec<Arc<Live>>,
    /// What the operation in hand found, to go back to.
    pub undo: Option<Undo>,
    pub work: Option<Work>,
    /// Signals since the work began: unique id, success.
    pub signals: BTreeMap<String, bool>,
    /// How far the rolling update has come; what a failed one left to be tidied up by the next.
    #[serde(default)]
    pub roll: Option<serde_json::Value>,
}

impl Record for Resource {
    const KIND: &'static str = "cloudformation/resource";
    const KEYS: &'static [&'static str] = &["physical-id"];
    fn keys(&self) -> Keys {
        self.physical_id().map(|id| ("physical-id", id.to_owned())).into_iter().collect()
    }
}

/// A real thing with all that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Missing while it is being made.
    pub physical_id: Option<String>,
    /// Client token of its creation; tells this thing from others of the same resource.
    pub token: String,
    pub physical_name: String,
    pub resource_type: String,
    pub properties: KeptJson,
    /// The properties as callers may see them, where parameters with NoEcho are in them.
    #[serde(default)]
    pub shown: Option<KeptJson>,
    pub metadata: Option<KeptJson>,
    pub creation_policy: Option<KeptJson>,
    pub update_policy: Option<KeptJson>,
    /// AWS's words.
    pub deletion_policy: Option<String>,
    pub update_replace_policy: Option<String>,
    pub attributes: KeptJson<BTreeMap<String, Json>>,
    pub needs: BTreeSet<String>,
    pub stack_tags: KeptJson<BTreeMap<String, String>>,
}

/// How a resource stood when the operation began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    pub operation: String,
    pub before: Option<Arc<Live>>,
    /// Properties that an update in place was tried with, whether it succeeded or not.
    pub tried: Option<KeptJson>,
    /// The thing before had to be removed first: going back means making it anew.
    pub before_gone: bool,
}

/// How far a phase has come with a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub phase: String,
    pub action: Action,
    pub progress: Progress,
    pub since: Timestamp,
    /// The thing it is about, as it is to become (or to be deleted).
    pub target: Arc<Live>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    Create,
    Update,
    /// A new thing takes the place of the live one.
    Replace,
    /// The same, but two cannot be there at once.
    DeleteThenCreate,
    Keep,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// The call is about to be made, or was made and its answer lost.
    Begun,
    /// The thing is there and its id is kept; what belongs to it is yet to be set.
    Made,
    /// The calls are answered; the thing must settle.
    Settling,
    Done,
    Failed,
}

impl Resource {
    /// The key in the store.
    pub fn key(stack_id: &str, logical_id: &str) -> String {
        format!("{stack_id}#{logical_id}")
    }

    /// The work of a phase, if it was begun.
    pub fn work_of(&self, phase: &str) -> Option<&Work> {
        self.work.as_ref().filter(|work| work.phase == phase)
    }

    /// A thing that may be half made: the answer of its creation was never kept.
    pub fn unsure(&self) -> Option<&Work> {
        let makes = |work: &&Work| matches!(work.action, Action::Create | Action::Replace | Action::DeleteThenCreate);
        self.work.as_ref().filter(makes).filter(|work| work.progress == Progress::Begun)
    }

    /// The physical id shown to callers.
    pub fn physical_id(&self) -> Option<&str> {
        let working = self.work.as_ref().filter(|work| work.progress != Progress::Done);
        let of_work = working.and_then(|work| work.target.physical_id.as_deref());
        of_work.or_else(|| self.live.as_ref().and_then(|live| live.physical_id.as_deref()))
    }
}

/// All resources of a stack by logical id.
pub fn of_stack(reads: &impl Reads, scope: &Scope, stack_id: &str) -> Result<BTreeMap<String, Arc<Resource>>, Error> {
    let own = reads.beginning::<Resource>(scope, &Resource::key(stack_id, ""))?;
    Ok(own.into_iter().map(|(_, resource)| (resource.logical_id.clone(), resource)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as earlier versions stored it.
    const STORED: &str = include_str!("resource.json");

    #[test]
    fn a_record_is_stored_byte_for_byte_as_earlier_versions_stored_it() {
        let resource: Resource = serde_json::from_str(STORED).unwrap();
        assert_eq!(serde_json::to_string(&resource).unwrap(), STORED.trim_end());
    }
}
