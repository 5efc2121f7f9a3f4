//! Copy: what is kept of a machine, as the host's crash at one moment would leave it.
//!
//! ```text
//! have its file system write what it has in memory ─► hold its processes still ─► have it write the rest
//!   ─► copy the disk's file ─► go on
//! ```
//!
//! Nobody writes to a file system whose users hold still and that has nothing left to write, so the copied file
//! is of one moment, and a good file system (with its journal, as after a crash). Kiln may be killed meanwhile:
//! adoption lets a machine go on. It is held for [`HELD_AT_MOST`]: a copy that takes longer fails by name (see
//! `still`). Nobody stands still for a machine that is stopped, so its copy may take as long as it takes. Turned down: freezing the file system (`FIFREEZE`), which outlives kiln and
//! then stops the machine for good; reading the file as it is, which gives a file system that never was.
//!
//! In the copy nothing runs: a process of this host's that has the number of its first process by chance, or is
//! it, must not be taken for its own.

use super::console;
use super::disk::{self, Device};
use super::record::{Machine, Phase, Record};
use super::still::{Caller, HELD_AT_MOST, Hold};
use crate::host::{files, mounts};
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExitCause, ExitInfo};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Copies a machine into the new folder `to`, which is gone again if that fails. The caller has its turn.
pub fn copy(host: &Host, machine: &Machine, to: &Path, caller: &Caller) -> DriverResult<()> {
    machine.status_or_gone()?;
    let record = machine.record.lock().clone();
    if record.spec.disk_bytes == 0 {
        let text = format!("{} has no disk of its own, so its changes cannot be copied", machine.id);
        return Err(DriverError::Invalid(text));
    }
    let failed = |e: io::Error| DriverError::failed(format!("copy {}", machine.id), e);
    caller.is_there().map_err(failed)?;
    // Not those above it: they are the caller's, and gone with a caller who is.
    fs::DirBuilder::new().mode(0o700).create(to).map_err(failed)?;
    let copied = fill(host, machine, record, to, caller);
    if copied.is_err()
        && let Err(error) = files::remove_all(to)
    {
        tracing::warn!(id = %machine.id, error = error.chain(), "a part of a copy is left");
    }
    copied
}

fn fill(host: &Host, machine: &Machine, mut record: Record, to: &Path, caller: &Caller) -> DriverResult<()> {
    copy_disk(host, machine, &to.join("disk"), caller)?;
    let given = machine.dir(host).join("given");
    if given.is_dir() {
        copy_tree(&given, &to.join("given"))?;
    }
    files::write_whole(&to.join("console"), &console::read(host, machine)?)?;
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

fn copy_disk(host: &Host, machine: &Machine, to: &Path, caller: &Caller) -> DriverResult<()> {
    let doing = || format!("copy the disk of {}", machine.id);
    let failed = |e: io::Error| DriverError::failed(doing(), e);
    let from = machine.disk(host);
    if machine.running.lock().is_none() {
        return disk::copy_while(&from, to, &|| caller.is_there()).map_err(failed);
    }
    let group = machine.group(host);
    let freeze = |still| group.freeze(still);
    let hold = Hold { id: &machine.id, most: Some(HELD_AT_MOST), caller, freeze: &freeze };
    let device = Device::share(&machine.id, &from, &host.dirs.nodes)?;
    // The machine's own file system, seen through one more mount.
    mounts::aside(&doing(), || {
        device.mount(&host.dirs.lower).map_err(failed)?;
        let top = File::open(&host.dirs.lower).map_err(failed)?;
        let write_all = || nix::unistd::syncfs(&top).map_err(|e| failed(e.into()));
        // While it goes on: what is then left to write is little, and so is the time that it is held.
        write_all()?;
        host.stills.hold(&hold, |still| {
            write_all()?;
            disk::copy_while(&from, to, &|| still.goes_on()).map_err(failed)
        })
    })
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
