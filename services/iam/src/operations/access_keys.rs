//! Access keys of users. Source: AWS IAM API Reference.

use super::named::named;
use super::users::or_caller;
use crate::holders::{find, get};
use crate::records::{AccessKey, LastUsed, User, everywhere, key};
use crate::{errors, listing, secrets};
use kiln_iam_shapes::*;
use kiln_service_kit::{CallerKind, Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateAccessKey: create_access_key(CreateAccessKeyRequest), on named),
    operation!(ListAccessKeys: list_access_keys(ListAccessKeysRequest), on named),
    operation!(UpdateAccessKey: update_access_key(UpdateAccessKeyRequest), on named),
    operation!(DeleteAccessKey: delete_access_key(DeleteAccessKeyRequest), on named),
];

/// Access keys that one user may have.
const KEYS_PER_USER: usize = 2;

/// The user named or calling. The root user's own keys are made at the first start and stay.
fn owner(cx: &Cx, given: &Option<String>, operation: &str) -> Result<String, Error> {
    if given.is_none() && cx.caller().kind == CallerKind::Root {
        return Err(Error::not_built(format!("iam:{operation} for the root user")));
    }
    or_caller(cx, given)
}

fn status(active: bool) -> Option<String> {
    Some(if active { "Active" } else { "Inactive" }.to_owned())
}

async fn create_access_key(cx: &Cx, input: CreateAccessKeyRequest) -> Result<CreateAccessKeyResponse, Error> {
    let name = owner(cx, &input.user_name, "CreateAccessKey")?;
    let id = format!("AKIA{}", cx.ids().of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let secret = cx.ids().of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40);
    let made = AccessKey {
        secret: secrets::seal(&cx.part()?, cx.ids(), &id, &secret),
        id,
        account: cx.account().to_owned(),
        user: key(&name),
        created: cx.now(),
        active: true,
    };
    let user = cx
        .store()
        .write(|tx| {
            let mut user = find::<User>(tx, cx, &name)?;
            if user.access_keys.len() == KEYS_PER_USER {
                return Err(errors::limit(format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}")));
            }
            user.access_keys.push(made.id.clone());
            tx.put(&everywhere(), &made.id, made.clone())?;
            tx.put(&cx.global_scope(), &key(&name), user.clone())?;
            Ok::<_, Error>(user)
        })
        .await?;
    Ok(CreateAccessKeyResponse {
        access_key: Some(kiln_iam_shapes::AccessKey {
            user_name: Some(user.name),
            status: status(made.active),
            create_date: Some(made.created),
            secret_access_key: Some(secret),
            access_key_id: Some(made.id),
        }),
    })
}

async fn list_access_keys(cx: &Cx, input: ListAccessKeysRequest) -> Result<ListAccessKeysResponse, Error> {
    let user = get::<User>(cx, &owner(cx, &input.user_name, "ListAccessKeys")?)?;
    let mut keys = vec![];
    for id in &user.access_keys {
        if let Some(found) = cx.store().get::<AccessKey>(&everywhere(), id)? {
            keys.push(found);
        }
    }
    let (keys, is_truncated, marker) = listing::page(keys, |k| &k.id, input.marker.as_deref(), input.max_items)?;
    let shown = |key: &AccessKey| AccessKeyMetadata {
        user_name: Some(user.name.clone()),
        access_key_id: Some(key.id.clone()),
        status: status(key.active),
        create_date: Some(key.created),
    };
    let access_key_metadata = keys.iter().map(|key| shown(key)).collect();
    Ok(ListAccessKeysResponse { access_key_metadata, is_truncated, marker })
}

/// The key, if it is that user's.
fn owned(tx: &Tx<'_>, user: &User, id: &str) -> Result<AccessKey, Error> {
    let found =
        if user.access_keys.iter().any(|key| key == id) { tx.get::<AccessKey>(&everywhere(), id)? } else { None };
    let missing = || errors::missing(format!("The Access Key with id {id} cannot be found."));
    found.map(|key| (*key).clone()).ok_or_else(missing)
}

async fn update_access_key(cx: &Cx, input: UpdateAccessKeyRequest) -> Result<UpdateAccessKeyResponse, Error> {
    let name = owner(cx, &input.user_name, "UpdateAccessKey")?;
    let active = match input.status.as_str() {
        "Active" => true,
        "Inactive" => false,
        other => return Err(errors::invalid_input(format!("{other} is not a status that can be set."))),
    };
    cx.store()
        .write(|tx| {
            let access_key = owned(tx, &find::<User>(tx, cx, &name)?, &input.access_key_id)?;
            tx.put(&everywhere(), &input.access_key_id, AccessKey { active, ..access_key })?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(UpdateAccessKeyResponse {})
}

async fn delete_access_key(cx: &Cx, input: DeleteAccessKeyRequest) -> Result<DeleteAccessKeyResponse, Error> {
    let name = owner(cx, &input.user_name, "DeleteAccessKey")?;
    cx.store()
        .write(|tx| {
            let mut user = find::<User>(tx, cx, &name)?;
            let access_key = owned(tx, &user, &input.access_key_id)?;
            user.access_keys.retain(|id| *id != access_key.id);
            tx.delete::<AccessKey>(&everywhere(), &access_key.id);
            tx.delete::<LastUsed>(&everywhere(), &access_key.id);
            tx.put(&cx.global_scope(), &key(&name), user)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(DeleteAccessKeyResponse {})
}
