//! A machine image, and the snapshot that holds its bytes.
//!
//! As in AWS the two are apart: deregistering an image leaves the snapshot, from which it can be
//! registered again; deleting the snapshot is what frees the layers. Public images (the base image,
//! imports) are kept once, in [`public_scope`], and seen from every account and region.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{ImageId, InstanceId, SnapshotId, VolumeId};
use kiln_service_kit::{Keys, Record, Scope, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instances::records::Reason;

/// Where images live that every account and region sees.
pub fn public_scope() -> Scope {
    Scope::new("public", "")
}

/// A machine image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    pub name: String,
    pub description: Option<String>,
    /// The owner's account id.
    pub owner: String,
    /// `amazon` for the images that come with Kiln.
    pub owner_alias: Option<String>,
    /// AWS's name: `x86_64`, `arm64`.
    pub architecture: String,
    pub root_device: String,
    pub size_gib: i32,
    pub volume_type: String,
    pub snapshot: SnapshotId,
    pub state: ImageState,
    pub reason: Option<Reason>,
    /// The image's name at the machine driver, once there is one.
    pub machine_image: Option<String>,
    pub origin: ImageOrigin,
    pub public: bool,
    /// Accounts that may launch it.
    pub launch_accounts: Vec<String>,
    /// `v2.0`: instances of it require metadata tokens unless they say otherwise.
    pub imds_v2: bool,
    /// What is said of its network drivers; RegisterImage's caller says it, nothing here depends on it.
    #[serde(default = "yes")]
    pub ena_support: bool,
    #[serde(default)]
    pub sriov_net_support: Option<String>,
    pub created: Timestamp,
    pub tags: Tags,
}

fn yes() -> bool {
    true
}

/// AWS's states of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    Pending,
    Available,
    Failed,
}

impl ImageState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }
}

/// How an image came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageOrigin {
    /// Built or imported by Kiln.
    Provided,
    /// CreateImage; `reboot`: the machine is stopped for it and started again.
    Instance { instance: InstanceId, reboot: bool },
    /// CopyImage.
    Copy { image: ImageId, region: String },
    /// RegisterImage from a snapshot.
    Registered,
    /// `kiln image alias`: an image under the name and owner of another.
    StandIn { image: ImageId, like: String },
}

impl Record for Image {
    const KIND: &'static str = "ec2/image";
    const KEYS: &'static [&'static str] = &["name", "snapshot"];
    fn keys(&self) -> Keys {
        vec![("name", self.name.clone()), ("snapshot", self.snapshot.to_string())]
    }
}

impl Tagged for Image {
    const THING: &'static Kind = &kinds::IMAGE;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

/// A snapshot: always one that an image was made with, as only root disks are snapshotted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: SnapshotId,
    /// The volume it was taken of; AWS shows `vol-ffffffff` for copies and provided images.
    pub volume: Option<VolumeId>,
    pub description: String,
    pub owner: String,
    pub owner_alias: Option<String>,
    pub size_gib: i32,
    pub architecture: String,
    pub state: SnapshotState,
    pub state_message: Option<String>,
    pub machine_image: Option<String>,
    /// Bytes of all layers.
    pub bytes: Option<u64>,
    pub started: Timestamp,
    pub completed: Option<Timestamp>,
    pub tags: Tags,
}

/// AWS's states of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    Pending,
    Completed,
    Error,
}

impl SnapshotState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

impl Record for Snapshot {
    const KIND: &'static str = "ec2/snapshot";
    const KEYS: &'static [&'static str] = &["machine image"];
    fn keys(&self) -> Keys {
        self.machine_image.iter().map(|image| ("machine image", image.clone())).collect()
    }
}

impl Tagged for Snapshot {
    const THING: &'static Kind = &kinds::SNAPSHOT;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

/// An image of the machine driver that lost a snapshot: its controller removes the bytes once no
/// other snapshot holds them. The record's id is the driver's image id, in [`public_scope`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscardedImage {
    pub at: Timestamp,
}

impl Record for DiscardedImage {
    const KIND: &'static str = "ec2/discarded-image";
}
