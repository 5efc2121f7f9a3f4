//! Updates that follow a policy of the template's (`UpdatePolicy`): in steps, by the type's own operations, over
//! many looks. CloudFormation keeps the type's notes with the resource, so that a restart goes on where the last
//! write ended, and tells it which signals have come.
//!
//! ```text
//! begin ──▶ notes are kept ──▶ prepare ──▶ ResourceType::update ──▶ step, again and again ──▶ Done
//! ```

use crate::{Cx, Error, ResourceRequest};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The code of an error that says that an update policy cannot be followed; its message is the whole reason.
pub const CANNOT_ROLL: &str = "CannotRoll";

/// What is wrong with a policy, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPolicy {
    /// `AutoScalingRollingUpdate/PauseTime`.
    pub path: String,
    /// In AWS's words.
    pub what: String,
}

/// Where an update stands.
#[derive(Debug, Clone, Copy)]
pub struct Rolling<'a> {
    /// The policy, all its values known.
    pub policy: Option<&'a Json>,
    /// The phase of the stack's operation that the update belongs to; another one has another text.
    pub phase: &'a str,
    /// Towards what the template says, not on the way back.
    pub forward: bool,
    /// The type's notes; those of an earlier phase too, until an update is complete.
    pub notes: Option<&'a Json>,
    /// Signals of the resource: their unique ids, and whether they tell of success.
    pub signals: &'a BTreeMap<String, bool>,
}

/// What an update is to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Manner {
    /// The type is told the request, which may have been changed.
    InPlace,
    /// These notes are kept, with the event that tells it, and the update is in steps.
    InSteps { notes: Json, event: Option<String> },
    /// A new thing takes its place.
    Replace,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Rolled {
    /// There is nothing more to do.
    Done,
    /// These notes are kept, with the event that tells it; the next step follows.
    Note { notes: Json, event: Option<String> },
    /// It goes on later; what is waited for.
    Later(String),
    /// The update has failed, and why.
    Failed(String),
}

/// How a type follows update policies.
#[async_trait]
pub trait Roll: Send + Sync {
    /// Refuses a policy that makes no sense; all its values are known.
    fn check(&self, policy: &Json) -> Result<(), WrongPolicy>;

    /// Decides before an update how it is made. May run again after a crash: what was noted in this phase stays.
    async fn begin(
        &self,
        cx: &Cx,
        physical_id: &str,
        request: &mut ResourceRequest,
        at: Rolling<'_>,
    ) -> Result<Manner, Error>;

    /// Makes the thing ready for an update in steps, once the notes are kept.
    async fn prepare(
        &self,
        cx: &Cx,
        physical_id: &str,
        request: &mut ResourceRequest,
        notes: &Json,
    ) -> Result<(), Error>;

    /// One step after the type's update.
    async fn step(&self, cx: &Cx, physical_id: &str, at: Rolling<'_>) -> Result<Rolled, Error>;
}

/// Why signals are not enough, in AWS's words.
pub fn too_few_signals(received: u64, kind: &str, expected: u64, percent: u64) -> String {
    format!(
        "Received {received} {kind} signal(s) out of {expected}.  Unable to satisfy {percent}% \
         MinSuccessfulInstancesPercent requirement"
    )
}

/// A whole number, given as number or text.
pub fn whole(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => digits(text),
        _ => None,
    }
}

/// A number of digits alone: no sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// An ISO 8601 duration of days, hours, minutes and seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0u64;
    for (mut part, units) in [(days, &[('D', 86_400u64)][..]), (time, &[('H', 3600), ('M', 60), ('S', 1)][..])] {
        // From the greatest unit down, each at most once.
        for (unit, size) in units {
            if let Some((number, rest)) = part.split_once(*unit) {
                seconds = seconds.checked_add(digits(number)?.checked_mul(*size)?)?;
                part = rest;
            }
        }
        if !part.is_empty() {
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
            ("P", None),
            ("PT5S1H", None),
            ("PT1M1M", None),
            ("PT+5M", None),
            ("PTM", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
