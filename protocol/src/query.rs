//! The query protocol: a form in, XML out.

use crate::form::{self, Dialect};
use crate::scalar::NotA;
use crate::xml::Writer;
use crate::{Error, Fault, ServiceModel, StructShape, Value};

struct Query;

impl Dialect for Query {
    const ALWAYS_FLAT: bool = false;
    const EMPTY_IS_NONE: bool = false;

    fn wrong_type(key: &str, text: &str, what: NotA) -> Error {
        Error::sender(
            "MalformedInput",
            match what {
                NotA::Bool => "boolean must follow xsd1.1 definition".to_owned(),
                NotA::Time => "timestamp must follow ISO8601".to_owned(),
                NotA::Int | NotA::Float => format!("For input string: \"{}\"", shown(text)),
                NotA::Base64 => format!("{key} is not valid base64"),
                NotA::Text => "Unexpected complex element termination".to_owned(),
            },
        )
    }

    fn malformed(key: &str, what: &str) -> Error {
        let at = if key.is_empty() { String::new() } else { format!(" (at {})", shown(key)) };
        Error::sender("MalformedInput", format!("{what}{at}"))
    }

    /// AWS skips what it does not know here.
    fn unknown(_: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// The start of a text, for messages.
pub(crate) fn shown(text: &str) -> String {
    const LONG: usize = 128;
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The structure in `Action=…&Version=…&…`, be it from the body or the address.
pub fn decode(form: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    form::decode::<Query>(form, shape)
}

/// `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…</OpResponse>`.
pub fn encode(
    model: &ServiceModel,
    operation: &str,
    value: &Value,
    shape: &'static StructShape,
    request_id: &str,
) -> Vec<u8> {
    let response = format!("{operation}Response");
    let result = format!("{operation}Result");
    let mut xml = Writer::query();
    xml.open_in(&response, model.xml_namespace);
    xml.open(&result);
    xml.structure(value, shape);
    xml.close(&result);
    xml.open("ResponseMetadata");
    xml.leaf("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&response);
    xml.into_bytes()
}

/// `<ErrorResponse><Error>…`.
pub fn encode_error(model: &ServiceModel, error: &Error, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::query();
    xml.open_in("ErrorResponse", model.xml_namespace);
    xml.open("Error");
    xml.leaf("Type", if error.fault == Fault::Sender { "Sender" } else { "Receiver" });
    xml.leaf("Code", model.query_code(&error.code));
    xml.leaf("Message", &error.message);
    for (name, value) in &error.fields {
        xml.leaf(name, value);
    }
    xml.close("Error");
    xml.leaf("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.into_bytes()
}
