//! The driver: the trait's calls, handed to the parts that do them.

use crate::blocking::blocking;
use crate::host::{loops, mounts};
use crate::machines::adopt;
use crate::machines::still::Caller;
use crate::machines::{Interfaces, Machine, capture, console, copy, exec, interfaces, life};
use crate::network::Router;
use crate::state::{Host, LocalConfig};
use async_trait::async_trait;
use kiln_machines_spec::*;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// How often consoles are looked at for their length.
const CONSOLE_LOOK: Duration = Duration::from_secs(5);

/// Machines on this host.
pub struct LocalDriver {
    host: Arc<Host>,
    holds: ImageHolds,
}

impl LocalDriver {
    /// Opens a state directory: root is needed, and one kiln may use it at a
    /// time. Call [`MachineDriver::adopt`] next.
    pub async fn open(config: LocalConfig) -> DriverResult<Self> {
        let host = blocking(move || Host::open(&config)).await?;
        let host = Arc::new(host);
        let weak = Arc::downgrade(&host);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(CONSOLE_LOOK).await;
                let Some(host) = weak.upgrade() else { return };
                let machines: Vec<_> = host.machines.lock().values().cloned().collect();
                for machine in machines {
                    if let Err(error) = console::trim(&host, &machine) {
                        tracing::warn!(id = %machine.id, %error, "cannot cut a console");
                    }
                }
            }
        });
        Ok(Self { host, holds: ImageHolds::default() })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Host) -> DriverResult<T> + Send + 'static,
    ) -> DriverResult<T> {
        let host = self.host.clone();
        blocking(move || work(&host)).await
    }

    /// Work in a machine's turn. The work has the turn and not who waits for it, since it goes on when that one
    /// goes away; it can ask whether that one is still there.
    async fn in_turn<T: Send + 'static>(
        &self,
        id: &MachineId,
        work: impl FnOnce(&Host, &Arc<Machine>, &Caller) -> DriverResult<T> + Send + 'static,
    ) -> DriverResult<T> {
        let machine = self.host.machine(id)?;
        let turn = machine.turn.clone().lock_owned().await;
        let caller = Caller::default();
        let _waits = caller.waits();
        self.blocking(move |host| {
            let done = work(host, &machine, &caller);
            drop(turn);
            done
        })
        .await
    }
}

#[async_trait]
impl MachineDriver for LocalDriver {
    async fn launch(&self, spec: MachineSpec) -> DriverResult<MachineStatus> {
        life::launch(&self.host, spec).await
    }

    async fn stop(&self, id: &MachineId, grace: Duration) -> DriverResult<()> {
        life::stop(&self.host, id, grace).await
    }

    async fn start(&self, id: &MachineId) -> DriverResult<MachineStatus> {
        life::start(&self.host, id).await
    }

    async fn reboot(&self, id: &MachineId) -> DriverResult<()> {
        life::reboot(&self.host, id).await
    }

    async fn kill(&self, id: &MachineId) -> DriverResult<()> {
        life::kill(&self.host, id).await
    }

    async fn terminate(&self, id: &MachineId) -> DriverResult<()> {
        life::terminate(&self.host, id).await
    }

    async fn observe(&self, id: &MachineId) -> DriverResult<MachineStatus> {
        self.host.machine(id)?.status_or_gone()
    }

    async fn list(&self) -> DriverResult<Vec<MachineStatus>> {
        let machines: Vec<_> = self.host.machines.lock().values().cloned().collect();
        Ok(machines.iter().filter_map(|m| m.status()).collect())
    }

    fn events(&self) -> ExitEvents {
        self.host.events.subscribe()
    }

    async fn resize(&self, id: &MachineId, cpus: f64, memory_bytes: u64, pids_max: u32) -> DriverResult<()> {
        self.in_turn(id, move |host, m, _| {
            m.status_or_gone()?;
            m.update(host, |record| {
                record.spec.cpus = cpus;
                record.spec.memory_bytes = memory_bytes;
                record.spec.pids_max = pids_max;
            })?;
            if m.running.lock().is_some() {
                m.group(host).limit(&m.limits())?;
            }
            Ok(())
        })
        .await
    }

    async fn set_user_data(&self, id: &MachineId, user_data: Option<Vec<u8>>) -> DriverResult<()> {
        self.in_turn(id, move |host, machine, _| {
            if machine.status_or_gone()?.is_running() {
                return Err(machine.conflict("is running: stop it first"));
            }
            machine.update(host, |record| record.spec.user_data = user_data)
        })
        .await
    }

