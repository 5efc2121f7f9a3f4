//! A wait condition and its handle: whom the handle's URL lets in, what was said there, and since
//! when the condition waits.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A handle; its id in the store is the token of its creation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitHandle {
    /// Who knows this text may signal: it is in the URL and nowhere else.
    pub signature: String,
    /// By unique id; the first with an id counts.
    pub signals: BTreeMap<String, WaitSignal>,
}

impl Record for WaitHandle {
    const KIND: &'static str = "cloudformation/wait-handle";
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitSignal {
    pub success: bool,
    pub reason: String,
    pub data: String,
}

/// A wait condition; its id in the store is its physical id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitCondition {
    pub since: Timestamp,
    /// What it was made with.
    #[serde(default)]
    pub properties: serde_json::Value,
}

impl Record for WaitCondition {
    const KIND: &'static str = "cloudformation/wait-condition";
}
