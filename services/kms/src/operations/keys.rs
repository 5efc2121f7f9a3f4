//! Keys: made, described, listed. Source: AWS KMS API Reference.

use super::{pages::page, tags};
use crate::errors::{limit, validation};
use crate::found::{self, Found};
use crate::grants::check_tokens;
use crate::names::{Takes, key_arn};
use crate::records::{Key, State};
use crate::targets::{describe, everything, made, own};
use crate::{material, policy};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateKey: create_key(CreateKeyRequest), on made),
    operation!(DescribeKey: describe_key(DescribeKeyRequest), on awaited describe),
    operation!(ListKeys: list_keys(ListKeysRequest), on |cx, _r| everything(cx)),
    operation!(UpdateKeyDescription: update_key_description(UpdateKeyDescriptionRequest),
        on |cx, r| own(cx, &r.key_id, "kms:UpdateKeyDescription")),
];

/// Keys of an account in a region. Source: AWS KMS Developer Guide, "Resource quotas".
const MOST: usize = 100_000;

/// All that is not a symmetric key with a material of KMS's own is refused by name.
fn check_kind(request: &CreateKeyRequest) -> Result<(), Error> {
    if request.key_spec.is_some() && request.customer_master_key_spec.is_some() {
        return Err(validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is \
             deprecated.",
        ));
    }
    let not_built = |what: String| Err(Error::not_built(format!("kms:CreateKey with {what}")));
    let spec = request.key_spec.as_deref().or(request.customer_master_key_spec.as_deref());
    match (spec.unwrap_or("SYMMETRIC_DEFAULT"), request.key_usage.as_deref()) {
        ("SYMMETRIC_DEFAULT", None | Some("ENCRYPT_DECRYPT")) => {}
        ("SYMMETRIC_DEFAULT", Some(usage)) => {
            return Err(validation(format!("KeyUsage {usage} is not compatible with KeySpec SYMMETRIC_DEFAULT")));
        }
        (spec, _) => return not_built(format!("KeySpec {spec}")),
    }
    match request.origin.as_deref() {
        None | Some("AWS_KMS") => {}
        Some(origin) => return not_built(format!("Origin {origin}")),
    }
    let given = [
        (request.custom_key_store_id.is_some(), "CustomKeyStoreId"),
        (request.xks_key_id.is_some(), "XksKeyId"),
        (request.multi_region == Some(true), "MultiRegion"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, what)) => not_built(what.to_owned()),
        None => Ok(()),
    }
}

async fn create_key(cx: &Cx, request: CreateKeyRequest) -> Result<CreateKeyResponse, Error> {
    check_kind(&request)?;
    let tags = tags::read(cx, &request.tags)?;
    let id = cx.ids().uuid();
    let arn = key_arn(cx, cx.scope(), &id);
    let policy = match &request.policy {
        Some(text) => {
            let bypass = request.bypass_policy_lockout_safety_check.unwrap_or(false);
            policy::check(cx, &arn, text, bypass)?
        }
        None => policy::default(cx),
    };
    let key = Key {
        id: id.clone(),
        created: cx.now(),
        description: request.description.unwrap_or_else(String::new),
        policy,
        tags,
        state: State::Enabled,
        managed_by: None,
        rotation: None,
        materials: vec![material::new(cx, cx.scope(), &id, None)?],
    };
    let made = key.clone();
    cx.store()
        .write::<_, Error>(|tx| {
            if tx.count::<Key>(cx.scope()) >= MOST {
                return Err(limit(format!(
                    "You have reached the limit of {MOST} KMS keys in this account and Region."
                )));
            }
            tx.put(cx.scope(), &id, key)?;
            Ok(())
        })
        .await?;
    let found = Found { scope: cx.scope().clone(), key: made.into(), alias: None };
    Ok(CreateKeyResponse { key_metadata: Some(metadata(cx, &found)) })
}

/// A key as KMS describes it.
pub fn metadata(cx: &Cx, found: &Found) -> KeyMetadata {
    let key = &found.key;
    let text = |text: &str| Some(text.to_owned());
    let deletion_date = match key.state {
        State::PendingDeletion { at, .. } => Some(at),
        _ => None,
    };
    KeyMetadata {
        aws_account_id: text(&found.scope.account),
        key_id: text(&key.id),
        arn: Some(found.arn(cx)),
        creation_date: Some(key.created),
        enabled: Some(key.state == State::Enabled),
        description: text(&key.description),
        key_usage: text("ENCRYPT_DECRYPT"),
        key_state: text(key.state.name()),
        deletion_date,
        origin: text("AWS_KMS"),
        key_manager: text(if key.managed_by.is_some() { "AWS" } else { "CUSTOMER" }),
        customer_master_key_spec: text("SYMMETRIC_DEFAULT"),
        key_spec: text("SYMMETRIC_DEFAULT"),
        encryption_algorithms: vec!["SYMMETRIC_DEFAULT".to_owned()],
        multi_region: Some(false),
        current_key_material_id: text(&key.current().id),
        ..Default::default()
    }
}

async fn describe_key(cx: &Cx, request: DescribeKeyRequest) -> Result<DescribeKeyResponse, Error> {
    check_tokens(cx, &request.grant_tokens)?;
    let found = found::find(cx, &request.key_id, Takes::Aliases)?;
    Ok(DescribeKeyResponse { key_metadata: Some(metadata(cx, &found)) })
}

async fn list_keys(cx: &Cx, request: ListKeysRequest) -> Result<ListKeysResponse, Error> {
    let ids = cx.store().ids::<Key>(cx.scope());
    let (ids, next_marker, truncated) = page(ids, |id| id, &request.marker, request.limit, 100)?;
    let entry = |id: &str| KeyListEntry { key_id: Some(id.to_owned()), key_arn: Some(key_arn(cx, cx.scope(), id)) };
    Ok(ListKeysResponse { keys: ids.iter().map(|id| entry(id)).collect(), next_marker, truncated })
}

async fn update_key_description(
    cx: &Cx,
    request: UpdateKeyDescriptionRequest,
) -> Result<UpdateKeyDescriptionResponse, Error> {
    let found = found::own(cx, &request.key_id, "kms:UpdateKeyDescription")?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| {
        key.check_staying(&arn)?;
        key.description = request.description;
        Ok(())
    })
    .await?;
    Ok(UpdateKeyDescriptionResponse {})
}
