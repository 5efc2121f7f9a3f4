//! A machine's console: a file in a small file system in memory, so that a machine that prints
//! without end (or sets aside all there is) fills nothing of the host's. Its pages count as the
//! machine's memory. The seed of the guest lies beside it: of the host's disk a machine sees nothing,
//! not even its size.
//!
//! While the machine runs it is `run/mnt/consoles/ID/console`; after its end, the last of it is
//! `machines/ID/console`.

use super::record::Machine;
use crate::host::{files, mounts};
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult};
use nix::libc;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is served of a console, and kept after the machine's end.
const SERVED: u64 = 64 * 1024;
/// A console is cut when it holds more.
const CUT_AT: u64 = 1024 * 1024;
/// All it can hold between two cuts.
const ROOM: &str = "size=2m,nr_inodes=32,mode=711";

/// Makes the console of a machine that is about to boot; what it printed before is in it.
pub fn open(host: &Host, machine: &Machine) -> DriverResult<PathBuf> {
    let failed = |e: io::Error| DriverError::failed(format!("make the console of {}", machine.id), e);
    let at = machine.console_place(host);
    files::make_dir(&at)?;
    mounts::mount_scratch(&at, ROOM).map_err(failed)?;
    let live = machine.console(host);
    fs::write(&live, end_of(&kept(host, machine)).map_err(failed)?).map_err(failed)?;
    Ok(live)
}

/// Keeps the last of it when the machine has ended. Fine if there is none.
pub fn close(host: &Host, machine: &Machine) -> DriverResult<()> {
    let failed = |e: io::Error| DriverError::failed(format!("keep the console of {}", machine.id), e);
    let at = machine.console_place(host);
    let live = machine.console(host);
    let keep = || files::write_whole(&kept(host, machine), &end_of(&live).map_err(failed)?);
    // A full disk must not keep a machine from ending.
    if live.exists()
        && let Err(error) = keep()
    {
        tracing::warn!(id = %machine.id, error = error.chain(), "the end of a console is lost");
    }
    mounts::unmount(&at).map_err(failed)?;
    files::remove_all(&at)
}

/// The end of the console.
pub fn read(host: &Host, machine: &Machine) -> DriverResult<Vec<u8>> {
    end_of(&current(host, machine)).map_err(|e| DriverError::failed(format!("read the console of {}", machine.id), e))
}

/// Cuts the oldest part off a console that holds much.
pub fn trim(host: &Host, machine: &Machine) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(current(host, machine)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let seen = file.metadata()?;
    if seen.blocks() * 512 <= CUT_AT {
        return Ok(());
    }
    // Its length stays: whoever appends goes on where it was.
    let cut = i64::try_from(seen.len().saturating_sub(SERVED)).map_err(io::Error::other)?;
    let hole = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: an open descriptor and plain integers.
    match unsafe { libc::fallocate(file.as_raw_fd(), hole, 0, cut.max(1)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn kept(host: &Host, machine: &Machine) -> PathBuf {
    machine.dir(host).join("console")
}

fn current(host: &Host, machine: &Machine) -> PathBuf {
    let live = machine.console(host);
    if live.exists() { live } else { kept(host, machine) }
}

fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SERVED)))?;
    let mut bytes = Vec::new();
    file.take(SERVED).read_to_end(&mut bytes)?;
    Ok(bytes)
}
