//! What is kept. Desired: load balancers, listeners, rules, target groups with their registered
//! targets. Observed: a load balancer's standing and each target's health, written by the
//! controllers alone.
//!
//! Listeners and rules are records of their own, so that a change of one is a change of one; the
//! targets of a group live in it, so that registering and deregistering need no second look.

use kiln_elbv2_shapes as shapes;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Keys and values in the order they were put on.
pub type Tags = Vec<(String, String)>;

/// A load balancer as wanted. Kept under its ARN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: String,
    pub name: String,
    pub dns_name: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    pub vpc: String,
    pub zones: Vec<Zone>,
    pub security_groups: Vec<String>,
    pub created: Timestamp,
    /// Attributes that were set; the others have their defaults.
    #[serde(deserialize_with = "crate::attributes::of_load_balancer")]
    pub attributes: BTreeMap<String, String>,
    /// The loopback address of this host that its listeners' ports are opened on.
    pub address: Ipv4Addr,
    pub tags: Tags,
}

/// A zone a load balancer is enabled in, and the subnet it has its interface in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    pub zone: String,
    pub subnet: String,
}

impl Record for LoadBalancer {
    const KIND: &'static str = "elbv2/load-balancer";
    const KEYS: &'static [&'static str] = &["name", "dns-name", "address", "security-group"];
    fn keys(&self) -> Keys {
        let own = [("name", &self.name), ("dns-name", &self.dns_name)].map(|(key, text)| (key, text.clone()));
        let groups = self.security_groups.iter().map(|group| ("security-group", group.clone()));
        own.into_iter().chain([("address", self.address.to_string())]).chain(groups).collect()
    }
}

/// How a load balancer is, as its controller saw it. Outlives the load balancer until all it had
/// is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub state: State,
    pub reason: Option<String>,
    /// Its network interfaces.
    pub interfaces: Vec<String>,
}

impl Record for Standing {
    const KIND: &'static str = "elbv2/load-balancer-status";
    const KEYS: &'static [&'static str] = &["state", "interface"];
    fn keys(&self) -> Keys {
        let interfaces = self.interfaces.iter().map(|interface| ("interface", interface.clone()));
        // Few are not active; those that are, are not asked for.
        let state = (self.state != State::Active).then(|| ("state", self.state.as_str().to_owned()));
        state.into_iter().chain(interfaces).collect()
    }
}

/// AWS's states of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Provisioning,
    Active,
    ActiveImpaired,
}

impl State {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Provisioning => "provisioning",
            State::Active => "active",
            State::ActiveImpaired => "active_impaired",
        }
    }
}

/// A listener. Kept under its ARN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub arn: String,
    pub load_balancer: String,
    pub port: u16,
    #[serde(with = "kiln_protocol::stored")]
    pub actions: Vec<shapes::Action>,
    pub attributes: BTreeMap<String, String>,
    pub tags: Tags,
}

impl Record for Listener {
    const KIND: &'static str = "elbv2/listener";
    const KEYS: &'static [&'static str] = &["target-group"];
    fn keys(&self) -> Keys {
        target_groups(&self.actions)
    }
}

/// The target groups that actions lead to.
fn target_groups(actions: &[shapes::Action]) -> Keys {
    crate::actions::groups(actions).map(|group| ("target-group", group.to_owned())).collect()
}

/// A rule that is not a listener's default. Kept under its ARN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub arn: String,
    pub listener: String,
    pub priority: u32,
    #[serde(with = "kiln_protocol::stored")]
    pub conditions: Vec<shapes::RuleCondition>,
    #[serde(with = "kiln_protocol::stored")]
    pub actions: Vec<shapes::Action>,
    pub tags: Tags,
}

impl Record for Rule {
    const KIND: &'static str = "elbv2/rule";
    const KEYS: &'static [&'static str] = &["target-group"];
    fn keys(&self) -> Keys {
        target_groups(&self.actions)
    }
}

/// A target group with what is registered in it. Kept under its ARN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    pub port: u16,
    pub vpc: String,
    pub target_type: TargetType,
    pub check: HealthCheck,
    #[serde(deserialize_with = "crate::attributes::of_target_group")]
    pub attributes: BTreeMap<String, String>,
    pub targets: Vec<Target>,
    pub tags: Tags,
}

impl Record for TargetGroup {
    const KIND: &'static str = "elbv2/target-group";
    const KEYS: &'static [&'static str] = &["name", "target"];
    fn keys(&self) -> Keys {
        let targets = self.targets.iter().map(|target| ("target", target.id.clone()));
        std::iter::once(("name", self.name.clone())).chain(targets).collect()
    }
}

/// What targets are registered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    Instance,
    Ip,
}

impl TargetType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            TargetType::Instance => "instance",
            TargetType::Ip => "ip",
        }
    }
}

/// How targets are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `None`: `traffic-port`.
    pub port: Option<u16>,
    pub path: String,
    pub interval: u32,
    pub timeout: u32,
    pub healthy: u32,
    pub unhealthy: u32,
    pub matcher: String,
}

/// A registered target. Its address is looked up when it is registered: an instance keeps it for
/// life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub id: String,
    pub port: u16,
    pub ip: IpAddr,
    /// Its zone; empty for an address outside the VPC (`all`).
    pub zone: String,
    /// Deregistered; goes when its requests are finished.
    pub draining: bool,
}

/// A target's health as last seen, for whoever is woken by it (Auto Scaling). Kept under
/// [`TargetHealth::id`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    pub target_group: String,
    pub target: String,
    pub port: u16,
    pub state: String,
    pub reason: Option<String>,
    pub description: Option<String>,
}

impl TargetHealth {
    /// The record's id, see [`TargetHealthId`](kiln_elbv2_shapes::kinds::TargetHealthId).
    pub fn id(target_group: &str, target: &str, port: u16) -> String {
        kiln_elbv2_shapes::kinds::TargetHealthId { target_group, target, port }.to_string()
    }
}

impl Record for TargetHealth {
    const KIND: &'static str = kiln_elbv2_shapes::kinds::TARGET_HEALTH;
}
