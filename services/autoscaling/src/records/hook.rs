//! Lifecycle hooks: an instance waits on its way in or out until somebody says how to go on.

use kiln_service_kit::Timestamp;
use serde::{Deserialize, Serialize};

/// A hook of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    pub name: String,
    pub transition: Transition,
    pub notification_target: Option<String>,
    pub role: Option<String>,
    pub notification_metadata: Option<String>,
    /// Seconds until `default_result` is taken.
    pub heartbeat_timeout: i32,
    pub default_result: Verdict,
}

impl Hook {
    /// Seconds an instance may wait in all: 48 hours or 100 heartbeat timeouts, the smaller.
    /// Source: "Amazon EC2 Auto Scaling lifecycle hooks".
    pub fn global_timeout(&self) -> i32 {
        self.heartbeat_timeout.saturating_mul(100).min(48 * 3600)
    }
}

/// When a hook acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transition {
    Launching,
    Terminating,
}

impl Transition {
    pub const ALL: [Transition; 2] = [Self::Launching, Self::Terminating];

    pub fn name(self) -> &'static str {
        match self {
            Self::Launching => "autoscaling:EC2_INSTANCE_LAUNCHING",
            Self::Terminating => "autoscaling:EC2_INSTANCE_TERMINATING",
        }
    }
}

/// How to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Continue,
    Abandon,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Continue, Self::Abandon].into_iter().find(|v| v.name() == text)
    }
}

/// One instance's wait for one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub hook: String,
    /// The lifecycle action token.
    pub token: String,
    /// When the default result is taken.
    pub deadline: Timestamp,
    /// Heartbeats cannot move the deadline beyond this.
    pub last_deadline: Timestamp,
    pub heartbeat_timeout: i32,
    pub default_result: Verdict,
    /// What CompleteLifecycleAction said.
    pub verdict: Option<Verdict>,
}
