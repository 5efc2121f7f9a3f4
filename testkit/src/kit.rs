//! The platform itself, and what a test can do with it.

use crate::story::Story;
use kiln_clock::{Clock, Timestamp};
use kiln_ids::IdSource;
use kiln_journal::Keeper;
use kiln_machines_sim::{Durations, SimDriver};
use kiln_machines_spec::{BaseRecipe, DriverResult, MachineDriver, MachineId, NoProgress};
use kiln_points::{Metric, Points, Query};
use kiln_reconcile::{Hooks, Runner};
use kiln_sealing::RootKey;
use kiln_service_kit::{
    Caller, Chaos, Cx, Error, Platform, PlatformBuilder, Request, RootCredential, Scope, Service, Store,
};
use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How finely [`Testkit::settle`] and [`Testkit::until`] look.
const LOOK: Duration = Duration::from_millis(100);

/// Longer than the longest back-off (30 s): what failed has been tried again by then.
const QUIET: Duration = Duration::from_secs(35);

/// A platform that still does something after this long never rests.
const RESTLESS: Duration = Duration::from_secs(3600);

/// Runs a simulation to its end on a clock that stands still while anything can run.
pub fn simulate<F: Future>(scenario: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime on this thread needs nothing that can be missing").block_on(scenario)
}

/// Which steps meet with chaos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaotic {
    /// None.
    #[default]
    No,
    /// Every step runs twice.
    Twice,
    /// The step with that number, counted from 0 in the order in which steps are begun.
    Step(usize, Chaos),
}

#[derive(Default)]
struct Steps {
    chaotic: Chaotic,
    begun: Vec<String>,
}

/// Collects the parts.
pub struct Builder {
    seed: u64,
    services: Vec<Service>,
    durations: Durations,
    chaotic: Chaotic,
    parts: Vec<Part>,
}

type Part = Box<dyn FnOnce(PlatformBuilder, &SimDriver) -> PlatformBuilder>;

impl Builder {
    /// Adds services.
    pub fn services(mut self, services: impl IntoIterator<Item = Service>) -> Self {
        self.services.extend(services);
        self
    }

    /// Adds one service.
    pub fn service(self, service: Service) -> Self {
        self.services([service])
    }

    /// How long simulated things take.
    pub fn durations(mut self, durations: Durations) -> Self {
        self.durations = durations;
        self
    }

    /// Installs what services need beside machines (the load balancer).
    pub fn part(mut self, install: impl FnOnce(PlatformBuilder, &SimDriver) -> PlatformBuilder + 'static) -> Self {
        self.parts.push(Box::new(install));
        self
    }

    /// Runs steps twice, or breaks one.
    pub fn with_chaos(mut self, chaotic: Chaotic) -> Self {
        self.chaotic = chaotic;
        self
    }

    /// Starts the platform as the server would. Call it within [`simulate`], or in a test with
    /// `start_paused`.
    pub async fn start(self) -> Testkit {
        let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
        let machines = SimDriver::new(clock.clone(), self.durations);
        machines.ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("simulated images do not fail");
        let store = Store::in_memory(clock.clone());
        let mut builder = PlatformBuilder::new(store, clock.clone(), IdSource::seeded(self.seed))
            .open(true)
            .part::<Arc<dyn MachineDriver>>(Arc::new(machines.clone()))
            .part(RootKey::new(&IdSource::seeded(self.seed)))
            .part(Points::in_memory(clock.clone()))
            .part(RootCredential { access_key: "AKIAEXAMPLE".to_owned(), secret: "secret".to_owned() });
        for install in self.parts {
            builder = install(builder, &machines);
        }
        for service in self.services {
            builder = builder.service(service);
        }
        let platform = builder.build();
        for service in platform.services() {
            for start in &service.start {
                let started = start(platform.clone()).await;
                started.unwrap_or_else(|e| panic!("failed to start {}: {e}", service.model.name));
            }
        }
        let story = Story::new(clock);
        let steps = Arc::new(Mutex::new(Steps { chaotic: self.chaotic, begun: vec![] }));
        let journal = platform.history().journal().clone();
        let keeper = Keeper::start(platform.store().clone(), journal, platform.clock().clone());
        let runner = Runner::start(platform.clone(), hooks(&story, &steps));
        Testkit { platform, machines, runner, story, steps, _keeper: keeper }
    }
}

fn hooks(story: &Story, steps: &Arc<Mutex<Steps>>) -> Hooks {
    let (told, asked, names) = (story.clone(), steps.clone(), story.clone());
    Hooks {
        on_pass: Some(Arc::new(move |controller, name, pass| told.pass(controller, name, pass))),
        chaos: Some(Arc::new(move |controller, name, step| {
            let text = names.plain(&format!("{controller} {}: {step}", name.id));
            let mut steps = asked.lock();
            steps.begun.push(text);
            match steps.chaotic {
                Chaotic::No => Chaos::None,
                Chaotic::Twice => Chaos::Twice,
                Chaotic::Step(number, chaos) if number + 1 == steps.begun.len() => chaos,
                Chaotic::Step(..) => Chaos::None,
            }
        })),
    }
}

