//! What an unquoted YAML word means.
//!
//! CloudFormation reads YAML 1.1: `yes`, `no`, `on` and `off` are booleans and `010` is eight. Dates stay text
//! (`2010-09-09`), and so do base-60 numbers (`22:22`), because ports and times are written that way.

use serde_json::Number;

use crate::node::NodeKind;

/// The value of an unquoted word.
pub fn resolve(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return NodeKind::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return NodeKind::Bool(false);
        }
        _ => {}
    }
    match number(text) {
        Some(number) => NodeKind::Number(number),
        None => NodeKind::String(text.to_owned()),
    }
}

fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if let Some(hex) = plain.strip_prefix("0x") {
        return integer(u64::from_str_radix(hex, 16).ok()?, negative);
    }
    if plain.len() > 1 && plain.bytes().all(|b| b.is_ascii_digit()) && plain.starts_with('0') {
        // YAML 1.1 octal. A leading zero with an 8 or 9 (an account id, say) is no number at all.
        return integer(u64::from_str_radix(&plain, 8).ok()?, negative);
    }
    if plain.bytes().all(|b| b.is_ascii_digit()) {
        return integer(plain.parse().ok()?, negative);
    }
    let shape_is_float = plain.contains('.') || plain.contains(['e', 'E']);
    let only_float_characters =
        plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !shape_is_float || !only_float_characters {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    Number::from_f64(if negative { -value } else { value })
}

fn integer(value: u64, negative: bool) -> Option<Number> {
    if negative {
        // -2^63 is the smallest: 0 - value, without overflow.
        0i64.checked_sub_unsigned(value).map(Number::from)
    } else {
        Some(Number::from(value))
    }
}
