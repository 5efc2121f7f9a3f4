//! Creation policies: a resource is complete when so many signals have come in time.

use crate::records::{Action, Resource, Work};
use crate::update_policy::GROUP;
use kiln_service_kit::Timestamp;
use serde_json::Value as Json;
use std::time::Duration;

/// What a creation policy says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Enough,
    Waiting(String),
    Failed(String),
}

/// Judges the signals that have come.
pub fn wanted(resource: &Resource, work: &Work, now: Timestamp) -> Verdict {
    let created = matches!(work.action, Action::Create | Action::Replace | Action::DeleteThenCreate);
    let part = |name: &str| work.target.creation_policy.as_ref().and_then(|policy| policy.get(name));
    let (true, Some(policy)) = (created, part("ResourceSignal")) else { return Verdict::Enough };
    let count = policy.get("Count").and_then(whole).unwrap_or(1);
    let percent = part("AutoScalingCreationPolicy").and_then(|policy| policy.get("MinSuccessfulInstancesPercent"));
    let percent = percent.and_then(whole).unwrap_or(100).min(100);
    let needed = (count * percent).div_ceil(100);
    let timeout = match policy.get("Timeout") {
        None => Duration::from_secs(300),
        Some(text) => match text.as_str().and_then(duration) {
            Some(timeout) => timeout,
            None => return Verdict::Failed(format!("CreationPolicy Timeout {text} is not a duration such as PT15M")),
        },
    };
    let failures = resource.signals.values().filter(|success| !**success).count() as u64;
    let successes = resource.signals.len() as u64 - failures;
    if count.saturating_sub(failures) < needed {
        return Verdict::Failed(unable(failures, "FAILURE", count, percent));
    }
    // Every signal counts, so that an instance that is late is heard too; when time is up, enough is enough.
    let late = now >= work.since + timeout;
    if successes + failures >= count || (late && successes >= needed) {
        return Verdict::Enough;
    }
    if late && work.target.resource_type == GROUP {
        return Verdict::Failed(unable(successes, "SUCCESS", count, percent));
    }
    if late {
        return Verdict::Failed(format!(
            "Failed to receive {} resource signal(s) within the specified duration",
            needed - successes
        ));
    }
    Verdict::Waiting(format!("{} of {count} signals", successes + failures))
}

/// Why signals are not enough, in AWS's words.
pub fn unable(received: u64, kind: &str, expected: u64, percent: u64) -> String {
    format!(
        "Received {received} {kind} signal(s) out of {expected}.  Unable to satisfy {percent}% \
         MinSuccessfulInstancesPercent requirement"
    )
}

/// A whole number, given as number or text.
pub fn whole(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An ISO 8601 duration of days, hours, minutes and seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    let mut seconds = 0u64;
    for (part, units) in [(days, &[('D', 86_400u64)][..]), (time, &[('H', 3600), ('M', 60), ('S', 1)][..])] {
        let mut digits = String::new();
        for c in part.chars() {
            match units.iter().find(|(unit, _)| *unit == c) {
                Some((_, size)) => {
                    seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(*size)?)?;
                    digits.clear();
                }
                None => digits.push(c),
            }
        }
        if !digits.is_empty() {
            return None;
        }
    }
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_templates_write_them() {
        for (text, expected) in [
            ("PT15M", Some(900)),
            ("PT1H30M5S", Some(5405)),
            ("P1D", Some(86_400)),
            ("P1DT1S", Some(86_401)),
            ("15", None),
            ("PT15", None),
            ("PT", None),
            ("PTxM", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
