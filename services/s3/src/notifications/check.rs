//! What is taken for a notification configuration. Most of S3's words here are as its answers have them.
//!
//! Events that nothing here brings about (no restores, replicas or other storage classes) are refused by name: a rule
//! about one would wait for ever. `ObjectCreated:Post` and `ObjectAcl:Put` are taken: the calls that they tell of are
//! refused by name themselves.

use super::event::covers;
use super::{Rule, To, message, tell};
use crate::described::refuse;
use crate::errors::{self, invalid_argument};
use crate::records::Bucket;
use kiln_s3_shapes::{NotificationConfiguration, NotificationConfigurationFilter};
use kiln_service_kit::{Arn, Cx, Error, Scope};

/// Rules of one bucket. Source: Amazon S3 User Guide, "Event notification types and destinations".
const MOST: usize = 100;
/// The longest value of a filter, in bytes.
const LONGEST_VALUE: usize = 1024;
/// The longest id of a rule.
const LONGEST_ID: usize = 255;

/// Families of events that nothing here brings about.
const NOT_BUILT: [&str; 5] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectRestore:*",
    "s3:Replication:*",
    "s3:LifecycleTransition*",
    "s3:IntelligentTiering",
];

/// The rules that a configuration is, for a bucket.
pub fn check(cx: &Cx, bucket: &Bucket, wanted: &NotificationConfiguration) -> Result<Vec<Rule>, Error> {
    refuse(&[("CloudFunctionConfiguration", !wanted.lambda_function_configurations.is_empty())])?;
    let queues = wanted.queue_configurations.iter();
    let queues = queues.map(|one| (&one.id, To::Queue(one.queue_arn.clone()), &one.events, &one.filter));
    let topics = wanted.topic_configurations.iter();
    let topics = topics.map(|one| (&one.id, To::Topic(one.topic_arn.clone()), &one.events, &one.filter));
    let mut rules: Vec<Rule> = vec![];
    for (id, to, events, filter) in topics.chain(queues) {
        let id = id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| cx.ids().uuid());
        if id.len() > LONGEST_ID {
            return Err(invalid_argument("Id", &id, "The ID of a configuration cannot be longer than 255 characters."));
        }
        if rules.iter().any(|rule| rule.id == id) {
            let text = "Same ID used for multiple configurations. IDs must be unique";
            return Err(invalid_argument("Id", &id, text));
        }
        check_target(bucket, &to)?;
        let (prefix, suffix) = filtered(filter.as_ref())?;
        if events.is_empty() {
            return Err(errors::malformed_xml());
        }
        for event in events {
            if NOT_BUILT.iter().any(|family| covers(family, event)) {
                return Err(Error::not_built(format!("s3: notifications of {event}")));
            }
        }
        rules.push(Rule { id, to, events: events.clone(), prefix, suffix });
    }
    if rules.len() > MOST {
        return Err(errors::invalid_request("A bucket cannot have more than 100 notification configurations."));
    }
    for (at, rule) in rules.iter().enumerate() {
        for before in &rules[..at] {
            let Some((a, b)) = before.overlap(rule) else { continue };
            let filters = [before, rule].iter().any(|rule| rule.prefix.is_some() || rule.suffix.is_some());
            let text = match filters {
                true => {
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
                }
                false => "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            };
            return Err(invalid_argument("Event", &format!("{a}, {b}"), text));
        }
    }
    Ok(rules)
}

/// A queue or topic of the bucket's region, and not one in order.
fn check_target(bucket: &Bucket, to: &To) -> Result<(), Error> {
    let (name, service, arn) = match to {
        To::Queue(arn) => ("Queue", "sqs", arn),
        To::Topic(arn) => ("Topic", "sns", arn),
    };
    let bad = |text: &str| Err(invalid_argument(name, arn, text));
    let Ok(parsed) = arn.parse::<Arn>() else { return bad("The ARN is not well formed") };
    if parsed.service() != service || parsed.account().is_empty() || parsed.resource().contains(':') {
        return bad("The ARN is not well formed");
    }
    if parsed.region() != bucket.region {
        return bad("The notification destination service region is not valid for the bucket location constraint");
    }
    match parsed.resource().ends_with(".fifo") {
        true => bad("FIFO queues and topics are not supported as destinations of notifications"),
        false => Ok(()),
    }
}

type Ends = (Option<String>, Option<String>);

/// How keys begin and end that a filter lets through.
fn filtered(filter: Option<&NotificationConfigurationFilter>) -> Result<Ends, Error> {
    let (mut prefix, mut suffix) = (None, None);
    let rules = filter.and_then(|filter| filter.key.as_ref()).map(|key| key.filter_rules.as_slice());
    for rule in rules.unwrap_or_default() {
        let (name, value) = (rule.name.as_deref().unwrap_or(""), rule.value.as_deref().unwrap_or(""));
        let into = match name.to_ascii_lowercase().as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => {
                return Err(invalid_argument(
                    "FilterRule.Name",
                    name,
                    "filter rule name must be either prefix or suffix",
                ));
            }
        };
        if value.len() > LONGEST_VALUE {
            let text = "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation";
            return Err(invalid_argument("FilterRule.Value", value, text));
        }
        if into.replace(value.to_owned()).is_some() {
            let text = format!("Cannot specify more than one {} rule in a filter.", name.to_ascii_lowercase());
            return Err(invalid_argument("FilterRule.Name", name, &text));
        }
    }
    Ok((prefix, suffix))
}

/// Sends each target a test message: whether it is there and its policy lets S3 in.
pub async fn try_targets(cx: &Cx, bucket: &Bucket, rules: &[Rule]) -> Result<(), Error> {
    let scope = Scope::new(bucket.owner.as_str(), bucket.region.as_str());
    for (at, rule) in rules.iter().enumerate() {
        if rules[..at].iter().any(|before| before.to == rule.to) {
            continue;
        }
        let note = tell::note(cx, bucket, rule, message::test(cx, bucket));
        let told = kiln_delivery::tell_now(cx.platform(), &scope, &note).await;
        if let Err(error) = told {
            let what = match rule.to {
                To::Queue(_) => "queue",
                To::Topic(_) => "topic",
            };
            if error.is_internal() {
                return Err(error);
            }
            let gone = error.code.contains("NonExistent") || error.code.contains("NotFound");
            let why = match error.status {
                403 => {
                    format!(
                        "Permissions on the destination {what} do not allow S3 to publish notifications from this bucket"
                    )
                }
                _ if gone => format!("The destination {what} does not exist"),
                _ => error.message,
            };
            let text = "Unable to validate the following destination configurations";
            return Err(Error::sender("InvalidArgument", text)
                .with("ArgumentName1", format!("{}, null", rule.to.arn()))
                .with("ArgumentValue1", why));
        }
    }
    Ok(())
}
