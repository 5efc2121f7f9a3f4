//! Whether a caller may. The kit only knows the questions; the iam service answers them.

use crate::{Caller, Credential, Cx, Error};

/// One question: may the caller do `action` on `resources`?
pub struct Grant<'a> {
    /// e.g. `ec2:RunInstances`.
    pub action: &'a str,
    /// ARNs; `*` where the action has no resource.
    pub resources: &'a [String],
    /// Further condition keys, e.g. `iam:PassedToService`.
    pub context: &'a [(&'a str, String)],
    /// Whose the resource is and what policy is on it, where its kind can have one.
    pub resource_policy: Option<ResourcePolicy<'a>>,
}

/// A policy on a resource: a bucket's, a key's, or a role's trust policy.
#[derive(Debug, Clone, Copy)]
pub struct ResourcePolicy<'a> {
    /// What to call it in explanations: the resource's ARN.
    pub name: &'a str,
    /// None where the owner has set none: then nobody of another account is let in.
    pub document: Option<&'a str>,
    /// A role's trust policy: nothing goes without it.
    pub trust: bool,
    /// Of another kind, and nothing goes without it either, not for the account's root user: a key's policy.
    pub needed: bool,
    /// The account that the resource belongs to.
    pub account: &'a str,
}

/// Answers about credentials and rights; installed by the iam service.
pub trait Access: Send + Sync {
    /// The credential of an access key id; `None` for an unknown one.
    fn credential(&self, access_key: &str) -> Result<Option<Credential>, Error>;

    /// Whether the user or role that a caller is still is there: one of the same name made later is another.
    fn exists(&self, caller: &Caller) -> Result<bool, Error>;

    /// Whether an ARN is that of a user or a role that is there, or of a session of one: what a policy may name.
    fn names_somebody(&self, arn: &str) -> Result<bool, Error>;

    /// A request was made with the caller's access key to a service, as signatures name it, in a region;
    /// told before it is known whether it may. Nobody must keep it.
    fn used(&self, _caller: &Caller, _service: &str, _region: &str) {}

    /// `Ok` when allowed, else AWS's AccessDenied error in its wording.
    fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error>;
}
