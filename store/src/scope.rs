//! Whose, and where.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The account and the region a record belongs to. Things that AWS keeps once per account (users,
/// roles) use the region name their service chooses for that, for example `aws-global`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The 12-digit account id.
    pub account: Arc<str>,
    /// The region's name.
    pub region: Arc<str>,
}

impl Scope {
    /// A scope from its two names.
    pub fn new(account: impl Into<Arc<str>>, region: impl Into<Arc<str>>) -> Scope {
        Scope { account: account.into(), region: region.into() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}
