//! Control groups: limits, accounts, and the sure way to end every process of a machine.
//!
//! Two layouts are served. *Unified* (cgroup v2 alone) and *hybrid* (v1
//! controllers beside an empty v2 tree); the second is found on older set-ups.
//! Either way a machine has one group per tree:
//!
//! ```text
//! kiln-<tag>/<machine>/         limits
//!                     guest/    v2: the machine's own tree, given to its root
//!                     exec/     v2: commands kiln runs inside
//! ```
//!
//! Two leaves, since systemd inside divides its own group and a divided v2
//! group cannot hold processes.

use super::files::is_gone;
use kiln_machines_spec::{DriverError, DriverResult, MachineStats};
use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Which trees this host has.
#[derive(Clone, Debug)]
pub struct Trees {
    /// The v2 tree.
    v2: PathBuf,
    /// v1 trees by their controller; empty if v2 has the controllers.
    v1: Vec<(String, PathBuf)>,
}

/// The v1 controllers kiln uses.
const V1: [&str; 6] = ["cpu", "cpuacct", "memory", "pids", "freezer", "blkio"];

/// The limits of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processors.
    pub cpus: f64,
    /// Memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids_max: u32,
}

/// Groups a machine may make inside its own: systemd makes about one per service and login. Each
/// costs the host some memory that is nobody's.
const GROUPS_MAX: u32 = 512;
/// How deep they may be. A container of a user's service inside is at 9.
const GROUPS_DEPTH: u32 = 16;

/// Length of the scheduler's accounting period.
const PERIOD_US: u64 = 100_000;

impl Limits {
    fn quota_us(&self) -> u64 {
        // A quota under 1 ms is refused by the kernel.
        ((self.cpus * PERIOD_US as f64) as u64).max(1_000)
    }
}

impl Trees {
    /// Looks at what is mounted.
    pub fn find() -> DriverResult<Self> {
        let table =
            fs::read_to_string("/proc/self/mountinfo").map_err(|e| DriverError::failed("read the mount table", e))?;
        Self::read(&table).ok_or_else(|| {
            DriverError::failed(
                "find the control groups",
                io::Error::other("no cgroup2 file system is mounted; mount one at /sys/fs/cgroup"),
            )
        })
    }

    fn read(table: &str) -> Option<Self> {
        let (mut v2, mut v1) = (None, Vec::new());
        for line in table.lines() {
            let (left, right) = line.split_once(" - ")?;
            let at = PathBuf::from(left.split(' ').nth(4)?);
            let mut right = right.split(' ');
            let (kind, options) = (right.next()?, right.nth(1).unwrap_or(""));
            if kind == "cgroup2" && v2.is_none() {
                v2 = Some(at);
            } else if kind == "cgroup" {
                for option in options.split(',').filter(|o| V1.contains(o)) {
                    v1.push((option.to_owned(), at.clone()));
                }
            }
        }
        Some(Self { v2: v2?, v1 })
    }

    /// Whether the v1 controllers are in use.
    pub fn is_hybrid(&self) -> bool {
        !self.v1.is_empty()
    }

    /// Where the v2 tree is mounted.
    pub fn v2(&self) -> &Path {
        &self.v2
    }

    fn v1(&self, controller: &str) -> Option<&Path> {
        let tree = self.v1.iter().find(|(name, _)| name == controller);
        tree.map(|(_, path)| path.as_path())
    }

    /// Every different folder `name` would have.
    fn folders(&self, name: &str) -> Vec<PathBuf> {
        let mut all = vec![self.v2.join(name)];
        for (_, tree) in &self.v1 {
            let folder = tree.join(name);
            if !all.contains(&folder) {
                all.push(folder);
            }
        }
        all
    }

