//! What was done, why, and how it went.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Kept under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub id: String,
    pub group: String,
    /// The group's UUID: a later group of the same name is another one.
    pub group_uuid: String,
    pub description: String,
    pub cause: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub status: Status,
    pub message: Option<String>,
    pub progress: i32,
    pub zone: String,
    pub subnet: Option<String>,
}

impl Record for Activity {
    const KIND: &'static str = "autoscaling/activity";
}

impl Activity {
    /// Ends it.
    pub fn finish(&mut self, status: Status, message: Option<String>, at: Timestamp) {
        self.status = status;
        self.message = message;
        self.progress = 100;
        self.end = Some(at);
    }

    /// AWS's `Details`: a JSON text.
    pub fn details(&self) -> String {
        let mut details = serde_json::Map::new();
        if let Some(subnet) = &self.subnet {
            details.insert("Subnet ID".into(), subnet.as_str().into());
        }
        details.insert("Availability Zone".into(), self.zone.as_str().into());
        serde_json::Value::Object(details).to_string()
    }
}

/// AWS's status codes that Kiln reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    WaitingForInstanceId,
    PreInService,
    InProgress,
    MidLifecycleAction,
    WaitingForElbConnectionDraining,
    Successful,
    Failed,
    Cancelled,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::WaitingForInstanceId => "WaitingForInstanceId",
            Self::PreInService => "PreInService",
            Self::InProgress => "InProgress",
            Self::MidLifecycleAction => "MidLifecycleAction",
            Self::WaitingForElbConnectionDraining => "WaitingForELBConnectionDraining",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}
