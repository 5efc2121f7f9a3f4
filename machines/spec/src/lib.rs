//! What a machine is, and what any driver of machines can do.
//!
//! Kiln's services say what they want in these types; a driver makes it so.
//! There are two drivers: `machines/local` (real isolated Linux machines on
//! this host) and `machines/sim` (thousands of simulated ones, moved by a hand
//! clock). Both stand behind [`MachineDriver`].
//!
//! ```text
//!   services ── MachineSpec, VpcSpec ──► MachineDriver ──► processes, mounts, packets
//!            ◄── MachineStatus, MachineEvent ──
//! ```
//!
//! Nothing here knows an AWS service or does I/O: ids are plain strings that
//! the caller chose, a network is described whole and the driver finds out
//! what to change. Decided: one trait for images, machines and networks, since
//! a machine needs all three at once and half a driver helps nobody.

mod address;
mod copy;
mod driver;
mod error;
mod hold;
mod image;
mod machine;
mod names;
mod network;
mod seed;

pub use address::{Cidr, CidrError, MacAddr};
pub use copy::{Copied, Kept};
pub use driver::{ExitEvents, Leftovers, MachineDriver};
pub use error::{DriverError, DriverResult};
pub use hold::{ImageHold, ImageHolds, ImageRemoval};
pub use image::{BaseRecipe, Entry, ImageManifest, ImageSource, LayerRef, NoProgress, Program, Progress};
pub use machine::{
    ExecOutput, ExecRequest, ExitCause, ExitInfo, ExtraInterface, InjectedFile, MachineEvent, MachineSpec,
    MachineState, MachineStats, MachineStatus, SMALLEST_DISK,
};
pub use names::{GroupId, ImageId, LayerDigest, MachineId, SubnetId, VpcId, ZoneName};
pub use network::{
    AclRule, AclSpec, Direction, InterfaceOwner, InterfaceSpec, Peer, PortRange, Protocol, Rule, SecondaryAddress,
    SecurityGroupSpec, SubnetSpec, VpcSpec,
};
pub use seed::{SEED_DIR, SEED_FILE, Seed};
