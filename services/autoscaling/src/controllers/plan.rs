//! What to do next for a group. Pure: what is wanted, what was seen and the time go in; steps and
//! a report come out.
//!
//! The steps of one plan do not depend on each other and run at the same time: each instance takes
//! its own next step, and the capacity is set right with those that are about to leave left out
//! already, so that a replacement starts in the same pass that finds an instance dead.

mod capacity;
mod instance;
mod targets;
#[cfg(test)]
mod tests;

use super::place::Place;
use crate::records::{Group, Lifecycle, Member, TargetGroupState, Unhealthy};
use kiln_service_kit::{Plan, Report, Timestamp, Waiting};
use std::collections::{BTreeMap, BTreeSet};

/// All that a decision needs.
#[derive(Debug, Clone)]
pub struct Seen {
    pub group: Group,
    /// Ordered by id.
    pub members: Vec<Member>,
    /// What EC2 says of them; it has forgotten those that are missing.
    pub instances: BTreeMap<String, Machine>,
    /// State of a target, by target group's ARN and instance's id.
    pub targets: BTreeMap<(String, String), String>,
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `pending`, `running`, …
    pub state: String,
    /// EC2's state reason, for the message of a failed launch.
    pub reason: Option<String>,
}

/// One step. Each can run twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Writes down that instances shall be launched; the first has number `first`.
    DecideLaunches {
        first: u64,
        places: Vec<Place>,
        cause: String,
        rebalance: bool,
        /// How many of them make up for unhealthy instances.
        replaces: usize,
    },
    /// Launches the instance that was decided under that number.
    Launch {
        number: u64,
    },
    /// The instance did not come up.
    FailLaunch {
        instance: String,
        message: String,
        cause: String,
    },
    /// Makes the instance wait for a hook.
    StartHook {
        instance: String,
        hook: String,
    },
    /// Ends the wait.
    EndHook {
        instance: String,
        hook: String,
    },
    /// Registers it with the target groups and puts it in service.
    EnterService {
        instance: String,
        register: Vec<String>,
        leave_out: Vec<String>,
    },
    /// Registers an instance in service with a target group that was attached later.
    Register {
        instance: String,
        target_groups: Vec<String>,
    },
    Deregister {
        instance: String,
        target_groups: Vec<String>,
    },
    /// Its connections are drained.
    Drained {
        instance: String,
        target_groups: Vec<String>,
    },
    MarkUnhealthy {
        instance: String,
        why: Unhealthy,
    },
    BeginTermination {
        instance: String,
        why: Option<Unhealthy>,
        cause: String,
    },
    Terminate {
        instance: String,
    },
    /// Its machine is gone: so is it.
    Finish {
        instance: String,
    },
    EnterStandby {
        instance: String,
    },
    /// It leaves the group and lives on.
    Detach {
        instance: String,
    },
    SetTargetGroup {
        arn: String,
        state: TargetGroupState,
    },
    DropTargetGroup {
        arn: String,
    },
    /// The desired capacity is reached: what is launched later has other causes.
    ForgetReason,
    DeleteGroup,
}

/// Collects steps and what is waited for.
#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    waits: Vec<Waiting>,
    /// Instances that begin to leave with this plan.
    leaving: BTreeSet<String>,
    /// How many of them counted and are unhealthy.
    unhealthy: usize,
}

impl Draft {
    fn wait(&mut self, what: impl Into<String>, until: Option<Timestamp>) {
        self.waits.push(Waiting { what: what.into(), until });
    }
}

/// Decides.
pub fn plan(seen: &Seen, now: Timestamp) -> Plan<Step> {
    let mut draft = Draft::default();
    for member in &seen.members {
        instance::plan(seen, member, now, &mut draft);
    }
    capacity::plan(seen, now, &mut draft);
    targets::plan(seen, &mut draft);
    if seen.group.deleting && seen.members.is_empty() && seen.group.launches.is_empty() {
        draft.steps.push(Step::DeleteGroup);
    }
    let report = Report {
        sees: sees(seen),
        wants: wants(&seen.group),
        next: vec![],
        waiting_for: first_wait(draft.waits),
        ..Report::default()
    };
    Plan::concurrent(draft.steps, report)
}

fn sees(seen: &Seen) -> String {
    let mut by_state: BTreeMap<&str, usize> = BTreeMap::new();
    for member in &seen.members {
        *by_state.entry(member.lifecycle.name()).or_default() += 1;
    }
    let mut parts: Vec<String> = by_state.into_iter().map(|(state, n)| format!("{n} {state}")).collect();
    if !seen.group.launches.is_empty() {
        parts.push(format!("{} being launched", seen.group.launches.len()));
    }
    if parts.is_empty() { "no instances".to_owned() } else { parts.join(", ") }
}

fn wants(group: &Group) -> String {
    if group.deleting {
        return "to be deleted with all its instances".to_owned();
    }
    let Group { desired, min, max, .. } = group;
    format!("{desired} healthy instances in service (min {min}, max {max})")
}

/// All that is waited for in one text, with the earliest time to look again.
fn first_wait(waits: Vec<Waiting>) -> Option<Waiting> {
    let until = waits.iter().filter_map(|w| w.until).min();
    let mut texts: Vec<String> = waits.into_iter().map(|w| w.what).collect();
    texts.dedup();
    (!texts.is_empty()).then(|| Waiting { what: texts.join("; "), until })
}

impl Seen {
    /// Whether the machine is stopped, terminated or on its way there.
    fn is_dead(&self, member: &Member) -> bool {
        !matches!(self.state(member), Some("pending" | "running"))
    }

    fn state(&self, member: &Member) -> Option<&str> {
        self.instances.get(&member.id).map(|machine| machine.state.as_str())
    }

    fn target(&self, arn: &str, member: &Member) -> Option<&str> {
        self.targets.get(&(arn.to_owned(), member.id.clone())).map(String::as_str)
    }

    fn in_service(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.lifecycle == Lifecycle::InService)
    }
}
