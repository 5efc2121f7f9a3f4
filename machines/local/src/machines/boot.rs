//! Booting: from a record to a running first process.

use super::console;
use super::disk::Device;
use super::inject::{inject, replace};
use super::record::{Machine, Phase, Record, Running};
use super::stage::Stage;
use crate::host::pidfd::{Process, Stat};
use crate::host::{files, mounts, netns, userns};
use crate::network::cables::first;
use crate::runtime::{Bundle, CONSOLE, CONSOLE_FLAGS, GUEST, GUEST_FLAGS, SEED, SEED_FLAGS, numbers_of};
use crate::state::Host;
use kiln_machines_spec::{
    DriverError, DriverResult, Entry, ExtraInterface, InjectedFile, Program, SEED_DIR, SEED_FILE, Seed,
};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Boots the machine. On failure whatever was made for this boot is gone again.
/// Blocks for about 20 ms.
pub fn boot(host: &Host, machine: &Machine) -> DriverResult<Arc<Running>> {
    let booted = try_boot(host, machine);
    if booted.is_err()
        && let Err(error) = clear(host, machine)
    {
        let id = &machine.id;
        tracing::warn!(%id, error = error.chain(), "could not clear up a failed boot");
    }
    booted
}

/// Removes what a boot made and a machine at rest does not have: processes,
/// control group, cable, the runtime's record. Fine if there is none.
pub fn clear(host: &Host, machine: &Machine) -> DriverResult<()> {
    machine.group(host).remove()?;
    host.crun.forget(machine.id.as_str())?;
    console::close(host, machine)?;
    let cabled = machine.record.lock().cabled();
    for interface in cabled {
        // Without a router there are no cables.
        if let Ok(router) = host.router(&interface.vpc) {
            router.unplug(interface.ip)?;
        }
    }
    Ok(())
}

fn try_boot(host: &Host, machine: &Machine) -> DriverResult<Arc<Running>> {
    let record = machine.record.lock().clone();
    let spec = &record.spec;
    let mut interfaces = vec![first(spec)];
    interfaces.extend(spec.interfaces.iter().cloned());
    for interface in &interfaces {
        host.router(&interface.vpc)?.has_place_for(interface)?;
    }
    let dir = machine.dir(host);
    let boot = record.boots + 1;
    prepare_dirs(&dir)?;
    let layers = host.images.mount(&spec.image, &record.layers)?;
    let group = machine.group(host);
    let (users, (console, device)) = at_once(
        || userns::of_machine(record.ids).map_err(|e| machine.failed("make the user namespace of", e)),
        || {
            group.make(&machine.limits(), record.ids)?;
            let console = console::open(host, machine)?;
            give(&console, record.ids, 0o600)?;
            write_seed(&machine.console_place(host).join("seed"), record.ids, spec, boot)?;
            Ok((console, attach_disk(host, machine, &record)?))
        },
    )?;
    let (pid, process) = mounts::aside(&format!("make a place for {}", machine.id), || {
        let stage = put_on_stage(host, machine, &record, &layers, (&users, device.as_ref()))?;
        let user = match &record.entry {
            Entry::Program(Program { user: Some(who), .. }) => numbers_of(who, &layers)?,
            _ => (0, 0),
        };
        let (ids, files_max) = (record.ids, host.files_max);
        let guest = host.guest.is_some();
        let users = format!("/proc/{}/fd/{}", std::process::id(), users.as_raw_fd());
        let core_pattern = fs::read_to_string("/proc/sys/kernel/core_pattern")
            .map_err(|e| DriverError::failed("see what becomes of crashed programs", e))?;
        let core_pattern = core_pattern.as_str();
        let bundle = Bundle {
            spec,
            entry: &record.entry,
            ids,
            users,
            user,
            core_pattern,
            filter: host.crun.filter(),
            files_max,
            stage: &stage,
            guest,
        };
        files::write_json(&dir.join("config.json"), &bundle.config())?;
        let pid = host.crun.create(machine.id.as_str(), &dir, &console, &group)?;
        let ((), process) = at_once(
            || stage.show_kernel(pid).map_err(|e| machine.failed("make /proc and /sys of", e)),
            || furnish(host, machine, &record, &interfaces, pid),
        )?;
        Ok((pid, process))
    })?;
    // What holds the disk from now on is the machine.
    drop(device);
    let id = machine.id.as_str();
    let stat = Stat::read(pid).map_err(|e| machine.failed("look at the process of", e))?;
    let ended = || machine.failed("boot", io::Error::other("it ended before it was started"));
    let start_ticks = stat.ok_or_else(ended)?.start_ticks;
    let oom_kills = group.oom_kills();
    host.crun.start(id)?;
    // Only now: until here this boot never was, and a kiln that is killed leaves the machine as the
    // record has it (new, and nobody was told; or at rest, with its disk).
    machine.update(host, |record| {
        record.boots = boot;
        record.phase = Phase::Running { pid, start_ticks, boot_id: host.boot_id.clone(), since_ms: files::now_ms() };
    })?;
    let running = Arc::new(Running { process, end_is_wanted: AtomicBool::new(false), oom_kills });
    *machine.running.lock() = Some(running.clone());
    Ok(running)
}

