//! A change of an alarm's state: the state, its history and what it sets in motion, in one transaction.

use super::told::{cut, shown};
use super::{actions, event, reason};
use crate::records::{Alarm, Happened, State, StateValue, Suppressed, What};
use kiln_service_kit::{Cx, Error, Tx};
use serde_json::json;

/// What an alarm's state is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    pub value: StateValue,
    pub reason: String,
    pub data: Option<String>,
}

/// Whether the actions of the new state are taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Take {
    Now,
    /// Not now: what is written down of it.
    Suppressed(Option<Suppressed>),
}

/// Brings an alarm to a state. Where only the reason is new, nothing is set in motion and history does not tell of it.
pub fn change(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, new: New, take: Take) -> Result<(), Error> {
    let before = alarm.state.clone();
    let now = tx.now();
    let turns = before.value != new.value;
    let state = State {
        value: new.value,
        reason: new.reason,
        reason_data: new.data,
        updated: now,
        transitioned: if turns { now } else { before.transitioned },
    };
    let mut changed = Alarm { state, ..alarm.clone() };
    if let What::Composite(composite) = &mut changed.what
        && turns
    {
        composite.suppressed = match &take {
            Take::Now => None,
            Take::Suppressed(suppressed) => suppressed.clone(),
        };
    }
    tx.put(cx.scope(), &alarm.name, changed.clone())?;
    if !turns {
        return Ok(());
    }
    let history = Happened {
        alarm: alarm.name.clone(),
        alarm_type: alarm.kind().to_owned(),
        at: now,
        item: "StateUpdate".to_owned(),
        summary: format!("Alarm updated from {} to {}", before.value.text(), changed.state.value.text()),
        data: cut(json!({"version": "1.0", "oldState": shown(&before), "newState": shown(&changed.state)})),
    };
    history.note(tx, cx)?;
    event::changed(tx, cx, &changed, &before)?;
    match take {
        Take::Now => actions::note(tx, cx, &changed, before.value),
        Take::Suppressed(_) => Ok(()),
    }
}

/// The state of an alarm that was just made.
pub fn unchecked(cx: &Cx) -> State {
    State {
        value: StateValue::InsufficientData,
        reason: reason::UNCHECKED.to_owned(),
        reason_data: None,
        updated: cx.now(),
        transitioned: cx.now(),
    }
}
