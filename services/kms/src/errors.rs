//! What callers read when something is refused. Source: AWS KMS API Reference, the errors of each operation; where it
//! has no words, those that KMS is known to answer with.

use kiln_service_kit::{Cx, Error};

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationException", message)
}

/// As a violated constraint of the model reads.
pub fn constraint(value: impl std::fmt::Display, member: &str, constraint: &str) -> Error {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

pub fn not_found(message: impl Into<String>) -> Error {
    Error::sender("NotFoundException", message)
}

pub fn no_key(arn: &str) -> Error {
    not_found(format!("Key '{arn}' does not exist"))
}

pub fn no_alias(arn: &str) -> Error {
    not_found(format!("Alias {arn} is not found."))
}

pub fn bad_key_id(given: &str) -> Error {
    not_found(format!("Invalid keyId '{given}'"))
}

pub fn disabled(arn: &str) -> Error {
    Error::sender("DisabledException", format!("{arn} is disabled."))
}

pub fn pending_deletion(arn: &str) -> Error {
    Error::sender("KMSInvalidStateException", format!("{arn} is pending deletion."))
}

pub fn not_pending_deletion(arn: &str) -> Error {
    Error::sender("KMSInvalidStateException", format!("{arn} is not pending deletion."))
}

/// Without words, as KMS has it: what is wrong with a ciphertext is nobody's business.
pub fn bad_ciphertext() -> Error {
    Error::sender("InvalidCiphertextException", "")
}

/// What a ciphertext names is not here, or not the caller's: both read the same.
pub fn no_key_of_ciphertext() -> Error {
    Error::sender(
        "AccessDeniedException",
        "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are \
         not allowed to access.",
    )
}

pub fn incorrect_key() -> Error {
    Error::sender(
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
}

pub fn limit(message: impl Into<String>) -> Error {
    Error::sender("LimitExceededException", message)
}

pub fn malformed_policy(message: impl Into<String>) -> Error {
    Error::sender("MalformedPolicyDocumentException", message)
}

pub fn bad_tag(message: impl Into<String>) -> Error {
    Error::sender("TagException", message)
}

pub fn bad_marker() -> Error {
    Error::sender("InvalidMarkerException", "Could not deserialize token")
}

pub fn bad_grant_token() -> Error {
    Error::sender("InvalidGrantTokenException", "Invalid grant token")
}

pub fn bad_arn(message: impl Into<String>) -> Error {
    Error::sender("InvalidArnException", message)
}

/// A key of another account or of AWS's, and an operation that is for its owner alone.
pub fn not_allowed(cx: &Cx, action: &str, arn: &str) -> Error {
    let who = &cx.caller().arn;
    let text = format!(
        "User: {who} is not authorized to perform: {action} on resource: {arn} because the resource does not exist in \
         this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    );
    Error::sender("AccessDeniedException", text)
}
