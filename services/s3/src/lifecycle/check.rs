//! What is taken for a lifecycle configuration, in S3's words where they are known.

use super::{Expiration, Filter, Form, Lifecycle, Mark, Noncurrent, Rule, midnight_before};
use crate::described::refuse;
use crate::errors::{self, invalid_argument, invalid_request, malformed_xml};
use crate::tagging;
use kiln_s3_shapes::{BucketLifecycleConfiguration, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, Tag};
use kiln_service_kit::{Cx, Error};

/// Rules of a configuration. Source: Amazon S3 User Guide, "Lifecycle configuration elements".
const MOST: usize = 1_000;
const LONGEST_ID: usize = 255;
/// Most versions that are kept beside the latest.
const MOST_KEPT: i32 = 100;

/// The lifecycle that a document is.
pub fn check(
    cx: &Cx,
    given: &BucketLifecycleConfiguration,
    smallest_moved: Option<String>,
) -> Result<Lifecycle, Error> {
    if given.rules.is_empty() {
        return Err(malformed_xml());
    }
    if given.rules.len() > MOST {
        return Err(invalid_request("Lifecycle configuration allows a maximum of 1000 rules."));
    }
    let mut rules: Vec<Rule> = vec![];
    for each in &given.rules {
        let rule = rule(cx, each)?;
        if rules.iter().any(|before| before.id == rule.id) {
            let text = "Rule ID must be unique. Found same ID for more than one rule";
            return Err(invalid_argument("ID", &rule.id, text));
        }
        rules.push(rule);
    }
    Ok(Lifecycle { mark: Mark::Has, rules, set: cx.now(), smallest_moved })
}

fn rule(cx: &Cx, given: &LifecycleRule) -> Result<Rule, Error> {
    refuse(&[
        ("Transition", !given.transitions.is_empty()),
        ("NoncurrentVersionTransition", !given.noncurrent_version_transitions.is_empty()),
    ])?;
    let id = given.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| cx.ids().hex(48));
    if id.len() > LONGEST_ID {
        return Err(invalid_argument("ID", &id, "ID length should not exceed allowed limit of 255"));
    }
    let enabled = match given.status.as_str() {
        "Enabled" => true,
        "Disabled" => false,
        _ => return Err(malformed_xml()),
    };
    let filter = match (&given.prefix, &given.filter) {
        (Some(prefix), None) => Filter { form: Form::Rule, prefix: Some(prefix.clone()), ..empty() },
        (None, Some(filter)) => filtered(filter)?,
        _ => return Err(malformed_xml()),
    };
    let expiration = given.expiration.as_ref().map(expiration).transpose()?;
    let noncurrent = match &given.noncurrent_version_expiration {
        None => None,
        Some(given) => {
            let days = positive("NoncurrentDays", "NoncurrentVersionExpiration", given.noncurrent_days)?;
            let keep = given.newer_noncurrent_versions;
            if keep.is_some_and(|keep| !(1..=MOST_KEPT).contains(&keep)) {
                let text = "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be an integer between 1 and 100";
                return Err(errors::invalid_argument("NewerNoncurrentVersions", "", text));
            }
            if keep.is_some() && filter.form == Form::Rule {
                return Err(invalid_request(
                    "'NewerNoncurrentVersions' cannot be specified with a rule without a filter",
                ));
            }
            Some(Noncurrent { days, keep })
        }
    };
    let abort = given.abort_incomplete_multipart_upload.as_ref();
    let abort = abort
        .map(|given| positive("DaysAfterInitiation", "AbortIncompleteMultipartUpload", given.days_after_initiation))
        .transpose()?;
    if expiration.is_none() && noncurrent.is_none() && abort.is_none() {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    for (name, is_there) in [
        ("AbortIncompleteMultipartUpload", abort.is_some()),
        ("ExpiredObjectDeleteMarker", matches!(expiration, Some(Expiration::Marker(_)))),
    ] {
        if is_there && !filter.tags.is_empty() {
            return Err(invalid_request(&format!("{name} cannot be specified with Tags.")));
        }
        if is_there && filter.asks_for_object() {
            return Err(invalid_request(&format!("{name} cannot be specified with Object Size.")));
        }
    }
    Ok(Rule { id, enabled, filter, expiration, noncurrent, abort })
}

fn empty() -> Filter {
    Filter { form: Form::Single, prefix: None, tags: Default::default(), greater: None, less: None }
}

fn filtered(given: &LifecycleRuleFilter) -> Result<Filter, Error> {
    let single = [
        given.prefix.is_some(),
        given.tag.is_some(),
        given.object_size_greater_than.is_some(),
        given.object_size_less_than.is_some(),
        given.and.is_some(),
    ];
    if single.into_iter().filter(|is_there| *is_there).count() > 1 {
        return Err(malformed_xml());
    }
    let (form, prefix, tags, greater, less): (_, _, &[Tag], _, _) = match &given.and {
        Some(and) => {
            let (greater, less) = (and.object_size_greater_than, and.object_size_less_than);
            (Form::And, &and.prefix, and.tags.as_slice(), greater, less)
        }
        None => {
            let (greater, less) = (given.object_size_greater_than, given.object_size_less_than);
            (Form::Single, &given.prefix, given.tag.as_slice(), greater, less)
        }
    };
    let tags = tagging::to_map(tags, tagging::MOST_OF_BUCKET)?;
    for (name, size) in [("ObjectSizeGreaterThan", greater), ("ObjectSizeLessThan", less)] {
        if let Some(size) = size.filter(|size| *size < 0) {
            let text = format!("'{name}' should be a non-negative integer");
            return Err(invalid_argument(name, &size.to_string(), &text));
        }
    }
    if let (Some(greater), Some(less)) = (greater, less)
        && greater >= less
    {
        return Err(invalid_request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."));
    }
    Ok(Filter { form, prefix: prefix.clone(), tags, greater, less })
}

fn expiration(given: &LifecycleExpiration) -> Result<Expiration, Error> {
    match (given.days, given.date, given.expired_object_delete_marker) {
        (Some(days), None, None) => Ok(Expiration::Days(positive("Days", "Expiration", Some(days))?)),
        (None, Some(date), None) if midnight_before(date) == date => Ok(Expiration::Date(date)),
        (None, Some(date), None) => Err(invalid_argument("Date", &date.iso8601(), "'Date' must be at midnight GMT")),
        (None, None, Some(goes)) => Ok(Expiration::Marker(goes)),
        _ => Err(malformed_xml()),
    }
}

fn positive(name: &'static str, action: &str, days: Option<i32>) -> Result<i32, Error> {
    let days = days.ok_or_else(malformed_xml)?;
    if days > 0 {
        return Ok(days);
    }
    let text = format!("'{name}' for {action} action must be a positive integer");
    Err(invalid_argument(name, &days.to_string(), &text))
}
