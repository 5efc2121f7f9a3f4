//! Images: an ordered list of immutable layers and how a machine made of them starts.

use crate::{ImageId, LayerDigest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What runs as the machine's first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Entry {
    /// systemd boots the machine; the guest runs inside as a unit.
    Systemd,
    /// One program is the machine; nothing else runs in it.
    Program(Program),
}

/// A program that is a machine's first process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its environment, on top of PATH, HOME and HOSTNAME.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where it starts; `/` if none.
    #[serde(default)]
    pub cwd: Option<String>,
    /// `user`, `uid`, `user:group` or `uid:gid` inside the machine; root if none.
    #[serde(default)]
    pub user: Option<String>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// Digest of the layer's bytes; its name.
    pub digest: LayerDigest,
    /// Size of those bytes.
    pub bytes: u64,
}

/// Where an image came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ImageSource {
    /// The base image, built on this host by this recipe.
    Base {
        /// Digest of the recipe.
        recipe: String,
    },
    /// An OCI layout or a docker archive.
    Import {
        /// Its path when it was imported.
        from: String,
    },
    /// A machine's changes on top of its own image.
    Capture {
        /// The machine.
        machine: String,
        /// The image it ran.
        parent: ImageId,
    },
    /// A directory packed into one layer.
    Directory {
        /// Its path when it was packed.
        from: String,
    },
}

/// All there is to know about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageManifest {
    /// Digest of layers, entry and environment.
    pub id: ImageId,
    /// A name for people.
    pub name: String,
    /// From the lowest to the uppermost.
    pub layers: Vec<LayerRef>,
    /// What a machine made of it runs.
    pub entry: Entry,
    /// `amd64`, `arm64` …
    pub architecture: String,
    /// Where it came from.
    pub source: ImageSource,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
}

impl ImageManifest {
    /// Size of all layers together.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|l| l.bytes).sum()
    }
}

/// What the base image is made of. Its digest is the key of the cache, so a
/// change here builds a new base image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRecipe {
    /// Debian's release.
    pub suite: String,
    /// Packages on top of the minimal set.
    pub packages: Vec<String>,
}

impl Default for BaseRecipe {
    fn default() -> Self {
        let packages =
            ["systemd", "systemd-sysv", "openssh-server", "python3", "curl", "iproute2", "ca-certificates", "procps"];
        Self { suite: "bookworm".into(), packages: packages.map(String::from).to_vec() }
    }
}

/// Hears how long work goes on. `fraction` is between 0 and 1, or none when
/// nobody can know.
pub trait Progress: Send + Sync {
    /// One more thing happened.
    fn step(&self, text: &str, fraction: Option<f32>);
}

/// Progress that nobody listens to.
pub struct NoProgress;

impl Progress for NoProgress {
    fn step(&self, _text: &str, _fraction: Option<f32>) {}
}
