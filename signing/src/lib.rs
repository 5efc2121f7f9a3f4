//! AWS Signature Version 4: sign and verify, for the `Authorization` header and for presigned
//! URLs. Pure: no I/O, and the time is an argument. Of Version 2 nothing is here: the one service that still
//! takes some of it, S3, reads that itself.
//!
//! Verification comes in two steps because the secret has to be looked up in between:
//!
//! ```text
//! request ── parse() ──> Claim ── caller finds the secret of claim.access_key_id ──> verify()
//!                          └── claim.expect_scope(service, region): is it meant for us?
//! ```
//!
//! The canonical request exists once (`canonical`) and both directions use it. Derived signing
//! keys are kept in a small bounded cache ([`Verifier`]), because four of the six HMACs of a
//! verification depend only on secret, day, region and service.
//!
//! Turned down: the `aws-sigv4` crate. It signs but does not verify, and brings a tree of
//! dependencies along for about 300 lines of work.

mod canonical;
mod chunks;
mod claim;
mod date;
mod errors;
mod keys;
mod parts;
mod sign;
mod verify;

#[cfg(test)]
mod tests;

pub use chunks::ChunkSignatures;
pub use claim::{Claim, Kind, Payload, parse};
pub use date::{format_amz_date, parse_amz_date};
pub use errors::{Answer, Family, SigError};
pub use parts::{Body, RequestParts};
pub use sign::{SignError, Signer};
pub use verify::{Verifier, verify};

/// The algorithm of Version 4.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whether a signing name is one of S3's, which has its own rules: the path is encoded once and
/// not normalized, and the payload may be unsigned or streamed.
pub(crate) fn is_s3(service: &str) -> bool {
    matches!(service, "s3" | "s3express" | "s3-outposts" | "s3-object-lambda")
}
