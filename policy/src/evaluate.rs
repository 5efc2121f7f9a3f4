//! AWS's evaluation order. For each resource of the request:
//!
//! ```text
//! an explicit deny anywhere        -> denied
//! service control policies         -> each level must allow
//! a resource policy naming exactly this principal (same account) -> allowed
//! identity policies                -> must allow, or the resource policy names the role
//! permissions boundary             -> must allow
//! session policies                 -> must allow
//! another account's resource, a role to assume, a key -> its policy must allow as well
//! ```
//!
//! A request about several resources is allowed only if each of them is.
//!
//! Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access" (what a policy
//! on a resource gives to users, sessions, roles and, by `aws:PrincipalArn`, to some of everyone) and "Cross-account
//! policy evaluation logic".

use crate::{
    context::{Principal, Request},
    decision::{Decision, Place, PolicyKind, Verdict},
    document::{Document, Effect, Statement},
    principal::{Entry, Grant, strongest},
};

/// Near misses kept for an explanation: more than a few help nobody.
const MOST_NEAR_MISSES: usize = 3;

/// A policy and the name to call it by in explanations.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// An ARN or an inline policy's name.
    pub name: &'a str,
    /// The document.
    pub document: &'a Document,
}

/// The policies on the resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourcePolicies<'a> {
    /// The policies; most resources have at most one.
    pub policies: &'a [Policy<'a>],
    /// This is a role's trust policy: nothing goes without it.
    pub trust: bool,
    /// Of another kind, and nothing goes without it either: a key's policy, which says whether the account's own
    /// policies count at all.
    pub needed: bool,
}

/// All policies that apply to a request. What there is none of stays at its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Of the user and its groups, or of the role.
    pub identity: &'a [Policy<'a>],
    /// The permissions boundary.
    pub boundary: Option<Policy<'a>>,
    /// Passed when the session was made; `None` if none were.
    pub session: Option<&'a [Policy<'a>]>,
    /// On the resource.
    pub resource: ResourcePolicies<'a>,
    /// Service control policies by level: each level must allow.
    pub service_control: &'a [&'a [Policy<'a>]],
}

/// Decides a request.
pub fn evaluate(request: &Request, policies: &Policies<'_>) -> Decision {
    let everything = ["*".to_owned()];
    let resources = if request.resources.is_empty() { &everything[..] } else { &request.resources };
    let mut allowed = None;
    for resource in resources {
        let decision = One { request, resource, misses: Vec::new() }.decide(policies);
        if !decision.is_allowed() {
            return decision;
        }
        allowed = Some(decision);
    }
    allowed.expect("there is at least one resource")
}

/// The decision about one resource.
struct One<'a> {
    request: &'a Request,
    resource: &'a str,
    misses: Vec<String>,
}

/// What a statement lacked, in the order in which it is looked at.
enum Miss {
    Other,
    Near(String),
}

