//! Loop devices: files that the kernel treats as disks.
//!
//! A device frees itself when its last user is gone (`AUTOCLEAR`), so one that was made by a
//! kiln that is killed a moment later is no leak. The file is locked (`flock`) before it is
//! handed over, and the device keeps that lock with the file: whoever can lock the file knows
//! that no device has it. Two devices on one file would be two file systems that overwrite
//! each other.

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
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

/// Opens a device. In a container `/dev` may lack the nodes of devices that were made
/// later; then one is made in `nodes` for a moment.
fn open_node(number: u32, nodes: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let name = format!("loop{number}");
    let failed = |e| named(e, &name);
    match open(&Path::new("/dev").join(&name), flags, Mode::empty()) {
        Err(nix::errno::Errno::ENOENT) => {}
        opened => return opened.map_err(failed),
    }
    let node = nodes.join(&name);
    match mknod(&node, SFlag::S_IFBLK, Mode::from_bits_truncate(0o600), makedev(MAJOR, number.into())) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(e) => return Err(failed(e)),
    }
    let opened = open(&node, flags, Mode::empty());
    fs::remove_file(&node)?;
    opened.map_err(failed)
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
            Err(e) if matches!(e.kind(), ErrorKind::NotFound) || e.raw_os_error() == Some(libc::ENXIO) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// The device that has this file now.
pub fn of(file: &Path, nodes: &Path) -> io::Result<Option<OwnedFd>> {
    let all = in_use()?;
    let found = all.into_iter().find(|(_, backing)| backing == file);
    found.map(|(number, _)| open_node(number, nodes)).transpose()
}
