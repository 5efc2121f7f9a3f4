//! What callers read when something is refused.

use kiln_service_kit::Error;

/// `Invalid parameter: …`
pub fn invalid(what: impl std::fmt::Display) -> Error {
    Error::sender("InvalidParameter", format!("Invalid parameter: {what}"))
}

pub fn no_topic() -> Error {
    Error::sender("NotFound", "Topic does not exist").with_status(404)
}

pub fn no_subscription() -> Error {
    Error::sender("NotFound", "Subscription does not exist").with_status(404)
}

/// Another account's thing that the call was not let in to.
pub fn closed() -> Error {
    Error::sender("AuthorizationError", "Not authorized to access this resource").with_status(403)
}

pub fn no_resource() -> Error {
    Error::sender("ResourceNotFound", "Resource does not exist").with_status(404)
}
