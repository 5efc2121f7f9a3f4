//! A group: what is wanted of it. Its instances are records of their own, so that a change to one
//! does not rewrite the others.

use super::{Hook, Launch, Template};
use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kept under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    /// The UUID in its ARN.
    pub uuid: String,
    pub created: Timestamp,
    pub launch_template: Option<Template>,
    pub launch_configuration: Option<String>,
    pub min: i32,
    pub max: i32,
    pub desired: i32,
    pub cooldown: i32,
    /// Zones by name. With subnets: the subnets' zones.
    pub zones: Vec<String>,
    /// Subnet and its zone, in the order given; empty where the group names zones only.
    pub subnets: Vec<(String, String)>,
    pub target_groups: Vec<TargetGroup>,
    /// `EC2`, `ELB` or `EC2,ELB`, as given.
    pub health_check_type: String,
    pub grace_period: i32,
    pub termination_policies: Vec<String>,
    pub new_instances_protected: bool,
    pub suspended: Vec<Suspension>,
    pub tags: Vec<GroupTag>,
    pub hooks: Vec<Hook>,
    pub default_instance_warmup: Option<i32>,
    pub context: Option<String>,
    pub capacity_rebalance: bool,
    pub enabled_metrics: Vec<String>,
    pub service_linked_role: Option<String>,
    /// Sentences for the next activities' causes: why the desired capacity is what it is.
    pub reason: Option<String>,
    /// When the last activity that changed the capacity ended: cooldown counts from it.
    pub last_scaling: Option<Timestamp>,
    /// Launches that were decided and have no instance yet.
    pub launches: Vec<Launch>,
    /// How many launches were decided so far: their numbers.
    pub launch_count: u64,
    /// Failed launches in a row, and when the next may be tried.
    pub launch_failures: u32,
    pub launch_not_before: Option<Timestamp>,
    /// Failed launches in a row by zone: other zones are tried first.
    #[serde(default)]
    pub zone_failures: BTreeMap<String, u32>,
    pub deleting: bool,
}

impl Record for Group {
    const KIND: &'static str = "autoscaling/group";
}

impl Group {
    /// The group's ARN.
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{}:autoScalingGroupName/{}",
            self.uuid, self.name
        )
    }

    /// Whether a process is suspended.
    pub fn is_suspended(&self, process: Process) -> bool {
        self.suspended.iter().any(|s| s.process == process.name())
    }

    /// Whether the load balancer's health checks decide too.
    pub fn uses_elb_health(&self) -> bool {
        self.health_check_type.split(',').any(|t| t.trim() == "ELB")
    }

    /// Target groups that instances shall be in.
    pub fn wanted_target_groups(&self) -> impl Iterator<Item = &TargetGroup> {
        self.target_groups.iter().filter(|t| t.state != TargetGroupState::Removing)
    }

    /// Remembers a change of the desired capacity for the causes of what follows from it.
    pub fn because(&mut self, sentence: String) {
        self.reason = Some(match self.reason.take() {
            Some(before) => format!("{before}  {sentence}"),
            None => sentence,
        });
    }
}

/// A target group that the group's instances are registered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: String,
    pub state: TargetGroupState,
}

/// AWS's states of an attached target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetGroupState {
    /// Instances are being registered.
    Adding,
    /// All instances are registered.
    Added,
    /// At least one instance passed the load balancer's health check.
    InService,
    /// Instances are being deregistered.
    Removing,
}

impl TargetGroupState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Adding => "Adding",
            Self::Added => "Added",
            Self::InService => "InService",
            Self::Removing => "Removing",
        }
    }
}

/// A suspended process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub process: String,
    pub reason: String,
}

/// The processes that can be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    Launch,
    Terminate,
    AddToLoadBalancer,
    AlarmNotification,
    AzRebalance,
    HealthCheck,
    InstanceRefresh,
    ReplaceUnhealthy,
    ScheduledActions,
}

impl Process {
    pub const ALL: [Process; 9] = [
        Self::Launch,
        Self::Terminate,
        Self::AddToLoadBalancer,
        Self::AlarmNotification,
        Self::AzRebalance,
        Self::HealthCheck,
        Self::InstanceRefresh,
        Self::ReplaceUnhealthy,
        Self::ScheduledActions,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Terminate => "Terminate",
            Self::AddToLoadBalancer => "AddToLoadBalancer",
            Self::AlarmNotification => "AlarmNotification",
            Self::AzRebalance => "AZRebalance",
            Self::HealthCheck => "HealthCheck",
            Self::InstanceRefresh => "InstanceRefresh",
            Self::ReplaceUnhealthy => "ReplaceUnhealthy",
            Self::ScheduledActions => "ScheduledActions",
        }
    }
}

/// A tag of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTag {
    pub key: String,
    pub value: String,
    pub propagate: bool,
}
