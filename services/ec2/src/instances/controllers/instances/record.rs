//! Writes down what became of an instance.

use crate::instances::records::{Impaired, Instance, InstanceState, Reason, Volume, Wanted};
use crate::instances::told;
use crate::interfaces::allocation::{leave_instance, release_public};
use kiln_machines_spec::{DriverError, ExitCause, ExitInfo};
use kiln_service_kit::{Cx, Error, Name, Timestamp, Tx};
use std::time::Duration;

/// Its machine ended by itself.
pub fn exited(i: &mut Instance, exit: &ExitInfo, now: Timestamp) {
    if i.wanted != Wanted::Running || i.state == InstanceState::Pending {
        return;
    }
    let by_itself = matches!(exit.cause, ExitCause::PoweredOff | ExitCause::Exited { code: 0 });
    i.reboot_wanted = false;
    i.transition_reason = String::new();
    if by_itself {
        i.reason = Some(Reason::new("Client.InstanceInitiatedShutdown", "Instance initiated shutdown"));
        if i.options.terminate_on_shutdown {
            i.wanted = Wanted::Terminated;
            enter(i, InstanceState::ShuttingDown, now);
            return;
        }
    } else {
        i.reason = Some(Reason::new("Server.InternalError", &exit.text));
        let since = i64::try_from(exit.at_ms).map_or(now, Timestamp::from_millis);
        i.impaired = Some(Impaired { since, text: exit.text.clone() });
    }
    i.wanted = Wanted::Stopped;
    enter(i, InstanceState::Stopped, now);
}

/// It was tried often enough.
pub fn give_up(_: &mut Tx, i: &mut Instance, now: Timestamp) {
    let text = i.last_reason.clone().unwrap_or_else(|| "it could not be launched".to_owned());
    fail(i, "Server.InternalError", &text, now);
}

/// It cannot be launched (or started): terminated (or stopped again), with the reason.
fn fail(i: &mut Instance, code: &str, text: &str, now: Timestamp) {
    if i.wanted != Wanted::Running {
        return;
    }
    i.reason = Some(Reason::new(code, text));
    i.launch_failures = 0;
    i.retry_at = None;
    if i.launched {
        i.wanted = Wanted::Stopped;
        enter(i, InstanceState::Stopped, now);
    } else {
        i.wanted = Wanted::Terminated;
        enter(i, InstanceState::ShuttingDown, now);
    }
}

/// From now on it is in that state.
pub fn enter(i: &mut Instance, state: InstanceState, now: Timestamp) {
    if i.state != state {
        i.state = state;
        i.state_since = now;
    }
}

/// A launch or start failed: for good, or to be tried again later.
pub async fn not_started(cx: &Cx, name: &Name, error: &DriverError) -> Result<(), Error> {
    let text = error.chain();
    tracing::warn!(request_id = cx.request_id(), id = %name.id, error = text, "a machine was not started");
    change(cx, name, |_, i, now| match for_good(error) {
        Some(code) => fail(i, code, &error.told(), now),
        None => {
            i.launch_failures += 1;
            i.last_failure = Some(text.clone());
            i.last_reason = Some(error.told());
            // 0.2 s, doubled per failure in a row.
            i.retry_at = Some(now + Duration::from_millis(100) * 2u32.pow(i.launch_failures.min(8)));
        }
    })
    .await
}

/// The reason's code when another try would fail alike.
fn for_good(error: &DriverError) -> Option<&'static str> {
    match error {
        DriverError::NotFound { kind: "image", .. } | DriverError::CorruptLayer { .. } => {
            Some("Client.InvalidSnapshot.NotFound")
        }
        DriverError::Capacity(_) => Some("Server.InsufficientInstanceCapacity"),
        DriverError::Invalid(_)
        | DriverError::MissingPackage { .. }
        | DriverError::NotRoot
        | DriverError::Unsupported { .. } => Some("Server.InternalError"),
        _ => None,
    }
}

/// Its machine is gone for good, and what was its own with it.
pub async fn terminated(cx: &Cx, name: &Name) -> Result<(), Error> {
    let record = |tx: &mut Tx| -> Result<(), Error> {
        let Some(found) = tx.get::<Instance>(cx.scope(), &name.id)? else { return Ok(()) };
        let mut i = Instance::clone(&found);
        if i.wanted != Wanted::Terminated || i.is_terminated() {
            return Ok(());
        }
        for interface in std::mem::take(&mut i.more_interfaces).iter().chain([&i.interface]) {
            leave_instance(tx, cx.scope(), interface)?;
        }
        tx.delete::<Volume>(cx.scope(), &i.volume);
        enter(&mut i, InstanceState::Terminated, tx.now());
        told::state(tx, cx, Some(found.state), &i)?;
        Ok(tx.put(cx.scope(), &name.id, i)?)
    };
    cx.store().write(record).await
}

/// Changes the record, if it is still there.
pub async fn change(cx: &Cx, name: &Name, with: impl Fn(&mut Tx, &mut Instance, Timestamp)) -> Result<(), Error> {
    let write = |tx: &mut Tx| -> Result<(), Error> {
        let Some(found) = tx.get::<Instance>(cx.scope(), &name.id)? else { return Ok(()) };
        let mut instance = Instance::clone(&found);
        let now = tx.now();
        with(tx, &mut instance, now);
        if instance.state == InstanceState::Stopped {
            release_public(tx, cx.scope(), &instance.interface)?;
        }
        told::state(tx, cx, Some(found.state), &instance)?;
        tx.put_if_changed(cx.scope(), &name.id, instance)?;
        Ok(())
    };
    cx.store().write(write).await
}
