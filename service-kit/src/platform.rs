//! The whole platform as its services see it: state, time, names, each other, installed parts.

use crate::calls::CallLog;
use crate::{
    Access, AnyController, Caller, Cx, Error, Events, Grant, IdSource, Name, Names, Operation, Report, ResourceType,
    Scope, Service, Store,
};
use kiln_clock::{Clock, Timestamp};
use kiln_ids::regions::{self, Partition};
use kiln_journal::{History, Journal};
use kiln_protocol::ServiceModel;
use parking_lot::{Mutex, RwLock};
use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What each controller last said of each thing, and when.
type Reports = BTreeMap<(&'static str, Name), (Timestamp, Report)>;

/// Built once at start; shared by all.
pub struct Platform {
    store: Store,
    history: History,
    clock: Clock,
    ids: IdSource,
    services: Vec<Service>,
    rows: HashMap<&'static str, HashMap<&'static str, &'static Operation>>,
    resources: BTreeMap<&'static str, Arc<dyn ResourceType>>,
    parts: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    access: RwLock<Option<Arc<dyn Access>>>,
    events: RwLock<Option<Arc<dyn Events>>>,
    reports: Mutex<Reports>,
    wakes: mpsc::UnboundedSender<(&'static str, Name)>,
    wakes_out: Mutex<Option<mpsc::UnboundedReceiver<(&'static str, Name)>>>,
    calls: CallLog,
    /// Names of the services whose things can have policies.
    owning: Vec<&'static str>,
    open: bool,
    home: Scope,
}

/// Collects the parts, then [`PlatformBuilder::build`]s.
pub struct PlatformBuilder {
    store: Store,
    journal: Option<Journal>,
    clock: Clock,
    ids: IdSource,
    services: Vec<Service>,
    parts: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    open: bool,
    home: Scope,
}

impl PlatformBuilder {
    pub fn new(store: Store, clock: Clock, ids: IdSource) -> Self {
        Self {
            store,
            journal: None,
            clock,
            ids,
            services: vec![],
            parts: HashMap::new(),
            open: false,
            home: Scope::new("000000000000", "us-east-1"),
        }
    }

    /// Adds a service.
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Installs a part that services ask for by type, e.g. `Arc<dyn MachineDriver>`.
    pub fn part<T: Clone + Send + Sync + 'static>(mut self, part: T) -> Self {
        self.parts.insert(TypeId::of::<T>(), Box::new(part));
        self
    }

    /// Where history is kept. Default: in memory, for a store that is.
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Open mode: any credentials do, nothing is authorized. Loopback only.
    pub fn open(mut self, open: bool) -> Self {
        self.open = open;
        self
    }

    /// The account and region of requests that name none. Default: 000000000000, us-east-1.
    pub fn home(mut self, home: Scope) -> Self {
        self.home = home;
        self
    }

    pub fn build(self) -> Arc<Platform> {
        let mut rows: HashMap<&'static str, HashMap<&'static str, &'static Operation>> = HashMap::new();
        let mut resources: BTreeMap<&'static str, Arc<dyn ResourceType>> = BTreeMap::new();
        for service in &self.services {
            for row in service.operations.iter().flat_map(|rows| rows.iter()) {
                rows.entry(service.model.name).or_default().insert(row.name, row);
            }
            for resource in &service.resources {
                resources.insert(resource.type_name(), resource.clone());
            }
        }
        let journal = self.journal.unwrap_or_else(Journal::in_memory);
        journal.keep([crate::calls::KEPT]);
        journal.keep(self.services.iter().flat_map(|service| service.keeps.iter().copied()));
        let owning = self.services.iter().filter(|service| service.owns).map(|service| service.model.name).collect();
        let (wakes, wakes_out) = mpsc::unbounded_channel();
        Arc::new(Platform {
            history: History::new(self.store.clone(), journal),
            store: self.store,
            clock: self.clock,
            ids: self.ids,
            services: self.services,
            rows,
            resources,
            parts: self.parts,
            access: RwLock::new(None),
            events: RwLock::new(None),
            reports: Mutex::new(BTreeMap::new()),
            wakes,
            wakes_out: Mutex::new(Some(wakes_out)),
            calls: CallLog::default(),
            owning,
            open: self.open,
            home: self.home,
        })
    }
}

impl Platform {
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// What happened, in the store and the journal.
    pub fn history(&self) -> &History {
        &self.history
    }
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    pub fn ids(&self) -> &IdSource {
        &self.ids
    }
    pub fn services(&self) -> &[Service] {
        &self.services
    }
    pub fn calls(&self) -> &CallLog {
        &self.calls
    }
    /// Whether any credentials do.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The account and region of requests that name none.
    pub fn home(&self) -> &Scope {
        &self.home
    }

    /// The partition of a region; that of the home region for what is in none.
    pub fn partition_of(&self, region: &str) -> &'static Partition {
        regions::partition_of(if region.is_empty() { &self.home.region } else { region })
    }

    /// The row of a service's operation; `None` when Kiln does not serve it.
    pub fn operation(&self, service: &str, operation: &str) -> Option<&'static Operation> {
        self.rows.get(service)?.get(operation).copied()
    }

    /// The CloudFormation type of that name; `None` when no service has it.
    pub fn resource_type(&self, name: &str) -> Option<Arc<dyn ResourceType>> {
        self.resources.get(name).cloned()
    }

    /// What says whether a value of a template parameter of this AWS type names something; `None` when no service does.
    pub fn parameter_type(&self, name: &str) -> Option<Names> {
        let mut types = self.services.iter().flat_map(|service| service.parameter_types);
        types.find(|(known, _)| *known == name).map(|(_, names)| *names)
    }

    /// Names of all CloudFormation types, sorted.
    pub fn resource_types(&self) -> Vec<&'static str> {
        self.resources.keys().copied().collect()
    }

    /// Every controller of every service.
    pub fn controllers(&self) -> Vec<Arc<dyn AnyController>> {
        self.services.iter().flat_map(|s| s.controllers.iter().cloned()).collect()
    }

    /// A part installed at start; an error that names the type where the server did not install it.
    pub fn part<T: Clone + Send + Sync + 'static>(&self) -> Result<T, Error> {
        self.parts
            .get(&TypeId::of::<T>())
            .and_then(|part| part.downcast_ref::<T>())
            .cloned()
            .ok_or_else(|| Error::internal(format!("this server was started without {}", type_name::<T>())))
    }

    /// Installs who answers about credentials and rights (the iam service's starter does).
    pub fn set_access(&self, access: Arc<dyn Access>) {
        *self.access.write() = Some(access);
    }

    /// Who answers about credentials and rights.
    pub fn access(&self) -> Option<Arc<dyn Access>> {
        self.access.read().clone()
    }

    /// Installs who listens to what happens (the events service's starter does).
    pub fn set_events(&self, events: Arc<dyn Events>) {
        *self.events.write() = Some(events);
    }

    /// Who listens to what happens.
    pub fn events(&self) -> Option<Arc<dyn Events>> {
        self.events.read().clone()
    }

    /// Whether the caller's policies decide: not for the root user, for Kiln's own services and in
    /// open mode.
    pub fn judges(&self, caller: &Caller) -> bool {
        use crate::CallerKind::{Root, Service};
        !self.open && !matches!(caller.kind, Root | Service { .. })
    }

    /// Whether the things of a service can have policies of their own, so that everybody is judged.
    pub(crate) fn owns(&self, service: &ServiceModel) -> bool {
        self.owning.contains(&service.name)
    }

    /// Whether a caller needs no answer about a thing of that account, whatever policy is on it: its root user, and in
    /// open mode anybody of that account.
    pub fn trusts(&self, caller: &Caller, account: &str) -> bool {
        caller.account == account && (self.open || caller.kind == crate::CallerKind::Root)
    }

    /// Another account's thing is closed in open mode too, unless its policy says otherwise: nobody has to prove who
    /// they are there, and yet accounts are apart.
    pub(crate) fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error> {
        let caller = cx.caller();
        let trusted = match &grant.resource_policy {
            None => !self.judges(caller),
            Some(policy) if policy.trust => self.open,
            Some(policy) if policy.needed => self.open && caller.account == policy.account,
            Some(policy) => self.trusts(caller, policy.account),
        };
        if trusted {
            return Ok(());
        }
        match self.access() {
            Some(access) => access.authorize(cx, grant),
            None => {
                Err(Error::sender("AccessDenied", "No service of this platform can decide about access.")
                    .with_status(403))
            }
        }
    }

    /// Tells a controller to look at a thing for a reason outside the store (a machine died).
    pub fn wake(&self, controller: &'static str, name: Name) {
        // The receiver lives as long as the runner; with no runner there is nobody to wake.
        let _ = self.wakes.send((controller, name));
    }

    /// The other end of [`Platform::wake`]; the runner takes it once.
    pub fn take_wakes(&self) -> Option<mpsc::UnboundedReceiver<(&'static str, Name)>> {
        self.wakes_out.lock().take()
    }

    /// Keeps what a controller last said of a thing; `None` when the thing is gone.
    pub fn set_report(&self, controller: &'static str, name: &Name, report: Option<Report>) {
        let mut reports = self.reports.lock();
        match report {
            Some(report) => reports.insert((controller, name.clone()), (self.clock.now(), report)),
            None => reports.remove(&(controller, name.clone())),
        };
    }

    /// What every controller last said of every thing.
    pub fn reports(&self) -> Vec<(&'static str, Name, Timestamp, Report)> {
        self.reports.lock().iter().map(|((c, n), (at, r))| (*c, n.clone(), *at, r.clone())).collect()
    }
}
