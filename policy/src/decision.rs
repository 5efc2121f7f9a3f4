//! What was decided and why, in plain words and in AWS's.

use std::fmt;

use crate::context::Request;

/// Allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement allows it.
    ImplicitDeny,
}

/// The role a policy plays in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to the user, group or role.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Passed when the session was made.
    Session,
    /// On the resource.
    Resource,
    /// On the role, for `sts:AssumeRole`.
    Trust,
    /// Above the account.
    ServiceControl,
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::ServiceControl => "service control policy",
        })
    }
}

/// A statement in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The policy's role.
    pub kind: PolicyKind,
    /// The policy's name, as the caller gave it.
    pub policy: String,
    /// The statement's index, from 0.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "statement {}", self.statement)?;
        if let Some(sid) = &self.sid {
            write!(formatter, " ({sid})")?;
        }
        write!(formatter, " of {} {}", self.kind, self.policy)
    }
}

/// The decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Allowed or not.
    pub verdict: Verdict,
    /// The kind of policy that decided; for an implicit deny, the kind in which nothing allows it.
    pub kind: PolicyKind,
    /// The statement that allows or denies it. None for an implicit deny, and for the root user.
    pub statement: Option<Place>,
    /// The resource it was decided on: the first one denied, or the last one allowed.
    pub resource: String,
    /// For an implicit deny, statements that would have allowed it but for one thing.
    pub near_misses: Vec<String>,
}

impl Decision {
    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allow
    }

    /// Which statement decided, or why none did.
    pub fn explain(&self, request: &Request) -> String {
        let (action, resource) = (&request.action, &self.resource);
        match (self.verdict, &self.statement) {
            (Verdict::Allow, Some(place)) => format!("{action} on {resource} is allowed by {place}."),
            (Verdict::Allow, None) => {
                format!("{action} on {resource} is allowed: {} is the account's root user.", request.principal.arn())
            }
            (Verdict::ExplicitDeny, Some(place)) => format!("{action} on {resource} is denied by {place}."),
            _ => {
                let mut text = format!("{action} on {resource} is not allowed: no {} allows it.", self.kind);
                for miss in &self.near_misses {
                    text.push_str(&format!(" Nearest: {miss}."));
                }
                text
            }
        }
    }

    /// The message AWS gives a caller whose request is denied.
    pub fn denied_message(&self, request: &Request) -> String {
        let (who, action, kind) = (request.principal.arn(), &request.action, self.kind);
        let head = format!("User: {who} is not authorized to perform: {action} on resource: {}", self.resource);
        if self.verdict == Verdict::ExplicitDeny {
            let article = if kind == PolicyKind::Identity { "an" } else { "a" };
            format!("{head} with an explicit deny in {article} {kind}")
        } else {
            format!("{head} because no {kind} allows the {action} action")
        }
    }
}
