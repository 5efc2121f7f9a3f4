//! Creation policies: a resource is complete when so many signals have come in time.

use crate::records::{Action, Resource, Work};
use kiln_service_kit::{Timestamp, duration, too_few_signals, whole};
use serde_json::Value as Json;
use std::time::Duration;

/// What a creation policy says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Enough,
    Waiting(String),
    Failed(String),
}

/// Judges the signals that have come; `many`: the resource is many things, of which each signals.
pub fn wanted(resource: &Resource, work: &Work, many: bool, now: Timestamp) -> Verdict {
    let created = matches!(work.action, Action::Create | Action::Replace | Action::DeleteThenCreate);
    let (true, Some(policy)) = (created, &work.target.creation_policy) else { return Verdict::Enough };
    let Expected { count, percent, timeout } = match Expected::read(&policy.value()) {
        Ok(Some(expected)) => expected,
        Ok(None) => return Verdict::Enough,
        // Nobody knows how many signals make it complete.
        Err(why) => return Verdict::Failed(why),
    };
    let needed = (count * percent).div_ceil(100);
    let failures = resource.signals.values().filter(|success| !**success).count() as u64;
    let successes = resource.signals.len() as u64 - failures;
    if count.saturating_sub(failures) < needed {
        return Verdict::Failed(too_few_signals(failures, "FAILURE", count, percent));
    }
    // Every signal counts, so that an instance that is late is heard too; when time is up, enough is enough.
    let late = now >= work.since + timeout;
    if successes + failures >= count || (late && successes >= needed) {
        return Verdict::Enough;
    }
    if late && many {
        return Verdict::Failed(too_few_signals(successes, "SUCCESS", count, percent));
    }
    if late {
        return Verdict::Failed(format!(
            "Failed to receive {} resource signal(s) within the specified duration",
            needed - successes
        ));
    }
    Verdict::Waiting(format!("{} of {count} signals", successes + failures))
}

/// What a creation policy waits for.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    count: u64,
    /// Percent of them that must be successes.
    percent: u64,
    timeout: Duration,
}

impl Expected {
    /// Reads it; none if it waits for no signal. What is left out is as in AWS; what cannot be read is no default.
    fn read(policy: &Json) -> Result<Option<Self>, String> {
        let object = |name: &str, value: &Json| match value.is_object() {
            true => Ok(()),
            false => Err(format!("{name} must be an object, and is {value}")),
        };
        object("CreationPolicy", policy)?;
        let Some(signal) = policy.get("ResourceSignal") else { return Ok(None) };
        object("CreationPolicy ResourceSignal", signal)?;
        let mut percent = 100;
        if let Some(group) = policy.get("AutoScalingCreationPolicy") {
            object("CreationPolicy AutoScalingCreationPolicy", group)?;
            percent = number(group, "MinSuccessfulInstancesPercent", 100, 100)?;
        }
        let timeout = match signal.get("Timeout") {
            None => Duration::from_secs(300),
            Some(text) => text
                .as_str()
                .and_then(duration)
                .ok_or_else(|| format!("CreationPolicy Timeout {text} is not a duration such as PT15M"))?,
        };
        Ok(Some(Self { count: number(signal, "Count", 1, MOST_SIGNALS)?, percent, timeout }))
    }
}

/// Far more than there can be, and so few that a hundred times as many are still a number.
pub const MOST_SIGNALS: u64 = 1 << 32;

fn number(policy: &Json, name: &str, default: u64, most: u64) -> Result<u64, String> {
    let Some(value) = policy.get(name) else { return Ok(default) };
    let given = whole(value).filter(|number| *number <= most);
    given.ok_or_else(|| format!("CreationPolicy {name} {value} is not a whole number up to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_read_of_a_creation_policy_is_no_default() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let read = |policy: Json| Expected::read(&policy);
        let expected = |count, percent, timeout| Ok(Some(Expected { count, percent, timeout }));
        assert_eq!(read(json!({"ResourceSignal": {}})), expected(1, 100, minutes(5)));
        let group = json!({
            "ResourceSignal": {"Count": "3", "Timeout": "PT15M"},
            "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 50},
        });
        assert_eq!(read(group), expected(3, 50, minutes(15)));
        assert_eq!(read(json!({})), Ok(None));
        for (policy, named) in [
            (json!("yes"), "CreationPolicy must be an object"),
            (json!({"ResourceSignal": 3}), "ResourceSignal must be an object"),
            (json!({"ResourceSignal": {"Count": "three"}}), "Count \"three\""),
            (json!({"ResourceSignal": {"Count": -1}}), "Count -1"),
            (json!({"ResourceSignal": {"Count": u64::MAX}}), "Count 18446744073709551615"),
            (json!({"ResourceSignal": {"Timeout": 15}}), "Timeout 15"),
            (
                json!({"ResourceSignal": {}, "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": "half"}}),
                "MinSuccessfulInstancesPercent \"half\"",
            ),
            (
                json!({"ResourceSignal": {}, "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 101}}),
                "MinSuccessfulInstancesPercent 101",
            ),
        ] {
            let told = read(policy.clone()).expect_err(&policy.to_string());
            assert!(told.contains(named), "{policy}: {told}");
        }
    }
}
