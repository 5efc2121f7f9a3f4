//! A service with one kind of thing and one controller: a pot that is to be filled cup by cup.

use kiln_protocol::ServiceModel;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Service, Store, Timestamp, Waiting,
    async_trait,
};
use kiln_testkit::{Builder, Testkit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pot {
    pub wanted: u32,
    pub cups: u32,
    /// A failing controller notes its tries here.
    pub tries: u32,
}

impl Record for Pot {
    const KIND: &'static str = "toy/pot";
}

/// What a pot is taken for that cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lid {
    of: String,
}

impl Record for Lid {
    const KIND: &'static str = Pot::KIND;
}

/// How the controller behaves.
#[derive(Clone)]
pub enum Manner {
    /// Fills cup after cup, each taking that long.
    Works(Duration),
    /// Its first steps fail, that many.
    Fails(u32),
    /// Its steps fail for ever, and it writes down each try.
    FailsAndWrites,
    /// Adds a cup per step without looking whether that step was done.
    Miscounts,
    /// Does something in every pass.
    Restless,
    /// Fills the pot when it has waited that long.
    Waits(Duration),
    /// Fills the pot when the flag is up, which nobody tells it.
    Watches(Arc<AtomicBool>),
    /// Lists nothing: what no change tells of is never looked at.
    KnowsChangesOnly,
    /// Cannot say whom a change wakes, that many times, and lists nothing.
    CannotJudge(Arc<AtomicU32>),
    /// Cannot read what was there before a change, and lists nothing.
    CannotReadBefore,
}

/// What the controller did, for the test to read.
#[derive(Default)]
pub struct Seen {
    pub passes: Mutex<Vec<(Timestamp, String)>>,
    pub acts: Mutex<Vec<Timestamp>>,
    running: Mutex<BTreeMap<String, u32>>,
    pub most_at_once: AtomicU32,
    pub most_at_once_per_name: AtomicU32,
}

#[derive(Clone)]
pub struct Toy {
    pub manner: Manner,
    pub seen: Arc<Seen>,
}

impl Toy {
    pub fn new(manner: Manner) -> Self {
        Self { manner, seen: Arc::default() }
    }

    /// Beside the other controller, whose every pass takes for ever.
    pub fn platform_with_stuck(&self) -> Builder {
        let mut service = Service::new(&MODEL, &[]);
        service.controllers.push(Arc::new(Stuck));
        service.controllers.push(Arc::new(self.clone()));
        Testkit::new(1).service(service)
    }

    pub fn platform(&self) -> Builder {
        let mut service = Service::new(&MODEL, &[]);
        service.controllers.push(Arc::new(self.clone()));
        Testkit::new(1).service(service)
    }

    /// How many passes looked at the pot.
    pub fn passes(&self, id: &str) -> usize {
        self.seen.passes.lock().unwrap().iter().filter(|(_, of)| of == id).count()
    }
}

static MODEL: ServiceModel = ServiceModel { api_version: "2026-01-01", ..ServiceModel::named("toy") };

/// Writes a pot down.
pub async fn put(kit: &Testkit, id: &str, wanted: u32) {
    let pot = Pot { wanted, cups: 0, tries: 0 };
    let written = kit.store().write::<_, Error>(|tx| Ok(tx.put(&kit.scope(), id, pot.clone())?)).await;
    written.expect("written");
}

pub fn cups(kit: &Testkit, id: &str) -> u32 {
    kit.store().get::<Pot>(&kit.scope(), id).expect("readable").expect("there").cups
}

#[derive(Debug)]
pub enum Step {
    Fill { cup: u32 },
    Stir,
}

