//! An instance: what was asked for, what it shall be, and what was last seen of it.
//!
//! ```text
//! RunInstances ─► pending ─► running ─► stopping ─► stopped ─► pending …
//!                    │          └──────────┴────────────┴─► shutting-down ─► terminated
//!                    └─► terminated (it could not be launched)
//! ```
//!
//! `wanted` is what the caller asked for; `state` changes only because an operation asked
//! (`pending`, `stopping`, `shutting-down`) or because the controller saw it happen.

use crate::kinds::{self, Kind};
use crate::names::{ip_host, private_domain};
use crate::tags::{Tagged, Tags, check_metadata_keys};
use kiln_ids::{ImageId, InstanceId, NetworkInterfaceId, ReservationId, SubnetId, VolumeId, VpcId};
use kiln_machines_spec::MacAddr;
use kiln_service_kit::{Entry, Error, Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::time::Duration;

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub reservation: ReservationId,
    /// The service that launched it for the account, e.g. `autoscaling.amazonaws.com`.
    pub requester: Option<String>,
    pub launch_index: i32,
    pub client_token: Option<String>,
    pub image: ImageId,
    /// The image's name at the machine driver, as it was at launch.
    pub machine_image: String,
    pub architecture: String,
    pub instance_type: String,
    pub key_name: Option<String>,
    /// Lines for authorized_keys: the key pair's public key as it was at launch.
    pub ssh_keys: Vec<String>,
    /// base64, as given.
    pub user_data: Option<String>,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: String,
    pub ip: Ipv4Addr,
    pub mac: MacAddr,
    pub interface: NetworkInterfaceId,
    /// The interfaces attached beside the first one.
    #[serde(default)]
    pub more_interfaces: Vec<NetworkInterfaceId>,
    pub volume: VolumeId,
    pub root_device: String,
    pub profile: Option<ProfileAssociation>,
    pub options: InstanceOptions,
    pub metadata: MetadataOptions,
    pub wanted: Wanted,
    pub state: InstanceState,
    pub state_since: Timestamp,
    /// e.g. `User initiated (2026-01-02 03:04:05 GMT)`; empty while nothing was asked.
    pub transition_reason: String,
    pub reason: Option<Reason>,
    /// Set when its machine died by itself; status checks show it.
    pub impaired: Option<Impaired>,
    /// Whether its machine was made.
    pub launched: bool,
    /// The machine's boots when it was last seen running.
    pub boots: u32,
    pub reboot_wanted: bool,
    /// Whether the stop or end that is wanted is to cut the power at once.
    #[serde(default)]
    pub skip_os_shutdown: bool,
    /// Failed tries to launch or start, and the last one with all its causes, for who asks on the host.
    pub launch_failures: u32,
    pub last_failure: Option<String>,
    /// The same for callers.
    #[serde(default)]
    pub last_reason: Option<String>,
    /// When to try again after a failure.
    pub retry_at: Option<Timestamp>,
    /// The image that is being taken of it now: its machine belongs to the image controller.
    pub captured_by: Option<ImageId>,
    pub launch_time: Timestamp,
    pub tags: Tags,
}

/// What the caller wants it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    Running,
    Stopped,
    Terminated,
}

/// AWS's states of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
    /// The low byte of AWS's state code.
    pub fn code(self) -> i32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// AWS's `StateReason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub message: String,
}

impl Reason {
    /// As AWS writes them: the message begins with the code.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), message: format!("{code}: {text}") }
    }
}

/// Since when and why a status check fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impaired {
    pub since: Timestamp,
    pub text: String,
}

