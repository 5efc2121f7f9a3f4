//! What calls touch, for policies: buses with their policies, and rules. Source: Service Authorization Reference, "Actions,
//! resources, and condition keys for Amazon EventBridge".

use crate::names::{BusName, rule_arn, thing as named};
use crate::records::{Bus, Rule};
use kiln_events_shapes::Tag;
use kiln_service_kit::{Cx, Error, Owned, Target};
use std::sync::Arc;

/// A bus, whose it is and the policy that is on it.
pub fn bus(cx: &Cx, given: Option<&str>) -> Result<Target, Error> {
    match BusName::parse(cx, given) {
        Ok(name) => of(cx, &name),
        // Refused by the operation itself; until then it matches no policy but `*`.
        Err(_) => Ok(Target::new(given.unwrap_or("*"))),
    }
}

fn of(cx: &Cx, name: &BusName) -> Result<Target, Error> {
    let found = cx.store().get::<Bus>(&name.scope, &name.name)?;
    let policy: Option<Arc<str>> = found.as_deref().and_then(|bus| bus.policy.as_deref()).map(Into::into);
    let target = Target::new(name.arn.clone());
    let target = match &found {
        Some(bus) => target.tagged("events", &bus.tags),
        None => target,
    };
    Ok(target.of(Owned { account: name.scope.account.to_string(), name: name.arn.clone(), policy }))
}

/// A rule of this account.
pub fn rule(cx: &Cx, bus: Option<&str>, rule: &str) -> Result<Target, Error> {
    let Ok(name) = BusName::parse(cx, bus) else { return Ok(Target::new(bus.unwrap_or("*"))) };
    let target = Target::new(rule_arn(cx.partition(), &name.scope, &name.name, rule));
    Ok(match cx.store().get::<Rule>(&name.scope, &name.rule_id(rule))? {
        Some(rule) => target.tagged("events", &rule.tags),
        None => target,
    })
}

/// A bus or a rule by its ARN.
pub fn thing(cx: &Cx, arn: &str) -> Result<Target, Error> {
    match named(cx, arn) {
        Some((of, Some(name))) => rule(cx, Some(&of), &name),
        Some((name, None)) => bus(cx, Some(&name)),
        None => Ok(Target::new(arn)),
    }
}

/// The same that is given tags.
pub fn given(target: Target, tags: &[Tag]) -> Target {
    target.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
}
