//! Refusals of the gateway's own: what no operation is asked for.

use crate::name::Call;
use http::Method;
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::Platform;

/// A panic; the log says what and where.
pub fn broke_off() -> Error {
    Error::internal("the operation broke off; the panic is told before this")
}

/// AWS names GET and POST for these calls, and no answer to other methods.
pub fn wrong_method(method: &Method) -> Error {
    let text = format!("The method {method} is not allowed for this service: use POST.");
    Error::sender("MethodNotAllowed", text).with_status(405)
}

/// Whether AWS has the operation and Kiln does not.
pub fn is_unserved(platform: &Platform, call: &Call) -> bool {
    call.model.operations.contains(&call.operation.as_str())
        && platform.operation(call.model.name, &call.operation).is_none()
}

/// No operation of that name in that version.
pub fn no_such_operation(operation: &str, version: &str) -> Error {
    Error::sender("InvalidAction", format!("Could not find operation {operation} for version {version}"))
}

/// An operation AWS has and Kiln does not, or one nobody has: told apart by the model's list.
pub fn not_served(call: &Call) -> Error {
    let full = format!("{}:{}", call.model.action_prefix(), call.operation);
    if call.model.operations.contains(&call.operation.as_str()) {
        return Error::not_built(full);
    }
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::Cbor => {
            Error::sender("UnknownOperationException", format!("{full} is not an operation of this service."))
        }
        Protocol::Query => {
            no_such_operation(&call.operation, call.version.as_deref().unwrap_or(call.model.api_version))
        }
        Protocol::Ec2 | Protocol::RestXml => {
            Error::sender("InvalidAction", format!("The action {} is not valid for this web service.", call.operation))
        }
    }
}
