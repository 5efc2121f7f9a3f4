//! The one trait behind which machines, images and networks stand.

use crate::*;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Receives what happens to machines. A receiver that lags must call
/// [`MachineDriver::list`] again: it has lost events, not machines.
pub type ExitEvents = tokio::sync::broadcast::Receiver<MachineEvent>;

/// Makes machines real. Every call may be made twice: what is already so stays so.
///
/// Use it as `Arc<dyn MachineDriver>`.
#[async_trait]
pub trait MachineDriver: Send + Sync + 'static {
    // ── machines ──────────────────────────────────────────────────────────

    /// Makes a machine and boots it. If a machine of this id runs, that is
    /// fine; if one exists but does not run, it is a `Conflict`.
    /// Returns when its first process was started.
    async fn launch(&self, spec: MachineSpec) -> DriverResult<MachineStatus>;
    /// Asks it to end, kills it after `grace`. Its upper layer is kept.
    async fn stop(&self, id: &MachineId, grace: Duration) -> DriverResult<()>;
    /// Boots a stopped or exited machine again, with its upper layer.
    async fn start(&self, id: &MachineId) -> DriverResult<MachineStatus>;
    /// Stops (with a short grace) and starts it.
    async fn reboot(&self, id: &MachineId) -> DriverResult<()>;
    /// Kills it at once, as a power cut would. It is reported as an exit that
    /// nobody asked for.
    async fn kill(&self, id: &MachineId) -> DriverResult<()>;
    /// Ends it and removes all it had. Fine if there is no such machine.
    async fn terminate(&self, id: &MachineId) -> DriverResult<()>;
    /// What it is now.
    async fn observe(&self, id: &MachineId) -> DriverResult<MachineStatus>;
    /// Every machine that exists, in the order of their ids.
    async fn list(&self) -> DriverResult<Vec<MachineStatus>>;
    /// What happens from now on.
    fn events(&self) -> ExitEvents;
    /// Changes the size; a running machine's limits change at once.
    async fn resize(&self, id: &MachineId, cpus: f64, memory_bytes: u64, pids_max: u32) -> DriverResult<()>;
    /// Replaces the user data a stopped machine is given at its next boot.
    async fn set_user_data(&self, id: &MachineId, user_data: Option<Vec<u8>>) -> DriverResult<()>;
    /// Replaces the further addresses of its first interface, and its other interfaces; a running
    /// machine's change at once. Their networks must have been applied.
    async fn set_interfaces(
        &self,
        id: &MachineId,
        secondary_ips: Vec<Ipv4Addr>,
        interfaces: Vec<ExtraInterface>,
    ) -> DriverResult<()>;
    /// Runs a command inside a running machine, as its root.
    async fn exec(&self, id: &MachineId, request: ExecRequest) -> DriverResult<ExecOutput>;
    /// The command that opens a shell inside a running machine when it is run
    /// on this host by root.
    async fn shell_command(&self, id: &MachineId) -> DriverResult<Vec<String>>;
    /// The last 64 KiB the machine wrote to its console.
    async fn console(&self, id: &MachineId) -> DriverResult<Vec<u8>>;
    /// Copies what the driver keeps of a machine into the new folder `to`: as the crash of the host at one moment
    /// would leave it, and its console. A running machine is held still while its disk is copied, for a time that
    /// has an end: then it goes on, and the copy has failed. Who goes away ends the copy, and `to` is gone; `kept` is
    /// dropped once that is so, and not before.
    async fn copy(&self, id: &MachineId, to: &Path, kept: Kept) -> DriverResult<Copied>;
    /// What it used.
    async fn stats(&self, id: &MachineId) -> DriverResult<MachineStats>;

    // ── images ────────────────────────────────────────────────────────────

    /// The base image; built if this recipe was not built before.
    async fn ensure_base(&self, recipe: &BaseRecipe, progress: Arc<dyn Progress>) -> DriverResult<ImageManifest>;
    /// Takes in an OCI layout folder or a docker archive.
    async fn import_oci(&self, path: &Path, name: &str, progress: Arc<dyn Progress>) -> DriverResult<ImageManifest>;
    /// Takes in an image of a registry: `docker://HOST/REPOSITORY:TAG`; `credentials` is a file of
    /// `docker login`'s form.
    async fn import_from_registry(
        &self,
        reference: &str,
        credentials: Option<&Path>,
        name: &str,
        progress: Arc<dyn Progress>,
    ) -> DriverResult<ImageManifest>;
    /// Packs a folder into an image of one layer.
    async fn import_directory(&self, path: &Path, name: &str, entry: Entry) -> DriverResult<ImageManifest>;
    /// The machine's image and, as one more layer, all it changed since. A
    /// running machine is held still for as long as the copy takes.
    async fn capture(&self, id: &MachineId, name: &str) -> DriverResult<ImageManifest>;
    /// Keeps images and layers from being removed until the hold is dropped: removing one is a `Conflict`
    /// meanwhile. Waits for the removals that have begun.
    async fn hold_images(&self) -> ImageHold;
    /// Every image.
    async fn images(&self) -> DriverResult<Vec<ImageManifest>>;
    /// One image.
    async fn image(&self, id: &ImageId) -> DriverResult<ImageManifest>;
    /// Removes an image. Layers that another image or a machine needs stay.
    /// Fine if there is none.
    async fn delete_image(&self, id: &ImageId) -> DriverResult<()>;
    /// Reads every byte of an image and compares it with its digests.
    async fn verify_image(&self, id: &ImageId) -> DriverResult<()>;

    // ── networks ──────────────────────────────────────────────────────────

    /// Makes the network be so. The rules change in one transaction.
    async fn apply_network(&self, vpc: &VpcSpec) -> DriverResult<()>;
    /// Removes it; `Conflict` if a machine still runs in it. Fine if there is none.
    async fn remove_network(&self, vpc: &VpcId) -> DriverResult<()>;
    /// The networks that exist, as last applied.
    async fn networks(&self) -> DriverResult<Vec<VpcSpec>>;
    /// Cuts every subnet of a zone off (`cut = true`) or joins it again: its
    /// machines go on but reach nobody.
    async fn cut_zone(&self, vpc: &VpcId, zone: &ZoneName, cut: bool) -> DriverResult<()>;
    /// Opens a connection inside the network. `from` must be a router-owned
    /// interface; its security groups apply. Without it the router's own
    /// address is used. The far end's security groups always apply. It leads to addresses that
    /// a machine of this network can have, and nowhere else: not to the router itself, not to
    /// what listens in its name, not to the host, not out of the network (`HostUnreachable`).
    async fn dial(
        &self,
        vpc: &VpcId,
        from: Option<Ipv4Addr>,
        to: SocketAddrV4,
        timeout: Duration,
    ) -> DriverResult<TcpStream>;
    /// Listens inside the network, on a router-owned interface, 169.254.169.254
    /// or the DNS address.
    async fn listen(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<TcpListener>;
    /// The same for UDP.
    async fn bind_udp(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<UdpSocket>;

    // ── the driver itself ─────────────────────────────────────────────────

    /// Finds what still runs after kiln died, watches it again, and removes
    /// what was half made. Call it once, before anything else.
    async fn adopt(&self) -> DriverResult<Vec<MachineStatus>>;
    /// Stops watching; none is held still any longer. With `keep_machines` they go on and a later `adopt`
    /// finds them; else they are stopped and their networks taken down.
    async fn shutdown(&self, keep_machines: bool) -> DriverResult<()>;
    /// Counts what the driver holds on the host now.
    async fn leftovers(&self) -> DriverResult<Leftovers>;
}

/// What a driver holds on the host; all zero when nothing is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// Namespaces kept alive by a file.
    pub namespaces: usize,
    /// Mounts.
    pub mounts: usize,
    /// Control groups.
    pub cgroups: usize,
    /// Network links.
    pub links: usize,
    /// Processes (machines' own and helpers).
    pub processes: usize,
    /// Block devices made of files.
    pub loops: usize,
}

impl Leftovers {
    /// Whether nothing is left.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}
