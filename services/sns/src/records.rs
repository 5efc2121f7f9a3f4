//! What sns keeps.

use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

/// What is kept of one; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
}

impl Record for Topic {
    const KIND: &'static str = "sns/topic";
}
