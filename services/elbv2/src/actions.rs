//! Actions of listeners and rules: checked as given, kept in AWS's full form, compiled for the
//! balancer.

use crate::arns::Kind;
use crate::errors;
use kiln_balancer as lb;
use kiln_elbv2_shapes::{
    Action, ForwardActionConfig, RedirectActionConfig, TargetGroupStickinessConfig, TargetGroupTuple,
};
use kiln_service_kit::{Cx, Error};
use std::time::Duration;

/// Target groups one forward action may name.
const GROUPS_PER_ACTION: usize = 5;
/// The greatest weight of a target group.
const MAX_WEIGHT: i32 = 999;
/// A week: the longest target group stickiness.
const MAX_STICKINESS: i32 = 604_800;

/// Checks the actions and writes them out in full, as they are described later.
pub fn checked(cx: &Cx, actions: &[Action]) -> Result<Vec<Action>, Error> {
    let [action] = actions else {
        return Err(match actions.iter().find(|a| !is_final(&a.r#type)) {
            Some(other) => Error::not_built(format!("elasticloadbalancing: action {}", other.r#type)),
            None if actions.is_empty() => errors::invalid("You must specify at least one action"),
            None => errors::bad_action("You can specify only one forward, redirect or fixed-response action"),
        });
    };
    let mut action = action.clone();
    let needs = |name: &str| {
        errors::bad_action(format!("A {name} must be specified for an action of type '{}'", action.r#type))
    };
    match action.r#type.as_str() {
        "forward" => {
            let forward = forward(&action)?;
            for tuple in &forward.target_groups {
                let arn = tuple
                    .target_group_arn
                    .as_deref()
                    .ok_or_else(|| errors::invalid("A target group ARN must be specified"))?;
                Kind::TargetGroup.check(cx, arn)?;
            }
            if let [only] = &forward.target_groups[..] {
                action.target_group_arn = only.target_group_arn.clone();
            }
            action.forward_config = Some(forward);
        }
        "redirect" => {
            let given = action.redirect_config.as_ref().ok_or_else(|| needs("RedirectConfig"))?;
            action.redirect_config = Some(redirect(given)?);
        }
        "fixed-response" => {
            action.fixed_response_config.as_ref().ok_or_else(|| needs("FixedResponseConfig"))?;
            if let Some(kind) = action.fixed_response_config.as_ref().and_then(|f| f.content_type.as_deref()) {
                let known = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
                if !known.contains(&kind) {
                    return Err(errors::invalid(format!(
                        "'{kind}' is not a valid content type; must be one of {}",
                        known.join(", ")
                    )));
                }
            }
        }
        other => return Err(Error::not_built(format!("elasticloadbalancing: action {other}"))),
    }
    Ok(vec![action])
}

fn is_final(kind: &str) -> bool {
    matches!(kind, "forward" | "redirect" | "fixed-response")
}

fn forward(action: &Action) -> Result<ForwardActionConfig, Error> {
    let tuple = |arn: &String| TargetGroupTuple { target_group_arn: Some(arn.clone()), weight: None };
    let mut forward = match (&action.target_group_arn, &action.forward_config) {
        (None, None) => return Err(errors::invalid("A target group ARN must be specified")),
        (Some(arn), None) => ForwardActionConfig { target_groups: vec![tuple(arn)], ..Default::default() },
        (None, Some(forward)) => forward.clone(),
        (Some(arn), Some(forward)) => match &forward.target_groups[..] {
            [only] if only.target_group_arn.as_ref() == Some(arn) => forward.clone(),
            [] => ForwardActionConfig { target_groups: vec![tuple(arn)], ..forward.clone() },
            _ => {
                return Err(errors::invalid(
                    "You cannot specify both TargetGroupArn and a ForwardConfig with other target groups",
                ));
            }
        },
    };
    match forward.target_groups.len() {
        0 => return Err(errors::invalid("At least one target group must be specified in a forward action")),
        n if n > GROUPS_PER_ACTION => {
            let text = format!("A forward action may name at most {GROUPS_PER_ACTION} target groups");
            return Err(Error::sender("TooManyTargetGroups", text));
        }
        _ => {}
    }
    let mut seen = vec![];
    for tuple in &mut forward.target_groups {
        let weight = tuple.weight.unwrap_or(1);
        if !(0..=MAX_WEIGHT).contains(&weight) {
            return Err(errors::invalid(format!("Target group weight '{weight}' must be between 0 and {MAX_WEIGHT}")));
        }
        tuple.weight = Some(weight);
        if seen.contains(&tuple.target_group_arn) {
            return Err(errors::invalid("A target group may be named only once in a forward action"));
        }
        seen.push(tuple.target_group_arn.clone());
    }
    let sticky = forward.target_group_stickiness_config.get_or_insert_with(Default::default);
    let on = sticky.enabled.unwrap_or(false);
    match sticky.duration_seconds {
        None if on => {
            return Err(errors::invalid("DurationSeconds must be specified when target group stickiness is enabled"));
        }
        Some(s) if !(1..=MAX_STICKINESS).contains(&s) => {
            return Err(errors::invalid(format!(
                "Target group stickiness duration '{s}' must be between 1 and {MAX_STICKINESS} seconds"
            )));
        }
        _ => {}
    }
    *sticky = TargetGroupStickinessConfig { enabled: Some(on), duration_seconds: sticky.duration_seconds };
    Ok(forward)
}

fn redirect(given: &RedirectActionConfig) -> Result<RedirectActionConfig, Error> {
    let or = |value: &Option<String>, default: &str| Some(value.clone().unwrap_or_else(|| default.to_owned()));
    let full = RedirectActionConfig {
        protocol: or(&given.protocol, "#{protocol}"),
        port: or(&given.port, "#{port}"),
        host: or(&given.host, "#{host}"),
        path: or(&given.path, "/#{path}"),
        query: or(&given.query, "#{query}"),
        status_code: given.status_code.clone(),
    };
    let port = full.port.as_deref().unwrap_or_default();
    if port != "#{port}" && !port.parse::<u16>().is_ok_and(|p| p > 0) {
        return Err(errors::invalid(format!("Redirect port '{port}' must be between 1 and 65535 or '#{{port}}'")));
    }
    if !full.path.as_deref().is_some_and(|p| p.starts_with('/')) {
        return Err(errors::invalid("The path of a redirect must begin with '/'"));
    }
    let same = [&full.protocol, &full.port, &full.host, &full.path]
        .into_iter()
        .zip(["#{protocol}", "#{port}", "#{host}", "/#{path}"])
        .all(|(part, default)| part.as_deref() == Some(default));
    if same {
        return Err(errors::bad_action("The redirect configuration is not valid because it creates a loop"));
    }
    Ok(full)
}

/// The target groups that actions forward to.
pub fn groups(actions: &[Action]) -> impl Iterator<Item = &str> {
    let forwards = actions.iter().filter_map(|a| a.forward_config.as_ref());
    forwards.flat_map(|f| f.target_groups.iter().filter_map(|t| t.target_group_arn.as_deref()))
}

/// For the balancer. The actions were checked when they were kept; one that lacks a part of its own now is none, and
/// not carried out by halves.
pub fn compile(actions: &[Action]) -> Option<lb::Action> {
    let action = actions.first()?;
    Some(match action.r#type.as_str() {
        "forward" => {
            let forward = action.forward_config.as_ref()?;
            let sticky = forward.target_group_stickiness_config.as_ref().filter(|s| s.enabled == Some(true));
            lb::Action::Forward(lb::Forward {
                target_groups: forward
                    .target_groups
                    .iter()
                    .map(|t| Some((t.target_group_arn.clone()?, t.weight.unwrap_or(1).unsigned_abs())))
                    .collect::<Option<_>>()?,
                stickiness: match sticky {
                    Some(sticky) => Some(Duration::from_secs(sticky.duration_seconds?.unsigned_abs().into())),
                    None => None,
                },
            })
        }
        "redirect" => {
            let r = action.redirect_config.clone()?;
            lb::Action::Redirect(lb::Redirect {
                protocol: r.protocol?,
                host: r.host?,
                port: r.port?,
                path: r.path?,
                query: r.query?,
                permanent: match r.status_code.as_str() {
                    "HTTP_301" => true,
                    "HTTP_302" => false,
                    _ => return None,
                },
            })
        }
        "fixed-response" => {
            let fixed = action.fixed_response_config.as_ref()?;
            lb::Action::FixedResponse(lb::FixedResponse {
                status: fixed.status_code.parse().ok()?,
                content_type: fixed.content_type.clone(),
                body: fixed.message_body.clone().unwrap_or_default(),
            })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_lost_a_part_is_not_carried_out_by_halves() {
        let tuple = |arn: Option<&str>| TargetGroupTuple { target_group_arn: arn.map(str::to_owned), weight: Some(1) };
        let forward = |groups: Vec<TargetGroupTuple>, duration: Option<i32>| {
            let stickiness = TargetGroupStickinessConfig { enabled: Some(true), duration_seconds: duration };
            let config =
                ForwardActionConfig { target_groups: groups, target_group_stickiness_config: Some(stickiness) };
            compile(&[Action { r#type: "forward".into(), forward_config: Some(config), ..Default::default() }])
        };
        assert!(forward(vec![tuple(Some("a")), tuple(Some("b"))], Some(60)).is_some());
        assert_eq!(forward(vec![tuple(Some("a")), tuple(None)], Some(60)), None, "the others would have its share");
        assert_eq!(forward(vec![tuple(Some("a"))], None), None, "nobody would be kept where they are");
        let redirect = |status: &str| {
            let text = || Some("/".to_owned());
            let config = RedirectActionConfig {
                protocol: text(),
                host: text(),
                port: text(),
                path: text(),
                query: text(),
                status_code: status.into(),
            };
            compile(&[Action { r#type: "redirect".into(), redirect_config: Some(config), ..Default::default() }])
        };
        assert!(redirect("HTTP_301").is_some() && redirect("HTTP_302").is_some());
        assert_eq!(redirect("HTTP_308"), None);
    }
}
