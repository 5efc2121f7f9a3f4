//! Which operation of which service a request means, and in which protocol.
//!
//! JSON services say it in `X-Amz-Target`; query and ec2 services by `Action` in form or query
//! string, with the service in the signature's credential scope, else in the host name, else by
//! the `Version` that only one service has.

use http::request::Parts;
use kiln_protocol::{Error, Protocol, ServiceModel};
use kiln_service_kit::{Platform, one_line};

/// A call that has a name.
pub struct Call<'p> {
    pub model: &'p ServiceModel,
    pub operation: String,
    pub protocol: Protocol,
    /// The API version that a query or ec2 request asks for.
    pub version: Option<String>,
}

impl Call<'_> {
    /// The version asked for, where the service does not have it. EC2 takes any, as old clients of it
    /// ask for old ones and use what has not changed since.
    pub fn other_version(&self) -> Option<&str> {
        let version = self.version.as_deref().filter(|version| *version != self.model.api_version)?;
        (self.protocol == Protocol::Query).then_some(version)
    }
}

/// A request that could not be named, and the protocol to say so in.
pub struct Refusal {
    pub protocol: Protocol,
    pub error: Error,
}

/// Services whose answers are XML though their requests are no forms; told by the signature's scope.
const REST_XML: [&str; 3] = ["s3", "route53", "cloudfront"];

/// The protocol a request seems to speak, before its service is known.
pub fn protocol_guess(head: &Parts) -> Protocol {
    let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let content_type = header("content-type");
    if header("smithy-protocol") == "rpc-v2-cbor" {
        return Protocol::Cbor;
    }
    if head.headers.contains_key("x-amz-target") || content_type.starts_with("application/x-amz-json-1.1") {
        return if content_type.starts_with("application/x-amz-json-1.0") {
            Protocol::Json10
        } else {
            Protocol::Json11
        };
    }
    if content_type.starts_with("application/json") {
        return Protocol::RestJson;
    }
    match scope_service(head).as_deref() {
        Some("ec2") => Protocol::Ec2,
        Some(service) if REST_XML.contains(&service) => Protocol::RestXml,
        // A REST service says what it wants by its path.
        Some(_) if head.uri.path() != "/" => Protocol::RestJson,
        _ => Protocol::Query,
    }
}

/// Names the call.
pub fn name<'p>(platform: &'p Platform, head: &Parts, body: &[u8], host: &str) -> Result<Call<'p>, Refusal> {
    let protocol = protocol_guess(head);
    let refuse = |error| Err(Refusal { protocol, error });
    if let Some(target) = head.headers.get("x-amz-target") {
        let target = target.to_str().unwrap_or("");
        let Some((prefix, operation)) = target.rsplit_once('.') else {
            return refuse(Error::sender("UnknownOperationException", "The X-Amz-Target header names no operation."));
        };
        return match platform.services().iter().find(|s| s.model.target_prefix == prefix) {
            Some(service) => Ok(Call { model: service.model, operation: named(operation), protocol, version: None }),
            None => {
                let service = scope_service(head).unwrap_or_else(|| format!("the service {}", named(prefix)));
                refuse(Error::not_built(format!("{service}:{}", named(operation))))
            }
        };
    }
    let scope = scope_service(head);
    let (action, version) = action(head, body);
    let found = platform.services().iter().map(|s| s.model).find(|model| match (&scope, host_service(host)) {
        (Some(service), _) => model.signing_name == service && same_api(model, &version),
        (None, Some(label)) => model.endpoint_prefix == label && same_api(model, &version),
        (None, None) => version.as_deref() == Some(model.api_version),
    });
    let Some(model) = found else {
        let which = scope.or_else(|| host_service(host).map(str::to_owned));
        return match which {
            Some(service) => refuse(Error::not_built(match action {
                Some(action) => format!("{service}:{action}"),
                None => format!("the service {service} ({} {})", head.method, head.uri.path()),
            })),
            None => refuse(Error::sender(
                "MissingAction",
                "The request names no service: it has neither a signature, nor an X-Amz-Target, nor an Action with a Version.",
            )),
        };
    };
    let protocol = model.protocol;
    match action {
        Some(operation) => Ok(Call { model, operation, protocol, version }),
        None => Err(Refusal {
            protocol,
            error: Error::sender("MissingAction", "The request must contain the parameter Action."),
        }),
    }
}

/// Two APIs can share a signing name (elasticloadbalancing); the version tells them apart.
fn same_api(model: &ServiceModel, version: &Option<String>) -> bool {
    model.signing_name != "elasticloadbalancing" || version.as_deref().is_none_or(|v| v == model.api_version)
}

/// A name that a caller gives, of a length that any of AWS's has: it goes into answers and logs before anybody
/// knows who asks.
fn named(text: &str) -> String {
    const LONGEST: usize = 128;
    one_line(text, LONGEST).into_owned()
}

/// The service in the credential scope, header or presigned.
pub(crate) fn scope_service(head: &Parts) -> Option<String> {
    let credential = match head.headers.get("authorization") {
        Some(value) => {
            let text = value.to_str().ok()?;
            let rest = text.split("Credential=").nth(1)?;
            rest.split([',', ' ']).next()?.to_owned()
        }
        None => form_urlencoded::parse(head.uri.query()?.as_bytes())
            .find(|(k, _)| k == "X-Amz-Credential")
            .map(|(_, v)| v.into_owned())?,
    };
    let mut parts = credential.rsplit('/');
    (parts.next() == Some("aws4_request")).then(|| parts.next().map(named)).flatten()
}

/// `ec2` of `ec2.us-east-1.localhost` or `iam.localhost`; none for a bare host or address.
fn host_service(host: &str) -> Option<&str> {
    let (label, rest) = host.split_once('.')?;
    let named = rest.ends_with("localhost") || rest.ends_with("amazonaws.com") || rest.ends_with("amazonaws.com.cn");
    (named && !label.is_empty() && !label.bytes().all(|b| b.is_ascii_digit())).then_some(label)
}

fn action(head: &Parts, body: &[u8]) -> (Option<String>, Option<String>) {
    let (mut action, mut version) = (None, None);
    let query = head.uri.query().unwrap_or("").as_bytes();
    // Action and Version lead in what clients send; the bound keeps a huge form from being read twice.
    for source in [query, body] {
        for (key, value) in form_urlencoded::parse(source).take(10_000) {
            match &*key {
                "Action" => action = Some(named(&value)),
                "Version" => version = Some(named(&value)),
                _ => continue,
            }
            if action.is_some() && version.is_some() {
                return (action, version);
            }
        }
    }
    (action, version)
}
