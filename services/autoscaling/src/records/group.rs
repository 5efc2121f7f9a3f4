//! A group: what is wanted of it. Its instances are records of their own, so that a change to one
//! does not rewrite the others.

use super::{Hook, Launch, Template};
use kiln_service_kit::{Keys, Record, Timestamp, regions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// Who is told of launches and terminations.
    #[serde(default)]
    pub notifications: Vec<Notification>,
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
    /// Instances that began to leave because they are unhealthy, less the launches that were decided
    /// to make up for them. Below zero between the two halves of one pass.
    #[serde(default)]
    pub to_replace: i32,
    /// How many launches were decided so far: their numbers.
    pub launch_count: u64,
    /// How often launches failed in a row with no zone left to try, and when the next may be tried.
    pub launch_failures: u32,
    pub launch_not_before: Option<Timestamp>,
    /// When `launch_failures` was last counted up.
    #[serde(default)]
    pub launch_failed: Option<Timestamp>,
    /// Zones in which the last launch failed: others are tried first.
    #[serde(default)]
    pub troubles: BTreeMap<String, Trouble>,
    pub deleting: bool,
}

/// A topic that is told, and of what (`autoscaling:EC2_INSTANCE_LAUNCH` …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub topic: String,
    pub events: Vec<String>,
}

impl Record for Group {
    const KIND: &'static str = "autoscaling/group";
    const KEYS: &'static [&'static str] = &["launch-configuration"];
    fn keys(&self) -> Keys {
        let launches = self.launches.iter().filter_map(|launch| launch.configuration.as_ref());
        let configurations = self.launch_configuration.iter().chain(launches);
        configurations.map(|name| ("launch-configuration", name.clone())).collect()
    }
}

impl Group {
    /// The group's ARN.
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!(
            "arn:{}:autoscaling:{region}:{account}:autoScalingGroup:{}:autoScalingGroupName/{}",
            regions::partition_of(region).name,
            self.uuid,
            self.name
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

    /// The trouble of a zone in which the last launch failed, while it is to be avoided.
    pub fn trouble(&self, zone: &str, now: Timestamp) -> Option<&Trouble> {
        self.troubles.get(zone).filter(|trouble| trouble.until > now)
    }

    /// Notes that a launch which was decided at `decided` failed in a zone. The zone is avoided for
    /// 10, 20, 40 … seconds, at most five minutes; launches that were decided together count once.
    /// When no other zone is left the next launch waits ([`Group::put_off`]), except for one that
    /// would only balance the zones.
    pub fn failed_in(&mut self, zone: &str, decided: Timestamp, rebalance: bool, now: Timestamp) {
        let before = self.troubles.get(zone);
        if before.is_none_or(|trouble| decided > trouble.last) {
            let count = before.map_or(1, |trouble| trouble.count + 1);
            let seconds = 10u64.saturating_mul(2u64.saturating_pow(count - 1)).min(300);
            let until = now + Duration::from_secs(seconds);
            self.troubles.insert(zone.to_owned(), Trouble { count, last: now, until });
        }
        if !rebalance && self.zones.iter().all(|zone| self.trouble(zone, now).is_some()) {
            self.put_off(decided, now);
        }
    }

    /// The next launch waits 1, 2, 4 … seconds, at most five minutes. Launches that were decided
    /// together count once.
    pub fn put_off(&mut self, decided: Timestamp, now: Timestamp) {
        if self.launch_failed.is_some_and(|last| decided <= last) {
            return;
        }
        let seconds = 2u64.pow(self.launch_failures.min(9)).min(300);
        self.launch_failures += 1;
        self.launch_failed = Some(now);
        self.launch_not_before = Some(now + Duration::from_secs(seconds));
    }

    /// Remembers a change of the desired capacity for the causes of what follows from it.
    pub fn because(&mut self, sentence: String) {
        self.reason = Some(match self.reason.take() {
            Some(before) => format!("{before}  {sentence}"),
            None => sentence,
        });
    }
}

/// Failed launches in a row in one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub count: u32,
    /// When it was last counted up.
    pub last: Timestamp,
    /// Until then other zones are tried first, and nothing is moved there.
    pub until: Timestamp,
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
