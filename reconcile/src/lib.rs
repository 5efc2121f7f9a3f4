//! Runs controllers: wake by name, pass (observe, plan, act), report, wait; back off on failure.
//!
//! ```text
//! store feed ----\
//! Platform::wake --> queue of names (each once) --> pass --> acted? look again at once
//! timers --------/                                     \--> waiting until T? timer
//! full pass every minute                                \-> failed? back off 0.2 s … 30 s
//! ```
//!
//! One name of one controller is never passed twice at the same time; different names run side by
//! side. What a wake was about is not handed on: a pass reads everything again, so a lost or
//! doubled wake changes nothing but time. A wake does not end a back-off at once, but a second
//! after the failure: what fails and writes that down wakes itself. Names are kept in ordered maps
//! and the runner takes time only from tokio, so a simulation with a paused clock repeats exactly.

mod backoff;
mod queue;

use backoff::{failure_delay, progress_delay};
use kiln_service_kit::{AnyController, Chaos, Cx, Name, Pass, Platform};
use parking_lot::Mutex;
use queue::{Queue, Task, Woken};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast::error::RecvError, watch};
use tokio::time::Instant;

/// Every thing is looked at this often even when nothing woke its controller.
const FULL_PASS: Duration = Duration::from_secs(60);

/// How many passes may run at the same time; each holds at most a few file descriptors.
const CONCURRENT_PASSES: usize = 64;

