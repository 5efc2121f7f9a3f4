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
use std::time::{Duration, Instant};

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

/// The helper of one router.
pub struct Internet {
    namespace: PathBuf,
    file: PathBuf,
    log: PathBuf,
    /// Whether helpers of an earlier kiln that no record names were looked for.
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
        let helper: Option<Helper> = files::read_json(&self.file)?;
        let alive = |h: &Helper| h.boot_id == boot_id() && Stat::lives(h.pid, h.start_ticks);
        Ok(helper.filter(alive).map(|h| h.pid))
    }

    /// Starts it, if it does not run.
    pub fn start(&self) -> DriverResult<()> {
        if self.running()?.is_some() {
            return Ok(());
        }
        self.sweep()?;
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
        let stat = Stat::read(pid).ok_or_else(|| failed(io::Error::other("it ended at once")))?;
        let helper = Helper { pid, start_ticks: stat.start_ticks, boot_id: boot_id() };
        files::write_json(&self.file, &helper)
    }

    /// Ends it. Fine if it does not run.
    pub fn stop(&self) -> DriverResult<()> {
        if let Some(pid) = self.running()? {
            end(pid)?;
        }
        self.sweep()?;
        files::remove_all(&self.file)?;
        files::remove_all(&self.log)
    }

    /// Ends helpers that an earlier kiln started and was killed before it wrote that down.
    fn sweep(&self) -> DriverResult<()> {
        if self.swept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let recorded = self.running()?;
        for pid in files::names_in(Path::new("/proc"))?.iter().filter_map(|name| name.parse::<u32>().ok()) {
            if recorded != Some(pid) && leads_into(pid, &self.namespace) {
                end(pid)?;
            }
        }
        self.swept.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether a process is a helper of that namespace; no if it has ended meanwhile.
fn leads_into(pid: u32, namespace: &Path) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut words = command.split(|byte| *byte == 0);
    words.next().is_some_and(|program| program.ends_with(b"slirp4netns"))
        && words.any(|word| word == namespace.as_os_str().as_encoded_bytes())
}

fn end(pid: u32) -> DriverResult<()> {
    let process = match Process::open(pid) {
        Ok(process) => process,
        Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => return Ok(()),
        Err(e) => return Err(DriverError::failed("take hold of slirp4netns", e)),
    };
    match process.signal(nix::libc::SIGKILL) {
        Err(e) if e.raw_os_error() != Some(nix::libc::ESRCH) => {
            return Err(DriverError::failed("end slirp4netns", e));
        }
        _ => {}
    }
    let until = Instant::now() + Duration::from_secs(2);
    while !process.has_ended() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
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
