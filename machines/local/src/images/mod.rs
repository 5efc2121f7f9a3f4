//! Images on this host.
//!
//! ```text
//! images/layers/sha256-….erofs   one file per layer, named by its digest
//! images/layers/sha256-….seen    size and times of that file when its digest was last checked
//! images/manifests/img-….json    which layers, and what runs first
//! images/bases/DIGEST.json       recipe -> image
//! images/work/                   half-made things; emptied at start
//! ```
//!
//! A layer is never changed. It is mounted once, straight from its file, and
//! shared by every machine that has it.

mod base;
mod layers;
mod oci;
mod registry;
mod sources;
mod store;
mod unpack;

pub use base::GUEST_PATH;
pub use layers::PackOptions;
pub use store::{ARCHITECTURE, ImageStore};
