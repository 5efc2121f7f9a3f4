//! Loop devices: files that the kernel treats as disks.
//!
//! A device frees itself when its last user is gone (`AUTOCLEAR`), so one that was made by a
//! kiln that is killed a moment later is no leak. The file is locked (`flock`) before it is
//! handed over, and the device keeps that lock with the file: whoever can lock the file knows
//! that no device has it. Two devices on one file would be two file systems that overwrite
//! each other.

use super::files::is_gone;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONTROL: &str = "/dev/loop-control";
/// Major number of loop devices.
const MAJOR: u64 = 7;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Past the host's page cache: what a machine writes is cached once, in the machine.
const LO_FLAGS_DIRECT_IO: u32 = 16;
/// How often somebody else may be faster with the device we were offered.
const TRIES: u32 = 64;
/// How often a lock is asked for.
const LOOK: Duration = Duration::from_millis(1);

/// As in `linux/loop.h`.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// Whether this host has loop devices, and lets us use them.
pub fn there() -> io::Result<()> {
    let name = format!("loop{}", free(&control()?)?);
    match open(&Path::new("/dev").join(&name), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        // Its node is made when it is needed.
        Ok(_) | Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(e) => Err(named(e, &name)),
    }
}

fn control() -> io::Result<OwnedFd> {
    open(CONTROL, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(|e| named(e, CONTROL))
}

/// The number of a device that nobody uses.
fn free(control: &OwnedFd) -> io::Result<u32> {
    // SAFETY: this call takes no argument.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    u32::try_from(number).map_err(|_| named(nix::errno::Errno::last(), CONTROL))
}

fn named(error: nix::errno::Errno, name: &str) -> io::Error {
    io::Error::new(io::Error::from(error).kind(), format!("{name}: {error}"))
}

/// Waits until no device has the file, and locks it; false if that takes too long.
pub fn lock(file: &File, patience: Duration) -> io::Result<bool> {
    let until = Instant::now() + patience;
    loop {
        // SAFETY: an open descriptor and a constant.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::WouldBlock {
            return Err(error);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
}

/// A device for a locked file. It is gone when this descriptor is closed and nothing is
/// mounted from it.
pub fn attach(file: &File, nodes: &Path) -> io::Result<OwnedFd> {
    let control = control()?;
    let fd = u32::try_from(file.as_raw_fd()).map_err(io::Error::other)?;
    for _ in 0..TRIES {
        let device = open_node(free(&control)?, nodes)?;
        let config = LoopConfig {
            fd,
            block_size: 0,
            info: LoopInfo {
                device: 0,
                inode: 0,
                rdevice: 0,
                offset: 0,
                size_limit: 0,
                number: 0,
                encrypt_type: 0,
                encrypt_key_size: 0,
                flags: LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
                file_name: [0; 64],
                crypt_name: [0; 64],
                encrypt_key: [0; 32],
                init: [0; 2],
            },
            reserved: [0; 8],
        };
        // SAFETY: an open device, and a structure of the size the kernel expects.
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } == 0 {
            return Ok(device);
        }
        let error = io::Error::last_os_error();
        // Somebody else took it between the two calls.
        if error.raw_os_error() != Some(libc::EBUSY) {
            return Err(error);
        }
    }
    Err(io::Error::other("other programs take every loop device that is free"))
}

/// Opens a device. In a container `/dev` may lack the nodes of devices that were made later.
fn open_node(number: u32, nodes: &Path) -> io::Result<OwnedFd> {
    let name = format!("loop{number}");
    match open(&Path::new("/dev").join(&name), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(nix::errno::Errno::ENOENT) => open_own_node(number, nodes),
        opened => opened.map_err(|e| named(e, &name)),
    }
}

/// The same by a node that is made in `nodes` for a moment.
fn open_own_node(number: u32, nodes: &Path) -> io::Result<OwnedFd> {
    // Several may want the same device at the same time.
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = format!("loop{number}-{}", SERIAL.fetch_add(1, Ordering::Relaxed));
    let node = nodes.join(&name);
    let owner_only = Mode::from_bits_truncate(0o600);
    mknod(&node, SFlag::S_IFBLK, owner_only, makedev(MAJOR, number.into())).map_err(|e| named(e, &name))?;
    let opened = open(&node, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
    fs::remove_file(&node)?;
    opened.map_err(|e| named(e, &name))
}

/// The devices that are in use, and their files as the kernel names them (a removed one ends
/// in ` (deleted)`).
pub fn in_use() -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found = vec![];
    for entry in fs::read_dir("/sys/block")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|n| n.strip_prefix("loop")?.parse().ok()) else { continue };
        let file = Path::new("/sys/block").join(&name).join("loop/backing_file");
        match fs::read_to_string(file) {
            Ok(text) => found.push((number, PathBuf::from(text.trim_end_matches('\n')))),
            // It is not in use, or was freed this moment.
            Err(e) if is_gone(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// The device that has this file, held: it does not lose it before this is closed.
pub fn of(file: &Path, nodes: &Path) -> io::Result<Option<OwnedFd>> {
    let number = || Ok::<_, io::Error>(in_use()?.into_iter().find(|(_, backing)| backing == file).map(|(n, _)| n));
    let Some(found) = number()? else { return Ok(None) };
    let device = match open_node(found, nodes) {
        Ok(device) => device,
        // It is just being freed.
        Err(_) if number()? != Some(found) => return Ok(None),
        Err(e) => return Err(e),
    };
    // It may have been freed before it was opened.
    Ok((number()? == Some(found)).then_some(device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn file_in(dir: &Path) -> PathBuf {
        let path = dir.join("disk");
        File::create(&path).and_then(|file| file.set_len(1 << 20)).expect("a file of 1 MiB");
        path
    }

    #[test]
    fn a_file_is_locked_for_as_long_as_a_device_has_it() {
        let dir = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let path = file_in(dir.path());
        let open = || OpenOptions::new().read(true).write(true).open(&path).expect("opened");
        let file = open();
        assert!(lock(&file, Duration::ZERO).expect("asked"));
        let device = attach(&file, dir.path()).expect("a device: run this as root");
        drop(file);
        assert!(!lock(&open(), Duration::ZERO).expect("asked"), "the device has it");
        let shared = of(&path, dir.path()).expect("asked").expect("found by its file");
        drop(device);
        assert!(!lock(&open(), Duration::ZERO).expect("asked"), "somebody else has the device");
        drop(shared);
        assert!(lock(&open(), Duration::from_secs(5)).expect("asked"), "it frees itself");
        assert!(of(&path, dir.path()).expect("asked").is_none());
    }

    #[test]
    fn a_device_without_a_node_is_opened_by_one_of_our_own() {
        let dir = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let number = free(&control().expect("loop devices")).expect("a free one");
        std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| open_own_node(number, dir.path()).map(drop))).collect();
            for one in tries {
                one.join().expect("no panic").expect("opened: run this as root");
            }
        });
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0, "the nodes are gone");
    }
}
