//! A call as CloudTrail's record of it. Source: AWS CloudTrail User Guide, "CloudTrail record contents for management, data,
//! and network activity events" and "CloudTrail userIdentity element".

use crate::{Caller, CallerKind, Cx, Error, Operation};
use kiln_protocol::Protocol;
use serde::Serialize;
use serde_json::{Value as Json, json};

/// The version of the records' form.
const VERSION: &str = "1.11";

/// What a record begins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Front<'a> {
    event_version: &'static str,
    user_identity: Json,
    event_time: String,
    event_source: String,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: String,
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

/// What it ends with, behind `requestParameters` and `responseElements`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Back<'a> {
    #[serde(rename = "requestID")]
    request_id: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    read_only: bool,
    event_type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'a str,
    management_event: bool,
    recipient_account_id: &'a str,
    event_category: &'static str,
}

/// What the record says beside the context.
pub struct Told<'a> {
    pub operation: &'a Operation,
    pub event_id: &'a str,
    pub region: &'a str,
    pub error: Option<&'a Error>,
    /// The beginning of its message.
    pub message: Option<&'a str>,
    /// JSON.
    pub request: Option<&'a str>,
    /// JSON.
    pub response: Option<&'a str>,
    pub read_only: bool,
}

/// The record, as text.
pub fn event(cx: &Cx, told: &Told<'_>) -> String {
    let model = told.operation.model;
    let by = invoked_by(cx);
    let ec2 = model.protocol == Protocol::Ec2;
    let code = |error: &Error| match (ec2, error.status) {
        (true, ..500) => format!("Client.{}", error.code),
        (true, _) => format!("Server.{}", error.code),
        (false, _) => error.code.to_string(),
    };
    let ip = cx.source_ip().map(|ip| ip.to_string());
    let inside = by.unwrap_or("AWS Internal");
    let front = Front {
        event_version: VERSION,
        user_identity: identity(cx.caller(), by),
        event_time: cx.now().iso8601(),
        event_source: format!("{}.amazonaws.com", model.endpoint_prefix),
        event_name: told.operation.name,
        aws_region: told.region,
        source_ip_address: match by {
            Some(service) => service.to_owned(),
            None => ip.unwrap_or_else(|| inside.to_owned()),
        },
        user_agent: by.or(cx.user_agent()).unwrap_or(inside),
        error_code: told.error.map(code),
        error_message: told.message,
    };
    let back = Back {
        request_id: cx.request_id(),
        event_id: told.event_id,
        read_only: told.read_only,
        event_type: "AwsApiCall",
        // The records of EC2 and of query services say it.
        api_version: if matches!(model.protocol, Protocol::Ec2 | Protocol::Query) { model.api_version } else { "" },
        management_event: true,
        recipient_account_id: cx.account(),
        event_category: "Management",
    };
    // Request and response are JSON already.
    let front = json_of(&front);
    let back = json_of(&back);
    let (request, response) = (told.request.unwrap_or("null"), told.response.unwrap_or("null"));
    let front = front.strip_suffix('}').unwrap_or(&front);
    let back = back.strip_prefix('{').unwrap_or(&back);
    format!("{front},\"requestParameters\":{request},\"responseElements\":{response},{back}")
}

fn json_of(part: &impl Serialize) -> String {
    serde_json::to_string(part).expect("texts and booleans always have a JSON form")
}

/// The service through which a call came, if it did not come from its caller.
pub fn invoked_by(cx: &Cx) -> Option<&str> {
    match &cx.caller().kind {
        CallerKind::Service { name } => Some(name),
        _ => cx.via_service().or(cx.acting_service()),
    }
}

fn identity(caller: &Caller, by: Option<&str>) -> Json {
    let mut told = match &caller.kind {
        // A service by itself is nobody of the account.
        CallerKind::Service { name } => return json!({"type": "AWSService", "invokedBy": name}),
        CallerKind::Root => json!({"type": "Root"}),
        CallerKind::User { name } => json!({"type": "IAMUser", "userName": name}),
        CallerKind::Role { role_name, source_identity, .. } => {
            let (partition, account) = (caller.arn.split(':').nth(1).unwrap_or("aws"), &caller.account);
            let issuer = json!({
                "type": "Role",
                "principalId": caller.user_id.split(':').next(),
                "arn": format!("arn:{partition}:iam::{account}:role/{role_name}"),
                "accountId": account,
                "userName": role_name,
            });
            let mut context = json!({"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}});
            if let Some(who) = source_identity {
                context["sourceIdentity"] = json!(who);
            }
            json!({"type": "AssumedRole", "sessionContext": context})
        }
    };
    told["principalId"] = json!(caller.user_id);
    told["arn"] = json!(caller.arn);
    told["accountId"] = json!(caller.account);
    if !caller.access_key.is_empty() {
        told["accessKeyId"] = json!(caller.access_key);
    }
    if !matches!(caller.kind, CallerKind::Role { .. }) && caller.access_key.starts_with("ASIA") {
        told["sessionContext"] = json!({"attributes": {"mfaAuthenticated": "false"}});
    }
    if let Some(by) = by {
        told["invokedBy"] = json!(by);
    }
    told
}
