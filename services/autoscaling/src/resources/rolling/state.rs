//! How far a rolling update of an Auto Scaling group has come. It is part of the group's record, so
//! that a restart goes on where the last write ended.

use kiln_service_kit::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A rolling update. It ends when the update of the group is complete; what a failed one leaves here
/// tells the next update which sizes and processes the group had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roll {
    /// The phase of work it belongs to.
    pub phase: String,
    pub began: Timestamp,
    /// What the group was before it was touched.
    pub found: Sizes,
    /// What it is in the end.
    pub last: Sizes,
    /// MinSize and DesiredCapacity meanwhile.
    pub meanwhile: i32,
    /// The event about it is written.
    pub sized: bool,
    /// Instances that are replaced at a time, and those that serve all the while.
    pub batch: i32,
    pub floor: i32,
    /// What instances shall be made from.
    pub wanted: Wanted,
    /// Instances that were made otherwise when it began.
    pub obsolete: BTreeSet<String>,
    /// Instances that are not new any more: those that were right already, and those of earlier batches.
    pub known: BTreeSet<String>,
    /// How many were right already.
    pub kept: u64,
    /// Instances that are being terminated, and whether the desired capacity goes down with each.
    pub leaving: BTreeMap<String, bool>,
    pub waiting: Option<Batch>,
    /// Signals of batches that are closed.
    pub successes: u64,
    pub failures: u64,
    /// Unique ids that were counted, other than those of instances.
    pub spent: BTreeSet<String>,
    /// Processes that it suspended, to be resumed in the end.
    pub suspended: Vec<String>,
    /// The last sizes are set and the processes resumed.
    pub closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub min: i32,
    pub max: i32,
    pub desired: i32,
}

/// New instances that are waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub instances: BTreeSet<String>,
    pub since: Timestamp,
    /// That signals are missing was told.
    pub told: bool,
}

/// What the group launches instances from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wanted {
    pub configuration: Option<String>,
    pub template: Option<String>,
    /// Its number; none where the group follows the newest or the default version.
    pub version: Option<String>,
}
