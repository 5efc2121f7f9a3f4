//! The stage: where a machine is put together before it is entered.
//!
//! A machine's root is nobody on the host. What it is given must lie where everybody may walk, and
//! the state directory is closed to all but root. So each boot has a mount namespace of its own, in
//! which a small tree in memory lies over a folder that every host has:
//!
//! ```text
//! STAGE/root       the machine's root: an overlay of its layers and its disk
//! STAGE/seed …     what it is given beside that, each read-only if it is
//! STAGE/proc, sys  empty; shared with the machine's own mount namespace
//! ```
//! The namespace is the booting thread's and ends with it; nobody else ever sees it. No path in the
//! machine's table of mounts says where the host keeps things.
//!
//! `/proc` and `/sys` of the machine's namespaces exist only when the runtime has made these. They
//! are put on the stage then, with what tells about the host covered, and go over into the machine
//! **as one piece**: what comes into a namespace of lesser rights cannot be taken apart there. The
//! machine's root can take its whole `/proc` away, but neither uncover a part of it nor mount
//! another one (the kernel lets nobody see more by a fresh one than by what is there).
//! By what the runtime itself mounts, both would be possible.

use super::disk::Device;
use super::record::Machine;
use crate::host::files::is_gone;
use crate::host::mounts::{self, NO_DEVICES, NO_PROGRAMS, NO_SUID, READ_ONLY};
use crate::state::Host;
use nix::sched::{CloneFlags, clone, setns};
use nix::sys::wait::waitpid;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Folders that hosts have and everybody may walk to. The first that does not hide the state
/// directory is taken.
const PLACES: [&str; 4] = ["/dev/shm", "/mnt", "/media", "/srv"];
/// Attributes of all that is not the machine's root.
const QUIET: u64 = NO_SUID | NO_DEVICES | NO_PROGRAMS;

/// What is put over those: an empty folder, and an empty file.
const NO_FOLDER: &str = "nothing";
const NO_FILE: &str = "none";

/// Parts of `/proc` and `/sys` that tell about the host, its disks and its other machines.
const COVERED: [&str; 30] = [
    "proc/acpi",
    "proc/bus",
    "proc/cmdline",
    "proc/diskstats",
    "proc/driver",
    "proc/fs",
    "proc/irq",
    "proc/kcore",
    "proc/key-users",
    "proc/keys",
    "proc/latency_stats",
    "proc/locks",
    "proc/mdstat",
    "proc/partitions",
    "proc/sched_debug",
    "proc/scsi",
    "proc/swaps",
    "proc/sysrq-trigger",
    "proc/timer_list",
    "sys/block",
    "sys/class/block",
    "sys/dev/block",
    "sys/devices/virtual/powercap",
    "sys/firmware",
    "sys/fs/btrfs",
    "sys/fs/erofs",
    "sys/fs/ext4",
    "sys/fs/f2fs",
    "sys/fs/xfs",
    "sys/kernel/debug",
];

/// A boot's stage; the calling thread must be in a mount namespace of its own.
pub struct Stage {
    at: &'static Path,
}

impl Stage {
    /// Makes an empty one. The thread works in it from now on: paths in it are relative.
    pub fn set_up(host: &Host) -> io::Result<Self> {
        let fits = |at: &&Path| at.is_dir() && !host.dirs.state.starts_with(at);
        let at = PLACES.map(Path::new).into_iter().find(fits);
        let at = at.ok_or_else(|| io::Error::other(format!("this host has none of the folders {PLACES:?}")))?;
        mounts::mount_scratch(at, "mode=711,size=1m")?;
        // A thread with a mount namespace of its own has a working directory of its own.
        std::env::set_current_dir(at)?;
        for dir in ["root", NO_FOLDER, "kernel", "kernel/proc", "kernel/sys"] {
            fs::create_dir(dir)?;
        }
        fs::set_permissions(NO_FOLDER, Permissions::from_mode(0o555))?;
        File::create(NO_FILE)?.set_permissions(Permissions::from_mode(0o444))?;
        for empty in [NO_FOLDER, NO_FILE].map(Path::new) {
            mounts::bind(empty, empty, QUIET | READ_ONLY)?;
        }
        for dir in ["proc", "sys"].map(Path::new) {
            fs::create_dir(dir)?;
            mounts::bind(dir, dir, QUIET)?;
            mounts::share(dir)?;
        }
        Ok(Self { at })
    }

    /// Where something on it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// Puts the machine's root together: the layers with the machine's ids, below what is on its
    /// disk. Without a device, its changes lie in its folder.
    pub fn put_root(
        &self,
        host: &Host,
        machine: &Machine,
        layers: &[PathBuf],
        ids: (u32, &OwnedFd),
        device: Option<&Device>,
    ) -> io::Result<()> {
        let mut lower = Vec::new();
        for (n, layer) in layers.iter().enumerate() {
            let at = PathBuf::from(n.to_string());
            fs::create_dir(&at)?;
            let copy = mounts::idmapped_copy(layer, ids.1.as_fd(), true)?;
            mounts::attach(copy.as_raw_fd(), &mounts::c_path(&at)?)?;
            lower.push(at);
        }
        let changes = Path::new("disk");
        fs::create_dir(changes)?;
        match device {
            Some(device) => device.mount(changes)?,
            None => mounts::bind(&machine.dir(host), changes, NO_SUID | NO_DEVICES)?,
        }
        let (upper, work) = (changes.join("upper"), changes.join("work"));
        if !upper.exists() {
            fs::create_dir(&upper)?;
            fs::set_permissions(&upper, Permissions::from_mode(0o755))?;
            chown(&upper, Some(ids.0), Some(ids.0))?;
        }
        if !work.exists() {
            fs::create_dir(&work)?;
        }
        let root = mounts::overlay(&lower, &upper, &work)?;
        // The overlay holds what it is made of. The machine leaves the rest behind with the stage, when
        // its root becomes the root of all.
        mounts::attach(root.as_raw_fd(), c"root")
    }