    /// Groups (machines) under a top group, over all trees.
    pub fn members(&self, top: &str) -> DriverResult<Vec<String>> {
        let mut names = Vec::new();
        for folder in self.folders(top) {
            for name in super::files::names_in(&folder)? {
                if folder.join(&name).is_dir() && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    /// A machine's group, whether or not it exists.
    pub fn group(&self, top: &str, machine: &str) -> Group {
        Group { trees: self.clone(), top: top.to_owned(), name: format!("{top}/{machine}") }
    }
}

/// A machine's group.
#[derive(Clone, Debug)]
pub struct Group {
    trees: Trees,
    top: String,
    name: String,
}

impl Group {
    fn v2(&self) -> PathBuf {
        self.trees.v2.join(&self.name)
    }

    fn v1(&self, controller: &str) -> Option<PathBuf> {
        self.trees.v1(controller).map(|tree| tree.join(&self.name))
    }

    /// Makes it, with its limits; `owner` may divide the guest's leaf.
    pub fn make(&self, limits: &Limits, owner: u32) -> DriverResult<()> {
        let doing = |what: &Path| format!("make the control group {}", what.display());
        for folder in self.trees.folders(&self.name) {
            fs::create_dir_all(&folder).map_err(|e| DriverError::failed(doing(&folder), e))?;
        }
        if !self.trees.is_hybrid() {
            let way_down = [&self.trees.v2, &self.trees.v2.join(&self.top), &self.v2()];
            for folder in way_down {
                write(&folder.join("cgroup.subtree_control"), "+cpu +memory +pids +io")
                    .or_else(|_| write(&folder.join("cgroup.subtree_control"), "+cpu +memory +pids"))?;
            }
        }
        for leaf in ["guest", "exec"] {
            let folder = self.v2().join(leaf);
            fs::create_dir_all(&folder).map_err(|e| DriverError::failed(doing(&folder), e))?;
        }
        let bounds = [("cgroup.max.descendants", GROUPS_MAX), ("cgroup.max.depth", GROUPS_DEPTH)];
        for (file, most) in bounds {
            write(&self.v2().join(file), &most.to_string())?;
        }
        let guest = self.v2().join("guest");
        for given in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            let file = guest.join(given);
            std::os::unix::fs::chown(&file, Some(owner), Some(owner))
                .map_err(|e| DriverError::failed(doing(&file), e))?;
        }
        self.limit(limits)
    }

    /// Sets its limits.
    pub fn limit(&self, limits: &Limits) -> DriverResult<()> {
        let (quota, memory) = (limits.quota_us(), limits.memory_bytes);
        let v2 = self.v2();
        match self.v1("memory") {
            Some(group) => {
                write(&group.join("memory.limit_in_bytes"), &memory.to_string())?;
            }
            None => write(&v2.join("memory.max"), &memory.to_string())?,
        }
        match self.v1("pids") {
            Some(group) => write(&group.join("pids.max"), &limits.pids_max.to_string())?,
            None => write(&v2.join("pids.max"), &limits.pids_max.to_string())?,
        }
        match self.v1("cpu") {
            Some(group) => {
                write(&group.join("cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                write(&group.join("cpu.cfs_quota_us"), &quota.to_string())?;
            }
            None => write(&v2.join("cpu.max"), &format!("{quota} {PERIOD_US}"))?,
        }
        Ok(())
    }

    /// The files by which a process joins: the machine itself (`guest`) or a
    /// command run in it (`exec`).
    pub fn entrances(&self, leaf: &str) -> DriverResult<Vec<CString>> {
        let mut files = vec![self.entrance(&self.v2().join(leaf).join("cgroup.procs"))?];
        files.extend(self.tasks()?);
        Ok(files)
    }

    /// Of the v1 trees alone. A process of one thread that moves itself by these (writing 0) does not
    /// wait for the kernel, as it does by `cgroup.procs`.
    pub fn tasks(&self) -> DriverResult<Vec<CString>> {
        let folders = self.trees.folders(&self.name);
        folders.iter().skip(1).map(|folder| self.entrance(&folder.join("tasks"))).collect()
    }

    fn entrance(&self, file: &Path) -> DriverResult<CString> {
        super::mounts::c_path(file).map_err(|e| DriverError::failed(format!("name the groups of {}", self.name), e))
    }

    /// The folder of a leaf in the v2 tree, for a process to be born in.
    pub fn leaf(&self, leaf: &str) -> DriverResult<OwnedFd> {
        let folder = self.v2().join(leaf);
        let opened = fs::File::open(&folder);
        opened.map(OwnedFd::from).map_err(|e| DriverError::failed(format!("open {}", folder.display()), e))
    }

    /// Whether any process is in it.
    pub fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.v2().join("cgroup.events"));
        events.is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }

    /// Ends every process in it.
    pub fn kill(&self) -> DriverResult<()> {
        let file = self.v2().join("cgroup.kill");
        match fs::write(&file, "1") {
            Err(e) if !is_gone(&e) => {
                let doing = format!("end the processes of {}", self.name);
                Err(DriverError::failed(doing, e))
            }
            _ => Ok(()),
        }
    }

    /// Holds every process still, or lets them go on.
    pub fn freeze(&self, still: bool) -> DriverResult<()> {
        let v2 = self.v2();
        write(&v2.join("cgroup.freeze"), if still { "1" } else { "0" })?;
        let line = if still { "frozen 1" } else { "frozen 0" };
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let events = fs::read_to_string(v2.join("cgroup.events"))
                .map_err(|e| DriverError::failed("read cgroup.events", e))?;
            if events.lines().any(|l| l == line) {
                return Ok(());
            }
            if Instant::now() > until {
                let error = io::Error::new(ErrorKind::TimedOut, "its processes did not hold still");
                return Err(DriverError::failed(format!("freeze {}", self.name), error));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How often the kernel ended a process for want of memory.
    pub fn oom_kills(&self) -> u64 {
        let file = match self.v1("memory") {
            Some(group) => group.join("memory.oom_control"),
            None => self.v2().join("memory.events"),
        };
        field(&file, "oom_kill").unwrap_or(0)
    }

    /// Ends what runs in it and removes it. Fine if there is none.
    pub fn remove(&self) -> DriverResult<()> {
        self.kill()?;
        let until = Instant::now() + Duration::from_secs(5);
        for folder in self.trees.folders(&self.name) {
            loop {
                match remove_tree(&folder) {
                    Ok(()) => break,
                    Err(e) if e.kind() == ErrorKind::NotFound => break,
                    // Its last processes are still on their way out.
                    Err(e) if e.raw_os_error() == Some(nix::libc::EBUSY) => {
                        if Instant::now() > until {
                            let doing = format!("remove the control group {}", folder.display());
                            return Err(DriverError::failed(doing, e));
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(e) => {
                        let doing = format!("remove the control group {}", folder.display());
                        return Err(DriverError::failed(doing, e));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the top group if no machine is left in it.
    pub fn remove_top(trees: &Trees, top: &str) {
        for folder in trees.folders(top) {
            // Not empty or not there: both are fine.
            let _ = fs::remove_dir(folder);
        }
    }

    /// What the machine used: all but the network.
    pub fn stats(&self) -> MachineStats {
        let mut stats = MachineStats::default();
        let without_idle = |used: Option<u64>, idle: Option<u64>| Some(used?.saturating_sub(idle?));
        if self.trees.is_hybrid() {
            let file = |controller, name: &str| self.v1(controller).map(|group: PathBuf| group.join(name));
            stats.cpu_ns = file("cpuacct", "cpuacct.usage").and_then(|path| number(&path));
            let used = file("memory", "memory.usage_in_bytes").and_then(|path| number(&path));
            let idle = file("memory", "memory.stat").and_then(|path| field(&path, "total_inactive_file"));
            stats.memory_bytes = without_idle(used, idle);
            let counts = |name| file("blkio", name).and_then(|path| v1_io(&path)).unzip();
            (stats.disk_read_bytes, stats.disk_write_bytes) = counts("blkio.throttle.io_service_bytes");
            (stats.disk_read_ops, stats.disk_write_ops) = counts("blkio.throttle.io_serviced");
            return stats;
        }
        let v2 = self.v2();
        stats.cpu_ns = field(&v2.join("cpu.stat"), "usage_usec").map(|us| us * 1_000);
        let idle = field(&v2.join("memory.stat"), "inactive_file");
        stats.memory_bytes = without_idle(number(&v2.join("memory.current")), idle);
        let text = fs::read_to_string(v2.join("io.stat")).ok();
        let sum = |name: &str| text.as_deref().and_then(|text| v2_io(text, name));
        (stats.disk_read_bytes, stats.disk_write_bytes) = (sum("rbytes"), sum("wbytes"));
        (stats.disk_read_ops, stats.disk_write_ops) = (sum("rios"), sum("wios"));
        stats
    }
}

/// Removes a group with the groups a machine made inside it.
fn remove_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            match remove_tree(&entry.path()) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    fs::remove_dir(folder)
}

fn write(file: &Path, text: &str) -> DriverResult<()> {
    fs::write(file, text).map_err(|e| DriverError::failed(format!("write {text:?} to {}", file.display()), e))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

/// Sum over the devices of one of `MAJ:MIN rbytes=N wbytes=N …`; 0 if nothing was read or written yet.
fn v2_io(text: &str, name: &str) -> Option<u64> {
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.parse::<u64>().ok()).sum()
}

/// Sums of `MAJ:MIN Read N` and `MAJ:MIN Write N`.
fn v1_io(file: &Path) -> Option<(u64, u64)> {
    let text = fs::read_to_string(file).ok()?;
    let sum = |kind: &str| -> Option<u64> {
        let words = text.lines().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
        let of_kind = words.filter(|words| words.first() == Some(&kind));
        of_kind.map(|words| words.get(1).and_then(|n| n.parse::<u64>().ok())).sum()
    };
    Some((sum("Read")?, sum("Write")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_cannot_be_read_is_not_there() {
        let v2 = "8:0 rbytes=10 wbytes=1 rios=2\n8:16 rbytes=5 wbytes=x";
        assert_eq!(v2_io(v2, "rbytes"), Some(15));
        assert_eq!(v2_io(v2, "wbytes"), None);
        assert_eq!(v2_io("", "rios"), Some(0));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("blkio");
        assert_eq!(v1_io(&file), None);
        fs::write(&file, "8:0 Read 10\n8:0 Write 3\n8:16 Read 1\nTotal 14").unwrap();
        assert_eq!(v1_io(&file), Some((11, 3)));
        fs::write(&file, "8:0 Read ten").unwrap();
        assert_eq!(v1_io(&file), None);
    }

    #[test]
    fn both_layouts_are_read_from_the_mount_table() {
        let hybrid = "30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
             31 1 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpuacct,x\n\
             32 1 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let trees = Trees::read(hybrid).unwrap();
        assert!(trees.is_hybrid());
        assert_eq!(trees.v2(), Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(trees.v1("cpu"), Some(Path::new("/sys/fs/cgroup/cpu")));
        assert_eq!(trees.folders("k").len(), 3);
        let unified = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
        assert!(!Trees::read(unified).unwrap().is_hybrid());
        assert!(Trees::read("1 1 0:1 / / rw - ext4 /dev/x rw").is_none());
    }
}
