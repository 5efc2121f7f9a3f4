//! A machine's disk: a sparse file of the size that was asked for, with ext4 on it, in which
//! the overlay keeps all that the machine changes.
//!
//! ```text
//! STATE/disks/BYTES          an empty file system of that size, made once by mke2fs
//!        │ copied (what it holds is some hundred KiB)
//! STATE/machines/ID/disk ── loop device ── ext4 ── upper, work ── overlay ── the machine's root
//! ```
//!
//! The file system is mounted only inside the overlay, which only the machine's mount namespace
//! holds. When the machine ends it is unmounted, and the loop device frees itself: nothing of it
//! needs to be remembered or cleared up, also after a kill of kiln at any moment.
//!
//! Machines may be promised more together than the host has. On one that is full, who writes and asks for
//! its end is told that there is no space; if that lasts until the file system must write its journal, which
//! it does every five seconds, the kernel makes it read-only, as it does on a disk that fails. What was told
//! to be written is there at the machine's next start, which repairs the file system. Turned down: room for
//! the journal in advance (16 MiB for each machine, and other parts of the file system that are written for
//! the first time end the same way).
//!
//! The image's layers lie below and are not counted: the size is room for changes.

use crate::host::{child, files, loops, mounts};
use kiln_machines_spec::{DriverError, DriverResult, MachineId};
use nix::libc;
use nix::sys::statvfs::statvfs;
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Room the host must have left when a machine gets its disk: one that is made on a full host
/// would meet errors at its first write.
const LEAST_ROOM: u64 = 256 << 20;
/// How long the machine's last run may take to write what it still had in memory.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are copied before somebody is asked whether to go on: 16 MiB, 0.16 s of a disk with 100 MiB/s.
const COPIED_AT_ONCE: i64 = 16 << 20;

/// Makes disks.
pub struct Disks {
    /// Empty file systems, by size.
    blanks: PathBuf,
    /// One empty file system is made at a time.
    making: Mutex<()>,
}

impl Disks {
    /// Keeps empty file systems in `blanks`.
    pub fn open(blanks: PathBuf) -> DriverResult<Self> {
        files::make_dir(&blanks)?;
        Ok(Self { blanks, making: Mutex::new(()) })
    }

    /// Makes the disk of a new machine, whatever was there before.
    pub fn make(&self, at: &Path, bytes: u64) -> DriverResult<()> {
        let doing = || format!("make the disk {}", at.display());
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let room = statvfs(&self.blanks).map_err(|e| failed(e.into()))?;
        let room = room.blocks_available().saturating_mul(room.fragment_size());
        if room < LEAST_ROOM {
            let left = format!("{} MiB are left, a new machine needs {}", room >> 20, LEAST_ROOM >> 20);
            return Err(DriverError::NoSpace { doing: doing(), source: Some(left.into()) });
        }
        copy(&self.blank(bytes)?, at).map_err(failed)
    }

    fn blank(&self, bytes: u64) -> DriverResult<PathBuf> {
        let kept = self.blanks.join(bytes.to_string());
        let _making = self.making.lock();
        if kept.exists() {
            return Ok(kept);
        }
        let new = self.blanks.join("new");
        let failed = |e: io::Error| match e.raw_os_error() {
            Some(libc::EFBIG) => DriverError::Capacity(format!(
                "its file system has no files of {} GiB, which this disk is to have",
                bytes.div_ceil(1 << 30)
            )),
            _ => DriverError::failed("make an empty disk", e),
        };
        create(&new, bytes).map_err(failed)?;
        // In MiB: what it once held stays in the sparse file, so it is kept small.
        let journal = format!("size={}", (bytes >> 26).clamp(4, 16));
        let mut mke2fs = child::command("mke2fs")?;
        mke2fs.args(["-q", "-F", "-t", "ext4", "-m", "0", "-O", "^resize_inode", "-J", &journal]);
        mke2fs.args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]).arg(&new);
        child::Surroundings { dies_with_kiln: true, ..child::Surroundings::default() }.apply(&mut mke2fs);
        child::run(&mut mke2fs, "make an empty disk", b"")?;
        fs::rename(&new, &kept).map_err(failed)?;
        Ok(kept)
    }
}

/// A new file of that size that holds nothing.
fn create(path: &Path, bytes: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_len(bytes)?;
    Ok(file)
}

/// Copies a file with its holes; where the file system can, the copy shares what it holds.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    copy_while(from, to, &|| Ok(()))
}

/// The same, for as long as `goes_on` is content; it is asked before every [`COPIED_AT_ONCE`].
pub fn copy_while(from: &Path, to: &Path, goes_on: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
    let from = File::open(from)?;
    let length = from.metadata()?.len();
    let to = create(to, length)?;
    let end = i64::try_from(length).map_err(io::Error::other)?;
    let seek = |at: i64, whence| {
        // SAFETY: an open descriptor and plain integers.
        let found = unsafe { libc::lseek(from.as_raw_fd(), at, whence) };
        if found >= 0 { Ok(Some(found)) } else { no_more(io::Error::last_os_error()) }
    };
    let mut at = 0;
    while let Some(data) = seek(at, libc::SEEK_DATA)? {
        at = seek(data, libc::SEEK_HOLE)?.unwrap_or(end);
        let (mut read, mut write) = (data, data);
        while read < at {
            goes_on()?;
            let left = usize::try_from((at - read).min(COPIED_AT_ONCE)).map_err(io::Error::other)?;
            // SAFETY: open descriptors, and two places the kernel moves on.
            let copied = unsafe {
                libc::copy_file_range(from.as_raw_fd(), &raw mut read, to.as_raw_fd(), &raw mut write, left, 0)
            };
            match copied {
                1.. => {}
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => return Err(io::Error::last_os_error()),
            }
        }
    }
    Ok(())
}

