//! Signals for CloudFormation's wait conditions, put to the URL of a handle: from inside a machine at
//! the API's address there, from the host at kiln's endpoint. No signature of AWS's is in them; who has
//! the URL may signal.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use kiln_cloudformation::{WAIT_CONDITION_PATH, signal_wait_condition};
use kiln_gateway::{Body, Client, HostHandler};
use kiln_service_kit::{Error, Platform};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The largest signal: AWS's data of 4,096 bytes, a reason, and room.
const MOST_BYTES: usize = 16 << 10;
/// Time to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Takes what is put to handles' URLs.
pub struct WaitConditions {
    pub platform: Arc<Platform>,
}

impl HostHandler for WaitConditions {
    fn takes(&self, _: &str, path: &str) -> bool {
        path.starts_with(WAIT_CONDITION_PATH)
    }

    fn handle(&self, request: Request<Incoming>, _: Client) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let platform = self.platform.clone();
        Box::pin(async move {
            let (status, text) = match signal(&platform, request).await {
                Ok(()) => (StatusCode::OK, String::new()),
                Err(error) => {
                    if error.status >= 500 {
                        tracing::error!(error = error.chain(), "a signal of a wait condition was not taken");
                    }
                    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    (status, format!("{}: {}\n", error.code, error.message))
                }
            };
            let mut response =
                Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = status;
            response
        })
    }
}

async fn signal(platform: &Platform, request: Request<Incoming>) -> Result<(), Error> {
    if request.method() != Method::PUT {
        return Err(Error::sender("MethodNotAllowed", "A wait condition is signaled by PUT.").with_status(405));
    }
    let url = request.uri().path_and_query().map(|path| path.as_str().to_owned());
    let body = tokio::time::timeout(BODY_TIME, Limited::new(request.into_body(), MOST_BYTES).collect()).await;
    let body =
        body.map_err(|_| Error::sender("RequestTimeout", "The signal did not arrive in time.").with_status(408))?;
    let body =
        body.map_err(|e| Error::sender("EntityTooLarge", format!("the signal cannot be taken: {e}")).with_status(413))?;
    signal_wait_condition(platform, url.as_deref().unwrap_or("/"), &body.to_bytes()).await
}
