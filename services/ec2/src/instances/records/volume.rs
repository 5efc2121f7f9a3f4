//! A volume: in Kiln always the root disk of an instance, i.e. what its machine changes on top of its image.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{InstanceId, SnapshotId, VolumeId};
use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub id: VolumeId,
    pub instance: InstanceId,
    pub device: String,
    pub delete_on_termination: bool,
    pub snapshot: SnapshotId,
    /// The size its machine sees and cannot go beyond.
    pub size_gib: i32,
    pub volume_type: String,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
    pub zone: String,
    pub created: Timestamp,
    pub attached: Timestamp,
    pub tags: Tags,
}

impl Record for Volume {
    const KIND: &'static str = "ec2/volume";
}

impl Tagged for Volume {
    const THING: &'static Kind = &kinds::VOLUME;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
