//! What machines use, as AWS/EC2 names it, and memory and disk in use, as the CloudWatch agent does (CWAgent). Source:
//! the user guide, "CloudWatch metrics that are available for your instances" and "Metrics collected by the CloudWatch
//! agent".
//!
//! Counters are the driver's: control groups, the network's own, the file system of the machine's disk. A point is the
//! difference of two readings; one that cannot be read, or that began anew in between, makes none. Every five minutes,
//! or each minute with detailed monitoring; status checks, memory and disk each minute.

use crate::instances::records::{Instance, InstanceState};
use futures_util::StreamExt;
use kiln_machines_spec::{MachineDriver, MachineId, MachineState, MachineStats, MachineStatus};
use kiln_meters::{Dimensions, Meter, Reading, Tick};
use kiln_service_kit::{BoxFuture, Error, Platform, Scope, Timestamp, async_trait};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

const EC2: &str = "AWS/EC2";
const AGENT: &str = "CWAgent";
const GROUP_TAG: &str = "aws:autoscaling:groupName";
/// Machines that are looked at at once.
const AT_ONCE: usize = 8;

/// Measures from now on.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        let driver = platform.part::<Arc<dyn MachineDriver>>()?;
        kiln_meters::start(&platform, Machines { driver, known: Mutex::default() })
    })
}

struct Machines {
    driver: Arc<dyn MachineDriver>,
    /// What was read last of a machine that runs.
    known: Mutex<HashMap<MachineId, Known>>,
}

/// A reading, and when it was.
#[derive(Debug, Clone, Copy)]
struct Known {
    at: Timestamp,
    /// When the machine was booted.
    since: Timestamp,
    stats: MachineStats,
}

#[async_trait]
impl Meter for Machines {
    fn name(&self) -> &'static str {
        "ec2"
    }

    async fn read(&self, platform: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error> {
        if !tick.ends(1) {
            return Ok(vec![]);
        }
        let machines = self.driver.list().await.map_err(|e| Error::failed("list the machines that are measured", e))?;
        let machines: HashMap<MachineId, MachineStatus> =
            machines.into_iter().map(|machine| (machine.spec.id.clone(), machine)).collect();
        self.known.lock().retain(|id, _| machines.get(id).is_some_and(MachineStatus::is_running));
        let instances = platform.store().list_everywhere::<Instance>()?;
        // One whose machine died is told as DescribeInstanceStatus tells it.
        let told = instances.into_iter().filter(|(_, _, instance)| {
            instance.state == InstanceState::Running || (instance.impaired.is_some() && !instance.is_terminated())
        });
        let looks = told.map(|(scope, _, instance)| {
            let machine = machines.get(&MachineId::new(instance.id.as_str()));
            self.look(scope, instance, machine, tick, platform.clock().now())
        });
        let looks: Vec<_> = looks.collect();
        let readings: Vec<Vec<Reading>> = futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await;
        Ok(readings.into_iter().flatten().collect())
    }
}

impl Machines {
    async fn look(
        &self,
        scope: Scope,
        instance: Arc<Instance>,
        machine: Option<&MachineStatus>,
        tick: Tick,
        now: Timestamp,
    ) -> Vec<Reading> {
        let of = Of { scope, instance: &instance };
        let mut readings = of.checks(machine);
        let Some((machine, MachineState::Running { since_ms, .. })) = machine.map(|machine| (machine, &machine.state))
        else {
            return readings;
        };
        let id = &machine.spec.id;
        let stats = match self.driver.stats(id).await {
            Ok(stats) => stats,
            Err(error) => {
                tracing::debug!(error = error.chain(), %id, "the machine's counters cannot be read");
                return readings;
            }
        };
        of.in_use(machine, &stats, &mut readings);
        let since = Timestamp::from_millis(i64::try_from(*since_ms).unwrap_or(i64::MAX));
        let new = Known { at: now, since, stats };
        let minutes = if instance.options.detailed_monitoring { 1 } else { 5 };
        let due = tick.ends(minutes);
        let period = minutes * 60_000;
        let mut known = self.known.lock();
        let before = match known.get(id) {
            Some(before) if before.since == since => Some(*before),
            // It was booted within the period that is told: then its counters began at nothing.
            _ if now.millis() - since.millis() <= period => Some(Known { at: since, since, stats: nothing() }),
            _ => None,
        };
        match before {
            Some(before) if due => {
                of.used(&before, &new, machine.spec.cpus, minutes, &mut readings);
                known.insert(id.clone(), new);
            }
            Some(before) => drop(known.insert(id.clone(), before)),
            None => drop(known.insert(id.clone(), new)),
        }
        readings
    }
}

/// The counters of a machine that was just booted.
fn nothing() -> MachineStats {
    let none = Some(0);
    MachineStats {
        cpu_ns: none,
        disk_read_bytes: none,
        disk_write_bytes: none,
        disk_read_ops: none,
        disk_write_ops: none,
        net_rx_bytes: none,
        net_tx_bytes: none,
        net_rx_packets: none,
        net_tx_packets: none,
        ..MachineStats::default()
    }
}

