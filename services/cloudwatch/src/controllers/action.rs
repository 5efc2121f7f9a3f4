//! One action on instances that an alarm set in motion: carried out by EC2's public operations, tried again when Kiln
//! fails, given up when EC2 refuses it; history tells which.

use crate::alarms::actions::{self, Ec2Action};
use crate::alarms::told::acted_for;
use crate::records::Action;
use kiln_ec2_shapes::{RebootInstancesRequest, StopInstancesRequest, TerminateInstancesRequest};
use kiln_service_kit::*;
use std::sync::Arc;
use std::time::Duration;

/// Carries out actions on instances.
pub struct Actions;

#[derive(Debug, Clone)]
pub enum Step {
    CarryOut,
}

/// Tries, with twice the time between them each time: 12 are about an hour.
const TRIES: u32 = 12;

#[async_trait]
impl Controller for Actions {
    const NAME: &'static str = "cloudwatch/action";
    const ABOUT: &'static str = "one action on instances that an alarm set in motion, until EC2 took or refused it";
    const STEPS: &'static [&'static str] = &["CarryOut"];
    const ACTS_AS: &'static str = actions::PRINCIPAL;
    type Seen = Arc<Action>;
    type Step = Step;
    const WATCHES: &'static [RecordKind] = &[Action::KIND];

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Action>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Arc<Action>>, Error> {
        Ok(cx.store().get::<Action>(&name.scope, &name.id)?)
    }

    fn plan(&self, seen: &Arc<Action>, now: Timestamp) -> Plan<Step> {
        let mut report = Report {
            sees: format!("{} for the alarm {}, tried {} times", seen.arn, seen.alarm, seen.tries),
            wants: "it to be carried out".to_owned(),
            failing: seen.failed.clone(),
            ..Report::default()
        };
        if now < seen.due {
            report.waiting_for = Some(Waiting { what: "the next try".to_owned(), until: Some(seen.due) });
            return Plan::rest(report);
        }
        Plan::new(vec![Step::CarryOut], report)
    }

    async fn act(&self, cx: &Cx, name: &Name, _: &Step) -> Result<(), Error> {
        let Some(action) = cx.store().get::<Action>(&name.scope, &name.id)? else { return Ok(()) };
        let done = carry_out(cx, &action).await;
        if let Err(error) = &done
            && error.fault == Fault::Receiver
            && action.tries < TRIES
        {
            let again = cx.now() + Duration::from_secs(1 << action.tries.min(12));
            let tried = Action {
                tries: action.tries + 1,
                due: again,
                failed: Some(error.message.clone()),
                ..(*action).clone()
            };
            return cx.store().write(|tx| Ok(tx.put(&name.scope, &name.id, tried)?)).await;
        }
        let failed = done.err().map(|error| error.message);
        cx.store()
            .write(|tx| {
                if tx.delete::<Action>(&name.scope, &name.id) {
                    acted_for(tx, cx, (&action.alarm, &action.alarm_type), &action.arn, failed.as_deref())?;
                }
                Ok(())
            })
            .await
    }
}

async fn carry_out(cx: &Cx, action: &Action) -> Result<(), Error> {
    let instance_ids = action.instances.clone();
    match actions::ec2(&action.arn) {
        Some(Ec2Action::Stop) => drop(cx.call(StopInstancesRequest { instance_ids, ..Default::default() }).await?),
        Some(Ec2Action::Terminate) => {
            drop(cx.call(TerminateInstancesRequest { instance_ids, ..Default::default() }).await?);
        }
        Some(Ec2Action::Reboot) => {
            cx.call(RebootInstancesRequest { instance_ids, ..Default::default() }).await?;
        }
        None => return Err(Error::not_built(format!("the alarm action {}", action.arn))),
    }
    Ok(())
}
