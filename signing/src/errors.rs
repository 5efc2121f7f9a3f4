//! Why a request's signature was refused, and what each family of services answers for it.
//!
//! One reason has different codes, statuses and words at different AWS services: a wrong secret
//! is `SignatureDoesNotMatch` at IAM, `InvalidSignatureException` at SSM and `AuthFailure` at EC2.
//! Clients match on these, so the table is kept here once. A service with words of its own, as S3 is, makes
//! them of [`SigError`] itself.

use thiserror::Error;
use time::OffsetDateTime;

use crate::date::format_amz_date;

/// Why a signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SigError {
    /// The request carries no signature at all.
    #[error("request carries no signature")]
    MissingAuthenticationToken,
    /// The signature's form is wrong; the text says what is missing or malformed.
    #[error("signature is malformed: {0}")]
    IncompleteSignature(String),
    /// Signed, or said to be, in a way that is not Version 4: the `Authorization` header's first word.
    #[error("unsupported algorithm {0}")]
    UnsupportedAlgorithm(String),
    /// The presigned URL's parameters are wrong; the text says which.
    #[error("presigned query is malformed: {0}")]
    BadQueryParameters(String),
    /// Nobody has this access key, it is inactive, or its session token is wrong. Never found by
    /// this crate, but by the caller, who looks keys up.
    #[error("access key is unknown")]
    InvalidClientTokenId,
    /// The session token was right once. Found by the caller.
    #[error("session token has expired")]
    ExpiredToken,
    /// The signature is not what this request and this secret give.
    #[error("signature does not match")]
    SignatureDoesNotMatch,
    /// The signature is for another region, service, day or terminator; the text says which.
    #[error("credential scope is wrong: {0}")]
    WrongScope(String),
    /// A header that must be signed is not among the signed ones.
    #[error("header {0} is not signed")]
    UnsignedHeader(String),
    /// The digest in `x-amz-content-sha256` is not the body's.
    #[error("body differs from its signed digest")]
    BodyMismatch,
    /// A body that is not read yet has neither a digest nor a marker in the head, as S3 wants it.
    #[error("x-amz-content-sha256 is missing")]
    MissingPayloadDigest,
    /// The payload marker is one this service does not take.
    #[error("payload marker {0} is not accepted")]
    PayloadMarker(String),
    /// The request was signed too long ago.
    #[error("signature expired")]
    Expired {
        /// When it was signed.
        signed: OffsetDateTime,
        /// The time here.
        now: OffsetDateTime,
        /// For how many seconds it was good.
        seconds: i64,
        /// Whether it was a presigned URL.
        presigned: bool,
    },
    /// The request was signed too far in the future.
    #[error("signature not yet current")]
    NotYetCurrent {
        /// When it says it was signed.
        signed: OffsetDateTime,
        /// The time here.
        now: OffsetDateTime,
        /// How many seconds ahead are allowed.
        seconds: i64,
    },
}

/// A group of services that word their authentication errors alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The query protocol: IAM, STS, CloudFormation, Auto Scaling, ELB.
    Query,
    /// EC2.
    Ec2,
    /// JSON 1.0 and 1.1: SSM, CloudWatch Logs, DynamoDB.
    Json,
    /// REST-JSON: Lambda, EKS. Json's codes with Query's statuses.
    RestJson,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// AWS's error code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
}

const BAD_TOKEN: &str = "The security token included in the request is invalid.";
const OLD_TOKEN: &str = "The security token included in the request is expired";
const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";
const EC2_FAILURE: &str = "AWS was not able to validate the provided access credentials";

impl SigError {
    /// The code, status and message that a service of this family answers.
    pub fn answer(&self, family: Family) -> Answer {
        let (code, status) = self.code_and_status(family);
        Answer { code, status, message: self.message(family) }
    }

