//! The way out to the internet: slirp4netns, a user-mode network attached to
//! the router's namespace. Started only where a route table has a gateway.
//!
//! It needs no route, address or rule on the host, and is told not to lead to
//! the host's loopback. It outlives kiln, as the machines do.

use crate::host::child::{self, Surroundings};
use crate::host::files;
use crate::host::pidfd::{Process, Stat, boot_id};
use kiln_machines_spec::{DriverError, DriverResult};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The router's interface to the internet.
pub const TAP: &str = "internet";
/// Its network; from the block kept for benchmarks, so that no VPC has it.
const BLOCK: &str = "198.19.255.0/24";
/// The far side of that interface, as slirp4netns names it in its network.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 19, 255, 2);
/// slirp's hardware address: 52:55 and its address.
pub const GATEWAY_MAC: [u8; 6] = [0x52, 0x55, 198, 19, 255, 2];

/// Bytes that it may say in its life: some of its lines are about what machines send. The last lines
/// of one that does not start are far fewer.
const LONGEST_LOG: u64 = 1 << 20;

/// How long one that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// The helper of one router.
pub struct Internet {
    namespace: PathBuf,
    file: PathBuf,
    log: PathBuf,
    /// Whether helpers that no record names were looked for: of an earlier kiln, or not written down by this one.
    swept: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Helper {
    pid: u32,
    start_ticks: u64,
    boot_id: String,
}

impl Internet {
    /// The helper of the namespace kept by that file; its record is kept beside it.
    pub fn new(namespace: &Path) -> Self {
        Self {
            file: beside(namespace, ".slirp.json"),
            log: beside(namespace, ".slirp.log"),
            namespace: namespace.to_owned(),
            swept: AtomicBool::new(false),
        }
    }

    /// Its process, if it runs.
    pub fn running(&self) -> DriverResult<Option<u32>> {
        Ok(self.process()?.map(|process| process.pid()))
    }

    fn process(&self) -> DriverResult<Option<Process>> {
        let Some(helper) = files::read_json::<Helper>(&self.file)? else { return Ok(None) };
        if helper.boot_id != this_boot()? {
            return Ok(None);
        }
        Process::find_started(helper.pid, helper.start_ticks).map_err(not_held)
    }

    /// Starts it, if it does not run.
    pub fn start(&self) -> DriverResult<()> {
        if self.running()?.is_some() {
            return Ok(());
        }
        self.sweep()?;
        // Until it is written down, one that was started is found by looking only.
        self.swept.store(false, Ordering::Relaxed);
        let doing = "connect the VPC to the internet";
        let failed = |e: io::Error| DriverError::failed(doing, e);
        let log = File::create(&self.log).map_err(failed)?;
        let (ready, tell) = io::pipe().map_err(failed)?;
        let mut slirp = child::command("slirp4netns")?;
        slirp
            .args(["--configure", "--disable-host-loopback", "--disable-dns"])
            .args(["--enable-seccomp", "--mtu=1500", "--netns-type=path"])
            .arg(format!("--cidr={BLOCK}"))
            .args(["--ready-fd", "0"])
            .arg(&self.namespace)
            .arg(TAP)
            // Its input is the pipe on which it says that it is ready.
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(tell)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(log));
        let around = Surroundings { own_session: true, largest_file: Some(LONGEST_LOG), ..Surroundings::default() };
        around.apply(&mut slirp);
        let mut running = slirp.spawn().map_err(|e| child::start_error("slirp4netns", e))?;
        drop(slirp);
        let said = read_one(ready);
        if !matches!(said, Ok(true)) {
            let status = running.wait().map_err(failed)?;
            let log = std::fs::read_to_string(&self.log).map_err(failed)?;
            return Err(child::exit_error(doing, "slirp4netns", &status.to_string(), &log));
        }
        let pid = running.id();
        // It must be reaped when it ends, so that no dead entry stays.
        std::thread::Builder::new()
            .name("kiln-slirp".into())
            .stack_size(64 * 1024)
            .spawn(move || running.wait())
            .map_err(failed)?;
        let stat = Stat::read(pid).map_err(failed)?;
        let stat = stat.ok_or_else(|| failed(io::Error::other("it ended at once")))?;
        let helper = Helper { pid, start_ticks: stat.start_ticks, boot_id: this_boot()? };
        files::write_json(&self.file, &helper)?;
        self.swept.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Ends it. Fine if it does not run.
    pub fn stop(&self) -> DriverResult<()> {
        if let Some(process) = self.process()? {
            end(&process)?;
        }
        self.sweep()?;
        files::remove_all(&self.file)?;
        files::remove_all(&self.log)
    }

