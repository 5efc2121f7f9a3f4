//! Changing a machine's interfaces, while it runs or at rest.
//!
//! What is wanted is written down before the first cable moves, and what is done after the last:
//! whoever is killed in between leaves a record that names every cable there may be
//! ([`Record::cabled`]), and the next call takes it up. Until then the machine's status tells of
//! the interfaces it had before.

use super::record::{Interfaces, Machine};
use crate::host::netns;
use crate::network::cables;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExtraInterface};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

/// Makes the interfaces be these. The caller has the turn.
pub fn set(host: &Host, machine: &Machine, wanted: &Interfaces) -> DriverResult<()> {
    machine.status_or_gone()?;
    check(machine, wanted)?;
    let running = machine.running.lock().clone();
    if let Some(running) = running {
        for interface in &wanted.interfaces {
            host.router(&interface.vpc)?.has_place_for(interface)?;
        }
        machine.update(host, |record| {
            if !record.unfinished.contains(wanted) {
                record.unfinished.push(wanted.clone());
            }
        })?;
        let ns = netns::of_process(running.process.pid());
        let ns = ns.map_err(|e| DriverError::failed(format!("find the network of {}", machine.id), e))?;
        rewire(host, machine, wanted, &ns)?;
    }
    machine.update(host, |record| {
        record.spec.secondary_ips = wanted.secondary_ips.clone();
        record.spec.interfaces = wanted.interfaces.clone();
        record.unfinished.clear();
    })
}

fn check(machine: &Machine, wanted: &Interfaces) -> DriverResult<()> {
    for (n, interface) in wanted.interfaces.iter().enumerate() {
        let twice = wanted.interfaces[..n].iter().any(|other| other.device == interface.device);
        if interface.device == 0 || twice {
            let text = format!("{} cannot have one more interface eth{}", machine.id, interface.device);
            return Err(DriverError::Invalid(text));
        }
    }
    Ok(())
}

/// From what may be plugged in to what shall be.
fn rewire(host: &Host, machine: &Machine, wanted: &Interfaces, ns: &OwnedFd) -> DriverResult<()> {
    let (had, spec) = {
        let record = machine.record.lock();
        (record.cabled(), record.spec.clone())
    };
    let mut shall = vec![ExtraInterface { secondary_ips: wanted.secondary_ips.clone(), ..cables::first(&spec) }];
    shall.extend(wanted.interfaces.iter().cloned());
    let same = |a: &ExtraInterface, b: &ExtraInterface| (&a.vpc, a.ip, a.device) == (&b.vpc, b.ip, b.device);
    for old in had.iter().filter(|old| !shall.iter().any(|new| same(old, new))) {
        if let Ok(router) = host.router(&old.vpc) {
            router.unplug(old.ip)?;
        }
        cables::forget(old.device, ns)?;
    }
    for new in &shall {
        let before = had.iter().filter(|old| same(old, new));
        let gone: Vec<Ipv4Addr> = before.flat_map(|old| &old.secondary_ips).copied().collect();
        host.router(&new.vpc)?.plug(new, &gone, ns)?;
    }
    Ok(())
}