impl One<'_> {
    fn decide(mut self, policies: &Policies<'_>) -> Decision {
        let on_resource = if policies.resource.trust { PolicyKind::Trust } else { PolicyKind::Resource };
        let boundary: &[Policy<'_>] = policies.boundary.as_slice();
        let session = policies.session.unwrap_or(&[]);
        let control = policies.service_control.iter().map(|level| (PolicyKind::ServiceControl, *level));
        let all = [
            (PolicyKind::Identity, policies.identity),
            (on_resource, policies.resource.policies),
            (PolicyKind::Boundary, boundary),
            (PolicyKind::Session, session),
        ];
        for (kind, list) in all.into_iter().chain(control.clone()) {
            if let Some((place, _)) = self.find(kind, list, Effect::Deny) {
                return self.ends(Verdict::ExplicitDeny, kind, Some(place));
            }
        }
        for (kind, level) in control {
            if self.find(kind, level, Effect::Allow).is_none() {
                return self.ends(Verdict::ImplicitDeny, kind, None);
            }
        }
        let by_resource = self.find(on_resource, policies.resource.policies, Effect::Allow);
        let principal = &self.request.principal;
        let Some(account) = principal.account() else {
            // Services, identity providers and strangers have no identity policies.
            return match by_resource {
                Some((place, _)) => self.ends(Verdict::Allow, on_resource, Some(place)),
                None => self.ends(Verdict::ImplicitDeny, on_resource, None),
            };
        };
        let other_account = self.request.resource_account.as_deref().is_some_and(|owner| owner != account);
        let needed = policies.resource.trust || policies.resource.needed;
        if (other_account || needed) && by_resource.is_none() {
            return self.ends(Verdict::ImplicitDeny, on_resource, None);
        }
        let by_resource = match by_resource {
            Some((place, Grant::Direct)) if !other_account => {
                return self.ends(Verdict::Allow, on_resource, Some(place));
            }
            Some((place, Grant::Role)) if !other_account => Some(place),
            // Naming the account leaves it to the account's own policies.
            _ => None,
        };
        let root = matches!(principal, Principal::Root { .. });
        let allowed = match by_resource {
            Some(place) => (on_resource, Some(place)),
            None if root => (PolicyKind::Identity, None),
            None => match self.find(PolicyKind::Identity, policies.identity, Effect::Allow) {
                Some((place, _)) => (PolicyKind::Identity, Some(place)),
                None => return self.ends(Verdict::ImplicitDeny, PolicyKind::Identity, None),
            },
        };
        let limits = [
            (PolicyKind::Boundary, policies.boundary.is_some(), boundary),
            (PolicyKind::Session, policies.session.is_some(), session),
        ];
        for (kind, there, list) in limits {
            if there && self.find(kind, list, Effect::Allow).is_none() {
                return self.ends(Verdict::ImplicitDeny, kind, None);
            }
        }
        self.ends(Verdict::Allow, allowed.0, allowed.1)
    }

    fn ends(self, verdict: Verdict, kind: PolicyKind, statement: Option<Place>) -> Decision {
        let near_misses = if verdict == Verdict::ImplicitDeny { self.misses } else { Vec::new() };
        Decision { verdict, kind, statement, resource: self.resource.to_owned(), near_misses }
    }

    /// The statement of this effect that applies; of several, the one naming the principal most
    /// directly.
    fn find(&mut self, kind: PolicyKind, policies: &[Policy<'_>], effect: Effect) -> Option<(Place, Grant)> {
        let mut best: Option<(Place, Grant)> = None;
        for policy in policies {
            for (index, statement) in policy.document.statements.iter().enumerate() {
                if statement.effect != effect {
                    continue;
                }
                let place =
                    || Place { kind, policy: policy.name.to_owned(), statement: index, sid: statement.sid.clone() };
                match self.applies(kind, statement) {
                    Ok(Grant::Direct) => return Some((place(), Grant::Direct)),
                    Ok(grant) => {
                        if best.as_ref().is_none_or(|(_, other)| grant > *other) {
                            best = Some((place(), grant));
                        }
                    }
                    Err(Miss::Near(what)) if effect == Effect::Allow && self.misses.len() < MOST_NEAR_MISSES => {
                        self.misses.push(format!("{} allows the action, but {what}", place()));
                    }
                    Err(_) => {}
                }
            }
        }
        best
    }

    fn applies(&self, kind: PolicyKind, statement: &Statement) -> Result<Grant, Miss> {
        let keys = &self.request.keys;
        let actions = &statement.actions;
        if actions.entries.iter().any(|pattern| pattern.matches(&self.request.action, keys)) == actions.not {
            return Err(Miss::Other);
        }
        let grant = match &statement.principals {
            // A resource's policy that names nobody grants nobody anything.
            None if matches!(kind, PolicyKind::Resource | PolicyKind::Trust) => return Err(Miss::Other),
            None => Grant::Direct,
            Some(listed) => match (strongest(&listed.entries, &self.request.principal), listed.not) {
                // Of everyone, those with that ARN: neither boundaries nor session policies count then.
                (Some(Grant::Role), false)
                    if listed.entries.contains(&Entry::Everyone)
                        && statement.conditions.iter().any(|test| test.asks_who("aws:principalarn")) =>
                {
                    Grant::Direct
                }
                (Some(grant), false) => grant,
                (None, true) => Grant::Role,
                _ => return Err(Miss::Near(format!("not for {}", self.request.principal.arn()))),
            },
        };
        if let Some(resources) = &statement.resources
            && resources.entries.iter().any(|pattern| pattern.matches(self.resource, keys)) == resources.not
        {
            return Err(Miss::Near(format!("not on {}", self.resource)));
        }
        match statement.conditions.iter().find(|test| !test.holds(keys)) {
            Some(test) => Err(Miss::Near(format!("its condition {} does not hold", test.describe(keys)))),
            None => Ok(grant),
        }
    }
}
