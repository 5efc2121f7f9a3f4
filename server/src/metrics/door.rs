//! Who may read the page of metrics.
//!
//! - A program of this host: it comes from a loopback address and asks for `localhost` or a loopback address.
//!   Not on behalf of others: what a proxy passes on says so (`Via`, `Forwarded`, `X-Forwarded-*`, `X-Real-IP`), and
//!   comes from wherever its client is.
//! - From elsewhere, where kiln listens for others too: who signs as the root user, for the service `kiln`.
//! - No web page, from wherever: what a browser sends on a page's behalf says so (`Origin`, `Referer`,
//!   `Sec-Fetch-Site`), and a page that has its own name lead here (DNS rebinding) asks for that name. What lies
//!   at such names, and at those of buckets and load balancers, is not this page.
//! - No machine: the doors in networks have other handlers.

use super::Metrics;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, FORWARDED, HeaderName, ORIGIN, REFERER, VIA, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use kiln_gateway::{Authenticator, Body, Client, HostHandler, host_of};
use kiln_service_kit::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// Where the page is. No bucket can be called that.
const PATH: &str = "/_kiln/metrics";
/// The service that a caller from elsewhere signs for.
const SIGNED_FOR: &str = "kiln";

/// Takes requests for the page, at the host's door.
pub struct MetricsDoor {
    metrics: Arc<Metrics>,
    authenticator: Arc<Authenticator>,
}

impl MetricsDoor {
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics: Arc::new(metrics), authenticator: Arc::default() }
    }
}

impl HostHandler for MetricsDoor {
    fn takes(&self, host: &str, path: &str) -> bool {
        path == PATH && (host == "localhost" || address(host).is_some())
    }

    fn handle(
        &self,
        request: Request<Incoming>,
        client: Client,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let (metrics, authenticator) = (self.metrics.clone(), self.authenticator.clone());
        Box::pin(async move {
            let (head, _) = request.into_parts();
            let signed = || authenticator.require_root(&metrics.platform, SIGNED_FOR, &head);
            let page = match admit(&head, &client, signed) {
                Ok(()) => metrics.page().await,
                Err(error) => {
                    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::FORBIDDEN);
                    return answer(status, format!("{}: {}\n", error.code, error.message));
                }
            };
            match page {
                Ok(page) => answer(StatusCode::OK, page),
                Err(error) => {
                    tracing::error!(error, "the page of metrics could not be made");
                    answer(StatusCode::INTERNAL_SERVER_ERROR, "Kiln cannot make the page; its log says why.\n".into())
                }
            }
        })
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn admit(head: &Parts, client: &Client, signed: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Error::sender("MethodNotAllowed", "Metrics are read by GET.").with_status(405));
    }
    let fetched = head.headers.get_all("sec-fetch-site").iter().any(|site| site != "none");
    if fetched || head.headers.contains_key(ORIGIN) || head.headers.contains_key(REFERER) {
        return Err(Error::sender("AccessDenied", "Metrics are not for web pages.").with_status(403));
    }
    let host = host_of(&head.uri, &head.headers);
    let own = host == "localhost" || address(&host).is_some_and(|address| address.to_canonical().is_loopback());
    let itself = client.vpc.is_none() && client.ip().to_canonical().is_loopback() && !is_passed_on(head);
    match itself && own {
        true => Ok(()),
        false => signed(),
    }
}

/// Whether a proxy says that it asks for somebody else.
fn is_passed_on(head: &Parts) -> bool {
    let says_so = |name: &HeaderName| *name == VIA || *name == FORWARDED || name.as_str() == "x-real-ip";
    head.headers.keys().any(|name| says_so(name) || name.as_str().starts_with("x-forwarded-"))
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(prometheus_client::encoding::prometheus_text::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request is let in, and whether that needed a signature.
    fn judged(client: &str, vpc: Option<&str>, headers: &[(&str, &str)]) -> (bool, bool) {
        let mut request = Request::builder().uri(PATH);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).expect("a good request").into_parts().0;
        let client = Client { address: client.parse().expect("an address"), vpc: vpc.map(Into::into) };
        let mut asked = false;
        let let_in = admit(&head, &client, || {
            asked = true;
            Err(Error::sender("AccessDenied", "not signed"))
        });
        (let_in.is_ok(), asked)
    }

    #[test]
    fn programs_of_this_host_read_it_and_others_sign() {
        let localhost = ("host", "localhost:4566");
        assert_eq!(judged("127.0.0.1:1", None, &[localhost]), (true, false));
        assert_eq!(judged("[::1]:1", None, &[("host", "[::1]:4566")]), (true, false));
        assert_eq!(judged("[::ffff:127.0.0.1]:1", None, &[("host", "127.0.0.1")]), (true, false));
        assert_eq!(judged("192.0.2.1:1", None, &[("host", "192.0.2.9:4566")]), (false, true));
        assert_eq!(judged("192.0.2.1:1", None, &[localhost]), (false, true), "who comes counts, not what they ask for");
        assert_eq!(judged("127.0.0.1:1", None, &[("host", "192.0.2.9")]), (false, true));
        assert_eq!(judged("127.0.0.1:1", Some("vpc-1"), &[localhost]), (false, true), "a network's own loopback");
    }

    #[test]
    fn what_a_proxy_of_this_host_passes_on_is_signed() {
        let localhost = ("host", "localhost:4566");
        for header in [
            ("via", "1.1 proxy"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("X-Forwarded-Proto", "https"),
            ("x-forwarded-host", "kiln.example"),
            ("x-real-ip", "127.0.0.1"),
        ] {
            assert_eq!(judged("127.0.0.1:1", None, &[localhost, header]), (false, true), "{header:?}");
        }
    }

    #[test]
    fn no_web_page_reads_it() {
        let localhost = ("host", "localhost:4566");
        for header in [
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
            ("referer", "http://localhost:4566/bucket/page.html"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(judged("127.0.0.1:1", None, &[localhost, header]), (false, false), "{header:?}");
        }
        let typed = ("sec-fetch-site", "none");
        assert_eq!(judged("127.0.0.1:1", None, &[localhost, typed]), (true, false), "typed by a person");
    }
}
