//! Requests signed by botocore must verify; changed in any part they must not.

mod refused;
mod vectors;

use http::{HeaderMap, HeaderName, HeaderValue};
use time::OffsetDateTime;

use crate::{Body, Claim, RequestParts, SigError, Verifier, parse, parse_amz_date};

/// A request that owns its parts, so that tests can change them.
#[derive(Debug, Clone)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn parts(&self) -> RequestParts<'_> {
        RequestParts {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            authority: None,
            body: Body::Bytes(&self.body),
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("test header name");
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("test value"));
    }

    fn check(&self, secret: &str, now: OffsetDateTime) -> Result<Claim, SigError> {
        let claim = parse(&self.parts())?;
        Verifier::new().verify(&claim, &self.parts(), secret, now)?;
        Ok(claim)
    }
}

fn at(text: &str) -> OffsetDateTime {
    parse_amz_date(text).expect("test date")
}
