//! Booting and watching: a machine that ends by itself is noticed at once and told about
//! truthfully. A machine that restarts itself is booted again, and so watched again.

use super::boot;
use super::ending::describe;
use super::record::{Machine, Phase, Running};
use crate::blocking::blocking;
use crate::host::files;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, Entry, ExitCause, ExitInfo, MachineEvent};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// Boots the machine and watches it. The caller has the turn.
pub async fn start_now(host: &Arc<Host>, machine: &Arc<Machine>) -> DriverResult<()> {
    let closed = |e| DriverError::failed("wait for a launch slot", e);
    let _slot = host.launches.acquire().await.map_err(closed)?;
    let (h, m) = (host.clone(), machine.clone());
    let running = blocking(move || boot::boot(&h, &m)).await?;
    watch(host, machine, running);
    Ok(())
}

/// Boots a machine that is restarting; one that does not come up has ended. The caller has the
/// turn.
pub async fn come_up_again(host: &Arc<Host>, machine: &Arc<Machine>) -> DriverResult<()> {
    let started = start_now(host, machine).await;
    if let Err(error) = &started {
        let exit = ExitInfo {
            cause: ExitCause::Unknown,
            at_ms: files::now_ms(),
            text: format!("it did not come up again after a reboot: {}", error.told()),
        };
        note_exit(host, machine, exit);
    }
    started
}

/// Watches a machine until its first process ends. Holds the driver only weakly:
/// a driver that is dropped leaves its machines running.
pub fn watch(host: &Arc<Host>, machine: &Arc<Machine>, running: Arc<Running>) {
    let (host, machine) = (Arc::downgrade(host), machine.clone());
    tokio::spawn(async move {
        if let Err(error) = running.process.ended().await {
            tracing::error!(id = %machine.id, %error, "cannot watch a machine");
            return;
        }
        if !running.end_is_wanted.load(Ordering::SeqCst) {
            ended(host, machine, running).await;
        }
    });
}

async fn ended(host: Weak<Host>, machine: Arc<Machine>, running: Arc<Running>) {
    let Some(host) = host.upgrade() else { return };
    let (h, m, r) = (host.clone(), machine.clone(), running.clone());
    let noted = tokio::task::spawn_blocking(move || note_end(&h, &m, &r)).await;
    let Ok(Some((exit, restarts))) = noted else {
        return;
    };
    if !restarts {
        let id = machine.id.clone();
        // Nobody may be listening; the state says the same.
        let _ = host.events.send(MachineEvent::Exited { id, exit });
    }
    let _turn = machine.turn.lock().await;
    // Somebody may have started or removed it before it was our turn.
    let as_noted = matches!(machine.record.lock().phase, Phase::Exited { .. } | Phase::Restarting { .. });
    if machine.running.lock().is_some() || !as_noted {
        return;
    }
    let (h, m) = (host.clone(), machine.clone());
    if let Err(error) = blocking(move || boot::clear(&h, &m)).await {
        tracing::error!(id = %machine.id, error = error.chain(), "after a machine's end");
    }
    if !restarts {
        return;
    }
    let id = machine.id.clone();
    let event = match come_up_again(&host, &machine).await {
        Ok(()) => MachineEvent::Rebooted { id },
        Err(error) => {
            tracing::error!(%id, error = error.chain(), "it restarted itself and could not be booted");
            let Phase::Exited { exit } = machine.record.lock().phase.clone() else { return };
            MachineEvent::Exited { id, exit }
        }
    };
    let _ = host.events.send(event);
}

/// Writes down how it ended; whether it wants to be booted again.
fn note_end(host: &Host, machine: &Machine, running: &Arc<Running>) -> Option<(ExitInfo, bool)> {
    {
        let mut current = machine.running.lock();
        if !current.as_ref().is_some_and(|c| Arc::ptr_eq(c, running)) {
            return None;
        }
        *current = None;
    }
    let status = running.process.wait_status();
    let systemd = matches!(machine.record.lock().entry, Entry::Systemd);
    let out_of_memory = machine.group(host).oom_kills() > running.oom_kills;
    let (exit, restarts) = describe(status, systemd, out_of_memory);
    if !restarts {
        note_exit(host, machine, exit.clone());
        return Some((exit, false));
    }
    // To say that it ended would be read as if it was to stay so.
    let again = Phase::Restarting { since_ms: exit.at_ms };
    if let Err(error) = machine.update(host, |record| record.phase = again.clone()) {
        tracing::error!(id = %machine.id, error = error.chain(), "cannot note that a machine restarts itself");
        machine.record.lock().phase = again;
    }
    Some((exit, true))
}

/// Writes down that it has ended, in memory at least.
pub fn note_exit(host: &Host, machine: &Machine, exit: ExitInfo) {
    let noted = exit.clone();
    if let Err(error) = machine.update(host, |record| record.phase = Phase::Exited { exit: noted }) {
        tracing::error!(id = %machine.id, error = error.chain(), "cannot note a machine's end");
        machine.record.lock().phase = Phase::Exited { exit };
    }
}
