//! Takes images of instances: one pass per image.
//!
//! ```text
//! pending: [Stop the machine, unless NoReboot] → Capture → [Start it again] → Finish
//! failed:  [Start it again] → Release
//! ```
//!
//! While an image is being made its instance is marked `captured_by`; the instance controller
//! leaves the machine alone until Finish or Release takes the mark away, in the same transaction
//! that says what became of the image. With NoReboot the driver holds the machine still while it
//! copies.

use crate::driver::{driver, failed};
use crate::images::operations::images::failed as image_failed;
use crate::images::provided::architecture;
use crate::images::records::{Image, ImageOrigin, ImageState, Snapshot, SnapshotState};
use crate::instances::records::Instance;
use kiln_machines_spec::{MachineId, MachineStatus};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Tx, async_trait,
};
use std::time::Duration;

/// A machine has this long to shut down before its image is taken.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// The controller; it has no state.
pub struct Images;

/// What a pass looks at.
pub struct Seen {
    image: Image,
    /// The instance, if it is marked as being made into this image.
    instance: Option<Instance>,
    machine: Option<MachineStatus>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Stop,
    Capture,
    Start,
    Finish,
    Fail(String),
    Release,
}

#[async_trait]
impl Controller for Images {
    const NAME: &'static str = "ec2/image";
    const ABOUT: &'static str = "one image that is being taken of a machine";
    const STEPS: &'static [&'static str] = &["Capture", "Fail", "Finish", "Release", "Start", "Stop"];
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Image::KIND];
    const SLOTS: usize = 4;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let all = store.list_everywhere::<Image>()?;
        let unfinished = all.into_iter().filter(|(_, _, image)| image.state != ImageState::Available);
        Ok(unfinished.map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(image) = cx.store().get::<Image>(cx.scope(), &name.id)? else { return Ok(None) };
        let ImageOrigin::Instance { instance, .. } = &image.origin else { return Ok(None) };
        if image.state == ImageState::Available {
            return Ok(None);
        }
        let held = cx.store().get::<Instance>(cx.scope(), instance)?;
        let held = held.filter(|held| held.captured_by.as_ref() == Some(&image.id));
        let machine = match driver(cx)?.observe(&MachineId::new(instance.as_str())).await {
            Ok(status) => Some(status),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(failed("look at", instance, error)),
        };
        let instance = held.map(|held| Instance::clone(&held));
        Ok(Some(Seen { image: Image::clone(&image), instance, machine }))
    }

    fn plan(&self, seen: &Seen, _: Timestamp) -> Plan<Step> {
        plan(seen)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let Some(image) = cx.store().get::<Image>(cx.scope(), &name.id)? else { return Ok(()) };
        let ImageOrigin::Instance { instance, .. } = &image.origin else { return Ok(()) };
        let (driver, machine) = (driver(cx)?, MachineId::new(instance.as_str()));
        match step {
            Step::Stop => driver.stop(&machine, STOP_GRACE).await.map_err(|e| failed("stop", instance, e)),
            Step::Start => driver.start(&machine).await.map(|_| ()).map_err(|e| failed("start", instance, e)),
            Step::Capture => match driver.capture(&machine, &image.name).await {
                Ok(manifest) => {
                    change(cx, name, |image, snapshot, now| {
                        image.machine_image = Some(manifest.id.to_string());
                        image.architecture = architecture(&manifest).to_owned();
                        snapshot.machine_image = image.machine_image.clone();
                        snapshot.bytes = Some(manifest.bytes());
                        snapshot.state = SnapshotState::Completed;
                        snapshot.completed = Some(now);
                    })
                    .await
                }
                Err(error) => {
                    tracing::warn!(request_id = cx.request_id(), id = %name.id, error = error.chain(), "an image was not taken");
                    fail(cx, name, &error.told()).await
                }
            },
            Step::Fail(text) => fail(cx, name, text).await,
            Step::Finish => release(cx, name, instance, true).await,
            Step::Release => release(cx, name, instance, false).await,
        }
    }
}

