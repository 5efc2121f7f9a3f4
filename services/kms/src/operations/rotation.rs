//! Rotation: a new material to encrypt with; what older ones encrypted still decrypts. The controller rotates by the
//! schedule. Source: AWS KMS API Reference, and Developer Guide, "Rotate AWS KMS keys".

use super::pages::page;
use crate::errors::limit;
use crate::names::Takes;
use crate::records::{Material, RotatedBy, Rotation, State};
use crate::targets::{own, shared};
use crate::{found, material};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(EnableKeyRotation: enable_key_rotation(EnableKeyRotationRequest), on |cx, r| {
        own(cx, &r.key_id, "kms:EnableKeyRotation").map(|key| key.with("kms:RotationPeriodInDays", days(r).to_string()))
    }),
    operation!(DisableKeyRotation: disable_key_rotation(DisableKeyRotationRequest),
        on |cx, r| own(cx, &r.key_id, "kms:DisableKeyRotation")),
    operation!(GetKeyRotationStatus: get_key_rotation_status(GetKeyRotationStatusRequest),
        on |cx, r| shared(cx, &r.key_id, "kms:GetKeyRotationStatus")),
    operation!(RotateKeyOnDemand: rotate_key_on_demand(RotateKeyOnDemandRequest),
        on |cx, r| own(cx, &r.key_id, "kms:RotateKeyOnDemand")),
    operation!(ListKeyRotations: list_key_rotations(ListKeyRotationsRequest),
        on |cx, r| own(cx, &r.key_id, "kms:ListKeyRotations")),
];

/// Rotations of a key on demand, ever.
const MOST_ON_DEMAND: usize = 25;

fn days(request: &EnableKeyRotationRequest) -> i32 {
    request.rotation_period_in_days.unwrap_or(Rotation::DEFAULT_DAYS)
}

async fn enable_key_rotation(cx: &Cx, request: EnableKeyRotationRequest) -> Result<EnableKeyRotationResponse, Error> {
    let found = found::own(cx, &request.key_id, "kms:EnableKeyRotation")?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| {
        key.check_enabled(&arn)?;
        // Said again it goes on as it was.
        if key.rotation.as_ref().is_none_or(|rotation| rotation.days != days(&request)) {
            key.rotation = Some(Rotation::every(days(&request), cx.now()));
        }
        Ok(())
    })
    .await?;
    Ok(EnableKeyRotationResponse {})
}

async fn disable_key_rotation(
    cx: &Cx,
    request: DisableKeyRotationRequest,
) -> Result<DisableKeyRotationResponse, Error> {
    let found = found::own(cx, &request.key_id, "kms:DisableKeyRotation")?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| {
        key.check_enabled(&arn)?;
        key.rotation = None;
        Ok(())
    })
    .await?;
    Ok(DisableKeyRotationResponse {})
}

/// While a key is about to be deleted it is told as not rotated, which is so.
async fn get_key_rotation_status(
    cx: &Cx,
    request: GetKeyRotationStatusRequest,
) -> Result<GetKeyRotationStatusResponse, Error> {
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    let key = &found.key;
    let rotation = key.rotation.as_ref().filter(|_| !matches!(key.state, State::PendingDeletion { .. }));
    Ok(GetKeyRotationStatusResponse {
        key_rotation_enabled: Some(rotation.is_some()),
        key_id: Some(key.id.clone()),
        rotation_period_in_days: rotation.map(|rotation| rotation.days),
        next_rotation_date: rotation.map(|rotation| rotation.next),
        on_demand_rotation_start_date: None,
    })
}

async fn rotate_key_on_demand(cx: &Cx, request: RotateKeyOnDemandRequest) -> Result<RotateKeyOnDemandResponse, Error> {
    let found = found::own(cx, &request.key_id, "kms:RotateKeyOnDemand")?;
    let arn = found.arn(cx);
    let next = material::new(cx, &found.scope, &found.key.id, Some(RotatedBy::Demand))?;
    found::change(cx, &found, |key| {
        key.check_enabled(&arn)?;
        if key.materials.iter().filter(|one| one.by == Some(RotatedBy::Demand)).count() >= MOST_ON_DEMAND {
            return Err(limit(format!("Key {arn} was rotated on demand {MOST_ON_DEMAND} times, which is the most.")));
        }
        key.materials.push(next);
        Ok(())
    })
    .await?;
    Ok(RotateKeyOnDemandResponse { key_id: Some(found.key.id.clone()) })
}

async fn list_key_rotations(cx: &Cx, request: ListKeyRotationsRequest) -> Result<ListKeyRotationsResponse, Error> {
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    let all = request.include_key_material.as_deref() == Some("ALL_KEY_MATERIAL");
    let current = &found.key.current().id;
    // By number, since two may be of the same moment.
    let numbered = found.key.materials.iter().enumerate().filter(|(_, one)| all || one.by.is_some());
    let numbered: Vec<(String, &Material)> = numbered.map(|(at, one)| (format!("{at:08}"), one)).collect();
    let (some, next_marker, truncated) = page(numbered, |(at, _)| at, &request.marker, request.limit, 100)?;
    let entry = |one: &Material| RotationsListEntry {
        key_id: Some(found.key.id.clone()),
        key_material_id: Some(one.id.clone()),
        key_material_state: Some(if one.id == *current { "CURRENT" } else { "NON_CURRENT" }.to_owned()),
        rotation_date: one.by.map(|_| one.since),
        rotation_type: one.by.map(|by| if by == RotatedBy::Demand { "ON_DEMAND" } else { "AUTOMATIC" }.to_owned()),
        ..Default::default()
    };
    let rotations = some.into_iter().map(|(_, one)| entry(one)).collect();
    Ok(ListKeyRotationsResponse { rotations, next_marker, truncated })
}