    /// Shows something of the host's.
    pub fn put(&self, name: &str, from: &Path, attributes: u64) -> io::Result<()> {
        match from.is_dir() {
            true => fs::create_dir(name)?,
            false => drop(File::create(name)?),
        }
        mounts::bind(from, Path::new(name), attributes)
    }

    /// Gives a machine that waits to be started its `/proc` and `/sys`.
    pub fn show_kernel(&self, pid: u32) -> io::Result<()> {
        let namespace = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}"));
        let put = |tree: OwnedFd, at: &Path| mounts::attach(tree.as_raw_fd(), &mounts::c_path(at)?);
        let kernel = Path::new("kernel");
        put(proc_of(&namespace("pid")?)?, &kernel.join("proc"))?;
        setns(namespace("net")?, CloneFlags::CLONE_NEWNET)?;
        put(mounts::fresh(c"sysfs", &[(c"source", c"sysfs")], QUIET | READ_ONLY)?, &kernel.join("sys"))?;
        setns(namespace("cgroup")?, CloneFlags::CLONE_NEWCGROUP)?;
        let groups = mounts::fresh(c"cgroup2", &[(c"source", c"cgroup2")], QUIET)?;
        put(groups, &kernel.join("sys/fs/cgroup"))?;
        for path in COVERED.into_iter().map(PathBuf::from).chain(disks(Path::new("/sys/block"))?) {
            cover(&kernel.join(path))?;
        }
        for name in ["proc", "sys"] {
            let whole = mounts::copy_of(&kernel.join(name), true)?;
            put(whole, Path::new(name))?;
        }
        Ok(())
    }
}

/// A `/proc` of that process namespace: it is of whoever mounts it, so somebody has to be in there.
fn proc_of(pids: &File) -> io::Result<OwnedFd> {
    setns(pids, CloneFlags::CLONE_NEWPID)?;
    let mut made = None;
    let mut stack = vec![0u8; 64 * 1024];
    let body = Box::new(|| {
        made = Some(mounts::fresh(c"proc", &[(c"source", c"proc")], QUIET));
        0
    });
    let shared = CloneFlags::CLONE_VM | CloneFlags::CLONE_FILES | CloneFlags::CLONE_VFORK;
    // SAFETY: the child works in our memory, and we go on when it has ended.
    let child = unsafe { clone(body, &mut stack, shared, Some(nix::libc::SIGCHLD)) }?;
    let ended = waitpid(child, None)?;
    made.unwrap_or_else(|| Err(io::Error::other(format!("who was to mount it ended: {ended:?}"))))
}

/// Where the kernel shows the host's disks, beside the folders that list them (`listed` is `/sys/block`).
fn disks(listed: &Path) -> io::Result<BTreeSet<PathBuf>> {
    // Where all loop devices are, of which there may be hundreds.
    let mut folders = BTreeSet::from([PathBuf::from("sys/devices/virtual/block")]);
    for entry in fs::read_dir(listed)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b"loop") {
            continue;
        }
        // `../devices/pci0000:00/…/block/sda`. A device may go while we look. One whose place is not known for
        // another reason would stay uncovered.
        let device = match fs::read_link(entry.path()) {
            Ok(device) => device,
            Err(e) if is_gone(&e) => continue,
            Err(e) => return Err(unknown(&entry.path(), &e)),
        };
        let within = device.strip_prefix("..").ok().filter(|at| at.starts_with("devices"));
        let above = within.and_then(Path::parent).ok_or_else(|| unknown(&entry.path(), &device.display()))?;
        folders.insert(Path::new("sys").join(above));
    }
    Ok(folders)
}

fn unknown(disk: &Path, what: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("where the kernel shows {} is not known: {what}", disk.display()))
}

/// Puts an empty file or folder over what is there. Fine if nothing is.
fn cover(at: &Path) -> io::Result<()> {
    let with = |empty: &str| mounts::bind_as_it_is(Path::new(empty), at);
    match with(NO_FOLDER) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // Over a file goes a file only.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => with(NO_FILE),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_disk_stays_uncovered_because_its_place_cannot_be_read() {
        let listed = tempfile::tempdir().unwrap();
        let at = |name: &str| listed.path().join(name);
        symlink("../devices/pci0000:00/0000:00:04.0/virtio1/block/vda", at("vda")).unwrap();
        symlink("../devices/virtual/block/dm-0", at("dm-0")).unwrap();
        // However it looks: all of them are below the folder that is covered anyway.
        fs::write(at("loop0"), "").unwrap();
        let found = disks(listed.path()).unwrap();
        let expected = ["sys/devices/pci0000:00/0000:00:04.0/virtio1/block", "sys/devices/virtual/block"];
        assert_eq!(found, expected.map(PathBuf::from).into());

        fs::write(at("sda"), "no link").unwrap();
        let told = disks(listed.path()).unwrap_err().to_string();
        assert!(told.contains("sda is not known"), "{told}");
        fs::remove_file(at("sda")).unwrap();
        symlink("/sys/devices/elsewhere/sdb", at("sdb")).unwrap();
        let told = disks(listed.path()).unwrap_err().to_string();
        assert!(told.contains("sdb is not known"), "{told}");
    }
}
