//! Policy documents at the edge: parsed strictly on the way in, URL-encoded on the way out.

use crate::errors;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// A trust policy, without white space. Source: AWS IAM User Guide, "IAM and AWS STS quotas".
const TRUST_SIZE: usize = 2_048;

/// Refuses what is no policy of that kind.
pub fn check(text: &str, kind: DocumentKind) -> Result<(), Error> {
    Document::parse(text, kind).map(|_| ()).map_err(|e| errors::malformed(&e))
}

/// Refuses what is no managed policy: those must be of the current version.
pub fn check_managed(text: &str) -> Result<(), Error> {
    Document::parse_managed(text).map(|_| ()).map_err(|e| errors::malformed(&e))
}

/// Refuses what is no trust policy, or too long a one.
pub fn check_trust(text: &str) -> Result<(), Error> {
    check(text, DocumentKind::Trust)?;
    match size(text) {
        0..=TRUST_SIZE => Ok(()),
        _ => Err(errors::limit(format!("Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}"))),
    }
}

/// The length that quotas are about: white space does not count.
pub fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// As iam's answers show a document.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
