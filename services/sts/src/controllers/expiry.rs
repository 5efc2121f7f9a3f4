//! Forgets temporary credentials some time after they ended, so that the store does not grow. Until
//! then a late request is told that its token has expired; afterwards that it is unknown.

use crate::records::{Session, everywhere};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use std::time::Duration;

/// How long the end is remembered: one day.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

pub struct Expiry;

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Forget,
}

#[async_trait]
impl Controller for Expiry {
    const NAME: &'static str = "sts/expiry";
    const ABOUT: &'static str = "temporary credentials: forgotten a day after their end";
    const STEPS: &'static [&'static str] = &["Forget"];
    const ACTS_AS: &'static str = "sts.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Session::KIND];
    const SLOTS: usize = 4;
    type Seen = Timestamp;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids::<Session>(&everywhere()).into_iter().map(|id| Name::new(&everywhere(), id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Timestamp>, Error> {
        Ok(cx.store().get::<Session>(&everywhere(), &name.id)?.map(|session| session.expires))
    }

    fn plan(&self, expires: &Timestamp, now: Timestamp) -> Plan<Step> {
        let forget = *expires + REMEMBERED;
        let mut report = Report {
            sees: format!("credentials that end at {}", expires.iso8601()),
            wants: format!("to forget them at {}", forget.iso8601()),
            ..Report::default()
        };
        if now >= forget {
            return Plan::new(vec![Step::Forget], report);
        }
        report.at_rest = true;
        report.waiting_for = Some(Waiting { what: "the time to forget them".to_owned(), until: Some(forget) });
        Plan::rest(report)
    }

    async fn act(&self, cx: &Cx, name: &Name, _: &Step) -> Result<(), Error> {
        cx.store()
            .write(|tx| {
                tx.delete::<Session>(&everywhere(), &name.id);
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_forgotten_a_day_after_their_end() {
        let end = Timestamp(1_000_000);
        let before = Expiry.plan(&end, end);
        assert!(before.steps.is_empty());
        assert_eq!(before.report.waiting_for.and_then(|w| w.until), Some(end + REMEMBERED));
        assert_eq!(Expiry.plan(&end, end + REMEMBERED).steps, [Step::Forget]);
    }
}
