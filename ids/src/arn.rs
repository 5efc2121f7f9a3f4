//! Amazon Resource Names.

use crate::BadId;
use serde::{Deserialize, Serialize};

/// `arn:partition:service:region:account:resource`. Source: "Amazon Resource Names (ARNs)", AWS
/// General Reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn(Box<str>);

impl Arn {
    /// An ARN in the partition `aws`.
    pub fn new(service: &str, region: &str, account: &str, resource: &str) -> Self {
        Self(format!("arn:aws:{service}:{region}:{account}:{resource}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, n: usize) -> &str {
        self.0.splitn(6, ':').nth(n).expect("an Arn was parsed to have six parts")
    }

    /// The service, e.g. `iam`.
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The region; empty for global things.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account id; empty for public things.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// All after the account, e.g. `role/admin`.
    pub fn resource(&self) -> &str {
        self.part(5)
    }
}

impl std::str::FromStr for Arn {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        if parts.len() == 6 && parts[0] == "arn" && !parts[1].is_empty() && !parts[2].is_empty() && !parts[5].is_empty()
        {
            Ok(Self(text.into()))
        } else {
            Err(BadId { given: text.to_owned(), expected: "arn:partition:service:region:account:resource" })
        }
    }
}

impl TryFrom<String> for Arn {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}
impl From<Arn> for String {
    fn from(arn: Arn) -> String {
        arn.0.into()
    }
}
impl std::fmt::Display for Arn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_arn() {
        let arn: Arn = "arn:aws:iam::123456789012:role/a:b".parse().expect("valid");
        assert_eq!(
            (arn.service(), arn.region(), arn.account(), arn.resource()),
            ("iam", "", "123456789012", "role/a:b")
        );
        assert!("arn:aws:iam".parse::<Arn>().is_err());
        assert!("nra:aws:iam::1:x".parse::<Arn>().is_err());
    }
}
