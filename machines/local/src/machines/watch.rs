//! Watching: a machine that ends by itself is noticed at once and told about
//! truthfully. A machine that restarts itself is booted again.

use super::boot;
use super::life;
use super::record::{Machine, Phase, Running};
use crate::host::files;
use crate::state::Host;
use kiln_machines_spec::{Entry, ExitCause, ExitInfo, MachineEvent};
use nix::libc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

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
    if let Err(error) = life::blocking(move || boot::clear(&h, &m)).await {
        tracing::error!(id = %machine.id, error = error.chain(), "after a machine's end");
    }
    if !restarts {
        return;
    }
    let id = machine.id.clone();
    let event = match life::come_up_again(&host, &machine).await {
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
        life::note_exit(host, machine, exit.clone());
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

/// What a wait status means. An init that calls `reboot` ends, for the world
/// outside, by SIGHUP (restart) or SIGINT (power off).
pub fn describe(status: Option<i32>, systemd: bool, out_of_memory: bool) -> (ExitInfo, bool) {
    let mut restarts = false;
    let (cause, text) = match status {
        None => (ExitCause::Unknown, "its first process ended; how is not known".to_owned()),
        Some(status) if libc::WIFSIGNALED(status) => {
            let signal = libc::WTERMSIG(status);
            if systemd && signal == libc::SIGHUP {
                restarts = true;
            }
            if systemd && (signal == libc::SIGINT || signal == libc::SIGHUP) {
                (ExitCause::PoweredOff, "it switched itself off".to_owned())
            } else if out_of_memory && signal == libc::SIGKILL {
                let text = "the kernel ended it: out of memory (its limit was reached)";
                (ExitCause::OutOfMemory, text.to_owned())
            } else {
                let name = nix::sys::signal::Signal::try_from(signal);
                let name = name.map_or_else(|_| signal.to_string(), |s| s.to_string());
                let text = format!("its first process was ended by signal {name}");
                (ExitCause::Signalled { signal }, text)
            }
        }
        Some(status) => {
            let code = libc::WEXITSTATUS(status);
            if systemd && code == 0 {
                (ExitCause::PoweredOff, "it switched itself off".to_owned())
            } else {
                let text = format!("its first process ended with exit code {code}");
                (ExitCause::Exited { code }, text)
            }
        }
    };
    let at_ms = files::now_ms();
    (ExitInfo { cause, at_ms, text }, restarts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_it_was() {
        let cause = |status, systemd, oom| describe(status, systemd, oom).0.cause;
        assert_eq!(cause(Some(3 << 8), false, false), ExitCause::Exited { code: 3 });
        assert_eq!(cause(Some(0), false, false), ExitCause::Exited { code: 0 });
        assert_eq!(cause(Some(0), true, false), ExitCause::PoweredOff);
        assert_eq!(cause(Some(2), true, false), ExitCause::PoweredOff);
        assert_eq!(cause(Some(9), true, false), ExitCause::Signalled { signal: 9 });
        assert_eq!(cause(Some(9), true, true), ExitCause::OutOfMemory);
        assert_eq!(cause(None, true, true), ExitCause::Unknown);
        assert!(describe(Some(1), true, false).1, "SIGHUP of an init is a restart");
        assert!(!describe(Some(1), false, false).1, "SIGHUP of a program is not");
    }
}
