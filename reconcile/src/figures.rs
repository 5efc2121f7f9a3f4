//! What each controller has done and has before it, counted since the start.

use kiln_service_kit::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The counters of one controller; the runner counts, anybody reads.
#[derive(Debug)]
pub struct ControllerFigures {
    name: &'static str,
    slots: usize,
    waiting: AtomicU64,
    running: AtomicU64,
    passes: AtomicU64,
    failures: AtomicU64,
    unjudged: AtomicU64,
    nanoseconds: AtomicU64,
    /// Milliseconds since 1970; 0: never.
    last_failure: AtomicI64,
}

impl ControllerFigures {
    fn new(name: &'static str, slots: usize) -> Self {
        let zero = AtomicU64::default;
        Self {
            name,
            slots,
            waiting: zero(),
            running: zero(),
            passes: zero(),
            failures: zero(),
            unjudged: zero(),
            nanoseconds: zero(),
            last_failure: AtomicI64::default(),
        }
    }

    /// The controller's name, e.g. `ec2/instance`.
    pub fn name(&self) -> &'static str {
        self.name
    }
    /// How many of its passes may run at the same time.
    pub fn slots(&self) -> u64 {
        self.slots as u64
    }
    /// Things that wait for a slot now.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }
    /// Passes that run now.
    pub fn running(&self) -> u64 {
        self.running.load(Relaxed)
    }
    /// Passes that ended, well or not.
    pub fn passes(&self) -> u64 {
        self.passes.load(Relaxed)
    }
    /// Passes that ended with a failure.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }
    /// How often it could not say whom a change concerns or what there is.
    pub fn not_read(&self) -> u64 {
        self.unjudged.load(Relaxed)
    }
    /// Time in passes, those at the same time added up.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Relaxed))
    }
    /// When a pass last failed.
    pub fn last_failure(&self) -> Option<Timestamp> {
        let at = self.last_failure.load(Relaxed);
        (at != 0).then(|| Timestamp::from_millis(at))
    }

    pub(crate) fn queued(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }
    pub(crate) fn left_queue(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
    pub(crate) fn began(&self) {
        self.running.fetch_add(1, Relaxed);
    }
    pub(crate) fn ended(&self, took: Duration, failed_at: Option<Timestamp>) {
        self.running.fetch_sub(1, Relaxed);
        self.passes.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(took.as_nanos() as u64, Relaxed);
        if let Some(at) = failed_at {
            self.failures.fetch_add(1, Relaxed);
            self.last_failure.store(at.millis(), Relaxed);
        }
    }
    pub(crate) fn unjudged(&self) {
        self.unjudged.fetch_add(1, Relaxed);
    }
}

/// The counters of all controllers, in the order of the services.
#[derive(Debug)]
pub struct Figures(Vec<ControllerFigures>);

impl Figures {
    pub(crate) fn new(controllers: impl Iterator<Item = (&'static str, usize)>) -> Self {
        Self(controllers.map(|(name, slots)| ControllerFigures::new(name, slots)).collect())
    }

    pub(crate) fn of(&self, controller: usize) -> &ControllerFigures {
        &self.0[controller]
    }

    pub fn iter(&self) -> std::slice::Iter<'_, ControllerFigures> {
        self.0.iter()
    }
}
