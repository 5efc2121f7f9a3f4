//! Managed policies by their ARN: the account's own, and AWS's from `kiln_policy::managed`.

use crate::records::{ManagedPolicy, key};
use kiln_policy::managed;
use kiln_service_kit::{Error, Scope, Store, StoreError, Tx, regions};
use std::borrow::Cow;
use std::sync::Arc;

/// A managed policy.
pub enum Found {
    Own(Arc<ManagedPolicy>),
    Aws(&'static managed::Managed),
}

/// Account and name in the ARN of an account's own policy.
pub fn own(arn: &str) -> Option<(&str, &str)> {
    let (account, resource) = regions::global_part(arn, "iam")?.split_once(":policy/")?;
    let name = resource.rsplit('/').next()?;
    (account.len() == 12 && !name.is_empty()).then_some((account, name))
}

fn by_arn(
    arn: &str,
    read: impl FnOnce(&Scope, &str) -> Result<Option<Arc<ManagedPolicy>>, StoreError>,
) -> Result<Option<Found>, Error> {
    // AWS's are the same in every partition.
    let of_aws = regions::global_part(arn, "iam").and_then(|part| managed::find(&format!("arn:aws:iam::{part}")));
    if let Some(aws) = of_aws {
        return Ok(Some(Found::Aws(aws)));
    }
    let Some((account, name)) = own(arn) else { return Ok(None) };
    let policy = read(&Scope::new(account, ""), &key(name))?;
    Ok(policy.filter(|policy| policy.arn == arn).map(Found::Own))
}

/// The policy with that ARN.
pub fn find(store: &Store, arn: &str) -> Result<Option<Found>, Error> {
    by_arn(arn, |scope, key| store.get(scope, key))
}

/// The policy with that ARN, inside a transaction.
pub fn find_in(tx: &Tx<'_>, arn: &str) -> Result<Option<Found>, Error> {
    by_arn(arn, |scope, key| tx.get(scope, key))
}

impl Found {
    /// What it says: the document of the default version.
    pub fn document(&self) -> Result<Cow<'_, str>, Error> {
        match self {
            Self::Aws(policy) => Ok(policy.document().into()),
            Self::Own(policy) => match policy.versions.get(&policy.default_version) {
                Some(version) => Ok(version.document.as_str().into()),
                None => Err(Error::internal(format!("policy {} has no default version", policy.arn))),
            },
        }
    }
}
