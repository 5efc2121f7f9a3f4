//! What callers read when something is refused.

use kiln_service_kit::Error;

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationException", message)
}

pub fn no_group(name: &str) -> Error {
    Error::sender("ResourceNotFoundException", format!("Schedule group {name} does not exist.")).with_status(404)
}

pub fn no_schedule(name: &str) -> Error {
    Error::sender("ResourceNotFoundException", format!("Schedule {name} does not exist.")).with_status(404)
}

pub fn conflict(message: impl Into<String>) -> Error {
    Error::sender("ConflictException", message).with_status(409)
}

pub fn over_quota(message: impl Into<String>) -> Error {
    Error::sender("ServiceQuotaExceededException", message).with_status(402)
}

pub fn bad_token() -> Error {
    validation("Invalid NextToken.")
}
