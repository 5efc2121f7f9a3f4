//! What history tells of an alarm.

use super::reason::time;
use crate::records::{Alarm, Happened, State};
use kiln_service_kit::{Cx, Error, Tx};
use serde_json::{Value as Json, json};

/// History tells at most 4,095 characters.
pub fn cut(mut data: Json) -> String {
    let text = data.to_string();
    if text.len() <= 4_095 {
        return text;
    }
    for state in ["oldState", "newState"] {
        if let Some(state) = data.get_mut(state).and_then(Json::as_object_mut) {
            state.remove("stateReasonData");
        }
    }
    data.to_string()
}

pub fn shown(state: &State) -> Json {
    let mut shown = json!({"stateValue": state.value.text(), "stateReason": state.reason});
    let data = state.reason_data.as_deref().and_then(|data| serde_json::from_str::<Json>(data).ok());
    if let (Some(data), Some(all)) = (data, shown.as_object_mut()) {
        all.insert("stateReasonData".to_owned(), data);
    }
    shown
}

/// History of an action that was taken, or of why it was not.
pub fn acted(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, arn: &str, failed: Option<&str>) -> Result<(), Error> {
    acted_for(tx, cx, (&alarm.name, alarm.kind()), arn, failed)
}

/// The same where the alarm may be gone.
pub fn acted_for(
    tx: &mut Tx<'_>,
    cx: &Cx,
    (name, kind): (&str, &str),
    arn: &str,
    failed: Option<&str>,
) -> Result<(), Error> {
    let summary = match failed {
        None => format!("Successfully executed action {arn}"),
        Some(error) => format!("Failed to execute action {arn}. Received error: \"{error}\""),
    };
    let data = json!({
        "actionState": if failed.is_some() { "Failed" } else { "Succeeded" },
        "notificationResource": arn,
        "stateUpdateTimestamp": tx.now().millis(),
        "error": failed,
    });
    let history = Happened {
        alarm: name.to_owned(),
        alarm_type: kind.to_owned(),
        at: tx.now(),
        item: "Action".to_owned(),
        summary: summary.chars().take(255).collect(),
        data: data.to_string(),
    };
    history.note(tx, cx)
}

/// History of an alarm that was made, changed or deleted.
pub fn configured(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, did: &str) -> Result<(), Error> {
    let (kind, member) = match did {
        "created" => ("Create", "createdAlarm"),
        "updated" => ("Update", "updatedAlarm"),
        _ => ("Delete", "deletedAlarm"),
    };
    let shown = json!({
        "alarmName": alarm.name,
        "alarmArn": alarm.arn(cx),
        "description": alarm.description,
        "alarmConfigurationUpdatedTimestamp": time(alarm.configured),
        "actionsEnabled": alarm.actions_enabled,
        "okActions": alarm.ok_actions,
        "alarmActions": alarm.alarm_actions,
        "insufficientDataActions": alarm.insufficient_data_actions,
        "stateValue": alarm.state.value.text(),
    });
    let history = Happened {
        alarm: alarm.name.clone(),
        alarm_type: alarm.kind().to_owned(),
        at: tx.now(),
        item: "ConfigurationUpdate".to_owned(),
        summary: format!("Alarm \"{}\" {did}", alarm.name).chars().take(255).collect(),
        data: cut(json!({"version": "1.0", "type": kind, member: shown})),
    };
    history.note(tx, cx)
}
