//! The events of a stream that is gone: removed from the journal, and then forgotten.

use crate::events::{Disk, Events};
use crate::records::Discarded;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, async_trait,
};

pub struct DiscardedEvents;

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Remove,
}

#[async_trait]
impl Controller for DiscardedEvents {
    const NAME: &'static str = "logs/discarded";
    const ABOUT: &'static str = "the log events of one stream that is gone, until they are removed";
    const STEPS: &'static [&'static str] = &["Remove"];
    const ACTS_AS: &'static str = "logs.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Discarded::KIND];
    const SLOTS: usize = 2;
    type Seen = ();
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Discarded>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<()>, Error> {
        Ok(cx.store().get::<Discarded>(&name.scope, &name.id)?.map(|_| ()))
    }

    fn plan(&self, (): &(), _: Timestamp) -> Plan<Step> {
        let sees = "events of a stream that is gone".to_owned();
        Plan::new(vec![Step::Remove], Report { sees, wants: "to remove them".to_owned(), ..Report::default() })
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let Step::Remove = step;
        let (events, stream) = (cx.part::<Events>()?, name.id.to_string());
        Disk::without_keys(cx, &name.scope).off(move |disk| events.remove(disk, &stream, None)).await?;
        cx.store()
            .write(|tx| {
                tx.delete::<Discarded>(&name.scope, &name.id);
                Ok(())
            })
            .await
    }
}
