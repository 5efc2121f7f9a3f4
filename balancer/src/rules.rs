//! Which action a request gets: rules compiled from the config, looked at by priority.

use std::net::IpAddr;

use http::HeaderName;
use http::header::HOST;
use http::request::Parts;
use kiln_ids::{Glob, IpNet, block};
use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::config::{Condition, RuleConfig};

/// A condition ready to be looked at.
#[derive(Debug)]
pub(crate) enum Test {
    Path(Vec<Glob>),
    Host(Vec<Glob>),
    Header(HeaderName, Vec<Glob>),
    PathRegex(RegexSet),
    HostRegex(RegexSet),
    HeaderRegex(HeaderName, RegexSet),
    Method(Vec<String>),
    Query(Vec<(Option<Glob>, Glob)>),
    Source(Vec<IpNet>),
}

/// Why a condition makes no sense: which value, and the value.
pub(crate) type BadValue = (&'static str, String);

/// Compiles a rule's conditions.
pub(crate) fn compile(rule: &RuleConfig) -> Result<Vec<Test>, BadValue> {
    rule.conditions.iter().map(compile_one).collect()
}

fn patterns(values: &[String], folded: bool) -> Vec<Glob> {
    values.iter().map(|v| Glob::escaped(v, folded)).collect()
}

fn header(name: &str) -> Result<HeaderName, BadValue> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| ("header name", name.to_owned()))
}

/// Greatest size of the compiled expressions of one condition, and of what each of the balancer's
/// threads may keep to match them faster: 128 characters with counts in counts can be made to ask
/// for any amount of memory, and a load balancer has a hundred rules.
const REGEX_SIZE: usize = 64 * 1024;

/// Compiles regular expressions, in the language that AWS's have: no look-around, no references to
/// groups, no Unicode classes. They match in time linear in the text.
pub fn regexes(values: &[String], ignore_case: bool) -> Result<RegexSet, String> {
    let mut builder = RegexSetBuilder::new(values);
    builder.unicode(false).case_insensitive(ignore_case).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE);
    builder.build().map_err(|error| error.to_string())
}

fn compile_one(condition: &Condition) -> Result<Test, BadValue> {
    let regex = |values: &[String], ignore_case| regexes(values, ignore_case).map_err(|error| ("regex", error));
    Ok(match condition {
        Condition::PathPattern(values) => Test::Path(patterns(values, false)),
        Condition::HostHeader(values) => Test::Host(patterns(values, true)),
        Condition::HttpHeader { name, values } => Test::Header(header(name)?, patterns(values, true)),
        Condition::PathRegex(values) => Test::PathRegex(regex(values, false)?),
        Condition::HostRegex(values) => Test::HostRegex(regex(values, true)?),
        Condition::HeaderRegex { name, values } => Test::HeaderRegex(header(name)?, regex(values, false)?),
        Condition::RequestMethod(values) => Test::Method(values.clone()),
        Condition::QueryString(values) => Test::Query(
            values.iter().map(|(k, v)| (k.as_ref().map(|k| Glob::escaped(k, true)), Glob::escaped(v, true))).collect(),
        ),
        Condition::SourceIp(values) => Test::Source(
            values.iter().map(|v| block(v).ok_or_else(|| ("source-ip", v.clone()))).collect::<Result<_, _>>()?,
        ),
    })
}

/// Do all conditions hold?
pub(crate) fn all_hold(tests: &[Test], request: &Parts, client: IpAddr) -> bool {
    tests.iter().all(|test| holds(test, request, client))
}

fn any(patterns: &[Glob], text: &str) -> bool {
    patterns.iter().any(|p| p.matches(text))
}

fn holds(test: &Test, request: &Parts, client: IpAddr) -> bool {
    let values = |name: &HeaderName| {
        request.headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok()).collect::<Vec<_>>()
    };
    match test {
        Test::Path(patterns) => any(patterns, request.uri.path()),
        Test::Host(patterns) => host_of(request).is_some_and(|host| any(patterns, host)),
        Test::Header(name, patterns) => values(name).into_iter().any(|v| any(patterns, v)),
        Test::PathRegex(set) => set.is_match(request.uri.path().as_bytes()),
        Test::HostRegex(set) => {
            let bare = host_of(request).is_some_and(|host| set.is_match(host.as_bytes()));
            bare || values(&HOST).into_iter().any(|v| set.is_match(v.as_bytes()))
        }
        Test::HeaderRegex(name, set) => values(name).into_iter().any(|v| set.is_match(v.as_bytes())),
        Test::Method(methods) => methods.iter().any(|m| m == request.method.as_str()),
        Test::Query(wanted) => request.uri.query().is_some_and(|query| {
            query.split('&').any(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                wanted.iter().any(|(k, v)| k.as_ref().is_none_or(|k| k.matches(key)) && v.matches(value))
            })
        }),
        Test::Source(networks) => networks.iter().any(|network| network.contains(&client)),
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
        assert!(matches(query(Some("q"), r"\*all\?"), get("/?Q=*ALL?")));
        assert!(!matches(query(Some("q"), r"\*all\?"), get("/?q=xally")));
        let path = |p| PathRegex(values(&[p]));
        assert!(matches(path("^/[a-z]{2}(-[A-Z]{2})?/i/"), get("/de-CH/i/1?x")));
        assert!(!matches(path("^/[a-z]{2}(-[A-Z]{2})?/i/"), get("/deu/i/1")));
        assert!(!matches(path("^/A"), get("/a")), "paths are case sensitive");
        assert!(matches(path(r"^/[^/]+/\d+$"), get("/a/17")));
        let host = |p| HostRegex(values(&["^no$", p]));
        assert!(matches(host(r"^shop\.EXAMPLE\.com$"), get("/")), "hosts are not");
        assert!(matches(host(r"^shop\.example\.com:8080$"), get("/")));
        assert!(!matches(host(r"^example\.com"), get("/")));
        let header = |v| HeaderRegex { name: "user-agent".into(), values: values(&[v]) };
        assert!(matches(header("(Chrome|Safari)/[0-9]+"), get("/").header("User-Agent", "x Safari/17")));
        assert!(!matches(header("(Chrome|Safari)/[0-9]+"), get("/")));
    }

    #[test]
    fn nonsense_is_refused() {
        for regex in ["(", r"\p{L}", "(?=a)", r"(a)\1", "((((a{99}){99}){99}){99})"] {
            assert!(compile_one(&Condition::PathRegex(values(&[regex]))).is_err(), "{regex}");
        }
        for cidr in ["10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert!(compile_one(&Condition::SourceIp(values(&[cidr]))).is_err(), "{cidr}");
        }
    }
}
