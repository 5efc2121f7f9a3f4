//! Adopt: after kiln was killed, find what still runs, go on watching it, and
//! remove what was half made.
//!
//! | in `machine.json` | what is found          | what is done                       |
//! |-------------------|------------------------|------------------------------------|
//! | launching         | anything               | removed; nobody was told of it     |
//! | running           | its process lives      | watched again, and goes on if held still |
//! | running           | its process is gone    | exited, cause unknown              |
//! | restarting        | anything               | booted                             |
//! | stopped, exited   | a boot that was begun  | undone: stays as it was            |
//! | terminating       | anything               | removed                            |
//! | (no file)         | group, mount, cable    | removed                            |
//!
//! What is found may tell whether a boot has begun, never whether a machine was there before: that
//! is told by the phase alone. Only `launching` and `terminating` cost a machine its disk.

use super::boot;
use super::life;
use super::record::{Machine, Phase, Record, Running};
use super::watch::{come_up_again, watch};
use crate::blocking::blocking;
use crate::host::pidfd::Process;
use crate::host::{files, mounts};
use crate::network::Router;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExitCause, ExitInfo, MachineId, MachineStatus};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Finds everything again.
pub async fn adopt(host: &Arc<Host>) -> DriverResult<Vec<MachineStatus>> {
    let h = host.clone();
    let alive = blocking(move || take_stock(&h)).await?;
    for (machine, running) in alive {
        watch(host, &machine, running);
    }
    let machines: Vec<_> = host.machines.lock().values().cloned().collect();
    for machine in &machines {
        let _turn = machine.turn.lock().await;
        let restarts = matches!(machine.record.lock().phase, Phase::Restarting { .. });
        if restarts && let Err(error) = come_up_again(host, machine).await {
            tracing::error!(id = %machine.id, error = error.chain(), "its reboot was cut off and cannot be finished");
        }
    }
    Ok(machines.iter().filter_map(|m| m.status()).collect())
}

type Alive = Vec<(Arc<Machine>, Arc<Running>)>;

fn take_stock(host: &Host) -> DriverResult<Alive> {
    for (spec, cut) in Router::recorded(&host.dirs.networks)? {
        let router = Router::open(&spec, &host.dirs.networks, &host.dirs.netns)?;
        router.apply(&spec, Some(&cut))?;
        let router = Arc::new(router);
        host.door.set(&router, &spec);
        host.routers.lock().insert(spec.id, router);
    }
    let mut alive = Vec::new();
    for name in files::names_in(&host.dirs.machines)? {
        let dir = host.dirs.machines.join(&name);
        let record: Option<Record> = files::read_json(&dir.join("machine.json"))?;
        let Some(record) = record else {
            files::remove_all(&dir)?;
            continue;
        };
        let machine = Arc::new(Machine::new(record));
        host.machines.lock().insert(machine.id.clone(), machine.clone());
        if let Some(running) = settle(host, &machine)? {
            alive.push((machine, running));
        }
    }
    sweep(host, &alive)?;
    Ok(alive)
}

/// Brings one machine into a settled state; its process if it runs.
fn settle(host: &Host, machine: &Arc<Machine>) -> DriverResult<Option<Arc<Running>>> {
    let phase = machine.record.lock().phase.clone();
    let remove = || {
        boot::clear(host, machine)?;
        life::erase(host, machine)?;
        Ok(None)
    };
    match phase {
        Phase::Launching | Phase::Terminating | Phase::Gone => remove(),
        Phase::Restarting { .. } | Phase::Stopped { .. } | Phase::Exited { .. } => {
            boot::clear(host, machine)?;
            Ok(None)
        }
        Phase::Running { pid, start_ticks, boot_id, .. } => {
            let waiting = host.crun.is_waiting(machine.id.as_str());
            if boot_id == host.boot_id && !waiting {
                // To call it ended would leave it running beside the one that is booted in its place.
                let failed = |e| DriverError::failed(format!("take hold of {}", machine.id), e);
                let process = Process::find_started(pid, start_ticks).map_err(failed)?;
                if let Some(process) = process {
                    // Kiln may have been killed while it held the machine still for an image, or
                    // between noting another size and giving it.
                    machine.group(host).freeze(false)?;
                    machine.group(host).limit(&machine.limits())?;
                    let running = Arc::new(Running {
                        process,
                        end_is_wanted: AtomicBool::new(false),
                        oom_kills: machine.group(host).oom_kills(),
                    });
                    *machine.running.lock() = Some(running.clone());
                    return Ok(Some(running));
                }
            }
            let exit = ExitInfo {
                cause: ExitCause::Unknown,
                at_ms: files::now_ms(),
                text: "it ended while kiln was not running".to_owned(),
            };
            boot::clear(host, machine)?;
            machine.update(host, |record| record.phase = Phase::Exited { exit })?;
            Ok(None)
        }
    }
}

/// Removes what belongs to no machine and no network.
fn sweep(host: &Host, alive: &Alive) -> DriverResult<()> {
    for name in host.trees.members(&host.top_group)? {
        if host.machine(&MachineId::new(&name)).is_err() {
            host.trees.group(&host.top_group, &name).remove()?;
        }
    }
    for name in files::names_in(&host.dirs.state.join("run/crun"))? {
        if host.machine(&MachineId::new(&name)).is_err() {
            host.crun.forget(&name)?;
        }
    }
    let failed = |e| DriverError::failed("remove old mounts", e);
    for at in mounts::mounts_under(&host.dirs.lower).map_err(failed)? {
        mounts::unmount(&at).map_err(failed)?;
    }
    for name in files::names_in(&host.dirs.lower)? {
        files::remove_all(&host.dirs.lower.join(name))?;
    }
    for name in files::names_in(&host.dirs.consoles)? {
        if host.machine(&MachineId::new(&name)).is_err() {
            let at = host.dirs.consoles.join(name);
            mounts::unmount(&at).map_err(failed)?;
            files::remove_all(&at)?;
        }
    }
    let routers: Vec<_> = host.routers.lock().values().cloned().collect();
    for router in routers {
        let spec = router.spec();
        let cabled = alive.iter().flat_map(|(m, _)| m.record.lock().cabled());
        let ips: BTreeSet<_> = cabled.filter(|i| i.vpc == spec.id).map(|i| i.ip).collect();
        router.unplug_except(&ips)?;
    }
    Router::remove_unknown(&host.dirs.netns, |name| host.routers.lock().keys().any(|id| id.as_str() == name))?;
    host.images.unmount_except(&host.layers_in_use())
}