/// A running platform.
pub struct Testkit {
    platform: Arc<Platform>,
    machines: SimDriver,
    runner: Runner,
    story: Story,
    steps: Arc<Mutex<Steps>>,
    _keeper: Keeper,
}

impl Testkit {
    /// The same seed tells the same story.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(seed: u64) -> Builder {
        let (services, durations) = (vec![], Durations::default());
        Builder { seed, services, durations, chaotic: Chaotic::No, parts: vec![] }
    }

    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    pub fn store(&self) -> &Store {
        self.platform.store()
    }

    /// The machines, to play fate with.
    pub fn machines(&self) -> &SimDriver {
        &self.machines
    }

    pub fn now(&self) -> Timestamp {
        self.platform.clock().now()
    }

    /// The home account's root user, in the home region.
    pub fn cx(&self) -> Cx {
        let home = self.platform.home().clone();
        let caller = Caller::root(&home.account);
        Cx::new(self.platform.clone(), home, caller, "00000000-0000-4000-8000-000000000000")
    }

    /// The home account and region.
    pub fn scope(&self) -> Scope {
        self.platform.home().clone()
    }

    /// Calls a public operation.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        self.cx().call(request).await
    }

    /// Lets time pass.
    pub async fn advance(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Time goes by at once, as for a host that slept: what was to be done meanwhile is late. Months pass so.
    pub async fn jump(&self, duration: Duration) {
        tokio::time::advance(duration).await;
    }

    /// Lets time pass until nothing was done, met or written for 35 s, which is longer than any
    /// back-off; how long it took until the last deed. What waits for a later time goes on
    /// waiting. Panics with the story's end when that does not come in an hour.
    pub async fn settle(&self) -> Duration {
        let began = self.now();
        let mut last = (self.story.deeds(), self.store().sequence());
        let mut since = began;
        loop {
            tokio::time::sleep(LOOK).await;
            let news = (self.story.deeds(), self.store().sequence());
            if news != last || !self.runner.is_idle() {
                (last, since) = (news, self.now());
            } else if self.now().since(since) >= QUIET {
                return since.since(began);
            }
            if self.now().since(began) > RESTLESS {
                panic!("still not at rest after an hour:\n{}", self.tail());
            }
        }
    }

    /// Lets time pass until `is_so`; how long it took. `Err` after `limit`.
    pub async fn within<Fut: Future<Output = bool>>(
        &self,
        limit: Duration,
        is_so: impl Fn() -> Fut,
    ) -> Result<Duration, Duration> {
        let began = self.now();
        loop {
            if is_so().await {
                return Ok(self.now().since(began));
            }
            if self.now().since(began) >= limit {
                return Err(limit);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Like [`Testkit::within`], and panics with the story's end when it does not come to be.
    pub async fn until<Fut: Future<Output = bool>>(
        &self,
        what: &str,
        limit: Duration,
        is_so: impl Fn() -> Fut,
    ) -> Duration {
        match self.within(limit, is_so).await {
            Ok(took) => took,
            Err(_) => panic!("not so after {limit:?}: {what}\n{}", self.tail()),
        }
    }

    /// The sums of a metric of the home account by minute, where there is one.
    pub async fn measured(&self, namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Vec<f64> {
        let scope = self.platform.home();
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let metric = Metric {
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
        };
        let to = self.now().millis() / 1000 + 60;
        let query = Query { metric, unit: None, from: to - 6 * 3600, to, period: 60, distribution: false };
        let points = self.platform.part::<Points>().expect("the kit has points");
        let buckets = points.read(vec![query]).await.expect("memory can be read").remove(0);
        buckets.into_iter().map(|bucket| bucket.point.sum).collect()
    }

    /// Ends the machine's first process with SIGKILL.
    pub fn kill(&self, instance: &str) -> DriverResult<()> {
        self.story.say(&format!("fate: {instance} is killed"));
        self.machines.crash(&MachineId::new(instance))
    }

    /// Begins a part of the story: what there is.
    pub fn given(&self, text: &str) {
        self.story.say(&format!("GIVEN {text}"));
    }

    /// What happens now.
    pub fn when(&self, text: &str) {
        self.story.say(&format!("WHEN {text}"));
    }

    /// What has come of it.
    pub fn then(&self, text: &str) {
        self.story.say(&format!("THEN {text}"));
    }

    /// What was said and done so far.
    pub fn story(&self) -> &Story {
        &self.story
    }

    /// Every step begun so far, as `controller thing: step`, with plain names.
    pub fn steps(&self) -> Vec<String> {
        self.steps.lock().begun.clone()
    }

    fn tail(&self) -> String {
        let text = self.story.text();
        let lines: Vec<&str> = text.lines().collect();
        let waits: Vec<String> = self
            .platform
            .reports()
            .into_iter()
            .map(|(controller, name, _, report)| format!("  {controller} {}: {report:?}", name.id))
            .collect();
        format!("{}\nreports:\n{}", lines[lines.len().saturating_sub(60)..].join("\n"), waits.join("\n"))
    }
}
