//! One alarm on a metric or an expression: when its data come, and each minute or ten seconds, it is judged.

use crate::alarms::change::{New, Take, change};
use crate::alarms::judge::{Asked, Found, Missing, judge};
use crate::alarms::read::{self, Row, Rows};
use crate::alarms::{actions, reason};
use crate::records::{Alarm, MetricAlarm, StateValue};
use crate::statistic::Statistic;
use kiln_service_kit::*;
use std::sync::Arc;

/// Judges alarms on metrics.
pub struct MetricAlarms;

/// An alarm and what it sees.
pub struct Seen {
    alarm: Arc<Alarm>,
    rows: Rows,
}

/// To another state, or with another reason in the same.
#[derive(Debug, Clone)]
pub enum Step {
    Turn { from: StateValue, to: New },
}

#[async_trait]
impl Controller for MetricAlarms {
    const NAME: &'static str = "cloudwatch/alarm";
    const ABOUT: &'static str = "one alarm on a metric or expression: judged when data come, and in its steps";
    const STEPS: &'static [&'static str] = &["Turn"];
    const ACTS_AS: &'static str = actions::PRINCIPAL;
    type Seen = Seen;
    type Step = Step;
    const WATCHES: &'static [RecordKind] = &[Alarm::KIND];
    const SLOTS: usize = 8;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Alarm>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(alarm) = cx.store().get::<Alarm>(&name.scope, &name.id)? else { return Ok(None) };
        let Some(of) = read::of(&alarm) else { return Ok(None) };
        let rows = read::rows(cx, of).await?;
        Ok(Some(Seen { alarm, rows }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        let alarm = &seen.alarm;
        let Some(of) = read::of(alarm) else { return Plan::rest(Report::default()) };
        let new = decide(of, &seen.rows, alarm.state.value, now);
        let step = read::step(of) * 1000;
        let until = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(step) + step);
        let report = Report {
            sees: format!("{}: {}", alarm.state.value.text(), alarm.state.reason),
            wants: "the state that its points say".to_owned(),
            waiting_for: Some(Waiting { what: "new points, or the end of the minute".to_owned(), until: Some(until) }),
            at_rest: true,
            ..Report::default()
        };
        match new.filter(|new| new.value != alarm.state.value) {
            Some(to) => Plan::new(vec![Step::Turn { from: alarm.state.value, to }], report),
            None => Plan::rest(report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let Step::Turn { from, to } = step;
        cx.store()
            .write(|tx| {
                let Some(alarm) = tx.get::<Alarm>(&name.scope, &name.id)? else { return Ok(()) };
                // Somebody else changed it meanwhile, or this is done already: it is looked at again.
                if alarm.state.value != *from || alarm.is_composite() {
                    return Ok(());
                }
                change(tx, cx, &alarm, to.clone(), Take::Now)
            })
            .await
    }
}

/// The state that points say; none where it stays as it is.
fn decide(of: &MetricAlarm, rows: &Rows, state: StateValue, now: Timestamp) -> Option<New> {
    let missing = Missing::parse(of.treat_missing_data.as_deref()).unwrap_or(Missing::Unknown);
    let needed = of.datapoints_to_alarm.unwrap_or(of.evaluation_periods).max(1);
    let asked = Asked { periods: of.evaluation_periods.max(1) as usize, breaching: needed as usize, missing };
    let breaching = |row: &Row| -> Vec<Option<bool>> {
        row.iter().map(|seen| seen.as_ref().map(|seen| reason::breaches(of, seen.value))).collect()
    };
    // The minute that goes on counts where it breaches already.
    let going_on = breaching(&rows.going_on);
    let row = if going_on.last() == Some(&Some(true)) { &rows.going_on } else { &rows.over };
    let found = judge(&breaching(row), asked);
    if too_few(of, row, &found) {
        return None;
    }
    let value = found.state?;
    let data = (!found.evaluated.is_empty()).then(|| reason::data(of, row, &found, now));
    let missing = Missing::parse(of.treat_missing_data.as_deref()).unwrap_or(Missing::Unknown);
    Some(New { value, reason: reason::text(of, row, &found, value, state, missing), data })
}

/// Whether a percentile is of too few samples to say anything, where such are to be ignored. Source: the user guide,
/// "Percentile-based alarms and low data samples": fewer than 10/(1-p), below the middle 10/p.
fn too_few(of: &MetricAlarm, row: &Row, found: &Found) -> bool {
    if of.low_samples.as_deref() != Some("ignore") {
        return false;
    }
    let Some(Statistic::Percentile(share)) = of.metric.as_ref().and_then(|metric| Statistic::parse(metric.stat()))
    else {
        return false;
    };
    let part = share / 100.0;
    let least = if part >= 0.5 { 10.0 / (1.0 - part) } else { 10.0 / part } - 1e-6;
    let mut seen = found.evaluated.iter().filter_map(|at| row[*at].as_ref());
    seen.any(|seen| seen.samples.is_some_and(|samples| samples < least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::read::Seen as Point;
    use crate::records::OfMetric;

    fn alarm(stat: &str, low: Option<&str>) -> MetricAlarm {
        let metric = OfMetric {
            namespace: "shop".into(),
            name: "m".into(),
            dimensions: vec![],
            statistic: None,
            extended_statistic: Some(stat.into()),
            unit: None,
        };
        MetricAlarm {
            metric: Some(metric),
            metrics: vec![],
            period: 60,
            evaluation_periods: 1,
            datapoints_to_alarm: None,
            threshold: 1.0,
            comparison: "GreaterThanThreshold".into(),
            treat_missing_data: None,
            low_samples: low.map(str::to_owned),
        }
    }

    fn row(values: &[(f64, f64)]) -> Row {
        values.iter().map(|(value, samples)| Some(Point { start: 0, value: *value, samples: Some(*samples) })).collect()
    }

    fn value(of: &MetricAlarm, over: Row, going_on: Row) -> Option<StateValue> {
        let rows = Rows { over, going_on };
        decide(of, &rows, StateValue::Ok, Timestamp::from_millis(0)).map(|new| new.value)
    }

    #[test]
    fn percentiles_of_few_samples_are_ignored_where_that_is_asked_for() {
        for (low, samples, expected) in [
            (None, 5.0, Some(StateValue::Alarm)),
            (Some("evaluate"), 5.0, Some(StateValue::Alarm)),
            (Some("ignore"), 99.0, None),
            (Some("ignore"), 100.0, Some(StateValue::Alarm)),
        ] {
            assert_eq!(value(&alarm("p90", low), row(&[(2.0, samples)]), vec![]), expected);
        }
    }

    #[test]
    fn the_minute_that_goes_on_counts_only_where_it_breaches() {
        let of = alarm("p90", None);
        assert_eq!(value(&of, row(&[(0.0, 1.0)]), row(&[(2.0, 1.0)])), Some(StateValue::Alarm));
        assert_eq!(value(&of, row(&[(2.0, 1.0)]), row(&[(0.0, 1.0)])), Some(StateValue::Alarm));
        assert_eq!(value(&of, row(&[(0.0, 1.0)]), vec![]), Some(StateValue::Ok));
    }
}
