//! Makes instances what they are wanted to be: one pass per instance, woken by its record, by its
//! network being applied, and by its machine ending.
//!
//! ```text
//! observe: the record; driver.observe(id); is its interface on the host?
//! plan:    wanted × state × machine → Launch, Start, Stop, Reboot, Terminate, Record…
//! act:     the driver, then one transaction that says what happened
//! ```
//!
//! A state is recorded after it was seen. A machine that ends by itself is recorded as what it was:
//! switched off from inside → stopped or terminated as `InstanceInitiatedShutdownBehavior` says;
//! killed, crashed or out of memory → `stopped`, `Server.InternalError`, with the driver's words,
//! and its status check is impaired. (On EC2 a crashed system stays `running` with failed checks;
//! here there is no machine left that could be said to run.)

mod host;
mod plan;
mod record;
mod step;

use crate::driver::{driver, failed};
use crate::instances::controllers::instance_interfaces::{self, Interfaces};
use crate::instances::records::{Impaired, Instance, InstanceState, Reason, Wanted};
use crate::interfaces::records::NetworkInterface;
use crate::networks::records::NetworkStatus;
use kiln_machines_spec::MachineId;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Store, Timestamp, Tx, async_trait,
};
use record::{change, enter};
use step::{Seen, Step};

/// The controller; it has no state.
pub struct Instances;

#[async_trait]
impl Controller for Instances {
    const NAME: &'static str = "ec2/instance";
    const ABOUT: &'static str = "one instance: launch, stop, start, reboot, terminate, what its machine really does";
    const STEPS: &'static [&'static str] = &[
        "GiveUp",
        "Launch",
        "Purge",
        "Reboot",
        "RecordExit",
        "RecordInterfaces",
        "RecordLost",
        "RecordRebooted",
        "RecordRunning",
        "RecordStopped",
        "RecordTerminated",
        "SetInterfaces",
        "Start",
        "Stop",
        "Terminate",
    ];
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Instance::KIND, NetworkStatus::KIND, NetworkInterface::KIND];
    const SLOTS: usize = 64;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        match &*change.kind {
            NetworkStatus::KIND => instance_interfaces::waiting_for(store, change),
            NetworkInterface::KIND => instance_interfaces::holders(store, change),
            _ => Ok(vec![Name::new(&change.scope, change.id.clone())]),
        }
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Instance>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(record) = cx.store().get::<Instance>(cx.scope(), &name.id)? else { return Ok(None) };
        let machine = match driver(cx)?.observe(&MachineId::new(&*name.id)).await {
            Ok(status) => Some(status),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(failed("look at", &name.id, error)),
        };
        let interfaces = Interfaces::of(cx.store(), cx.scope(), &record)?;
        Ok(Some(Seen { record, machine, interfaces }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        plan::plan(seen, now)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let (driver, machine) = (driver(cx)?, MachineId::new(&*name.id));
        match step {
            Step::Launch => match cx.store().get::<Instance>(cx.scope(), &name.id)? {
                None => Ok(()),
                Some(record) => match driver.launch(host::spec(cx, &record)?).await {
                    Ok(_) => Ok(()),
                    Err(error) => record::not_started(cx, name, &error).await,
                },
            },
            Step::Start => match host::start(cx, &*driver, &machine).await? {
                Ok(()) => Ok(()),
                Err(error) => record::not_started(cx, name, &error).await,
            },
            Step::Stop => host::stop(cx, &*driver, &machine).await,
            Step::Reboot => driver.reboot(&machine).await.map_err(|error| failed("reboot", &name.id, error)),
            Step::Terminate => host::terminate(cx, &*driver, &machine).await,
            Step::RecordRunning { boots } => {
                change(cx, name, |_, i, now| {
                    if i.wanted == Wanted::Running && i.state == InstanceState::Pending {
                        enter(i, InstanceState::Running, now);
                        i.reason = None;
                    }
                    i.launched = true;
                    // A reboot that a crash of kiln cut in two: its second half was a start.
                    i.reboot_wanted &= *boots <= i.boots;
                    i.boots = *boots;
                    i.launch_failures = 0;
                    i.last_failure = None;
                    i.last_reason = None;
                    i.retry_at = None;
                })
                .await
            }
            Step::RecordStopped { boots } => {
                change(cx, name, |_, i, now| {
                    if let Some(boots) = *boots {
                        i.launched = true;
                        i.boots = boots;
                    }
                    if i.wanted == Wanted::Stopped {
                        enter(i, InstanceState::Stopped, now);
                    }
                })
                .await
            }
            Step::SetInterfaces { secondary_ips, interfaces } => driver
                .set_interfaces(&machine, secondary_ips.clone(), interfaces.clone())
                .await
                .map_err(|error| failed("change the interfaces of", &name.id, error)),
            Step::RecordInterfaces(settled) => {
                cx.store().write(|tx| instance_interfaces::record(tx, cx.scope(), &name.id, settled)).await
            }
            Step::RecordRebooted => change(cx, name, |_, i, _| i.reboot_wanted = false).await,
            Step::RecordExit(exit) => change(cx, name, |_, i, now| record::exited(i, exit, now)).await,
            Step::RecordLost => {
                change(cx, name, |_, i, now| {
                    let text = "its machine is not on this host any more";
                    i.wanted = Wanted::Terminated;
                    i.reason = Some(Reason::new("Server.InternalError", text));
                    i.impaired = Some(Impaired { since: now, text: text.to_owned() });
                    enter(i, InstanceState::ShuttingDown, now);
                })
                .await
            }
            Step::GiveUp => change(cx, name, record::give_up).await,
            Step::RecordTerminated => record::terminated(cx, name).await,
            Step::Purge => {
                let purge = |tx: &mut Tx| -> Result<(), Error> {
                    tx.delete::<Instance>(cx.scope(), &name.id);
                    Ok(())
                };
                cx.store().write(purge).await
            }
        }
    }
}
