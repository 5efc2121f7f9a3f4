//! What of a request takes part in its signature. Everything is borrowed and raw, as it was on
//! the wire: a decoded path or query cannot be turned back into what the client signed.

use http::HeaderMap;
use sha2::{Digest, Sha256};

/// The parts of a request that a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The path as sent, still percent-encoded; empty means `/`.
    pub path: &'a str,
    /// The query string as sent, without the `?`; empty if there is none.
    pub query: &'a str,
    /// All headers as received.
    pub headers: &'a HeaderMap,
    /// HTTP/2's `:authority`, used as `host` if no `Host` header came along.
    pub authority: Option<&'a str>,
    /// The body, or what is known of it.
    pub body: Body<'a>,
}

/// The body of a request, as far as it is known when the signature is checked.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// The whole body.
    Bytes(&'a [u8]),
    /// The SHA-256 of the whole body, for a caller that hashed while reading.
    Sha256([u8; 32]),
    /// Not read yet (a large S3 upload). The digest the client signed is taken from its signed
    /// `x-amz-content-sha256`; the caller must compare it with the body once that is read.
    NotRead,
}

impl Body<'_> {
    /// The body's digest, if the body is known.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Body::Bytes(bytes) => Some(Sha256::digest(bytes).into()),
            Body::Sha256(digest) => Some(*digest),
            Body::NotRead => None,
        }
    }
}

impl<'a> RequestParts<'a> {
    /// The first value of a header, if it is visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}
