//! Rules of listeners. A listener's default rule is its default actions, shown as a rule. Source:
//! the API Reference's CreateRule and its siblings.

use super::target_groups::check_groups;
use super::{about, listeners, page};
use crate::arns::{self, Kind};
use crate::records::{Listener, Rule};
use crate::targets::created_of;
use crate::{actions, conditions, errors, tags};
use kiln_elbv2_shapes as shapes;
use kiln_elbv2_shapes::{
    CreateRuleRequest, CreateRuleResponse, DeleteRuleRequest, DeleteRuleResponse, DescribeRulesRequest,
    DescribeRulesResponse, ModifyRuleRequest, ModifyRuleResponse, SetRulePrioritiesRequest, SetRulePrioritiesResponse,
};
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateRule: create_rule(CreateRuleRequest), on |cx, r| {
        created_of(cx, "CreateRule", &r.listener_arn, arns::rules_prefix(&r.listener_arn), &r.tags)
    }),
    operation!(DescribeRules: describe_rules(DescribeRulesRequest), on everything),
    operation!(ModifyRule: modify_rule(ModifyRuleRequest), on about),
    operation!(DeleteRule: delete_rule(DeleteRuleRequest), on about),
    operation!(SetRulePriorities: set_rule_priorities(SetRulePrioritiesRequest), on about),
];

/// Rules of one load balancer, default rules not counted.
pub const MOST: usize = 100;

async fn create_rule(cx: &Cx, request: CreateRuleRequest) -> Result<CreateRuleResponse, Error> {
    Kind::Listener.check(cx, &request.listener_arn)?;
    if !request.transforms.is_empty() {
        return Err(Error::not_built("elasticloadbalancing:CreateRule with Transforms"));
    }
    let wanted = Rule {
        arn: arns::rule(cx, &request.listener_arn),
        listener: request.listener_arn.clone(),
        // The model keeps it within 1–50000.
        priority: request.priority.unsigned_abs(),
        conditions: conditions::checked(&request.conditions)?,
        actions: actions::checked(cx, &request.actions)?,
        tags: tags::checked(cx, &request.tags)?,
    };
    let made = cx
        .store()
        .write(|tx| {
            let (_, lb) = listeners::find(tx, cx, &wanted.listener)?;
            let all = tx.list_prefix::<Rule>(cx.scope(), &arns::all_rules_prefix(&lb.arn))?;
            if all.iter().any(|(_, r)| r.listener == wanted.listener && r.priority == wanted.priority) {
                return Err(priority_in_use(wanted.priority));
            }
            if all.len() >= MOST {
                return Err(Error::sender("TooManyRules", format!("A load balancer can have at most {MOST} rules")));
            }
            check_groups(tx, cx, &lb, &wanted.actions)?;
            tx.put(cx.scope(), &wanted.arn, wanted.clone())?;
            Ok(wanted)
        })
        .await?;
    Ok(CreateRuleResponse { rules: vec![shape(&made)] })
}

fn priority_in_use(priority: u32) -> Error {
    Error::sender("PriorityInUse", format!("Priority '{priority}' is currently in use"))
}

fn shape(rule: &Rule) -> shapes::Rule {
    shapes::Rule {
        rule_arn: Some(rule.arn.clone()),
        priority: Some(rule.priority.to_string()),
        conditions: rule.conditions.clone(),
        actions: rule.actions.clone(),
        is_default: Some(false),
        transforms: vec![],
    }
}

fn default_shape(listener: &Listener) -> shapes::Rule {
    shapes::Rule {
        rule_arn: Some(arns::default_rule(&listener.arn)),
        priority: Some("default".to_owned()),
        actions: listener.actions.clone(),
        is_default: Some(true),
        ..Default::default()
    }
}

