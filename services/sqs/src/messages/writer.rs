//! The thread that writes messages: everything that waits in one transaction, then all the answers.
//!
//! While it waits for the disk the next work gathers. There is no timer and nothing to tune, as in the store. In between
//! it tidies: what is older than its queue keeps it goes also where nobody asks for it.

use super::waiters::Waiters;
use super::{MessagesError, Table};
use kiln_service_kit::Clock;
use parking_lot::{Condvar, Mutex};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Tells who asked how it ended, once it is durable.
pub(super) type Answer = Box<dyn FnOnce(Result<(), MessagesError>) + Send>;

/// A piece of work, and who is told.
pub(super) struct Job {
    pub work: Box<dyn FnOnce(&mut Table) -> rusqlite::Result<()> + Send>,
    pub answer: Answer,
}

/// Pieces of work in one transaction: 256 × a full batch of ten messages is the most that one waits behind.
const MOST_AT_ONCE: usize = 256;

/// How often old messages are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    closed: bool,
    /// Why no more is taken.
    stopped: Option<MessagesError>,
}

impl Writer {
    pub fn start(table: Table, waiters: Arc<Waiters>, clock: Clock) -> Self {
        let shared = Arc::<Shared>::default();
        let path = table.path().to_owned();
        let of_thread = shared.clone();
        let work = move || run(&of_thread, table, &waiters, &clock);
        let thread = std::thread::Builder::new().name("messages".to_owned()).spawn(work);
        let thread = thread.map_err(|e| tracing::error!(error = %e, "failed to start the writer of messages")).ok();
        if thread.is_none() {
            let reason = "its thread could not be started".into();
            shared.state.lock().stopped = Some(MessagesError::Stopped { path: path.clone(), reason });
        }
        Self { shared, path, thread }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn push(&self, job: Job) -> Result<(), MessagesError> {
        let mut state = self.shared.state.lock();
        if let Some(stopped) = &state.stopped {
            return Err(stopped.clone());
        }
        state.jobs.push(job);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of messages had failed");
        }
    }
}

/// However the thread ends, nobody waits for it in vain.
struct Ended<'s>(&'s Shared, PathBuf);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let reason = || MessagesError::Stopped { path: self.1.clone(), reason: "its writer has ended".into() };
        state.stopped.get_or_insert_with(reason);
        for Job { answer, .. } in std::mem::take(&mut state.jobs) {
            answer(Err(reason()));
        }
    }
}

fn run(shared: &Shared, mut table: Table, waiters: &Waiters, clock: &Clock) {
    let _ended = Ended(shared, table.path().to_owned());
    let mut tidied = Instant::now();
    let mut untidy = true;
    loop {
        let due = tidied + if untidy { Duration::ZERO } else { TIDY_EVERY };
        let (jobs, closed) = {
            let mut state = shared.state.lock();
            if state.jobs.is_empty() && !state.closed && Instant::now() < due {
                shared.wake.wait_until(&mut state, due);
            }
            let some = state.jobs.len().min(MOST_AT_ONCE);
            (state.jobs.drain(..some).collect::<Vec<_>>(), state.closed)
        };
        if jobs.is_empty() && closed {
            return;
        }
        if jobs.is_empty() && Instant::now() >= due {
            let (done, woken) = table.transact(|table| table.tidy(clock.now()));
            waiters.wake(woken);
            // A failure is tried again with the next round.
            untidy = done.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "old messages could not be removed");
                false
            });
            tidied = Instant::now();
            continue;
        }
        if let Some(stopped) = group(&mut table, jobs, waiters) {
            tracing::error!(error = &stopped as &dyn std::error::Error, "no more messages are taken until a restart");
            shared.state.lock().stopped = Some(stopped);
            return;
        }
    }
}

/// Carries out work that shares a transaction; why nothing more can be, if so.
fn group(table: &mut Table, jobs: Vec<Job>, waiters: &Waiters) -> Option<MessagesError> {
    let (works, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|Job { work, answer }| (work, answer)).unzip();
    let (done, woken) = table.transact(|table| works.into_iter().try_for_each(|work| work(table)));
    // Also those that had no turn: nothing of any of them was done.
    for answer in answers {
        answer(done.clone());
    }
    waiters.wake(woken);
    done.err().filter(|error| matches!(error, MessagesError::Stopped { .. }))
}
