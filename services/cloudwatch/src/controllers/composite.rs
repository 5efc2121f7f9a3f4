//! One composite alarm: its rule, when a state of an alarm in it changes; and whether its actions are suppressed. Source:
//! the user guide, "Create a composite alarm" and "Suppress composite alarm actions".
//!
//! ```text
//! it turns ── suppressor in ALARM? ── yes: suppressed by the alarm ── it leaves ALARM: for the extension period ──┐
//!                                  └─ no: for the wait period ── suppressor comes: by the alarm                   │
//!                                                             └─ over: the actions are taken <── over ────────────┘
//! it turns back meanwhile: neither state's actions are taken
//! ```

use crate::alarms::change::{New, Take, change};
use crate::alarms::rule::{Rule, name_of};
use crate::alarms::{actions, wake};
use crate::records::{Alarm, Composite, State, StateValue, Suppressed, SuppressedBy, What};
use kiln_service_kit::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Judges alarms on alarms.
pub struct CompositeAlarms;

/// An alarm, the states of those in its rule, and its suppressor's.
pub struct Seen {
    alarm: Arc<Alarm>,
    children: BTreeMap<String, State>,
    suppressor: Option<StateValue>,
    /// It depends on itself.
    circle: bool,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// To another state.
    Turn { from: StateValue, to: New, take: Take },
    /// The actions wait for something else, or not any more.
    Suppress { on: Timestamp, by: Option<Suppressed> },
}

/// Alarms that are followed to find a circle.
const FOLLOWED: usize = 10_000;

fn composite(alarm: &Alarm) -> Option<&Composite> {
    match &alarm.what {
        What::Composite(composite) => Some(composite),
        What::Metric(_) => None,
    }
}

