//! The instance controller's eye for network interfaces: which the machine is to have, which it
//! has not got yet or is to lose, and what is recorded when it has changed.
//!
//! ```text
//! AttachNetworkInterface ─ attachment, not plugged ─► ec2/network puts the address on the host
//!     ─► ec2/network-status wakes ec2/instance ─► driver.set_interfaces ─► plugged: `attached`
//! DetachNetworkInterface ─ detaching ─► driver.set_interfaces ─► attachment gone: `available`
//! ```
//! A machine at rest is only told; it boots with what it is to have then.

use crate::instances::records::{Instance, InstanceState};
use crate::interfaces::allocation::free;
use crate::interfaces::records::NetworkInterface;
use crate::networks::records::NetworkStatus;
use kiln_machines_spec::{self as host, ExtraInterface};
use kiln_service_kit::{Change, Error, Name, Scope, Store, Tx};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What a pass sees of an instance's interfaces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interfaces {
    /// Further addresses of the first one.
    pub secondary_ips: Vec<Ipv4Addr>,
    /// The others that the machine is to have, by device number.
    pub interfaces: Vec<ExtraInterface>,
    /// One whose address is not on the host yet.
    pub missing: Option<String>,
    /// What is to be recorded when the machine has just these.
    pub settled: Settled,
}

/// Attachments whose status changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settled {
    pub attached: Vec<String>,
    pub detached: Vec<String>,
}

impl Interfaces {
    pub fn of(store: &Store, scope: &Scope, instance: &Instance) -> Result<Self, Error> {
        let mut seen = Self::default();
        for id in std::iter::once(&instance.interface).chain(&instance.more_interfaces) {
            let Some(interface) = store.get::<NetworkInterface>(scope, id)? else { continue };
            let Some(attachment) = interface.attachment.as_ref().filter(|a| a.instance == instance.id) else {
                continue;
            };
            if attachment.detaching {
                seen.settled.detached.push(attachment.id.to_string());
                continue;
            }
            if !attachment.plugged {
                seen.settled.attached.push(attachment.id.to_string());
            }
            let network = store.get::<NetworkStatus>(scope, &interface.vpc)?;
            if !network.is_some_and(|network| network.interfaces.contains(id.as_str())) {
                seen.missing.get_or_insert(id.to_string());
            }
            let secondary_ips = interface.secondary.iter().map(|secondary| secondary.ip).collect();
            if *id == instance.interface {
                seen.secondary_ips = secondary_ips;
                continue;
            }
            seen.interfaces.push(ExtraInterface {
                device: u32::try_from(attachment.device_index).unwrap_or(0),
                vpc: host::VpcId::new(interface.vpc.as_str()),
                subnet: host::SubnetId::new(interface.subnet.as_str()),
                ip: interface.ip,
                mac: interface.mac,
                secondary_ips,
            });
        }
        seen.interfaces.sort_by_key(|interface| interface.device);
        Ok(seen)
    }
}

/// Records what the machine has now. An attachment that changed meanwhile is left to the next pass.
pub fn record(tx: &mut Tx, scope: &Scope, instance: &str, settled: &Settled) -> Result<(), Error> {
    let Some(found) = tx.get::<Instance>(scope, instance)? else { return Ok(()) };
    let mut instance = Instance::clone(&found);
    for id in &found.more_interfaces {
        let Some(interface) = tx.get::<NetworkInterface>(scope, id)? else { continue };
        let Some(attachment) = &interface.attachment else { continue };
        if attachment.detaching && settled.detached.iter().any(|id| *attachment.id == **id) {
            instance.more_interfaces.retain(|other| other != id);
            free(tx, scope, &interface)?;
        } else if settled.attached.iter().any(|id| *attachment.id == **id) {
            let mut interface = NetworkInterface::clone(&interface);
            interface.attachment.iter_mut().for_each(|attachment| attachment.plugged = true);
            tx.put_if_changed(scope, id, interface)?;
        }
    }
    tx.put_if_changed(scope, &found.id, instance)?;
    Ok(())
}

/// The instances whose interface it was and is.
pub fn holders(store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
    let versions = [store.get(&change.scope, &change.id)?, change.before()?.record()];
    let holds = |interface: &Arc<NetworkInterface>| {
        interface.attachment.as_ref().map(|attachment| Name::new(&change.scope, attachment.instance.as_str()))
    };
    let names: BTreeSet<Name> = versions.iter().flatten().filter_map(holds).collect();
    Ok(names.into_iter().collect())
}

/// The instances that wait for this network to have an interface of theirs.
pub fn waiting_for(store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
    let mut names = BTreeSet::new();
    for (_, interface) in store.by_key::<NetworkInterface>(&change.scope, "vpc-id", &change.id)? {
        let Some(attachment) = interface.attachment.as_ref() else { continue };
        let instance = store.get::<Instance>(&change.scope, &attachment.instance)?;
        let starts = instance.is_some_and(|instance| instance.state == InstanceState::Pending);
        if starts || !attachment.plugged {
            names.insert(Name::new(&change.scope, attachment.instance.as_str()));
        }
    }
    Ok(names.into_iter().collect())
}
