//! The controller `autoscaling/group`.
//!
//! It is woken by every change of its group, of one of its instances (Auto Scaling's own record or
//! EC2's) and of the health of one of its targets, so that a dead machine is replaced as soon as
//! EC2 has noticed; there are no polling intervals.

use super::plan::{Seen, Step, plan};
use super::{act, observe};
use crate::records::{Group, Member};
use kiln_service_kit::{Change, Controller, Cx, Error, Name, Plan, Record, Store, Timestamp, async_trait};

pub struct GroupController;

#[async_trait]
impl Controller for GroupController {
    const NAME: &'static str = "autoscaling/group";
    const ACTS_AS: &'static str = "autoscaling.amazonaws.com";
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Vec<Name> {
        let instance = match &*change.kind {
            Group::KIND => return vec![Name::new(&change.scope, change.id.clone())],
            Member::KIND | "ec2/instance" => &*change.id,
            // target group's ARN | target's id | port
            "elbv2/target-health" => match change.id.split('|').nth(1) {
                Some(instance) => instance,
                None => return vec![],
            },
            _ => return vec![],
        };
        match store.get::<Member>(&change.scope, instance) {
            Ok(Some(member)) => vec![Name::new(&change.scope, member.group.as_str())],
            Ok(None) => vec![],
            Err(error) => {
                tracing::error!(%error, instance, "cannot read which group an instance belongs to");
                vec![]
            }
        }
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let groups = store.list_everywhere::<Group>()?;
        Ok(groups.into_iter().map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        observe::observe(cx, name).await
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        plan(seen, now)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        act::act(cx, &name.id, step).await
    }
}
