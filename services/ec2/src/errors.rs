//! AWS's errors that more than one operation gives. Those of ids stand in `kinds`.

use kiln_service_kit::Error;

/// A value that the parameter does not take.
pub fn invalid_value(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterValue", message)
}

/// Parameters that exclude or need each other.
pub fn invalid_combination(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterCombination", message)
}

/// A parameter that this call needs.
pub fn missing_parameter(name: &str) -> Error {
    Error::sender("MissingParameter", format!("The request must contain the parameter {name}"))
}

/// Something else still needs it.
pub fn dependency(message: impl Into<String>) -> Error {
    Error::sender("DependencyViolation", message)
}

/// A page token that was not given out.
pub fn bad_token() -> Error {
    Error::sender("InvalidNextToken", "The specified pagination token is not valid.")
}

/// Refuses a member that Kiln does not serve but that would change what the call does.
pub fn refuse(operation: &str, members: &[(&str, bool)]) -> Result<(), Error> {
    match members.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::not_built(format!("ec2:{operation} with {name}"))),
        None => Ok(()),
    }
}
