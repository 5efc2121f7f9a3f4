//! Commands inside a machine, its console and its figures.

use super::record::Machine;
use crate::host::files;
use crate::network::cables::first;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExecOutput, ExecRequest, MachineId, MachineStats};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// What is served of a console.
const CONSOLE_SERVED: u64 = 64 * 1024;
/// A console's file is cut when it is longer.
const CONSOLE_KEPT: u64 = 1024 * 1024;
/// What is kept of a command's output.
const OUTPUT_KEPT: u64 = 16 * 1024 * 1024;
/// How long output is still read after the command itself has ended: something
/// it left running may hold it open for ever.
const AFTER_END: Duration = Duration::from_millis(200);

/// Runs a command inside.
pub async fn exec(host: &Host, id: &MachineId, request: ExecRequest) -> DriverResult<ExecOutput> {
    if request.argv.is_empty() {
        return Err(DriverError::Invalid("no command was given".to_owned()));
    }
    let machine = host.machine(id)?;
    machine.running()?;
    let doing = || format!("run {:?} in {id}", request.argv[0]);
    let failed = |e: io::Error| DriverError::failed(doing(), e);
    let cgroups = machine.group(host).entrances("exec")?;
    let mut argv = vec![id.to_string()];
    argv.extend(request.argv.iter().cloned());
    let mut command = host.crun.exec(&argv, cgroups)?;
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        tokio::process::Command::from(command).spawn().map_err(|e| crate::host::child::start_error("crun", e))?;
    let input = child.stdin.take();
    let out = Gathered::from(child.stdout.take());
    let err = Gathered::from(child.stderr.take());
    let stdin = request.stdin;
    let feed = tokio::spawn(async move {
        if let Some(mut input) = input {
            // A command that does not read all of its input is no failure.
            let _ = input.write_all(&stdin).await;
        }
    });
    let waited = tokio::time::timeout(request.timeout, child.wait()).await;
    let timed_out = waited.is_err();
    let status = match waited {
        Ok(status) => status.map_err(failed)?,
        Err(_) => {
            end_command(child.id());
            child.wait().await.map_err(failed)?
        }
    };
    feed.abort();
    let code = status.code();
    let code = code.unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExecOutput { code, timed_out, stdout: out.finish().await, stderr: err.finish().await })
}

/// Ends crun and what it runs for us inside. crun leads a session of its own, and
/// what it runs is in its process group.
fn end_command(crun: Option<u32>) {
    let pid = crun.and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid
        && let Err(error) = killpg(Pid::from_raw(pid), Signal::SIGKILL)
    {
        tracing::warn!(%error, "cannot end a command whose time is over");
    }
}

/// Output as it comes in: what came is kept even if the end never does.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Gathered {
    fn from(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = bytes.clone();
        let reader = tokio::spawn(async move {
            let Some(pipe) = pipe else { return };
            let mut pipe = pipe.take(OUTPUT_KEPT);
            let mut buffer = vec![0u8; 16 * 1024];
            while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
                kept.lock().extend_from_slice(&buffer[..n]);
            }
        });
        Self { bytes, reader }
    }

    async fn finish(mut self) -> Vec<u8> {
        // Late output is not waited for.
        let _ = tokio::time::timeout(AFTER_END, &mut self.reader).await;
        self.reader.abort();
        std::mem::take(&mut *self.bytes.lock())
    }
}

/// The command that opens a shell inside. It goes the way of [`exec`]: with the machine's own
/// limits, capabilities and system call filter. Entering the namespaces alone would leave a
/// process in the machine, within reach of its programs, that has none of them.
pub fn shell_command(host: &Host, id: &MachineId) -> DriverResult<Vec<String>> {
    let machine = host.machine(id)?;
    machine.running()?;
    let groups = machine.group(host).entrances("exec")?;
    let shell = "export TERM=${TERM:-xterm} HOME=/root; cd /root 2>/dev/null || cd /; \
                 if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi";
    let mut argv = host.crun.enter(&groups)?;
    let config: Option<serde_json::Value> = files::read_json(&machine.dir(host).join("config.json"))?;
    let environment = config.as_ref().and_then(|config| config.pointer("/process/env")?.as_array());
    for pair in environment.into_iter().flatten().filter_map(|pair| pair.as_str()) {
        argv.extend(["--env", pair].map(str::to_owned));
    }
    argv.extend([id.as_str(), "/bin/sh", "-c", shell].map(str::to_owned));
    Ok(argv)
}

/// The end of the console.
pub fn console(host: &Host, id: &MachineId) -> DriverResult<Vec<u8>> {
    let machine = host.machine(id)?;
    let path = machine.console(host);
    let failed = |e: io::Error| DriverError::failed(format!("read the console of {id}"), e);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let from = length.saturating_sub(CONSOLE_SERVED);
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(CONSOLE_SERVED).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Cuts the oldest part off a console that grew too long, so that a machine
/// that prints without end does not fill the disk.
pub fn trim_console(host: &Host, machine: &Machine) -> io::Result<()> {
    let path = machine.console(host);
    let length = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if length <= CONSOLE_KEPT {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(&path)?;
    let too_much = (length - CONSOLE_SERVED) / 4096 * 4096;
    let cut = i64::try_from(too_much).map_err(io::Error::other)?;
    // SAFETY: an open descriptor and plain integers.
    let done = unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_COLLAPSE_RANGE, 0, cut) };
    if done < 0 {
        // A file system that cannot take the head off can at least free it.
        let hole = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: as above.
        if unsafe { libc::fallocate(file.as_raw_fd(), hole, 0, cut) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// What it used.
pub fn stats(host: &Host, id: &MachineId) -> DriverResult<MachineStats> {
    let machine = host.machine(id)?;
    machine.running()?;
    let mut stats = machine.group(host).stats();
    let spec = machine.record.lock().spec.clone();
    for interface in std::iter::once(&first(&spec)).chain(&spec.interfaces) {
        let net = host.router(&interface.vpc)?.counters(interface.ip)?;
        stats.net_rx_bytes += net.rx_bytes;
        stats.net_tx_bytes += net.tx_bytes;
        stats.net_rx_packets += net.rx_packets;
        stats.net_tx_packets += net.tx_packets;
    }
    Ok(stats)
}
