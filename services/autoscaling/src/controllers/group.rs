//! The controller `autoscaling/group`.
//!
//! It is woken by every change of its group, of one of its instances (Auto Scaling's own record or
//! EC2's) and of the health of one of its targets, so that a dead machine is replaced as soon as
//! EC2 has noticed; there are no polling intervals.

use super::plan::{Seen, Step, plan};
use super::{act, observe};
use crate::records::{Group, Member};
use kiln_ec2_shapes::kinds::INSTANCE;
use kiln_elbv2_shapes::kinds::{TARGET_HEALTH, TargetHealthId};
use kiln_service_kit::{Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Store, Timestamp, async_trait};

pub struct GroupController;

#[async_trait]
impl Controller for GroupController {
    const NAME: &'static str = "autoscaling/group";
    const ABOUT: &'static str = "one group: capacity, health, replacement, target registration";
    const STEPS: &'static [&'static str] = &[
        "BeginTermination",
        "DecideLaunches",
        "DeleteGroup",
        "Deregister",
        "Detach",
        "Drained",
        "DropTargetGroup",
        "EndHook",
        "EnterService",
        "EnterStandby",
        "FailLaunch",
        "Finish",
        "ForgetReason",
        "Launch",
        "MarkUnhealthy",
        "Register",
        "SetTargetGroup",
        "StartHook",
        "Terminate",
    ];
    const ACTS_AS: &'static str = "autoscaling.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Group::KIND, Member::KIND, INSTANCE, TARGET_HEALTH];
    const SLOTS: usize = 32;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let instance = match &*change.kind {
            Group::KIND => return Ok(vec![Name::new(&change.scope, change.id.clone())]),
            TARGET_HEALTH => match TargetHealthId::parse(&change.id) {
                Some(id) => id.target,
                None => return Err(Error::internal(format!("{} is no target health's id", change.id))),
            },
            _ => &*change.id,
        };
        let was = match change.is::<Member>() {
            true => change.before::<Member>()?.record(),
            false => None,
        };
        let members = [store.get::<Member>(&change.scope, instance)?, was];
        let mut groups: Vec<Name> =
            members.iter().flatten().map(|member| Name::new(&change.scope, member.group.as_str())).collect();
        groups.dedup();
        Ok(groups)
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Group>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
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
