//! The state directory, and what the parts of the driver share.
//!
//! ```text
//! STATE/lock                 held by the one kiln that uses it
//! STATE/images/              layers and manifests (see `images`)
//! STATE/disks/               empty disks, to be copied (see `machines/disk`)
//! STATE/machines/ID/         machine.json, disk, given, console, config.json
//! STATE/networks/VPC.json    the VPC as last applied
//! STATE/run/crun/            the runtime's own state
//! STATE/run/nodes/           device nodes, each for a moment
//! STATE/run/mnt/             a private mount: layers/, lower/, consoles/, guest/, netns/
//! ```

use crate::host::cgroup::Trees;
use crate::host::files;
use crate::host::mounts;
use crate::host::netlink::Netlink;
use crate::host::pidfd::boot_id;
use crate::images::ImageStore;
use crate::machines::Machine;
use crate::machines::disk::Disks;
use crate::machines::still::Stills;
use crate::network::{Door, Router};
use crate::preflight;
use crate::runtime::Crun;
use kiln_machines_spec::{DriverError, DriverResult, LayerDigest, MachineEvent, MachineId, VpcId};
use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, broadcast};

/// How the driver is set up.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Everything the driver keeps; not on tmpfs.
    pub state_dir: PathBuf,
    /// The guest program, a static binary; empty if there is none.
    pub guest: Vec<u8>,
    /// How many machines are launched at the same time.
    pub launches_at_once: usize,
}

impl LocalConfig {
    /// The usual set-up.
    pub fn new(state_dir: impl Into<PathBuf>, guest: Vec<u8>) -> Self {
        Self { state_dir: state_dir.into(), guest, launches_at_once: 6 }
    }
}

/// Events a slow listener may be behind before it loses some.
const EVENTS_KEPT: usize = 1024;

/// What the parts of the driver share.
pub struct Host {
    pub dirs: Dirs,
    pub trees: Trees,
    /// Name of the control group above all of this state directory's machines.
    pub top_group: String,
    pub crun: Crun,
    pub images: ImageStore,
    pub disks: Disks,
    pub guest: Option<PathBuf>,
    pub files_max: u64,
    pub boot_id: String,
    pub machines: Mutex<BTreeMap<MachineId, Arc<Machine>>>,
    pub routers: Mutex<BTreeMap<VpcId, Arc<Router>>>,
    pub door: Arc<Door>,
    pub events: broadcast::Sender<MachineEvent>,
    pub launches: Semaphore,
    pub stills: Stills,
    _lock: Flock<File>,
}

/// The folders.
pub struct Dirs {
    pub state: PathBuf,
    pub machines: PathBuf,
    pub networks: PathBuf,
    pub private: PathBuf,
    pub lower: PathBuf,
    pub consoles: PathBuf,
    pub netns: PathBuf,
    pub guest: PathBuf,
    pub nodes: PathBuf,
}

impl Host {
    /// Opens a state directory.
    pub fn open(config: &LocalConfig) -> DriverResult<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Err(DriverError::NotRoot);
        }
        files::make_dir(&config.state_dir)?;
        let state = config.state_dir.canonicalize();
        let state = state.map_err(|e| DriverError::failed("find the state directory", e))?;
        let lock = lock(&state)?;
        let dirs = Dirs::make(state)?;
        let trees = Trees::find()?;
        preflight::filter_bridges()?;
        keep_loopback()?;
        let digest = hex::encode(Sha256::digest(dirs.state.as_os_str().as_encoded_bytes()));
        let guest = place_guest(&dirs.guest, &config.guest)?;
        let crun = Crun::new(dirs.state.join("run/crun"), &trees)?;
        let images = ImageStore::open(&dirs.state.join("images"), &dirs.private.join("layers"))?;
        Ok(Self {
            top_group: format!("kiln-{}", &digest[..8]),
            crun,
            images,
            disks: Disks::open(dirs.state.join("disks"))?,
            guest,
            trees,
            files_max: files_max()?,
            boot_id: boot_id().map_err(|e| DriverError::failed("read which boot of the host this is", e))?,
            machines: Mutex::default(),
            routers: Mutex::default(),
            door: Door::new(),
            events: broadcast::channel(EVENTS_KEPT).0,
            launches: Semaphore::new(config.launches_at_once.max(1)),
            stills: Stills::default(),
            dirs,
            _lock: lock,
        })
    }

    /// A machine by its name.
    pub fn machine(&self, id: &MachineId) -> DriverResult<Arc<Machine>> {
        let found = self.machines.lock().get(id).cloned();
        found.ok_or_else(|| DriverError::not_found("machine", id))
    }

    /// A VPC's router.
    pub fn router(&self, id: &VpcId) -> DriverResult<Arc<Router>> {
        let found = self.routers.lock().get(id).cloned();
        found.ok_or_else(|| DriverError::not_found("network", id))
    }

    /// Layers that a machine has, whether it runs or not.
    pub fn layers_in_use(&self) -> BTreeSet<LayerDigest> {
        let machines: Vec<_> = self.machines.lock().values().cloned().collect();
        let layers = machines.iter().flat_map(|m| m.record.lock().layers.clone());
        layers.collect()
    }
}

