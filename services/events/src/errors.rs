//! What callers read when something is refused.

use kiln_patterns::InvalidPattern;
use kiln_service_kit::Error;

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationException", message)
}

pub fn not_found(message: impl Into<String>) -> Error {
    Error::sender("ResourceNotFoundException", message)
}

pub fn no_bus(name: &str) -> Error {
    not_found(format!("Event bus {name} does not exist."))
}

pub fn no_rule(name: &str, bus: &str) -> Error {
    not_found(format!("Rule {name} does not exist on EventBus {bus}."))
}

pub fn over_limit(message: impl Into<String>) -> Error {
    Error::sender("LimitExceededException", message)
}

pub fn bad_pattern(error: &InvalidPattern) -> Error {
    Error::sender("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {}", error.reason))
}

pub fn bad_token() -> Error {
    validation("Parameter NextToken is not valid.")
}
