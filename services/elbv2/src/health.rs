//! How a registered target is, from what the balancer saw: for DescribeTargetHealth and for the
//! records that wake Auto Scaling. Pure.

use crate::records::{Target, TargetGroup, TargetHealth};
use kiln_balancer as lb;

/// A target's state in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub description: Option<String>,
}

impl Health {
    fn of(state: lb::HealthState, reason: lb::Reason) -> Self {
        Self { state: state.as_str(), reason: Some(reason.code()), description: Some(reason.description()) }
    }

    /// For a target that is not registered.
    pub fn not_registered() -> Self {
        Self::of(lb::HealthState::Unused, lb::Reason::NotRegistered)
    }
}

/// What the balancer says of a group; `None` when no load balancer uses it. A group that is used
/// but not yet in the balancer (just after a start) has no answers yet, which is not the same.
pub fn live(seen: Option<Vec<lb::TargetHealth>>, used: bool) -> Option<Vec<lb::TargetHealth>> {
    seen.or_else(|| used.then(Vec::new))
}

/// The health of a registered target, from [`live`].
pub fn of(target: &Target, live: Option<&[lb::TargetHealth]>) -> Health {
    let Some(live) = live else {
        return Health::of(lb::HealthState::Unused, lb::Reason::NotInUse);
    };
    let same = |t: &&lb::TargetHealth| t.id == target.id && t.port == target.port;
    match live.iter().find(same) {
        Some(seen) if target.draining && seen.health.state != lb::HealthState::Draining => {
            Health::of(lb::HealthState::Draining, lb::Reason::DeregistrationInProgress)
        }
        Some(seen) => Health {
            state: seen.health.state.as_str(),
            reason: seen.health.reason.as_ref().map(lb::Reason::code),
            description: seen.health.reason.as_ref().map(lb::Reason::description),
        },
        None if target.draining => Health::of(lb::HealthState::Draining, lb::Reason::DeregistrationInProgress),
        None => Health::of(lb::HealthState::Initial, lb::Reason::RegistrationInProgress),
    }
}

/// Whether a deregistered target has finished its requests.
pub fn is_drained(target: &Target, live: Option<&[lb::TargetHealth]>) -> bool {
    let same = |t: &&lb::TargetHealth| t.id == target.id && t.port == target.port;
    target.draining
        && match live.and_then(|live| live.iter().find(same)) {
            None => true,
            Some(seen) => seen.health.reason == Some(lb::Reason::NotRegistered),
        }
}

/// The records a group's targets should have.
pub fn records(group: &TargetGroup, live: Option<&[lb::TargetHealth]>) -> Vec<TargetHealth> {
    group
        .targets
        .iter()
        .map(|target| {
            let health = of(target, live);
            TargetHealth {
                target_group: group.arn.clone(),
                target: target.id.clone(),
                port: target.port,
                state: health.state.to_owned(),
                reason: health.reason.map(str::to_owned),
                description: health.description,
            }
        })
        .collect()
}
