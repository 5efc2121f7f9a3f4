//! The functions of expressions. Source: CloudWatch Logs User Guide, "Boolean, comparison, numeric, datetime, and other
//! functions".

use super::value::Value;
use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Abs,
    Ceil,
    Floor,
    Greatest,
    Least,
    Log,
    Sqrt,
    FromMillis,
    ToMillis,
    Now,
    IsPresent,
    Coalesce,
    JsonParse,
    JsonStringify,
    IsValidIp,
    IsValidIpv4,
    IsValidIpv6,
    IsIpInSubnet,
    IsIpv4InSubnet,
    IsIpv6InSubnet,
    IsEmpty,
    IsBlank,
    Concat,
    Ltrim,
    Rtrim,
    Trim,
    Strlen,
    ToUpper,
    ToLower,
    Substr,
    Replace,
    StrContains,
}

const MANY: usize = 64;

/// Its name in small letters, and how many arguments it takes.
const KNOWN: &[(&str, Function, usize, usize)] = &[
    ("abs", Function::Abs, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("floor", Function::Floor, 1, 1),
    ("greatest", Function::Greatest, 1, MANY),
    ("least", Function::Least, 1, MANY),
    ("log", Function::Log, 1, 1),
    ("sqrt", Function::Sqrt, 1, 1),
    ("frommillis", Function::FromMillis, 1, 1),
    ("tomillis", Function::ToMillis, 1, 1),
    ("now", Function::Now, 0, 0),
    ("ispresent", Function::IsPresent, 1, 1),
    ("coalesce", Function::Coalesce, 1, MANY),
    ("jsonparse", Function::JsonParse, 1, 1),
    ("jsonstringify", Function::JsonStringify, 1, 1),
    ("isvalidip", Function::IsValidIp, 1, 1),
    ("isvalidipv4", Function::IsValidIpv4, 1, 1),
    ("isvalidipv6", Function::IsValidIpv6, 1, 1),
    ("isipinsubnet", Function::IsIpInSubnet, 2, 2),
    ("isipv4insubnet", Function::IsIpv4InSubnet, 2, 2),
    ("isipv6insubnet", Function::IsIpv6InSubnet, 2, 2),
    ("isempty", Function::IsEmpty, 1, 1),
    ("isblank", Function::IsBlank, 1, 1),
    ("concat", Function::Concat, 1, MANY),
    ("ltrim", Function::Ltrim, 1, 2),
    ("rtrim", Function::Rtrim, 1, 2),
    ("trim", Function::Trim, 1, 2),
    ("strlen", Function::Strlen, 1, 1),
    ("toupper", Function::ToUpper, 1, 1),
    ("tolower", Function::ToLower, 1, 1),
    ("substr", Function::Substr, 2, 3),
    ("replace", Function::Replace, 3, 3),
    ("strcontains", Function::StrContains, 2, 2),
];

/// Bytes that a text may grow to by functions of functions.
const LONGEST: usize = 1 << 20;

impl Function {
    /// By its name, and the least and most arguments that it takes.
    pub fn named(name: &str) -> Option<(Self, usize, usize)> {
        let name = name.to_ascii_lowercase();
        KNOWN.iter().find(|(known, ..)| *known == name).map(|(_, function, least, most)| (*function, *least, *most))
    }

    /// `now`: milliseconds since 1970.
    pub fn call<'e>(self, mut given: Vec<Value<'e>>, now: i64) -> Value<'e> {
        let number = |n: usize, of: fn(f64) -> f64| Value::number(given.get(n).and_then(Value::as_number).map(of));
        match self {
            Self::Abs => number(0, f64::abs),
            Self::Ceil => number(0, f64::ceil),
            Self::Floor => number(0, f64::floor),
            Self::Log => Value::number(given[0].as_number().filter(|n| *n > 0.0).map(f64::ln)),
            Self::Sqrt => Value::number(given[0].as_number().filter(|n| *n >= 0.0).map(f64::sqrt)),
            Self::Greatest => Value::number(given.iter().filter_map(Value::as_number).reduce(f64::max)),
            Self::Least => Value::number(given.iter().filter_map(Value::as_number).reduce(f64::min)),
            Self::FromMillis => given[0].as_number().map_or(Value::Null, |millis| Value::Time(millis as i64)),
            Self::ToMillis => number(0, |millis| millis),
            Self::Now => Value::Number(now.div_euclid(1000) as f64),
            Self::IsPresent => Value::Truth(!given[0].is_null()),
            Self::Coalesce => given.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null),
            // Members of what is parsed are asked for by path, which reads the text again.
            Self::JsonParse => {
                let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                match text(&given, 0).is_some_and(|text| is_json(&text)) {
                    true => given.swap_remove(0),
                    false => Value::Null,
                }
            }
            Self::JsonStringify => match text(&given, 0) {
                Some(_) => given.swap_remove(0),
                None => Value::Null,
            },
            Self::IsValidIp => Value::Truth(address(&given, 0).is_some()),
            Self::IsValidIpv4 => Value::Truth(matches!(address(&given, 0), Some(IpAddr::V4(_)))),
            Self::IsValidIpv6 => Value::Truth(matches!(address(&given, 0), Some(IpAddr::V6(_)))),
            Self::IsIpInSubnet => Value::Truth(is_in(&given, |_| true)),
            Self::IsIpv4InSubnet => Value::Truth(is_in(&given, |ip| ip.is_ipv4())),
            Self::IsIpv6InSubnet => Value::Truth(is_in(&given, |ip| ip.is_ipv6())),
            Self::IsEmpty => Value::Truth(text(&given, 0).is_none_or(|text| text.is_empty())),
            Self::IsBlank => Value::Truth(text(&given, 0).is_none_or(|text| text.trim().is_empty())),
            Self::Concat => {
                let mut all = String::new();
                for value in &given {
                    all.push_str(&value.as_text().unwrap_or_default());
                    if all.len() > LONGEST {
                        return Value::Null;
                    }
                }
                Value::text(all)
            }
            Self::Ltrim | Self::Rtrim | Self::Trim => {
                let Some(all) = text(&given, 0) else { return Value::Null };
                let characters = text(&given, 1);
                let goes = |c: char| characters.as_ref().map_or(c.is_whitespace(), |characters| characters.contains(c));
                let cut = match self {
                    Self::Ltrim => all.trim_start_matches(goes),
                    Self::Rtrim => all.trim_end_matches(goes),
                    _ => all.trim_matches(goes),
                };
                Value::text(cut.to_owned())
            }
            Self::Strlen => Value::number(text(&given, 0).map(|text| text.chars().count() as f64)),
            Self::ToUpper => text(&given, 0).map_or(Value::Null, |text| Value::text(text.to_uppercase())),
            Self::ToLower => text(&given, 0).map_or(Value::Null, |text| Value::text(text.to_lowercase())),
            Self::Substr => {
                let place = |n: usize| given.get(n).and_then(Value::as_number).map(|at| at.max(0.0) as usize);
                let (Some(all), Some(start)) = (text(&given, 0), place(1)) else { return Value::Null };
                let length = if given.len() > 2 { place(2) } else { Some(usize::MAX) };
                length
                    .map_or(Value::Null, |length| Value::text(all.chars().skip(start).take(length).collect::<String>()))
            }
            Self::Replace => {
                let (Some(all), Some(old), Some(new)) = (text(&given, 0), text(&given, 1), text(&given, 2)) else {
                    return Value::Null;
                };
                let found = if old.is_empty() { 0 } else { all.matches(&*old).count() };
                match found {
                    0 => {}
                    found if found.saturating_mul(new.len()) + all.len() > LONGEST => return Value::Null,
                    _ => return Value::text(all.replace(&*old, &new)),
                }
                drop((all, old, new));
                given.swap_remove(0)
            }
            Self::StrContains => match (text(&given, 0), text(&given, 1)) {
                (Some(all), Some(part)) => Value::Number(f64::from(u8::from(all.contains(&*part)))),
                _ => Value::Number(0.0),
            },
        }
    }
}

fn text<'v>(given: &'v [Value<'_>], n: usize) -> Option<std::borrow::Cow<'v, str>> {
    given.get(n).and_then(Value::as_text)
}

fn address(given: &[Value<'_>], n: usize) -> Option<IpAddr> {
    text(given, n)?.trim().parse().ok()
}

/// Whether an address is in a subnet written `address/bits`.
fn is_in(given: &[Value<'_>], wanted: fn(IpAddr) -> bool) -> bool {
    let Some(ip) = address(given, 0).filter(|ip| wanted(*ip)) else { return false };
    let Some(subnet) = text(given, 1) else { return false };
    let Some((of, bits)) = subnet.split_once('/') else { return false };
    let (Ok(of), Ok(bits)) = (of.trim().parse::<IpAddr>(), bits.trim().parse::<u32>()) else { return false };
    let same = |a: u128, b: u128, width: u32| bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0);
    match (ip, of) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}
