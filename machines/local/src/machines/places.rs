//! Where one machine is on its host: its files, its control group.

use super::record::{Machine, Record};
use crate::host::cgroup::Group;
use crate::host::files;
use crate::state::Host;
use kiln_machines_spec::DriverResult;
use std::path::PathBuf;

impl Machine {
    /// Its folder.
    pub fn dir(&self, host: &Host) -> PathBuf {
        host.dirs.machines.join(self.id.as_str())
    }

    /// Its disk's file.
    pub fn disk(&self, host: &Host) -> PathBuf {
        self.dir(host).join("disk")
    }

    /// Where its console is mounted while it runs.
    pub fn console_place(&self, host: &Host) -> PathBuf {
        host.dirs.consoles.join(self.id.as_str())
    }

    /// Its console's file while it runs.
    pub fn console(&self, host: &Host) -> PathBuf {
        self.console_place(host).join("console")
    }

    /// Its control group.
    pub fn group(&self, host: &Host) -> Group {
        host.trees.group(&host.top_group, self.id.as_str())
    }

    /// Changes the record, in its file first.
    pub fn update(&self, host: &Host, change: impl FnOnce(&mut Record)) -> DriverResult<()> {
        let mut record = self.record.lock();
        let mut next = record.clone();
        change(&mut next);
        files::write_json(&self.dir(host).join("machine.json"), &next)?;
        *record = next;
        Ok(())
    }
}
