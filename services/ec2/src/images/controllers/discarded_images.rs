//! Removes the bytes of images whose last snapshot is gone: one pass per image of the driver.

use crate::driver::{driver, failed};
use crate::images::records::{DiscardedImage, Snapshot};
use crate::instances::records::Instance;
use kiln_machines_spec::ImageId;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};

/// The controller; it has no state.
pub struct DiscardedImages;

/// What a pass looks at.
pub struct Seen {
    /// A snapshot (in any account and region) that still holds it.
    snapshot: Option<String>,
    /// An instance made of it.
    instance: Option<String>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Delete,
    Forget,
}

#[async_trait]
impl Controller for DiscardedImages {
    const NAME: &'static str = "ec2/discarded-image";
    const ABOUT: &'static str = "the bytes of an image that is given up, once nothing is made of it";
    const STEPS: &'static [&'static str] = &["Delete", "Forget"];
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[DiscardedImage::KIND, Instance::KIND];
    const SLOTS: usize = 4;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        match change.is::<DiscardedImage>() {
            true => Ok(vec![Name::new(&change.scope, change.id.clone())]),
            // An instance that is gone may have been the last one of a discarded image.
            false => self.all(store),
        }
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<DiscardedImage>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        if cx.store().get::<DiscardedImage>(cx.scope(), &name.id)?.is_none() {
            return Ok(None);
        }
        // Its bytes go when nobody needs them: one that does not read and names it may.
        let store = cx.store().whole();
        let snapshots = store.by_key_everywhere::<Snapshot>("machine image", &name.id)?;
        let instances = store.by_key_everywhere::<Instance>("machine image", &name.id)?;
        Ok(Some(Seen {
            snapshot: snapshots.first().map(|(_, id, _)| id.to_string()),
            instance: instances.iter().find(|(_, _, i)| !i.is_terminated()).map(|(_, id, _)| id.to_string()),
        }))
    }

    fn plan(&self, seen: &Seen, _: Timestamp) -> Plan<Step> {
        let (sees, steps, waiting) = match (&seen.snapshot, &seen.instance) {
            (Some(snapshot), _) => (format!("{snapshot} still holds it"), vec![Step::Forget], None),
            (None, Some(instance)) => (format!("{instance} is made of it"), vec![], Some(instance)),
            (None, None) => ("nobody needs it".to_owned(), vec![Step::Delete, Step::Forget], None),
        };
        let waiting_for = waiting.map(|instance| Waiting { what: format!("{instance} to be terminated"), until: None });
        Plan::new(steps, Report { sees, wants: "its bytes freed".to_owned(), waiting_for, ..Report::default() })
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        match step {
            Step::Delete => {
                let image = ImageId::new(&*name.id);
                driver(cx)?.delete_image(&image).await.map_err(|e| failed("delete", &name.id, e))
            }
            Step::Forget => {
                cx.store()
                    .write(|tx| -> Result<_, Error> {
                        tx.delete::<DiscardedImage>(cx.scope(), &name.id);
                        Ok(())
                    })
                    .await
            }
        }
    }
}
