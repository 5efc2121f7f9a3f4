//! The driver itself.

use crate::firewall::allows_tcp;
use crate::guest::{self, Answer};
use crate::world::{Machine, World, layer};
use async_trait::async_trait;
use kiln_clock::Clock;
use kiln_machines_spec::*;
use parking_lot::Mutex;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::broadcast;

/// How long simulated things take.
#[derive(Debug, Clone, Copy)]
pub struct Durations {
    pub boot: Duration,
    pub stop: Duration,
    pub capture: Duration,
}

/// How often a machine that shuts down is looked at.
const STOP_LOOK: Duration = Duration::from_millis(100);

impl Default for Durations {
    fn default() -> Self {
        Self { boot: Duration::from_millis(50), stop: Duration::from_millis(20), capture: Duration::from_millis(200) }
    }
}

/// Simulated machines. Clones share the world.
#[derive(Clone)]
pub struct SimDriver {
    pub(crate) world: Arc<Mutex<World>>,
    clock: Clock,
    durations: Durations,
    pub(crate) events: broadcast::Sender<MachineEvent>,
    holds: ImageHolds,
}

impl SimDriver {
    pub fn new(clock: Clock, durations: Durations) -> Self {
        Self {
            world: Arc::default(),
            clock,
            durations,
            events: broadcast::channel(4096).0,
            holds: ImageHolds::default(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.clock.now().0).unwrap_or(0)
    }

    async fn boot(&self, id: &MachineId) -> DriverResult<MachineStatus> {
        tokio::time::sleep(self.durations.boot).await;
        let now = self.now();
        let mut world = self.world.lock();
        let machine = world.machine(id)?;
        if !matches!(machine.state, MachineState::Running { .. }) {
            machine.state = MachineState::Running { pid: 0, since_ms: now };
            machine.boots += 1;
            machine.console.push_str(&format!("simulated boot {} of {id}\n", machine.boots));
        }
        Ok(machine.status())
    }

    /// As [`MachineDriver::dial`], without a connection of the host's: on a clock that stands still while anything
    /// can run, bytes that the kernel delivers may come after the time that somebody gave them.
    pub async fn dial_in_memory(
        &self,
        vpc: &VpcId,
        from: Option<Ipv4Addr>,
        to: SocketAddrV4,
        timeout: Duration,
    ) -> DriverResult<DuplexStream> {
        let (answer, name) = self.reach(vpc, from, to, timeout).await?;
        Ok(guest::connect_in_memory(answer, name))
    }

    /// How the program at an address behaves, and its machine's name, once a connection has come to it.
    async fn reach(
        &self,
        vpc: &VpcId,
        from: Option<Ipv4Addr>,
        to: SocketAddrV4,
        timeout: Duration,
    ) -> DriverResult<(Answer, String)> {
        enum Outcome {
            Nowhere,
            Silence,
            Refused,
            Talk(Answer, String),
        }
        let outcome = {
            let world = self.world.lock();
            let network = world.networks.get(vpc).ok_or_else(|| DriverError::not_found("network", vpc))?;
            let near = from.unwrap_or(Ipv4Addr::UNSPECIFIED);
            let machine = world.machines.values().find(|m| m.spec.has_address(vpc, *to.ip()));
            match machine {
                _ if !network.can_be_a_machines(*to.ip()) => Outcome::Nowhere,
                Some(m) if world.is_cut(vpc, &m.spec.subnet) => Outcome::Silence,
                _ if !allows_tcp(network, near, *to.ip(), to.port()) => Outcome::Silence,
                Some(m) if m.status().is_running() && m.answer != Answer::Refused => {
                    Outcome::Talk(m.answer.clone(), m.spec.id.to_string())
                }
                Some(m) if m.status().is_running() => Outcome::Refused,
                _ => Outcome::Silence,
            }
        };
        let failed =
            |kind: std::io::ErrorKind| DriverError::failed(format!("connect to {to}"), std::io::Error::from(kind));
        match outcome {
            Outcome::Nowhere => Err(failed(std::io::ErrorKind::HostUnreachable)),
            Outcome::Silence => {
                tokio::time::sleep(timeout).await;
                Err(failed(std::io::ErrorKind::TimedOut))
            }
            Outcome::Refused => Err(failed(std::io::ErrorKind::ConnectionRefused)),
            Outcome::Talk(answer, name) => Ok((answer, name)),
        }
    }
}

fn unsupported(what: &str) -> DriverError {
    DriverError::Unsupported { driver: "simulated", what: what.to_owned() }
}

#[async_trait]
impl MachineDriver for SimDriver {
    async fn launch(&self, spec: MachineSpec) -> DriverResult<MachineStatus> {
        spec.check()?;
        let id = spec.id.clone();
        {
            let mut world = self.world.lock();
            if let Some(machine) = world.machines.get(&id) {
                if matches!(machine.state, MachineState::Running { .. }) {
                    return Ok(machine.status());
                }
                return Err(DriverError::Conflict {
                    kind: "machine",
                    name: id.to_string(),
                    problem: "exists but does not run: start it".to_owned(),
                });
            }
            if let Some(error) = world.launch_failures.pop_front() {
                return Err(error);
            }
            if let Some(room) = world.room.filter(|room| *room <= world.machines.len()) {
                return Err(DriverError::Capacity(format!("there is room for {room} machines")));
            }
            world.powered(&spec.vpc, &spec.subnet)?;
            if !world.images.contains_key(&spec.image) {
                return Err(DriverError::not_found("image", &spec.image));
            }
            world.whole(&spec.image)?;
            let network = world.networks.get(&spec.vpc).ok_or_else(|| DriverError::not_found("network", &spec.vpc))?;
            let subnet = network.subnet(&spec.subnet).ok_or_else(|| DriverError::not_found("subnet", &spec.subnet))?;
            if !subnet.cidr.contains(spec.private_ip) {
                let (ip, subnet) = (spec.private_ip, &spec.subnet);
                return Err(DriverError::Invalid(format!("the address {ip} is not in {subnet}")));
            }
            world.reachable(&spec.interfaces)?;
            let state = MachineState::Stopped { since_ms: self.now() };
            let machine =
                Machine { spec: Arc::new(spec), state, boots: 0, console: String::new(), answer: Answer::Status(200) };
            world.machines.insert(id.clone(), machine);
        }
        self.boot(&id).await
    }

