//! All policies that speak about a user or a role, gathered for a decision.

use crate::managed::{self, Found};
use crate::parsed::Parsed;
use crate::records::{Group, Permissions, Role, User, key};
use kiln_policy::{Document, DocumentKind, Policies, Policy};
use kiln_service_kit::{Error, Scope, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

type Named = (String, Arc<Document>);

/// What somebody may do.
#[derive(Default)]
pub struct Rights {
    identity: Vec<Named>,
    boundary: Option<Named>,
    /// `None`: no session, or one that is not limited further.
    session: Option<Vec<Named>>,
    /// For `aws:PrincipalTag/…`.
    pub tags: BTreeMap<String, String>,
}

fn parse(parsed: &Parsed, name: &str, text: &str) -> Result<Named, Error> {
    Ok((name.to_owned(), parsed.get(text, DocumentKind::Identity)?))
}

/// The managed policy with that ARN. One that is gone cannot be left out: it could be the one that
/// denies.
fn by_arn(store: &Store, parsed: &Parsed, arn: &str) -> Result<Named, Error> {
    match managed::find(store, arn)? {
        Some(Found::Aws(policy)) => Ok((arn.to_owned(), policy.parsed())),
        Some(found) => parse(parsed, arn, &found.document()?),
        None => Err(Error::internal(format!("policy {arn} is attached, but not there"))),
    }
}

impl Rights {
    fn add(&mut self, store: &Store, parsed: &Parsed, permissions: &Permissions) -> Result<(), Error> {
        for (name, text) in &permissions.inline {
            self.identity.push(parse(parsed, name, text)?);
        }
        for arn in &permissions.attached {
            self.identity.push(by_arn(store, parsed, arn)?);
        }
        if let Some(arn) = &permissions.boundary {
            self.boundary = Some(by_arn(store, parsed, arn)?);
        }
        Ok(())
    }

    /// The user's id, and what it may do by itself and through its groups.
    pub fn of_user(store: &Store, parsed: &Parsed, scope: &Scope, name: &str) -> Result<Option<(String, Self)>, Error> {
        let Some(user) = store.get::<User>(scope, &key(name))? else { return Ok(None) };
        let mut rights = Self { tags: user.tags.clone(), ..Self::default() };
        rights.add(store, parsed, &user.permissions)?;
        for group in &user.groups {
            match store.get::<Group>(scope, group)? {
                Some(group) => rights.add(store, parsed, &group.permissions)?,
                None => return Err(Error::internal(format!("user {name} is in group {group}, which is not there"))),
            }
        }
        Ok(Some((user.id.clone(), rights)))
    }

    /// The role, and what it may do.
    pub fn of_role(
        store: &Store,
        parsed: &Parsed,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<(Arc<Role>, Self)>, Error> {
        let Some(role) = store.get::<Role>(scope, &key(name))? else { return Ok(None) };
        let mut rights = Self { tags: role.tags.clone(), ..Self::default() };
        rights.add(store, parsed, &role.permissions)?;
        Ok(Some((role, rights)))
    }

    /// What policy texts allow, with an optional boundary: for simulations.
    pub fn of_texts(parsed: &Parsed, texts: &[String], boundary: Option<&String>) -> Result<Self, Error> {
        let mut rights = Self::default();
        rights.add_texts(parsed, texts, boundary)?;
        Ok(rights)
    }

    /// Adds policy texts, and sets a boundary where one is given.
    pub fn add_texts(&mut self, parsed: &Parsed, texts: &[String], boundary: Option<&String>) -> Result<(), Error> {
        for (at, text) in texts.iter().enumerate() {
            self.identity.push(parse(parsed, &format!("PolicyInputList.{}", at + 1), text)?);
        }
        if let Some(text) = boundary {
            self.boundary = Some(parse(parsed, "PermissionsBoundaryPolicyInputList.1", text)?);
        }
        Ok(())
    }

    /// Limits a session by the policies given when it was made: documents, or ARNs of managed ones.
    pub fn limit_to_session(&mut self, store: &Store, parsed: &Parsed, policies: &[String]) -> Result<(), Error> {
        if policies.is_empty() {
            return Ok(());
        }
        let read = |policy: &String| match policy.starts_with("arn:") {
            true => by_arn(store, parsed, policy),
            false => parse(parsed, "session", policy),
        };
        self.session = Some(policies.iter().map(read).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The condition keys that the policies ask for.
    pub fn context_keys(&self) -> Vec<String> {
        let all = self.identity.iter().chain(&self.boundary).chain(self.session.iter().flatten());
        let mut keys: Vec<String> = vec![];
        for key in all.flat_map(|(_, document)| document.context_keys()) {
            if !keys.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                keys.push(key.to_owned());
            }
        }
        keys
    }

    /// Lends the policies in the form that decisions are made from.
    pub fn with<T>(&self, decide: impl FnOnce(Policies<'_>) -> T) -> T {
        fn borrowed((name, document): &Named) -> Policy<'_> {
            Policy { name, document }
        }
        let identity: Vec<Policy<'_>> = self.identity.iter().map(borrowed).collect();
        let session: Option<Vec<Policy<'_>>> = self.session.as_ref().map(|s| s.iter().map(borrowed).collect());
        decide(Policies {
            identity: &identity,
            boundary: self.boundary.as_ref().map(borrowed),
            session: session.as_deref(),
            ..Policies::default()
        })
    }
}
