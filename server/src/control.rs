//! What the control socket looks at and changes.

use crate::backups::Backups;
use crate::base_image::BaseImage;
use kiln_machines_spec::MachineDriver;
use kiln_service_kit::Platform;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Whether and how kiln was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    No,
    KeepMachines,
    WithMachines,
}

/// What the control socket looks at.
pub struct Control {
    pub platform: Arc<Platform>,
    pub driver: Arc<dyn MachineDriver>,
    pub base_image: Arc<BaseImage>,
    /// Machines are simulated, in this process.
    pub simulated: bool,
    pub endpoint: String,
    pub started: Instant,
    /// Imports in progress, by the image's name.
    pub imports: Mutex<BTreeMap<String, Arc<BaseImage>>>,
    pub stop: watch::Sender<Stop>,
    pub state_dir: PathBuf,
    pub backups: Arc<Backups>,
}