#[async_trait]
impl Controller for Toy {
    const NAME: &'static str = "toy/fill";
    const ABOUT: &'static str = "one pot";
    const STEPS: &'static [&'static str] = &["Fill", "Stir"];
    const ACTS_AS: &'static str = "toy.example";
    const WATCHES: &'static [RecordKind] = &[Pot::KIND];
    type Seen = Pot;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        if let Manner::CannotJudge(times) = &self.manner
            && times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            return Err(Error::internal("the store is away"));
        }
        if matches!(self.manner, Manner::CannotReadBefore) {
            change.before::<Lid>()?;
        }
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        if matches!(self.manner, Manner::KnowsChangesOnly | Manner::CannotJudge(_) | Manner::CannotReadBefore) {
            return Ok(vec![]);
        }
        let pots = store.list_everywhere::<Pot>()?;
        Ok(pots.into_iter().map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Pot>, Error> {
        self.seen.passes.lock().unwrap().push((cx.now(), name.id.to_string()));
        Ok(cx.store().get::<Pot>(cx.scope(), &name.id)?.map(|pot| pot.as_ref().clone()))
    }

    fn plan(&self, pot: &Pot, now: Timestamp) -> Plan<Step> {
        let report =
            Report { sees: format!("{} cups", pot.cups), wants: format!("{}", pot.wanted), ..Report::default() };
        let began = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let wait = |what: &str, until| {
            let waiting_for = Some(Waiting { what: what.to_owned(), until });
            Plan::rest(Report { waiting_for, ..report.clone() })
        };
        match &self.manner {
            Manner::Restless => Plan::new(vec![Step::Stir], report),
            Manner::Waits(time) if now.since(began) < *time => wait("the kettle", Some(began + *time)),
            Manner::Watches(flag) if !flag.load(Ordering::Relaxed) => wait("the flag", None),
            _ if pot.cups < pot.wanted => Plan::new(vec![Step::Fill { cup: pot.cups + 1 }], report),
            _ => Plan::rest(report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        self.seen.acts.lock().unwrap().push(cx.now());
        let now_running = {
            let mut running = self.seen.running.lock().unwrap();
            let of_this = running.entry(name.id.to_string()).or_default();
            *of_this += 1;
            self.seen.most_at_once_per_name.fetch_max(*of_this, Ordering::Relaxed);
            running.values().sum()
        };
        self.seen.most_at_once.fetch_max(now_running, Ordering::Relaxed);
        let outcome = self.fill(cx, name, step).await;
        *self.seen.running.lock().unwrap().entry(name.id.to_string()).or_default() -= 1;
        outcome
    }
}

impl Toy {
    async fn fill(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let Step::Fill { cup } = step else { return Ok(()) };
        let tries = self.seen.acts.lock().unwrap().len() as u32;
        match &self.manner {
            Manner::Works(time) => tokio::time::sleep(*time).await,
            Manner::Fails(times) if tries <= *times => return Err(Error::internal("no water")),
            _ => {}
        }
        cx.store()
            .write(|tx| {
                let Some(pot) = tx.get::<Pot>(cx.scope(), &name.id)? else { return Ok(()) };
                let mut pot = pot.as_ref().clone();
                match self.manner {
                    Manner::FailsAndWrites => pot.tries += 1,
                    Manner::Miscounts => pot.cups += 1,
                    _ => pot.cups = *cup,
                }
                tx.put(cx.scope(), &name.id, pot)?;
                Ok::<_, Error>(())
            })
            .await?;
        match self.manner {
            Manner::FailsAndWrites => Err(Error::internal("still no water")),
            _ => Ok(()),
        }
    }
}

/// A controller of pots whose passes never end.
struct Stuck;

#[async_trait]
impl Controller for Stuck {
    const NAME: &'static str = "toy/stuck";
    const ABOUT: &'static str = "one pot, for ever";
    const STEPS: &'static [&'static str] = &[];
    const ACTS_AS: &'static str = "toy.example";
    const WATCHES: &'static [RecordKind] = &[Pot::KIND];
    type Seen = ();
    type Step = ();

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, _: &Store) -> Result<Vec<Name>, Error> {
        Ok(vec![])
    }

    async fn observe(&self, _: &Cx, _: &Name) -> Result<Option<()>, Error> {
        std::future::pending().await
    }

    fn plan(&self, (): &(), _: Timestamp) -> Plan<()> {
        Plan::rest(Report::default())
    }

    async fn act(&self, _: &Cx, _: &Name, (): &()) -> Result<(), Error> {
        Ok(())
    }
}
