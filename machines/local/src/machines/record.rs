//! What is known of one machine, in memory and in its file (see `places`).

use crate::host::cgroup::Limits;
use crate::host::pidfd::Process;
use crate::network::cables::first;
use kiln_machines_spec::{
    DriverError, DriverResult, Entry, ExitInfo, ExtraInterface, LayerDigest, MachineId, MachineSpec, MachineState,
    MachineStatus,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One machine.
pub struct Machine {
    pub id: MachineId,
    /// Held by whoever changes the machine; one at a time.
    pub turn: Arc<tokio::sync::Mutex<()>>,
    pub record: Mutex<Record>,
    /// Its first process, while it runs.
    pub running: Mutex<Option<Arc<Running>>>,
}

/// A running machine's first process.
pub struct Running {
    pub process: Process,
    /// Set before kiln ends it, so that its end is not reported as an accident.
    pub end_is_wanted: AtomicBool,
    /// OOM kills in the group when it was booted.
    pub oom_kills: u64,
}

/// What is kept in `machine.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub spec: MachineSpec,
    /// From the lowest to the uppermost; taken from the image at launch, so
    /// the machine does not need the image's manifest any more.
    pub layers: Vec<LayerDigest>,
    pub entry: Entry,
    /// First of its range of user ids on the host.
    pub ids: u32,
    pub boots: u32,
    pub phase: Phase,
    /// Interfaces that were wanted beside those of the spec, and may be plugged in or not: what
    /// was begun and not finished.
    #[serde(default)]
    pub unfinished: Vec<Interfaces>,
}

/// What can change of a machine's interfaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interfaces {
    pub secondary_ips: Vec<Ipv4Addr>,
    pub interfaces: Vec<ExtraInterface>,
}

impl Record {
    /// Every interface that may have a cable now: the first, the spec's, and unfinished ones.
    pub fn cabled(&self) -> Vec<ExtraInterface> {
        let mut all = vec![first(&self.spec)];
        let begun = self.unfinished.iter().map(|i| &i.secondary_ips);
        all[0].secondary_ips.extend(begun.flatten());
        let begun = self.unfinished.iter().flat_map(|i| &i.interfaces);
        all.extend(self.spec.interfaces.iter().chain(begun).cloned());
        all
    }
}

/// Where it is in its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// Being made for the first time; nobody was told that it exists.
    Launching,
    /// Running since then.
    Running { pid: u32, start_ticks: u64, boot_id: String, since_ms: u64 },
    /// Its first process has ended, and it is being booted again: it restarted itself, or was
    /// asked to. To others it runs.
    Restarting { since_ms: u64 },
    /// Ended by itself.
    Exited { exit: ExitInfo },
    /// Stopped on request.
    Stopped { since_ms: u64 },
    /// On its way out.
    Terminating,
    /// Removed; only the memory of somebody who still waits for its turn.
    Gone,
}

impl Machine {
    /// A machine with that record.
    pub fn new(record: Record) -> Self {
        Self { id: record.spec.id.clone(), turn: Arc::default(), record: Mutex::new(record), running: Mutex::new(None) }
    }

    /// Its limits.
    pub fn limits(&self) -> Limits {
        let record = self.record.lock();
        Limits { cpus: record.spec.cpus, memory_bytes: record.spec.memory_bytes, pids_max: record.spec.pids_max }
    }

    /// As others see it; none while it is half made or half gone.
    pub fn status(&self) -> Option<MachineStatus> {
        let record = self.record.lock();
        let state = match &record.phase {
            Phase::Launching | Phase::Terminating | Phase::Gone => return None,
            Phase::Running { pid, since_ms, .. } => MachineState::Running { pid: *pid, since_ms: *since_ms },
            Phase::Restarting { since_ms } => MachineState::Running { pid: 0, since_ms: *since_ms },
            Phase::Exited { exit } => MachineState::Exited(exit.clone()),
            Phase::Stopped { since_ms } => MachineState::Stopped { since_ms: *since_ms },
        };
        Some(MachineStatus { spec: Arc::new(record.spec.clone()), state, boots: record.boots })
    }

    /// As others see it, or that there is none.
    pub fn status_or_gone(&self) -> DriverResult<MachineStatus> {
        let status = self.status();
        status.ok_or_else(|| DriverError::not_found("machine", &self.id))
    }

    /// Its first process, if it runs.
    pub fn running(&self) -> DriverResult<Arc<Running>> {
        let running = self.running.lock().clone();
        running.ok_or_else(|| self.conflict("is not running"))
    }

    /// That something could not be done with it.
    pub fn failed(&self, doing: &str, error: std::io::Error) -> DriverError {
        DriverError::failed(format!("{doing} {}", self.id), error)
    }

    /// That it is in no state for this.
    pub fn conflict(&self, problem: &str) -> DriverError {
        DriverError::Conflict { kind: "machine", name: self.id.to_string(), problem: problem.to_owned() }
    }
}