/// The end of what a file holds is told by an error.
fn no_more(error: io::Error) -> io::Result<Option<i64>> {
    if error.raw_os_error() == Some(libc::ENXIO) { Ok(None) } else { Err(error) }
}

/// A disk as a block device: to be mounted, then let go.
pub struct Device(OwnedFd);

impl Device {
    /// Of a machine that is about to boot. Waits for its last run's to be free.
    pub fn attach(id: &MachineId, disk: &Path, nodes: &Path) -> DriverResult<Self> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => no_loops(e),
            _ => DriverError::failed(format!("attach the disk of {id}"), e),
        };
        let opened = OpenOptions::new().read(true).write(true).open(disk);
        let file = opened.map_err(|e| DriverError::failed(format!("open the disk of {id}"), e))?;
        if !loops::lock(&file, PATIENCE).map_err(failed)? {
            return Err(failed(io::Error::other("it is still in use, or what was written is still on its way")));
        }
        if notes_errors(&file).map_err(failed)? {
            repair(id, disk)?;
        }
        Ok(Self(loops::attach(&file, nodes).map_err(failed)?))
    }

    /// Of a machine that may run: the one it has, or one that is made for this.
    pub fn share(id: &MachineId, disk: &Path, nodes: &Path) -> DriverResult<Self> {
        let shared = loops::of(disk, nodes).map_err(|e| DriverError::failed(format!("find the disk of {id}"), e))?;
        shared.map_or_else(|| Self::attach(id, disk, nodes), |device| Ok(Self(device)))
    }

    /// Mounts it; in a namespace of the caller's own.
    pub fn mount(&self, at: &Path) -> io::Result<()> {
        mounts::mount_ext4(self.0.as_fd(), at)
    }
}

/// Whether the file system says of itself that something went wrong, as after writes that
/// found the host's disk full.
fn notes_errors(disk: &File) -> io::Result<bool> {
    /// `s_state` of the superblock, which is 1 KiB into the disk.
    const STATE: u64 = 1024 + 0x3a;
    const ERRORS: u8 = 2;
    let mut state = [0];
    disk.read_exact_at(&mut state, STATE)?;
    Ok(state[0] & ERRORS != 0)
}

/// Repairs it, as a machine's own start would.
fn repair(id: &MachineId, disk: &Path) -> DriverResult<()> {
    let doing = format!("repair the disk of {id}");
    tracing::warn!(%id, "its file system had errors and is checked");
    let mut e2fsck = child::command("e2fsck")?;
    e2fsck.args(["-f", "-y"]).arg(disk).stdin(Stdio::null());
    child::Surroundings { dies_with_kiln: true, ..child::Surroundings::default() }.apply(&mut e2fsck);
    let done = e2fsck.output().map_err(|e| child::start_error("e2fsck", e))?;
    match done.status.code() {
        // 1: errors were repaired.
        Some(0 | 1) => Ok(()),
        _ => Err(child::exit_error(&doing, "e2fsck", &done.status.to_string(), &String::from_utf8_lossy(&done.stderr))),
    }
}

/// A disk that is being let go.
pub struct Leaving(Option<File>);

impl Leaving {
    /// Looks at it before it is removed.
    pub fn of(disk: &Path) -> DriverResult<Self> {
        match File::open(disk) {
            Ok(file) => Ok(Self(Some(file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(e) => Err(DriverError::failed(format!("open {}", disk.display()), e)),
        }
    }

    /// Waits until no device has it. The kernel frees it a moment after the machine's end; one
    /// that takes very long (much to write) is left to it.
    pub fn wait(self) -> DriverResult<()> {
        let Some(file) = self.0 else { return Ok(()) };
        let free = loops::lock(&file, PATIENCE).map_err(|e| DriverError::failed("wait for a disk", e))?;
        if !free {
            tracing::warn!("a disk is still in use {PATIENCE:?} after its machine's end");
        }
        Ok(())
    }
}

/// That this host cannot make disks.
pub fn no_loops(cause: io::Error) -> DriverError {
    DriverError::failed(
        "get a loop device, which a machine's disk needs (run `modprobe loop`; in a container, run it privileged)",
        cause,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_is_whole_or_ends_where_it_is_told_to() {
        let dir = tempfile::tempdir().expect("a folder");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let piece = COPIED_AT_ONCE as usize;
        let file = create(&from, 8 * COPIED_AT_ONCE as u64).expect("made");
        file.write_all_at(&vec![7; 2 * piece + 1], 0).expect("written");
        file.write_all_at(b"behind a hole", 5 * piece as u64).expect("written");
        let asked = Cell::new(0);
        let count = |most: u32| {
            let asked = &asked;
            move || {
                asked.set(asked.get() + 1);
                if asked.get() > most { Err(io::Error::other("enough")) } else { Ok(()) }
            }
        };
        copy_while(&from, &to, &count(u32::MAX)).expect("copied");
        assert!(asked.get() >= 4, "asked {} times", asked.get());
        assert!(fs::read(&from).expect("read") == fs::read(&to).expect("read"));
        asked.set(0);
        let told = copy_while(&from, &to, &count(1)).expect_err("told to end").to_string();
        assert_eq!(told, "enough");
        let taken = fs::metadata(&to).expect("there").blocks() * 512;
        assert!(taken <= COPIED_AT_ONCE as u64, "{taken}");
    }
}
