//! What the creating calls touch, for policies: the names that are to be. The rows of all others
//! name the ARNs of their requests. Source: Service Authorization Reference, "Actions, resources,
//! and condition keys for Elastic Load Balancing V2".

use kiln_service_kit::{BoxFuture, Cx, Target, Touched};
use serde_json::Value as Json;

/// The load balancer or target group that is to be made, with the tags that it is to get.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(touched(cx, operation, request))
}

async fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    let kind = match operation {
        "CreateLoadBalancer" => "loadbalancer/app",
        "CreateTargetGroup" => "targetgroup",
        _ => return Ok(vec![]),
    };
    let name = request["Name"].as_str().unwrap_or("*");
    let tags = request["Tags"].as_array().into_iter().flatten();
    let tags = tags.map(|tag| (tag["Key"].as_str().unwrap_or(""), tag["Value"].as_str().unwrap_or("")));
    let arn = cx.arn("elasticloadbalancing", &format!("{kind}/{name}/*"));
    Ok(vec![Target::new(arn).given_tags(tags)])
}
