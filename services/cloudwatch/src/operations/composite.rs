//! PutCompositeAlarm. Source: the API Reference, PutCompositeAlarm.

use super::alarms::{given, put};
use super::tags;
use crate::alarms::rule::{MOST_ALARMS, Rule, name_of};
use crate::alarms::{change, wake};
use crate::errors::validation;
use crate::records::{Alarm, Composite, What};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(PutCompositeAlarm: put_composite_alarm(PutCompositeAlarmRequest), on |cx, r| given(cx, &r.alarm_name, &r.tags)),
];

async fn put_composite_alarm(cx: &Cx, request: PutCompositeAlarmRequest) -> Result<PutCompositeAlarmResponse, Error> {
    let wrong = |why: String| validation(format!("AlarmRule must be valid: {why}"));
    let rule = Rule::parse(&request.alarm_rule).map_err(wrong)?;
    let mut children = rule.alarms();
    if children.len() > MOST_ALARMS {
        return Err(validation(format!("AlarmRule must not name more than {MOST_ALARMS} alarms.")));
    }
    let mut absent = vec![];
    for child in &children {
        if *child != request.alarm_name && cx.store().get::<Alarm>(cx.scope(), child)?.is_none() {
            absent.push(child.as_str());
        }
    }
    if !absent.is_empty() {
        return Err(validation(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            absent.join(", ")
        )));
    }
    let periods = (request.actions_suppressor_wait_period, request.actions_suppressor_extension_period);
    match (&request.actions_suppressor, periods) {
        (None, (None, None)) => {}
        (None, _) => return Err(validation("The suppressor's periods need ActionsSuppressor.")),
        (Some(suppressor), (Some(wait), Some(extension))) => {
            if wait < 0 || extension < 0 {
                return Err(validation("The suppressor's periods must not be negative."));
            }
            let name = name_of(suppressor);
            if name == request.alarm_name || cx.store().get::<Alarm>(cx.scope(), name)?.is_none() {
                return Err(validation(format!("The alarm {suppressor} that is to suppress actions does not exist.")));
            }
            children.push(name.to_owned());
        }
        (Some(_), _) => {
            return Err(validation(
                "ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod are required with ActionsSuppressor.",
            ));
        }
    }
    children.sort();
    children.dedup();
    let alarm = Alarm {
        name: request.alarm_name,
        description: request.alarm_description,
        actions_enabled: request.actions_enabled.unwrap_or(true),
        ok_actions: request.ok_actions,
        alarm_actions: request.alarm_actions,
        insufficient_data_actions: request.insufficient_data_actions,
        tags: tags::read(cx, &request.tags)?,
        configured: cx.now(),
        state: change::unchecked(cx),
        watches: children.iter().map(|name| wake::child(name)).collect(),
        what: What::Composite(Composite {
            rule: request.alarm_rule,
            suppressor: request.actions_suppressor,
            wait: periods.0.map(i64::from),
            extension: periods.1.map(i64::from),
            suppressed: None,
        }),
    };
    put(cx, alarm).await?;
    Ok(PutCompositeAlarmResponse {})
}
