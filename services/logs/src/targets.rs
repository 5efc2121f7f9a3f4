//! What calls touch, for policies. Source: Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon CloudWatch Logs". A call on a group is asked about with an ARN that goes on behind the group's name, so that
//! statements need `log-group:NAME:*`; calls on tags with the group's own.
//!
//! Resource policies let services put events and make streams, and nobody else ("PutResourcePolicy").

use crate::names::{group_arn, of_identifier, stream_arn};
use crate::policies;
use crate::records::LogGroup;
use kiln_service_kit::{CallerKind, Cx, Error, Map, Owned, Target};

/// A group by its name.
pub fn group(cx: &Cx, name: &str) -> Result<Target, Error> {
    tagged(cx, name, Target::new(stream_arn(cx, name, "")))
}

/// A group by its name or ARN, as requests say it in one of two members. What is neither is refused by the call.
pub fn either(cx: &Cx, name: &Option<String>, identifier: &Option<String>) -> Result<Target, Error> {
    match name.as_deref().or(identifier.as_deref()) {
        Some(given) => by_identifier(cx, given),
        None => Ok(Target::everything()),
    }
}

fn by_identifier(cx: &Cx, given: &str) -> Result<Target, Error> {
    match of_identifier(cx, given) {
        Ok(name) => group(cx, name),
        Err(_) => Ok(Target::new(given)),
    }
}

/// Groups by their names or ARNs.
pub fn groups<'g>(cx: &Cx, given: impl IntoIterator<Item = &'g String>) -> Result<Vec<Target>, Error> {
    given.into_iter().map(|given| by_identifier(cx, given)).collect()
}

/// A group that is being made, with the tags that it is given.
pub fn made(cx: &Cx, name: &str, tags: &Map<String>) -> Result<Vec<Target>, Error> {
    let target = Target::new(stream_arn(cx, name, ""));
    let given = target.given_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let tagged = (!tags.is_empty()).then(|| given.clone().by("logs:TagResource"));
    Ok([given].into_iter().chain(tagged).collect())
}

/// A stream.
pub fn stream(cx: &Cx, group: &str, stream: &str) -> Result<Target, Error> {
    tagged(cx, group, Target::new(stream_arn(cx, group, stream)))
}

/// A stream that services may be let in to.
pub fn written(cx: &Cx, group: &str, name: &str) -> Result<Target, Error> {
    let target = stream(cx, group, name)?;
    if !matches!(cx.caller().kind, CallerKind::Service { .. }) {
        return Ok(target);
    }
    let policy = policies::heard(cx, group)?;
    Ok(target.of(Owned { account: cx.account().to_owned(), name: group_arn(cx, group), policy }))
}

/// A group by its ARN, for its tags.
pub fn by_arn(cx: &Cx, arn: &str) -> Result<Target, Error> {
    match of_identifier(cx, arn) {
        Ok(name) => tagged(cx, name, Target::new(group_arn(cx, name))),
        Err(_) => Ok(Target::new(arn)),
    }
}

fn tagged(cx: &Cx, name: &str, target: Target) -> Result<Target, Error> {
    Ok(match cx.store().get::<LogGroup>(cx.scope(), name)? {
        Some(group) => target.tagged("logs", &group.tags),
        None => target,
    })
}
