//! What this host must have, looked at before the first machine needs it.

use crate::host::{child, loops};
use crate::machines::disk;
use kiln_machines_spec::{DriverError, DriverResult};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// The programs machines are made with, and what for.
const PROGRAMS: [&str; 7] = ["crun", "mkfs.erofs", "mke2fs", "nft", "mmdebstrap", "slirp4netns", "nsenter"];
/// The first kernel that mounts EROFS straight from a file.
const OLDEST_KERNEL: (u32, u32) = (6, 12);
/// Where the kernel shows that frames on a bridge can be filtered.
const BRIDGE_FILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// File systems that cannot hold images: the kernel mounts EROFS from files on a disk only.
const NOT_ON_DISK: [(&str, FsType); 2] = [("tmpfs", TMPFS_MAGIC), ("ramfs", FsType(0x8584_58f6))];

/// Everything this host lacks, each with what to do about it. Empty is good. `state` is where
/// the driver shall keep its things; it need not exist yet.
pub fn preflight(state: &Path) -> Vec<DriverError> {
    let mut lacks = Vec::new();
    lacks.extend(on_disk(state).err());
    // Who is not root cannot tell what root would find.
    match nix::unistd::geteuid().is_root() {
        true => lacks.extend(loop_devices().err()),
        false => lacks.push(DriverError::NotRoot),
    }
    let missing = PROGRAMS.iter().filter(|p| child::which(p).is_none());
    lacks.extend(missing.map(|p| child::missing(p)));
    lacks.extend(kernel().err());
    lacks.extend(filter_bridges().err());
    lacks
}

fn on_disk(state: &Path) -> DriverResult<()> {
    let Some(there) = state.ancestors().find(|dir| dir.exists()) else { return Ok(()) };
    let found = statfs(there).map_err(|e| DriverError::failed(format!("look at {}", there.display()), e))?;
    match NOT_ON_DISK.iter().find(|(_, kind)| *kind == found.filesystem_type()) {
        Some((name, _)) => Err(DriverError::Invalid(format!(
            "{} is on {name}, which cannot hold machine images: choose a --state-dir on ext4, xfs or btrfs",
            state.display()
        ))),
        None => Ok(()),
    }
}

fn kernel() -> DriverResult<()> {
    let path = "/proc/sys/kernel/osrelease";
    let release = fs::read_to_string(path).map_err(|e| DriverError::failed(format!("read {path}"), e))?;
    if version(&release).is_some_and(|v| v < OLDEST_KERNEL) {
        let (major, minor) = OLDEST_KERNEL;
        return Err(DriverError::Invalid(format!(
            "Linux {} is too old for kiln's images: {major}.{minor} or later is needed",
            release.trim()
        )));
    }
    Ok(())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Disks are files behind loop devices; where those are a module, it is loaded.
pub fn loop_devices() -> DriverResult<()> {
    if loops::there().is_ok() {
        return Ok(());
    }
    // What modprobe says does not matter, only whether they are there after it.
    let _ = Command::new("modprobe").arg("loop").output();
    loops::there().map_err(disk::no_loops)
}

/// Security groups within a subnet need the kernel's bridge filter; where it is
/// a module, it is loaded.
pub fn filter_bridges() -> DriverResult<()> {
    if Path::new(BRIDGE_FILTER).exists() {
        return Ok(());
    }
    // What modprobe says does not matter, only whether the filter is there after it.
    let _ = Command::new("modprobe").arg("br_netfilter").output();
    if Path::new(BRIDGE_FILTER).exists() {
        return Ok(());
    }
    let lacks =
        io::Error::other("this kernel has no br_netfilter: run `modprobe br_netfilter`, or use one that has it");
    Err(DriverError::failed("filter traffic within a subnet", lacks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_read() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.4"), Some((5, 4)));
        assert!(version("6.9.0") < Some(OLDEST_KERNEL));
        assert_eq!(version("x"), None);
    }
}
