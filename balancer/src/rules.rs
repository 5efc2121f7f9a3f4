//! Which action a request gets: rules compiled from the config, looked at by priority.

use std::net::IpAddr;

use http::HeaderName;
use http::header::HOST;
use http::request::Parts;

use crate::config::{Condition, RuleConfig};

/// A condition ready to be looked at.
#[derive(Debug)]
pub(crate) enum Test {
    Path(Vec<String>),
    Host(Vec<String>),
    Header(HeaderName, Vec<String>),
    Method(Vec<String>),
    Query(Vec<(Option<String>, String)>),
    Source(Vec<(IpAddr, u8)>),
}

/// Why a condition makes no sense: which value, and the value.
pub(crate) type BadValue = (&'static str, String);

/// Compiles a rule's conditions.
pub(crate) fn compile(rule: &RuleConfig) -> Result<Vec<Test>, BadValue> {
    rule.conditions.iter().map(compile_one).collect()
}

fn lower(values: &[String]) -> Vec<String> {
    values.iter().map(|v| v.to_ascii_lowercase()).collect()
}

fn compile_one(condition: &Condition) -> Result<Test, BadValue> {
    Ok(match condition {
        Condition::PathPattern(values) => Test::Path(values.clone()),
        Condition::HostHeader(values) => Test::Host(lower(values)),
        Condition::HttpHeader { name, values } => Test::Header(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| ("header name", name.clone()))?,
            lower(values),
        ),
        Condition::RequestMethod(values) => Test::Method(values.clone()),
        Condition::QueryString(values) => Test::Query(
            values.iter().map(|(k, v)| (k.as_ref().map(|k| k.to_ascii_lowercase()), v.to_ascii_lowercase())).collect(),
        ),
        Condition::SourceIp(values) => Test::Source(
            values.iter().map(|v| parse_cidr(v).ok_or_else(|| ("source-ip", v.clone()))).collect::<Result<_, _>>()?,
        ),
    })
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

pub(crate) fn in_cidr(address: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

/// Do all conditions hold?
pub(crate) fn all_hold(tests: &[Test], request: &Parts, client: IpAddr) -> bool {
    tests.iter().all(|test| holds(test, request, client))
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|p| wildcard(p.as_bytes(), text.as_bytes()))
}

fn holds(test: &Test, request: &Parts, client: IpAddr) -> bool {
    match test {
        Test::Path(patterns) => any(patterns, request.uri.path()),
        Test::Host(patterns) => host_of(request).is_some_and(|host| any(patterns, &host.to_ascii_lowercase())),
        Test::Header(name, patterns) => request
            .headers
            .get_all(name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .any(|v| any(patterns, &v.to_ascii_lowercase())),
        Test::Method(methods) => methods.iter().any(|m| m == request.method.as_str()),
        Test::Query(wanted) => {
            let query = request.uri.query().map(str::to_ascii_lowercase);
            query.as_deref().is_some_and(|query| {
                query.split('&').any(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    wanted.iter().any(|(k, v)| {
                        k.as_ref().is_none_or(|k| wildcard(k.as_bytes(), key.as_bytes()))
                            && wildcard(v.as_bytes(), value.as_bytes())
                    })
                })
            })
        }
        Test::Source(networks) => networks.iter().any(|network| in_cidr(client, *network)),
    }
}

/// The request's host without the port.
pub(crate) fn host_of(request: &Parts) -> Option<&str> {
    let host = request.headers.get(HOST)?.to_str().ok()?;
    Some(match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    })
}

/// `*` any run, `?` exactly one; linear in practice, at worst pattern × text.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            p = star_p + 1;
            t = star_t + 1;
            star = Some((star_p, star_t + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(condition: Condition, request: http::request::Builder) -> bool {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let rule = RuleConfig {
            priority: 1,
            conditions: vec![condition],
            action: crate::Action::Redirect(crate::Redirect::default()),
        };
        all_hold(&compile(&rule).unwrap(), &parts, "192.0.2.77".parse().unwrap())
    }

    fn get(uri: &str) -> http::request::Builder {
        http::Request::get(uri).header("host", "Shop.Example.com:8080")
    }

    fn values(v: &[&str]) -> Vec<String> {
        v.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/img/*", "/img/a/b.png", true),
            ("/img/*", "/img", false),
            ("/img/*/pics", "/img/x/y/pics", true),
            ("/?.png", "/a.png", true),
            ("/?.png", "/.png", false),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn each_condition_looks_at_its_part_of_the_request() {
        use Condition::*;
        let path = |p| PathPattern(values(&[p]));
        assert!(matches(path("/cart/*"), get("/cart/1?x=/no")));
        assert!(!matches(path("/Cart/*"), get("/cart/1")), "paths are case sensitive");
        let host = |p| HostHeader(values(&["other.org", p]));
        assert!(matches(host("*.example.COM"), get("/")), "hosts are not");
        assert!(!matches(host("example.com"), get("/")));
        let header = |v| HttpHeader { name: "User-Agent".into(), values: values(&[v]) };
        assert!(matches(header("*chrome*"), get("/").header("user-agent", "a Chrome b")));
        assert!(!matches(header("*chrome*"), get("/")));
        assert!(matches(RequestMethod(values(&["PUT", "GET"])), get("/")));
        assert!(!matches(RequestMethod(values(&["PUT"])), get("/")));
        let query = |k: Option<&str>, v: &str| QueryString(vec![(k.map(str::to_owned), v.to_owned())]);
        assert!(matches(query(Some("version"), "V1"), get("/?a=b&version=v1")));
        assert!(!matches(query(Some("version"), "v1"), get("/?other=v1")));
        assert!(matches(query(None, "*ex*"), get("/?q=text")));
        assert!(!matches(query(None, "*"), get("/")));
        assert!(matches(SourceIp(values(&["192.0.2.0/24"])), get("/")));
        assert!(!matches(SourceIp(values(&["192.0.3.0/24", "2001:db8::/32"])), get("/")));
        assert!(matches(SourceIp(values(&["0.0.0.0/0"])), get("/")));
    }

    #[test]
    fn nonsense_is_refused() {
        for cidr in ["10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert!(compile_one(&Condition::SourceIp(values(&[cidr]))).is_err(), "{cidr}");
        }
    }
}
