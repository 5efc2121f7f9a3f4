//! Single values as text, the form that query, ec2, XML and headers share.
//!
//! Reading says only what kind of thing was wrong; the wording belongs to the protocol.

use crate::{Kind, TimeFormat, Value};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use kiln_clock::Timestamp;

/// Why a text is not a value of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotA {
    Bool,
    Int,
    Float,
    Time,
    Base64,
    /// A list, map or structure was wanted.
    Text,
}

/// With or without `=` at the end: clients differ.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes from base64.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

/// Bytes as base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// A value of that kind from its text.
pub(crate) fn read(text: &str, kind: &Kind) -> Result<Value, NotA> {
    match kind {
        Kind::Text => Ok(Value::Text(text.to_owned())),
        Kind::Bool => match text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(NotA::Bool),
        },
        Kind::Int => text.trim().parse().map(Value::Int).map_err(|_| NotA::Int),
        Kind::Float => read_float(text.trim()).map(Value::Float).ok_or(NotA::Float),
        Kind::Blob => from_base64(text).map(Value::Blob).ok_or(NotA::Base64),
        Kind::Time => Timestamp::parse(text).map(Value::Time).map_err(|_| NotA::Time),
        Kind::List(_) | Kind::Map(_) | Kind::Struct(_) => Err(NotA::Text),
    }
}

/// A float; the three that are no numbers only in the spelling AWS uses.
pub(crate) fn read_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// The spelling of a float.
pub(crate) fn show_float(float: f64) -> String {
    if float.is_nan() {
        "NaN".into()
    } else if float.is_infinite() {
        if float > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        float.to_string()
    }
}

/// A time in a given format; `by_default` where the model leaves it to the protocol.
pub(crate) fn show_time(time: Timestamp, format: TimeFormat, by_default: TimeFormat) -> String {
    let format = if format == TimeFormat::Protocol { by_default } else { format };
    match format {
        TimeFormat::Epoch if time.millis() % 1000 == 0 => time.epoch_seconds().to_string(),
        TimeFormat::Epoch => time.epoch_seconds_f64().to_string(),
        TimeFormat::Http => time.http_date(),
        TimeFormat::Iso8601 | TimeFormat::Protocol => time.iso8601_millis(),
    }
}
