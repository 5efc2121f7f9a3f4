//! The tags of what a call touches, for policies: those that a parameter has and those that the
//! request gives it. The rows name the parameters themselves. Source: Service Authorization
//! Reference, "Actions, resources, and condition keys for AWS Systems Manager".

use crate::operations::arn_of;
use crate::records::Parameter;
use kiln_service_kit::{BoxFuture, Cx, Target, Touched};
use serde_json::Value as Json;

/// Every parameter that the request names, with its tags.
pub fn of<'a>(cx: &'a Cx, _operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(async move { touched(cx, request) })
}

fn touched(cx: &Cx, request: &Json) -> Touched {
    let one = [&request["Name"], &request["ResourceId"]].into_iter();
    let several = request["Names"].as_array().into_iter().flatten();
    let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
    let tags = request["Tags"].as_array().into_iter().flatten();
    let given: Vec<(String, String)> = tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect();
    let removed: Vec<String> = request["TagKeys"].as_array().into_iter().flatten().map(text).collect();
    let mut targets = vec![];
    for name in one.chain(several).filter_map(Json::as_str) {
        let mut target = Target::new(arn_of(cx, name));
        // Under the name as it is kept: an ARN does not tell whether it begins with a slash.
        let bare = target.arn.split_once(":parameter/").map_or("", |(_, bare)| bare).to_owned();
        for kept in [format!("/{bare}"), bare] {
            if let Some(parameter) = cx.store().get::<Parameter>(cx.scope(), &kept)? {
                target = target.tagged("ssm", &parameter.tags);
                break;
            }
        }
        target = target.given_tags(given.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        for key in &removed {
            target = target.with("aws:TagKeys", key);
        }
        targets.push(target);
    }
    Ok(targets)
}
