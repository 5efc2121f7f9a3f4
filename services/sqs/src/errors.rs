//! What callers read when something is refused: SQS's codes and words. Errors are named as the model names them today;
//! query callers read the codes of then (`quirks.json`).

use kiln_protocol::Protocol;
use kiln_service_kit::{Cx, Error};

pub fn no_queue(cx: &Cx) -> Error {
    let text = match cx.protocol_of(&kiln_sqs_shapes::SERVICE) {
        Protocol::Query => "The specified queue does not exist for this wsdl version.",
        _ => "The specified queue does not exist.",
    };
    Error::sender("QueueDoesNotExist", text)
}

pub fn access_denied() -> Error {
    Error::sender("AccessDeniedException", "Access to the resource is denied.").with_status(403)
}

/// An address that is no queue's.
pub fn bad_address(url: &str) -> Error {
    Error::sender("InvalidAddress", format!("The address {} is not valid for this endpoint.", shown(url)))
        .with_status(404)
}

pub fn parameter(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterValue", message)
}

/// `Value … for parameter … is invalid. Reason: …`
pub fn value(value: impl std::fmt::Display, of: &str, reason: impl std::fmt::Display) -> Error {
    let value = value.to_string();
    parameter(format!("Value {} for parameter {of} is invalid. Reason: {reason}", shown(&value)))
}

pub fn missing(of: &str) -> Error {
    Error::sender("MissingParameter", format!("The request must contain the parameter {of}."))
}

pub fn attribute_name(name: &str) -> Error {
    Error::sender("InvalidAttributeName", format!("Unknown Attribute {}.", shown(name)))
}

pub fn attribute_value(name: &str) -> Error {
    Error::sender("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

pub fn bad_handle(handle: &str) -> Error {
    let text = format!("The input receipt handle \"{}\" is not a valid receipt handle.", shown(handle));
    Error::sender("ReceiptHandleIsInvalid", text)
}

pub fn over_limit(message: impl Into<String>) -> Error {
    Error::sender("OverLimit", message).with_status(403)
}

pub fn not_found(message: impl Into<String>) -> Error {
    Error::sender("ResourceNotFoundException", message).with_status(404)
}

pub fn unsupported(message: impl Into<String>) -> Error {
    Error::sender("UnsupportedOperation", message)
}

/// A value that a caller gave, as far as a message repeats it.
fn shown(text: &str) -> &str {
    const LONG: usize = 1_024;
    text.char_indices().nth(LONG).map_or(text, |(end, _)| &text[..end])
}
