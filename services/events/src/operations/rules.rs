//! PutRule, DeleteRule, DescribeRule, EnableRule, DisableRule, ListRules, ListRuleNamesByTarget. Source: the API Reference.

use super::tags;
use crate::errors::{bad_pattern, bad_token, no_rule, over_limit, validation};
use crate::names::{BusName, DEFAULT, rule_arn};
use crate::records::Rule as Kept;
use crate::rules::{MOST_RULES, changed};
use crate::targets;
use kiln_events_shapes::*;
use kiln_patterns::Pattern;
use kiln_schedules::Schedule;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteRule: delete_rule(DeleteRuleRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.name)),
    operation!(DescribeRule: describe_rule(DescribeRuleRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.name)),
    operation!(DisableRule: disable_rule(DisableRuleRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.name)),
    operation!(EnableRule: enable_rule(EnableRuleRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.name)),
    operation!(ListRuleNamesByTarget: list_rule_names_by_target(ListRuleNamesByTargetRequest),
        on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), "*")),
    operation!(ListRules: list_rules(ListRulesRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), "*")),
    operation!(PutRule: put_rule(PutRuleRequest),
        on |cx, r| Ok(targets::given(targets::rule(cx, r.event_bus_name.as_deref(), &r.name)?, &r.tags))),
];

/// Rules on a page.
const PAGE: usize = 100;

/// The times of a schedule that is part of a rule.
pub fn schedule(text: &str) -> Result<Schedule, Error> {
    Schedule::rule(text).map_err(|_| validation("Parameter ScheduleExpression is not valid."))
}

/// When a schedule is due after a time.
pub fn due(schedule: &Schedule, since: Timestamp, after: Timestamp) -> Option<Timestamp> {
    let next = schedule.next_utc(since.millis().div_euclid(1_000), after.millis().div_euclid(1_000))?;
    Some(Timestamp::from_millis(next * 1_000))
}

async fn put_rule(cx: &Cx, request: PutRuleRequest) -> Result<PutRuleResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    let enabled = match request.state.as_deref() {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => return Err(Error::not_built(format!("events: rules in the state {other}"))),
    };
    if request.role_arn.is_some() {
        return Err(Error::not_built("events: RoleArn of rules (targets can have one)"));
    }
    let text = |given: &Option<String>| given.clone().filter(|text| !text.is_empty());
    let (pattern, expression) = (text(&request.event_pattern), text(&request.schedule_expression));
    if pattern.is_none() && expression.is_none() {
        return Err(validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if let Some(pattern) = &pattern {
        Pattern::parse(pattern).map_err(|error| bad_pattern(&error))?;
    }
    let times = expression.as_deref().map(schedule).transpose()?;
    if times.is_some() && bus.name != DEFAULT {
        return Err(validation("ScheduleExpression is supported only on the default event bus."));
    }
    let given = tags::read(cx, &request.tags)?;
    cx.store()
        .write::<_, Error>(|tx| {
            bus.check(tx)?;
            let id = bus.rule_id(&request.name);
            let before = tx.get::<Kept>(cx.scope(), &id)?;
            if before.is_none() && tx.list_prefix::<Kept>(cx.scope(), &bus.rule_id(""))?.len() >= MOST_RULES {
                return Err(over_limit("The requested resource exceeds the maximum number allowed."));
            }
            // A schedule that is as it was goes on being counted.
            let kept = before.as_deref().filter(|before| before.enabled && enabled && before.schedule == expression);
            let since = kept.map_or(tx.now(), |before| before.since);
            let next = || times.as_ref().filter(|_| enabled).and_then(|times| due(times, since, tx.now()));
            let rule = Kept {
                name: request.name.clone(),
                bus: bus.name.clone(),
                pattern: pattern.clone(),
                schedule: expression.clone(),
                enabled,
                description: text(&request.description),
                role: None,
                // Those of a rule that is there are changed by TagResource only.
                tags: before.as_deref().map_or_else(|| given.clone(), |before| before.tags.clone()),
                targets: before.as_deref().map_or_else(Default::default, |before| before.targets.clone()),
                since,
                due: kept.map_or_else(next, |before| before.due),
            };
            tx.put(cx.scope(), &id, rule)?;
            changed(tx, cx, &bus)
        })
        .await?;
    Ok(PutRuleResponse { rule_arn: Some(rule_arn(cx.partition(), &bus.scope, &bus.name, &request.name)) })
}

async fn delete_rule(cx: &Cx, request: DeleteRuleRequest) -> Result<DeleteRuleResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    cx.store()
        .write::<_, Error>(|tx| {
            bus.check(tx)?;
            let id = bus.rule_id(&request.name);
            let Some(rule) = tx.get::<Kept>(cx.scope(), &id)? else { return Ok(()) };
            if !rule.targets.is_empty() {
                return Err(validation("Rule can't be deleted since it has targets."));
            }
            tx.delete::<Kept>(cx.scope(), &id);
            changed(tx, cx, &bus)
        })
        .await?;
    // `Force` is for rules that AWS's services made; there are none.
    Ok(DeleteRuleResponse {})
}

