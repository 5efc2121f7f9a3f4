//! Which requests are S3's beside those signed for it: those to its host names, and of those that are signed in
//! another way or not at all, the ones that ask for a path, since all other services are asked at `/`. So
//! whoever forgot to sign, signs as clients once did, or sends a browser's form is told so by S3.

use super::address::{has_s3_host, website_of};
use http::Method;
use http::request::Parts;
use std::borrow::Cow;

/// What bodies of other services' calls at a path are, where no signature says whose they are. Forms are not
/// among them: they are sent to `/`, and are what curl says that it sends where nobody tells it better.
const OTHERS_BODIES: [&str; 3] = ["application/x-amz-", "application/json", "application/cbor"];

/// Whether a request that no signature calls another service's belongs here.
pub fn takes(head: &Parts, host: &str) -> bool {
    has_s3_host(host) || website_of(host).is_some() || is_of_version_2(head) || asks_for_a_path(head)
}

/// Version 2 of the signature as only S3 has it: in a URL that names an end, or `Authorization: AWS …`.
fn is_of_version_2(head: &Parts) -> bool {
    let has = |name: &str| query_of(head).any(|(key, _)| key == name);
    match head.headers.get("authorization") {
        Some(value) => value.as_bytes().starts_with(b"AWS "),
        None => has("AWSAccessKeyId") && has("Expires"),
    }
}

/// Neither signed for a service nor a call of one that takes JSON.
fn asks_for_a_path(head: &Parts) -> bool {
    let kind = head.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let of_others = OTHERS_BODIES.iter().any(|start| kind.starts_with(start));
    let named = query_of(head).any(|(key, _)| key == "Action");
    head.uri.path() != "/" && !named && !(head.method == Method::POST && of_others)
}

fn query_of(head: &Parts) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_a_path_is_told_from_forms_and_json() {
        let asks = |method: &str, uri: &str, kind: &str| {
            let request = http::Request::builder().method(method).uri(uri).header("content-type", kind);
            let (head, ()) = request.body(()).expect("a good request").into_parts();
            asks_for_a_path(&head)
        };
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"] {
            assert!(asks(method, "/docs/key", ""), "{method}");
            assert!(!asks(method, "/", ""), "{method}");
            assert!(!asks(method, "/docs?Action=ListUsers", ""), "{method}");
        }
        assert!(asks("POST", "/docs", "multipart/form-data; boundary=x"));
        assert!(asks("PUT", "/docs/key.json", "application/json"), "an object may be of any kind");
        assert!(asks("POST", "/docs?delete", "application/x-www-form-urlencoded"), "as curl has it");
        assert!(!asks("POST", "/", "application/x-www-form-urlencoded"));
        for kind in ["application/json", "application/x-amz-json-1.1"] {
            assert!(!asks("POST", "/v1/things", kind), "{kind}");
        }
    }
}
