//! What a machine finds about itself at `/run/kiln/seed.json` when it boots.
//!
//! The driver writes it, the guest reads it. It is mounted read-only, made new
//! for every boot, and never part of an image.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Folder inside the machine.
pub const SEED_DIR: &str = "/run/kiln";
/// The seed's file in that folder.
pub const SEED_FILE: &str = "seed.json";

/// The seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Version of this form.
    pub version: u32,
    /// The machine's id. A guest that finds another id in its own marker file
    /// runs in a machine made from a captured image and starts afresh.
    pub instance_id: String,
    /// The host name.
    pub hostname: String,
    /// The domain it is in.
    #[serde(default)]
    pub domain: Option<String>,
    /// Lines for authorized_keys.
    pub ssh_authorized_keys: Vec<String>,
    /// Absolute path, inside the machine, of the user data; none if there is none.
    pub user_data_path: Option<String>,
    /// Whether this is the first boot of this machine.
    pub first_boot: bool,
    /// Counted from 1.
    pub boot: u32,
    /// Absolute path, inside the machine, of the console: append to it.
    pub console_path: String,
    /// The spec's environment.
    pub environment: BTreeMap<String, String>,
    /// The machine's address.
    pub private_ip: String,
}
