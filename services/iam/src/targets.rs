//! The tags of what a call touches, for policies: those that a user, role, policy or instance profile
//! has and those that the request gives it. The rows name the things themselves. Source: Service
//! Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
//! Management".

use crate::managed::{self, Found};
use crate::records::{InstanceProfile, Role, Tags, User, key};
use kiln_service_kit::{BoxFuture, Cx, Error, Record, Target, Touched};
use serde_json::Value as Json;

/// One target, which stands for what the row names.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(async move { touched(cx, operation, request) })
}

fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    let mut target = Target::new("").tagged("iam", &tags(cx, operation, request)?);
    let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
    for tag in request["Tags"].as_array().into_iter().flatten() {
        target = target.given_tags([(text(&tag["Key"]).as_str(), text(&tag["Value"]).as_str())]);
    }
    for key in request["TagKeys"].as_array().into_iter().flatten() {
        target = target.with("aws:TagKeys", text(key));
    }
    // A call about no tags at all needs no target of its own.
    Ok(if target.keys.is_empty() { vec![] } else { vec![target] })
}

/// The tags of the thing that the operation is about.
fn tags(cx: &Cx, operation: &str, request: &Json) -> Result<Tags, Error> {
    if operation.starts_with("Create") {
        return Ok(Tags::new());
    }
    let name = |member: &str| request[member].as_str();
    if let Some(profile) = name("InstanceProfileName") {
        return kept::<InstanceProfile>(cx, profile, |profile| &profile.tags);
    }
    if let Some(role) = name("RoleName") {
        return kept::<Role>(cx, role, |role| &role.tags);
    }
    if let Some(user) = name("UserName") {
        return kept::<User>(cx, user, |user| &user.tags);
    }
    match name("PolicyArn").map(|arn| managed::find(cx.store(), arn)).transpose()? {
        Some(Some(Found::Own(policy))) => Ok(policy.tags.clone()),
        _ => Ok(Tags::new()),
    }
}

fn kept<R: Record>(cx: &Cx, name: &str, tags: impl Fn(&R) -> &Tags) -> Result<Tags, Error> {
    let found = cx.store().get::<R>(&cx.global_scope(), &key(name))?;
    Ok(found.map_or_else(Tags::new, |found| tags(&found).clone()))
}
