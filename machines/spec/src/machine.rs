//! Machines: what one is wanted to be, and what it is seen to be.

use crate::{DriverError, DriverResult, Entry, ImageId, MacAddr, MachineId, SubnetId, VpcId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// A machine as it shall be. The same spec stays with it through stop and start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// Its name; launching the same id twice is one launch.
    pub id: MachineId,
    /// What it is made of.
    pub image: ImageId,
    /// What runs first, if not what the image says.
    #[serde(default)]
    pub entry: Option<Entry>,
    /// Processors, in whole and parts: 0.5 is half of one.
    pub cpus: f64,
    /// Memory limit.
    pub memory_bytes: u64,
    /// Most processes and threads at a time.
    pub pids_max: u32,
    /// Size of its disk: room for what it changes on top of its image. 0 in the records of
    /// machines that were made before disks had a size: theirs ends with the host's.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Its host name.
    pub hostname: String,
    /// The domain its name is in, in the network's DNS; without one it has only the short name.
    #[serde(default)]
    pub domain: String,
    /// Its network; must have been applied before the launch.
    pub vpc: VpcId,
    /// Its subnet in that network.
    pub subnet: SubnetId,
    /// Its address in that subnet.
    pub private_ip: Ipv4Addr,
    /// Its hardware address.
    pub mac: MacAddr,
    /// More addresses of its first interface.
    #[serde(default)]
    pub secondary_ips: Vec<Ipv4Addr>,
    /// Its interfaces beside the first one.
    #[serde(default)]
    pub interfaces: Vec<ExtraInterface>,
    /// Handed to the guest, which runs it once in the machine's life.
    #[serde(default)]
    pub user_data: Option<Vec<u8>>,
    /// Lines for the default user's authorized_keys.
    #[serde(default)]
    pub ssh_authorized_keys: Vec<String>,
    /// Written into the machine's own upper layer before its first boot.
    #[serde(default)]
    pub files: Vec<InjectedFile>,
    /// Environment of the first process, on top of the image's.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Labels kept with the machine; the driver does not read them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Bytes of the smallest disk that a file system fits on.
pub const SMALLEST_DISK: u64 = 32 << 20;

impl MachineSpec {
    /// Whether it makes sense by itself, whatever image and network there are.
    ///
    /// # Errors
    /// `Invalid` names the first thing that does not.
    pub fn check(&self) -> DriverResult<()> {
        let wrong = |text: String| Err(DriverError::Invalid(text));
        if !self.id.is_safe() {
            return wrong(format!("{:?} is no usable machine name", self.id.as_str()));
        }
        if !(self.cpus.is_finite() && self.cpus > 0.0) {
            return wrong(format!("{} processors cannot be given", self.cpus));
        }
        if self.memory_bytes < 4 << 20 || self.pids_max == 0 {
            return wrong("a machine needs at least 4 MiB of memory and one process".to_owned());
        }
        if self.disk_bytes < SMALLEST_DISK {
            return wrong(format!("a disk of {} bytes is too small: {} or more", self.disk_bytes, SMALLEST_DISK));
        }
        let name = self.hostname.as_bytes();
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-.".contains(b);
        if name.is_empty() || name.len() > 64 || !name.iter().all(plain) {
            return wrong(format!("{:?} is no usable host name", self.hostname));
        }
        Ok(())
    }

    /// Whether one of its interfaces has this address of this network.
    pub fn has_address(&self, vpc: &VpcId, ip: Ipv4Addr) -> bool {
        let first = self.vpc == *vpc && (self.private_ip == ip || self.secondary_ips.contains(&ip));
        first || self.interfaces.iter().any(|i| i.vpc == *vpc && (i.ip == ip || i.secondary_ips.contains(&ip)))
    }
}

/// A second, third, … interface of a machine. Inside it is `eth` and its device number.
///
/// Packets that leave with one of its addresses leave by it: the driver gives it a routing table
/// of its own, as cloud images do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraInterface {
    /// From 1 on.
    pub device: u32,
    /// Its network; it need not be that of the first interface.
    pub vpc: VpcId,
    /// Its subnet in that network.
    pub subnet: SubnetId,
    /// Its address in that subnet.
    pub ip: Ipv4Addr,
    /// Its hardware address.
    pub mac: MacAddr,
    /// More addresses of it.
    pub secondary_ips: Vec<Ipv4Addr>,
}

/// A file put into a machine before its first boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFile {
    /// Absolute path inside the machine.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it holds.
    pub content: Vec<u8>,
}

/// What a machine is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum MachineState {
    /// Its first process lives.
    Running {
        /// That process on this host (0 if the driver has no processes).
        pid: u32,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// Its first process ended and nobody had asked for it. Its upper layer is kept.
    Exited(ExitInfo),
    /// It was stopped on request. Its upper layer is kept.
    Stopped {
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
}

/// How a machine's first process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitInfo {
    /// Why, as far as can be known.
    pub cause: ExitCause,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The same in plain words, for status reasons.
    pub text: String,
}

/// Why a machine's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum ExitCause {
    /// It returned this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// The kernel ended it as the machine's memory limit was reached.
    OutOfMemory,
    /// The machine switched itself off.
    PoweredOff,
    /// It ended while nobody watched (kiln or the host was down).
    Unknown,
}

/// A machine as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineStatus {
    /// What was asked for. Shared: who looks at ten thousand machines copies none of it.
    pub spec: Arc<MachineSpec>,
    /// What it does.
    pub state: MachineState,
    /// How often it was booted.
    pub boots: u32,
}

impl MachineStatus {
    /// Whether its first process lives.
    pub fn is_running(&self) -> bool {
        matches!(self.state, MachineState::Running { .. })
    }
}

/// Something happened to a machine that nobody had asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineEvent {
    /// Its first process ended. A stop or a termination on request is no event.
    Exited {
        /// The machine.
        id: MachineId,
        /// How.
        exit: ExitInfo,
    },
    /// It restarted itself (`reboot` inside) and runs again.
    Rebooted {
        /// The machine.
        id: MachineId,
    },
}

/// What a machine used since it was booted, and holds now. A counter that cannot be read is not there:
/// it is never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineStats {
    /// Processor time.
    pub cpu_ns: Option<u64>,
    /// Memory in use, without pages the kernel can drop.
    pub memory_bytes: Option<u64>,
    /// Read from the disk.
    pub disk_read_bytes: Option<u64>,
    /// Written to the disk.
    pub disk_write_bytes: Option<u64>,
    /// Reads from the disk.
    pub disk_read_ops: Option<u64>,
    /// Writes to the disk.
    pub disk_write_ops: Option<u64>,
    /// Bytes of its disk that files take.
    pub disk_used_bytes: Option<u64>,
    /// Bytes that files can take on its disk.
    pub disk_bytes: Option<u64>,
    /// Received by the machine.
    pub net_rx_bytes: Option<u64>,
    /// Sent by the machine.
    pub net_tx_bytes: Option<u64>,
    /// Received by the machine.
    pub net_rx_packets: Option<u64>,
    /// Sent by the machine.
    pub net_tx_packets: Option<u64>,
}

/// A command to run inside a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments; the program is looked up in the machine.
    pub argv: Vec<String>,
    /// What it reads.
    pub stdin: Vec<u8>,
    /// It is killed after this.
    pub timeout: Duration,
}

impl ExecRequest {
    /// A command without input, with a minute's time.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), stdin: Vec::new(), timeout: Duration::from_secs(60) }
    }
}

/// What a command inside a machine gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Exit code; 128 + signal if a signal ended it.
    pub code: i32,
    /// Whether it was killed as its time was over.
    pub timed_out: bool,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}
