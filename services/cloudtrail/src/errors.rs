//! What callers read when something is refused. Source: AWS CloudTrail API Reference, LookupEvents.

use kiln_service_kit::Error;

pub fn attributes(message: impl Into<String>) -> Error {
    Error::sender("InvalidLookupAttributesException", message)
}

pub fn time_range() -> Error {
    Error::sender("InvalidTimeRangeException", "The start time must not be later than the end time.")
}

pub fn bad_token() -> Error {
    Error::sender("InvalidNextTokenException", "Invalid nextToken.")
}

pub fn throttled() -> Error {
    Error::sender("ThrottlingException", "Rate exceeded")
}