#[async_trait]
impl Controller for CompositeAlarms {
    const NAME: &'static str = "cloudwatch/composite-alarm";
    const ABOUT: &'static str = "one alarm on other alarms: its rule, and whether its actions are suppressed";
    const STEPS: &'static [&'static str] = &["Turn", "Suppress"];
    const ACTS_AS: &'static str = actions::PRINCIPAL;
    type Seen = Seen;
    type Step = Step;
    const WATCHES: &'static [RecordKind] = &[Alarm::KIND];

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let above = store.by_key::<Alarm>(&change.scope, "watches", &wake::child(&change.id))?;
        let above = above.into_iter().map(|(id, _)| Name::new(&change.scope, id));
        Ok(above.chain([Name::new(&change.scope, change.id.clone())]).collect())
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Alarm>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let store = cx.store();
        let Some(alarm) = store.get::<Alarm>(&name.scope, &name.id)? else { return Ok(None) };
        let Some(of) = composite(&alarm) else { return Ok(None) };
        let rule = rule(of)?;
        let mut children = BTreeMap::new();
        for child in rule.alarms() {
            if let Some(child) = store.get::<Alarm>(&name.scope, &child)? {
                children.insert(child.name.clone(), child.state.clone());
            }
        }
        let suppressor = match &of.suppressor {
            Some(suppressor) => store.get::<Alarm>(&name.scope, name_of(suppressor))?.map(|alarm| alarm.state.value),
            None => None,
        };
        // Down from alarm to alarm.
        let (mut seen, mut open, mut circle) = (BTreeSet::new(), rule.alarms(), false);
        while let Some(next) = open.pop().filter(|_| seen.len() < FOLLOWED) {
            circle |= next == alarm.name;
            if !circle
                && seen.insert(next.clone())
                && let Some(next) = store.get::<Alarm>(&name.scope, &next)?
                && let Some(of) = composite(&next)
            {
                open.extend(self::rule(of)?.alarms());
            }
        }
        Ok(Some(Seen { alarm, children, suppressor, circle }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        let alarm = &seen.alarm;
        let Some(of) = composite(alarm) else { return Plan::rest(Report::default()) };
        let mut report = Report {
            sees: format!("{}: {}", alarm.state.value.text(), alarm.state.reason),
            wants: "the state that its rule says".to_owned(),
            at_rest: true,
            ..Report::default()
        };
        if seen.circle {
            report.sees = "it depends on itself, so that it is not evaluated".to_owned();
            return Plan::rest(report);
        }
        let Ok(rule) = rule(of) else { return Plan::rest(report) };
        let value = match rule.holds(&|name| seen.children.get(name).map(|state| state.value)) {
            true => StateValue::Alarm,
            false => StateValue::Ok,
        };
        if value != alarm.state.value {
            let to = New { value, reason: reason(alarm, of, value, &seen.children), data: Some(data(&seen.children)) };
            let take = take(of, alarm.state.value, seen.suppressor, now);
            return Plan::new(vec![Step::Turn { from: alarm.state.value, to, take }], report);
        }
        let Some(suppressed) = &of.suppressed else { return Plan::rest(report) };
        let next = next(of, suppressed, seen.suppressor, now);
        match next {
            Some(by) => Plan::new(vec![Step::Suppress { on: alarm.state.transitioned, by }], report),
            None => {
                let what = "the suppressor, or the end of its period".to_owned();
                report.waiting_for = Some(Waiting { what, until: suppressed.until });
                Plan::rest(report)
            }
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        cx.store()
            .write(|tx| {
                let Some(alarm) = tx.get::<Alarm>(&name.scope, &name.id)? else { return Ok(()) };
                match step {
                    Step::Turn { from, to, take } if alarm.state.value == *from && alarm.is_composite() => {
                        change(tx, cx, &alarm, to.clone(), take.clone())
                    }
                    Step::Suppress { on, by } if alarm.state.transitioned == *on => {
                        suppress(tx, cx, &alarm, by.clone())
                    }
                    _ => Ok(()),
                }
            })
            .await
    }
}

fn rule(of: &Composite) -> Result<Rule, Error> {
    Rule::parse(&of.rule).map_err(|why| Error::internal(format!("a rule that was kept cannot be read: {why}")))
}

/// Whether the actions of a new state are taken.
fn take(of: &Composite, from: StateValue, suppressor: Option<StateValue>, now: Timestamp) -> Take {
    if of.suppressor.is_none() {
        return Take::Now;
    }
    // It turned back before the actions of the state in between were taken: none are.
    if let Some(before) = &of.suppressed
        && before.from != from
        && from == StateValue::Alarm
    {
        return Take::Suppressed(None);
    }
    if suppressor == Some(StateValue::Alarm) {
        return Take::Suppressed(Some(Suppressed { by: SuppressedBy::Alarm, until: None, from }));
    }
    let until = now + Duration::from_secs(of.wait.unwrap_or(0).max(0) as u64);
    Take::Suppressed(Some(Suppressed { by: SuppressedBy::WaitPeriod, until: Some(until), from }))
}

/// What becomes of suppressed actions: none, they go on to be; `Some(None)`: they are taken.
fn next(of: &Composite, is: &Suppressed, suppressor: Option<StateValue>, now: Timestamp) -> Option<Option<Suppressed>> {
    let suppressing = suppressor == Some(StateValue::Alarm);
    let over = is.until.is_some_and(|until| now >= until);
    match is.by {
        SuppressedBy::Alarm if suppressing => None,
        SuppressedBy::Alarm => {
            let until = now + Duration::from_secs(of.extension.unwrap_or(0).max(0) as u64);
            Some(Some(Suppressed { by: SuppressedBy::ExtensionPeriod, until: Some(until), from: is.from }))
        }
        _ if suppressing => Some(Some(Suppressed { by: SuppressedBy::Alarm, until: None, from: is.from })),
        _ if over => Some(None),
        _ => None,
    }
}

fn suppress(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, by: Option<Suppressed>) -> Result<(), Error> {
    let mut changed = alarm.clone();
    let What::Composite(composite) = &mut changed.what else { return Ok(()) };
    let Some(before) = composite.suppressed.take() else { return Ok(()) };
    if by.as_ref() == Some(&before) {
        return Ok(());
    }
    composite.suppressed = by.clone();
    tx.put(cx.scope(), &alarm.name, changed.clone())?;
    match by {
        Some(_) => Ok(()),
        None => actions::note(tx, cx, &changed, before.from),
    }
}

/// In AWS's words.
fn reason(alarm: &Alarm, of: &Composite, value: StateValue, children: &BTreeMap<String, State>) -> String {
    let newest = children.iter().max_by_key(|(_, state)| state.transitioned);
    let text = match newest {
        Some((name, state)) => format!(
            "{name} transitioned to {} at {}",
            state.value.text(),
            crate::alarms::reason::time(state.transitioned)
        ),
        None => format!("{} was created and its alarm rule evaluates to {}", alarm.name, value.text()),
    };
    let _ = of;
    text.chars().take(1_023).collect()
}

fn data(children: &BTreeMap<String, State>) -> String {
    let newest = children.iter().max_by_key(|(_, state)| state.transitioned);
    let child = |(name, state): (&String, &State)| {
        let at = crate::alarms::reason::time(state.transitioned);
        json!({"name": name, "state": {"value": state.value.text(), "timestamp": at}})
    };
    json!({"triggeringAlarms": newest.into_iter().map(child).collect::<Vec<_>>()}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    #[test]
    fn actions_wait_for_the_suppressor_and_after_it() {
        let of = Composite {
            rule: "TRUE".into(),
            suppressor: Some("s".into()),
            wait: Some(60),
            extension: Some(30),
            suppressed: None,
        };
        let Take::Suppressed(Some(waits)) = take(&of, StateValue::Ok, Some(StateValue::Ok), at(0)) else {
            panic!("it waits")
        };
        assert_eq!((waits.by, waits.until), (SuppressedBy::WaitPeriod, Some(at(60))));
        assert_eq!(next(&of, &waits, Some(StateValue::Ok), at(59)), None);
        assert_eq!(next(&of, &waits, Some(StateValue::Ok), at(60)), Some(None), "the actions are taken");
        let by_alarm = next(&of, &waits, Some(StateValue::Alarm), at(10)).flatten().expect("by the alarm");
        assert_eq!((by_alarm.by, by_alarm.until), (SuppressedBy::Alarm, None));
        assert_eq!(next(&of, &by_alarm, Some(StateValue::Alarm), at(1_000)), None);
        let extends =
            next(&of, &by_alarm, Some(StateValue::Ok), at(1_000)).flatten().expect("for the extension period");
        assert_eq!((extends.by, extends.until), (SuppressedBy::ExtensionPeriod, Some(at(1_030))));
        assert_eq!(next(&of, &extends, Some(StateValue::Ok), at(1_030)), Some(None));
        let back = Composite { suppressed: Some(waits), ..of.clone() };
        assert_eq!(
            take(&back, StateValue::Alarm, None, at(20)),
            Take::Suppressed(None),
            "it turned back: nothing is taken"
        );
        assert_eq!(take(&Composite { suppressor: None, ..of }, StateValue::Ok, None, at(0)), Take::Now);
    }
}
