//! The OCI runtime: the bundle a machine is described by, and the calls to `crun`.

mod bundle;
mod crun;
mod sealed;
mod seccomp;
mod users;

pub use bundle::{Bundle, CONSOLE, CONSOLE_FLAGS, GUEST, GUEST_FLAGS, SEED, SEED_FLAGS};
pub use crun::Crun;
pub use users::numbers_of;
