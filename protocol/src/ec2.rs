//! EC2's own dialect of the query protocol.
//!
//! Lists have no `member` level in requests, answers have no result element, errors look
//! different, and a parameter that is not known is an error (the query protocol skips it).

use crate::form::{self, Dialect};
use crate::query::shown;
use crate::scalar::NotA;
use crate::xml::Writer;
use crate::{Error, ServiceModel, StructShape, Value};

struct Ec2;

impl Dialect for Ec2 {
    const ALWAYS_FLAT: bool = true;

    fn wrong_type(key: &str, text: &str, what: NotA) -> Error {
        let expected = match what {
            NotA::Bool => "Expected a boolean, true or false.",
            NotA::Int => "Expected an integer.",
            NotA::Float => "Expected a number.",
            NotA::Time => "Expected a time in ISO 8601 format.",
            NotA::Base64 => "Expected base64-encoded data.",
            NotA::Text => "Expected a structure.",
        };
        let message = format!("Value ({}) for parameter {} is invalid. {expected}", shown(text), shown(key));
        Error::sender("InvalidParameterValue", message)
    }

    fn malformed(key: &str, what: &str) -> Error {
        let at = if key.is_empty() { String::new() } else { format!(" (at {})", shown(key)) };
        Error::sender("InvalidRequest", format!("{what}{at}"))
    }

    fn unknown(key: &str) -> Result<(), Error> {
        Err(Error::sender("UnknownParameter", format!("The parameter {} is not recognized", shown(key))))
    }
}

/// The structure in `Action=…&InstanceId.1=…`, be it from the body or the address.
pub fn decode(form: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    form::decode::<Ec2>(form, shape)
}

/// `<OpResponse><requestId>…</requestId>…</OpResponse>`.
pub fn encode(
    model: &ServiceModel,
    operation: &str,
    value: &Value,
    shape: &'static StructShape,
    request_id: &str,
) -> Vec<u8> {
    let response = format!("{operation}Response");
    // The model's namespace lacks the slash that EC2 writes.
    let namespace = format!("{}/", model.xml_namespace.trim_end_matches('/'));
    let mut xml = Writer::ec2();
    xml.open_in(&response, &namespace);
    xml.leaf("requestId", request_id);
    xml.structure(value, shape);
    xml.close(&response);
    xml.into_bytes()
}

/// `<Response><Errors><Error>…`.
pub fn encode_error(error: &Error, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::ec2();
    xml.open("Response");
    xml.open("Errors");
    xml.open("Error");
    xml.leaf("Code", &error.code);
    xml.leaf("Message", &error.message);
    for (name, value) in &error.fields {
        xml.leaf(name, value);
    }
    xml.close("Error");
    xml.close("Errors");
    xml.leaf("RequestID", request_id);
    xml.close("Response");
    xml.into_bytes()
}
