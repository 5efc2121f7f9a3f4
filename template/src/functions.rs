//! The arithmetic behind the intrinsic functions: text in, text out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

/// A text, number or boolean as the text CloudFormation works with.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Are two values equal for `Fn::Equals`? Scalars by their text, so `80` equals `"80"`.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => match (scalar_text(a), scalar_text(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// `Fn::Cidr`: the first `count` blocks with `host_bits` host bits inside `block`.
pub fn cidr(block: &str, count: u32, host_bits: u8) -> Result<Vec<String>, String> {
    let refuse = || format!("Template error: Fn::Cidr failed: '{block}' is not a valid IP block");
    let (address, prefix) = block.split_once('/').ok_or_else(refuse)?;
    let address: IpAddr = address.parse().map_err(|_| refuse())?;
    let prefix: u8 = prefix.parse().map_err(|_| refuse())?;
    let (width, base) = match address {
        IpAddr::V4(address) => (32u8, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128u8, u128::from(address)),
    };
    if prefix > width {
        return Err(refuse());
    }
    if !(1..=256).contains(&count) {
        return Err(format!("Template error: Fn::Cidr count {count} must be between 1 and 256"));
    }
    let most = 1u128.checked_shl(u32::from(width - prefix).saturating_sub(u32::from(host_bits)));
    let fits = host_bits <= width - prefix && most.is_none_or(|most| u128::from(count) <= most);
    if !fits {
        return Err(format!("Template error: Fn::Cidr cannot make {count} blocks of {host_bits} host bits in {block}"));
    }
    let host_mask = 1u128.checked_shl(u32::from(width - prefix)).map_or(u128::MAX, |size| size - 1);
    let base = base & !host_mask;
    Ok((0..u128::from(count))
        .map(|index| {
            let address = base + index.checked_shl(u32::from(host_bits)).unwrap_or(0);
            match width {
                32 => format!("{}/{}", Ipv4Addr::from(address as u32), width - host_bits),
                _ => format!("{}/{}", Ipv6Addr::from(address), width - host_bits),
            }
        })
        .collect())
}
