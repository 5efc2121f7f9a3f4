//! What a pass of the instance controller looks at, and the steps that it may take.

use crate::instances::controllers::instance_interfaces::{Interfaces, Settled};
use crate::instances::records::Instance;
use kiln_machines_spec::{ExitInfo, ExtraInterface, MachineStatus};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What a pass looks at.
pub struct Seen {
    pub record: Arc<Instance>,
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
    /// With the boots of its machine, if it has one: it may have booted and been stopped before
    /// anybody could say that it ran.
    RecordStopped {
        boots: Option<u32>,
    },
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