    /// Ends helpers that were started and never written down: an earlier kiln was killed before, or this one failed to.
    fn sweep(&self) -> DriverResult<()> {
        if self.swept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let recorded = self.running()?;
        let proc = Path::new("/proc");
        for pid in helpers_of(proc, &self.namespace)? {
            if recorded != Some(pid)
                && let Some(process) = hold_helper(proc, pid, &self.namespace)?
            {
                end(&process)?;
            }
        }
        self.swept.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The processes that are helpers of that namespace, by what `/proc` shows. One that cannot be looked at may be
/// one, and would run for ever.
fn helpers_of(proc: &Path, namespace: &Path) -> DriverResult<Vec<u32>> {
    let mut found = vec![];
    for pid in files::names_in(proc)?.iter().filter_map(|name| name.parse::<u32>().ok()) {
        if is_helper(proc, pid, namespace)? {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Takes hold of the process of that number, if it is a helper of that namespace. One that was found may have ended,
/// and its number be somebody else's: it is looked at while it is held.
fn hold_helper(proc: &Path, pid: u32, namespace: &Path) -> DriverResult<Option<Process>> {
    let Some(process) = Process::find(pid).map_err(not_held)? else { return Ok(None) };
    Ok(is_helper(proc, pid, namespace)?.then_some(process))
}

fn is_helper(proc: &Path, pid: u32, namespace: &Path) -> DriverResult<bool> {
    match std::fs::read(proc.join(pid.to_string()).join("cmdline")) {
        Ok(command) => Ok(leads_into(&command, namespace)),
        Err(e) if files::is_gone(&e) => Ok(false),
        Err(e) => Err(DriverError::failed(format!("see what process {pid} is"), e)),
    }
}

/// Whether this is the command line of a helper of that namespace.
fn leads_into(command: &[u8], namespace: &Path) -> bool {
    let mut words = command.split(|byte| *byte == 0);
    words.next().is_some_and(|program| program.ends_with(b"slirp4netns"))
        && words.any(|word| word == namespace.as_os_str().as_encoded_bytes())
}

fn end(process: &Process) -> DriverResult<()> {
    let failed = |e| DriverError::failed("end slirp4netns", e);
    match process.signal(nix::libc::SIGKILL) {
        Err(e) if e.raw_os_error() != Some(nix::libc::ESRCH) => return Err(failed(e)),
        _ => {}
    }
    process.end_within(PATIENCE).map_err(failed)
}

fn not_held(error: io::Error) -> DriverError {
    DriverError::failed("take hold of slirp4netns", error)
}

fn this_boot() -> DriverResult<String> {
    boot_id().map_err(|e| DriverError::failed("read which boot of the host this is", e))
}

fn beside(base: &Path, end: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn read_one(mut pipe: io::PipeReader) -> io::Result<bool> {
    use std::io::Read;
    let mut byte = [0u8; 1];
    Ok(pipe.read(&mut byte)? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::pidfd::on_a_thread;
    use crate::host::{mounts, netns};
    use std::fs;

    #[test]
    fn a_helper_that_cannot_be_ended_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let internet = Internet::new(&dir.path().join("vpc-1"));
        // The kernel shows a thread as it shows a process, and gives nobody hold of it.
        on_a_thread(|thread| {
            let start_ticks = Stat::read(thread).unwrap().unwrap().start_ticks;
            let helper = Helper { pid: thread, start_ticks, boot_id: boot_id().unwrap() };
            files::write_json(&internet.file, &helper).unwrap();
            let told = internet.stop().unwrap_err().chain();
            assert!(told.contains("take hold of slirp4netns"), "{told}");
            assert!(internet.start().is_err(), "there would be two");
        });
        assert!(internet.file.exists(), "it can be ended later");
        // The thread is gone.
        internet.stop().unwrap();
        assert!(!internet.file.exists());
    }

    /// Takes everything down, however the test ends.
    struct Namespace(PathBuf);

    impl Drop for Namespace {
        fn drop(&mut self) {
            for done in [Internet::new(&self.0).stop(), mounts::unmount(&self.0).map_err(not_held)] {
                if let Err(error) = done {
                    eprintln!("{}", error.chain());
                }
            }
        }
    }

    #[test]
    fn a_helper_that_could_not_be_written_down_is_found_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("vpc-1");
        netns::make(&at).unwrap();
        let _taken_down = Namespace(at.clone());
        let internet = Internet::new(&at);
        let running = || helpers_of(Path::new("/proc"), &at).unwrap().len();
        internet.stop().unwrap();
        // Where its record would be written before it takes its place.
        let in_the_way = beside(&at, ".slirp.json.new");
        fs::create_dir(&in_the_way).unwrap();
        internet.start().unwrap_err();
        assert_eq!((running(), internet.running().unwrap()), (1, None));
        fs::remove_dir(&in_the_way).unwrap();
        internet.start().unwrap();
        assert_eq!(running(), 1, "there are not two");
        assert!(internet.running().unwrap().is_some());
        internet.stop().unwrap();
        assert_eq!(running(), 0);
    }

    #[test]
    fn who_has_a_helper_s_number_by_now_is_not_ended() {
        let proc = tempfile::tempdir().unwrap();
        let namespace = Path::new("/run/netns/vpc-1");
        // Anybody's: the test's own.
        let pid = std::process::id();
        let shows = |command: &str| {
            fs::create_dir_all(proc.path().join(pid.to_string())).unwrap();
            fs::write(proc.path().join(pid.to_string()).join("cmdline"), command).unwrap();
        };
        shows("/usr/bin/slirp4netns\0--configure\0/run/netns/vpc-1\0internet\0");
        assert_eq!(helpers_of(proc.path(), namespace).unwrap(), [pid]);
        assert_eq!(hold_helper(proc.path(), pid, namespace).unwrap().map(|process| process.pid()), Some(pid));
        shows("/usr/bin/slirp4netns\0--configure\0/run/netns/vpc-2\0internet\0");
        assert!(hold_helper(proc.path(), pid, namespace).unwrap().is_none());
        fs::remove_dir_all(proc.path().join(pid.to_string())).unwrap();
        assert!(hold_helper(proc.path(), pid, namespace).unwrap().is_none());
    }

    #[test]
    fn who_cannot_be_looked_at_may_be_a_helper() {
        let proc = tempfile::tempdir().unwrap();
        let shows = |pid: &str, command: &str| {
            fs::create_dir(proc.path().join(pid)).unwrap();
            fs::write(proc.path().join(pid).join("cmdline"), command).unwrap();
        };
        let namespace = Path::new("/run/netns/vpc-1");
        shows("7", "/usr/bin/slirp4netns\0--configure\0/run/netns/vpc-1\0internet\0");
        shows("8", "/usr/bin/slirp4netns\0--configure\0/run/netns/vpc-11\0internet\0");
        shows("9", "cat\0/run/netns/vpc-1\0");
        shows("self", "/usr/bin/slirp4netns\0/run/netns/vpc-1\0");
        fs::create_dir(proc.path().join("10")).unwrap();
        assert_eq!(helpers_of(proc.path(), namespace).unwrap(), [7], "10 has ended meanwhile");
        fs::create_dir_all(proc.path().join("11/cmdline")).unwrap();
        let told = helpers_of(proc.path(), namespace).unwrap_err().chain();
        assert!(told.contains("see what process 11 is"), "{told}");
    }
}
