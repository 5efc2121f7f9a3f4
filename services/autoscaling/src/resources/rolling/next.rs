//! What comes next in a rolling update. Pure.
//!
//! ```text
//! sizes set ─▶ settled ─▶ new instances: signals or a pause ─▶ a batch is terminated ─┐
//!                 ▲                                            nothing obsolete: end  │
//!                 └───────────────────────────────────────────────────────────────────┘
//! ```
//! While a batch is on its way out the instances that replace it are waited for already.

use super::policy::Rolling;
use super::state::{Batch, Roll};
use kiln_service_kit::{Timestamp, too_few_signals};
use std::collections::BTreeMap;

/// The group as it is now.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub desired: i32,
    pub members: Vec<Member>,
    /// Nothing is scaled in.
    pub terminate_suspended: bool,
}

/// One instance of it.
#[derive(Debug, Clone)]
pub struct Member {
    pub id: String,
    /// AWS's word for its lifecycle state.
    pub state: String,
    pub protected: bool,
    /// It is not made from what the group launches now.
    pub obsolete: bool,
}

impl Member {
    fn serves(&self) -> bool {
        self.state == "InService"
    }

    /// Whether it can be terminated now.
    pub fn can_go(&self) -> bool {
        self.serves() || self.state == "Standby"
    }

    fn is_leaving(&self) -> bool {
        self.state.starts_with("Terminating") || self.state == "Detaching"
    }
}

/// The next step.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Something is true now: it is written down, with the event that tells it.
    Note(Box<Roll>, Option<String>),
    /// These are to be terminated; with each the desired capacity goes down or not.
    Terminate(Vec<(String, bool)>),
    /// Not enough is in service.
    Settle(String),
    Wait(String),
    Fail(String),
    /// The group gets its last sizes and its processes back.
    Close,
    Closed,
}

/// Decides.
pub fn next(
    roll: &Roll,
    policy: Option<&Rolling>,
    group: &Group,
    signals: &BTreeMap<String, bool>,
    now: Timestamp,
) -> Next {
    if roll.closed {
        return Next::Closed;
    }
    let policy = match policy {
        Some(policy) if !roll.obsolete.is_empty() => policy,
        _ => return Next::Close,
    };
    let at = At { roll, policy, group, signals, now };
    if !roll.sized {
        let n = roll.meanwhile;
        let event = format!("Temporarily setting autoscaling group MinSize and DesiredCapacity to {n}.");
        return note(Roll { sized: true, ..roll.clone() }, Some(event));
    }
    at.leaving().or_else(|| at.arriving()).unwrap_or_else(|| at.batch())
}

fn note(roll: Roll, event: Option<String>) -> Next {
    Next::Note(Box::new(roll), event)
}

struct At<'a> {
    roll: &'a Roll,
    policy: &'a Rolling,
    group: &'a Group,
    signals: &'a BTreeMap<String, bool>,
    now: Timestamp,
}

