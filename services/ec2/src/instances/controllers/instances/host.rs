//! What an instance is on the host: its machine, started, stopped and ended.

use crate::driver::failed;
use crate::instance_types;
use crate::instances::controllers::instance_interfaces::Interfaces;
use crate::instances::records::{ConsoleOutput, Instance, Volume};
use crate::templates::check::user_data;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_machines_spec::{self as host, DriverError, MachineDriver, MachineId, MachineSpec};
use kiln_service_kit::{Cx, Error, Tx};
use std::collections::BTreeMap;
use std::time::Duration;

/// A stopped machine has this long to shut down before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// The same for one that is terminated: nothing it writes is kept.
const TERMINATE_GRACE: Duration = Duration::from_secs(5);

/// How often a call to cut the power of a machine that shuts down is looked for.
const CUT_LOOK: Duration = Duration::from_millis(200);

/// Where a machine finds the AWS API. The server listens there in each network.
const API_INSIDE: &str = "http://169.254.169.254:4566";

/// Starts a stopped machine as its record is now: type and user data may have changed.
pub async fn start(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId) -> Result<Result<(), DriverError>, Error> {
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

/// Whether the power is to be cut, without a word to the system.
fn cut_wanted(cx: &Cx, id: &MachineId) -> Result<bool, Error> {
    let record = cx.store().get::<Instance>(cx.scope(), id.as_str())?;
    Ok(record.is_some_and(|record| record.skip_os_shutdown))
}

/// Stops a machine as its system wants to be stopped.
pub async fn stop(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId) -> Result<(), Error> {
    shut_down(cx, driver, id, STOP_GRACE).await
}

/// Lets the system shut down within a time, or until somebody asks to cut the power.
async fn shut_down(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId, usual: Duration) -> Result<(), Error> {
    let grace = if cut_wanted(cx, id)? { Duration::ZERO } else { usual };
    let stop = driver.stop(id, grace);
    tokio::pin!(stop);
    let done = loop {
        tokio::select! {
            done = &mut stop => break done,
            () = tokio::time::sleep(CUT_LOOK), if !grace.is_zero() => {
                if cut_wanted(cx, id)? {
                    // It may end by itself this very moment; what does not end so does when its time is over.
                    if let Err(error) = driver.kill(id).await {
                        tracing::warn!(%id, error = error.chain(), "its power could not be cut");
                    }
                    break stop.await;
                }
            }
        }
    };
    fine_if_gone(done, "stop", id.as_str())
}

/// Ends a machine for good; what its console held is kept while the instance is shown.
pub async fn terminate(cx: &Cx, driver: &dyn MachineDriver, id: &MachineId) -> Result<(), Error> {
    let status = match driver.observe(id).await {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other.map_err(|error| failed("look at", id.as_str(), error))?,
    };
    if status.is_running() {
        shut_down(cx, driver, id, TERMINATE_GRACE).await?;
    }
    match driver.console(id).await {
        Ok(output) => {
            let record = ConsoleOutput { output: STANDARD.encode(output), at: cx.now() };
            let note = |tx: &mut Tx<'_>| cx.history().note(tx, cx.scope(), id.as_str(), &record);
            cx.store().write(note).await?;
        }
        Err(error) => tracing::warn!(%id, error = %error.chain(), "the console could not be kept"),
    }
    driver.terminate(id).await.map_err(|error| failed("terminate", id.as_str(), error))
}

/// The machine that an instance is.
pub fn spec(cx: &Cx, i: &Instance) -> Result<MachineSpec, Error> {
    let kind = instance_types::find(&i.instance_type)
        .ok_or_else(|| Error::internal(format!("{} has the unknown type {}", i.id, i.instance_type)))?;
    let user_data = i.user_data.as_deref().map(user_data).transpose()?;
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
        domain: crate::names::private_domain(cx.region()),
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
        Err(error) if !error.is_not_found() => Err(failed(doing, id, error)),
        _ => Ok(()),
    }
}
