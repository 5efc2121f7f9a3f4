//! Who calls, and whether they may. The kit only knows the questions; the iam service answers them.

use crate::{Cx, Error};
use kiln_clock::Timestamp;
use serde::{Deserialize, Serialize};

/// Who makes a call. Kept with long-running work (a stack), so that each later call is judged anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// e.g. `arn:aws:iam::123456789012:user/ada`, as GetCallerIdentity shows it.
    pub arn: String,
    /// e.g. `AIDA…`, `AROA…:session`, or the account id for the root user.
    pub user_id: String,
    /// The access key of the request; empty for internal callers.
    pub access_key: String,
    pub kind: CallerKind,
}

/// The kinds of caller that policies tell apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerKind {
    /// The account's root user: everything is allowed.
    Root,
    User {
        name: String,
    },
    /// A role session, with the session policies given to AssumeRole: documents, or ARNs of managed
    /// policies.
    Role {
        role_name: String,
        session_name: String,
        session_policies: Vec<String>,
        session_tags: Vec<(String, String)>,
        /// Keys of the session tags that go on to roles assumed with this session.
        #[serde(default)]
        transitive_tags: Vec<String>,
        /// Who stands behind the session, as whoever began it said.
        #[serde(default)]
        source_identity: Option<String>,
    },
    /// One of Kiln's own services acting by itself, as AWS's service-linked roles do, e.g.
    /// `autoscaling.amazonaws.com`.
    Service {
        name: String,
    },
}

impl Caller {
    /// The root user of an account.
    pub fn root(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_owned(),
            access_key: String::new(),
            kind: CallerKind::Root,
        }
    }

    /// The same in a partition: who is the account itself is that in each of them.
    pub fn in_partition(mut self, partition: &str) -> Self {
        if matches!(self.kind, CallerKind::Root | CallerKind::Service { .. })
            && let Some(rest) = self.arn.strip_prefix("arn:").and_then(|rest| rest.split_once(':'))
        {
            self.arn = format!("arn:{partition}:{}", rest.1);
        }
        self
    }

    /// A service acting by itself in an account.
    pub fn service(name: &str, account: &str) -> Self {
        Self {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:role/aws-service-role/{name}"),
            user_id: name.to_owned(),
            access_key: String::new(),
            kind: CallerKind::Service { name: name.to_owned() },
        }
    }
}

/// What belongs to an access key.
#[derive(Clone)]
pub struct Credential {
    pub secret: String,
    /// What the request must carry as `X-Amz-Security-Token`; only temporary credentials have one.
    pub session_token: Option<String>,
    /// Temporary credentials end.
    pub expires: Option<Timestamp>,
    /// An access key that was made inactive still gets an answer of its own.
    pub active: bool,
    pub caller: Caller,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({})", self.caller.arn)
    }
}

/// One question: may the caller do `action` on `resources`?
pub struct Grant<'a> {
    /// e.g. `ec2:RunInstances`.
    pub action: &'a str,
    /// ARNs; `*` where the action has no resource.
    pub resources: &'a [String],
    /// Further condition keys, e.g. `iam:PassedToService`.
    pub context: &'a [(&'a str, String)],
    /// The policy on the resource itself, where it has one.
    pub resource_policy: Option<ResourcePolicy<'a>>,
}

/// A policy on a resource: a bucket's, or a role's trust policy.
#[derive(Debug, Clone, Copy)]
pub struct ResourcePolicy<'a> {
    /// What to call it in explanations: the resource's ARN.
    pub name: &'a str,
    pub document: &'a str,
    /// A role's trust policy: nothing goes without it.
    pub trust: bool,
    /// The account that the resource belongs to.
    pub account: &'a str,
}

/// Answers about credentials and rights; installed by the iam service.
pub trait Access: Send + Sync {
    /// The credential of an access key id; `None` for an unknown one.
    fn credential(&self, access_key: &str) -> Result<Option<Credential>, Error>;

    /// Whether the user or role that a caller is still is there: one of the same name made later is another.
    fn exists(&self, caller: &Caller) -> Result<bool, Error>;

    /// A request was made with the caller's access key to a service, as signatures name it, in a region;
    /// told before it is known whether it may. Nobody must keep it.
    fn used(&self, _caller: &Caller, _service: &str, _region: &str) {}

    /// `Ok` when allowed, else AWS's AccessDenied error in its wording.
    fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error>;
}

/// The access key of the home account's root user, made at first start; a part that the server
/// installs and the iam service reads.
#[derive(Clone)]
pub struct RootCredential {
    pub access_key: String,
    pub secret: String,
}
