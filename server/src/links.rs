//! The links in the messages of topics: to confirm a subscription, to end one, and the certificate of their signatures. At
//! the host's door; no signature of AWS's is in them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use kiln_gateway::{Body, Client, HostHandler};
use kiln_service_kit::{Map, Platform};
use kiln_sns::DOOR_PATH;
use std::pin::Pin;
use std::sync::Arc;

/// Answers what is got from the links' path.
pub struct Links {
    pub platform: Arc<Platform>,
}

impl HostHandler for Links {
    fn takes(&self, _: &str, path: &str) -> bool {
        path.starts_with(DOOR_PATH)
    }

    fn handle(&self, request: Request<Incoming>, _: Client) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let platform = self.platform.clone();
        Box::pin(async move {
            if request.method() != Method::GET {
                return answer(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "text/plain; charset=utf-8",
                    "A link is got.\n".to_owned(),
                    0,
                );
            }
            let uri = request.uri();
            let query: Map<String> =
                form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect();
            let path = uri.path().strip_prefix(DOOR_PATH).unwrap_or_default().to_owned();
            let (status, kind, text, kept) = kiln_sns::answer(&platform, &path, &query).await;
            answer(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), kind, text, kept)
        })
    }
}

fn answer(status: StatusCode, kind: &'static str, text: String, kept: u64) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let cached = if kept == 0 { "no-store".to_owned() } else { format!("max-age={kept}") };
    headers.extend(HeaderValue::from_str(&cached).ok().map(|cached| (CACHE_CONTROL, cached)));
    response
}
