//! Open mode and web pages. Nothing proves there who asks, and any page that somebody looks at on this
//! machine can make its browser send requests to loopback addresses: forms, pictures, links; and, by
//! letting its own name point here (DNS rebinding), whatever it likes. What is refused:
//!
//! - a **Host** that is not kiln's own: `localhost`, a name below it, or a loopback address. A page
//!   cannot have one of these for its own name. Names of AWS's (`s3.amazonaws.com`) are not among them:
//!   only a proxy or a changed hosts file leads them here, and both can name `localhost` as well;
//! - an **Origin** other than a program's on this machine: `localhost`, `127.0.0.1` or `[::1]` with a port
//!   that is not kiln's. Pages at kiln's port come out of buckets and load balancers, pages at other
//!   loopback addresses out of load balancers: both are what machines and callers put there. `null` is
//!   nobody;
//! - a **change** asked for in a way that a page can ask without the browser's asking us first (CORS
//!   preflight, which is never granted): by GET or HEAD without one of AWS's own headers, or by a page of
//!   another site, or of kiln's own port, as `Sec-Fetch-Site` says. A signature in the address proves nothing
//!   here, since any keys do.
//!
//! What only reads goes on: a page cannot see the answer, and links to objects are meant to be followed.

use crate::client::plain_name;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use kiln_protocol::Error;
use std::net::IpAddr;

/// Beginnings of the names of AWS's operations that change nothing.
const READING: [&str; 4] = ["Get", "Describe", "List", "Head"];
/// Those of them that make something: GetSessionToken, GetFederationToken.
const MAKING: &str = "Token";

/// Refuses a call that a web page may have sent.
pub fn refuse(head: &Parts, operation: &str) -> Result<(), Error> {
    own_host(head)?;
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = header("origin")
        && !is_program(origin, head)
    {
        return Err(refused("In open mode kiln does not answer to web pages of other hosts."));
    }
    let reads = READING.iter().any(|start| operation.starts_with(start)) && !operation.ends_with(MAKING);
    if reads {
        return Ok(());
    }
    if header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-site" | "none")) {
        return Err(refused("In open mode kiln changes nothing for web pages of other sites."));
    }
    if matches!(head.method, Method::GET | Method::HEAD) && !has_client_header(&head.headers) {
        let text = format!(
            "In open mode kiln takes {operation} by {} only from AWS's clients, since a web page could send it. Use POST.",
            head.method
        );
        return Err(refused(&text));
    }
    Ok(())
}

fn refused(text: &str) -> Error {
    Error::sender("AccessDenied", text).with_status(403)
}

/// Every name that the request gives must be kiln's own. Programs may give none; browsers always do.
fn own_host(head: &Parts) -> Result<(), Error> {
    let given = head.headers.get_all(http::header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    match given.chain(head.uri.host()).find(|host| !host.is_empty() && !is_own(&plain_name(host))) {
        None => Ok(()),
        Some(host) => {
            let shown: String = host.chars().take(100).filter(|c| !c.is_control()).collect();
            let text = format!(
                "In open mode kiln answers at localhost, names below it and loopback addresses, not at {shown}: a web \
                 page could have sent this. For other names use --auth enforced."
            );
            Err(refused(&text))
        }
    }
}

fn is_own(name: &str) -> bool {
    let address = || name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address().is_ok_and(|address| address.is_loopback())
}

/// A program's page on this machine, which kiln itself did not serve.
fn is_program(origin: &str, head: &Parts) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let on_this_machine = uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    on_this_machine && port_of(&uri) != port_here(head)
}

fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// The port that the request was sent to, as its sender says.
fn port_here(head: &Parts) -> u16 {
    let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let given = host.and_then(|host| host.rsplit_once(':')?.1.parse().ok());
    head.uri.port_u16().or(given).unwrap_or(80)
}

/// Headers that AWS's clients send and a page cannot without asking first. `Authorization: Basic` is none:
/// an address with a password in it makes browsers send it.
fn has_client_header(headers: &HeaderMap) -> bool {
    let signed = headers.get(http::header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS"));
    signed || headers.keys().any(|name| name.as_str().starts_with("x-amz-") || name.as_str().starts_with("amz-sdk-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &str, operation: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/?Action=X");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        refuse(&request.body(()).expect("a good request").into_parts().0, operation).is_ok()
    }

    #[test]
    fn hosts_that_are_kiln_s_own() {
        let at = |host: &str| judged("POST", "CreateUser", &[("host", host)]);
        for host in
            ["localhost", "LOCALHOST:4566", "docs.s3.localhost", "127.0.0.1:4566", "127.3.2.1", "[::1]:1", "localhost."]
        {
            assert!(at(host), "{host}");
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "evil-localhost",
            "10.0.0.1",
            "s3.amazonaws.com",
            "[::2]",
            "0.0.0.0",
            "127.0.0.1.nip.io",
        ] {
            assert!(!at(host), "{host}");
        }
        assert!(judged("POST", "CreateUser", &[]), "a program may give none");
        assert!(!judged("GET", "ListUsers", &[("host", "evil.test")]), "also for what only reads");
        assert!(!judged("POST", "CreateUser", &[("host", "localhost"), ("host", "evil.test")]));
    }

    #[test]
    fn pages_that_programs_on_this_machine_serve() {
        let of = |origin: &str| judged("POST", "CreateUser", &[("host", "localhost:4566"), ("origin", origin)]);
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://localhost", "http://[::1]:8080"] {
            assert!(of(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.test",
            "http://shop.elb.localhost:4566",
            "http://127.64.0.1",
            "http://localhost:4566",
            "file://",
        ] {
            assert!(!of(origin), "{origin}");
        }
    }

    #[test]
    fn changes_that_a_page_could_ask_for() {
        let amz = ("x-amz-date", "20260101T000000Z");
        assert!(!judged("GET", "CreateUser", &[]));
        assert!(!judged("HEAD", "CreateUser", &[]));
        assert!(!judged("GET", "GetSessionToken", &[]));
        assert!(!judged("GET", "CreateUser", &[("authorization", "Basic YTpi")]));
        assert!(judged("GET", "CreateUser", &[amz]));
        assert!(judged("GET", "CreateUser", &[("authorization", "AWS4-HMAC-SHA256 Credential=x")]));
        assert!(judged("POST", "CreateUser", &[]));
        assert!(judged("GET", "ListUsers", &[]));
        for site in ["cross-site", "same-origin", "nonsense"] {
            assert!(!judged("POST", "CreateUser", &[amz, ("sec-fetch-site", site)]), "{site}");
            assert!(judged("GET", "GetObject", &[("sec-fetch-site", site)]), "{site}");
        }
        assert!(judged("POST", "CreateUser", &[("sec-fetch-site", "same-site")]));
    }
}
