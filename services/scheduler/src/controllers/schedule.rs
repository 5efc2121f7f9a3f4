//! Schedules: when one is due, its target is told and the next time is kept, in one transaction. What was due while kiln was
//! not running is told once. One that has no next time goes, if it was to.

use crate::PRINCIPAL;
use crate::records::Schedule;
use crate::{tell, times};
use kiln_delivery::deliver_if_it_fits;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use std::sync::Arc;

pub struct Schedules;

#[derive(Debug)]
pub enum Step {
    /// Tell that this time has come.
    Fire(Timestamp),
    /// Take away what is over.
    Remove,
}

/// Whether it is over and was to go.
fn is_over(schedule: &Schedule) -> bool {
    schedule.due.is_none() && schedule.set.enabled && schedule.set.deletes_itself
}

#[async_trait]
impl Controller for Schedules {
    const NAME: &'static str = "scheduler/schedule";
    const ABOUT: &'static str = "one schedule: its target is told when it is due";
    const STEPS: &'static [&'static str] = &["Fire", "Remove"];
    const ACTS_AS: &'static str = PRINCIPAL;
    type Seen = Arc<Schedule>;
    type Step = Step;

    const WATCHES: &'static [RecordKind] = &[Schedule::KIND];

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let found = store.get::<Schedule>(&change.scope, &change.id)?;
        let concerns = found.is_some_and(|schedule| schedule.due.is_some() || is_over(&schedule));
        Ok(if concerns { vec![Name::new(&change.scope, change.id.clone())] } else { vec![] })
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let all = store.list_everywhere::<Schedule>()?.into_iter();
        let all = all.filter(|(_, _, schedule)| schedule.due.is_some() || is_over(schedule));
        Ok(all.map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Self::Seen>, Error> {
        let found = cx.store().get::<Schedule>(cx.scope(), &name.id)?;
        Ok(found.filter(|schedule| schedule.due.is_some() || is_over(schedule)))
    }

    fn plan(&self, seen: &Self::Seen, now: Timestamp) -> Plan<Self::Step> {
        let report = Report { wants: format!("{} on time", seen.set.expression), ..Report::default() };
        match seen.due {
            Some((due, told)) if told <= now => Plan::new(vec![Step::Fire(due)], report),
            Some((_, told)) => {
                let waiting_for = Some(Waiting { what: "its time".to_owned(), until: Some(told) });
                Plan::rest(Report { waiting_for, at_rest: true, ..report })
            }
            None => Plan::new(vec![Step::Remove], report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Self::Step) -> Result<(), Error> {
        cx.store()
            .write(|tx| {
                let Some(schedule) = tx.get::<Schedule>(cx.scope(), &name.id)? else { return Ok(()) };
                match step {
                    // Told already, or not to be told any more.
                    Step::Fire(at) if schedule.due.is_none_or(|(due, _)| due != *at) => Ok(()),
                    Step::Fire(at) => {
                        // What is at hand is told before it is said when next; a target that takes nothing more is not
                        // told, and the schedule goes on.
                        deliver_if_it_fits(tx, cx.scope(), tell::note(cx, &schedule, *at)?)?;
                        let due = times::next(&schedule.set, schedule.made, tx.now(), cx.ids())?;
                        Ok(tx.put(cx.scope(), &name.id, Schedule { due, ..(*schedule).clone() })?)
                    }
                    Step::Remove => {
                        if is_over(&schedule) {
                            tx.delete::<Schedule>(cx.scope(), &name.id);
                        }
                        Ok(())
                    }
                }
            })
            .await
    }
}