    async fn stop(&self, id: &MachineId, grace: Duration) -> DriverResult<()> {
        let until = tokio::time::Instant::now() + self.durations.stop.min(grace);
        // Somebody may cut its power meanwhile.
        while self.world.lock().machine(id)?.status().is_running() {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(STOP_LOOK)).await;
        }
        let since_ms = self.now();
        self.world.lock().machine(id)?.state = MachineState::Stopped { since_ms };
        Ok(())
    }

    async fn start(&self, id: &MachineId) -> DriverResult<MachineStatus> {
        {
            let mut world = self.world.lock();
            let spec = world.machine(id)?.spec.clone();
            world.powered(&spec.vpc, &spec.subnet)?;
        }
        self.boot(id).await
    }

    async fn reboot(&self, id: &MachineId) -> DriverResult<()> {
        self.stop(id, Duration::ZERO).await?;
        self.boot(id).await.map(|_| ())
    }

    async fn kill(&self, id: &MachineId) -> DriverResult<()> {
        self.crash(id)
    }

    async fn terminate(&self, id: &MachineId) -> DriverResult<()> {
        if self.world.lock().machines.contains_key(id) {
            tokio::time::sleep(self.durations.stop).await;
            self.world.lock().machines.remove(id);
        }
        Ok(())
    }

    async fn observe(&self, id: &MachineId) -> DriverResult<MachineStatus> {
        Ok(self.world.lock().machine(id)?.status())
    }

    async fn list(&self) -> DriverResult<Vec<MachineStatus>> {
        Ok(self.world.lock().machines.values().map(Machine::status).collect())
    }

    fn events(&self) -> ExitEvents {
        self.events.subscribe()
    }

    async fn resize(&self, id: &MachineId, cpus: f64, memory_bytes: u64, pids_max: u32) -> DriverResult<()> {
        let mut world = self.world.lock();
        let spec = Arc::make_mut(&mut world.machine(id)?.spec);
        (spec.cpus, spec.memory_bytes, spec.pids_max) = (cpus, memory_bytes, pids_max);
        Ok(())
    }

    async fn set_user_data(&self, id: &MachineId, user_data: Option<Vec<u8>>) -> DriverResult<()> {
        let mut world = self.world.lock();
        let machine = world.machine(id)?;
        if machine.status().is_running() {
            let problem = "is running: stop it first".to_owned();
            return Err(DriverError::Conflict { kind: "machine", name: id.to_string(), problem });
        }
        Arc::make_mut(&mut machine.spec).user_data = user_data;
        Ok(())
    }

