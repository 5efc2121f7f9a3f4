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

use crate::controllers::instance_interfaces::{self, Interfaces, Settled};
use crate::instance_types;
use crate::interfaces::{leave_instance, release_public};
use crate::launch;
use crate::records::{
    ConsoleOutput, Impaired, Instance, InstanceState, NetworkInterface, NetworkStatus, Reason, Volume, Wanted,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_machines_spec::{
    self as host, DriverError, ExitCause, ExitInfo, ExtraInterface, MachineDriver, MachineId, MachineSpec,
    MachineState, MachineStatus,
};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, Report, Store, Timestamp, Tx, Waiting, async_trait,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// How long a terminated instance stays visible, as on EC2.
const SHOWN_AFTER_END: Duration = Duration::from_secs(3600);
/// A stopped machine has this long to shut down before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// The same for one that is terminated: nothing it writes is kept.
const TERMINATE_GRACE: Duration = Duration::from_secs(5);
/// Tries to launch or start before giving up: 0.2 + 0.4 + … + 6.4 s ≈ 13 s of waiting.
const MOST_TRIES: u32 = 7;

/// Where a machine finds the AWS API. The server listens there in each network.
const API_INSIDE: &str = "http://169.254.169.254:4566";

/// The controller; it has no state.
pub struct Instances;

/// What a pass looks at.
pub struct Seen {
    pub record: Instance,
    pub machine: Option<MachineStatus>,
    pub interfaces: Interfaces,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Launch,
    Start,
    Stop,
    Reboot,
    Terminate,
    RecordRunning {
        boots: u32,
    },
    RecordStopped,
    /// The machine's further addresses and interfaces.
    SetInterfaces {
        secondary_ips: Vec<Ipv4Addr>,
        interfaces: Vec<ExtraInterface>,
    },
    RecordInterfaces(Settled),
    RecordRebooted,
    RecordTerminated,
    RecordExit(ExitInfo),
    /// Its machine was made once and is not there any more.
    RecordLost,
    GiveUp,
    Purge,
}

#[async_trait]
impl Controller for Instances {
    const NAME: &'static str = "ec2/instance";
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Vec<Name> {
        match &*change.kind {
            Instance::KIND => vec![Name::new(&change.scope, change.id.clone())],
            NetworkStatus::KIND => known(instance_interfaces::waiting_for(store, change)),
            NetworkInterface::KIND => known(instance_interfaces::holder(store, change)),
            _ => vec![],
        }
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let all = store.list_everywhere::<Instance>()?;
        Ok(all.into_iter().map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(record) = cx.store().get::<Instance>(cx.scope(), &name.id)? else { return Ok(None) };
        let machine = match driver(cx)?.observe(&MachineId::new(&*name.id)).await {
            Ok(status) => Some(status),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(failed("look at", &name.id, &error)),
        };
        let interfaces = Interfaces::of(cx.store(), cx.scope(), &record)?;
        Ok(Some(Seen { record: Instance::clone(&record), machine, interfaces }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        plan(seen, now)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let (driver, machine) = (driver(cx)?, MachineId::new(&*name.id));
        match step {
            Step::Launch => match cx.store().get::<Instance>(cx.scope(), &name.id)? {
                None => Ok(()),
                Some(record) => match driver.launch(spec(cx, &record)?).await {
                    Ok(_) => Ok(()),
                    Err(error) => not_started(cx, name, &error).await,
                },
            },
            Step::Start => match start(cx, &*driver, &machine).await? {
                Ok(()) => Ok(()),
                Err(error) => not_started(cx, name, &error).await,
            },
            Step::Stop => {
                let grace = grace(cx, &name.id, STOP_GRACE)?;
                fine_if_gone(driver.stop(&machine, grace).await, "stop", &name.id)
            }
            Step::Reboot => driver.reboot(&machine).await.map_err(|error| failed("reboot", &name.id, &error)),
            Step::Terminate => terminate(cx, &*driver, &machine).await,
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
                    i.retry_at = None;
                })
                .await
            }
            Step::RecordStopped => {
                change(cx, name, |_, i, now| {
                    if i.wanted == Wanted::Stopped {
                        enter(i, InstanceState::Stopped, now);
                    }
                })
                .await
            }
            Step::SetInterfaces { secondary_ips, interfaces } => driver
                .set_interfaces(&machine, secondary_ips.clone(), interfaces.clone())
                .await
                .map_err(|error| failed("change the interfaces of", &name.id, &error)),
            Step::RecordInterfaces(settled) => {
                cx.store().write(|tx| instance_interfaces::record(tx, cx.scope(), &name.id, settled)).await
            }
            Step::RecordRebooted => change(cx, name, |_, i, _| i.reboot_wanted = false).await,
            Step::RecordExit(exit) => change(cx, name, |_, i, now| record_exit(i, exit, now)).await,
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
            Step::GiveUp => change(cx, name, give_up).await,
            Step::RecordTerminated => record_terminated(cx, name).await,
            Step::Purge => {
                let purge = |tx: &mut Tx| -> Result<(), Error> {
                    tx.delete::<Instance>(cx.scope(), &name.id);
                    tx.delete::<ConsoleOutput>(cx.scope(), &name.id);
                    Ok(())
                };
                cx.store().write(purge).await
            }
        }
    }
}

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

        (Wanted::Stopped, _) if running => take(vec![Step::Stop, Step::RecordStopped]),
        (Wanted::Stopped, _) if i.state != InstanceState::Stopped => take(vec![Step::RecordStopped]),
        (Wanted::Stopped, machine) => match interfaces.steps(machine.as_ref()) {
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
            match interfaces.steps(Some(m)) {
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

/// What is known of a machine that was stopped without a call to this kiln.
fn stopped_by_somebody(now: Timestamp) -> ExitInfo {
    ExitInfo {
        cause: ExitCause::Unknown,
        at_ms: u64::try_from(now.millis()).unwrap_or(0),
        text: "the machine was stopped together with kiln (kiln down --stop-machines), not by a call".to_owned(),
    }
}

fn record_exit(i: &mut Instance, exit: &ExitInfo, now: Timestamp) {
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

fn give_up(_: &mut Tx, i: &mut Instance, now: Timestamp) {
    let text = i.last_failure.clone().unwrap_or_else(|| "it could not be launched".to_owned());
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

fn enter(i: &mut Instance, state: InstanceState, now: Timestamp) {
    if i.state != state {
        i.state = state;
        i.state_since = now;
    }
}

/// A launch or start failed: for good, or to be tried again later.
async fn not_started(cx: &Cx, name: &Name, error: &DriverError) -> Result<(), Error> {
    let text = error.chain();
    tracing::warn!(id = %name.id, error = %text, "a machine was not started");
    change(cx, name, |_, i, now| match for_good(error) {
        Some(code) => fail(i, code, &text, now),
        None => {
            i.launch_failures += 1;
            i.last_failure = Some(text.clone());
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

/// Starts a stopped machine as its record is now: type and user data may have changed.
async fn start(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId) -> Result<Result<(), DriverError>, Error> {
    let Some(record) = cx.store().get::<Instance>(cx.scope(), id.as_str())? else { return Ok(Ok(())) };
    let spec = spec(cx, &record)?;
    let steps = async {
        let machine = driver.observe(id).await?;
        if machine.is_running() {
            return Ok(());
        }
        if machine.spec.user_data != spec.user_data {
            driver.set_user_data(id, spec.user_data.clone()).await?;
        }
        let size = |s: &MachineSpec| (s.cpus, s.memory_bytes, s.pids_max);
        if size(&machine.spec) != size(&spec) {
            driver.resize(id, spec.cpus, spec.memory_bytes, spec.pids_max).await?;
        }
        let network = |s: &MachineSpec| (s.secondary_ips.clone(), s.interfaces.clone());
        if network(&machine.spec) != network(&spec) {
            driver.set_interfaces(id, spec.secondary_ips.clone(), spec.interfaces.clone()).await?;
        }
        driver.start(id).await.map(|_| ())
    };
    Ok(steps.await)
}

/// What could be seen; what could not is logged, and a later look finds it.
fn known(names: Result<Vec<Name>, Error>) -> Vec<Name> {
    names.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot see which instances a change of a network touches");
        vec![]
    })
}

/// How long the system may take to shut down.
fn grace(cx: &Cx, id: &str, usual: Duration) -> Result<Duration, Error> {
    let record = cx.store().get::<Instance>(cx.scope(), id)?;
    Ok(if record.is_some_and(|record| record.skip_os_shutdown) { Duration::ZERO } else { usual })
}

/// Ends a machine for good; what its console held is kept while the instance is shown.
async fn terminate(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId) -> Result<(), Error> {
    let status = match driver.observe(id).await {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other.map_err(|error| failed("look at", id.as_str(), &error))?,
    };
    if status.is_running() {
        let grace = grace(cx, id.as_str(), TERMINATE_GRACE)?;
        fine_if_gone(driver.stop(id, grace).await, "stop", id.as_str())?;
    }
    match driver.console(id).await {
        Ok(output) => {
            let record = ConsoleOutput { output: STANDARD.encode(output), at: cx.now() };
            cx.store().write(|tx| -> Result<_, Error> { Ok(tx.put(cx.scope(), id.as_str(), record)?) }).await?;
        }
        Err(error) => tracing::warn!(%id, error = %error.chain(), "the console could not be kept"),
    }
    driver.terminate(id).await.map_err(|error| failed("terminate", id.as_str(), &error))
}

async fn record_terminated(cx: &Cx, name: &Name) -> Result<(), Error> {
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
        Ok(tx.put(cx.scope(), &name.id, i)?)
    };
    cx.store().write(record).await
}

async fn change(cx: &Cx, name: &Name, with: impl Fn(&mut Tx, &mut Instance, Timestamp)) -> Result<(), Error> {
    let write = |tx: &mut Tx| -> Result<(), Error> {
        let Some(found) = tx.get::<Instance>(cx.scope(), &name.id)? else { return Ok(()) };
        let mut instance = Instance::clone(&found);
        let now = tx.now();
        with(tx, &mut instance, now);
        if instance.state == InstanceState::Stopped {
            release_public(tx, cx.scope(), &instance.interface)?;
        }
        tx.put_if_changed(cx.scope(), &name.id, instance)?;
        Ok(())
    };
    cx.store().write(write).await
}

/// The machine that an instance is.
fn spec(cx: &Cx, i: &Instance) -> Result<MachineSpec, Error> {
    let kind = instance_types::find(&i.instance_type)
        .ok_or_else(|| Error::internal(format!("{} has the unknown type {}", i.id, i.instance_type)))?;
    let user_data = i.user_data.as_deref().map(launch::user_data).transpose()?;
    let network = Interfaces::of(cx.store(), cx.scope(), i)?;
    Ok(MachineSpec {
        id: MachineId::new(i.id.as_str()),
        image: host::ImageId::new(i.machine_image.as_str()),
        entry: None,
        cpus: f64::from(kind.vcpus),
        memory_bytes: kind.memory_bytes(),
        pids_max: kind.pids_max(),
        disk_bytes: disk_bytes(cx, i)?,
        hostname: i.host_name(),
        vpc: host::VpcId::new(i.vpc.as_str()),
        subnet: host::SubnetId::new(i.subnet.as_str()),
        private_ip: i.ip,
        mac: i.mac,
        secondary_ips: network.secondary_ips,
        interfaces: network.interfaces,
        user_data,
        ssh_authorized_keys: i.ssh_keys.clone(),
        files: vec![],
        environment: BTreeMap::from([
            ("AWS_REGION".to_owned(), cx.region().to_owned()),
            ("AWS_ENDPOINT_URL".to_owned(), API_INSIDE.to_owned()),
        ]),
        labels: BTreeMap::from([
            ("account".to_owned(), cx.account().to_owned()),
            ("region".to_owned(), cx.region().to_owned()),
        ]),
    })
}

/// The size of its root volume.
fn disk_bytes(cx: &Cx, i: &Instance) -> Result<u64, Error> {
    let volume = cx.store().get::<Volume>(cx.scope(), i.volume.as_str())?;
    let volume = volume.ok_or_else(|| Error::internal(format!("{} has lost its volume {}", i.id, i.volume)))?;
    u64::try_from(volume.size_gib)
        .map(|gib| gib << 30)
        .map_err(|_| Error::internal(format!("{} has the size {}", volume.id, volume.size_gib)))
}

fn fine_if_gone(outcome: Result<(), DriverError>, doing: &str, id: &str) -> Result<(), Error> {
    match outcome {
        Err(error) if !error.is_not_found() => Err(failed(doing, id, &error)),
        _ => Ok(()),
    }
}

/// The machine driver.
pub fn driver(cx: &Cx) -> Result<Arc<dyn MachineDriver>, Error> {
    cx.part::<Arc<dyn MachineDriver>>()
}

/// For the log and the report: the whole chain of causes.
pub fn failed(doing: &str, what: &str, error: &DriverError) -> Error {
    Error::internal(format!("failed to {doing} {what}: {}", error.chain()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{InstanceOptions, MetadataOptions};
    use kiln_machines_spec::MacAddr;

    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_800_000_000);

    fn record(wanted: Wanted, state: InstanceState) -> Instance {
        let id = |prefix: &str| format!("{prefix}00000000000000001");
        let ip = Ipv4Addr::new(10, 0, 0, 5);
        Instance {
            id: id("i-").parse().expect("an id"),
            reservation: id("r-").parse().expect("an id"),
            requester: None,
            launch_index: 0,
            client_token: None,
            image: id("ami-").parse().expect("an id"),
            machine_image: "img-1".to_owned(),
            architecture: "x86_64".to_owned(),
            instance_type: "t3.micro".to_owned(),
            key_name: None,
            ssh_keys: vec![],
            user_data: None,
            vpc: id("vpc-").parse().expect("an id"),
            subnet: id("subnet-").parse().expect("an id"),
            zone: "us-east-1a".to_owned(),
            ip,
            mac: MacAddr::from_ip(ip),
            interface: id("eni-").parse().expect("an id"),
            more_interfaces: vec![],
            volume: id("vol-").parse().expect("an id"),
            root_device: "/dev/xvda".to_owned(),
            profile: None,
            options: InstanceOptions {
                disable_api_termination: false,
                disable_api_stop: false,
                terminate_on_shutdown: false,
                ebs_optimized: false,
                hostname_type: "ip-name".to_owned(),
                resource_name_dns_a: false,
                auto_recovery: "default".to_owned(),
                capacity_reservation_preference: "open".to_owned(),
            },
            metadata: MetadataOptions { tokens_required: true, hop_limit: 1, enabled: true, tags_enabled: false },
            wanted,
            state,
            state_since: NOW,
            transition_reason: String::new(),
            reason: None,
            impaired: None,
            launched: state != InstanceState::Pending,
            boots: if state == InstanceState::Pending { 0 } else { 1 },
            reboot_wanted: false,
            skip_os_shutdown: false,
            launch_failures: 0,
            last_failure: None,
            retry_at: None,
            captured_by: None,
            launch_time: NOW,
            tags: Default::default(),
        }
    }

    fn machine(state: MachineState, boots: u32) -> Option<MachineStatus> {
        let spec = MachineSpec {
            id: MachineId::new("i-1"),
            image: host::ImageId::new("img-1"),
            entry: None,
            cpus: 2.0,
            memory_bytes: 1 << 30,
            pids_max: 4096,
            disk_bytes: 1 << 30,
            hostname: "h".to_owned(),
            vpc: host::VpcId::new("vpc-1"),
            subnet: host::SubnetId::new("subnet-1"),
            private_ip: Ipv4Addr::new(10, 0, 0, 5),
            mac: MacAddr::from_ip(Ipv4Addr::new(10, 0, 0, 5)),
            secondary_ips: vec![],
            interfaces: vec![],
            user_data: None,
            ssh_authorized_keys: vec![],
            files: vec![],
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        Some(MachineStatus { spec, state, boots })
    }

    #[test]
    fn what_is_done_next() {
        use InstanceState as S;
        use Wanted as W;
        let running = |boots| machine(MachineState::Running { pid: 1, since_ms: 0 }, boots);
        let stopped = |boots| machine(MachineState::Stopped { since_ms: 0 }, boots);
        let exit = ExitInfo { cause: ExitCause::Signalled { signal: 9 }, at_ms: 0, text: "killed".to_owned() };
        let exited = |boots| machine(MachineState::Exited(exit.clone()), boots);
        let pending_again = || Instance { launched: true, boots: 1, ..record(W::Running, S::Pending) };
        let reboot = Instance { reboot_wanted: true, ..record(W::Running, S::Running) };
        let retried = Instance {
            launch_failures: 2,
            retry_at: Some(NOW + Duration::from_secs(1)),
            ..record(W::Running, S::Pending)
        };
        let hopeless = Instance { launch_failures: MOST_TRIES, ..record(W::Running, S::Pending) };
        let image = "ami-00000000000000002".parse().expect("an id");
        let captured = Instance { captured_by: Some(image), ..record(W::Running, S::Running) };
        let old = Instance { state_since: NOW - SHOWN_AFTER_END, ..record(W::Terminated, S::Terminated) };
        let table: Vec<(&str, Instance, Option<MachineStatus>, bool, Vec<Step>)> = vec![
            ("new, no network yet", record(W::Running, S::Pending), None, false, vec![]),
            ("new, network there", record(W::Running, S::Pending), None, true, vec![Step::Launch]),
            ("launched", record(W::Running, S::Pending), running(1), true, vec![Step::RecordRunning { boots: 1 }]),
            ("runs", record(W::Running, S::Running), running(1), true, vec![]),
            (
                "rebooted itself",
                record(W::Running, S::Running),
                running(2),
                true,
                vec![Step::RecordRunning { boots: 2 }],
            ),
            (
                "rebooted, kiln was killed between its end and its start",
                reboot.clone(),
                exited(1),
                true,
                vec![Step::Start],
            ),
            ("reboot asked", reboot, running(1), true, vec![Step::Reboot, Step::RecordRebooted]),
            ("died", record(W::Running, S::Running), exited(1), true, vec![Step::RecordExit(exit.clone())]),
            ("died unseen", record(W::Running, S::Pending), exited(1), true, vec![Step::RecordRunning { boots: 1 }]),
            ("vanished", record(W::Running, S::Running), None, true, vec![Step::RecordLost]),
            ("stop", record(W::Stopped, S::Stopping), running(1), true, vec![Step::Stop, Step::RecordStopped]),
            ("stop, dead already", record(W::Stopped, S::Stopping), exited(1), true, vec![Step::RecordStopped]),
            ("stop, never launched", record(W::Stopped, S::Stopping), None, true, vec![Step::RecordStopped]),
            ("rests", record(W::Stopped, S::Stopped), stopped(1), true, vec![]),
            ("start", pending_again(), stopped(1), true, vec![Step::Start]),
            ("start after a crash", pending_again(), exited(1), true, vec![Step::Start]),
            (
                "end",
                record(W::Terminated, S::ShuttingDown),
                running(1),
                true,
                vec![Step::Terminate, Step::RecordTerminated],
            ),
            ("end, no machine", record(W::Terminated, S::ShuttingDown), None, true, vec![Step::RecordTerminated]),
            ("ended", record(W::Terminated, S::Terminated), None, true, vec![]),
            ("an hour after", old, None, true, vec![Step::Purge]),
            ("failed, waits", retried, None, true, vec![]),
            ("failed too often", hopeless, None, true, vec![Step::GiveUp]),
            ("its image is taken", captured, stopped(1), true, vec![]),
        ];
        for (what, record, machine, network_ready, steps) in table {
            let missing = (!network_ready).then(|| "eni-1".to_owned());
            let interfaces = Interfaces { missing, ..Interfaces::default() };
            let plan = plan(&Seen { record, machine, interfaces }, NOW);
            assert_eq!(plan.steps, steps, "{what}");
            assert_eq!(plan.steps.is_empty(), plan.report.waiting_for.is_some(), "{what} says what it waits for");
        }
    }
}
