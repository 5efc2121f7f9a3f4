//! A launch configuration: never changes once made.

use kiln_service_kit::{Record, Timestamp, regions};
use serde::{Deserialize, Serialize};

/// Kept under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchConfiguration {
    pub name: String,
    pub uuid: String,
    pub created: Timestamp,
    pub image: String,
    pub instance_type: String,
    pub key_name: Option<String>,
    pub security_groups: Vec<String>,
    /// base64, as given.
    pub user_data: Option<String>,
    pub devices: Vec<Device>,
    pub monitoring: bool,
    pub profile: Option<String>,
    pub ebs_optimized: bool,
    pub public_address: Option<bool>,
    pub http_tokens: Option<String>,
    pub http_hop_limit: Option<i32>,
    pub http_endpoint: Option<String>,
}

impl Record for LaunchConfiguration {
    const KIND: &'static str = "autoscaling/launch-configuration";
}

impl LaunchConfiguration {
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!(
            "arn:{}:autoscaling:{region}:{account}:launchConfiguration:{}:launchConfigurationName/{}",
            regions::partition_of(region).name,
            self.uuid,
            self.name
        )
    }
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    pub size: Option<i32>,
    pub kind: Option<String>,
    pub delete_on_termination: Option<bool>,
    pub snapshot: Option<String>,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
    pub encrypted: Option<bool>,
    /// The image's device of that name is left out.
    #[serde(default)]
    pub left_out: bool,
}