    async fn set_interfaces(
        &self,
        id: &MachineId,
        secondary_ips: Vec<Ipv4Addr>,
        interfaces: Vec<ExtraInterface>,
    ) -> DriverResult<()> {
        let mut world = self.world.lock();
        world.reachable(&interfaces)?;
        let spec = Arc::make_mut(&mut world.machine(id)?.spec);
        (spec.secondary_ips, spec.interfaces) = (secondary_ips, interfaces);
        Ok(())
    }

    async fn exec(&self, id: &MachineId, _request: ExecRequest) -> DriverResult<ExecOutput> {
        self.world.lock().machine(id)?;
        Err(unsupported("run commands"))
    }

    async fn shell_command(&self, id: &MachineId) -> DriverResult<Vec<String>> {
        self.world.lock().machine(id)?;
        Err(unsupported("open a shell"))
    }

    async fn console(&self, id: &MachineId) -> DriverResult<Vec<u8>> {
        Ok(self.world.lock().machine(id)?.console.clone().into_bytes())
    }

    async fn copy(&self, id: &MachineId, to: &Path, kept: Kept) -> DriverResult<Copied> {
        self.observe(id).await?;
        let Some(copying) = self.world.lock().copying.clone() else { return Ok(Copied::Nothing) };
        let (id, to) = (id.clone(), to.to_owned());
        let copied = tokio::task::spawn_blocking(move || {
            let _kept = kept;
            copying(&id, &to)
        });
        copied.await.map_err(|e| DriverError::failed("copy a simulated machine", e))?
    }

    async fn stats(&self, id: &MachineId) -> DriverResult<MachineStats> {
        self.world.lock().machine(id)?;
        Err(unsupported("use resources"))
    }

    async fn ensure_base(&self, recipe: &BaseRecipe, progress: Arc<dyn Progress>) -> DriverResult<ImageManifest> {
        progress.step("simulated base image", Some(1.0));
        let source = ImageSource::Base { recipe: format!("{recipe:?}") };
        Ok(self.add_image("base", vec![layer(&format!("{recipe:?}"))], Entry::Systemd, source))
    }

    async fn import_oci(&self, path: &Path, name: &str, _: Arc<dyn Progress>) -> DriverResult<ImageManifest> {
        let _ = name;
        Err(unsupported(&format!("be made from {}: use --machines local", path.display())))
    }

    async fn import_from_registry(
        &self,
        reference: &str,
        _: Option<&Path>,
        _: &str,
        _: Arc<dyn Progress>,
    ) -> DriverResult<ImageManifest> {
        Err(unsupported(&format!("be made from {reference}: use --machines local")))
    }

    async fn import_directory(&self, path: &Path, name: &str, entry: Entry) -> DriverResult<ImageManifest> {
        let from = path.display().to_string();
        Ok(self.add_image(name, vec![layer(&from)], entry, ImageSource::Directory { from }))
    }

    async fn capture(&self, id: &MachineId, name: &str) -> DriverResult<ImageManifest> {
        let (parent, entry, mut layers) = {
            let mut world = self.world.lock();
            let parent = world.machine(id)?.spec.image.clone();
            let image = world.images.get(&parent).ok_or_else(|| DriverError::not_found("image", &parent))?;
            (parent, image.entry.clone(), image.layers.clone())
        };
        tokio::time::sleep(self.durations.capture).await;
        layers.push(layer(&format!("{id} {name}")));
        Ok(self.add_image(name, layers, entry, ImageSource::Capture { machine: id.to_string(), parent }))
    }

    async fn images(&self) -> DriverResult<Vec<ImageManifest>> {
        Ok(self.world.lock().images.values().cloned().collect())
    }

    async fn image(&self, id: &ImageId) -> DriverResult<ImageManifest> {
        self.world.lock().images.get(id).cloned().ok_or_else(|| DriverError::not_found("image", id))
    }

    async fn hold_images(&self) -> ImageHold {
        self.holds.hold().await
    }

    async fn delete_image(&self, id: &ImageId) -> DriverResult<()> {
        let _removal = self.holds.remove(id)?;
        self.world.lock().images.remove(id);
        Ok(())
    }

    async fn verify_image(&self, id: &ImageId) -> DriverResult<()> {
        self.image(id).await?;
        self.world.lock().whole(id)
    }

    async fn apply_network(&self, vpc: &VpcSpec) -> DriverResult<()> {
        self.world.lock().networks.insert(vpc.id.clone(), vpc.clone());
        Ok(())
    }

    async fn remove_network(&self, vpc: &VpcId) -> DriverResult<()> {
        let mut world = self.world.lock();
        let busy = world.machines.values().any(|m| &m.spec.vpc == vpc && m.status().is_running());
        if busy {
            let problem = "still has running machines".to_owned();
            return Err(DriverError::Conflict { kind: "network", name: vpc.to_string(), problem });
        }
        world.networks.remove(vpc);
        Ok(())
    }

