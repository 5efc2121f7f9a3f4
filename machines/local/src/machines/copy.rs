//! Copy: what is kept of a machine, as the host's crash at one moment would leave it.
//!
//! ```text
//! hold its processes still ─► have its file system write what it has in memory ─► copy the disk's file ─► go on
//! ```
//!
//! Nobody writes to a file system whose users hold still and that has nothing left to write, so the copied file
//! is of one moment, and a good file system (with its journal, as after a crash). Kiln may be killed meanwhile:
//! adoption lets a machine go on. Turned down: freezing the file system (`FIFREEZE`), which outlives kiln and
//! then stops the machine for good; reading the file as it is, which gives a file system that never was.
//!
//! In the copy nothing runs: a process of this host's that has the number of its first process by chance, or is
//! it, must not be taken for its own.

use super::disk::{self, Device};
use super::record::{Machine, Phase, Record};
use crate::host::{files, mounts};
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExitCause, ExitInfo};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Copies a machine into the folder `to`. The caller has its turn.
pub fn copy(host: &Host, machine: &Machine, to: &Path) -> DriverResult<()> {
    machine.status_or_gone()?;
    let mut record = machine.record.lock().clone();
    files::make_dir(to)?;
    if record.spec.disk_bytes == 0 {
        let text = format!("{} has no disk of its own, so its changes cannot be copied", machine.id);
        return Err(DriverError::Invalid(text));
    }
    copy_disk(host, machine, &to.join("disk"))?;
    let given = machine.dir(host).join("given");
    if given.is_dir() {
        copy_tree(&given, &to.join("given"))?;
    }
    at_rest(&mut record);
    files::write_json(&to.join("machine.json"), &record)
}

/// As adoption would find it after the host's crash.
fn at_rest(record: &mut Record) {
    if let Phase::Running { .. } | Phase::Restarting { .. } = record.phase {
        let text = "it ran when it was backed up".to_owned();
        let exit = ExitInfo { cause: ExitCause::Unknown, at_ms: files::now_ms(), text };
        record.phase = Phase::Exited { exit };
    }
}

fn copy_disk(host: &Host, machine: &Machine, to: &Path) -> DriverResult<()> {
    let doing = || format!("copy the disk of {}", machine.id);
    let failed = |e: io::Error| DriverError::failed(doing(), e);
    let from = machine.disk(host);
    if machine.running.lock().is_none() {
        return disk::copy(&from, to).map_err(failed);
    }
    let group = machine.group(host);
    let copied = group.freeze(true).and_then(|()| {
        let device = Device::share(&machine.id, &from, &host.dirs.nodes)?;
        // The machine's own file system, seen through one more mount.
        mounts::aside(&doing(), || {
            device.mount(&host.dirs.lower).map_err(failed)?;
            let top = File::open(&host.dirs.lower).map_err(failed)?;
            nix::unistd::syncfs(&top).map_err(|e| failed(e.into()))?;
            disk::copy(&from, to).map_err(failed)
        })
    });
    group.freeze(false)?;
    copied
}

fn copy_tree(from: &Path, to: &Path) -> DriverResult<()> {
    files::make_dir(to)?;
    for name in files::names_in(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        let failed = |e| DriverError::failed(format!("copy {}", from.display()), e);
        match fs::symlink_metadata(&from).map_err(failed)? {
            meta if meta.is_dir() => copy_tree(&from, &to)?,
            meta if meta.is_file() => disk::copy(&from, &to).map_err(failed)?,
            _ => return Err(failed(io::Error::other("it is neither a file nor a folder"))),
        }
    }
    Ok(())
}