/// Does one thing on a thread of its own while the other is done: in each there is much waiting for the
/// kernel and for other processes.
fn at_once<A: Send, B>(
    one: impl FnOnce() -> DriverResult<A> + Send,
    other: impl FnOnce() -> DriverResult<B>,
) -> DriverResult<(A, B)> {
    std::thread::scope(|scope| {
        let failed = |e| DriverError::failed("start a thread", e);
        let one = std::thread::Builder::new().spawn_scoped(scope, one).map_err(failed)?;
        let other = other();
        let one = one.join().map_err(|_| failed(io::Error::other("it panicked")))?;
        match (one, other) {
            (Err(one), Err(other)) => {
                // The caller is told one; the other may be what was behind it.
                tracing::warn!(error = other.chain(), "the other half of a boot failed too");
                Err(one)
            }
            (one, other) => Ok((one?, other?)),
        }
    })
}

/// Gives a machine that waits to be started its network and its files.
fn furnish(
    host: &Host,
    machine: &Machine,
    record: &Record,
    interfaces: &[ExtraInterface],
    pid: u32,
) -> DriverResult<Process> {
    let process = Process::open(pid).map_err(|e| machine.failed("hold the process of", e))?;
    let ns = netns::of_process(pid).map_err(|e| machine.failed("find the network of", e))?;
    for interface in interfaces {
        host.router(&interface.vpc)?.plug(interface, &[], &ns)?;
    }
    let router = host.router(&record.spec.vpc)?;
    give_names(&machine.dir(host), pid, record, &names(&record.spec, &router.spec()))?;
    if record.boots == 0 {
        inject(pid, record.ids, &record.spec.files)?;
    }
    Ok(process)
}

fn prepare_dirs(dir: &Path) -> DriverResult<()> {
    for name in ["given", "root"] {
        files::make_dir(&dir.join(name))?;
    }
    files::close_dir(dir)
}

fn give(path: &Path, owner: u32, mode: u32) -> DriverResult<()> {
    let failed = |e| DriverError::failed(format!("give {} to the machine", path.display()), e);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    chown(path, Some(owner), Some(owner)).map_err(failed)
}

/// The machine's disk; a new one at its first boot.
fn attach_disk(host: &Host, machine: &Machine, record: &Record) -> DriverResult<Option<Device>> {
    if record.spec.disk_bytes == 0 {
        return Ok(None);
    }
    let disk = machine.disk(host);
    if record.boots == 0 {
        host.disks.make(&disk, record.spec.disk_bytes)?;
    }
    Device::attach(&machine.id, &disk, &host.dirs.nodes).map(Some)
}

