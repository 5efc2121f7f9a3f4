//! What callers read when something is refused. Codes are those that the API Reference names for each operation; where
//! a model has a name for one, by that name: older protocols are told the older code (`ServiceModel::query_errors`).

use kiln_points::PointsError;
use kiln_service_kit::Error;

pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationError", message)
}

pub fn bad_value(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterValueException", message)
}

pub fn bad_combination(message: impl Into<String>) -> Error {
    Error::sender("InvalidParameterCombinationException", message)
}

pub fn missing(message: impl Into<String>) -> Error {
    Error::sender("MissingRequiredParameterException", message)
}

pub fn bad_token() -> Error {
    Error::sender("InvalidNextToken", "The next token specified is invalid.")
}

pub fn no_such_alarm() -> Error {
    Error::sender("ResourceNotFound", "Unknown alarm").with_status(404)
}

/// What went wrong with the file of points, for the log; the caller reads only that there was something.
pub fn points(doing: &'static str, error: PointsError) -> Error {
    Error::failed(doing, error)
}
