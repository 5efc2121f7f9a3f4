//! The tags of what a call touches, for policies: those that a user, role, policy or instance profile
//! has and those that the request gives it. The rows name the things themselves. Source: Service
//! Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
//! Management".

use crate::managed::{self, Found};
use crate::records::{InstanceProfile, Role, Tags, User, key};
use kiln_protocol::{Request, Shape, stored};
use kiln_service_kit::{CallerKind, Cx, Error, Record, Target};
use serde_json::Value as Json;

/// What a row names, with the tags that policies know of it.
pub fn with_tags<R: Request + Shape>(cx: &Cx, mut target: Target, request: &R) -> Result<Target, Error> {
    let request = stored::to_json(request);
    let tags = tags(cx, R::OPERATION, &request, &target.arn)?;
    target = target.tagged("iam", &tags);
    let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
    for tag in request["Tags"].as_array().into_iter().flatten() {
        target = target.given_tags([(text(&tag["Key"]).as_str(), text(&tag["Value"]).as_str())]);
    }
    let taken = request["TagKeys"].as_array().into_iter().flatten();
    target.keys.extend(taken.map(|key| ("aws:TagKeys".to_owned(), text(key))));
    Ok(target)
}

/// The tags of the thing that the operation is about, whose ARN that is.
fn tags(cx: &Cx, operation: &str, request: &Json, arn: &str) -> Result<Tags, Error> {
    // These are about a user and a policy that are there; what others create is not there yet.
    let about_what_is_there = matches!(operation, "CreateAccessKey" | "CreatePolicyVersion");
    if operation.starts_with("Create") && !about_what_is_there {
        return Ok(Tags::new());
    }
    let name = |member: &str| request[member].as_str();
    // About a group, which has none, whoever is put into it.
    if name("GroupName").is_some() {
        return Ok(Tags::new());
    }
    if let Some(profile) = name("InstanceProfileName") {
        return kept::<InstanceProfile>(cx, profile, |profile| &profile.tags);
    }
    if let Some(role) = name("RoleName") {
        return kept::<Role>(cx, role, |role| &role.tags);
    }
    if let Some(user) = name("UserName") {
        return kept::<User>(cx, user, |user| &user.tags);
    }
    // Without a name it is about who calls.
    if let CallerKind::User { name } = &cx.caller().kind
        && arn == cx.caller().arn
    {
        return kept::<User>(cx, name, |user| &user.tags);
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
