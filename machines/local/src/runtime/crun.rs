//! Calls to `crun`.
//!
//! Control groups are kiln's own affair (`--cgroup-manager=disabled`): the
//! process that becomes the machine joins them before crun starts, so both
//! layouts work alike. On hybrid hosts crun 1.8 refuses to start while it sees
//! the v2 tree; it is started without that mount, in a mount namespace of its own.

use super::sealed::Sealed;
use crate::host::cgroup::{Group, Trees};
use crate::host::child::{self, Surroundings};
use crate::host::{mounts, spawn};
use base64::prelude::{BASE64_STANDARD, Engine};
use kiln_machines_spec::{DriverError, DriverResult};
use std::ffi::CString;
use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tracing::debug;

/// The runtime, with its own state folder.
pub struct Crun {
    state: PathBuf,
    hide: Option<CString>,
    filter: OnceLock<String>,
    /// None where it cannot be kept in memory: then it runs from its file, as any program.
    program: OnceLock<Option<Sealed>>,
}

impl Crun {
    /// Keeps its state in `state`.
    pub fn new(state: PathBuf, trees: &Trees) -> DriverResult<Self> {
        let hide = trees.is_hybrid().then(|| mounts::c_path(trees.v2()));
        let hide = hide.transpose().map_err(|e| DriverError::failed("name the cgroup tree", e))?;
        Ok(Self { state, hide, filter: OnceLock::new(), program: OnceLock::new() })
    }

    fn command(&self) -> DriverResult<Command> {
        let file = child::which("crun").ok_or_else(|| child::missing("crun"))?;
        let sealed = self.program.get_or_init(|| {
            let copied = Sealed::copy(&file);
            copied.inspect_err(|e| debug!("crun runs from its file, not from memory: {e}")).ok()
        });
        let mut crun = Command::new(sealed.as_ref().map_or(file, Sealed::path));
        crun.arg("--root").arg(&self.state);
        crun.arg("--cgroup-manager=disabled");
        Ok(crun)
    }

    fn around(&self, around: Surroundings) -> Surroundings {
        Surroundings { unmount: self.hide.clone(), own_session: true, ..around }
    }

    /// Makes a machine up to the point where its first process waits to be
    /// started. The caller's mount namespace has what the bundle names, and stays tied to the
    /// machine's by what is shared there. Returns the process.
    pub fn create(&self, id: &str, bundle: &Path, console: &Path, group: &Group) -> DriverResult<u32> {
        let doing = format!("create {id}");
        let failed = |e: io::Error| DriverError::failed(&doing, e);
        let (log, pid_file) = (bundle.join("crun.log"), bundle.join("pid"));
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let output = options.open(console).map_err(failed)?;
        let (leaf, cgroups) = (group.leaf("guest")?, group.tasks()?);
        let around = self.around(Surroundings { shares_mounts: true, cgroups, ..Surroundings::default() });
        crate::host::files::remove_all(&log)?;
        let mut crun = self.command()?;
        crun.arg("--log").arg(&log).arg("create");
        crun.arg("--bundle").arg(bundle);
        crun.arg("--pid-file").arg(&pid_file).arg(id);
        // The machine keeps these: a pipe would hang whoever reads it.
        let nothing = File::open("/dev/null").map_err(failed)?;
        let streams = [nothing.as_fd(), output.as_fd(), output.as_fd()];
        let status = spawn::run_in(leaf.as_fd(), &crun, &around, streams);
        let status = status.map_err(|e| child::start_error("crun", e))?;
        if !status.success() {
            // crun may have failed before it could write its log.
            let said = fs::read_to_string(&log).unwrap_or_else(|e| format!("(no log: {e})"));
            let status = status.to_string();
            return Err(child::exit_error(&doing, "crun", &status, &said));
        }
        if self.filter.get().is_none()
            // Where another version of crun keeps no such file, each machine's is made anew.
            && let Ok(filter) = fs::read(self.state.join(id).join("seccomp.bpf"))
            && is_program(&filter)
        {
            self.filter.get_or_init(|| BASE64_STANDARD.encode(filter));
        }
        let pid = fs::read_to_string(&pid_file).map_err(failed)?;
        pid.trim().parse().map_err(|e| DriverError::failed(&doing, e))
    }

    /// What the runtime made of the system call profile, which is the same for every machine, as it wants
    /// it back; none before the first one.
    pub fn filter(&self) -> Option<&str> {
        self.filter.get().map(String::as_str)
    }

    /// Lets a created machine go.
    pub fn start(&self, id: &str) -> DriverResult<()> {
        // This step looks at no control group, so it needs no mounts of its own.
        let mut crun = self.command()?;
        crun.args(["start", id]);
        Surroundings::default().apply(&mut crun);
        child::run_as("crun", &mut crun, &format!("start {id}"), b"")?;
        Ok(())
    }

    /// Whether it was created but not started.
    pub fn is_waiting(&self, id: &str) -> bool {
        self.state.join(id).join("exec.fifo").exists()
    }

    /// A command that runs something inside; what it prints goes where the caller
    /// says. `arguments` are more options, the machine's name, and what to run.
    pub fn exec(&self, arguments: &[String], cgroups: Vec<CString>) -> DriverResult<Command> {
        let mut crun = self.command()?;
        crun.args(["exec", "--cwd", "/"]).args(arguments);
        self.around(Surroundings { cgroups, ..Surroundings::default() }).apply(&mut crun);
        Ok(crun)
    }

    /// The words that run something inside from a terminal: options of crun's (`--env`, since
    /// with one nothing is taken over from the machine), the machine's name and what to run are
    /// put behind them. What they run is the caller's child, so nothing is left to kiln.
    pub fn enter(&self, groups: &[CString]) -> DriverResult<Vec<String>> {
        let crun = child::which("crun").ok_or_else(|| child::missing("crun"))?;
        let mut script = String::new();
        for procs in groups {
            let _ = write!(script, "echo $$ > {} || exit 1; ", quoted(&procs.to_string_lossy()));
        }
        if let Some(at) = &self.hide {
            let _ = write!(script, "umount -l {} || exit 1; ", quoted(&at.to_string_lossy()));
        }
        script.push_str("if [ -t 0 ] && [ -t 1 ]; then t=--tty; else t=; fi; ");
        let _ = write!(
            script,
            "exec {} --root {} --cgroup-manager=disabled exec $t --env TERM=\"${{TERM:-xterm}}\" --cwd / \"$@\"",
            quoted(&crun.to_string_lossy()),
            quoted(&self.state.to_string_lossy())
        );
        let words = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", &script, "sh"];
        Ok(words.map(str::to_owned).to_vec())
    }

    /// Forgets a machine whose processes are gone. Its control groups, mounts
    /// and links are not crun's, so its own folder is all there is.
    pub fn forget(&self, id: &str) -> DriverResult<()> {
        crate::host::files::remove_all(&self.state.join(id))
    }
}

/// Whether it is a filter: whole instructions of eight bytes (linux/filter.h), and some. Without any it would let
/// all calls through.
fn is_program(filter: &[u8]) -> bool {
    !filter.is_empty() && filter.len().is_multiple_of(8)
}

/// A word of a shell's, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_empty_or_cut_off_is_not_given_to_the_next_machine() {
        assert!(is_program(&[0; 16]));
        assert!(!is_program(&[]) && !is_program(&[0; 12]));
    }
}
