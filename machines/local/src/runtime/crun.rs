//! Calls to `crun`.
//!
//! Control groups are kiln's own affair (`--cgroup-manager=disabled`): the
//! process that becomes the machine joins them before crun starts, so both
//! layouts work alike. On hybrid hosts crun 1.8 refuses to start while it sees
//! the v2 tree; it is started without that mount, in a mount namespace of its own.

use crate::host::cgroup::Trees;
use crate::host::child::{self, Surroundings};
use crate::host::mounts;
use kiln_machines_spec::{DriverError, DriverResult};
use std::ffi::CString;
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The runtime, with its own state folder.
pub struct Crun {
    state: PathBuf,
    hide: Option<CString>,
}

impl Crun {
    /// Keeps its state in `state`.
    pub fn new(state: PathBuf, trees: &Trees) -> DriverResult<Self> {
        let hide = trees.is_hybrid().then(|| mounts::c_path(trees.v2()));
        let hide = hide.transpose().map_err(|e| DriverError::failed("name the cgroup tree", e))?;
        Ok(Self { state, hide })
    }

    fn command(&self, around: Surroundings) -> DriverResult<Command> {
        let mut crun = child::command("crun")?;
        crun.arg("--root").arg(&self.state);
        crun.arg("--cgroup-manager=disabled");
        let around = Surroundings { unmount: self.hide.clone(), own_session: true, ..around };
        around.apply(&mut crun);
        Ok(crun)
    }

    /// Makes a machine up to the point where its first process waits to be
    /// started. The caller's mount namespace has what the bundle names, and stays tied to the
    /// machine's by what is shared there. Returns the process.
    pub fn create(&self, id: &str, bundle: &Path, console: &Path, cgroups: Vec<CString>) -> DriverResult<u32> {
        let doing = format!("create {id}");
        let failed = |e: io::Error| DriverError::failed(&doing, e);
        let (log, pid_file) = (bundle.join("crun.log"), bundle.join("pid"));
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let output = options.open(console).map_err(failed)?;
        let around = Surroundings { shares_mounts: true, cgroups, ..Surroundings::default() };
        crate::host::files::remove_all(&log)?;
        let mut crun = self.command(around)?;
        crun.arg("--log").arg(&log).arg("create");
        crun.arg("--bundle").arg(bundle);
        crun.arg("--pid-file").arg(&pid_file).arg(id);
        // The machine keeps these: a pipe would hang whoever reads it.
        crun.stdin(Stdio::null());
        crun.stderr(output.try_clone().map_err(failed)?);
        crun.stdout(output);
        let status = crun.status().map_err(|e| child::start_error("crun", e))?;
        if !status.success() {
            // crun may have failed before it could write its log.
            let said = fs::read_to_string(&log).unwrap_or_else(|e| format!("(no log: {e})"));
            let status = status.to_string();
            return Err(child::exit_error(&doing, "crun", &status, &said));
        }
        let pid = fs::read_to_string(&pid_file).map_err(failed)?;
        pid.trim().parse().map_err(|e| DriverError::failed(&doing, e))
    }

    /// Lets a created machine go.
    pub fn start(&self, id: &str) -> DriverResult<()> {
        // This step looks at no control group, so it needs no mounts of its own.
        let mut crun = child::command("crun")?;
        crun.arg("--root").arg(&self.state);
        crun.args(["--cgroup-manager=disabled", "start", id]);
        Surroundings::default().apply(&mut crun);
        child::run(&mut crun, &format!("start {id}"), b"")?;
        Ok(())
    }

    /// Whether it was created but not started.
    pub fn is_waiting(&self, id: &str) -> bool {
        self.state.join(id).join("exec.fifo").exists()
    }

    /// A command that runs something inside; what it prints goes where the caller
    /// says. `arguments` are more options, the machine's name, and what to run.
    pub fn exec(&self, arguments: &[String], cgroups: Vec<CString>) -> DriverResult<Command> {
        let around = Surroundings { cgroups, ..Surroundings::default() };
        let mut crun = self.command(around)?;
        crun.args(["exec", "--cwd", "/"]).args(arguments);
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

/// A word of a shell's, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
