//! Decides what is done next for one instance. Pure.

use super::step::{Seen, Step};
use crate::instances::controllers::instance_interfaces::{Interfaces, Settled};
use crate::instances::records::{InstanceState, SHOWN_AFTER_END, Wanted};
use kiln_machines_spec::{ExitCause, ExitInfo, MachineState, MachineStatus};
use kiln_service_kit::{Plan, Report, Timestamp, Waiting};

/// Tries to launch or start before giving up: 0.2 + 0.4 + … + 6.4 s ≈ 13 s of waiting.
const MOST_TRIES: u32 = 7;

/// Decides.
pub fn plan(seen: &Seen, now: Timestamp) -> Plan<Step> {
    let i = &seen.record;
    let running = seen.machine.as_ref().is_some_and(MachineStatus::is_running);
    let sees = match &seen.machine {
        None => format!("{} without a machine", i.state.name()),
        Some(MachineStatus { state: MachineState::Running { .. }, boots, .. }) => {
            format!("{}, its machine runs (boot {boots})", i.state.name())
        }
        Some(MachineStatus { state: MachineState::Exited(exit), .. }) => format!("{}, {}", i.state.name(), exit.text),
        Some(MachineStatus { state: MachineState::Stopped { .. }, .. }) => {
            format!("{}, its machine is stopped", i.state.name())
        }
    };
    let wants = match i.wanted {
        Wanted::Running => "a running machine",
        Wanted::Stopped => "a stopped machine",
        Wanted::Terminated => "no machine",
    };
    // Given up, it has the failure for its reason.
    let failing = i.last_failure.clone().filter(|_| i.wanted == Wanted::Running && !running);
    let report = Report { sees, wants: wants.to_owned(), failing, ..Report::default() };
    let wait = |what: &str, until: Option<Timestamp>| {
        let waiting_for = Some(Waiting { what: what.to_owned(), until });
        Plan::rest(Report { waiting_for, ..report.clone() })
    };
    let rest = |what: &str, until: Option<Timestamp>| {
        let waiting_for = Some(Waiting { what: what.to_owned(), until });
        Plan::rest(Report { waiting_for, at_rest: true, ..report.clone() })
    };
    let take = |steps: Vec<Step>| Plan::new(steps, report.clone());
    let interfaces = &seen.interfaces;

    if let Some(image) = &i.captured_by {
        return wait(&format!("the image {image}, which is being made of it"), None);
    }
    if i.state == InstanceState::Terminated {
        if seen.machine.is_some() {
            return take(vec![Step::Terminate]);
        }
        let until = i.state_since + SHOWN_AFTER_END;
        return match now >= until {
            true => take(vec![Step::Purge]),
            false => rest("the end of the hour in which terminated instances are shown", Some(until)),
        };
    }
    match (i.wanted, &seen.machine) {
        (Wanted::Terminated, None) => take(vec![Step::RecordTerminated]),
        (Wanted::Terminated, Some(_)) => take(vec![Step::Terminate, Step::RecordTerminated]),

        (Wanted::Stopped, machine) if running || i.state != InstanceState::Stopped => {
            let recorded = Step::RecordStopped { boots: machine.as_ref().map(|m| m.boots) };
            take(if running { vec![Step::Stop, recorded] } else { vec![recorded] })
        }
        (Wanted::Stopped, machine) => match interface_steps(interfaces, machine.as_ref()) {
            Some(steps) => take(steps),
            None => rest("a call to start or terminate it", None),
        },

        (Wanted::Running, None) if i.launched => take(vec![Step::RecordLost]),
        (Wanted::Running, Some(m)) if running => {
            if i.state == InstanceState::Pending || i.boots != m.boots || !i.launched {
                return take(vec![Step::RecordRunning { boots: m.boots }]);
            }
            if i.reboot_wanted {
                return take(vec![Step::Reboot, Step::RecordRebooted]);
            }
            match interface_steps(interfaces, Some(m)) {
                None => rest("its machine to end, or a call", None),
                Some(steps) => match &interfaces.missing {
                    Some(missing) => wait(&format!("{missing} to be on the host"), None),
                    None => take(steps),
                },
            }
        }
        (Wanted::Running, machine) => {
            // It booted and ended before anybody could say that it ran. One that was to be rebooted
            // is started, whether it ended for that or by itself.
            if let Some(m) = machine
                && !i.reboot_wanted
                && (i.state == InstanceState::Running || m.boots > i.boots)
            {
                return match &m.state {
                    _ if i.state == InstanceState::Pending => take(vec![Step::RecordRunning { boots: m.boots }]),
                    MachineState::Exited(exit) => take(vec![Step::RecordExit(exit.clone())]),
                    _ => take(vec![Step::RecordExit(stopped_by_somebody(now))]),
                };
            }
            if i.launch_failures >= MOST_TRIES {
                return take(vec![Step::GiveUp]);
            }
            if let Some(at) = i.retry_at.filter(|at| *at > now) {
                return wait(&format!("the next try, as it failed {} times", i.launch_failures), Some(at));
            }
            if let Some(missing) = &interfaces.missing {
                return wait(&format!("{} to be on the host with {missing}", i.vpc), None);
            }
            take(vec![if machine.is_some() { Step::Start } else { Step::Launch }])
        }
    }
}

/// What makes the machine have its interfaces, if it does not or if that is not recorded.
fn interface_steps(wanted: &Interfaces, machine: Option<&MachineStatus>) -> Option<Vec<Step>> {
    let has =
        |m: &MachineStatus| m.spec.interfaces == wanted.interfaces && m.spec.secondary_ips == wanted.secondary_ips;
    let mut steps = vec![];
    if machine.is_some_and(|machine| !has(machine)) {
        let (secondary_ips, interfaces) = (wanted.secondary_ips.clone(), wanted.interfaces.clone());
        steps.push(Step::SetInterfaces { secondary_ips, interfaces });
    }
    if wanted.settled != Settled::default() {
        steps.push(Step::RecordInterfaces(wanted.settled.clone()));
    }
    (!steps.is_empty()).then_some(steps)
}

/// What is known of a machine that was stopped without a call to this kiln.
fn stopped_by_somebody(now: Timestamp) -> ExitInfo {
    ExitInfo {
        cause: ExitCause::Unknown,
        at_ms: u64::try_from(now.millis()).unwrap_or(0),
        text: "the machine was stopped together with kiln (kiln down --stop-machines), not by a call".to_owned(),
    }
}

#[cfg(test)]
mod tests;
