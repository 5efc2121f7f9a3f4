//! What actions and resources of a policy must look like, and what AWS says where they do not.
//! Sources: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy
//! elements: Resource" (no wildcard in the service segment); the wording is that of the answers of
//! IAM. Policies on resources are their service's to judge and are held to less.

use crate::kind::DocumentKind;
use crate::malformed::{MalformedPolicy, wrong};
use crate::pattern::{Pattern, Rules};

/// AWS's partitions.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// How the resource part of an ARN of IAM begins.
const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// What of S3 lies in a region.
const S3_REGIONAL: [&str; 5] = ["accesspoint/", "access-grants/", "job/", "storage-lens/", "storage-lens-group/"];

/// The actions of STS; a trust policy can say nothing else. Source: Service Authorization Reference,
/// "Actions, resources, and condition keys for AWS Security Token Service".
const STS: [&str; 12] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetFederationToken",
    "sts:GetServiceBearerToken",
    "sts:GetSessionToken",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// What is said of something that is neither an ARN nor `*`.
pub(crate) fn not_an_arn(text: &str, place: impl Into<String>) -> MalformedPolicy {
    wrong(format!("Resource {text} must be in ARN format or \"*\"."), place)
}

/// What is wrong with an entry of `Resource` or `NotResource`, if anything.
pub(crate) fn bad_resource(text: &str, place: &str) -> Option<MalformedPolicy> {
    if text == "*" {
        return None;
    }
    let bad = |message: String| Some(wrong(message, place));
    let segments: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, rest @ ..] = &segments[..] else { return Some(not_an_arn(text, place)) };
    let segment = |n: usize| rest.get(n).copied().unwrap_or("");
    if *partition != "*" && !PARTITIONS.contains(partition) {
        let told = |n: usize| match rest.get(n) {
            Some(&"") if rest.len() == 1 => "*",
            Some(text) => text,
            None => "*",
        };
        let (vendor, region, account, resource) = (told(0), told(1), told(2), told(3));
        return bad(format!(
            "Partition \"{partition}\" is not valid for resource \"arn:{partition}:{vendor}:{region}:{account}:{resource}\"."
        ));
    }
    let (vendor, region, resource) = (segment(0), segment(1), segment(3));
    if rest.is_empty() || vendor.contains(['*', '?']) {
        return bad("Resource vendor must be fully qualified and cannot contain regexes.".into());
    }
    if vendor == "iam" {
        if !region.is_empty() && rest.len() > 1 {
            return bad(format!("IAM resource {text} cannot contain region information."));
        }
        let good = ["*", "root"].contains(&resource) || IAM_PATHS.iter().any(|path| resource.starts_with(path));
        if !good {
            let paths = IAM_PATHS.join(", ");
            return bad(format!("IAM resource path must either be \"*\" or start with {paths}."));
        }
    }
    let regional = || S3_REGIONAL.iter().any(|path| resource.starts_with(path));
    if vendor == "s3" && !region.is_empty() && !region.contains(['*', '?']) && !regional() {
        return bad(format!("Resource {text} can not contain region information."));
    }
    None
}

/// Whether an older parser of AWS's stumbles over it: too few segments with an empty one between,
/// or no service.
pub(crate) fn is_half_an_arn(text: &str) -> bool {
    let few = text.matches(':').count() < 5;
    text != "*" && (few && text.contains("::") || text.split(':').nth(2) == Some(""))
}

/// Refuses what is no action, or none that this kind of document can speak about.
pub(crate) fn check_action(text: &str, kind: DocumentKind, place: &str) -> Result<(), MalformedPolicy> {
    let vendor = text.split_once(':').map(|(vendor, _)| vendor);
    if kind == DocumentKind::Trust {
        let rules = Rules { wildcards: true, variables: false, ignore_case: true };
        let of_sts = vendor.is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts"));
        let pattern = Pattern::compile(text, rules).map_err(|detail| wrong(detail, place))?;
        return match of_sts && STS.iter().any(|action| pattern.matches(action, &Default::default())) {
            true => Ok(()),
            false => Err(wrong("AssumeRole policy may only specify STS AssumeRole actions.", place)),
        };
    }
    match vendor {
        None if text == "*" => Ok(()),
        None => Err(wrong("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", place)),
        Some(_) if text.matches(':').count() > 1 => Err(wrong("Actions/Condition can contain only one colon.", place)),
        Some("*") => Ok(()),
        Some(vendor)
            if vendor.is_empty() || vendor.contains(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c)) =>
        {
            Err(wrong(format!("Vendor {vendor} is not valid"), place))
        }
        Some(_) => Ok(()),
    }
}
