//! A value on its way to be a version: what a request gives, whether it was there before, and the commit.

use crate::errors::{exists, parameter, request};
use crate::names::{Found, living};
use crate::records::{Secret, Value, Version};
use crate::seal::{self, Of};
use kiln_service_kit::{Blob, Cx, Error, Scope, Tx};

/// What a request gives as a value.
pub enum Given<'r> {
    Text(&'r str),
    Bytes(&'r [u8]),
}

impl<'r> Given<'r> {
    /// The one or the other, or none.
    pub fn of(text: &'r Option<String>, bytes: &'r Option<Blob>) -> Result<Option<Self>, Error> {
        match (text, bytes) {
            (Some(_), Some(_)) => Err(parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            )),
            (Some(text), None) => Ok(Some(Self::Text(text))),
            (None, Some(Blob(bytes))) => Ok(Some(Self::Bytes(bytes))),
            (None, None) => Ok(None),
        }
    }

    pub fn bytes(&self) -> &'r [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }
}

pub fn needed() -> Error {
    request("You must provide either SecretString or SecretBinary.")
}

/// A version that is made.
pub struct New {
    pub version: Version,
    pub value: Value,
}

impl New {
    /// Encrypts a value for a version of a secret.
    pub async fn encrypted(cx: &Cx, of: &Of<'_>, given: &Given<'_>) -> Result<Self, Error> {
        let value = seal::encrypt(cx, of, given.bytes(), given.is_binary()).await?;
        let key = of.key.unwrap_or(seal::DEFAULT_NAME).to_owned();
        let version = Version { id: of.version.to_owned(), created: cx.now(), accessed: None, stages: vec![], key };
        Ok(Self { version, value })
    }

    /// Writes it with its labels; versions that are too many go.
    pub fn write(self, tx: &mut Tx<'_>, scope: &Scope, secret: &mut Secret, stages: &[String]) -> Result<(), Error> {
        let now = tx.now();
        let id = secret.value_id(&self.version.id);
        for gone in secret.add(self.version, stages, now)? {
            tx.delete::<Value>(scope, &secret.value_id(&gone));
        }
        secret.changed = now;
        tx.put(scope, &id, self.value)?;
        Ok(())
    }
}

/// Whether a version of that id, which is there, has that value. A token that was used for another value is refused.
pub async fn check_same(cx: &Cx, found: &Found, id: &str, given: &Given<'_>) -> Result<(), Error> {
    let (scope, secret) = (&found.scope, &found.secret);
    let arn = found.arn(cx);
    let kept = cx.store().get::<Value>(scope, &secret.value_id(id))?;
    let kept = kept.ok_or_else(|| Error::internal(format!("version {id} of {arn} has no value")))?;
    let of = Of { scope, arn: &arn, version: id, key: None };
    let same = kept.binary == given.is_binary() && *seal::decrypt(cx, &of, &kept).await? == given.bytes();
    match same {
        true => Ok(()),
        false => Err(exists(format!(
            "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {arn}."
        ))),
    }
}

/// Adds a version to a secret that is there, and answers the secret as it is then. One that is there with the same value
/// is left as it is.
pub async fn add(
    cx: &Cx,
    secret_id: &str,
    token: Option<&String>,
    given: &Given<'_>,
    stages: &[String],
) -> Result<(Found, String), Error> {
    let found = living(cx, cx.store(), secret_id)?;
    let id = token.cloned().unwrap_or_else(|| cx.ids().uuid());
    if found.secret.version(&id).is_some() {
        check_same(cx, &found, &id, given).await?;
        return Ok((found, id));
    }
    let arn = found.arn(cx);
    let of = Of { scope: &found.scope, arn: &arn, version: &id, key: found.secret.kms_key_id.as_deref() };
    let new = New::encrypted(cx, &of, given).await?;
    let written = cx
        .store()
        .write(|tx| {
            let Found { scope, secret } = living(cx, tx, &arn)?;
            // Two came at once with one token: the first one's value stands, and the second is told by the next try.
            if secret.version(&id).is_some() {
                return Err(request("Another request with this ClientRequestToken is being handled."));
            }
            let mut secret = (*secret).clone();
            let first = [crate::stages::CURRENT.to_owned()];
            let stages = if secret.versions.is_empty() { with(&first, stages) } else { stages.to_vec() };
            new.write(tx, &scope, &mut secret, &stages)?;
            tx.put(&scope, &secret.name.clone(), secret.clone())?;
            Ok(Found { scope, secret: secret.into() })
        })
        .await?;
    Ok((written, id))
}

/// Both, each once.
fn with(first: &[String], stages: &[String]) -> Vec<String> {
    let more = stages.iter().filter(|stage| !first.contains(stage));
    first.iter().chain(more).cloned().collect()
}

/// Changes a secret that nobody has deleted.
pub async fn change(
    cx: &Cx,
    secret_id: &str,
    change: impl FnOnce(&mut Tx<'_>, &Scope, &mut Secret) -> Result<(), Error> + Send,
) -> Result<Found, Error> {
    change_found(cx, secret_id, |cx, tx, id| living(cx, tx, id), change).await
}

/// The same of one that is found in that way.
pub async fn change_found(
    cx: &Cx,
    secret_id: &str,
    find: impl FnOnce(&Cx, &Tx<'_>, &str) -> Result<Found, Error> + Send,
    change: impl FnOnce(&mut Tx<'_>, &Scope, &mut Secret) -> Result<(), Error> + Send,
) -> Result<Found, Error> {
    cx.store()
        .write(|tx| {
            let Found { scope, secret } = find(cx, tx, secret_id)?;
            let mut secret = (*secret).clone();
            change(tx, &scope, &mut secret)?;
            tx.put_if_changed(&scope, &secret.name.clone(), secret.clone())?;
            Ok(Found { scope, secret: secret.into() })
        })
        .await
}