/// Everything the machine is given. The caller is in a mount namespace of its own.
fn put_on_stage(
    host: &Host,
    machine: &Machine,
    record: &Record,
    layers: &[PathBuf],
    (users, device): (&OwnedFd, Option<&Device>),
) -> DriverResult<Stage> {
    let failed = |e: io::Error| DriverError::failed(format!("make the root of {}", machine.id), e);
    let place = machine.console_place(host);
    let put = || {
        let stage = Stage::set_up(host)?;
        stage.put_root(host, machine, layers, (record.ids, users), device)?;
        if record.entry == Entry::Systemd {
            stage.put(SEED, &place.join("seed"), SEED_FLAGS)?;
            stage.put(CONSOLE, &machine.console(host), CONSOLE_FLAGS)?;
            if let Some(guest) = &host.guest {
                stage.put(GUEST, guest, GUEST_FLAGS)?;
            }
        }
        Ok(stage)
    };
    put().map_err(failed)
}

/// What a machine is to know of its name and its network, by file.
fn names(spec: &kiln_machines_spec::MachineSpec, vpc: &kiln_machines_spec::VpcSpec) -> [(&'static str, String); 3] {
    let (hostname, ip) = (&spec.hostname, spec.private_ip);
    let short = hostname.split('.').next().unwrap_or(hostname);
    let domain = Some(&spec.domain).filter(|domain| !domain.is_empty());
    // The first name is what `hostname -f` answers.
    let names = match domain {
        _ if short != hostname => format!("{hostname} {short}"),
        Some(domain) => format!("{hostname}.{domain} {hostname}"),
        None => hostname.clone(),
    };
    let hosts = format!("127.0.0.1 localhost\n::1 localhost\n{ip} {names}\n");
    let dns = vpc.dns_ip();
    let dns = dns.map_or_else(String::new, |ip| format!("nameserver {ip}\n"));
    let search = domain.map_or_else(String::new, |domain| format!("search {domain}\n"));
    let resolv = format!("{dns}{search}options timeout:2 attempts:3\n");
    [("hosts", hosts), ("hostname", format!("{hostname}\n")), ("resolv.conf", resolv)]
}

/// Writes them into the machine's `/etc`, once and again when they change: in between they are the
/// machine's own files. Those last given are kept beside it.
fn give_names(dir: &Path, pid: u32, record: &Record, texts: &[(&str, String)]) -> DriverResult<()> {
    for (name, text) in texts {
        let given = dir.join("given").join(name);
        let last = match fs::read_to_string(&given) {
            Ok(last) => Some(last),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(DriverError::failed(format!("read {}", given.display()), e)),
        };
        if last.as_ref() == Some(text) {
            continue;
        }
        let path = format!("/etc/{name}");
        let file = InjectedFile { path, mode: 0o644, content: text.clone().into_bytes() };
        match replace(pid, record.ids, &file) {
            Ok(()) => files::write_whole(&given, text.as_bytes())?,
            // A machine that was booted before may have a full disk, or a folder of that name.
            Err(error) if record.boots > 0 => {
                tracing::warn!(id = %record.spec.id, error = error.chain(), "a file was not renewed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_seed(dir: &Path, owner: u32, spec: &kiln_machines_spec::MachineSpec, boot: u32) -> DriverResult<()> {
    files::make_dir(dir)?;
    let user_data = dir.join("user-data");
    match &spec.user_data {
        Some(bytes) => {
            files::write_whole(&user_data, bytes)?;
            give(&user_data, owner, 0o600)?;
        }
        None => files::remove_all(&user_data)?,
    }
    let seed = Seed {
        version: 1,
        instance_id: spec.id.to_string(),
        hostname: spec.hostname.clone(),
        domain: (!spec.domain.is_empty()).then(|| spec.domain.clone()),
        ssh_authorized_keys: spec.ssh_authorized_keys.clone(),
        user_data_path: spec.user_data.is_some().then(|| format!("{SEED_DIR}/user-data")),
        first_boot: boot == 1,
        boot,
        console_path: format!("{SEED_DIR}/console"),
        environment: spec.environment.clone(),
        private_ip: spec.private_ip.to_string(),
    };
    let file = dir.join(SEED_FILE);
    files::write_json(&file, &seed)?;
    give(&file, owner, 0o600)?;
    // The console is put over this.
    let console = dir.join("console");
    if !console.exists() {
        files::write_whole(&console, b"")?;
    }
    give(dir, owner, 0o755)
}