    async fn set_interfaces(
        &self,
        id: &MachineId,
        secondary_ips: Vec<Ipv4Addr>,
        interfaces: Vec<ExtraInterface>,
    ) -> DriverResult<()> {
        let wanted = Interfaces { secondary_ips, interfaces };
        self.in_turn(id, move |host, machine, _| interfaces::set(host, machine, &wanted)).await
    }

    async fn exec(&self, id: &MachineId, request: ExecRequest) -> DriverResult<ExecOutput> {
        exec::exec(&self.host, id, request).await
    }

    async fn shell_command(&self, id: &MachineId) -> DriverResult<Vec<String>> {
        exec::shell_command(&self.host, id)
    }

    async fn console(&self, id: &MachineId) -> DriverResult<Vec<u8>> {
        let id = id.clone();
        self.blocking(move |host| console::read(host, &*host.machine(&id)?)).await
    }

    async fn copy(&self, id: &MachineId, to: &Path, kept: Kept) -> DriverResult<Copied> {
        let to = to.to_owned();
        self.in_turn(id, move |host, machine, caller| {
            // Here and not with who waits, as the turn is.
            let _kept = kept;
            copy::copy(host, machine, &to, caller).map(|()| Copied::Folder)
        })
        .await
    }

    async fn stats(&self, id: &MachineId) -> DriverResult<MachineStats> {
        let id = id.clone();
        self.blocking(move |host| exec::stats(host, &id)).await
    }

    async fn ensure_base(&self, recipe: &BaseRecipe, progress: Arc<dyn Progress>) -> DriverResult<ImageManifest> {
        let recipe = recipe.clone();
        self.blocking(move |host| host.images.base(&recipe, progress.as_ref())).await
    }

    async fn import_oci(&self, path: &Path, name: &str, progress: Arc<dyn Progress>) -> DriverResult<ImageManifest> {
        let (path, name) = (path.to_owned(), name.to_owned());
        self.blocking(move |host| host.images.import(&path, &name, progress.as_ref())).await
    }

    async fn import_from_registry(
        &self,
        reference: &str,
        credentials: Option<&Path>,
        name: &str,
        progress: Arc<dyn Progress>,
    ) -> DriverResult<ImageManifest> {
        let (reference, credentials, name) = (reference.to_owned(), credentials.map(Path::to_owned), name.to_owned());
        self.blocking(move |host| {
            host.images.import_from_registry(&reference, credentials.as_deref(), &name, progress.as_ref())
        })
        .await
    }

    async fn import_directory(&self, path: &Path, name: &str, entry: Entry) -> DriverResult<ImageManifest> {
        let (path, name) = (path.to_owned(), name.to_owned());
        self.blocking(move |host| host.images.import_directory(&path, &name, entry)).await
    }

    async fn capture(&self, id: &MachineId, name: &str) -> DriverResult<ImageManifest> {
        let name = name.to_owned();
        self.in_turn(id, move |host, machine, caller| capture::capture(host, machine, &name, caller)).await
    }

    async fn images(&self) -> DriverResult<Vec<ImageManifest>> {
        self.blocking(|host| host.images.list()).await
    }

    async fn image(&self, id: &ImageId) -> DriverResult<ImageManifest> {
        let id = id.clone();
        self.blocking(move |host| host.images.get(&id)).await
    }

    async fn hold_images(&self) -> ImageHold {
        self.holds.hold().await
    }

    async fn delete_image(&self, id: &ImageId) -> DriverResult<()> {
        let removal = self.holds.remove(id)?;
        let id = id.clone();
        self.blocking(move |host| {
            // Here and not with who waits: the work goes on when that one goes away.
            let _removal = removal;
            host.images.delete(&id, &host.layers_in_use())
        })
        .await
    }

    async fn verify_image(&self, id: &ImageId) -> DriverResult<()> {
        let id = id.clone();
        self.blocking(move |host| host.images.verify(&id)).await
    }

    async fn apply_network(&self, vpc: &VpcSpec) -> DriverResult<()> {
        let spec = vpc.clone();
        self.blocking(move |host| {
            let router = {
                // Held while a new router is made (once per VPC, some milliseconds),
                // so that two callers do not make two.
                let mut routers = host.routers.lock();
                match routers.get(&spec.id) {
                    Some(router) => router.clone(),
                    None => {
                        let (records, netns) = (&host.dirs.networks, &host.dirs.netns);
                        let router = Arc::new(Router::open(&spec, records, netns)?);
                        routers.insert(spec.id.clone(), router.clone());
                        router
                    }
                }
            };
            router.apply(&spec, None)?;
            host.door.set(&router, &spec);
            Ok(())
        })
        .await
    }

