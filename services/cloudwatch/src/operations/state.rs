//! SetAlarmState, EnableAlarmActions, DisableAlarmActions, DeleteAlarms. Source: the API Reference.

use crate::alarms::change::{New, Take, change as change_state};
use crate::alarms::rule::{Rule, name_of};
use crate::alarms::{told, wake};
use crate::errors::{no_such_alarm, validation};
use crate::records::{Alarm, StateValue, What};
use crate::targets::{alarm, alarms};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteAlarms: delete_alarms(DeleteAlarmsRequest), on |cx, r| alarms(cx, &r.alarm_names)),
    operation!(DisableAlarmActions: disable_alarm_actions(DisableAlarmActionsRequest), on |cx, r| alarms(cx, &r.alarm_names)),
    operation!(EnableAlarmActions: enable_alarm_actions(EnableAlarmActionsRequest), on |cx, r| alarms(cx, &r.alarm_names)),
    operation!(SetAlarmState: set_alarm_state(SetAlarmStateRequest), on |cx, r| alarm(cx, &r.alarm_name)),
];

async fn set_alarm_state(cx: &Cx, request: SetAlarmStateRequest) -> Result<SetAlarmStateResponse, Error> {
    if let Some(data) = &request.state_reason_data
        && serde_json::from_str::<serde_json::Value>(data).is_err()
    {
        return Err(Error::sender("InvalidFormatFault", "StateReasonData is not valid JSON"));
    }
    let value = StateValue::parse(&request.state_value).ok_or_else(|| validation("The state is none."))?;
    cx.store()
        .write(|tx| {
            let alarm = tx.get::<Alarm>(cx.scope(), &request.alarm_name)?.ok_or_else(no_such_alarm)?;
            let new = New { value, reason: request.state_reason.clone(), data: request.state_reason_data.clone() };
            change_state(tx, cx, &alarm, new, Take::Now)
        })
        .await?;
    Ok(SetAlarmStateResponse {})
}

async fn actions(cx: &Cx, names: &[String], enabled: bool) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            for name in names {
                // AWS passes over names of no alarm.
                let Some(alarm) = tx.get::<Alarm>(cx.scope(), name)? else { continue };
                if alarm.actions_enabled == enabled {
                    continue;
                }
                let changed = Alarm { actions_enabled: enabled, configured: tx.now(), ..(*alarm).clone() };
                told::configured(tx, cx, &changed, "updated")?;
                tx.put(cx.scope(), name, changed)?;
            }
            Ok(())
        })
        .await
}

async fn enable_alarm_actions(
    cx: &Cx,
    request: EnableAlarmActionsRequest,
) -> Result<EnableAlarmActionsResponse, Error> {
    actions(cx, &request.alarm_names, true).await?;
    Ok(EnableAlarmActionsResponse {})
}

async fn disable_alarm_actions(
    cx: &Cx,
    request: DisableAlarmActionsRequest,
) -> Result<DisableAlarmActionsResponse, Error> {
    actions(cx, &request.alarm_names, false).await?;
    Ok(DisableAlarmActionsResponse {})
}

async fn delete_alarms(cx: &Cx, request: DeleteAlarmsRequest) -> Result<DeleteAlarmsResponse, Error> {
    let names = &request.alarm_names;
    cx.store()
        .write(|tx| {
            let mut composites = 0;
            for name in names {
                // One unknown name does not keep the others.
                let Some(alarm) = tx.get::<Alarm>(cx.scope(), name)? else { continue };
                composites += usize::from(alarm.is_composite());
                check_above(tx, cx, &alarm, names)?;
                told::configured(tx, cx, &alarm, "deleted")?;
                tx.delete::<Alarm>(cx.scope(), name);
            }
            match names.len() > 1 && composites > 1 {
                true => Err(validation("You can't delete two or more composite alarms in the same operation.")),
                false => Ok(()),
            }
        })
        .await?;
    Ok(DeleteAlarmsResponse {})
}

/// A composite alarm that another's rule names stays, also where it is in a circle.
fn check_above(tx: &Tx<'_>, cx: &Cx, alarm: &Alarm, going: &[String]) -> Result<(), Error> {
    for (_, above) in tx.by_key::<Alarm>(cx.scope(), "watches", &wake::child(&alarm.name))? {
        let What::Composite(composite) = &above.what else { continue };
        let suppresses = composite.suppressor.as_deref().map(name_of) == Some(alarm.name.as_str());
        let named = Rule::parse(&composite.rule).is_ok_and(|rule| rule.alarms().contains(&alarm.name));
        if suppresses || (alarm.is_composite() && named && (above.name == alarm.name || !going.contains(&above.name))) {
            return Err(validation(format!(
                "Cannot delete {} as there are composite alarm(s) depending on it: {}",
                alarm.name, above.name
            )));
        }
    }
    Ok(())
}
