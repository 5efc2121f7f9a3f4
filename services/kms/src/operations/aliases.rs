//! Aliases: names that lead to keys. Source: AWS KMS API Reference.

use super::pages::page;
use crate::errors::{limit, no_alias};
use crate::found::{self, Found};
use crate::names::{Takes, arn, own_alias};
use crate::records::{Alias, Key};
use crate::targets::{alias_and_keys, everything};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateAlias: create_alias(CreateAliasRequest),
        on |cx, r| alias_and_keys(cx, &r.alias_name, Some(&r.target_key_id), "kms:CreateAlias")),
    operation!(UpdateAlias: update_alias(UpdateAliasRequest),
        on |cx, r| alias_and_keys(cx, &r.alias_name, Some(&r.target_key_id), "kms:UpdateAlias")),
    operation!(DeleteAlias: delete_alias(DeleteAliasRequest),
        on |cx, r| alias_and_keys(cx, &r.alias_name, None, "kms:DeleteAlias")),
    operation!(ListAliases: list_aliases(ListAliasesRequest), on |cx, _r| everything(cx)),
];

/// Aliases of a key. Source: AWS KMS Developer Guide, "Resource quotas".
const MOST: usize = 50;

/// The key that an alias is to lead to: one of the customer's, by id or ARN.
fn target(cx: &Cx, given: &str, action: &str) -> Result<Found, Error> {
    found::own(cx, given, action)
}

/// There is room for one more alias of a key that stays.
fn check_target(cx: &Cx, tx: &Tx<'_>, found: &Found) -> Result<(), Error> {
    let arn = found.arn(cx);
    let key = tx.get::<Key>(&found.scope, &found.key.id)?.ok_or_else(|| crate::errors::no_key(&arn))?;
    key.check_staying(&arn)?;
    match tx.by_key::<Alias>(&found.scope, "key", &key.id)?.len() < MOST {
        true => Ok(()),
        false => Err(limit(format!("Cannot exceed the quota of {MOST} aliases for key {arn}"))),
    }
}

async fn create_alias(cx: &Cx, request: CreateAliasRequest) -> Result<CreateAliasResponse, Error> {
    let name = own_alias(&request.alias_name)?;
    let found = target(cx, &request.target_key_id, "kms:CreateAlias")?;
    cx.store()
        .write::<_, Error>(|tx| {
            if tx.get::<Alias>(cx.scope(), name)?.is_some() {
                let text = format!("An alias with the name {} already exists", arn(cx, cx.scope(), name));
                return Err(Error::sender("AlreadyExistsException", text));
            }
            check_target(cx, tx, &found)?;
            let (created, key) = (cx.now(), found.key.id.clone());
            tx.put(cx.scope(), name, Alias { name: name.to_owned(), key, created, updated: created })?;
            Ok(())
        })
        .await?;
    Ok(CreateAliasResponse {})
}

async fn update_alias(cx: &Cx, request: UpdateAliasRequest) -> Result<UpdateAliasResponse, Error> {
    let name = own_alias(&request.alias_name)?;
    let found = target(cx, &request.target_key_id, "kms:UpdateAlias")?;
    cx.store()
        .write::<_, Error>(|tx| {
            let missing = || no_alias(&arn(cx, cx.scope(), name));
            let alias = tx.get::<Alias>(cx.scope(), name)?.ok_or_else(missing)?;
            if alias.key != found.key.id {
                check_target(cx, tx, &found)?;
            }
            tx.put(cx.scope(), name, Alias { key: found.key.id.clone(), updated: cx.now(), ..(*alias).clone() })?;
            Ok(())
        })
        .await?;
    Ok(UpdateAliasResponse {})
}

async fn delete_alias(cx: &Cx, request: DeleteAliasRequest) -> Result<DeleteAliasResponse, Error> {
    let name = own_alias(&request.alias_name)?;
    cx.store()
        .write::<_, Error>(|tx| match tx.delete::<Alias>(cx.scope(), name) {
            true => Ok(()),
            false => Err(no_alias(&arn(cx, cx.scope(), name))),
        })
        .await?;
    Ok(DeleteAliasResponse {})
}

async fn list_aliases(cx: &Cx, request: ListAliasesRequest) -> Result<ListAliasesResponse, Error> {
    let aliases: Vec<Arc<Alias>> = match &request.key_id {
        Some(given) => {
            let found = found::find(cx, given, Takes::Keys)?;
            cx.store()
                .by_key::<Alias>(&found.scope, "key", &found.key.id)?
                .into_iter()
                .map(|(_, alias)| alias)
                .collect()
        }
        None => cx.store().list::<Alias>(cx.scope())?.into_iter().map(|(_, alias)| alias).collect(),
    };
    let (aliases, next_marker, truncated) = page(aliases, |alias| &alias.name, &request.marker, request.limit, 50)?;
    let entry = |alias: &Alias| AliasListEntry {
        alias_name: Some(alias.name.clone()),
        alias_arn: Some(arn(cx, cx.scope(), &alias.name)),
        target_key_id: Some(alias.key.clone()),
        creation_date: Some(alias.created),
        last_updated_date: Some(alias.updated),
    };
    Ok(ListAliasesResponse { aliases: aliases.iter().map(|alias| entry(alias)).collect(), next_marker, truncated })
}
