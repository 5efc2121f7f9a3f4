//! Files the caller wants in a machine before its first boot.
//!
//! The machine's own tree is walked with the kernel told to treat its root as
//! the top: a link in the image that points to `/etc` leads into the machine,
//! never to the host.

use crate::host::files::open_in;
use kiln_machines_spec::{DriverError, DriverResult, InjectedFile};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// Writes the files into the tree of process `pid`; `owner` is the machine's root.
pub fn inject(pid: u32, owner: u32, files: &[InjectedFile]) -> DriverResult<()> {
    for file in files {
        write(pid, owner, file, false).map_err(failed(file))?;
    }
    Ok(())
}

/// The same for one file that takes the place of whatever has its name, a link too.
pub fn replace(pid: u32, owner: u32, file: &InjectedFile) -> DriverResult<()> {
    write(pid, owner, file, true).map_err(failed(file))
}

fn failed(file: &InjectedFile) -> impl Fn(io::Error) -> DriverError {
    move |e| DriverError::failed(format!("put {} into the machine", file.path), e)
}

fn write(pid: u32, owner: u32, file: &InjectedFile, replace: bool) -> io::Result<()> {
    let path = Path::new(&file.path);
    let strange = || io::Error::new(io::ErrorKind::InvalidInput, "not a plain absolute path");
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => parts.push(name),
            _ => return Err(strange()),
        }
    }
    let Some((name, folders)) = parts.split_last() else {
        return Err(strange());
    };
    if !path.is_absolute() {
        return Err(strange());
    }
    let top = format!("/proc/{pid}/root");
    let root = open(top.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut way = std::path::PathBuf::new();
    for folder in folders {
        let above = open_in(&root, &way, OFlag::O_DIRECTORY, 0)?;
        way.push(folder);
        match mkdirat(&above, Path::new(folder), Mode::from_bits_truncate(0o755)) {
            Ok(()) => {
                let made = open_in(&root, &way, OFlag::O_DIRECTORY, 0)?;
                give(&made, owner)?;
            }
            Err(Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
    }
    // Not to wait for a reader, should the image have a pipe there.
    let mut flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NONBLOCK;
    if replace {
        let above = open_in(&root, &way, OFlag::O_DIRECTORY, 0)?;
        match unlinkat(&above, Path::new(name), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => flags |= OFlag::O_EXCL,
            Err(e) => return Err(e.into()),
        }
    }
    way.push(name);
    let fd = open_in(&root, &way, flags, file.mode & 0o7777)?;
    give(&fd, owner)?;
    let mut out = File::from(fd);
    out.write_all(&file.content)?;
    use std::os::unix::fs::PermissionsExt;
    out.set_permissions(std::fs::Permissions::from_mode(file.mode & 0o7777))
}

fn give(fd: &OwnedFd, owner: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
    Ok(fchown(fd, Some(uid), Some(gid))?)
}
