//! Creation policies: a resource is complete when so many signals have come in time.

use crate::records::{Action, Resource, Work};
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
    let policy = work.target.creation_policy.as_ref().and_then(|policy| policy.get("ResourceSignal"));
    let (true, Some(policy)) = (created, policy) else { return Verdict::Enough };
    let count = policy.get("Count").and_then(whole).unwrap_or(1);
    let timeout = match policy.get("Timeout") {
        None => Duration::from_secs(300),
        Some(text) => match text.as_str().and_then(duration) {
            Some(timeout) => timeout,
            None => return Verdict::Failed(format!("CreationPolicy Timeout {text} is not a duration such as PT15M")),
        },
    };
    let failures = resource.signals.values().filter(|success| !**success).count() as u64;
    let successes = resource.signals.len() as u64 - failures;
    if failures > 0 {
        return Verdict::Failed(format!(
            "Received {failures} FAILURE signal(s) out of {count}. Unable to satisfy 100% MinSuccessfulInstancesPercent \
             requirement"
        ));
    }
    if successes >= count {
        return Verdict::Enough;
    }
    if now >= work.since + timeout {
        return Verdict::Failed(format!(
            "Failed to receive {} resource signal(s) within the specified duration",
            count - successes
        ));
    }
    Verdict::Waiting(format!("{} of {count} signals", successes))
}

fn whole(value: &Json) -> Option<u64> {
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
