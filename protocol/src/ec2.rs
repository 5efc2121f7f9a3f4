//! EC2's own dialect of the query protocol.
//!
//! Lists have no `member` level in requests, answers have no result element, errors look
//! different, and a parameter that is not known is an error (the query protocol skips it). An empty
//! parameter is none: clients send `VpcId=` and `NextToken=` for what they were not told, and of a
//! required one EC2 says that the request must contain it.

use crate::form::{self, Dialect};
use crate::query::shown;
use crate::scalar::NotA;
use crate::xml::Writer;
use crate::{Error, Kind, ServiceModel, StructShape, Value};

struct Ec2;

impl Dialect for Ec2 {
    const ALWAYS_FLAT: bool = true;
    const EMPTY_IS_NONE: bool = true;

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
    form::decode::<Ec2>(form, shape).map(|value| without_blanks(value, shape))
}

/// A request with its empty texts left out, and the structures and lists in which nothing else was.
/// Items of lists stay: one of a filter's values may be the empty text.
pub fn without_blanks(value: Value, shape: &'static StructShape) -> Value {
    let Value::Struct(values) = value else { return value };
    let left = |(at, value): (usize, Value)| match shape.members.get(at) {
        Some(member) if !member.keeps_empty => not_blank(value, (member.kind)()),
        _ => value,
    };
    Value::Struct(values.into_iter().enumerate().map(left).collect())
}

fn not_blank(value: Value, kind: Kind) -> Value {
    match (value, kind) {
        (Value::Text(text), _) if text.is_empty() => Value::Absent,
        (Value::Blob(bytes), _) if bytes.is_empty() => Value::Absent,
        (Value::List(items), _) if items.is_empty() => Value::Absent,
        (Value::List(items), Kind::List(of)) => match of() {
            Kind::Struct(shape) => Value::List(items.into_iter().map(|item| without_blanks(item, shape)).collect()),
            _ => Value::List(items),
        },
        (value @ Value::Struct(_), Kind::Struct(shape)) => match without_blanks(value, shape) {
            Value::Struct(members) if members.iter().all(Value::is_absent) => Value::Absent,
            rest => rest,
        },
        (value, _) => value,
    }
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
