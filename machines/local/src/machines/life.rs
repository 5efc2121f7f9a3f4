//! Launch, stop, start, reboot, kill, terminate.

use super::boot;
use super::disk::Leaving;
use super::record::{Machine, Phase, Record, Running};
use super::watch::{come_up_again, start_now};
use crate::blocking::blocking;
use crate::host::files;
use crate::host::userns::RANGE;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, Entry, MachineId, MachineSpec, MachineStatus};
use nix::libc;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Ids above those of the host's users, of their own ranges and of systemd's.
const FIRST_IDS: u32 = 0x7000_0000;
/// (0x7fff_0000 − 0x7000_0000) / 65536 ranges.
const MOST_MACHINES: u32 = (0x7fff_0000 - FIRST_IDS) / RANGE;
/// How long a reboot waits for the machine to end by itself.
const REBOOT_GRACE: Duration = Duration::from_secs(10);
/// How long a killed process may take to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Makes a machine and boots it.
pub async fn launch(host: &Arc<Host>, spec: MachineSpec) -> DriverResult<MachineStatus> {
    spec.check()?;
    loop {
        let h = host.clone();
        let wanted = spec.clone();
        let machine = blocking(move || find_or_reserve(&h, wanted)).await?;
        let _turn = machine.turn.lock().await;
        let phase = machine.record.lock().phase.clone();
        match phase {
            Phase::Running { .. } | Phase::Restarting { .. } => return machine.status_or_gone(),
            // Somebody else's launch failed while we waited.
            Phase::Gone => continue,
            Phase::Exited { .. } | Phase::Stopped { .. } => {
                return Err(machine.conflict("exists and does not run: start it"));
            }
            Phase::Terminating => return Err(machine.conflict("is being terminated")),
            Phase::Launching => {}
        }
        if let Err(error) = start_now(host, &machine).await {
            let (h, m) = (host.clone(), machine.clone());
            blocking(move || erase(&h, &m)).await?;
            return Err(error);
        }
        return machine.status_or_gone();
    }
}

/// The machine of that name, or a new one that is about to be launched.
fn find_or_reserve(host: &Host, spec: MachineSpec) -> DriverResult<Arc<Machine>> {
    let image = host.images.get(&spec.image)?;
    let mut machines = host.machines.lock();
    if let Some(machine) = machines.get(&spec.id) {
        return Ok(machine.clone());
    }
    let used: BTreeSet<u32> = machines.values().map(|m| m.record.lock().ids).collect();
    let mut ranges = (0..MOST_MACHINES).map(|n| FIRST_IDS + n * RANGE);
    let ids = ranges
        .find(|ids| !used.contains(ids))
        .ok_or_else(|| DriverError::Capacity(format!("{MOST_MACHINES} machines exist already")))?;
    let machine = Arc::new(Machine::new(Record {
        layers: image.layers.into_iter().map(|l| l.digest).collect(),
        entry: spec.entry.clone().unwrap_or(image.entry),
        ids,
        boots: 0,
        phase: Phase::Launching,
        unfinished: Vec::new(),
        spec,
    }));
    files::make_dir(&machine.dir(host))?;
    machine.update(host, |_| {})?;
    machines.insert(machine.id.clone(), machine.clone());
    Ok(machine)
}

/// Removes all traces. The caller has the turn, and nothing runs.
pub fn erase(host: &Host, machine: &Machine) -> DriverResult<()> {
    let disk = Leaving::of(&machine.disk(host))?;
    files::remove_all(&machine.dir(host))?;
    disk.wait()?;
    machine.record.lock().phase = Phase::Gone;
    host.machines.lock().remove(&machine.id);
    host.images.unmount_except(&host.layers_in_use())
}

/// Ends the first process: by asking for it, and by force after `grace`.
/// Clears up. The caller has the turn.
async fn end(host: &Arc<Host>, machine: &Arc<Machine>, grace: Duration) -> DriverResult<()> {
    let running = machine.running.lock().clone();
    if let Some(running) = running {
        running.end_is_wanted.store(true, Ordering::SeqCst);
        let systemd = matches!(machine.record.lock().entry, Entry::Systemd);
        let asked = !grace.is_zero() && ask(&running, systemd)?;
        let ended = running.process.ended();
        let gone = asked && matches!(tokio::time::timeout(grace, ended).await, Ok(Ok(())));
        if !gone {
            machine.group(host).kill()?;
            let ended = tokio::time::timeout(KILL_PATIENCE, running.process.ended());
            let in_time = ended.await.map_err(|_| {
                let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
                DriverError::failed(format!("end {}", machine.id), slow)
            })?;
            in_time.map_err(|e| DriverError::failed(format!("end {}", machine.id), e))?;
        }
        *machine.running.lock() = None;
    }
    let (h, m) = (host.clone(), machine.clone());
    blocking(move || boot::clear(&h, &m)).await
}

