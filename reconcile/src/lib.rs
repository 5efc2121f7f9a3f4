//! Runs controllers: wake by name, pass (observe, plan, act), report, wait; back off on failure.
//!
//! ```text
//! store feed ----\
//! Platform::wake --> queue of names (each once) --> pass --> acted? look again at once
//! timers --------/                                     \--> waiting until T? timer
//! a round each minute, spread                           \-> failed? back off 0.2 s … 30 s
//! ```
//!
//! Passes of one controller run in its own slots: what takes long (a build, a capture) delays no
//! other controller's.
//!
//! One name of one controller is never passed twice at the same time; different names run side by
//! side. What a wake was about is not handed on: a pass reads everything again, so a lost or
//! doubled wake changes nothing but time. A wake does not end a back-off at once, but a second
//! after the failure: what fails and writes that down wakes itself. Names are kept in ordered maps
//! and the runner takes time only from tokio, so a simulation with a paused clock repeats exactly.

mod backoff;
mod feed;
mod figures;
mod queue;
mod rounds;

pub use figures::{ControllerFigures, Figures};

use backoff::{failure_delay, progress_delay};
use kiln_service_kit::{AnyController, Chaos, Cx, Name, Pass, Platform};
use parking_lot::Mutex;
use queue::{Queue, Task, Woken};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tracing::Instrument;

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
    /// Of each controller, by its index.
    slots: Vec<Semaphore>,
    watchers: feed::Watchers,
    /// Changes of which it is not known yet whom they concern.
    unjudged: Mutex<feed::Unjudged>,
    figures: Arc<Figures>,
    hooks: Hooks,
    stopped: watch::Receiver<bool>,
}

impl Runner {
    /// Starts all controllers of all services with a look at every thing there is.
    pub fn start(platform: Arc<Platform>, hooks: Hooks) -> Runner {
        let (stop, stopped) = watch::channel(false);
        let controllers = platform.controllers();
        let shared = Arc::new(Shared {
            slots: controllers.iter().map(|controller| Semaphore::new(controller.slots())).collect(),
            watchers: feed::Watchers::new(&controllers),
            unjudged: Mutex::default(),
            figures: Arc::new(Figures::new(controllers.iter().map(|c| (c.name(), c.slots())))),
            controllers,
            platform: platform.clone(),
            queue: Mutex::new(Queue::default()),
            hooks,
            stopped,
        });
        // Subscribed before the first look at all: no change can fall between the two.
        let feed = platform.store().feed();
        let last = platform.store().sequence();
        for index in 0..shared.controllers.len() {
            shared.all(index).into_iter().for_each(|name| shared.wake(index, name));
        }
        tokio::spawn(feed::follow(shared.clone(), feed, last));
        tokio::spawn(follow_wakes(shared.clone()));
        for index in 0..shared.controllers.len() {
            tokio::spawn(rounds::go(shared.clone(), index));
        }
        Runner { stop, shared }
    }

    /// Begins no pass any more and waits until those in hand are done; whether they were in time.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.stop.send_replace(true);
        let all = async {
            for (slots, controller) in self.shared.slots.iter().zip(&self.shared.controllers) {
                // Given back at once: nobody begins any more. Slots are never closed.
                let _ = slots.acquire_many(controller.slots() as u32).await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }

    /// What the controllers have done and have before them.
    pub fn figures(&self) -> Arc<Figures> {
        self.shared.figures.clone()
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

    /// What there is; what cannot be listed is told and left to the next round.
    fn all(&self, index: usize) -> Vec<Name> {
        let controller = &self.controllers[index];
        let store = self.platform.store();
        store.counted_sync(|| format!("round {}", controller.name()), || controller.all(store)).unwrap_or_else(
            |error| {
                self.figures.of(index).unjudged();
                tracing::error!(controller = controller.name(), error = error.chain(), "cannot list what to look at");
                vec![]
            },
        )
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

/// Passes one name until it rests, fails or is gone; then leaves a timer behind if one is due.
async fn run(shared: Arc<Shared>, task: Task) {
    let controller = shared.controllers[task.0].clone();
    loop {
        if *shared.stopped.borrow() {
            return;
        }
        let figures = shared.figures.of(task.0);
        figures.queued();
        let slot = shared.slots[task.0].acquire().await;
        figures.left_queue();
        let Ok(slot) = slot else { return };
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
        figures.began();
        let began = Instant::now();
        let span = pass_span(controller.name(), &task.1);
        let pass = controller.pass(&cx, &task.1, &chaos).instrument(span);
        let pass = shared.platform.store().counted(|| format!("pass {}", controller.name()), pass).await;
        figures.ended(began.elapsed(), pass.error.as_ref().map(|_| cx.now()));
        drop(slot);
        shared.platform.set_report(controller.name(), &task.1, pass.report.clone());
        if let Some(on_pass) = &shared.hooks.on_pass {
            on_pass(controller.name(), &task.1, &pass);
        }
        let next = after(&shared, &task, &controller, &pass, cx.request_id());
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

/// What is logged during a pass carries whose pass it is.
fn pass_span(controller: &'static str, name: &Name) -> tracing::Span {
    let (account, region) = (&*name.scope.account, &*name.scope.region);
    tracing::info_span!("pass", controller, account, region, id = &*name.id)
}

enum Next {
    Gone,
    AtOnce,
    /// Not before that time, though woken.
    Calm(Duration),
    In(Duration),
    OnWake,
}

/// `request_id` is that of the calls it made.
fn after(shared: &Shared, task: &Task, controller: &Arc<dyn AnyController>, pass: &Pass, request_id: &str) -> Next {
    let mut queue = shared.queue.lock();
    if let Some(error) = &pass.error {
        let failures = queue.failed(task);
        let delay = failure_delay(failures);
        tracing::warn!(controller = controller.name(), id = %task.1.id, request_id, failures, retry_in = ?delay, error = error.chain(), "a step failed");
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
