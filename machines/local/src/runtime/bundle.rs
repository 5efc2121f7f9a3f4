//! A machine as an OCI bundle: what the runtime is told, as `config.json`.

use super::seccomp;
use crate::host::mounts::{NO_DEVICES, NO_PROGRAMS, NO_SUID, READ_ONLY};
use crate::host::userns::RANGE;
use crate::images::GUEST_PATH;
use crate::machines::stage::Stage;
use kiln_machines_spec::{Entry, MachineSpec, Program, SEED_DIR};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What the first process of a machine may do, all within its user namespace.
/// Left out: modules, raw I/O, clocks, the kernel's log, security modules.
const CAPABILITIES: [&str; 23] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
];

/// Names on the stage of what a machine is given, and how each is mounted.
pub const SEED: &str = "seed";
pub const SEED_FLAGS: u64 = READ_ONLY | NO_SUID | NO_DEVICES | NO_PROGRAMS;
pub const CONSOLE: &str = "console";
pub const CONSOLE_FLAGS: u64 = NO_SUID | NO_DEVICES | NO_PROGRAMS;
pub const GUEST: &str = "guest";
pub const GUEST_FLAGS: u64 = READ_ONLY | NO_SUID | NO_DEVICES;

/// The same flags in the runtime's words: it must not ask for less.
fn words(flags: u64) -> Vec<&'static str> {
    let all = [(READ_ONLY, "ro"), (NO_SUID, "nosuid"), (NO_DEVICES, "nodev"), (NO_PROGRAMS, "noexec")];
    let set = all.into_iter().filter(|(flag, _)| flags & flag != 0);
    std::iter::once("bind").chain(set.map(|(_, word)| word)).collect()
}

/// Switches of the machine's own network.
fn sysctls() -> Value {
    let mut all = BTreeMap::from([("net.ipv4.ip_unprivileged_port_start", "0")]);
    // A kernel without IPv6 has no such switch.
    if Path::new("/proc/sys/net/ipv6").exists() {
        // Networks carry IPv4 only; a machine's own loopback has both.
        all.insert("net.ipv6.conf.default.disable_ipv6", "1");
    }
    json!(all)
}

/// All that the description needs.
pub struct Bundle<'a> {
    /// What is wanted.
    pub spec: &'a MachineSpec,
    /// What runs first.
    pub entry: &'a Entry,
    /// First id of the machine's range on the host.
    pub ids: u32,
    /// Its user namespace.
    pub users: String,
    /// uid and gid the first process has inside.
    pub user: (u32, u32),
    /// What this host does with the memory of a program that crashed.
    pub core_pattern: &'a str,
    /// The system call profile as the runtime made it before: what it takes 2 ms for.
    pub filter: Option<&'a str>,
    /// Most open files this host allows.
    pub files_max: u64,
    /// Where what it is given is.
    pub stage: &'a Stage,
    /// Whether the guest program is there.
    pub guest: bool,
}

/// Whether a crashed program's memory becomes a file of the machine's. The host may have it piped to
/// a program of its own, which runs as the host's root and outside of every machine: a guest is not to
/// feed that.
fn keeps_cores(pattern: &str) -> bool {
    !pattern.starts_with(['|', '@'])
}

