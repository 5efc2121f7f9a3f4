//! Controllers: woken with a name only, they look, decide, act and say what they wait for.
//!
//! `observe` does all the reading, `plan` is pure and decides, `act` carries out one step and
//! decides nothing. A controller therefore works the same after a restart, and the testkit can
//! run every step twice and break every step once.

use crate::{Cx, Error, Name, Plan, Report, Store};
use async_trait::async_trait;
use kiln_clock::Timestamp;
use kiln_store::Change;
use std::fmt::Debug;

/// A kind of record, as the change feed names it: `service/thing`.
pub type RecordKind = &'static str;

/// One controller of a service. See the module's head.
#[async_trait]
pub trait Controller: Send + Sync + 'static {
    /// e.g. `autoscaling/capacity`.
    const NAME: &'static str;
    /// What it looks after, in a line: what stands in ARCHITECTURE's table.
    const ABOUT: &'static str;
    /// How the texts of its steps begin, every kind of them. A simulation leads it through each and breaks each.
    const STEPS: &'static [&'static str];
    /// The service principal it acts as, e.g. `autoscaling.amazonaws.com`.
    const ACTS_AS: &'static str;
    type Seen: Send + Sync;
    type Step: Debug + Send + Sync;

    /// The kinds of records whose changes concern it: its own records' `KIND`s, and of other services
    /// the constants in the `kinds` of their shapes.
    const WATCHES: &'static [RecordKind];
    /// How many of its passes may run at the same time. They are its own: however long they take,
    /// no other controller waits for them.
    const SLOTS: usize = 16;

    /// The things to look at after a change of a record of one of [`Controller::WATCHES`]: by its id, by
    /// what is there now, by what was there before ([`Change::before`]; a reader that lagged is not told
    /// that, so without it take in all that may be meant). Called for every such change: must be quick.
    /// After an error it is asked again, ever later, until it can say.
    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error>;
    /// Every thing, for the pass at start and the periodic full pass.
    fn all(&self, store: &Store) -> Result<Vec<Name>, Error>;
    /// Reads all that the decision needs; `None` when the thing is gone.
    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Self::Seen>, Error>;
    /// Decides. Pure.
    fn plan(&self, seen: &Self::Seen, now: Timestamp) -> Plan<Self::Step>;
    /// Carries out one step; must be safe to run twice.
    async fn act(&self, cx: &Cx, name: &Name, step: &Self::Step) -> Result<(), Error>;
}

/// What the testkit does to steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaos {
    /// Nothing: production.
    #[default]
    None,
    /// Every step runs twice.
    Twice,
    /// The step fails before it does anything.
    FailBefore,
    /// The step does its work, then its success is lost.
    FailAfter,
}

/// Asked with a step's text before the step runs.
pub type AskChaos<'a> = dyn Fn(&str) -> Chaos + Send + Sync + 'a;

/// What one pass did.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Steps taken, as text.
    pub steps: Vec<String>,
    /// `None`: the thing is gone.
    pub report: Option<Report>,
    /// The first failure.
    pub error: Option<Error>,
}

/// A controller whose types are erased, as the runner holds it.
#[async_trait]
pub trait AnyController: Send + Sync {
    fn name(&self) -> &'static str;
    fn about(&self) -> &'static str;
    fn steps(&self) -> &'static [&'static str];
    fn acts_as(&self) -> &'static str;
    fn watches(&self) -> &'static [RecordKind];
    fn slots(&self) -> usize;
    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error>;
    fn all(&self, store: &Store) -> Result<Vec<Name>, Error>;
    /// Observe, plan, act once. `chaos` is asked before each step.
    async fn pass(&self, cx: &Cx, name: &Name, chaos: &AskChaos<'_>) -> Pass;
}

#[async_trait]
impl<C: Controller> AnyController for C {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn about(&self) -> &'static str {
        C::ABOUT
    }
    fn steps(&self) -> &'static [&'static str] {
        C::STEPS
    }
    fn acts_as(&self) -> &'static str {
        C::ACTS_AS
    }
    fn watches(&self) -> &'static [RecordKind] {
        C::WATCHES
    }
    fn slots(&self) -> usize {
        C::SLOTS
    }
    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Controller::wakes(self, store, change)
    }
    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Controller::all(self, store)
    }

    async fn pass(&self, cx: &Cx, name: &Name, chaos: &AskChaos<'_>) -> Pass {
        let seen = match self.observe(cx, name).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Pass { steps: vec![], report: None, error: None },
            Err(error) => {
                let report = Report { failing: Some(error.chain()), ..Report::default() };
                return Pass { steps: vec![], report: Some(report), error: Some(error) };
            }
        };
        let mut plan = self.plan(&seen, cx.now());
        let steps: Vec<String> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
        if plan.report.next.is_empty() {
            plan.report.next = steps.clone();
        }
        cx.platform().set_report(C::NAME, name, Some(plan.report.clone()));
        let breaks: Vec<Chaos> = steps.iter().map(|text| chaos(text)).collect();
        let mut error = None;
        if plan.concurrent {
            let all = plan.steps.iter().zip(breaks).map(|(step, chaos)| one(self, cx, name, step, chaos));
            error = futures_util::future::join_all(all).await.into_iter().find_map(Result::err);
        } else {
            for (step, chaos) in plan.steps.iter().zip(breaks) {
                if let Err(failure) = one(self, cx, name, step, chaos).await {
                    error = Some(failure);
                    break;
                }
            }
        }
        let mut report = plan.report;
        // What the plan tells of an earlier failure goes on to be told while it waits for the next try.
        report.failing = error.as_ref().map(Error::chain).or(report.failing);
        Pass { steps, report: Some(report), error }
    }
}

async fn one<C: Controller>(controller: &C, cx: &Cx, name: &Name, step: &C::Step, chaos: Chaos) -> Result<(), Error> {
    let broken = |when: &str| Error::internal(format!("broken on purpose {when} {step:?}"));
    match chaos {
        Chaos::None => controller.act(cx, name, step).await,
        Chaos::Twice => {
            controller.act(cx, name, step).await?;
            controller.act(cx, name, step).await
        }
        Chaos::FailBefore => Err(broken("before")),
        Chaos::FailAfter => {
            controller.act(cx, name, step).await?;
            Err(broken("after"))
        }
    }
}
