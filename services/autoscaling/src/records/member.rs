//! An instance of a group.
//!
//! ```text
//! Pending ─► (Pending:Wait ─► Pending:Proceed) ─► InService ⇄ Standby
//!                                                  │    └──► Detaching ─► gone from the group
//! any ─► Terminating ─► (Terminating:Wait ─► Terminating:Proceed) ─► gone with its machine
//! ```

use super::{Action, Template};
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Kept under the instance's id: a change of an EC2 instance finds its group by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub id: String,
    pub group: String,
    pub zone: String,
    pub subnet: Option<String>,
    pub instance_type: String,
    pub image: String,
    pub template: Option<Template>,
    pub configuration: Option<String>,
    pub lifecycle: Lifecycle,
    pub health: Health,
    /// Why it is unhealthy.
    pub unhealthy: Option<Unhealthy>,
    pub protected: bool,
    pub rebalance: bool,
    pub launched: Timestamp,
    /// When it came into service: the grace period counts from it.
    pub in_service: Option<Timestamp>,
    /// The activity under way.
    pub activity: Option<String>,
    /// Target groups it was registered with.
    pub registered: Vec<String>,
    /// Target groups it was deregistered from and whose connections may still drain.
    pub draining: Vec<String>,
    /// Target groups it was deliberately not registered with (AddToLoadBalancer was suspended).
    pub left_out: Vec<String>,
    /// The hook it waits for.
    pub action: Option<Action>,
    /// Hooks of the present transition that are done.
    pub hooks_done: Vec<String>,
    /// TerminateInstances was called.
    pub terminate_called: bool,
}

impl Record for Member {
    const KIND: &'static str = "autoscaling/instance";
    const KEYS: &'static [&'static str] = &["group"];
    fn keys(&self) -> Keys {
        vec![("group", self.group.clone())]
    }
}

impl Member {
    /// Whether it counts towards the desired capacity.
    pub fn counts(&self) -> bool {
        use Lifecycle::*;
        match self.lifecycle {
            Pending | PendingWait | PendingProceed => !self.rebalance,
            InService => true,
            _ => false,
        }
    }

    pub fn is_pending(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::PendingProceed)
    }

    pub fn is_terminating(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Terminating | Lifecycle::TerminatingWait | Lifecycle::TerminatingProceed)
    }
}

/// AWS's lifecycle states that Kiln reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    Pending,
    PendingWait,
    PendingProceed,
    InService,
    EnteringStandby,
    Standby,
    Terminating,
    TerminatingWait,
    TerminatingProceed,
    Detaching,
}

impl Lifecycle {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::PendingProceed => "Pending:Proceed",
            Self::InService => "InService",
            Self::EnteringStandby => "EnteringStandby",
            Self::Standby => "Standby",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
            Self::Detaching => "Detaching",
        }
    }
}

/// AWS's health statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    Healthy,
    Unhealthy,
}

impl Health {
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Unhealthy => "Unhealthy",
        }
    }
}

/// Who found it unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unhealthy {
    /// EC2: it is not running.
    Ec2,
    /// EC2: it runs, but a status check fails.
    Impaired,
    /// The load balancer's health check.
    Elb,
    /// SetInstanceHealth.
    User,
}
