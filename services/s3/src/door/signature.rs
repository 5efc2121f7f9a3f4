//! What S3 answers to a signature that it refuses: codes, statuses and words that no other service has.

use crate::errors::access_denied;
use kiln_service_kit::Error;
use kiln_signing::SigError;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
    key and signing method.";
const MARKERS: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
const SKEWED: &str = "The difference between the request time and the current time is too large.";
const OTHER_VERSION: &str =
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";

fn error(status: u16, code: &'static str, message: impl Into<String>) -> Error {
    Error::sender(code, message).with_status(status)
}

/// A URL whose time is over.
pub fn url_expired() -> Error {
    error(403, "AccessDenied", "Request has expired")
}

/// Why a signature is refused, in S3's words.
pub fn refused(why: &SigError) -> Error {
    match why {
        SigError::MissingAuthenticationToken => access_denied(),
        SigError::UnsignedHeader(_) => {
            error(403, "AccessDenied", "There were headers present in the request which were not signed")
        }
        SigError::IncompleteSignature(text) | SigError::WrongScope(text) => {
            error(400, "AuthorizationHeaderMalformed", format!("The authorization header is malformed; {text}"))
        }
        SigError::BadQueryParameters(text) => error(400, "AuthorizationQueryParametersError", text),
        SigError::UnsupportedAlgorithm(word) if word.starts_with("AWS") => error(400, "InvalidRequest", OTHER_VERSION),
        // What stands behind the word may be a password.
        SigError::UnsupportedAlgorithm(_) => {
            error(400, "InvalidArgument", "Unsupported Authorization Type").with("ArgumentName", "Authorization")
        }
        SigError::MissingPayloadDigest => {
            error(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        }
        SigError::PayloadMarker(marker) => error(400, "InvalidArgument", MARKERS)
            .with("ArgumentName", "x-amz-content-sha256")
            .with("ArgumentValue", marker),
        SigError::InvalidClientTokenId => {
            error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        SigError::ExpiredToken => error(400, "ExpiredToken", "The provided token has expired."),
        SigError::Expired { presigned: true, .. } => url_expired(),
        SigError::Expired { .. } | SigError::NotYetCurrent { .. } => error(403, "RequestTimeTooSkewed", SKEWED),
        SigError::BodyMismatch => error(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        SigError::SignatureDoesNotMatch => error(403, "SignatureDoesNotMatch", MISMATCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_has_its_own_codes() {
        for (why, code, status) in [
            (SigError::MissingAuthenticationToken, "AccessDenied", 403),
            (SigError::InvalidClientTokenId, "InvalidAccessKeyId", 403),
            (SigError::SignatureDoesNotMatch, "SignatureDoesNotMatch", 403),
            (SigError::IncompleteSignature("x".into()), "AuthorizationHeaderMalformed", 400),
            (SigError::BadQueryParameters("x".into()), "AuthorizationQueryParametersError", 400),
            (SigError::BodyMismatch, "XAmzContentSHA256Mismatch", 400),
            (SigError::MissingPayloadDigest, "InvalidRequest", 400),
            (SigError::PayloadMarker("x".into()), "InvalidArgument", 400),
            (SigError::UnsupportedAlgorithm("AWS".into()), "InvalidRequest", 400),
            (SigError::UnsupportedAlgorithm("Basic".into()), "InvalidArgument", 400),
        ] {
            let error = refused(&why);
            assert_eq!((&*error.code, error.status), (code, status), "{why:?}");
        }
    }
}