impl Dirs {
    fn make(state: PathBuf) -> DriverResult<Self> {
        let private = state.join("run/mnt");
        let dirs = Self {
            machines: state.join("machines"),
            networks: state.join("networks"),
            lower: private.join("lower"),
            consoles: private.join("consoles"),
            netns: private.join("netns"),
            guest: private.join("guest"),
            nodes: state.join("run/nodes"),
            private,
            state,
        };
        files::make_dir(&dirs.private)?;
        // No user of the host's but root walks to a layer, a disk or a seed: a program in an
        // image may be root's and setuid. Machines are handed what is theirs (see `Stage`).
        let run = dirs.state.join("run");
        let (images, disks) = (dirs.state.join("images"), dirs.state.join("disks"));
        for dir in [&dirs.state, &dirs.machines, &dirs.networks, &run, &images, &disks] {
            files::make_dir(dir)?;
            files::close_dir(dir)?;
        }
        for above in [&images, &dirs.machines] {
            let inner = files::names_in(above)?.into_iter().map(|name| above.join(name));
            inner.filter(|dir| dir.is_dir()).try_for_each(|dir| files::close_dir(&dir))?;
        }
        // What a killed kiln left there.
        files::remove_all(&dirs.nodes)?;
        files::make_dir(&dirs.nodes)?;
        let failed = |e| DriverError::failed("set up the private mounts", e);
        let mounted = mounts::mounts_under(&dirs.private).map_err(failed)?;
        match mounted.contains(&dirs.private) {
            false => mounts::make_private(&dirs.private).map_err(failed)?,
            // An earlier version's, with the layers in it.
            true => mounted.iter().try_for_each(|at| mounts::close_if_there(at)).map_err(failed)?,
        }
        files::close_dir(&dirs.private)?;
        for dir in [&dirs.lower, &dirs.consoles, &dirs.netns] {
            files::make_dir(dir)?;
            files::close_dir(dir)?;
        }
        Ok(dirs)
    }
}

/// The host's own loopback goes on, whatever its machines do to the table of neighbours that all
/// namespaces share.
fn keep_loopback() -> DriverResult<()> {
    let kept = Netlink::open().and_then(|netlink| netlink.keep_loopback());
    kept.map_err(|e| DriverError::failed("write down the host's loopback", e))
}

fn lock(state: &Path) -> DriverResult<Flock<File>> {
    let path = state.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|e| DriverError::failed(format!("open {}", path.display()), e))?;
    // A child of a kiln that was killed between fork and exec has it open for a moment more.
    let until = Instant::now() + Duration::from_secs(1);
    let mut file = file;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, _)) if Instant::now() < until => file,
            Err(_) => {
                return Err(DriverError::Conflict {
                    kind: "state directory",
                    name: state.display().to_string(),
                    problem: "is in use by another kiln".to_owned(),
                });
            }
        };
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Writes the guest program where machines can be given it. Machines that run
/// keep the one they were started with. It is in memory: a file of the host's disk would show them
/// the size of that.
fn place_guest(dir: &Path, guest: &[u8]) -> DriverResult<Option<PathBuf>> {
    if guest.is_empty() {
        return Ok(None);
    }
    files::make_dir(dir)?;
    let failed = |e| DriverError::failed("make a place for the guest program", e);
    if mounts::mounts_under(dir).map_err(failed)?.is_empty() {
        mounts::mount_scratch(dir, "size=64m,mode=711").map_err(failed)?;
    }
    let digest = hex::encode(Sha256::digest(guest));
    let file = dir.join(format!("kiln-guest-{}", &digest[..16]));
    for other in files::names_in(dir)?.iter().map(|name| dir.join(name)).filter(|other| *other != file) {
        files::remove_all(&other)?;
    }
    if !file.exists() {
        files::write_whole(&file, guest)?;
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
        .map_err(|e| DriverError::failed("make the guest executable", e))?;
    Ok(Some(file))
}

/// Most open files a process may have here; a machine cannot be given more.
fn files_max() -> DriverResult<u64> {
    use nix::libc;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid place for the answer.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } < 0 {
        let error = io::Error::last_os_error();
        return Err(DriverError::failed("read the limit of open files", error));
    }
    Ok(limit.rlim_max.min(1 << 20))
}
