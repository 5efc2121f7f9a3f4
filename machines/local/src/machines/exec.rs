//! Commands inside a machine, and its figures.

use crate::host::files;
use crate::network::cables::first;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ExecOutput, ExecRequest, MachineId, MachineStats};
use nix::sys::signal::{Signal, killpg};
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;
use parking_lot::Mutex;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

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

/// What it used.
pub fn stats(host: &Host, id: &MachineId) -> DriverResult<MachineStats> {
    let machine = host.machine(id)?;
    let running = machine.running()?;
    let mut stats = machine.group(host).stats();
    (stats.disk_used_bytes, stats.disk_bytes) = room(running.process.pid()).unzip();
    let spec = machine.record.lock().spec.clone();
    for interface in std::iter::once(&first(&spec)).chain(&spec.interfaces) {
        let net = host.router(&interface.vpc)?.counters(interface.ip)?;
        for (sum, more) in [
            (&mut stats.net_rx_bytes, net.rx_bytes),
            (&mut stats.net_tx_bytes, net.tx_bytes),
            (&mut stats.net_rx_packets, net.rx_packets),
            (&mut stats.net_tx_packets, net.tx_packets),
        ] {
            *sum = Some(sum.unwrap_or(0) + more);
        }
    }
    Ok(stats)
}

/// Bytes taken, and bytes there are, on the file system that keeps what a machine changes: its root is an overlay, which
/// tells those of its upper layer. The link leads to the root itself; nothing of the machine's is walked through.
fn room(pid: u32) -> Option<(u64, u64)> {
    let system = statvfs(format!("/proc/{pid}/root").as_str()).ok()?;
    let size = system.fragment_size();
    Some((system.blocks().checked_sub(system.blocks_free())? * size, system.blocks() * size))
}
