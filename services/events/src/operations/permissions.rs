//! PutPermission, RemovePermission. Source: the API Reference.

use crate::errors::validation;
use crate::names::BusName;
use crate::policy;
use crate::records::Bus;
use crate::targets;
use kiln_events_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutPermission: put_permission(PutPermissionRequest), on |cx, r| targets::bus(cx, r.event_bus_name.as_deref())),
    operation!(RemovePermission: remove_permission(RemovePermissionRequest),
        on |cx, r| targets::bus(cx, r.event_bus_name.as_deref())),
];

async fn change(
    cx: &Cx,
    bus: &BusName,
    change: impl Fn(Option<&str>) -> Result<Option<String>, Error>,
) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let before = bus.check(tx)?.map_or_else(|| Bus::plain(&bus.name, tx.now()), |bus| (*bus).clone());
            let policy = change(before.policy.as_deref())?;
            tx.put(cx.scope(), &bus.name, Bus { policy, modified: tx.now(), ..before })?;
            Ok(())
        })
        .await
}

async fn put_permission(cx: &Cx, request: PutPermissionRequest) -> Result<PutPermissionResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    if request.condition.is_some() {
        return Err(Error::not_built("events: organizations in the policy of a bus (Condition)"));
    }
    let (action, principal, sid) = (&request.action, &request.principal, &request.statement_id);
    match (&request.policy, action, principal, sid) {
        (Some(policy), None, None, None) => {
            let policy = policy::check(policy)?;
            change(cx, &bus, |_| Ok(Some(policy.clone()))).await?;
        }
        (None, Some(action), Some(principal), Some(sid)) => {
            if action != "events:PutEvents" {
                return Err(validation("Provided value in parameter 'action' is not supported."));
            }
            change(cx, &bus, |before| policy::with(before, &bus.arn, sid, action, principal).map(Some)).await?;
        }
        (Some(_), ..) => {
            return Err(validation("Policy cannot be given together with Action, Principal or StatementId."));
        }
        _ => return Err(validation("Action, Principal and StatementId, or Policy, must be given.")),
    }
    Ok(PutPermissionResponse {})
}

async fn remove_permission(cx: &Cx, request: RemovePermissionRequest) -> Result<RemovePermissionResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    match (&request.statement_id, request.remove_all_permissions.unwrap_or(false)) {
        (_, true) => change(cx, &bus, |_| Ok(None)).await?,
        (Some(sid), false) => change(cx, &bus, |before| policy::without(before, sid)).await?,
        (None, false) => return Err(validation("Parameter StatementId must not be null.")),
    }
    Ok(RemovePermissionResponse {})
}