impl Bundle<'_> {
    /// The text of `config.json`.
    pub fn config(&self) -> Value {
        let systemd = matches!(self.entry, Entry::Systemd);
        let program = match self.entry {
            Entry::Program(program) => program.clone(),
            Entry::Systemd => Program { argv: vec!["/sbin/init".to_owned()], ..Program::default() },
        };
        let namespaces = ["pid", "mount", "ipc", "uts", "network", "cgroup"].map(|kind| json!({ "type": kind }));
        let users = json!({ "type": "user", "path": self.users });
        let namespaces: Vec<Value> = std::iter::once(users).chain(namespaces).collect();
        let ids = json!([{ "containerID": 0, "hostID": self.ids, "size": RANGE }]);
        json!({
            "ociVersion": "1.0.2",
            "hostname": self.spec.hostname,
            "root": { "path": self.stage.path("root"), "readonly": false },
            "process": {
                "terminal": false,
                "user": { "uid": self.user.0, "gid": self.user.1 },
                "args": program.argv,
                "env": self.environment(&program),
                "cwd": program.cwd.as_deref().unwrap_or("/"),
                "capabilities": self.capabilities(),
                "rlimits": self.limits(),
                "noNewPrivileges": false,
                "oomScoreAdj": 0,
            },
            "mounts": self.mounts(systemd),
            "annotations": self.annotations(),
            "linux": {
                "namespaces": namespaces,
                "uidMappings": ids,
                "gidMappings": ids,
                // What comes onto the stage later comes into the machine too: see `Stage`.
                "rootfsPropagation": "rslave",
                "seccomp": seccomp::profile(),
                "sysctl": sysctls(),
            },
        })
    }

    /// A runtime that does not know the word makes the filter of the profile, which is always there too.
    fn annotations(&self) -> Value {
        let made = self.filter.map(|filter| ("run.oci.seccomp_bpf_data", filter));
        json!(BTreeMap::from_iter(made))
    }

    fn limits(&self) -> Value {
        let limit = |kind: &str, soft: u64, hard: u64| json!({ "type": kind, "soft": soft, "hard": hard });
        let mut all = vec![limit("RLIMIT_NOFILE", self.files_max.min(1024), self.files_max)];
        if !keeps_cores(self.core_pattern) {
            // Not 0: what is piped to a program has no size, and only this means "none".
            all.push(limit("RLIMIT_CORE", 1, 1));
        }
        Value::Array(all)
    }

    fn capabilities(&self) -> Value {
        // A program that is not root gets what a login of that user would have: none.
        let held: &[&str] = if self.user.0 == 0 { &CAPABILITIES } else { &[] };
        json!({
            "bounding": CAPABILITIES,
            "permitted": held,
            "effective": held,
            "inheritable": [],
            "ambient": [],
        })
    }

    fn environment(&self, program: &Program) -> Vec<String> {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        all.insert("PATH", path);
        all.insert("HOSTNAME", &self.spec.hostname);
        all.insert("container", "oci");
        if self.user.0 == 0 {
            all.insert("HOME", "/root");
        }
        let given = program.env.iter().chain(&self.spec.environment);
        all.extend(given.map(|(k, v)| (k.as_str(), v.as_str())));
        let pairs = all.into_iter();
        pairs.map(|(k, v)| format!("{k}={v}")).collect()
    }

    fn mounts(&self, systemd: bool) -> Vec<Value> {
        let mount = |kind: &str, at: &str, options: &[&str]| json!({ "type": kind, "source": kind, "destination": at, "options": options });
        let bind = |name: &str, at: &str, options: &[&str]| json!({ "type": "bind", "source": self.stage.path(name), "destination": at, "options": options });
        let quiet = ["nosuid", "nodev", "noexec"];
        // Shares of the machine's memory, where systems take shares of the computer's.
        let share = |of: u64| format!("size={}k", self.spec.memory_bytes / of / 1024);
        let (half, fifth) = (share(2), share(5));
        let shm = ["nosuid", "nodev", "noexec", "mode=1777", &half];
        // All machines share the kernel's number of terminals.
        let pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=256"];
        let mut all = vec![
            // Empty until the machine's namespaces are there: see `Stage`.
            bind("proc", "/proc", &["bind", "rslave", "nosuid", "nodev", "noexec"]),
            bind("sys", "/sys", &["bind", "rslave", "nosuid", "nodev", "noexec"]),
            mount("tmpfs", "/dev", &["nosuid", "mode=755", "size=4096k"]),
            mount("devpts", "/dev/pts", &pts),
            mount("tmpfs", "/dev/shm", &shm),
            mount("mqueue", "/dev/mqueue", &quiet),
        ];
        if systemd {
            all.push(mount("tmpfs", "/run", &["nosuid", "nodev", "mode=755", &fifth]));
            let lock = ["nosuid", "nodev", "noexec", "mode=1777", "size=5120k"];
            all.push(mount("tmpfs", "/run/lock", &lock));
            all.push(bind(SEED, SEED_DIR, &words(SEED_FLAGS)));
            all.push(bind(CONSOLE, &format!("{SEED_DIR}/console"), &words(CONSOLE_FLAGS)));
            if self.guest {
                all.push(bind(GUEST, GUEST_PATH, &words(GUEST_FLAGS)));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_machine_feeds_a_program_of_the_hosts_by_crashing() {
        for piped in ["|/usr/lib/systemd/systemd-coredump %P", "|/usr/share/apport/apport", "@/run/cores"] {
            assert!(!keeps_cores(piped), "{piped}");
        }
        for file in ["core", "core.%p", "/var/crash/%e"] {
            assert!(keeps_cores(file), "{file}");
        }
    }
}
