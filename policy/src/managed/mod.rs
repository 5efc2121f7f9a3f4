//! The AWS managed policies our users attach, as permissions: what each allows, written down as
//! JSON beside this file. Adding one is a JSON file and a row.
//!
//! `ReadOnlyAccess` is approximate: AWS lists over a thousand actions by name; ours says `Get*`,
//! `List*`, `Describe*` per service, for the services Kiln has or plans. AWS revises all of these
//! from time to time.

/// A managed policy of AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Managed {
    /// Its name.
    pub name: &'static str,
    /// `arn:aws:iam::aws:policy/…`.
    pub arn: &'static str,
    /// The document.
    pub document: &'static str,
    /// Allows by wildcard about what AWS's lists by name.
    pub approximate: bool,
}

macro_rules! managed {
    ($name:literal, $approximate:literal) => {
        Managed {
            name: $name,
            arn: concat!("arn:aws:iam::aws:policy/", $name),
            document: include_str!(concat!($name, ".json")),
            approximate: $approximate,
        }
    };
}

/// All of them.
pub const ALL: &[Managed] = &[
    managed!("AdministratorAccess", false),
    managed!("PowerUserAccess", false),
    managed!("ReadOnlyAccess", true),
    managed!("AmazonSSMManagedInstanceCore", false),
    managed!("AmazonEC2FullAccess", false),
    managed!("AmazonEC2ReadOnlyAccess", false),
    managed!("IAMFullAccess", false),
    managed!("AutoScalingFullAccess", false),
    managed!("ElasticLoadBalancingFullAccess", false),
    managed!("AWSCloudFormationFullAccess", false),
    managed!("AmazonS3ReadOnlyAccess", false),
    managed!("CloudWatchAgentServerPolicy", false),
];

/// The managed policy with this ARN.
pub fn find(arn: &str) -> Option<&'static Managed> {
    ALL.iter().find(|managed| managed.arn == arn)
}
