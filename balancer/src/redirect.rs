//! Redirects: a new URL built from the old one's parts.

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderValue, Response};

use crate::answers::{Fault, own};
use crate::body::Body;
use crate::config::Redirect;
use crate::rules::host_of;

/// The parts a redirect may use.
struct Old<'a> {
    host: &'a str,
    port: String,
    path: &'a str,
    query: &'a str,
}

impl Old<'_> {
    fn fill(&self, template: &str) -> String {
        template
            .replace("#{protocol}", "http")
            .replace("#{host}", self.host)
            .replace("#{port}", &self.port)
            .replace("#{path}", self.path)
            .replace("#{query}", self.query)
    }
}

/// `protocol://host:port/path?query`
fn location(redirect: &Redirect, old: &Old<'_>) -> String {
    let mut url = format!(
        "{}://{}:{}{}",
        old.fill(&redirect.protocol).to_ascii_lowercase(),
        old.fill(&redirect.host),
        old.fill(&redirect.port),
        old.fill(&redirect.path)
    );
    let query = old.fill(&redirect.query);
    if !query.is_empty() {
        url.push('?');
        url.push_str(&query);
    }
    url
}

/// The answer to a request that is redirected.
pub(crate) fn respond(redirect: &Redirect, request: &Parts, dns_name: &str, port: u16) -> Response<Body> {
    let old = Old {
        host: host_of(request).unwrap_or(dns_name),
        port: port.to_string(),
        path: request.uri.path().strip_prefix('/').unwrap_or(request.uri.path()),
        query: request.uri.query().unwrap_or(""),
    };
    let Ok(location) = HeaderValue::from_str(&location(redirect, &old)) else {
        return Fault::BadRequest.response();
    };
    let (status, title) = if redirect.permanent { (301, "301 Moved Permanently") } else { (302, "302 Found") };
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = own(status, Some(HeaderValue::from_static("text/html")), Bytes::from(page));
    response.headers_mut().insert(LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(redirect: Redirect, uri: &str) -> String {
        let (parts, ()) = http::Request::get(uri).header("host", "shop.example:8080").body(()).unwrap().into_parts();
        let response = respond(&redirect, &parts, "lb", 8080);
        format!("{} {}", response.status().as_u16(), response.headers()[LOCATION].to_str().unwrap())
    }

    #[test]
    fn placeholders_are_filled() {
        let https = Redirect { protocol: "HTTPS".into(), port: "443".into(), permanent: true, ..Default::default() };
        assert_eq!(redirected(https, "/a/b?x=1"), "301 https://shop.example:443/a/b?x=1");
        let moved = Redirect {
            host: "new.#{host}".into(),
            path: "/v2/#{path}".into(),
            query: "from=#{port}&#{query}".into(),
            ..Default::default()
        };
        assert_eq!(redirected(moved, "/a?q=2"), "302 http://new.shop.example:8080/v2/a?from=8080&q=2");
        assert_eq!(redirected(Redirect::default(), "/"), "302 http://shop.example:8080/");
    }
}
