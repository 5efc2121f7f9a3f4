//! Condition keys of bucket policies. S3 refuses those that neither it nor all services know. Of those that it knows,
//! some have no value here although AWS would give one: a statement that denies by one would let in, so that they are
//! refused by name. Others have none because there is nothing here for them to tell (no access points, no object lock,
//! no organizations, no other door than HTTP), which is the truth.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and IAM User Guide,
//! "AWS global condition context keys".

use super::statement::Condition;
use crate::errors::malformed_policy;
use kiln_service_kit::Error;

/// S3's own keys that have a value wherever AWS gives one, or tell of what is not there.
const KNOWN: [&str; 46] = [
    "accessgrantsinstancearn",
    "accesspointnetworkorigin",
    "accesspointtag/",
    "bucketnamespace",
    "buckettag/",
    "dataaccesspointaccount",
    "dataaccesspointarn",
    "delimiter",
    "existingjoboperation",
    "existingjobpriority",
    "existingobjecttag/",
    "inventoryaccessibleoptionalfields",
    "isreplicationpauserequest",
    "jobsuspendedcause",
    "locationconstraint",
    "max-keys",
    "object-lock-legal-hold",
    "object-lock-mode",
    "object-lock-remaining-retention-days",
    "object-lock-retain-until-date",
    "prefix",
    "requestjoboperation",
    "requestjobpriority",
    "requestobjecttag/",
    "requestobjecttagkeys",
    "resourceaccount",
    "tlsversion",
    "versionid",
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-context/",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Keys that a request has in AWS and not here.
const NOT_BUILT: [&str; 16] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:principalservicenameslist",
    "aws:referer",
    "aws:tokenissuetime",
    "aws:useragent",
    "s3:authtype",
    "s3:if-match",
    "s3:if-none-match",
    "s3:objectcreationoperation",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:x-amz-content-sha256",
];

/// Refuses a test of a key that is none, or that nothing here would have a value of.
pub fn check(condition: &Condition) -> Result<(), Error> {
    check_built(&condition.key)?;
    let key = condition.key.to_ascii_lowercase();
    let own = |key: &str| {
        let named = |known: &&str| match known.strip_suffix('/') {
            Some(family) => key.strip_prefix(family).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/')),
            None => *known == key,
        };
        KNOWN.iter().any(named)
    };
    let known = match key.split_once(':') {
        Some(("aws", name)) => !name.is_empty(),
        Some(("s3", name)) => own(name),
        _ => false,
    };
    if known { Ok(()) } else { Err(malformed_policy("Policy has an invalid condition key")) }
}

/// The same of the keys that variables in a policy's text stand for.
pub fn check_variables(text: &str) -> Result<(), Error> {
    let insides = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    insides.map(|(inside, _)| inside.split(',').next().unwrap_or(inside).trim()).try_for_each(check_built)
}

fn check_built(key: &str) -> Result<(), Error> {
    match NOT_BUILT.contains(&key.to_ascii_lowercase().as_str()) {
        true => Err(Error::not_built(format!("s3: the condition key {key}"))),
        false => Ok(()),
    }
}
