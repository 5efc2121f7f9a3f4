//! How log groups and streams are called and found: names, ARNs, identifiers that are either.

use crate::errors::{invalid, not_there};
use crate::records::{LogGroup, LogStream};
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// A group's ARN, as tags and identifiers have it; policies match it with `:*` behind it.
pub fn group_arn(cx: &Cx, group: &str) -> String {
    cx.arn("logs", &format!("log-group:{group}"))
}

pub fn stream_arn(cx: &Cx, group: &str, stream: &str) -> String {
    cx.arn("logs", &format!("log-group:{group}:log-stream:{stream}"))
}

/// The name in an identifier: a name, or an ARN with or without `:*`. One of another account or region is nobody's here.
pub fn of_identifier<'i>(cx: &Cx, identifier: &'i str) -> Result<&'i str, Error> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier);
    }
    let own = group_arn(cx, "");
    let name = identifier.strip_prefix(&own).map(|name| name.strip_suffix(":*").unwrap_or(name));
    name.filter(|name| !name.is_empty() && !name.contains(':')).ok_or_else(|| not_there("log group"))
}

/// The group that a request names in one of two ways.
pub fn either<'i>(cx: &Cx, name: &'i Option<String>, identifier: &'i Option<String>) -> Result<&'i str, Error> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => of_identifier(cx, identifier),
        _ => Err(invalid("You must specify either logGroupName or logGroupIdentifier, but not both.")),
    }
}

/// The id of a stream's record; neither name has a colon.
pub fn stream_id(group: &str, stream: &str) -> String {
    format!("{group}:{stream}")
}

/// How the ids of what belongs to a group begin.
pub fn of_group(group: &str) -> String {
    format!("{group}:")
}

pub fn group(cx: &Cx, name: &str) -> Result<Arc<LogGroup>, Error> {
    cx.store().get::<LogGroup>(cx.scope(), name)?.ok_or_else(|| not_there("log group"))
}

/// A stream and its group.
pub fn stream(cx: &Cx, group_name: &str, name: &str) -> Result<(Arc<LogGroup>, Arc<LogStream>), Error> {
    let group = group(cx, group_name)?;
    let stream = cx.store().get::<LogStream>(cx.scope(), &stream_id(group_name, name))?;
    Ok((group, stream.ok_or_else(|| not_there("log stream"))?))
}

/// The streams of a group whose names begin with a text, in the order of their names.
pub fn streams(cx: &Cx, group: &str, prefix: &str) -> Result<Vec<Arc<LogStream>>, Error> {
    let found = cx.store().list_prefix::<LogStream>(cx.scope(), &stream_id(group, prefix))?;
    Ok(found.into_iter().map(|(_, stream)| stream).collect())
}

/// Changes a group.
pub async fn change(cx: &Cx, name: &str, change: impl FnOnce(&mut LogGroup) -> Result<(), Error>) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let mut group = (*tx.get::<LogGroup>(cx.scope(), name)?.ok_or_else(|| not_there("log group"))?).clone();
            change(&mut group)?;
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok(())
        })
        .await
}
