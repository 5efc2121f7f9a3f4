//! Who is told of an event: the rules of its bus that match, and of each its targets. What a note says is final here; how
//! and when it is carried is `kiln-delivery`'s.
//!
//! A target that is a bus gets the event as it is, in the same step: its rules are matched too. From there it goes to no
//! third bus. Source: Amazon EventBridge User Guide, "Sending and receiving events between AWS accounts".

use crate::PRINCIPAL;
use crate::event::Event;
use crate::names::{BusName, rule_arn};
use crate::path::Path;
use crate::records::{Bus, Input, Retry, Rule, Target};
use crate::rules::{Held, Reads};
use crate::transform::{Of, transformed};
use kiln_delivery::{Attribute, Growth, Letter, Note, Parcel, Policy, can_carry};
use kiln_service_kit::{Caller, Cx, Error, ResourcePolicy, Scope};
use serde_json::Value as Json;
use std::sync::Arc;

/// Source: Amazon EventBridge User Guide, "How EventBridge retries delivering events": up to 185 times within 24 hours.
pub const MOST_ATTEMPTS: i32 = 185;
pub const GREATEST_AGE: i32 = 86_400;

/// What an event leads to.
#[derive(Default)]
pub struct Told {
    pub notes: Vec<(Scope, Note)>,
    /// The buses whose rules were matched, and which generation of them.
    pub by: Vec<(Scope, String, Option<String>)>,
}

impl Told {
    /// Matches an event with the rules of a bus.
    pub fn event(
        &mut self,
        cx: &Cx,
        held: &Held,
        reads: &impl Reads,
        bus: &BusName,
        event: &Event,
        json: &Json,
    ) -> Result<(), Error> {
        self.on_bus(cx, held, reads, bus, event, json, true)
    }

    #[allow(clippy::too_many_arguments)]
    fn on_bus(
        &mut self,
        cx: &Cx,
        held: &Held,
        reads: &impl Reads,
        bus: &BusName,
        event: &Event,
        json: &Json,
        goes_on: bool,
    ) -> Result<(), Error> {
        let rules = held.rules(reads, &bus.scope, &bus.name)?;
        self.by.push((bus.scope.clone(), bus.name.clone(), rules.as_ref().map(|(id, _)| id.clone())));
        let Some((_, rules)) = rules else { return Ok(()) };
        for rule in rules.matches(json) {
            self.rule(cx, held, reads, &bus.scope, rule, event, json, goes_on)?;
        }
        Ok(())
    }

    /// What a rule that matched, or whose time has come, tells its targets.
    #[allow(clippy::too_many_arguments)]
    pub fn rule(
        &mut self,
        cx: &Cx,
        held: &Held,
        reads: &impl Reads,
        scope: &Scope,
        rule: &Arc<Rule>,
        event: &Event,
        json: &Json,
        goes_on: bool,
    ) -> Result<(), Error> {
        let partition = cx.platform().partition_of(&scope.region).name;
        let arn = rule_arn(partition, scope, &rule.bus, &rule.name);
        for target in rule.targets.values() {
            if let Some(bus) = bus_of(cx, &target.arn) {
                if goes_on && may_put(cx, reads, scope, &bus, &arn, event)? {
                    self.on_bus(cx, held, reads, &bus, event, json, false)?;
                }
                continue;
            }
            self.notes.push((scope.clone(), note(cx, &arn, rule, target, event, json)?));
        }
        Ok(())
    }
}

/// The bus that a target is.
pub fn bus_of(cx: &Cx, arn: &str) -> Option<BusName> {
    let is_bus = arn.split(':').nth(2) == Some("events");
    is_bus.then(|| BusName::parse(cx, Some(arn)).ok()).flatten()
}

/// Whether a bus takes the events of a rule: one of the same account does, another account's where its policy lets that
/// account in.
fn may_put(cx: &Cx, reads: &impl Reads, from: &Scope, bus: &BusName, rule: &str, event: &Event) -> Result<bool, Error> {
    let Ok(found) = bus.check(reads) else {
        tracing::warn!(rule, bus = bus.arn, "the bus that events go to is not there");
        return Ok(false);
    };
    if bus.scope.account == from.account {
        return Ok(true);
    }
    let document = found.as_deref().and_then(|bus: &Bus| bus.policy.as_deref());
    let sender = Cx::new(cx.platform().clone(), from.clone(), Caller::root(&from.account), cx.request_id());
    let policy = ResourcePolicy { name: &bus.arn, document, trust: false, needed: false, account: &bus.scope.account };
    let keys = [("events:source", event.source.clone()), ("events:detail-type", event.detail_type.clone())];
    match sender.authorize_by("events:PutEvents", &bus.arn, &keys, policy) {
        Ok(()) => Ok(true),
        Err(error) if error.code.starts_with("AccessDenied") => {
            tracing::warn!(rule, bus = bus.arn, error = error.chain(), "a bus does not take events of a rule");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn note(cx: &Cx, arn: &str, rule: &Rule, target: &Target, event: &Event, json: &Json) -> Result<Note, Error> {
    let body = match &target.input {
        Input::Event => event.text(),
        Input::Constant(text) => text.clone(),
        Input::Path(path) => {
            let path = Path::parse(path).ok_or_else(|| Error::internal("an input path is none"))?;
            match path.of(json) {
                Some(whole) if std::ptr::eq(whole, json) => event.text(),
                Some(part) => part.to_string(),
                None => "null".to_owned(),
            }
        }
        Input::Transformed { paths, template } => {
            let ingested = cx.now().iso8601();
            let of = Of { rule_arn: arn, rule_name: &rule.name, ingested: &ingested };
            transformed(paths, template, event, json, &of)
        }
    };
    let letter =
        Letter { attributes: vec![Attribute::text("RULE_ARN", arn), Attribute::text("TARGET_ARN", &target.arn)] };
    Ok(Note {
        to: can_carry(&target.arn)?,
        by: PRINCIPAL.to_owned(),
        source_arn: arn.to_owned(),
        parcel: Parcel { role: target.role.clone(), letter: Some(letter), ..Parcel::of(body) },
        policy: policy(target.retry.as_ref()),
        dead_letter: target.dead_letter.clone(),
    })
}

/// Exponential, from a second up to 512, as often and as long as was said.
fn policy(retry: Option<&Retry>) -> Policy {
    let attempts = retry.and_then(|retry| retry.attempts).unwrap_or(MOST_ATTEMPTS).clamp(0, MOST_ATTEMPTS);
    let age = retry.and_then(|retry| retry.age).unwrap_or(GREATEST_AGE).clamp(0, GREATEST_AGE);
    let attempts = attempts.unsigned_abs();
    Policy {
        immediate: 0,
        before: 0,
        backoff: attempts,
        after: 0,
        least: 1_000,
        greatest: 1_000 << attempts.saturating_sub(1).min(9),
        growth: Growth::Exponential,
        oldest: Some(u64::from(age.unsigned_abs()) * 1_000),
        per_second: None,
    }
}
