//! Rules with a schedule: when one is due, its targets are told, and the next time is written down, in one transaction.
//! What was due while kiln was not running is told once.

use crate::event::Event;
use crate::names::rule_arn;
use crate::operations::rules::{due, schedule};
use crate::records::Rule;
use crate::rules::Held;
use crate::tell::Told;
use crate::{PRINCIPAL, inside};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use serde_json::json;
use std::sync::Arc;

pub struct Schedules;

#[derive(Debug)]
pub enum Step {
    /// Tell that this time has come.
    Fire(Timestamp),
}

#[async_trait]
impl Controller for Schedules {
    const NAME: &'static str = "events/schedule";
    const ABOUT: &'static str = "one rule with a schedule: its targets are told when it is due";
    const STEPS: &'static [&'static str] = &["Fire"];
    const ACTS_AS: &'static str = PRINCIPAL;
    type Seen = Arc<Rule>;
    type Step = Step;

    const WATCHES: &'static [RecordKind] = &[Rule::KIND];

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let rule = store.get::<Rule>(&change.scope, &change.id)?;
        let due = rule.is_some_and(|rule| rule.due.is_some());
        Ok(if due { vec![Name::new(&change.scope, change.id.clone())] } else { vec![] })
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let all = store.list_everywhere::<Rule>()?.into_iter().filter(|(_, _, rule)| rule.due.is_some());
        Ok(all.map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Self::Seen>, Error> {
        Ok(cx.store().get::<Rule>(cx.scope(), &name.id)?.filter(|rule| rule.due.is_some()))
    }

    fn plan(&self, seen: &Self::Seen, now: Timestamp) -> Plan<Self::Step> {
        let report =
            Report { wants: format!("{} on time", seen.schedule.as_deref().unwrap_or("")), ..Report::default() };
        match seen.due {
            Some(due) if due <= now => Plan::new(vec![Step::Fire(due)], report),
            due => {
                let waiting_for = Some(Waiting { what: "its time".to_owned(), until: due });
                Plan::rest(Report { waiting_for, at_rest: true, ..report })
            }
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Self::Step) -> Result<(), Error> {
        let Step::Fire(at) = step;
        let held = Held::of(cx.platform());
        cx.store()
            .write(|tx| {
                // Told already, or not to be told any more.
                let Some(rule) = tx.get::<Rule>(cx.scope(), &name.id)?.filter(|rule| rule.due == Some(*at)) else {
                    return Ok(());
                };
                let event = event(cx, &rule, *at);
                let mut told = Told::default();
                told.rule(cx, &held, tx, cx.scope(), &rule, &event, &event.json(), true)?;
                let times = rule.schedule.as_deref().map(schedule).transpose()?;
                let next = times.and_then(|times| due(&times, rule.since, tx.now()));
                tx.put(cx.scope(), &name.id, Rule { due: next, ..(*rule).clone() })?;
                inside::tell_what_fits(tx, told)
            })
            .await
    }
}

/// Source: Amazon EventBridge User Guide, "Creating an EventBridge rule that runs on a schedule".
fn event(cx: &Cx, rule: &Rule, at: Timestamp) -> Event {
    Event {
        id: cx.ids().uuid(),
        source: "aws.events".to_owned(),
        detail_type: "Scheduled Event".to_owned(),
        account: cx.account().to_owned(),
        region: cx.region().to_owned(),
        time: at,
        resources: vec![rule_arn(cx.partition(), cx.scope(), &rule.bus, &rule.name)],
        detail: json!({}),
        detail_text: "{}".to_owned(),
    }
}