/// Told of each finished pass: the simulation writes its story from it.
pub type OnPass = Arc<dyn Fn(&'static str, &Name, &Pass) + Send + Sync>;

/// Asked before each step (controller, name, step): the testkit breaks steps with it.
pub type ChaosFor = Arc<dyn Fn(&'static str, &Name, &str) -> Chaos + Send + Sync>;

/// Hooks of the testkit; the default is production.
#[derive(Clone, Default)]
pub struct Hooks {
    pub on_pass: Option<OnPass>,
    pub chaos: Option<ChaosFor>,
}

/// The running controllers. Dropping it stops them after their current step.
pub struct Runner {
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
}

struct Shared {
    platform: Arc<Platform>,
    controllers: Vec<Arc<dyn AnyController>>,
    queue: Mutex<Queue>,
    slots: Semaphore,
    hooks: Hooks,
    stopped: watch::Receiver<bool>,
}

impl Runner {
    /// Starts all controllers of all services with a look at every thing there is.
    pub fn start(platform: Arc<Platform>, hooks: Hooks) -> Runner {
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            controllers: platform.controllers(),
            platform: platform.clone(),
            queue: Mutex::new(Queue::default()),
            slots: Semaphore::new(CONCURRENT_PASSES),
            hooks,
            stopped,
        });
        // Subscribed before the first full pass: no change can fall between the two.
        let feed = platform.store().feed();
        shared.full_pass();
        tokio::spawn(follow_feed(shared.clone(), feed));
        tokio::spawn(follow_wakes(shared.clone()));
        tokio::spawn(full_passes(shared.clone()));
        Runner { stop, shared }
    }

    /// Begins no pass any more and waits until those in hand are done; whether they were in time.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.stop.send_replace(true);
        let all = self.shared.slots.acquire_many(CONCURRENT_PASSES as u32);
        tokio::time::timeout(patience, all).await.is_ok()
    }

    /// Whether no pass runs or is queued (timers may still wait).
    pub fn is_idle(&self) -> bool {
        self.shared.queue.lock().is_idle()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Shared {
    fn wake(self: &Arc<Self>, controller: usize, name: Name) {
        let task = (controller, name);
        let woken = self.queue.lock().wake(&task, Instant::now());
        match woken {
            Woken::Start => {
                tokio::spawn(run(self.clone(), task));
            }
            Woken::In(delay) => timer(self.clone(), task, delay),
            Woken::InHand => {}
        }
    }

    fn full_pass(self: &Arc<Self>) {
        for (index, controller) in self.controllers.iter().enumerate() {
            match controller.all(self.platform.store()) {
                Ok(names) => names.into_iter().for_each(|name| self.wake(index, name)),
                Err(error) => tracing::error!(controller = controller.name(), %error, "cannot list what to look at"),
            }
        }
    }
}

async fn follow_feed(shared: Arc<Shared>, mut feed: tokio::sync::broadcast::Receiver<Arc<kiln_store::Commit>>) {
    let mut stopped = shared.stopped.clone();
    loop {
        let commit = tokio::select! {
            commit = feed.recv() => commit,
            _ = stopped.changed() => return,
        };
        match commit {
            Ok(commit) => {
                for change in &commit.changes {
                    for (index, controller) in shared.controllers.iter().enumerate() {
                        for name in controller.wakes(shared.platform.store(), change) {
                            shared.wake(index, name);
                        }
                    }
                }
            }
            // Too many changes at once to tell them apart: look at everything.
            Err(RecvError::Lagged(_)) => shared.full_pass(),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn follow_wakes(shared: Arc<Shared>) {
    let Some(mut wakes) = shared.platform.take_wakes() else { return };
    let mut stopped = shared.stopped.clone();
    loop {
        let wake = tokio::select! {
            wake = wakes.recv() => wake,
            _ = stopped.changed() => return,
        };
        let Some((controller, name)) = wake else { return };
        match shared.controllers.iter().position(|c| c.name() == controller) {
            Some(index) => shared.wake(index, name),
            None => tracing::error!(controller, "woken, but there is no such controller"),
        }
    }
}

async fn full_passes(shared: Arc<Shared>) {
    let mut stopped = shared.stopped.clone();
    loop {
        tokio::select! {
            _ = tokio::time::sleep(FULL_PASS) => shared.full_pass(),
            _ = stopped.changed() => return,
        }
    }
}

/// Passes one name until it rests, fails or is gone; then leaves a timer behind if one is due.
async fn run(shared: Arc<Shared>, task: Task) {
    let controller = shared.controllers[task.0].clone();
    loop {
        if *shared.stopped.borrow() {
            return;
        }
        let Ok(slot) = shared.slots.acquire().await else { return };
        // It may have waited for its slot while the runner was stopped.
        if *shared.stopped.borrow() {
            return;
        }
        shared.queue.lock().begin(&task);
        let cx = Cx::for_service(shared.platform.clone(), task.1.scope.clone(), controller.acts_as());
        let chaos = |step: &str| match &shared.hooks.chaos {
            Some(chaos) => chaos(controller.name(), &task.1, step),
            None => Chaos::None,
        };
        let pass = controller.pass(&cx, &task.1, &chaos).await;
        drop(slot);
        shared.platform.set_report(controller.name(), &task.1, pass.report.clone());
        if let Some(on_pass) = &shared.hooks.on_pass {
            on_pass(controller.name(), &task.1, &pass);
        }
        let next = after(&shared, &task, &controller, &pass);
        match next {
            Next::AtOnce => {}
            Next::Calm(delay) => {
                let delay = shared.queue.lock().calm(&task, delay, Instant::now());
                timer(shared.clone(), task, delay);
                return;
            }
            Next::In(delay) => {
                if !shared.queue.lock().rest(&task) {
                    timer(shared.clone(), task.clone(), delay);
                    return;
                }
            }
            Next::Gone => {
                if shared.queue.lock().gone(&task) {
                    return;
                }
            }
            Next::OnWake => {
                if !shared.queue.lock().rest(&task) {
                    return;
                }
            }
        }
    }
}

enum Next {
    Gone,
    AtOnce,
    /// Not before that time, though woken.
    Calm(Duration),
    In(Duration),
    OnWake,
}

fn after(shared: &Shared, task: &Task, controller: &Arc<dyn AnyController>, pass: &Pass) -> Next {
    let mut queue = shared.queue.lock();
    if let Some(error) = &pass.error {
        let failures = queue.failed(task);
        let delay = failure_delay(failures);
        tracing::warn!(controller = controller.name(), id = %task.1.id, failures, retry_in = ?delay, %error, "a step failed");
        return Next::Calm(delay);
    }
    let Some(report) = &pass.report else {
        return Next::Gone;
    };
    if !pass.steps.is_empty() {
        tracing::info!(controller = controller.name(), id = %task.1.id, steps = ?pass.steps);
        let passes = queue.acted(task, &pass.steps);
        return match progress_delay(passes) {
            None => Next::AtOnce,
            Some(delay) => Next::Calm(delay),
        };
    }
    queue.forget_counts(task);
    match report.waiting_for.as_ref().and_then(|w| w.until) {
        Some(until) => Next::In(until.since(shared.platform.clock().now())),
        None => Next::OnWake,
    }
}

fn timer(shared: Arc<Shared>, task: Task, delay: Duration) {
    let ticket = shared.queue.lock().ticket(&task);
    let mut stopped = shared.stopped.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::time::sleep(delay) => {
                if shared.queue.lock().is_current(&task, ticket) {
                    shared.wake(task.0, task.1);
                }
            }
            _ = stopped.changed() => {}
        }
    });
}
