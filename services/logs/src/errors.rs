//! Refusals in AWS's codes and words. Source: CloudWatch Logs API Reference.

use kiln_service_kit::Error;

pub fn invalid(text: impl Into<String>) -> Error {
    Error::sender("InvalidParameterException", text)
}

pub fn not_there(what: &str) -> Error {
    Error::sender("ResourceNotFoundException", format!("The specified {what} does not exist."))
}

pub fn already_there(what: &str) -> Error {
    Error::sender("ResourceAlreadyExistsException", format!("The specified {what} already exists"))
}

pub fn over_limit() -> Error {
    Error::sender("LimitExceededException", "Resource limit exceeded.")
}

pub fn bad_token() -> Error {
    invalid("The specified nextToken is invalid.")
}
