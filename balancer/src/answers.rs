//! The answers the balancer makes itself, as an application load balancer words them.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;

/// What the balancer answers when it cannot pass a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request makes no sense.
    BadRequest,
    /// TRACE.
    MethodNotAllowed,
    /// The client did not finish its request within the idle timeout.
    RequestTimeout,
    /// The request line is longer than 16 K.
    UriTooLong,
    /// X-Forwarded-For holds more than 30 addresses.
    TooManyForwarded,
    /// The target refused, hung up, or spoke nonsense.
    BadGateway,
    /// The target group has no target to send to.
    Unavailable,
    /// No connection within 10 s, or no answer within the idle timeout.
    GatewayTimeout,
}

impl Fault {
    pub(crate) fn status(self) -> u16 {
        match self {
            Fault::BadRequest => 400,
            Fault::MethodNotAllowed => 405,
            Fault::RequestTimeout => 408,
            Fault::UriTooLong => 414,
            Fault::TooManyForwarded => 463,
            Fault::BadGateway => 502,
            Fault::Unavailable => 503,
            Fault::GatewayTimeout => 504,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Fault::BadRequest => "400 Bad Request",
            Fault::MethodNotAllowed => "405 Not Allowed",
            Fault::RequestTimeout => "408 Request Time-out",
            Fault::UriTooLong => "414 Request-URI Too Large",
            Fault::TooManyForwarded => "463",
            Fault::BadGateway => "502 Bad Gateway",
            Fault::Unavailable => "503 Service Temporarily Unavailable",
            Fault::GatewayTimeout => "504 Gateway Time-out",
        }
    }

    /// The answer, with ALB's small HTML page.
    pub(crate) fn response(self) -> Response<Body> {
        let title = self.title();
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
             <center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        let html = Some(HeaderValue::from_static("text/html"));
        let mut response = own(self.status(), html, page.into());
        if matches!(self, Fault::BadRequest | Fault::RequestTimeout) {
            // What follows on this connection cannot be trusted.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An answer the balancer makes itself.
pub(crate) fn own(status: u16, content_type: Option<HeaderValue>, body: Bytes) -> Response<Body> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
    headers.insert(CONTENT_LENGTH, length);
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    response
}
