//! Whether a key can be used, and its end. Source: AWS KMS API Reference, and Developer Guide, "Key states of AWS KMS
//! keys".

use crate::errors::{constraint, not_pending_deletion};
use crate::found;
use crate::records::{State, in_days};
use crate::targets::own;
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(EnableKey: enable_key(EnableKeyRequest), on |cx, r| own(cx, &r.key_id, "kms:EnableKey")),
    operation!(DisableKey: disable_key(DisableKeyRequest), on |cx, r| own(cx, &r.key_id, "kms:DisableKey")),
    operation!(ScheduleKeyDeletion: schedule_key_deletion(ScheduleKeyDeletionRequest), on |cx, r| {
        own(cx, &r.key_id, "kms:ScheduleKeyDeletion")
            .map(|key| key.with("kms:ScheduleKeyDeletionPendingWindowInDays", window(r).to_string()))
    }),
    operation!(CancelKeyDeletion: cancel_key_deletion(CancelKeyDeletionRequest),
        on |cx, r| own(cx, &r.key_id, "kms:CancelKeyDeletion")),
];

/// Days that a key waits for its deletion.
const SHORTEST: i32 = 7;
const LONGEST: i32 = 30;

fn window(request: &ScheduleKeyDeletionRequest) -> i32 {
    request.pending_window_in_days.unwrap_or(LONGEST)
}

async fn set(cx: &Cx, key_id: &str, action: &str, to: State) -> Result<(), Error> {
    let found = found::own(cx, key_id, action)?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| {
        key.check_staying(&arn)?;
        key.state = to;
        Ok(())
    })
    .await
}

async fn enable_key(cx: &Cx, request: EnableKeyRequest) -> Result<EnableKeyResponse, Error> {
    set(cx, &request.key_id, "kms:EnableKey", State::Enabled).await?;
    Ok(EnableKeyResponse {})
}

async fn disable_key(cx: &Cx, request: DisableKeyRequest) -> Result<DisableKeyResponse, Error> {
    set(cx, &request.key_id, "kms:DisableKey", State::Disabled).await?;
    Ok(DisableKeyResponse {})
}

async fn schedule_key_deletion(
    cx: &Cx,
    request: ScheduleKeyDeletionRequest,
) -> Result<ScheduleKeyDeletionResponse, Error> {
    let days = window(&request);
    if days < SHORTEST {
        let text = format!("Member must have value greater than or equal to {SHORTEST}");
        return Err(constraint(days, "pendingWindowInDays", &text));
    }
    if days > LONGEST {
        let text = format!("Member must have value less than or equal to {LONGEST}");
        return Err(constraint(days, "pendingWindowInDays", &text));
    }
    let at = cx.now() + in_days(days);
    let state = State::PendingDeletion { at, days };
    set(cx, &request.key_id, "kms:ScheduleKeyDeletion", state.clone()).await?;
    let found = found::find(cx, &request.key_id, crate::names::Takes::Keys)?;
    Ok(ScheduleKeyDeletionResponse {
        key_id: Some(found.arn(cx)),
        deletion_date: Some(at),
        key_state: Some(state.name().to_owned()),
        pending_window_in_days: Some(days),
    })
}

/// It is disabled then, whatever it was before.
async fn cancel_key_deletion(cx: &Cx, request: CancelKeyDeletionRequest) -> Result<CancelKeyDeletionResponse, Error> {
    let found = found::own(cx, &request.key_id, "kms:CancelKeyDeletion")?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| match key.state {
        State::PendingDeletion { .. } => {
            key.state = State::Disabled;
            Ok(())
        }
        _ => Err(not_pending_deletion(&arn)),
    })
    .await?;
    Ok(CancelKeyDeletionResponse { key_id: Some(arn) })
}
