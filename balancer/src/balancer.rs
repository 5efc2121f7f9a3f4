//! The balancer: all load balancers of one Kiln, told what to be by `apply`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::{Request, Response};
use hyper::body::Incoming;
use kiln_doors::Ticket;
use parking_lot::{Mutex, RwLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::answers::Fault;
use crate::body::Body;
use crate::checks;
use crate::config::{ApplyError, LoadBalancerConfig};
use crate::counters::CountersSnapshot;
use crate::dial::Dialer;
use crate::forward;
use crate::group::Group;
use crate::headers::{Forwarded, port_of};
use crate::health::{HealthChange, Matcher, TargetHealth};
use crate::lb::{Lb, Plan, WallClock, groups_in_use};
use crate::listen::{Listening, Workers};
use crate::serve::{self, ClientConnection};
use crate::settings::Settings;
use crate::tally::Taken;
use crate::via::Via;

/// Changes a slow subscriber may fall behind by before it misses some (and is told so).
const EVENTS_KEPT: usize = 1024;

/// Removed load balancers whose last counts wait for a look.
const MOST_GONE: usize = 1000;

/// Where listeners are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// On this host, each on its load balancer's address.
    OfTheHost,
    /// Nowhere: they are told as if they were, and nobody comes in. For the simulation, which has no host: two of
    /// them at the same time would take the same ports from each other.
    OfNoHost,
}

/// How the balancer runs.
pub struct Options {
    /// Where listeners are open.
    pub ports: Ports,
    /// Serving threads; 0: serve on the runtime that calls (simulation, paused clocks).
    pub workers: usize,
    /// The time on the wall, for cookies and trace ids. Timers use tokio's clock.
    pub wall_clock: WallClock,
}

impl Default for Options {
    /// The host's ports, one thread per core, the system's clock.
    fn default() -> Self {
        Options {
            ports: Ports::OfTheHost,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            wall_clock: Arc::new(SystemTime::now),
        }
    }
}

/// Every load balancer of one Kiln. Cheap to share behind an `Arc`; dropping it closes all ports.
pub struct Balancer {
    dialer: Arc<dyn Dialer>,
    ports: Ports,
    wall: WallClock,
    runtime: Handle,
    workers: Arc<Workers>,
    events: broadcast::Sender<HealthChange>,
    lbs: RwLock<HashMap<String, Arc<Lb>>>,
    /// What load balancers that were removed did since the last look.
    gone: Mutex<Vec<Taken>>,
    /// Taken first by everything that changes the configuration.
    listening: Mutex<HashMap<(String, u16), Listening>>,
}

/// The counters of a load balancer and all below it.
#[derive(Clone, Debug, Default)]
pub struct LoadBalancerCounters {
    /// The balancer's own.
    pub total: CountersSnapshot,
    /// By target group id.
    pub target_groups: HashMap<String, CountersSnapshot>,
    /// By target group id, target id and port.
    pub targets: HashMap<(String, String, u16), CountersSnapshot>,
}