/// Whose readings they are.
struct Of<'a> {
    scope: Scope,
    instance: &'a Instance,
}

impl Of<'_> {
    fn reading(
        &self,
        namespace: &'static str,
        (name, unit): (&'static str, &'static str),
        dimensions: Dimensions,
        value: f64,
    ) -> Reading {
        let values = vec![(value, 1.0)];
        Reading { scope: self.scope.clone(), namespace, name, dimensions, unit, values }
    }

    fn id(&self) -> Dimensions {
        vec![("InstanceId", self.instance.id.to_string())]
    }

    fn group(&self) -> Option<(&'static str, String)> {
        Some(("AutoScalingGroupName", self.instance.tags.get(GROUP_TAG)?.clone()))
    }

    fn image_and_type(&self) -> [(&'static str, String); 2] {
        [("ImageId", self.instance.image.to_string()), ("InstanceType", self.instance.instance_type.clone())]
    }

    /// Whether the machine lives. While it is launched there is nothing to tell.
    fn checks(&self, machine: Option<&MachineStatus>) -> Vec<Reading> {
        let failed = match machine {
            // Its image is being taken with the machine shut down for it.
            machine if self.instance.captured_by.is_some() && !machine.is_some_and(MachineStatus::is_running) => {
                return vec![];
            }
            _ if self.instance.impaired.is_some() => 1.0,
            Some(machine) if machine.is_running() => 0.0,
            _ => 1.0,
        };
        let names = ["StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System"];
        names.map(|name| self.reading(EC2, (name, "Count"), self.id(), failed)).into()
    }

    /// Memory and disk, as they stand.
    fn in_use(&self, machine: &MachineStatus, stats: &MachineStats, readings: &mut Vec<Reading>) {
        let mut all: Dimensions = self.id();
        all.extend(self.image_and_type());
        all.extend(self.group());
        let share = |used: Option<u64>, of: Option<u64>| Some(100.0 * used? as f64 / of.filter(|of| *of > 0)? as f64);
        let mut tell = |name, more: Dimensions, share: Option<f64>| {
            let Some(share) = share else { return };
            let whole: Dimensions = all.iter().cloned().chain(more).collect();
            readings.push(self.reading(AGENT, (name, "Percent"), self.id(), share));
            readings.push(self.reading(AGENT, (name, "Percent"), whole, share));
        };
        tell("mem_used_percent", vec![], share(stats.memory_bytes, Some(machine.spec.memory_bytes)));
        let device = self.instance.root_device.rsplit('/').next().unwrap_or(&self.instance.root_device).to_owned();
        let disk = vec![("path", "/".to_owned()), ("device", device), ("fstype", "ext4".to_owned())];
        tell("disk_used_percent", disk, share(stats.disk_used_bytes, stats.disk_bytes));
    }

    /// What was used between two readings.
    fn used(&self, before: &Known, now: &Known, cpus: f64, minutes: i64, readings: &mut Vec<Reading>) {
        let elapsed = now.at.millis() - before.at.millis();
        if elapsed <= 0 {
            return;
        }
        let more = |of: fn(&MachineStats) -> Option<u64>| {
            let more = of(&now.stats)?.checked_sub(of(&before.stats)?)?;
            Some(more as f64)
        };
        let cpu = more(|s| s.cpu_ns).map(|ns| (100.0 * ns / (elapsed as f64 * 1e6) / cpus).min(100.0));
        let mut told = vec![
            (("CPUUtilization", "Percent"), cpu),
            (("NetworkIn", "Bytes"), more(|s| s.net_rx_bytes)),
            (("NetworkOut", "Bytes"), more(|s| s.net_tx_bytes)),
            (("EBSReadOps", "Count"), more(|s| s.disk_read_ops)),
            (("EBSWriteOps", "Count"), more(|s| s.disk_write_ops)),
            (("EBSReadBytes", "Bytes"), more(|s| s.disk_read_bytes)),
            (("EBSWriteBytes", "Bytes"), more(|s| s.disk_write_bytes)),
        ];
        if minutes == 5 {
            // AWS has packets with basic monitoring only.
            told.push((("NetworkPacketsIn", "Count"), more(|s| s.net_rx_packets)));
            told.push((("NetworkPacketsOut", "Count"), more(|s| s.net_tx_packets)));
        }
        let mut kinds: Vec<Dimensions> = vec![self.id()];
        kinds.extend(self.group().map(|group| vec![group]));
        if minutes == 1 {
            // What is added up over images, types and all instances is of those with detailed monitoring.
            kinds.extend(self.image_and_type().map(|of| vec![of]));
            kinds.push(vec![]);
        }
        for (name, value) in told {
            let Some(value) = value else { continue };
            readings.extend(kinds.iter().map(|dimensions| self.reading(EC2, name, dimensions.clone(), value)));
        }
    }
}
