//! The question put to the policies: who wants to do what to which resources, and what is known
//! about the circumstances.

use std::{collections::HashMap, net::IpAddr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Who makes the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root {
        /// Twelve digits.
        account: String,
    },
    /// An IAM user.
    User {
        /// `arn:aws:iam::111122223333:user/path/name`.
        arn: String,
        /// Twelve digits.
        account: String,
        /// The user's name.
        name: String,
        /// `AIDA…`.
        id: String,
    },
    /// A session of an assumed role.
    Session {
        /// `arn:aws:sts::111122223333:assumed-role/name/session`.
        arn: String,
        /// `arn:aws:iam::111122223333:role/path/name`.
        role_arn: String,
        /// Twelve digits.
        account: String,
        /// `AROA…:session`.
        id: String,
    },
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(String),
    /// An identity provider, by its ARN or host name.
    Federated(String),
    /// Nobody known.
    Anonymous,
}

impl Principal {
    /// The ARN, or what stands for it in messages.
    pub fn arn(&self) -> String {
        match self {
            Self::Root { account } => format!("arn:aws:iam::{account}:root"),
            Self::User { arn, .. } | Self::Session { arn, .. } => arn.clone(),
            Self::Service(name) | Self::Federated(name) => name.clone(),
            Self::Anonymous => "anonymous".into(),
        }
    }

    /// The account it belongs to, if to one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Root { account } | Self::User { account, .. } | Self::Session { account, .. } => Some(account),
            Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }
}

/// Condition keys and their values. Names are compared without regard to case; a key may have
/// many values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(HashMap<String, Vec<String>>);

impl Keys {
    /// Sets a key to one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.set_all(key, [value.into()])
    }

    /// Sets a key to many values, such as `aws:TagKeys`.
    pub fn set_all(&mut self, key: &str, values: impl IntoIterator<Item = String>) -> &mut Self {
        self.0.insert(key.to_lowercase(), values.into_iter().collect());
        self
    }

    /// Whether the key has a value.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(&key.to_lowercase())
    }

    /// The values of a key that is already lower-case; `None` if it is absent.
    pub(crate) fn get(&self, lower_case_key: &str) -> Option<&[String]> {
        self.0.get(lower_case_key).map(Vec::as_slice)
    }
}

/// One request to be decided.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who.
    pub principal: Principal,
    /// What: `ec2:RunInstances`.
    pub action: String,
    /// To which: all must be allowed. `*` for an action that names no resource.
    pub resources: Vec<String>,
    /// The account the resources belong to, if it may be another than the principal's.
    pub resource_account: Option<String>,
    /// What is known about the circumstances.
    pub keys: Keys,
}

impl Request {
    /// A request with the condition keys that follow from the principal set: `aws:PrincipalArn`,
    /// `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:username`, `aws:userid`,
    /// `aws:PrincipalServiceName`, `aws:PrincipalIsAWSService`.
    pub fn new(principal: Principal, action: &str, resources: Vec<String>) -> Self {
        let mut keys = Keys::default();
        if let Some(account) = principal.account() {
            keys.set("aws:PrincipalAccount", account);
        }
        match &principal {
            Principal::Root { account } => {
                keys.set("aws:PrincipalType", "Account").set("aws:userid", account);
                keys.set("aws:PrincipalArn", principal.arn());
            }
            Principal::User { arn, name, id, .. } => {
                keys.set("aws:PrincipalType", "User").set("aws:userid", id).set("aws:username", name);
                keys.set("aws:PrincipalArn", arn);
            }
            Principal::Session { role_arn, id, .. } => {
                keys.set("aws:PrincipalType", "AssumedRole").set("aws:userid", id);
                keys.set("aws:PrincipalArn", role_arn);
            }
            Principal::Service(name) => {
                keys.set("aws:PrincipalServiceName", name);
            }
            Principal::Federated(provider) => {
                keys.set("aws:FederatedProvider", provider).set("aws:PrincipalType", "FederatedUser");
            }
            Principal::Anonymous => {
                keys.set("aws:PrincipalType", "Anonymous").set("aws:userid", "anonymous");
            }
        }
        let by_service = matches!(principal, Principal::Service(_));
        keys.set("aws:PrincipalIsAWSService", by_service.to_string());
        Self { principal, action: action.into(), resources, resource_account: None, keys }
    }

    /// Says whose the resources are, which sets `aws:ResourceAccount`.
    #[must_use]
    pub fn of_account(mut self, account: &str) -> Self {
        self.keys.set("aws:ResourceAccount", account);
        self.resource_account = Some(account.to_owned());
        self
    }

    /// Sets `aws:CurrentTime` and `aws:EpochTime`.
    #[must_use]
    pub fn at(mut self, now: OffsetDateTime) -> Self {
        self.keys.set("aws:EpochTime", now.unix_timestamp().to_string());
        if let Ok(text) = now.format(&Rfc3339) {
            self.keys.set("aws:CurrentTime", text);
        }
        self
    }

    /// Sets `aws:SourceIp`.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.keys.set("aws:SourceIp", address.to_string());
        self
    }

    /// Sets any condition key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.keys.set(key, value);
        self
    }

    /// Sets a condition key with many values.
    #[must_use]
    pub fn with_all(mut self, key: &str, values: &[&str]) -> Self {
        self.keys.set_all(key, values.iter().map(|value| (*value).to_owned()));
        self
    }

    /// Sets `aws:PrincipalTag/…` for each tag.
    #[must_use]
    pub fn principal_tags<'a>(mut self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (key, value) in tags {
            self.keys.set(&format!("aws:PrincipalTag/{key}"), value);
        }
        self
    }
}
