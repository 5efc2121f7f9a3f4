//! Condition operators: their names, what they compare, and the values they are given in the
//! policy, compiled once.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use time::{Date, OffsetDateTime, format_description::well_known::Iso8601};

use crate::{
    context::Keys,
    pattern::{ArnPattern, Pattern, Rules},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
        }
    }
}

/// What an operator compares; its negation is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Text {
        wildcards: bool,
        ignore_case: bool,
    },
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    /// Whether the key is absent; has no negation.
    Null,
}

/// Finds an operator by its bare name: what it compares and whether it is negated.
pub(crate) fn find(name: &str) -> Option<(Compare, bool)> {
    use Order::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let text = |wildcards, ignore_case| Compare::Text { wildcards, ignore_case };
    Some(match name.to_ascii_lowercase().as_str() {
        "stringequals" => (text(false, false), false),
        "stringnotequals" => (text(false, false), true),
        "stringequalsignorecase" => (text(false, true), false),
        "stringnotequalsignorecase" => (text(false, true), true),
        "stringlike" => (text(true, false), false),
        "stringnotlike" => (text(true, false), true),
        "numericequals" => (Compare::Number(Equal), false),
        "numericnotequals" => (Compare::Number(Equal), true),
        "numericlessthan" => (Compare::Number(Less), false),
        "numericlessthanequals" => (Compare::Number(LessOrEqual), false),
        "numericgreaterthan" => (Compare::Number(Greater), false),
        "numericgreaterthanequals" => (Compare::Number(GreaterOrEqual), false),
        "dateequals" => (Compare::Date(Equal), false),
        "datenotequals" => (Compare::Date(Equal), true),
        "datelessthan" => (Compare::Date(Less), false),
        "datelessthanequals" => (Compare::Date(LessOrEqual), false),
        "dategreaterthan" => (Compare::Date(Greater), false),
        "dategreaterthanequals" => (Compare::Date(GreaterOrEqual), false),
        "bool" => (Compare::Bool, false),
        "binaryequals" => (Compare::Binary, false),
        "ipaddress" => (Compare::Ip, false),
        "notipaddress" => (Compare::Ip, true),
        "arnequals" | "arnlike" => (Compare::Arn, false),
        "arnnotequals" | "arnnotlike" => (Compare::Arn, true),
        "null" => (Compare::Null, false),
        _ => return None,
    })
}

/// A value of a condition in a policy, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    Text(Pattern),
    Number(Order, f64),
    Date(Order, OffsetDateTime),
    Bool(bool),
    Binary(Vec<u8>),
    Ip(IpAddr, u32),
    Arn(ArnPattern),
}

impl Wanted {
    /// Reads a policy's value for this comparison, or says what it should have been.
    pub fn parse(compare: Compare, text: &str, variables: bool) -> Result<Self, String> {
        let should_be = |what: &str| format!("\"{text}\" is not {what}");
        match compare {
            Compare::Text { wildcards, ignore_case } => {
                Pattern::compile(text, Rules { wildcards, variables, ignore_case }).map(Self::Text)
            }
            Compare::Number(order) => {
                number(text).map(|number| Self::Number(order, number)).ok_or_else(|| should_be("a number"))
            }
            Compare::Date(order) => date(text)
                .map(|date| Self::Date(order, date))
                .ok_or_else(|| should_be("an ISO 8601 date or seconds since 1970")),
            Compare::Bool | Compare::Null => boolean(text).map(Self::Bool).ok_or_else(|| should_be("true or false")),
            Compare::Binary => STANDARD.decode(text).map(Self::Binary).map_err(|_| should_be("base64")),
            Compare::Ip => {
                network(text).map(|(base, bits)| Self::Ip(base, bits)).ok_or_else(|| should_be("a CIDR block"))
            }
            Compare::Arn => ArnPattern::compile(text, variables, false).map(Self::Arn),
        }
    }

    /// Whether a value of the request matches. One of the wrong type does not.
    pub fn matches(&self, found: &str, keys: &Keys) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(found, keys),
            Self::Number(order, wanted) => number(found).is_some_and(|found| order.holds(&found, wanted)),
            Self::Date(order, wanted) => date(found).is_some_and(|found| order.holds(&found, wanted)),
            Self::Bool(wanted) => boolean(found) == Some(*wanted),
            Self::Binary(wanted) => STANDARD.decode(found).is_ok_and(|found| found == *wanted),
            Self::Ip(base, bits) => found.parse().is_ok_and(|found| inside(found, *base, *bits)),
            Self::Arn(pattern) => pattern.matches(found, keys),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The W3C's profile of ISO 8601, or seconds since 1970.
fn date(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse::<i64>()
        && text.len() != 4
    {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.into(),
    };
    OffsetDateTime::parse(&whole, &Iso8601::DEFAULT)
        .or_else(|_| Date::parse(&whole, &Iso8601::DEFAULT).map(|date| date.midnight().assume_utc()))
        .ok()
}

fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (base, bits) = match text.split_once('/') {
        Some((base, bits)) => (base.parse::<IpAddr>().ok()?, Some(bits.parse::<u32>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let most = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((base, bits))
}

fn inside(found: IpAddr, base: IpAddr, bits: u32) -> bool {
    // An IPv4 address that came in over an IPv6 socket is still an IPv4 address.
    match (found.to_canonical(), base) {
        (IpAddr::V4(found), IpAddr::V4(base)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(found) & mask == u32::from(base) & mask
        }
        (IpAddr::V6(found), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(found) & mask == u128::from(base) & mask
        }
        _ => false,
    }
}