impl Balancer {
    /// A balancer without load balancers. Health checks run on the current tokio runtime.
    ///
    /// # Errors
    /// If the serving threads cannot be started.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(dialer: Arc<dyn Dialer>, options: Options) -> std::io::Result<Self> {
        Ok(Balancer {
            dialer,
            ports: options.ports,
            wall: options.wall_clock,
            runtime: Handle::current(),
            workers: Arc::new(Workers::start(options.workers)?),
            events: broadcast::channel(EVENTS_KEPT).0,
            lbs: RwLock::default(),
            gone: Mutex::default(),
            listening: Mutex::default(),
        })
    }

    /// Makes one load balancer what `config` says, whatever it was before. Doing it twice changes
    /// nothing. On an error other than [`ApplyError::Listen`] nothing has changed.
    pub fn apply(&self, config: LoadBalancerConfig) -> Result<(), ApplyError> {
        let mut listening = self.listening.lock();
        let known = self.lbs.read().get(&config.id).cloned();
        let unchanged = known.as_ref().is_some_and(|lb| lb.plan().config == config);
        let lb = match known {
            Some(lb) if unchanged => lb,
            known => self.replace(known, &config)?,
        };
        self.listen(&mut listening, &lb, &config)
    }

    fn replace(&self, known: Option<Arc<Lb>>, config: &LoadBalancerConfig) -> Result<Arc<Lb>, ApplyError> {
        let old_groups = known.as_ref().map(|lb| lb.plan().groups.clone()).unwrap_or_default();
        let in_use = groups_in_use(config);
        let mut groups = Vec::new();
        let mut changes = Vec::new();
        for group_config in &config.target_groups {
            if let Some(other) = self.find_group(&group_config.id)
                && other.load_balancer != config.id
            {
                return Err(ApplyError::TargetGroupInUse {
                    target_group: group_config.id.clone(),
                    used_by: other.load_balancer.clone(),
                });
            }
            let bad = |what, value: &str| ApplyError::BadValue {
                load_balancer: config.id.clone(),
                what,
                value: value.to_owned(),
            };
            let check = &group_config.health_check;
            let matcher = Matcher::parse(&check.matcher).ok_or_else(|| bad("health check matcher", &check.matcher))?;
            if !check.path.starts_with('/') || check.path.parse::<http::Uri>().is_err() {
                return Err(bad("health check path", &check.path));
            }
            let settings = || Settings {
                config: group_config.clone(),
                matcher: matcher.clone(),
                vpc: config.vpc_id.clone(),
                zones: config.zones.clone(),
                idle: config.idle_timeout,
                in_use: in_use.contains(&group_config.id.as_str()),
            };
            let old = old_groups.iter().find(|g| g.id == group_config.id).cloned();
            let group = old.unwrap_or_else(|| {
                Group::new(&config.id, settings(), self.events.clone(), self.dialer.clone(), self.workers.count() + 1)
            });
            changes.push((group.clone(), settings()));
            groups.push(group);
        }
        let plan = Plan::compile(config.clone(), groups)?;
        // Nothing can be refused from here on.
        for (group, settings) in changes {
            for target in group.configure(settings) {
                self.runtime.spawn(checks::watch(Arc::downgrade(&group), target));
            }
        }
        for old in &old_groups {
            if !plan.groups.iter().any(|g| Arc::ptr_eq(g, old)) {
                if let Some(lb) = &known {
                    lb.leave(old);
                }
                old.close();
            }
        }
        Ok(match known {
            Some(lb) => {
                lb.replace_plan(plan);
                lb
            }
            None => {
                let lb = Lb::new(plan, self.dialer.clone(), self.wall.clone(), self.workers.count() + 1);
                self.lbs.write().insert(config.id.clone(), lb.clone());
                lb
            }
        })
    }

    fn listen(
        &self,
        listening: &mut HashMap<(String, u16), Listening>,
        lb: &Arc<Lb>,
        config: &LoadBalancerConfig,
    ) -> Result<(), ApplyError> {
        listening.retain(|(id, port), open| {
            *id != config.id
                || (config.listeners.iter().any(|l| l.port == *port) && config.listen_on == Some(open.address.ip()))
        });
        for ((_, port), open) in listening.iter().filter(|((id, _), _)| *id == config.id) {
            open.cut_unadmitted(lb, *port);
        }
        let mut failed = None;
        for listener in &config.listeners {
            let Some(ip) = config.listen_on else { break };
            let key = (config.id.clone(), listener.port);
            if listening.contains_key(&key) {
                continue;
            }
            let address = SocketAddr::new(ip, listener.port);
            let opened = match self.ports {
                Ports::OfTheHost => Listening::start(lb, address, listener.port, &self.runtime, &self.workers),
                Ports::OfNoHost => Ok(Listening::told(address, &self.runtime)),
            };
            match opened {
                Ok(open) => {
                    listening.insert(key, open);
                }
                Err(source) => {
                    failed.get_or_insert(ApplyError::Listen { load_balancer: config.id.clone(), address, source });
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes a load balancer down: ports close at once, requests under way to targets are ended.
    /// Removing one that is not there is fine.
    pub fn remove(&self, load_balancer: &str) {
        let mut listening = self.listening.lock();
        listening.retain(|(id, _), _| id != load_balancer);
        if let Some(lb) = self.lbs.write().remove(load_balancer) {
            let mut gone = self.gone.lock();
            if gone.len() < MOST_GONE {
                gone.push(lb.take());
            }
            for group in lb.replace_plan(Plan::empty(load_balancer)).groups.iter() {
                group.close();
            }
        }
    }

    /// What a load balancer was last told to be; `None` if it is not there.
    pub fn config(&self, load_balancer: &str) -> Option<LoadBalancerConfig> {
        self.lbs.read().get(load_balancer).map(|lb| lb.plan().config.clone())
    }

    /// Whether the listener `port` lets a client at this address in. `handle` does not ask: its
    /// caller holds the connection and must.
    pub fn admits(&self, load_balancer: &str, port: u16, client: IpAddr) -> bool {
        self.lbs.read().get(load_balancer).is_some_and(|lb| lb.plan().admits(port, client))
    }

    /// The ids of all load balancers and the addresses each listens on.
    pub fn load_balancers(&self) -> Vec<(String, Vec<SocketAddr>)> {
        let listening = self.listening.lock();
        let mut all: Vec<_> = self
            .lbs
            .read()
            .keys()
            .map(|id| {
                let mut addresses: Vec<_> =
                    listening.iter().filter(|((of, _), _)| of == id).map(|(_, open)| open.address).collect();
                addresses.sort();
                (id.clone(), addresses)
            })
            .collect();
        all.sort();
        all
    }

    fn find_group(&self, id: &str) -> Option<Arc<Group>> {
        self.lbs.read().values().find_map(|lb| lb.plan().groups.iter().find(|group| group.id == id).cloned())
    }

    /// The health of every target of a group; `None` if no load balancer's config holds the group
    /// (AWS: `unused`, `Target.NotInUse`).
    pub fn health(&self, target_group: &str) -> Option<Vec<TargetHealth>> {
        self.find_group(target_group).map(|group| group.describe())
    }

    /// Changes of health as they happen. A receiver that falls behind gets `Lagged` and should
    /// look at `health` again.
    pub fn subscribe(&self) -> broadcast::Receiver<HealthChange> {
        self.events.subscribe()
    }

    /// The machine at `ip` in `vpc` has died: nothing is sent to it any more, and requests that
    /// were waiting for it fail (or go elsewhere) now instead of at their timeout. Its checks go
    /// on; one that passes makes it healthy again.
    pub fn target_gone(&self, vpc: &str, ip: IpAddr) {
        self.each_target(vpc, ip, |target| target.gone());
    }

    /// The machine at `ip` in `vpc` runs again: it is checked at once, as if newly registered.
    pub fn target_back(&self, vpc: &str, ip: IpAddr) {
        self.each_target(vpc, ip, |target| target.back());
    }

    fn each_target(&self, vpc: &str, ip: IpAddr, act: impl Fn(&crate::target::Target)) {
        let lbs: Vec<_> = self.lbs.read().values().cloned().collect();
        for group in lbs.iter().flat_map(|lb| lb.plan().groups.clone()) {
            if group.settings().vpc == vpc {
                let hit: Vec<_> = group.targets().into_iter().filter(|t| t.ip == ip).collect();
                hit.iter().for_each(|target| act(target));
                if !hit.is_empty() {
                    group.refresh();
                }
            }
        }
    }

    /// What has been counted for a load balancer since it was made.
    pub fn counters(&self, load_balancer: &str) -> Option<LoadBalancerCounters> {
        let lb = self.lbs.read().get(load_balancer).cloned()?;
        let mut counters = LoadBalancerCounters { total: lb.counters.snapshot(), ..Default::default() };
        for group in &lb.plan().groups {
            let mut of_group = group.counters.snapshot();
            for target in group.targets() {
                let mut of_target = target.counters.snapshot();
                of_target.in_flight = target.in_flight() as i64;
                of_group.in_flight += of_target.in_flight;
                let key = (group.id.clone(), target.id.clone(), target.port);
                counters.targets.insert(key, of_target);
            }
            counters.total.in_flight += of_group.in_flight;
            counters.target_groups.insert(group.id.clone(), of_group);
        }
        Some(counters)
    }

    /// What every load balancer did since the last look; whoever looks has it alone.
    pub fn take(&self) -> Vec<Taken> {
        let mut all = std::mem::take(&mut *self.gone.lock());
        let lbs: Vec<_> = self.lbs.read().values().cloned().collect();
        all.extend(lbs.iter().map(|lb| lb.take()));
        all
    }

    /// A connection to a load balancer was turned away, since there are as many as there may be.
    pub fn rejected(&self, load_balancer: &str) {
        if let Some(lb) = self.lbs.read().get(load_balancer) {
            lb.done.rejected_connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Answers one request that arrived elsewhere (the gateway's port) as the listener `port` of
    /// the load balancer would; the port that the client connected to is the one its `Host` names.
    /// For protocol upgrades the caller must serve its connection
    /// `with_upgrades`. `None`: there is no such load balancer or listener.
    pub async fn handle(
        &self,
        load_balancer: &str,
        port: u16,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Option<Response<Body>> {
        let lb = self.lbs.read().get(load_balancer).cloned()?;
        lb.plan().routes(port)?;
        let host = request.uri().authority().map(|authority| authority.as_str());
        let host = host.or_else(|| request.headers().get(http::header::HOST)?.to_str().ok());
        let public_port = host.and_then(port_of).unwrap_or(port);
        let forwarded = Forwarded::new(client, public_port);
        let via = Via { lb, port, public_port, forwarded, worker: 0, stream_counts: false };
        Some(forward::answer(&via, request).await)
    }

    /// Serves a whole client connection as the listener `port` would, on the current runtime; for
    /// simulations and for sockets opened inside a VPC, whose ticket is kept as long as the connection.
    pub async fn serve<S>(
        &self,
        load_balancer: &str,
        port: u16,
        stream: S,
        client: SocketAddr,
        ticket: Option<Ticket>,
    ) -> Result<(), NoSuchLoadBalancer>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let lb = self.lbs.read().get(load_balancer).cloned();
        let lb = lb.ok_or_else(|| NoSuchLoadBalancer(load_balancer.to_owned()))?;
        serve::connection(lb, port, stream, client, 0, &ClientConnection::default(), ticket).await;
        Ok(())
    }

    /// The answer for a host name that belongs to no load balancer.
    pub fn no_such_load_balancer() -> Response<Body> {
        Fault::Unavailable.response()
    }
}

/// The load balancer is not there (any more).
#[derive(Debug, thiserror::Error)]
#[error("there is no load balancer {0}")]
pub struct NoSuchLoadBalancer(pub String);