/// Decides.
fn plan(seen: &Seen) -> Plan<Step> {
    let reboot = matches!(seen.image.origin, ImageOrigin::Instance { reboot: true, .. });
    let running = seen.machine.as_ref().is_some_and(MachineStatus::is_running);
    let captured = seen.image.machine_image.is_some();
    let mut steps = vec![];
    match (seen.image.state, &seen.instance, &seen.machine) {
        (ImageState::Available, _, _) | (ImageState::Failed, None, _) => {}
        (ImageState::Failed, Some(_), machine) => {
            if reboot && machine.is_some() && !running {
                steps.push(Step::Start);
            }
            steps.push(Step::Release);
        }
        (ImageState::Pending, _, _) if captured => {
            if reboot && seen.instance.is_some() && !running {
                steps.push(Step::Start);
            }
            steps.push(Step::Finish);
        }
        (ImageState::Pending, Some(_), Some(_)) => {
            if reboot && running {
                steps.push(Step::Stop);
            }
            // What follows is decided when it is known how the capture went.
            steps.push(Step::Capture);
        }
        (ImageState::Pending, _, _) => {
            steps.push(Step::Fail("its instance has no machine any more".to_owned()));
        }
    }
    let report = Report {
        sees: format!("{}, its machine {}", seen.image.state.name(), if running { "runs" } else { "does not run" }),
        wants: "the image taken, and the machine as it was".to_owned(),
        at_rest: steps.is_empty(),
        ..Report::default()
    };
    Plan::new(steps, report)
}

async fn fail(cx: &Cx, name: &Name, text: &str) -> Result<(), Error> {
    change(cx, name, |image, snapshot, _| {
        image.state = ImageState::Failed;
        image.reason = Some(image_failed(text));
        snapshot.state = SnapshotState::Error;
        snapshot.state_message = Some(text.to_owned());
    })
    .await
}

/// Changes an unfinished image and its snapshot together.
async fn change(cx: &Cx, name: &Name, with: impl Fn(&mut Image, &mut Snapshot, Timestamp)) -> Result<(), Error> {
    let write = |tx: &mut Tx| -> Result<(), Error> {
        let Some(found) = tx.get::<Image>(cx.scope(), &name.id)? else { return Ok(()) };
        let mut image = Image::clone(&found);
        let Some(found) = tx.get::<Snapshot>(cx.scope(), &image.snapshot)? else { return Ok(()) };
        let mut snapshot = Snapshot::clone(&found);
        if image.state != ImageState::Pending {
            return Ok(());
        }
        with(&mut image, &mut snapshot, tx.now());
        let id = image.snapshot.clone();
        tx.put_if_changed(cx.scope(), &id, snapshot)?;
        tx.put_if_changed(cx.scope(), &name.id, image)?;
        Ok(())
    };
    cx.store().write(write).await
}

/// Gives the machine back to its instance; with `finish` the image becomes available.
async fn release(cx: &Cx, name: &Name, instance: &str, finish: bool) -> Result<(), Error> {
    // The machine may have been booted again on the way.
    let boots = match driver(cx)?.observe(&MachineId::new(instance)).await {
        Ok(status) => Some(status.boots),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(failed("look at", instance, error)),
    };
    let write = |tx: &mut Tx| -> Result<(), Error> {
        if let Some(found) = tx.get::<Instance>(cx.scope(), instance)?
            && found.captured_by.as_ref().is_some_and(|image| *image == *name.id)
        {
            let mut held = Instance::clone(&found);
            held.captured_by = None;
            held.boots = boots.unwrap_or(held.boots);
            tx.put(cx.scope(), instance, held)?;
        }
        if let Some(found) = tx.get::<Image>(cx.scope(), &name.id)?
            && finish
            && found.state == ImageState::Pending
        {
            let image = Image { state: ImageState::Available, ..Image::clone(&found) };
            tx.put(cx.scope(), &name.id, image)?;
        }
        Ok(())
    };
    cx.store().write(write).await
}
