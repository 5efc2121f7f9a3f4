//! What a page of another origin is answered through its browser, by the rules of the bucket ([`crate::cors`]). A preflight
//! is asked without a signature, so that it tells no more than whether the rules let the request through.

use crate::cors::{self, Preflight};
use crate::errors;
use crate::records::{Bucket, all_buckets};
use http::request::Parts;
use kiln_service_kit::{CrossOrigin as Headers, Error, Platform};

fn header<'h>(head: &'h Parts, name: &str) -> Option<&'h str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn bucket_in(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split('/').next().filter(|bucket| !bucket.is_empty())
}

/// The answer to a preflight, where a request is one.
pub fn preflight(platform: &Platform, head: &Parts, path: &str) -> Option<Result<Headers, Error>> {
    (head.method == http::Method::OPTIONS).then(|| asked(platform, head, path))
}

fn asked(platform: &Platform, head: &Parts, path: &str) -> Result<Headers, Error> {
    let Some(origin) = header(head, "origin") else {
        return Err(errors::bad_preflight("Insufficient information. Origin request header needed."));
    };
    let method = header(head, "access-control-request-method");
    let Some(method) = method.filter(|method| ["GET", "PUT", "POST", "DELETE", "HEAD"].contains(method)) else {
        let text = format!("Invalid Access-Control-Request-Method: {}", method.unwrap_or("null"));
        return Err(errors::bad_preflight(&text));
    };
    // A bucket that is not there lets nothing through, as one without rules: nobody has signed this.
    let bucket = match bucket_in(path) {
        Some(bucket) => platform.store().get::<Bucket>(&all_buckets(), bucket)?,
        None => None,
    };
    let Some(bucket) = bucket.filter(|bucket| !bucket.cors.is_empty()) else {
        return Err(errors::cors_refused("CORSResponse: CORS is not enabled for this bucket.", method));
    };
    let asked = Preflight { origin, method, headers: header(head, "access-control-request-headers") };
    cors::preflight(&bucket.cors, &asked).ok_or_else(|| {
        let text = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
        errors::cors_refused(text, method)
    })
}

/// The headers by which a browser lets a page read the answer to its request.
pub fn cross_origin(platform: &Platform, head: &Parts, path: &str) -> Headers {
    let (Some(origin), Some(bucket)) = (header(head, "origin"), bucket_in(path)) else { return vec![] };
    match platform.store().get::<Bucket>(&all_buckets(), bucket) {
        Ok(Some(bucket)) => cors::allowed(&bucket.cors, origin, head.method.as_str()),
        // A bucket that does not read lets nobody read it; the call itself says so.
        Ok(None) | Err(_) => vec![],
    }
}
