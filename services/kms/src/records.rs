//! What kms keeps.

use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

/// What is kept of one; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    pub name: String,
}

impl Record for Key {
    const KIND: &'static str = "kms/key";
}
