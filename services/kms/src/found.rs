//! From what a request says to the key it means, and whether it may be used.

use crate::errors::{disabled, no_alias, no_key, not_allowed, pending_deletion};
use crate::managed;
use crate::names::{self, Name, Pointer, Takes};
use crate::records::{Alias, Key, State};
use kiln_service_kit::{Cx, Error, Scope};
use std::sync::Arc;

/// A key that is there.
#[derive(Debug, Clone)]
pub struct Found {
    pub scope: Scope,
    pub key: Arc<Key>,
    /// The alias by which the request named it.
    pub alias: Option<String>,
}

impl Found {
    pub fn arn(&self, cx: &Cx) -> String {
        names::key_arn(cx, &self.scope, &self.key.id)
    }

    /// The key, unless it is disabled or about to be deleted: for what encrypts and decrypts, and for whatever else
    /// needs an enabled key. Source: AWS KMS Developer Guide, "Key states of AWS KMS keys".
    pub fn enabled(self, cx: &Cx) -> Result<Self, Error> {
        self.key.check_enabled(&self.arn(cx))?;
        Ok(self)
    }
}

impl Key {
    /// The same of a key that is about to be changed.
    pub fn check_enabled(&self, arn: &str) -> Result<(), Error> {
        match self.state {
            State::Enabled => Ok(()),
            State::Disabled => Err(disabled(arn)),
            State::PendingDeletion { .. } => Err(pending_deletion(arn)),
        }
    }

    /// The same of a key that must not be about to be deleted.
    pub fn check_staying(&self, arn: &str) -> Result<(), Error> {
        match self.state {
            State::PendingDeletion { .. } => Err(pending_deletion(arn)),
            _ => Ok(()),
        }
    }
}

/// The key that a pointer leads to; none where there is none.
pub fn look(cx: &Cx, pointer: &Pointer) -> Result<Option<Found>, Error> {
    let scope = &pointer.scope;
    let (id, alias) = match &pointer.name {
        Name::Key(id) => (id.clone(), None),
        Name::Alias(name) => match cx.store().get::<Alias>(scope, name)? {
            Some(alias) => (alias.key.clone(), Some(name.clone())),
            None => return Ok(None),
        },
    };
    let found = cx.store().get::<Key>(scope, &id)?;
    Ok(found.map(|key| Found { scope: scope.clone(), key, alias }))
}

/// The key that a pointer means. One of another account must have been judged, and have let the caller in.
pub fn get(cx: &Cx, pointer: &Pointer) -> Result<Found, Error> {
    let found = look(cx, pointer)?.ok_or_else(|| match &pointer.name {
        Name::Key(_) => no_key(&pointer.arn(cx)),
        Name::Alias(_) => no_alias(&pointer.arn(cx)),
    })?;
    let arn = found.arn(cx);
    let owner = &found.scope.account;
    if **owner != *cx.account() && !cx.is_let_in(&arn, owner) {
        return Err(not_allowed(cx, "this operation", &arn));
    }
    Ok(found)
}

/// The key that a request means.
pub fn find(cx: &Cx, given: &str, takes: Takes) -> Result<Found, Error> {
    get(cx, &Pointer::parse(cx, given, takes)?)
}

/// The key that a request means and that customers may change: not one of AWS's.
pub fn own(cx: &Cx, given: &str, action: &str) -> Result<Found, Error> {
    let found = find(cx, given, Takes::Keys)?;
    match found.key.managed_by {
        None => Ok(found),
        Some(_) => Err(not_allowed(cx, action, &found.arn(cx))),
    }
}

/// Changes a key that was found, as it is by now.
pub async fn change(
    cx: &Cx,
    found: &Found,
    change: impl FnOnce(&mut Key) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let arn = found.arn(cx);
    let (scope, id) = (&found.scope, &found.key.id);
    cx.store()
        .write(|tx| {
            let mut key = (*tx.get::<Key>(scope, id)?.ok_or_else(|| no_key(&arn))?).clone();
            change(&mut key)?;
            tx.put_if_changed(scope, id, key)?;
            Ok(())
        })
        .await
}

/// What a request points at; the AWS managed key of a service is made where its alias is named for the first
/// time.
pub async fn reach(cx: &Cx, given: &str, takes: Takes) -> Result<Pointer, Error> {
    let pointer = Pointer::parse(cx, given, takes)?;
    if let Name::Alias(name) = &pointer.name
        && *pointer.scope.account == *cx.account()
        && let Some(service) = managed::service_of(name)
    {
        managed::make(cx, service).await?;
    }
    Ok(pointer)
}
