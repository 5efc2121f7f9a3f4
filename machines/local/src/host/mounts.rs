//! Mounts by the kernel's own calls: EROFS files without a loop device, overlays
//! and id-mapped copies that nobody sees until they are put somewhere.
//!
//! A machine's root is made detached and put into the machine's own mount
//! namespace only, so it goes with the machine and the host's table stays small.

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NODEV: u64 = 0x4;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Text as the kernel wants it.
pub fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(checked(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Goes into a mount namespace of its own, from which nothing gets back to the host's. Safe
/// between fork and exec.
pub fn enter_own() -> io::Result<()> {
    // SAFETY: plain system calls on constants.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) < 0 {
            return Err(io::Error::last_os_error());
        }
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let (none, root) = (std::ptr::null(), c"/".as_ptr());
        if libc::mount(none, root, none, flags, none.cast()) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Does work that needs mounts for a moment, in a thread with a mount namespace of its own: when
/// it ends, whatever it mounted is gone, and nobody else ever saw it. (In the host's namespace
/// every program that is started meanwhile with mounts of its own would hold a copy.)
pub fn aside<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            enter_own()?;
            work()
        });
        thread?.join().map_err(|_| io::Error::other("the thread that mounts panicked"))?
    })
}

/// An empty tree at a folder, in memory.
pub fn mount_scratch(at: &Path, options: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(Some("kiln"), at, Some("tmpfs"), flags, Some(options))?)
}

/// Mounts the ext4 file system of a block device.
///
/// Tables of inodes are not written ahead (they would make a sparse file grow), and what is
/// deleted is given back to the file. After an error of the device it can only be read.
pub fn mount_ext4(device: BorrowedFd<'_>, at: &Path) -> io::Result<()> {
    let device = format!("/proc/self/fd/{}", device.as_raw_fd());
    let options = "noinit_itable,discard,errors=remount-ro";
    Ok(mount(Some(device.as_str()), at, Some("ext4"), MsFlags::MS_NODEV, Some(options))?)
}

/// Makes a folder a mount of its own whose inner mounts nobody else sees.
pub fn make_private(dir: &Path) -> io::Result<()> {
    let none = None::<&str>;
    mount(Some(dir), dir, none, MsFlags::MS_BIND, none)?;
    mount(none, dir, none, MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// Mounts an EROFS file, read-only, straight from the file.
pub fn mount_erofs(file: &Path, at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
    Ok(mount(Some(file), at, Some("erofs"), flags, None::<&str>)?)
}

/// Takes a mount away, at the latest when its last user ends. Fine if none is there.
pub fn unmount(at: &Path) -> io::Result<()> {
    match umount2(at, MntFlags::MNT_DETACH) {
        Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// A detached copy of the mount at `path` in which ids are mapped by `userns`.
pub fn idmapped_copy(path: &Path, userns: BorrowedFd<'_>, read_only: bool) -> io::Result<OwnedFd> {
    let c = c_path(path)?;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    // SAFETY: a valid path and flags; gives a new descriptor.
    let tree = owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c.as_ptr(), flags) })?;
    let set = MOUNT_ATTR_IDMAP | if read_only { MOUNT_ATTR_RDONLY } else { 0 };
    let attr = MountAttr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(userns.as_raw_fd()).map_err(io::Error::other)?,
    };
    // SAFETY: `attr` lives through the call and its size is given.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })?;
    Ok(tree)
}

/// Puts a detached mount somewhere. Safe between fork and exec.
pub fn attach(tree: RawFd, at: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: plain integers and a valid C string.
    checked(unsafe {
        libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), libc::AT_FDCWD, at.as_ptr(), MOVE_MOUNT_F_EMPTY_PATH)
    })?;
    Ok(())
}

/// A detached overlay. `lower` is from the uppermost to the lowest, each a path.
pub fn overlay(lower: &[PathBuf], upper: &Path, work: &Path) -> io::Result<OwnedFd> {
    // SAFETY: a valid name; gives a new descriptor.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), FSOPEN_CLOEXEC) })?;
    let set = |key: &std::ffi::CStr, value: &std::ffi::CStr| {
        // SAFETY: valid descriptor and strings.
        checked(unsafe {
            libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr(), 0)
        })
        .map_err(|e| io::Error::new(e.kind(), format!("overlay option {key:?}={value:?}: {e}")))
    };
    set(c"source", c"kiln")?;
    for path in lower {
        set(c"lowerdir+", &c_path(path)?)?;
    }
    set(c"upperdir", &c_path(upper)?)?;
    set(c"workdir", &c_path(work)?)?;
    set(c"redirect_dir", c"off")?;
    set(c"metacopy", c"off")?;
    set(c"index", c"off")?;
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: valid descriptor; this command takes no key or value.
    checked(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0) })?;
    // SAFETY: valid descriptor; gives a new one.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV) })
}

/// Mount points at or under `dir`, as this process sees them, in mount order.
pub fn mounts_under(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.map(|point| PathBuf::from(unescape(point))).filter(|point| point.starts_with(dir)).collect())
}

/// mountinfo writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4);
        match code.and_then(|c| u8::from_str_radix(c, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn escaped_mount_points_are_read() {
        assert_eq!(super::unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(super::unescape(r"/plain\"), r"/plain\");
    }
}
