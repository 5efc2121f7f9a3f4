//! Which operation of which service a request means, and in which protocol.
//!
//! JSON calls say it in `X-Amz-Target`, CBOR calls in their path (`/service/X/operation/Y`); query and ec2
//! calls by `Action` in form or query string, REST calls by method, path and query, both with the service in
//! the signature's credential scope, else in the host name, else by the `Version` that only one service has.
//! A service may speak several protocols: the call says which.

use crate::directory::{Directory, speaks_forms};
use http::Method;
use http::request::Parts;
use kiln_protocol::{Error, Labels, Protocol, REST_XML, ServiceModel};
use kiln_service_kit::one_line;
use std::borrow::Cow;

/// A call that has a name.
pub struct Call {
    pub model: &'static ServiceModel,
    pub operation: String,
    pub protocol: Protocol,
    /// The labels of a REST call's path.
    pub labels: Labels,
    /// The API version that a query or ec2 request asks for.
    pub version: Option<String>,
}

impl Call {
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

/// The protocol a request seems to speak, before its service is known.
pub fn protocol_guess(directory: &Directory, head: &Parts) -> Protocol {
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
    let scope = scope_service(head);
    let known = scope.as_deref().and_then(|scope| directory.by_signing_name(scope).first());
    match scope.as_deref() {
        _ if known.is_some_and(|model| matches!(model.protocol, Protocol::Ec2 | Protocol::RestXml)) => {
            known.map_or(Protocol::Query, |model| model.protocol)
        }
        Some(service) if REST_XML.contains(&service) => Protocol::RestXml,
        // A REST service says what it wants by its path.
        Some(_) if head.uri.path() != "/" => Protocol::RestJson,
        _ => Protocol::Query,
    }
}

/// Names the call.
pub fn name(directory: &Directory, head: &Parts, body: &[u8], host: &str) -> Result<Call, Refusal> {
    let protocol = protocol_guess(directory, head);
    if protocol == Protocol::Cbor {
        return name_cbor(directory, head);
    }
    if let Some(target) = head.headers.get("x-amz-target") {
        return name_json(directory, head, protocol, target.to_str().unwrap_or(""));
    }
    let refuse = |error| Err(Refusal { protocol, error });
    let scope = scope_service(head);
    let which = scope.as_deref().or(host_service(host));
    let (action, version) = action(head, body);
    // Two APIs can share a signing name; the version tells them apart.
    let forms = |models: &[&'static ServiceModel]| {
        let mut all = models.iter().copied().filter(|model| speaks_forms(model));
        let first = all.clone().next();
        all.find(|model| version.as_deref() == Some(model.api_version)).or(first)
    };
    let models = match (&scope, host_service(host)) {
        (Some(service), _) => directory.by_signing_name(service),
        (None, Some(label)) => directory.by_endpoint(label),
        (None, None) => version.as_deref().map_or(&[][..], |version| directory.by_version(version)),
    };
    let with_action = action.as_ref().and_then(|_| forms(models));
    if with_action.is_none()
        && let Some(rest) = models.iter().copied().find(|model| rest_protocol(model).is_some())
    {
        return name_rest(directory, head, rest);
    }
    let Some(model) = with_action.or_else(|| forms(models)).or_else(|| models.first().copied()) else {
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
    let form = model.protocols.iter().copied().find(|p| matches!(p, Protocol::Query | Protocol::Ec2));
    match (action, form) {
        (Some(operation), Some(protocol)) => Ok(Call { model, operation, protocol, labels: vec![], version }),
        // A service that takes no forms is asked by a form.
        (Some(operation), None) => {
            let error = unknown(format!("{} is no call of this service: it takes no Action.", named(&operation)));
            Err(Refusal { protocol: model.protocol, error })
        }
        (None, form) => Err(Refusal {
            protocol: form.unwrap_or(model.protocol),
            error: Error::sender("MissingAction", "The request must contain the parameter Action."),
        }),
    }
}

/// `X-Amz-Target: Prefix.Operation`.
fn name_json(directory: &Directory, head: &Parts, protocol: Protocol, target: &str) -> Result<Call, Refusal> {
    let refuse = |error| Err(Refusal { protocol, error });
    let Some((prefix, operation)) = target.rsplit_once('.') else {
        return refuse(Error::sender("UnknownOperationException", "The X-Amz-Target header names no operation."));
    };
    let operation = named(operation);
    match directory.by_target(prefix) {
        Some(model) if model.protocols.iter().any(|p| matches!(p, Protocol::Json10 | Protocol::Json11)) => {
            Ok(Call { model, operation, protocol, labels: vec![], version: None })
        }
        Some(model) => refuse(Error::not_built(format!("JSON for {}:{operation}", model.signing_name))),
        None => {
            let service = scope_service(head).unwrap_or_else(|| format!("the service {}", named(prefix)).into());
            refuse(Error::not_built(format!("{service}:{operation}")))
        }
    }
}

/// `POST …/service/X/operation/Y`, whatever stands before (Smithy RPC v2 CBOR: "Requests"). X is what JSON
/// calls name in their target.
fn name_cbor(directory: &Directory, head: &Parts) -> Result<Call, Refusal> {
    let protocol = Protocol::Cbor;
    let refuse = |error| Err(Refusal { protocol, error });
    let mut parts = head.uri.path().rsplit('/');
    let last = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(operation), Some("operation"), Some(service), Some("service")] = last else {
        let text = "The path names no operation: it is not /service/NAME/operation/NAME.";
        return refuse(unknown(text));
    };
    if head.method != Method::POST {
        return refuse(unknown(format!("{} is not a method of these calls: use POST.", head.method)));
    }
    let operation = named(operation);
    match directory.by_target(service) {
        Some(model) if model.protocols.contains(&protocol) => {
            Ok(Call { model, operation, protocol, labels: vec![], version: None })
        }
        Some(model) => refuse(unknown(format!("The service {} does not speak rpc-v2-cbor.", model.signing_name))),
        None => {
            let service = scope_service(head).unwrap_or_else(|| format!("the service {}", named(service)).into());
            refuse(Error::not_built(format!("{service}:{operation}")))
        }
    }
}

/// By the router of all REST services that sign as this one does.
fn name_rest(directory: &Directory, head: &Parts, model: &'static ServiceModel) -> Result<Call, Refusal> {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or(""));
    let router = directory.router(model.signing_name);
    let found = router.and_then(|r| r.find(head.method.as_str(), path, query, |name| head.headers.contains_key(name)));
    let named = found.and_then(|found| {
        let model = directory.by_name(found.service)?;
        let (operation, labels) = (found.route.operation.to_owned(), found.labels);
        Some(Call { model, operation, protocol: rest_protocol(model)?, labels, version: None })
    });
    named.ok_or_else(|| Refusal {
        protocol: rest_protocol(model).unwrap_or(model.protocol),
        error: unknown(format!(
            "{} {} is no operation of {}.",
            head.method,
            one_line(path, LONGEST_NAME),
            model.signing_name
        )),
    })
}

fn rest_protocol(model: &ServiceModel) -> Option<Protocol> {
    model.protocols.iter().copied().find(|p| matches!(p, Protocol::RestJson | Protocol::RestXml))
}

/// What a path that no operation has is told, in the REST protocols and in CBOR (Smithy: "the service MUST
/// respond with 404").
fn unknown(text: impl Into<String>) -> Error {
    Error::sender("UnknownOperationException", text).with_status(404)
}

/// A name that a caller gives, of a length that any of AWS's has: it goes into answers and logs before anybody
/// knows who asks.
fn named(text: &str) -> String {
    one_line(text, LONGEST_NAME).into_owned()
}

const LONGEST_NAME: usize = 128;

/// The service in the credential scope, header or presigned.
pub(crate) fn scope_service(head: &Parts) -> Option<Cow<'_, str>> {
    fn service(credential: &str) -> Option<&str> {
        let mut parts = credential.rsplit('/');
        parts.next().filter(|end| *end == "aws4_request").and_then(|_| parts.next())
    }
    match head.headers.get("authorization") {
        Some(value) => {
            let mut parts = value.to_str().ok()?.split(|c: char| c == ',' || c.is_ascii_whitespace());
            let credential = parts.find_map(|part| part.strip_prefix("Credential="))?;
            service(credential).map(|service| one_line(service, LONGEST_NAME))
        }
        None => {
            let mut query = form_urlencoded::parse(head.uri.query()?.as_bytes());
            let (_, credential) = query.find(|(name, _)| name == "X-Amz-Credential")?;
            service(&credential).map(|service| Cow::Owned(named(service)))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_service_kit::Service;

    const fn api(name: &'static str, api_version: &'static str) -> ServiceModel {
        ServiceModel { name, api_version, ..ServiceModel::named("things") }
    }

    #[test]
    fn of_two_apis_with_one_signing_name_the_version_tells_which() {
        static OLD: ServiceModel = api("things", "2012-06-01");
        static NEW: ServiceModel = api("thingsv2", "2015-12-01");
        let named = |services: &[Service], form: &str| {
            let directory = Directory::new(services).expect("no two are alike");
            let credential = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/things/aws4_request";
            let request = http::Request::builder().method("POST").uri("/").header("authorization", credential);
            let (head, ()) = request.body(()).expect("a good request").into_parts();
            let call = name(&directory, &head, form.as_bytes(), "localhost");
            call.map(|call| (call.model.name, call.operation)).map_err(|refusal| refusal.error.code.into_owned())
        };
        let both = [Service::new(&OLD, &[]), Service::new(&NEW, &[])];
        let asked = |name: &'static str| Ok((name, "Describe".to_owned()));
        assert_eq!(named(&both, "Action=Describe&Version=2015-12-01"), asked("thingsv2"));
        assert_eq!(named(&both, "Action=Describe&Version=2012-06-01"), asked("things"));
        assert_eq!(named(&both, "Action=Describe"), asked("things"), "the first");
        // One alone is meant in any case, and says itself that it has no such version.
        assert_eq!(named(&both[1..], "Action=Describe&Version=2012-06-01"), asked("thingsv2"));
    }
}