impl At<'_> {
    fn serving(&self) -> impl Iterator<Item = &Member> {
        self.group.members.iter().filter(|member| member.serves())
    }

    /// Those that still are to be terminated.
    fn obsolete(&self) -> Vec<&Member> {
        self.group.members.iter().filter(|member| member.obsolete && !member.is_leaving()).collect()
    }

    /// The batch that goes.
    fn leaving(&self) -> Option<Next> {
        let (roll, group) = (self.roll, self.group);
        if roll.leaving.is_empty() {
            return None;
        }
        let there = || group.members.iter().filter(|member| roll.leaving.contains_key(&member.id));
        let asked: Vec<_> =
            there().filter(|m| m.can_go()).filter_map(|m| Some((m.id.clone(), *roll.leaving.get(&m.id)?))).collect();
        if !asked.is_empty() {
            return Some(Next::Terminate(asked));
        }
        if there().next().is_some() {
            return None;
        }
        let all = roll.obsolete.len().max(1);
        let gone = all.saturating_sub(self.obsolete().len());
        let percent = (100 * gone + all / 2) / all;
        let event =
            format!("Successfully terminated instance(s) [{}] (Progress {percent}%).", list(roll.leaving.keys()));
        Some(note(Roll { leaving: BTreeMap::new(), ..roll.clone() }, Some(event)))
    }

    /// The instances that come.
    fn arriving(&self) -> Option<Next> {
        let roll = self.roll;
        if let Some(batch) = &roll.waiting {
            return match self.policy.signals {
                true => Some(self.signalled(batch)),
                false if self.now < batch.since + self.policy.pause => {
                    Some(Next::Wait(format!("the pause of {} for new instances", self.policy.pause_text)))
                }
                false => Some(note(self.close(batch), None)),
            };
        }
        if let Some(why) = self.unsettled() {
            return Some(Next::Settle(why));
        }
        let new = self.serving().filter(|m| !m.obsolete && !roll.known.contains(&m.id)).map(|m| m.id.clone());
        let batch = Batch { instances: new.collect(), since: self.now, told: false };
        let (n, time) = (batch.instances.len(), &self.policy.pause_text);
        let what = match (self.policy.signals, self.policy.pause.is_zero()) {
            _ if n == 0 => return None,
            (true, _) => format!("Waiting on {n} resource signal(s) with a timeout of {time}."),
            (false, false) => format!("Pausing for {time}."),
            (false, true) => return Some(note(self.close(&batch), None)),
        };
        let event = format!("New instance(s) added to autoscaling group - {what}");
        Some(note(Roll { waiting: Some(batch), ..roll.clone() }, Some(event)))
    }

    /// Why the group is not as large as it is to be.
    fn unsettled(&self) -> Option<String> {
        let desired = u64::try_from(self.group.desired).unwrap_or(0);
        let serving = self.serving().count() as u64;
        let needed = (desired * self.policy.active_percent).div_ceil(100);
        let surplus = serving > desired && !self.group.terminate_suspended && self.serving().any(|m| !m.protected);
        (serving < needed || surplus).then(|| format!("{serving} of {desired} instances are in service"))
    }

    /// The signals that count for a batch: those of its instances, and those with ids of other kinds that are new.
    fn heard<'s>(&'s self, batch: &'s Batch) -> impl Iterator<Item = (&'s String, &'s bool)> {
        let counts = |id: &String| match id.starts_with("i-") {
            true => batch.instances.contains(id),
            false => !self.roll.spent.contains(id),
        };
        self.signals.iter().filter(move |(id, _)| counts(id)).take(batch.instances.len())
    }

    /// Waits for a batch's signals, and judges them.
    fn signalled(&self, batch: &Batch) -> Next {
        let roll = self.roll;
        let count = |success: bool| self.heard(batch).filter(|(_, of)| **of == success).count() as u64;
        let (successes, mut failures) = (roll.successes + count(true), roll.failures + count(false));
        // All that will have come when the update is done, as far as can be seen.
        let right = (roll.known.len() + batch.instances.len()) as u64;
        let expected = u64::try_from(roll.last.desired).unwrap_or(0).max(right).saturating_sub(roll.kept);
        let needed = (expected * self.policy.success_percent).div_ceil(100);
        let unable = |n: u64, kind: &str| Next::Fail(too_few_signals(n, kind, expected, self.policy.success_percent));
        if expected < needed + failures {
            return unable(failures, "FAILURE");
        }
        let missing = batch.instances.len() - self.heard(batch).count();
        if missing > 0 && self.now < batch.since + self.policy.pause {
            return Next::Wait(format!("{missing} resource signals of new instances"));
        }
        if missing > 0 && !batch.told {
            let event = format!(
                "Failed to receive {missing} resource signal(s) for the current batch.  Each resource signal timeout \
                 is counted as a FAILURE."
            );
            let batch = Batch { told: true, ..batch.clone() };
            return note(Roll { waiting: Some(batch), ..roll.clone() }, Some(event));
        }
        failures += missing as u64;
        if expected < needed + failures {
            return unable(successes, "SUCCESS");
        }
        note(Roll { successes, failures, ..self.close(batch) }, None)
    }

    /// A batch's instances are new no more.
    fn close(&self, batch: &Batch) -> Roll {
        let mut roll = self.roll.clone();
        roll.spent.extend(self.heard(batch).map(|(id, _)| id.clone()));
        roll.known.extend(batch.instances.iter().cloned());
        roll.waiting = None;
        roll
    }

    /// Chooses the next batch.
    fn batch(&self) -> Next {
        let roll = self.roll;
        let left = self.obsolete();
        if left.is_empty() {
            return match roll.leaving.is_empty() {
                true => Next::Close,
                false => Next::Wait("instances to be terminated".to_owned()),
            };
        }
        if !roll.leaving.is_empty() {
            return Next::Wait("instances to be terminated".to_owned());
        }
        let size = usize::try_from(roll.batch).unwrap_or(1);
        let serving = self.serving().count();
        let spare = serving.saturating_sub(usize::try_from(roll.floor).unwrap_or(0));
        // Those in standby serve nobody.
        let standby = left.iter().filter(|member| member.can_go() && !member.serves());
        let serving = left.iter().filter(|member| member.serves()).take(spare);
        let chosen: Vec<&Member> = standby.chain(serving).take(size).copied().collect();
        if chosen.is_empty() {
            return Next::Settle("instances to come into service before others can go".to_owned());
        }
        // What was added for the time of the update goes with the last batch.
        let surplus = match chosen.len() == left.len() {
            true => usize::try_from(self.group.desired - roll.last.desired).unwrap_or(0),
            false => 0,
        };
        let replaced = chosen.iter().filter(|member| member.serves()).count().saturating_sub(surplus);
        let mut shrink = surplus;
        let leaving: BTreeMap<String, bool> = chosen
            .iter()
            .map(|member| {
                let goes_down = member.serves() && shrink > 0;
                shrink -= usize::from(goes_down);
                (member.id.clone(), goes_down)
            })
            .collect();
        let ids = list(leaving.keys());
        let event = format!("Terminating instance(s) [{ids}]; replacing with {replaced} new instance(s).");
        note(Roll { leaving, ..roll.clone() }, Some(event))
    }
}

fn list<'a>(ids: impl Iterator<Item = &'a String>) -> String {
    ids.map(String::as_str).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
