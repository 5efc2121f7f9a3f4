//! Condition operators: their names, what they compare, and the values they are given in the
//! policy, compiled once.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ids::{IpNet, block};
use time::{Date, Duration, Month, OffsetDateTime, Time};

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
    Ip(IpNet),
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
            Compare::Ip => network(text).map(Self::Ip).ok_or_else(|| should_be("a CIDR block")),
            Compare::Arn => ArnPattern::compile(text, variables, false).map(Self::Arn),
        }
    }

    /// The condition keys of its variables.
    pub fn asks_for<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        match self {
            Self::Text(pattern) => pattern.asks_for(see),
            Self::Arn(pattern) => pattern.asks_for(see),
            _ => {}
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
            // An IPv4 address that came in over an IPv6 socket is still an IPv4 address.
            Self::Ip(block) => found.parse::<IpAddr>().is_ok_and(|found| block.contains(&found.to_canonical())),
            Self::Arn(pattern) => pattern.matches(found, keys),
        }
    }
}

pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The W3C's profile of ISO 8601 with all that AWS takes besides (a year alone, hours alone, any
/// year), or seconds since 1970. What lies beyond the calendar is its end.
pub(crate) fn date(text: &str) -> Option<OffsetDateTime> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains('t') && !lower.contains('-') && lower.len() != 4 {
        let seconds = lower.parse::<i64>().ok().filter(|seconds| *seconds >= 0)?;
        return Some(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(LAST));
    }
    let (day, time) = lower.split_once('t').unwrap_or((&lower, ""));
    let (before, day) = match day.strip_prefix('-') {
        Some(day) => (true, day),
        None => (false, day),
    };
    let mut parts = day.split('-');
    let year = parts.next()?.parse::<i32>().ok().filter(|year| (0..=292_278_993).contains(year))?;
    let part = |part: Option<&str>| part.map_or(Some(1), |part| part.parse::<u8>().ok());
    let (month, day) = (part(parts.next())?, part(parts.next())?);
    if parts.next().is_some() || !(1..=31).contains(&day) {
        return None;
    }
    let month = Month::try_from(month).ok()?;
    let (time, offset) = clock(time)?;
    match Some(year).filter(|year| *year <= 9999 && !before) {
        Some(year) => {
            let day = day.min(month.length(year));
            let date = Date::from_calendar_date(year, month, day).ok()?;
            Some(date.with_time(time).assume_utc().saturating_sub(offset))
        }
        None if before => Some(FIRST),
        None => Some(LAST),
    }
}

/// The first and the last moment of the calendar.
const FIRST: OffsetDateTime = Date::MIN.midnight().assume_utc();
const LAST: OffsetDateTime = Date::MAX.midnight().assume_utc();

/// A time of day and how far its zone is ahead; all parts may be missing, from behind.
fn clock(text: &str) -> Option<(Time, Duration)> {
    let (time, zone) = match text.find(['z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let two = |text: &str, most: u8| match text.len() {
        1 | 2 => text.parse::<u8>().ok().filter(|n| *n <= most),
        _ => None,
    };
    let mut parts = time.split(':');
    let mut next = |most| match parts.next() {
        None | Some("") => Some((0, 0)),
        Some(part) => {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            let nanos = match fraction.len() {
                0 => 0,
                digits @ 1..=9 => fraction.parse::<u32>().ok()? * 10u32.pow(9 - digits as u32),
                _ => return None,
            };
            Some((two(whole, most)?, nanos))
        }
    };
    let ((hour, _), (minute, _), (second, nanos)) = (next(23)?, next(59)?, next(59)?);
    if parts.next().is_some() {
        return None;
    }
    let ahead = match zone.split_at_checked(1) {
        None | Some(("z", "")) => Duration::ZERO,
        Some((sign, zone)) if sign != "z" => {
            let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
            if hours.len() != 2 || minutes.len() != 2 {
                return None;
            }
            let minutes = i64::from(two(hours, 23)?) * 60 + i64::from(two(minutes, 59)?);
            Duration::minutes(if sign == "-" { -minutes } else { minutes })
        }
        _ => return None,
    };
    Some((Time::from_hms_nano(hour, minute, second, nanos).ok()?, ahead))
}

/// A block, or an address alone. Host bits may be set: AWS takes them and looks at the block.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    block(text).or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
