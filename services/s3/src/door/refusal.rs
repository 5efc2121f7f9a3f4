//! Refusals that no operation makes: there is none for what is asked.

use http::request::Parts;
use kiln_protocol::{Error, Route};

/// What no route is for.
pub fn no_route(routes: &[Route], head: &Parts, path: &str) -> Error {
    match head.method.as_str() {
        // A form that a browser sends; its signature stands in the body.
        "POST" if path.len() > 1 && !path[1..].contains('/') => Error::not_built("s3:PostObject"),
        "OPTIONS" => preflight(path, |name| head.headers.contains_key(name)),
        method => not_allowed(routes, method, path, what(path)),
    }
}

/// No bucket has a website.
pub fn no_website(bucket: &str) -> Error {
    let text = "The specified bucket does not have a website configuration";
    Error::sender("NoSuchWebsiteConfiguration", text).with_status(404).with("BucketName", bucket)
}

/// What a browser asks before it lets a page ask: no bucket has rules for that.
fn preflight(path: &str, has_header: impl Fn(&str) -> bool) -> Error {
    for (name, shown) in [("origin", "Origin"), ("access-control-request-method", "Access-Control-Request-Method")] {
        if !has_header(name) {
            return Error::sender("BadRequest", format!("Insufficient information. {shown} request header needed."));
        }
    }
    let text = "CORSResponse: CORS is not enabled for this bucket.";
    Error::sender("AccessForbidden", text).with_status(403).with("Method", "OPTIONS").with("ResourceType", what(path))
}

fn what(path: &str) -> &'static str {
    match path.trim_matches('/').split_once('/') {
        Some(_) => "OBJECT",
        None if path.len() > 1 => "BUCKET",
        None => "SERVICE",
    }
}

/// `what` is the kind of thing, or its part that was asked for. HTTP wants the methods named that are allowed.
pub fn not_allowed(routes: &[Route], method: &str, path: &str, what: &str) -> Error {
    let mut allowed: Vec<&str> = ["DELETE", "GET", "HEAD", "POST", "PUT"].to_vec();
    allowed.retain(|method| {
        let mut of_it = routes.iter().filter(|route| route.method == *method && route.headers.is_empty());
        of_it.any(|route| {
            route.query.is_empty() && !route.uri.contains('?') && kiln_protocol::rest::labels(route.uri, path).is_some()
        })
    });
    let text = "The specified method is not allowed against this resource.";
    let error = Error::sender("MethodNotAllowed", text).with_status(405).with("Method", method);
    error.with("ResourceType", what.to_uppercase()).with("Allow", allowed.join(", "))
}

/// S3 is older than the codes that the other services have for input of a wrong form.
pub fn in_s3s_words(error: Error, has_document: bool) -> Error {
    let code = match &*error.code {
        "SerializationException" => "InvalidArgument",
        "ValidationException" if has_document => "MalformedXML",
        "ValidationException" => "InvalidArgument",
        _ => return error,
    };
    let message = match code {
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        _ => return Error { code: code.into(), ..error },
    };
    Error { code: code.into(), message: message.to_owned(), ..error }
}

/// An error with what only the head knows of it: the method that was not allowed, and whether a signature
/// stood in a header or in the query.
pub fn completed(error: Error, head: &Parts) -> Error {
    let has = |name: &str| error.fields.iter().any(|(field, _)| *field == name);
    match error.status {
        405 if !has("Method") => error.with("Method", head.method.as_str()),
        400 if error.is("AuthorizationHeaderMalformed") && !head.headers.contains_key("authorization") => {
            let text = error.message.replacen(
                "The authorization header is malformed;",
                "Error parsing the X-Amz-Credential parameter;",
                1,
            );
            Error { code: "AuthorizationQueryParametersError".into(), message: text, ..error }
        }
        _ => error,
    }
}
