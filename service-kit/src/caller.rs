//! Who calls, and what their access keys are.

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
            && let Some((of, rest)) = self.arn.strip_prefix("arn:").and_then(|rest| rest.split_once(':'))
            && of != partition
        {
            self.arn = format!("arn:{partition}:{rest}");
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

/// The access key of the home account's root user, made at first start; a part that the server
/// installs and the iam service reads.
#[derive(Clone)]
pub struct RootCredential {
    pub access_key: String,
    pub secret: String,
}
