//! Mounts by the kernel's own calls: EROFS files without a loop device, overlays
//! and id-mapped copies that nobody sees until they are put somewhere.
//!
//! A machine's root is put together in a mount namespace of its own and given to the machine
//! only, so it goes with the machine and the host's table stays small.
//!
//! What the host itself mounts of a machine's or an image's is `nosuid,nodev`: a program that is
//! root's inside is nobody's outside.

use kiln_machines_spec::{DriverError, DriverResult};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Nothing can be written.
pub const READ_ONLY: u64 = 0x1;
/// Programs do not become other users.
pub const NO_SUID: u64 = 0x2;
/// Device files do not work.
pub const NO_DEVICES: u64 = 0x4;
/// Nothing can be run.
pub const NO_PROGRAMS: u64 = 0x8;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

#[repr(C)]
#[derive(Default)]
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

/// Goes into a copy of its mount namespace. What is shared there stays so. Safe between fork
/// and exec.
pub fn enter_copy() -> io::Result<()> {
    // SAFETY: a plain system call on a constant.
    match unsafe { libc::unshare(libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Goes into a mount namespace of its own, from which nothing gets back to the host's. Safe
/// between fork and exec.
pub fn enter_own() -> io::Result<()> {
    enter_copy()?;
    // SAFETY: plain system calls on constants.
    unsafe {
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
/// every program that is started meanwhile with mounts of its own would hold a copy.) The thread
/// also has a working directory of its own.
pub fn aside<T: Send>(doing: &str, work: impl FnOnce() -> DriverResult<T> + Send) -> DriverResult<T> {
    let failed = |e: io::Error| DriverError::failed(doing, e);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            enter_own().map_err(failed)?;
            work()
        });
        let done = thread.map_err(failed)?.join();
        done.map_err(|_| failed(io::Error::other("the thread that mounts panicked")))?
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
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(Some(device.as_str()), at, Some("ext4"), flags, Some(options))?)
}

/// Makes a folder a mount of its own whose inner mounts nobody else sees.
pub fn make_private(dir: &Path) -> io::Result<()> {
    let none = None::<&str>;
    mount(Some(dir), dir, none, MsFlags::MS_BIND, none)?;
    close(dir)?;
    mount(none, dir, none, MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// Makes a mount that is there be as the host's mounts are to be.
pub fn close(at: &Path) -> io::Result<()> {
    let mounted = fs::File::open(at)?;
    change(mounted.as_raw_fd(), &MountAttr { attr_set: NO_SUID | NO_DEVICES, ..MountAttr::default() })
}

/// The same for what an earlier kiln mounted, if it is still there.
pub fn close_if_there(at: &Path) -> io::Result<()> {
    match close(at) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A namespace that is kept by its file has no such attributes to change.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        done => done,
    }
}

/// Mounts an EROFS file, read-only, straight from the file.
pub fn mount_erofs(file: &Path, at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
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
    let tree = copy_of(path, false)?;
    let attr = MountAttr {
        attr_set: MOUNT_ATTR_IDMAP | NO_SUID | NO_DEVICES | if read_only { READ_ONLY } else { 0 },
        userns_fd: u64::try_from(userns.as_raw_fd()).map_err(io::Error::other)?,
        ..MountAttr::default()
    };
    change(tree.as_raw_fd(), &attr)?;
    Ok(tree)
}

/// A detached copy of what `path` shows; with `whole` the mounts below it too.
pub fn copy_of(path: &Path, whole: bool) -> io::Result<OwnedFd> {
    let c = c_path(path)?;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | if whole { AT_RECURSIVE } else { 0 };
    // SAFETY: a valid path and flags; gives a new descriptor.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c.as_ptr(), flags) })
}

/// Shows `from` at `at` too, with these attributes.
pub fn bind(from: &Path, at: &Path, attributes: u64) -> io::Result<()> {
    let tree = copy_of(from, false)?;
    change(tree.as_raw_fd(), &MountAttr { attr_set: attributes, ..MountAttr::default() })?;
    attach(tree.as_raw_fd(), &c_path(at)?)
}

/// Shows `from`, a mount of its own, at `at` too, with the attributes it has.
pub fn bind_as_it_is(from: &Path, at: &Path) -> io::Result<()> {
    Ok(mount(Some(from), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// What is mounted there from now on is also mounted in every copy of this mount.
pub fn share(at: &Path) -> io::Result<()> {
    let none = None::<&str>;
    Ok(mount(none, at, none, MsFlags::MS_SHARED, none)?)
}

fn change(tree: RawFd, attr: &MountAttr) -> io::Result<()> {
    // SAFETY: `attr` lives through the call and its size is given.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    })?;
    Ok(())
}

/// Puts a detached mount somewhere. Safe between fork and exec.
pub fn attach(tree: RawFd, at: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: plain integers and a valid C string.
    checked(unsafe {
        libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), libc::AT_FDCWD, at.as_ptr(), MOVE_MOUNT_F_EMPTY_PATH)
    })?;
    Ok(())
}

/// A detached overlay. `lower` is from the uppermost to the lowest, each a path. The machine sees
/// these paths in its table of mounts: they had better be relative.
pub fn overlay(lower: &[PathBuf], upper: &Path, work: &Path) -> io::Result<OwnedFd> {
    let mut options = vec![(c"source", c"kiln".to_owned())];
    for path in lower {
        options.push((c"lowerdir+", c_path(path)?));
    }
    options.push((c"upperdir", c_path(upper)?));
    options.push((c"workdir", c_path(work)?));
    options.extend([c"redirect_dir", c"metacopy", c"index"].map(|option| (option, c"off".to_owned())));
    let options: Vec<(&CStr, &CStr)> = options.iter().map(|(key, value)| (*key, value.as_c_str())).collect();
    fresh(c"overlay", &options, NO_DEVICES)
}

/// A new file system that is mounted nowhere yet.
pub fn fresh(kind: &CStr, options: &[(&CStr, &CStr)], attributes: u64) -> io::Result<OwnedFd> {
    // SAFETY: a valid name; gives a new descriptor.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    for (key, value) in options {
        // SAFETY: valid descriptor and strings.
        checked(unsafe {
            libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr(), 0)
        })
        .map_err(|e| io::Error::new(e.kind(), format!("{kind:?} option {key:?}={value:?}: {e}")))?;
    }
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: valid descriptor; this command takes no key or value.
    checked(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0) })?;
    // SAFETY: valid descriptor; gives a new one.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes) })
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
