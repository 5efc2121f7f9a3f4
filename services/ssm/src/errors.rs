//! What callers read when something is refused.

use kiln_service_kit::Error;

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationException", message)
}

pub fn not_found(name: &str) -> Error {
    Error::sender("ParameterNotFound", format!("Parameter {name} not found."))
}

pub fn version_not_found(message: impl Into<String>) -> Error {
    Error::sender("ParameterVersionNotFound", message)
}

pub fn bad_token() -> Error {
    Error::sender("InvalidNextToken", "The specified token isn't valid.")
}

pub fn bad_name() -> Error {
    validation(
        "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
         sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following \
         3 symbols .-_",
    )
}

pub fn bad_path() -> Error {
    validation(
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward \
         slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, \
         numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not \
         allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: \
         /get/parameters2-/by1./path0_.",
    )
}

pub fn bad_resource_id() -> Error {
    Error::sender(
        "InvalidResourceId",
        "The resource ID is not valid. Verify that you entered the correct ID and try again.",
    )
}