    fn code_and_status(&self, family: Family) -> (&'static str, u16) {
        use Family::{Ec2, Json, Query, RestJson};
        // JSON 1.x services answer every client error with 400.
        let json_status = if family == Json { 400 } else { 403 };
        match (self, family) {
            (Self::MissingAuthenticationToken, Query | Ec2) => ("MissingAuthenticationToken", 403),
            (Self::MissingAuthenticationToken, Json | RestJson) => ("MissingAuthenticationTokenException", json_status),
            (
                Self::IncompleteSignature(_) | Self::UnsupportedAlgorithm(_) | Self::BadQueryParameters(_),
                Query | Ec2,
            ) => ("IncompleteSignature", 400),
            (
                Self::IncompleteSignature(_) | Self::UnsupportedAlgorithm(_) | Self::BadQueryParameters(_),
                Json | RestJson,
            ) => ("IncompleteSignatureException", json_status),
            (Self::InvalidClientTokenId, Query) => ("InvalidClientTokenId", 403),
            (Self::InvalidClientTokenId, Json | RestJson) => ("UnrecognizedClientException", json_status),
            (Self::ExpiredToken, Query) => ("ExpiredToken", 403),
            (Self::ExpiredToken, Json | RestJson) => ("ExpiredTokenException", json_status),
            (Self::ExpiredToken | Self::Expired { .. } | Self::NotYetCurrent { .. }, Ec2) => ("RequestExpired", 400),
            (_, Ec2) => ("AuthFailure", 401),
            (_, Query) => ("SignatureDoesNotMatch", 403),
            (_, Json | RestJson) => ("InvalidSignatureException", json_status),
        }
    }

    fn message(&self, family: Family) -> String {
        use Family::{Ec2, Query};
        match self {
            Self::MissingAuthenticationToken => match family {
                Query | Ec2 => "Request is missing Authentication Token",
                Family::Json | Family::RestJson => "Missing Authentication Token",
            }
            .into(),
            Self::InvalidClientTokenId | Self::SignatureDoesNotMatch if family == Ec2 => EC2_FAILURE.into(),
            Self::IncompleteSignature(text) | Self::BadQueryParameters(text) | Self::WrongScope(text) => text.clone(),
            Self::InvalidClientTokenId => BAD_TOKEN.into(),
            Self::ExpiredToken if family == Ec2 => "Request has expired.".into(),
            Self::ExpiredToken => OLD_TOKEN.into(),
            Self::SignatureDoesNotMatch | Self::BodyMismatch => MISMATCH.into(),
            Self::UnsignedHeader(name) if name == "host" => {
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into()
            }
            Self::UnsignedHeader(name) => {
                format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")
            }
            Self::UnsupportedAlgorithm(word) => {
                format!("Unsupported AWS 'algorithm': '{word}'. Kiln verifies AWS4-HMAC-SHA256 only.")
            }
            Self::MissingPayloadDigest => "Missing required header for this request: x-amz-content-sha256".into(),
            Self::PayloadMarker(marker) => format!(
                "x-amz-content-sha256 must be the SHA-256 of the body for this service; \
                 '{marker}' is not accepted"
            ),
            Self::Expired { .. } if family == Ec2 => "Request has expired.".into(),
            Self::Expired { signed, now, seconds, .. } => format!(
                "Signature expired: {} is now earlier than {} ({} - {})",
                format_amz_date(*signed),
                format_amz_date(*now - time::Duration::seconds(*seconds)),
                format_amz_date(*now),
                span(*seconds)
            ),
            Self::NotYetCurrent { signed, now, seconds } => format!(
                "Signature not yet current: {} is still later than {} ({} + {})",
                format_amz_date(*signed),
                format_amz_date(*now + time::Duration::seconds(*seconds)),
                format_amz_date(*now),
                span(*seconds)
            ),
        }
    }
}

fn span(seconds: i64) -> String {
    if seconds % 60 == 0 { format!("{} min.", seconds / 60) } else { format!("{seconds} sec.") }
}