    async fn networks(&self) -> DriverResult<Vec<VpcSpec>> {
        Ok(self.world.lock().networks.values().cloned().collect())
    }

    async fn cut_zone(&self, vpc: &VpcId, zone: &ZoneName, cut: bool) -> DriverResult<()> {
        let key = (vpc.clone(), zone.clone());
        let mut world = self.world.lock();
        if cut {
            world.cut.insert(key)
        } else {
            world.cut.remove(&key)
        };
        Ok(())
    }

    async fn dial(
        &self,
        vpc: &VpcId,
        from: Option<Ipv4Addr>,
        to: SocketAddrV4,
        timeout: Duration,
    ) -> DriverResult<TcpStream> {
        let (answer, name) = self.reach(vpc, from, to, timeout).await?;
        guest::connect(answer, name).await.map_err(|e| DriverError::failed(format!("connect to {to}"), e))
    }

    /// Binds a loopback port of the host's choice: nobody inside the simulation connects to it.
    async fn listen(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<TcpListener> {
        if !self.world.lock().networks.contains_key(vpc) {
            return Err(DriverError::not_found("network", vpc));
        }
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        bound.map_err(|e| DriverError::failed(format!("listen on {at}"), e))
    }

    async fn bind_udp(&self, vpc: &VpcId, at: SocketAddrV4) -> DriverResult<UdpSocket> {
        if !self.world.lock().networks.contains_key(vpc) {
            return Err(DriverError::not_found("network", vpc));
        }
        let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        bound.map_err(|e| DriverError::failed(format!("bind {at}"), e))
    }

    async fn adopt(&self) -> DriverResult<Vec<MachineStatus>> {
        self.list().await
    }

    async fn shutdown(&self, keep_machines: bool) -> DriverResult<()> {
        if !keep_machines {
            *self.world.lock() = World::default();
        }
        Ok(())
    }

    async fn leftovers(&self) -> DriverResult<Leftovers> {
        Ok(Leftovers::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_clock::Timestamp;

    fn spec(id: &str, image: &ImageId) -> MachineSpec {
        let ip = Ipv4Addr::new(10, 0, 0, 5);
        MachineSpec {
            id: MachineId::new(id),
            image: image.clone(),
            entry: None,
            cpus: 1.0,
            memory_bytes: 1 << 28,
            pids_max: 100,
            disk_bytes: 1 << 30,
            hostname: id.to_owned(),
            domain: String::new(),
            vpc: VpcId::new("vpc-1"),
            subnet: SubnetId::new("subnet-1"),
            private_ip: ip,
            mac: MacAddr::from_ip(ip),
            secondary_ips: vec![],
            interfaces: vec![],
            user_data: None,
            ssh_authorized_keys: vec![],
            files: vec![],
            environment: Default::default(),
            labels: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_is_seen_and_told() {
        let driver = SimDriver::new(Clock::simulated(Timestamp(0)), Durations::default());
        let base = driver.ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("built");
        assert!(driver.launch(spec("i-1", &base.id)).await.is_err_and(|e| e.is_not_found()), "no network yet");
        let cidr: Cidr = "10.0.0.0/24".parse().expect("a block");
        let subnet =
            SubnetSpec { id: SubnetId::new("subnet-1"), cidr, zone: ZoneName::new("a"), internet: false, acl: None };
        let network = VpcSpec {
            id: VpcId::new("vpc-1"),
            cidrs: vec![cidr],
            subnets: vec![subnet],
            groups: vec![],
            interfaces: vec![],
        };
        driver.apply_network(&network).await.expect("applied");
        let mut events = driver.events();
        let status = driver.launch(spec("i-1", &base.id)).await.expect("launched");
        assert_eq!(status.state, MachineState::Running { pid: 0, since_ms: 50 });
        assert_eq!(driver.launch(spec("i-1", &base.id)).await.expect("again").boots, 1);
        driver.crash(&MachineId::new("i-1")).expect("there");
        let MachineEvent::Exited { exit, .. } = events.try_recv().expect("told") else { panic!("another event") };
        assert_eq!(exit.cause, ExitCause::Signalled { signal: 9 });
        let (vpc, to) = (VpcId::new("vpc-1"), "10.0.0.5:80".parse().expect("an address"));
        assert!(driver.dial(&vpc, None, to, Duration::from_secs(5)).await.is_err(), "no rule allows it");
    }
}