async fn describe_rules(cx: &Cx, request: DescribeRulesRequest) -> Result<DescribeRulesResponse, Error> {
    let store = cx.store();
    let listener = |arn: &str| store.get::<Listener>(cx.scope(), arn);
    let mut found: Vec<shapes::Rule> = vec![];
    match (&request.listener_arn, &request.rule_arns[..]) {
        (None, []) => return Err(errors::invalid("You must specify either listener rule ARNs or a listener ARN")),
        (Some(_), [_, ..]) => {
            return Err(errors::invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time"));
        }
        (Some(arn), []) => {
            Kind::Listener.check(cx, arn)?;
            let listener = listener(arn)?.ok_or_else(errors::no_listener)?;
            let rules = store.list_prefix::<Rule>(cx.scope(), &arns::rules_prefix(arn))?;
            found.extend(rules.iter().map(|(_, rule)| shape(rule)));
            found.push(default_shape(&listener));
        }
        (None, arns) => {
            for arn in arns {
                Kind::Rule.check(cx, arn)?;
                let of = arns::listener_of(arn).ok_or_else(errors::no_rule)?;
                match (store.get::<Rule>(cx.scope(), arn)?, listener(&of)?) {
                    (Some(rule), _) => found.push(shape(&rule)),
                    (None, Some(listener)) if *arn == arns::default_rule(&of) => found.push(default_shape(&listener)),
                    _ => return Err(errors::no_rule()),
                }
            }
        }
    }
    // By priority, the default last: its key is greater than any number.
    let key = |rule: &shapes::Rule| match rule.priority.as_deref().and_then(|p| p.parse::<u32>().ok()) {
        Some(priority) => format!("{priority:05}{}", rule.rule_arn.as_deref().unwrap_or_default()),
        None => format!("default{}", rule.rule_arn.as_deref().unwrap_or_default()),
    };
    let mut keyed: Vec<(String, shapes::Rule)> = found.into_iter().map(|rule| (key(&rule), rule)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    let page = page(keyed, |(key, _)| key, request.marker.as_deref(), request.page_size)?;
    Ok(DescribeRulesResponse {
        rules: page.items.into_iter().map(|(_, rule)| rule).collect(),
        next_marker: page.next_token,
    })
}

/// A rule that must be there; a default rule is not to be touched.
fn find(tx: &Tx<'_>, cx: &Cx, arn: &str, doing: &str) -> Result<Rule, Error> {
    if let Some(rule) = tx.get::<Rule>(cx.scope(), arn)? {
        return Ok((*rule).clone());
    }
    let listener = arns::listener_of(arn).unwrap_or_default();
    match arns::default_rule(&listener) == arn && tx.get::<Listener>(cx.scope(), &listener)?.is_some() {
        true => Err(errors::not_permitted(format!("Default rule '{arn}' cannot be {doing}"))),
        false => Err(errors::no_rule()),
    }
}

async fn modify_rule(cx: &Cx, request: ModifyRuleRequest) -> Result<ModifyRuleResponse, Error> {
    let arn = &request.rule_arn;
    Kind::Rule.check(cx, arn)?;
    if !request.transforms.is_empty() {
        return Err(Error::not_built("elasticloadbalancing:ModifyRule with Transforms"));
    }
    let conditions = match request.conditions.is_empty() {
        true => None,
        false => Some(conditions::checked(&request.conditions)?),
    };
    let actions = match request.actions.is_empty() {
        true => None,
        false => Some(actions::checked(cx, &request.actions)?),
    };
    let changed = cx
        .store()
        .write(|tx| {
            let mut rule = find(tx, cx, arn, "modified")?;
            let (_, lb) = listeners::find(tx, cx, &rule.listener)?;
            if let Some(conditions) = conditions {
                rule.conditions = conditions;
            }
            if let Some(actions) = actions {
                check_groups(tx, cx, &lb, &actions)?;
                rule.actions = actions;
            }
            tx.put_if_changed(cx.scope(), arn, rule.clone())?;
            Ok::<_, Error>(rule)
        })
        .await?;
    Ok(ModifyRuleResponse { rules: vec![shape(&changed)] })
}

async fn delete_rule(cx: &Cx, request: DeleteRuleRequest) -> Result<DeleteRuleResponse, Error> {
    let arn = &request.rule_arn;
    Kind::Rule.check(cx, arn)?;
    cx.store()
        .write(|tx| {
            find(tx, cx, arn, "deleted")?;
            tx.delete::<Rule>(cx.scope(), arn);
            Ok::<_, Error>(())
        })
        .await?;
    Ok(DeleteRuleResponse {})
}

/// All at once, so that rules may swap their places.
async fn set_rule_priorities(cx: &Cx, request: SetRulePrioritiesRequest) -> Result<SetRulePrioritiesResponse, Error> {
    let mut wanted: Vec<(String, u32)> = vec![];
    for pair in &request.rule_priorities {
        let (Some(arn), Some(priority)) = (&pair.rule_arn, pair.priority) else {
            return Err(errors::invalid("A rule ARN and a priority must be specified"));
        };
        Kind::Rule.check(cx, arn)?;
        if wanted.iter().any(|(known, _)| known == arn) {
            return Err(errors::invalid(format!("The rule '{arn}' is specified more than once")));
        }
        wanted.push((arn.clone(), priority.unsigned_abs()));
    }
    let changed = cx
        .store()
        .write(|tx| {
            let mut changed = vec![];
            for (arn, priority) in &wanted {
                let mut rule = find(tx, cx, arn, "given another priority")?;
                rule.priority = *priority;
                tx.put_if_changed(cx.scope(), arn, rule.clone())?;
                changed.push(rule);
            }
            for rule in &changed {
                let all = tx.list_prefix::<Rule>(cx.scope(), &arns::rules_prefix(&rule.listener))?;
                let clash = |r: &Rule| r.listener == rule.listener && r.priority == rule.priority && r.arn != rule.arn;
                if all.iter().any(|(_, other)| clash(other)) {
                    return Err(priority_in_use(rule.priority));
                }
            }
            Ok(changed)
        })
        .await?;
    Ok(SetRulePrioritiesResponse { rules: changed.iter().map(shape).collect() })
}
