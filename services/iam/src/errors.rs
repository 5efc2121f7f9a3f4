//! Iam's errors and their wording. Source: AWS IAM API Reference, "Common Errors" and each
//! operation's errors.

use kiln_service_kit::Error;

/// The named thing is not there.
pub fn no_such(what: &str, name: &str) -> Error {
    Error::sender("NoSuchEntity", format!("The {what} with name {name} cannot be found.")).with_status(404)
}

/// The name is taken.
pub fn exists(what: &str, name: &str) -> Error {
    Error::sender("EntityAlreadyExists", format!("{what} with name {name} already exists.")).with_status(409)
}

/// Something that belongs to it must go first.
pub fn in_use(why: &str) -> Error {
    Error::sender("DeleteConflict", format!("Cannot delete entity, must {why} first.")).with_status(409)
}

/// A quota.
pub fn limit(text: impl Into<String>) -> Error {
    Error::sender("LimitExceeded", text).with_status(409)
}

/// A document that is no policy, in AWS's words; where exactly the mistake is, is for the log.
pub fn malformed(error: &kiln_policy::MalformedPolicy) -> Error {
    tracing::debug!(target: "kiln::access", %error, "refused a policy document");
    Error::sender("MalformedPolicyDocument", error.message.clone())
}

/// A marker that this service did not give out.
pub fn bad_marker() -> Error {
    Error::sender("ValidationError", "Invalid Marker.")
}

/// A request that cannot be right whatever there is.
pub fn invalid_input(text: impl Into<String>) -> Error {
    Error::sender("InvalidInput", text)
}

/// A managed policy that is not there.
pub fn no_such_policy(arn: &str) -> Error {
    missing(format!("Policy {arn} was not found."))
}

/// A managed policy that cannot be attached, since it is not there.
pub fn not_attachable(arn: &str) -> Error {
    missing(format!("Policy {arn} does not exist or is not attachable."))
}

/// Something that is not there, in words of its own.
pub fn missing(text: impl Into<String>) -> Error {
    Error::sender("NoSuchEntity", text).with_status(404)
}
