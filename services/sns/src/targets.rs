//! What calls touch, for policies: topics, with their tags and their own policies. Source: Service Authorization
//! Reference, "Actions, resources, and condition keys for Amazon SNS"; Amazon SNS Developer Guide, "Using Amazon SNS with
//! an access policy" for `aws:SourceOwner`, which SNS gives every request.

use crate::names::TopicName;
use crate::policy;
use crate::records::Topic;
use kiln_service_kit::{Cx, Error, Owned, Target};
use kiln_sns_shapes::Tag;
use std::sync::Arc;

/// A topic by its ARN.
pub fn topic(cx: &Cx, arn: &str) -> Result<Target, Error> {
    match TopicName::parse(cx, arn) {
        Ok(name) => of(cx, &name),
        // Refused by the operation itself; until then it matches no policy but `*`.
        Err(_) => Ok(Target::new(arn)),
    }
}

/// A topic of this account that is made, with the tags it is to have.
pub fn made(cx: &Cx, name: &str, tags: &[Tag]) -> Result<Target, Error> {
    let target = of(cx, &TopicName::own(cx, name))?;
    Ok(target.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

/// A topic that is given tags.
pub fn given(cx: &Cx, arn: &str, tags: &[Tag]) -> Result<Target, Error> {
    Ok(topic(cx, arn)?.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

/// A topic that loses tags.
pub fn taken(cx: &Cx, arn: &str, keys: &[String]) -> Result<Target, Error> {
    Ok(keys.iter().fold(topic(cx, arn)?, |target, key| target.with("aws:TagKeys", key)))
}

/// A topic that is subscribed to, with what and where (`sns:Protocol`, `sns:Endpoint`).
pub fn subscribed(cx: &Cx, arn: &str, protocol: &str, endpoint: &Option<String>) -> Result<Target, Error> {
    let target = topic(cx, arn)?.with("sns:Protocol", protocol);
    Ok(match endpoint {
        Some(endpoint) => target.with("sns:Endpoint", endpoint),
        None => target,
    })
}

/// The topic, whose it is and the policy that is on it. One that is not there is its account's all the same, so that
/// nobody learns what another account has.
fn of(cx: &Cx, name: &TopicName) -> Result<Target, Error> {
    let target = Target::new(name.arn.clone()).with("aws:SourceOwner", cx.account());
    let found = cx.store().get::<Topic>(&name.scope, &name.name)?;
    let policy: Option<Arc<str>> = found.as_deref().map(|topic| policy::of(topic, name).into());
    let target = match &found {
        Some(topic) => target.tagged("sns", &topic.tags),
        None => target,
    };
    Ok(target.of(Owned { account: name.scope.account.to_string(), name: name.arn.clone(), policy }))
}
