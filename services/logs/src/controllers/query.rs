//! A query that was asked: carried through all events of its groups, until it has ended in one way or another. One that was
//! in hand when kiln was killed begins again.

use crate::asked::{self, Outcome};
use crate::events::Events;
use crate::records::{Query, QueryStatus};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use std::time::Duration;

pub struct Queries;

/// How long a query and what it came to are there. Source: CloudWatch Logs User Guide, "CloudWatch Logs quotas".
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    status: QueryStatus,
    created: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Run,
    Forget,
}

#[async_trait]
impl Controller for Queries {
    const NAME: &'static str = "logs/query";
    const ABOUT: &'static str = "one query of log events: carried out, and forgotten after a week";
    const STEPS: &'static [&'static str] = &["Run", "Forget"];
    const ACTS_AS: &'static str = "logs.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Query::KIND];
    /// Each takes a core while it runs.
    const SLOTS: usize = 4;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Query>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let query = cx.store().get::<Query>(&name.scope, &name.id)?;
        Ok(query.map(|query| Seen { status: query.status, created: query.created }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        let mut report = Report { sees: format!("a query that is {}", seen.status.name()), ..Report::default() };
        if seen.status == QueryStatus::Scheduled {
            report.wants = "what it comes to".to_owned();
            return Plan::new(vec![Step::Run], report);
        }
        let until = seen.created + KEPT;
        report.wants = "nothing more of it".to_owned();
        if now >= until {
            return Plan::new(vec![Step::Forget], report);
        }
        report.at_rest = true;
        report.waiting_for = Some(Waiting { what: "the time to forget it".to_owned(), until: Some(until) });
        Plan::rest(report)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let (scope, id) = (&name.scope, &*name.id);
        let Some(query) = cx.store().get::<Query>(scope, id)? else { return Ok(()) };
        match step {
            Step::Run if query.status != QueryStatus::Scheduled => Ok(()),
            Step::Run => {
                let events = cx.part::<Events>()?;
                let running = events.begin(id);
                let outcome = asked::run(cx, &query, running).await;
                events.ended(id);
                let Outcome { status, rows, scanned, matched, bytes } = outcome?;
                cx.store()
                    .write(|tx| {
                        // Stopped meanwhile, which stays so.
                        let Some(query) = tx.get::<Query>(scope, id)? else { return Ok(()) };
                        let mut query = (*query).clone();
                        if query.status == QueryStatus::Scheduled {
                            query.status = status;
                            query.rows = rows;
                        }
                        query.ended = Some(tx.now());
                        (query.scanned, query.matched, query.bytes) = (scanned, matched, bytes);
                        tx.put(scope, id, query)?;
                        Ok(())
                    })
                    .await
            }
            Step::Forget => {
                asked::forget(cx, scope, id)?;
                cx.store()
                    .write(|tx| {
                        tx.delete::<Query>(scope, id);
                        Ok(())
                    })
                    .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_runs_rests_and_is_forgotten() {
        let seen = |status| Seen { status, created: Timestamp(0) };
        assert_eq!(Queries.plan(&seen(QueryStatus::Scheduled), Timestamp(0)).steps, [Step::Run]);
        let week = Timestamp(0) + KEPT;
        let ended = [QueryStatus::Complete, QueryStatus::Failed, QueryStatus::Cancelled, QueryStatus::Timeout];
        for status in ended {
            assert!(Queries.plan(&seen(status), Timestamp(1)).report.at_rest);
            assert_eq!(Queries.plan(&seen(status), week).steps, [Step::Forget]);
        }
    }
}