    async fn remove_network(&self, vpc: &VpcId) -> DriverResult<()> {
        let id = vpc.clone();
        self.blocking(move |host| {
            let machines: Vec<_> = host.machines.lock().values().cloned().collect();
            let uses = |m: &crate::machines::Machine| m.record.lock().cabled().iter().any(|i| i.vpc == id);
            let runs_in = |m: &crate::machines::Machine| m.running.lock().is_some() && uses(m);
            if let Some(machine) = machines.iter().find(|m| runs_in(m)) {
                return Err(DriverError::Conflict {
                    kind: "network",
                    name: id.to_string(),
                    problem: format!("is in use: {} runs in it", machine.id),
                });
            }
            host.door.forget(&id);
            let router = host.routers.lock().remove(&id);
            router.map_or(Ok(()), |router| router.remove(true))
        })
        .await
    }

    async fn networks(&self) -> DriverResult<Vec<VpcSpec>> {
        let routers: Vec<_> = self.host.routers.lock().values().cloned().collect();
        Ok(routers.iter().map(|r| r.spec()).collect())
    }

    async fn cut_zone(&self, vpc: &VpcId, zone: &ZoneName, cut: bool) -> DriverResult<()> {
        let (router, zone) = (self.host.router(vpc)?, zone.clone());
        blocking(move || router.cut(&zone, cut)).await
    }

    async fn dial(
        &self,
        vpc: &VpcId,
        from: Option<Ipv4Addr>,
        to: SocketAddrV4,
        timeout: Duration,
    ) -> DriverResult<TcpStream> {
        let router = self.host.router(vpc)?;
        router.dial(from, to, timeout).await
    }

    async fn listen(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<TcpListener> {
        let router = self.host.router(vpc)?;
        router.listen(at).await
    }

    async fn bind_udp(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<UdpSocket> {
        let router = self.host.router(vpc)?;
        router.bind_udp(at).await
    }

    async fn adopt(&self) -> DriverResult<Vec<MachineStatus>> {
        adopt::adopt(&self.host).await
    }

    async fn shutdown(&self, keep_machines: bool) -> DriverResult<()> {
        // Also of those that end: they could not do so in order. One that stays still keeps no other from its end.
        let let_go = self.blocking(|host| host.stills.close()).await;
        if keep_machines {
            return let_go;
        }
        let machines: Vec<_> = self.host.machines.lock().values().cloned().collect();
        let grace = Duration::from_secs(5);
        let mut stops = tokio::task::JoinSet::new();
        for machine in machines {
            let host = self.host.clone();
            stops.spawn(async move { life::stop(&host, &machine.id, grace).await });
        }
        while let Some(stopped) = stops.join_next().await {
            let stopped = stopped.map_err(|e| DriverError::failed("stop the machines", e))?;
            match stopped {
                Err(e) if !e.is_not_found() => return Err(e),
                _ => {}
            }
        }
        self.blocking(|host| {
            let routers = std::mem::take(&mut *host.routers.lock());
            for (id, router) in &routers {
                host.door.forget(id);
                router.remove(false)?;
            }
            host.images.unmount_except(&BTreeSet::new())?;
            crate::host::cgroup::Group::remove_top(&host.trees, &host.top_group);
            let private = &host.dirs.private;
            mounts::unmount(private).map_err(|e| DriverError::failed("take the private mount away", e))
        })
        .await?;
        let_go
    }

    async fn leftovers(&self) -> DriverResult<Leftovers> {
        self.blocking(|host| {
            let failed = |e| DriverError::failed("count what is left", e);
            let under = |dir: &Path| mounts::mounts_under(dir).map_err(failed);
            let (all, namespaces) = (under(&host.dirs.private)?, under(&host.dirs.netns)?);
            let (mut links, mut processes) = (0, 0);
            let routers: Vec<_> = host.routers.lock().values().cloned().collect();
            for router in routers {
                links += router.cables()?;
                processes += usize::from(router.internet_process()?.is_some());
            }
            for name in host.trees.members(&host.top_group)? {
                let group = host.trees.group(&host.top_group, &name);
                processes += usize::from(group.is_populated());
            }
            let devices = loops::in_use().map_err(failed)?;
            let ours = devices.iter().filter(|(_, file)| file.starts_with(&host.dirs.machines));
            // The private mount itself is the driver's, not a machine's; so is the guest program.
            let own = all.iter().filter(|at| **at == host.dirs.private || **at == host.dirs.guest).count();
            Ok(Leftovers {
                namespaces: namespaces.len(),
                mounts: all.len() - namespaces.len() - own,
                cgroups: host.trees.members(&host.top_group)?.len(),
                links,
                processes,
                loops: ours.count(),
            })
        })
        .await
    }
}
