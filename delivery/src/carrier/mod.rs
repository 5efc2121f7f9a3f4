//! Who carries notes: one task that knows what waits (`lanes.rs`), and one for each attempt in hand.
//!
//! ```text
//! start: every note there is ──> lanes        feed of the store: notes made since ──> lanes
//! lanes.begin(now) ──> attempt: read the note again, carry it (Road), then one transaction:
//!     taken             the note is taken away (a mail is put into its box with the same commit)
//!     not now           tries and the time of the next are written down
//!     never, or too often or too old   away, and to the dead-letter queue if there is one
//! ```
//! All that has to be remembered is in the note, so that a start after `kill -9` begins where it ended. The task itself
//! holds a hundred bytes for each note, and bodies only of those in hand.

mod carried;
mod http;
mod inside;
mod lanes;
mod letter;
mod meter;
mod road;
mod role;

pub use carried::Carried;
#[cfg(test)]
pub(crate) use http::post;
pub use inside::tell_now;
pub use meter::Delivered;
pub use road::Road;
pub use role::may_assume;

use crate::{Address, Note, Parcel, Policy, Undelivered, bounds, mail};
use futures_util::FutureExt;
use kiln_service_kit::{BoxFuture, Error, Op, Platform, Record, Scope, StoreError, Timestamp, one_line};
use lanes::{LaneId, Lanes, NoteId};
use road::Roads;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// How long is waited after a failure of kiln's own (a full disk) before an attempt is told of or made again.
const UNTOLD: Duration = Duration::from_secs(1);

/// What is kept of a failure's words.
const WORDS: usize = 300;

/// Starts carrying, for `Service::start`.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    async move {
        let delivered = Carrier::begin(platform.clone(), Arc::new(Roads));
        kiln_meters::start(&platform, delivered)
    }
    .boxed()
}

/// Carries notes until its runtime ends.
pub struct Carrier {
    platform: Arc<Platform>,
    road: Arc<dyn Road>,
    delivered: Delivered,
}

/// An attempt ended.
struct Done {
    note: NoteId,
    taken: Option<bool>,
    again: Option<Timestamp>,
}

impl Carrier {
    /// Begins, on a road of the caller's; what counts how deliveries end.
    pub fn begin(platform: Arc<Platform>, road: Arc<dyn Road>) -> Delivered {
        let delivered = Delivered::default();
        tokio::spawn(Arc::new(Self { platform, road, delivered: delivered.clone() }).run());
        delivered
    }

