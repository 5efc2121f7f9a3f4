//! Changes of records that operations and the controller make alike.

use crate::errors;
use crate::records::{Activity, Group, Health, Lifecycle, Member, Status, Unhealthy};
use kiln_service_kit::{Cx, Error, Scope, Tx};
use std::sync::Arc;

/// The group of that name, or AWS's error.
pub fn group(tx: &Tx, scope: &Scope, name: &str) -> Result<Arc<Group>, Error> {
    tx.get::<Group>(scope, name)?.ok_or_else(|| errors::group_not_found(name))
}

/// Refuses a name that no group has.
pub fn check_group(cx: &Cx, name: &str) -> Result<(), Error> {
    match cx.store().get::<Group>(cx.scope(), name)? {
        Some(_) => Ok(()),
        None => Err(errors::group_not_found(name)),
    }
}

/// The group for a change: one that is being deleted takes none.
pub fn group_to_change(tx: &Tx, scope: &Scope, name: &str) -> Result<Group, Error> {
    let group = group(tx, scope, name)?;
    if group.deleting {
        return Err(errors::pending_delete(name));
    }
    Ok(group.as_ref().clone())
}

/// The instances of a group, ordered by id.
pub fn members(tx: &Tx, scope: &Scope, group: &str) -> Result<Vec<Arc<Member>>, Error> {
    Ok(tx.by_key::<Member>(scope, "group", group)?.into_iter().map(|(_, member)| member).collect())
}

/// Sends an instance on its way out, with an activity that tells why. The caller stores `member`.
pub fn begin_termination(
    tx: &mut Tx,
    scope: &Scope,
    member: &mut Member,
    why: Option<Unhealthy>,
    activity: &str,
    cause: &str,
) -> Result<Activity, Error> {
    if let Some(why) = why {
        member.health = Health::Unhealthy;
        member.unhealthy = Some(why);
    }
    member.lifecycle = Lifecycle::Terminating;
    member.action = None;
    member.hooks_done.clear();
    let description = format!("Terminating EC2 instance: {}", member.id);
    begin(tx, scope, member, activity, description, cause, Status::InProgress, 0)
}

/// Begins an activity of an instance. The caller stores `member`.
#[allow(clippy::too_many_arguments)]
pub fn begin(
    tx: &mut Tx,
    scope: &Scope,
    member: &mut Member,
    activity: &str,
    description: String,
    cause: &str,
    status: Status,
    progress: i32,
) -> Result<Activity, Error> {
    let group = group(tx, scope, &member.group)?;
    let record = Activity {
        id: activity.to_owned(),
        group: group.name.clone(),
        group_uuid: group.uuid.clone(),
        description,
        cause: cause.to_owned(),
        start: tx.now(),
        end: None,
        status,
        message: None,
        progress,
        zone: member.zone.clone(),
        subnet: member.subnet.clone(),
    };
    tx.put(scope, activity, record.clone())?;
    member.activity = Some(activity.to_owned());
    Ok(record)
}

/// Notes that an activity that changed the capacity ended: the cooldown begins.
pub fn note_scaling(tx: &mut Tx, scope: &Scope, name: &str) -> Result<(), Error> {
    if let Some(group) = tx.get::<Group>(scope, name)? {
        let group = Group { last_scaling: Some(tx.now()), ..group.as_ref().clone() };
        tx.put(scope, name, group)?;
    }
    Ok(())
}
