//! Something an alarm set in motion that is not done yet: noted in the transaction of the change of state.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};

/// One; its id begins with its place in the order of everything that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub alarm: String,
    pub alarm_type: String,
    pub arn: String,
    /// Instances that it is about.
    pub instances: Vec<String>,
    pub noted: Timestamp,
    pub tries: u32,
    /// When it is tried next.
    pub due: Timestamp,
    pub failed: Option<String>,
}

impl Record for Action {
    const KIND: &'static str = "cloudwatch/action";
}