/// A rule that is there.
pub fn found(cx: &Cx, bus: &BusName, name: &str) -> Result<Arc<Kept>, Error> {
    bus.check(cx.store())?;
    cx.store().get::<Kept>(&bus.scope, &bus.rule_id(name))?.ok_or_else(|| no_rule(name, &bus.name))
}

fn state(rule: &Kept) -> String {
    if rule.enabled { "ENABLED" } else { "DISABLED" }.to_owned()
}

async fn describe_rule(cx: &Cx, request: DescribeRuleRequest) -> Result<DescribeRuleResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    let rule = found(cx, &bus, &request.name)?;
    Ok(DescribeRuleResponse {
        arn: Some(rule_arn(cx.partition(), &bus.scope, &bus.name, &rule.name)),
        name: Some(rule.name.clone()),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: Some(state(&rule)),
        description: rule.description.clone(),
        event_bus_name: Some(rule.bus.clone()),
        created_by: Some(cx.account().to_owned()),
        ..Default::default()
    })
}

async fn turn(cx: &Cx, bus: Option<&str>, name: &str, enabled: bool) -> Result<(), Error> {
    let bus = BusName::parse_own(cx, bus)?;
    cx.store()
        .write(|tx| {
            bus.check(tx)?;
            let id = bus.rule_id(name);
            let rule = tx.get::<Kept>(cx.scope(), &id)?.ok_or_else(|| no_rule(name, &bus.name))?;
            if rule.enabled == enabled {
                return Ok(());
            }
            let times = rule.schedule.as_deref().map(schedule).transpose()?;
            let now = tx.now();
            let next = times.filter(|_| enabled).and_then(|times| due(&times, now, now));
            tx.put(cx.scope(), &id, Kept { enabled, since: now, due: next, ..(*rule).clone() })?;
            changed(tx, cx, &bus)
        })
        .await
}

async fn enable_rule(cx: &Cx, request: EnableRuleRequest) -> Result<EnableRuleResponse, Error> {
    turn(cx, request.event_bus_name.as_deref(), &request.name, true).await.map(|()| EnableRuleResponse {})
}

async fn disable_rule(cx: &Cx, request: DisableRuleRequest) -> Result<DisableRuleResponse, Error> {
    turn(cx, request.event_bus_name.as_deref(), &request.name, false).await.map(|()| DisableRuleResponse {})
}

async fn list_rules(cx: &Cx, request: ListRulesRequest) -> Result<ListRulesResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    bus.check(cx.store())?;
    let prefix = bus.rule_id(request.name_prefix.as_deref().unwrap_or(""));
    let all = cx.store().list_prefix::<Kept>(cx.scope(), &prefix)?;
    let limit = request.limit.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(id, _)| id, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(_, rule): &(_, Arc<Kept>)| Rule {
        name: Some(rule.name.clone()),
        arn: Some(rule_arn(cx.partition(), &bus.scope, &bus.name, &rule.name)),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: Some(state(rule)),
        description: rule.description.clone(),
        event_bus_name: Some(rule.bus.clone()),
        ..Default::default()
    };
    Ok(ListRulesResponse { rules: page.items.iter().map(shown).collect(), next_token: page.next_token })
}

async fn list_rule_names_by_target(
    cx: &Cx,
    request: ListRuleNamesByTargetRequest,
) -> Result<ListRuleNamesByTargetResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    bus.check(cx.store())?;
    let mut all = cx.store().by_key::<Kept>(cx.scope(), "target", &request.target_arn)?;
    all.retain(|(_, rule)| rule.bus == bus.name);
    let limit = request.limit.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(id, _)| id, request.next_token.as_deref(), limit, bad_token)?;
    Ok(ListRuleNamesByTargetResponse {
        rule_names: page.items.iter().map(|(_, rule)| rule.name.clone()).collect(),
        next_token: page.next_token,
    })
}
