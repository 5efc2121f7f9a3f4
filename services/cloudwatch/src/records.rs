//! What cloudwatch keeps.

use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

/// What is kept of one; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
}

impl Record for Metric {
    const KIND: &'static str = "cloudwatch/metric";
}