/// Options that only AWS's answers and a few checks look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceOptions {
    pub disable_api_termination: bool,
    pub disable_api_stop: bool,
    /// What a shutdown from inside means: terminate (true) or stop.
    pub terminate_on_shutdown: bool,
    pub ebs_optimized: bool,
    /// Points each minute, not each five.
    #[serde(default)]
    pub detailed_monitoring: bool,
    /// Its image's, until it is changed.
    #[serde(default = "yes")]
    pub ena_support: bool,
    /// `ip-name` or `resource-name`.
    pub hostname_type: String,
    pub resource_name_dns_a: bool,
    /// `default` or `disabled`; there is no other host to recover on, so neither does anything.
    pub auto_recovery: String,
    /// `open` or `none`; there are no reservations to use or to avoid.
    #[serde(default = "open")]
    pub capacity_reservation_preference: String,
}

#[cfg(test)]
impl InstanceOptions {
    /// Those of an instance for which nothing was asked.
    pub fn plain() -> Self {
        InstanceOptions {
            disable_api_termination: false,
            disable_api_stop: false,
            terminate_on_shutdown: false,
            ebs_optimized: false,
            detailed_monitoring: false,
            ena_support: yes(),
            hostname_type: "ip-name".to_owned(),
            resource_name_dns_a: false,
            auto_recovery: "default".to_owned(),
            capacity_reservation_preference: open(),
        }
    }
}

fn yes() -> bool {
    true
}

fn open() -> String {
    "open".to_owned()
}

/// How the metadata service answers this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    pub tokens_required: bool,
    pub hop_limit: i32,
    pub enabled: bool,
    pub tags_enabled: bool,
}

/// An instance profile on an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileAssociation {
    /// `iip-assoc-…`
    pub association: String,
    pub arn: String,
    pub id: String,
    pub at: Timestamp,
}

impl ProfileAssociation {
    /// The profile's name: the last part of its ARN.
    pub fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }
}

impl Instance {
    /// Its name in the VPC's DNS.
    pub fn private_dns_name(&self, region: &str) -> String {
        let host = match self.options.hostname_type.as_str() {
            "resource-name" => self.id.to_string(),
            _ => ip_host(self.ip),
        };
        format!("{host}.{}", private_domain(region))
    }

    /// The machine's host name: the first label of its private DNS name.
    pub fn host_name(&self) -> String {
        match self.options.hostname_type.as_str() {
            "resource-name" => self.id.to_string(),
            _ => ip_host(self.ip),
        }
    }

    pub fn is_terminated(&self) -> bool {
        self.state == InstanceState::Terminated
    }
}

impl Record for Instance {
    const KIND: &'static str = kiln_ec2_shapes::kinds::INSTANCE;
    const KEYS: &'static [&'static str] =
        &["vpc-id", "subnet-id", "reservation-id", "machine image", "profile association"];
    fn keys(&self) -> Keys {
        let profile = self.profile.iter().map(|profile| ("profile association", profile.association.clone()));
        let own = [
            ("vpc-id", self.vpc.to_string()),
            ("subnet-id", self.subnet.to_string()),
            ("reservation-id", self.reservation.to_string()),
            ("machine image", self.machine_image.clone()),
        ];
        own.into_iter().chain(profile).collect()
    }
}

impl Tagged for Instance {
    const THING: &'static Kind = &kinds::INSTANCE;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
    fn check_tags(&self) -> Result<(), Error> {
        if self.metadata.tags_enabled { check_metadata_keys(&self.tags) } else { Ok(()) }
    }
}

/// What a terminated instance's console held: kept as long as the instance is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsoleOutput {
    /// base64
    pub output: String,
    pub at: Timestamp,
}

/// History of the instance, in the stream of its id.
impl Entry for ConsoleOutput {
    const KIND: &'static str = "ec2/console-output";
    // It is noted a little before the instance is terminated; GetConsoleOutput: "available for at least one hour
    // after the most recent post".
    const KEPT: Duration = Duration::from_secs(2 * SHOWN_AFTER_END.as_secs());
}

/// How long a terminated instance stays visible, as on EC2.
pub const SHOWN_AFTER_END: Duration = Duration::from_secs(3600);

/// As it was kept before there was a journal; see `moved.rs`.
impl Record for ConsoleOutput {
    const KIND: &'static str = "ec2/console-output";
}
