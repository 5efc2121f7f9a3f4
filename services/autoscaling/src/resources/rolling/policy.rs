//! Update policies of Auto Scaling groups, as templates write them. They say how a group is updated:
//! its instances replaced batch by batch, the group replaced as a whole, its sizes left alone.

use kiln_service_kit::{WrongPolicy as Wrong, duration, whole};
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// The longest pause between batches.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What can be suspended.
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

/// A group's update policy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdatePolicy {
    pub rolling: Option<Rolling>,
    /// A new group takes the old one's place.
    pub replace: bool,
    /// Sizes that did not change in the template are not set.
    pub ignore_sizes: bool,
}

/// `AutoScalingRollingUpdate`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolling {
    pub batch: i32,
    pub min_in_service: i32,
    /// Percent of the desired capacity that must be in service before it goes on.
    pub active_percent: u64,
    /// Percent of the new instances that must signal success.
    pub success_percent: u64,
    pub pause: Duration,
    /// The same as it is written.
    pub pause_text: String,
    pub signals: bool,
    pub suspend: Vec<String>,
}

impl UpdatePolicy {
    /// Reads a policy whose values are all known.
    pub fn read(policy: &Json) -> Result<UpdatePolicy, Wrong> {
        let mut read = UpdatePolicy::default();
        for (name, value) in object("UpdatePolicy", "", policy)? {
            let members = object(name, name, value)?;
            match name.as_str() {
                "AutoScalingRollingUpdate" => read.rolling = Some(Rolling::read(members)?),
                "AutoScalingReplacingUpdate" => read.replace = only_flag(name, members, "WillReplace")?,
                "AutoScalingScheduledAction" => {
                    read.ignore_sizes = only_flag(name, members, "IgnoreUnmodifiedGroupSizeProperties")?;
                }
                _ => return Err(unsupported(name, name)),
            }
        }
        Ok(read)
    }
}

impl Rolling {
    fn read(members: &Map<String, Json>) -> Result<Rolling, Wrong> {
        let mut read = Rolling {
            batch: 1,
            min_in_service: 0,
            active_percent: 100,
            success_percent: 100,
            pause: Duration::ZERO,
            pause_text: "PT0S".to_owned(),
            signals: false,
            suspend: vec![],
        };
        let mut pause = None;
        for (name, value) in members {
            let path = format!("AutoScalingRollingUpdate/{name}");
            let invalid =
                || Wrong { path: path.clone(), what: format!("Invalid UpdatePolicy: {name} cannot be {value}") };
            let number = || whole(value).and_then(|n| i32::try_from(n).ok());
            let percent = || whole(value).filter(|n| *n <= 100);
            match name.as_str() {
                "MaxBatchSize" => read.batch = number().filter(|n| *n > 0).ok_or_else(invalid)?,
                "MinInstancesInService" => read.min_in_service = number().ok_or_else(invalid)?,
                "MinActiveInstancesPercent" => read.active_percent = percent().ok_or_else(invalid)?,
                "MinSuccessfulInstancesPercent" => read.success_percent = percent().ok_or_else(invalid)?,
                "PauseTime" => {
                    let text = value.as_str().ok_or_else(invalid)?;
                    let time = duration(text).filter(|time| *time <= LONGEST_PAUSE).ok_or_else(invalid)?;
                    pause = Some((time, text.to_owned()));
                }
                "WaitOnResourceSignals" => read.signals = flag(value).ok_or_else(invalid)?,
                "SuspendProcesses" => {
                    let names = value.as_array().ok_or_else(invalid)?.iter().map(Json::as_str);
                    let known = names.map(|name| name.filter(|name| PROCESSES.contains(name)).map(str::to_owned));
                    read.suspend = known.collect::<Option<_>>().ok_or_else(invalid)?;
                }
                _ => return Err(unsupported(&path, name)),
            }
        }
        // Signals take time: without a word about it, five minutes.
        let usual =
            if read.signals { (Duration::from_secs(300), "PT5M".to_owned()) } else { (read.pause, read.pause_text) };
        (read.pause, read.pause_text) = pause.unwrap_or(usual);
        Ok(read)
    }
}

fn object<'p>(name: &str, path: &str, value: &'p Json) -> Result<&'p Map<String, Json>, Wrong> {
    let what = || format!("Template format error: {name} must be an object.");
    value.as_object().ok_or_else(|| Wrong { path: path.to_owned(), what: what() })
}

fn only_flag(policy: &str, members: &Map<String, Json>, wanted: &str) -> Result<bool, Wrong> {
    let mut is_set = false;
    for (name, value) in members {
        let path = format!("{policy}/{name}");
        if name != wanted {
            return Err(unsupported(&path, name));
        }
        let what = format!("Invalid UpdatePolicy: {name} cannot be {value}");
        is_set = flag(value).ok_or(Wrong { path, what })?;
    }
    Ok(is_set)
}

fn unsupported(path: &str, name: &str) -> Wrong {
    Wrong { path: path.to_owned(), what: format!("Encountered unsupported UpdatePolicy property {name}") }
}

/// A flag, given as boolean or text.
fn flag(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(flag) => Some(*flag),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_as_in_aws() {
        let rolling =
            |policy: Json| UpdatePolicy::read(&json!({ "AutoScalingRollingUpdate": policy })).unwrap().rolling;
        let usual = rolling(json!({})).unwrap();
        assert_eq!((usual.batch, usual.min_in_service, usual.active_percent, usual.success_percent), (1, 0, 100, 100));
        assert_eq!((usual.pause, usual.signals), (Duration::ZERO, false));
        let signals = rolling(json!({"WaitOnResourceSignals": "true", "MaxBatchSize": "2"})).unwrap();
        assert_eq!((signals.pause_text.as_str(), signals.batch), ("PT5M", 2));
        let both = rolling(json!({"WaitOnResourceSignals": true, "PauseTime": "PT15M"})).unwrap();
        assert_eq!(both.pause, Duration::from_secs(900));
        let read = UpdatePolicy::read(&json!({
            "AutoScalingReplacingUpdate": {"WillReplace": "true"},
            "AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": true},
        }));
        assert_eq!(read, Ok(UpdatePolicy { rolling: None, replace: true, ignore_sizes: true }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |policy: Json| UpdatePolicy::read(&policy).unwrap_err();
        for (member, value) in [
            ("MaxBatchSize", json!(0)),
            ("MinInstancesInService", json!(-1)),
            ("MinSuccessfulInstancesPercent", json!(101)),
            ("MinActiveInstancesPercent", json!("half")),
            ("PauseTime", json!("PT2H")),
            ("PauseTime", json!(30)),
            ("WaitOnResourceSignals", json!("perhaps")),
            ("SuspendProcesses", json!(["Lunch"])),
        ] {
            let wrong = refused(json!({"AutoScalingRollingUpdate": {member: value}}));
            assert_eq!(wrong.path, format!("AutoScalingRollingUpdate/{member}"));
            assert!(wrong.what.contains(&format!("{member} cannot be")), "{wrong:?}");
        }
        assert!(refused(json!({"AutoScalingRollingUpdate": {"BatchSize": 1}})).what.contains("property BatchSize"));
        assert!(refused(json!({"AutoScalingUpdate": {}})).what.contains("property AutoScalingUpdate"));
        assert!(refused(json!({"AutoScalingReplacingUpdate": []})).what.contains("must be an object"));
    }
}
