//! What Auto Scaling's calls touch, for policies. Source: Service Authorization Reference, "Actions,
//! resources, and condition keys for Amazon EC2 Auto Scaling".

use crate::records::{Group, LaunchConfiguration, Member};
use kiln_service_kit::{BoxFuture, Cx, Error, Target, Touched};
use serde_json::Value as Json;

/// The groups and launch configurations that an operation touches; nothing for calls that list them.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(touched(cx, operation, request))
}

async fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    if operation.starts_with("Describe") {
        return Ok(vec![]);
    }
    if matches!(operation, "CreateLaunchConfiguration" | "DeleteLaunchConfiguration") {
        let names = request["LaunchConfigurationName"].as_str();
        return names.into_iter().map(|name| configuration(cx, name)).collect();
    }
    let tags: Vec<(&str, &str, &str)> = request["Tags"].as_array().into_iter().flatten().map(tag).collect();
    let mut names: Vec<String> = match request["AutoScalingGroupName"].as_str() {
        Some(name) => vec![name.to_owned()],
        None => tags.iter().map(|(group, _, _)| (*group).to_owned()).collect(),
    };
    if let Some(id) = request["InstanceId"].as_str()
        && names.is_empty()
        && let Some(member) = cx.store().get::<Member>(cx.scope(), id)?
    {
        names.push(member.group.clone());
    }
    names.sort();
    names.dedup();
    let given = || tags.iter().map(|(_, key, value)| (*key, *value));
    names.iter().map(|name| Ok(group(cx, name)?.given_tags(given()))).collect()
}

/// Group, key and value of a tag in a request.
fn tag(tag: &Json) -> (&str, &str, &str) {
    let text = |member: &str| tag[member].as_str().unwrap_or("");
    (text("ResourceId"), text("Key"), text("Value"))
}

fn group(cx: &Cx, name: &str) -> Result<Target, Error> {
    let Some(group) = cx.store().get::<Group>(cx.scope(), name)? else {
        return Ok(Target::new(cx.arn("autoscaling", &format!("autoScalingGroup:*:autoScalingGroupName/{name}"))));
    };
    let tags = group.tags.iter().map(|tag| (&tag.key, &tag.value));
    Ok(Target::new(group.arn(cx.region(), cx.account())).tagged("autoscaling", tags))
}

fn configuration(cx: &Cx, name: &str) -> Result<Target, Error> {
    let arn = match cx.store().get::<LaunchConfiguration>(cx.scope(), name)? {
        Some(found) => found.arn(cx.region(), cx.account()),
        None => cx.arn("autoscaling", &format!("launchConfiguration:*:launchConfigurationName/{name}")),
    };
    Ok(Target::new(arn))
}