    async fn run(self: Arc<Self>) {
        // Subscribed before the first look: no note can fall between the two.
        let mut feed = self.platform.store().feed();
        let (tell, mut told) = mpsc::unbounded_channel::<Done>();
        let mut lanes = Lanes::default();
        let mut whole = true;
        loop {
            if whole {
                whole = !self.look(&mut lanes);
            }
            let now = self.platform.clock().now();
            for note in lanes.begin(now) {
                tokio::spawn(self.clone().attempt(note, tell.clone()));
            }
            let next = lanes.next().map(|next| next.since(self.platform.clock().now()));
            let wait = match whole {
                true => Some(UNTOLD),
                false => next,
            };
            tokio::select! {
                done = told.recv() => {
                    // The sender is held here: there is always one.
                    if let Some(done) = done {
                        lanes.done(&done.note, done.taken, done.again);
                    }
                    while let Ok(done) = told.try_recv() {
                        lanes.done(&done.note, done.taken, done.again);
                    }
                }
                commit = feed.recv() => match commit {
                    Ok(commit) => {
                        let notes = commit.changes.iter().filter(|change| &*change.kind == Undelivered::KIND && change.op == Op::Put);
                        for change in notes {
                            self.add(&mut lanes, &change.scope, &change.id);
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => whole = true,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {}
            }
        }
    }

    /// Takes in every note there is; whether that could be done.
    fn look(&self, lanes: &mut Lanes) -> bool {
        match self.platform.store().list_everywhere::<Undelivered>() {
            Ok(all) => {
                for (scope, id, waiting) in all {
                    put_in(lanes, &scope, &id, &waiting);
                }
                true
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot read what waits to be delivered");
                false
            }
        }
    }

    fn add(&self, lanes: &mut Lanes, scope: &Scope, id: &Arc<str>) {
        match self.platform.store().get::<Undelivered>(scope, id) {
            Ok(Some(waiting)) => put_in(lanes, scope, id, &waiting),
            // Delivered meanwhile.
            Ok(None) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, %id, "a note to be delivered does not read");
            }
        }
    }

    /// One attempt, from the note as it is now to what becomes of it.
    async fn attempt(self: Arc<Self>, note: NoteId, tell: mpsc::UnboundedSender<Done>) {
        let tried = AssertUnwindSafe(self.tried(&note)).catch_unwind().await;
        let tried = tried.unwrap_or_else(|_| Err(Error::internal("an attempt to deliver broke off")));
        let (taken, again) = tried.unwrap_or_else(|error| {
            tracing::error!(error = error.chain(), id = %note.1, "cannot write down what became of a delivery");
            (None, Some(self.platform.clock().now() + UNTOLD))
        });
        // With no task there is nobody to tell, and the note is still there.
        let _ = tell.send(Done { note, taken, again });
    }

    async fn tried(&self, (scope, id): &NoteId) -> Result<(Option<bool>, Option<Timestamp>), Error> {
        let store = self.platform.store();
        let Some(waiting) = store.get::<Undelivered>(scope, id)? else { return Ok((None, None)) };
        if let Address::Mailbox(_) = waiting.note.to {
            self.put_mail(scope, id, &waiting).await?;
            self.delivered.count(scope, &waiting.note, true);
            return Ok((Some(true), None));
        }
        let carried = self.road.carry(&self.platform, scope, &waiting).await;
        let now = self.platform.clock().now();
        let (why, over) = match carried {
            Carried::Taken => {
                store.write::<_, Error>(|tx| Ok(bounds::take(tx, scope, id)?)).await?;
                self.delivered.count(scope, &waiting.note, true);
                return Ok((Some(true), None));
            }
            Carried::Later(why) => (why, false),
            Carried::Never(why) => (why, true),
        };
        let why = one_line(&why, WORDS).into_owned();
        let tries = waiting.tries + 1;
        let chance = self.platform.ids().below(1_000);
        let delay = waiting.note.policy.delay(tries, chance);
        let delay = delay.filter(|delay| !over && !waiting.note.policy.is_too_old(now.since(waiting.noted) + *delay));
        match delay {
            Some(delay) => {
                let due = now + delay;
                store
                    .write::<_, StoreError>(|tx| {
                        let next = Undelivered { due, tries, failed: Some(why), ..(*waiting).clone() };
                        if tx.get::<Undelivered>(scope, id)?.is_some() { tx.put(scope, id, next) } else { Ok(()) }
                    })
                    .await?;
                Ok((Some(false), Some(due)))
            }
            None => {
                self.give_up(scope, id, &waiting, tries, &why).await?;
                Ok((Some(false), None))
            }
        }
    }

    async fn put_mail(&self, scope: &Scope, id: &Arc<str>, waiting: &Undelivered) -> Result<(), Error> {
        let history = self.platform.history();
        let old = self.platform.store().write::<_, Error>(|tx| match bounds::take(tx, scope, id)? {
            true => mail::put(tx, history, scope, &format!("m-{}", self.platform.ids().hex(12)), waiting),
            false => Ok(None),
        });
        match old.await? {
            Some(until) => mail::forget(history, &until),
            None => Ok(()),
        }
    }

    async fn give_up(
        &self,
        scope: &Scope,
        id: &Arc<str>,
        waiting: &Undelivered,
        tries: u32,
        why: &str,
    ) -> Result<(), Error> {
        let Note { to, by, source_arn, parcel, dead_letter, .. } = &waiting.note;
        let letter = dead_letter.as_ref().map(|queue| Note {
            to: Address::Queue(queue.clone()),
            by: by.clone(),
            source_arn: source_arn.clone(),
            parcel: Parcel {
                headers: vec![],
                subject: None,
                sender: None,
                letter: None,
                attributes: letter::attributes(waiting, tries, why),
                ..parcel.clone()
            },
            policy: Policy::INSIDE,
            dead_letter: None,
        });
        let to_queue = letter.is_some();
        let given_up = self.platform.store().write::<_, Error>(|tx| {
            if bounds::take(tx, scope, id)?
                && let Some(letter) = letter
            {
                bounds::deliver(tx, scope, letter)?;
            }
            Ok(())
        });
        given_up.await?;
        self.delivered.count(scope, &waiting.note, false);
        tracing::warn!(to = to.lane(), source = %source_arn, tries, to_queue, why, "a delivery is given up");
        Ok(())
    }
}

fn put_in(lanes: &mut Lanes, scope: &Scope, id: &Arc<str>, waiting: &Undelivered) {
    let to = &waiting.note.to;
    let lane: LaneId = (scope.account.clone(), to.lane().into());
    let pace = waiting.note.policy.per_second.map(|most| Duration::from_secs(1) / most.max(1));
    lanes.add(&lane, to.is_inside(), (scope.clone(), id.clone()), waiting.due, pace);
}