/// Asks the first process to end; whether it can hear that. A program without a
/// handler never hears SIGTERM as first process, so waiting would be in vain.
fn ask(running: &Running, systemd: bool) -> DriverResult<bool> {
    // systemd halts the machine on the third real-time signal.
    let signal = if systemd { libc::SIGRTMIN() + 3 } else { libc::SIGTERM };
    if !catches(running.process.pid(), signal) {
        return Ok(false);
    }
    match running.process.signal(signal) {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(true),
        Err(e) => Err(DriverError::failed("ask a machine to end", e)),
    }
}

fn catches(pid: u32, signal: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return false;
    };
    let mask = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or(0)
    };
    // systemd and others wait for their signals with signalfd: blocked, not caught.
    (mask("SigCgt:") | mask("SigBlk:")) & (1 << (signal - 1)) != 0
}

/// Stops a machine; its upper layer is kept.
pub async fn stop(host: &Arc<Host>, id: &MachineId, grace: Duration) -> DriverResult<()> {
    let machine = host.machine(id)?;
    let _turn = machine.turn.lock().await;
    machine.status_or_gone()?;
    end(host, &machine, grace).await?;
    let (h, m) = (host.clone(), machine.clone());
    blocking(move || {
        // What it wrote is in its file before anyone is told that it is stopped.
        Leaving::of(&m.disk(&h))?.wait()?;
        let since_ms = files::now_ms();
        m.update(&h, |record| {
            if !matches!(record.phase, Phase::Stopped { .. }) {
                record.phase = Phase::Stopped { since_ms };
            }
        })
    })
    .await
}

/// Boots a machine that does not run.
pub async fn start(host: &Arc<Host>, id: &MachineId) -> DriverResult<MachineStatus> {
    let machine = host.machine(id)?;
    let _turn = machine.turn.lock().await;
    if machine.status_or_gone()?.is_running() {
        return machine.status_or_gone();
    }
    let (h, m) = (host.clone(), machine.clone());
    blocking(move || boot::clear(&h, &m)).await?;
    start_now(host, &machine).await?;
    machine.status_or_gone()
}

/// Stops and starts it.
pub async fn reboot(host: &Arc<Host>, id: &MachineId) -> DriverResult<()> {
    let machine = host.machine(id)?;
    let _turn = machine.turn.lock().await;
    if !machine.status_or_gone()?.is_running() {
        return Err(machine.conflict("is not running"));
    }
    end(host, &machine, REBOOT_GRACE).await?;
    let (h, m) = (host.clone(), machine.clone());
    let since_ms = files::now_ms();
    // A kiln that is killed from here on leaves to the next one what is still to be done.
    blocking(move || m.update(&h, |record| record.phase = Phase::Restarting { since_ms })).await?;
    come_up_again(host, &machine).await
}

/// Kills it, as a power cut would.
pub async fn kill(host: &Arc<Host>, id: &MachineId) -> DriverResult<()> {
    let machine = host.machine(id)?;
    machine.status_or_gone()?;
    let running = machine.running()?;
    running.process.signal(libc::SIGKILL).map_err(|e| DriverError::failed(format!("kill {id}"), e))
}

/// Ends it and removes all it had.
pub async fn terminate(host: &Arc<Host>, id: &MachineId) -> DriverResult<()> {
    let Ok(machine) = host.machine(id) else {
        return Ok(());
    };
    let _turn = machine.turn.lock().await;
    if machine.record.lock().phase == Phase::Gone {
        return Ok(());
    }
    if let Some(running) = machine.running.lock().as_ref() {
        running.end_is_wanted.store(true, Ordering::SeqCst);
    }
    let (h, m) = (host.clone(), machine.clone());
    blocking(move || match m.update(&h, |record| record.phase = Phase::Terminating) {
        // Its end is what makes room. Were kiln killed now, who asked would ask again.
        Err(error @ DriverError::NoSpace { .. }) => {
            tracing::warn!(id = %m.id, error = error.chain(), "terminated without a note");
            m.record.lock().phase = Phase::Terminating;
            Ok(())
        }
        noted => noted,
    })
    .await?;
    end(host, &machine, Duration::ZERO).await?;
    let (h, m) = (host.clone(), machine.clone());
    blocking(move || erase(&h, &m)).await
}
