//! Rules as they are told: in a configuration, and in the headers of what they are about.

use super::due::expiration;
use super::rule::{Expiration, Filter, Form, Rule};
use crate::records::{Bucket, Object};
use crate::words::plain_url;
use kiln_s3_shapes::*;

/// `x-amz-expiration`: when a key's latest object expires, and by which rule of its bucket.
pub fn expires(bucket: &Bucket, key: &str, object: &Object) -> Option<String> {
    let (at, rule) = expiration(bucket.lifecycle.as_ref()?, key, object)?;
    Some(format!("expiry-date=\"{}\", rule-id=\"{}\"", at.http_date(), plain_url(&rule.id)))
}

/// A rule as it was put.
pub fn shown(rule: &Rule) -> LifecycleRule {
    let (prefix, filter) = match rule.filter.form {
        Form::Rule => (rule.filter.prefix.clone(), None),
        Form::Single | Form::And => (None, Some(filter(&rule.filter))),
    };
    LifecycleRule {
        id: Some(rule.id.clone()),
        prefix,
        filter,
        status: if rule.enabled { "Enabled" } else { "Disabled" }.to_owned(),
        expiration: rule.expiration.map(|expiration| match expiration {
            Expiration::Days(days) => LifecycleExpiration { days: Some(days), ..Default::default() },
            Expiration::Date(date) => LifecycleExpiration { date: Some(date), ..Default::default() },
            Expiration::Marker(goes) => {
                LifecycleExpiration { expired_object_delete_marker: Some(goes), ..Default::default() }
            }
        }),
        noncurrent_version_expiration: rule.noncurrent.map(|noncurrent| NoncurrentVersionExpiration {
            noncurrent_days: Some(noncurrent.days),
            newer_noncurrent_versions: noncurrent.keep,
        }),
        abort_incomplete_multipart_upload: rule
            .abort
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        ..Default::default()
    }
}

fn filter(filter: &Filter) -> LifecycleRuleFilter {
    let tags: Vec<Tag> =
        filter.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    let (object_size_greater_than, object_size_less_than) = (filter.greater, filter.less);
    if filter.form == Form::And {
        let prefix = filter.prefix.clone();
        let and = LifecycleRuleAndOperator { prefix, tags, object_size_greater_than, object_size_less_than };
        return LifecycleRuleFilter { and: Some(and), ..Default::default() };
    }
    LifecycleRuleFilter {
        prefix: filter.prefix.clone(),
        tag: tags.into_iter().next(),
        object_size_greater_than,
        object_size_less_than,
        and: None,
    }
}
