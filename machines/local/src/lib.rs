//! Real machines on this Linux host: images, isolation and networks behind
//! [`kiln_machines_spec::MachineDriver`].
//!
//! ```text
//! machines/   a machine's life: launch, watch, stop, capture, adopt
//!    ├── images/    content-addressed EROFS layers; base, import, capture
//!    ├── network/   one router namespace per VPC; security groups
//!    ├── runtime/   the OCI bundle and crun
//!    └── host/      the kernel's facilities, each behind a small interface
//! ```
//!
//! All that must survive a `kill -9` of kiln is in files under the state
//! directory or in the kernel (control groups, namespaces). [`LocalDriver::open`]
//! followed by `adopt` finds it again.
//!
//! Knows no AWS service.

mod blocking;
mod driver;
mod host;
mod images;
mod machines;
mod network;
mod preflight;
mod runtime;
mod state;

pub use driver::LocalDriver;
pub use preflight::preflight;
pub use state::LocalConfig;
