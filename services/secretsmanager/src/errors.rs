//! What callers read when something is refused. Source: AWS Secrets Manager API Reference, the errors of each operation;
//! where it has no words, those that the service is known to answer with.

use kiln_service_kit::Error;

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationException", message)
}

pub fn parameter(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterException", message)
}

pub fn request(message: impl Into<String>) -> Error {
    Error::sender("InvalidRequestException", message)
}

pub fn not_found() -> Error {
    Error::sender("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

pub fn no_value(which: &str) -> Error {
    let text = format!("Secrets Manager can't find the specified secret value for {which}");
    Error::sender("ResourceNotFoundException", text)
}

pub fn no_version() -> Error {
    Error::sender("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
}

pub fn exists(message: impl Into<String>) -> Error {
    Error::sender("ResourceExistsException", message)
}

pub fn limit(message: impl Into<String>) -> Error {
    Error::sender("LimitExceededException", message)
}

pub fn marked() -> Error {
    request("You can't perform this operation on the secret because it was marked for deletion.")
}

pub fn malformed_policy(message: impl Into<String>) -> Error {
    Error::sender("MalformedPolicyDocumentException", message)
}

pub fn public_policy() -> Error {
    Error::sender(
        "PublicPolicyException",
        "You can't set a resource policy that allows broad access to the secret while BlockPublicPolicy is on.",
    )
}

pub fn bad_token() -> Error {
    Error::sender("InvalidNextTokenException", "The next token isn't valid.")
}
