//! Which instances a copy of the database has: their machines are what belongs to it.

use super::records::Instance;
use kiln_service_kit::{Store, StoreError};
use std::collections::BTreeSet;
use std::path::Path;

/// Their ids, which are also their machines'. Blocks.
///
/// # Errors
/// The copy cannot be read.
pub fn instances_in_copy(copy: &Path) -> Result<BTreeSet<String>, StoreError> {
    Store::ids_in_copy::<Instance>(copy)
}
