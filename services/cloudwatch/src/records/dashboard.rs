//! A dashboard; its id in the store is its name. Dashboards are of an account, in no region.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub name: String,
    pub body: String,
    pub modified: Timestamp,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Record for Dashboard {
    const KIND: &'static str = "cloudwatch/dashboard";
}
