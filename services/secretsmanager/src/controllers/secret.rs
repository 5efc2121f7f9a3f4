//! A secret that somebody has deleted: it goes for good when its recovery window is over. Until then all of it is there, and
//! RestoreSecret takes the deletion back.

use crate::operations::delete::remove;
use crate::records::Secret;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};

pub struct Secrets;

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Delete,
}

#[async_trait]
impl Controller for Secrets {
    const NAME: &'static str = "secretsmanager/secret";
    const ABOUT: &'static str = "one secret: gone for good once its recovery window is over";
    const STEPS: &'static [&'static str] = &["Delete"];
    const ACTS_AS: &'static str = "secretsmanager.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Secret::KIND];
    const SLOTS: usize = 4;
    /// When it goes; none: it stays.
    type Seen = Option<Timestamp>;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Secret>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Option<Timestamp>>, Error> {
        Ok(cx.store().get::<Secret>(&name.scope, &name.id)?.map(|secret| secret.deleted))
    }

    fn plan(&self, deleted: &Option<Timestamp>, now: Timestamp) -> Plan<Step> {
        let mut report = Report { at_rest: true, ..Report::default() };
        let Some(at) = *deleted else {
            report.sees = "a secret that is used".to_owned();
            report.wants = "nothing more of it".to_owned();
            return Plan::rest(report);
        };
        report.sees = "a secret that was deleted".to_owned();
        report.wants = format!("it gone for good at {}", at.iso8601());
        if now >= at {
            report.at_rest = false;
            return Plan::new(vec![Step::Delete], report);
        }
        report.waiting_for = Some(Waiting { what: "the end of its recovery window".to_owned(), until: Some(at) });
        Plan::rest(report)
    }

    async fn act(&self, cx: &Cx, name: &Name, _: &Step) -> Result<(), Error> {
        let now = cx.now();
        cx.store()
            .write(|tx| {
                // Taken back meanwhile, or gone.
                let Some(secret) = tx.get::<Secret>(&name.scope, &name.id)? else { return Ok(()) };
                if secret.deleted.is_some_and(|at| at <= now) {
                    remove(tx, &name.scope, &secret);
                }
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_secret_waits_for_its_time() {
        let at = Timestamp(1_000_000);
        assert!(Secrets.plan(&None, at).steps.is_empty());
        let waits = Secrets.plan(&Some(at), Timestamp(999_999));
        assert_eq!((waits.steps.len(), waits.report.waiting_for.and_then(|waits| waits.until)), (0, Some(at)));
        assert_eq!(Secrets.plan(&Some(at), at).steps, [Step::Delete]);
    }
}
