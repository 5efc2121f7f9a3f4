//! What callers read when something is refused.

use kiln_service_kit::Error;
use kiln_template::{ErrorKind, TemplateError};

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationError", message)
}

/// A refused template, parameter or value: AWS's sentence, then the place.
pub fn template(error: TemplateError) -> Error {
    match error.kind {
        ErrorKind::Validation => validation(error.to_string()),
        ErrorKind::NotBuilt => Error::sender("NotImplemented", error.to_string()).with_status(501),
    }
}

pub fn no_stack(name: &str) -> Error {
    validation(format!("Stack with id {name} does not exist"))
}

pub fn no_change_set(name: &str) -> Error {
    Error::sender("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).with_status(404)
}

pub fn bad_token() -> Error {
    validation("The NextToken is not one that this operation gave.")
}
