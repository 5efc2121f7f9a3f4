//! The port: accepts connections, takes bodies with a bound, and walks the phases.

use crate::answer::{self, Body};
use crate::authenticate::Authenticator;
use crate::{decode, name};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::{Cx, Platform, Scope, invoke};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Takes over requests by their Host header: load balancers on the main port.
pub trait HostHandler: Send + Sync {
    /// Whether this host name (without port, lower case) is its own.
    fn takes(&self, host: &str) -> bool;
    /// Answers the request.
    fn handle(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

/// Bounds of what a client may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request body. The largest real ones are templates (1 MB) and policies.
    pub body: usize,
    /// Time a client has to send its header.
    pub header_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 << 20, header_time: Duration::from_secs(30) }
    }
}

/// The front door of a platform. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    platform: Arc<Platform>,
    authenticator: Authenticator,
    hosts: Vec<Arc<dyn HostHandler>>,
    limits: Limits,
}

impl Gateway {
    pub fn new(platform: Arc<Platform>, hosts: Vec<Arc<dyn HostHandler>>, limits: Limits) -> Self {
        Self { shared: Arc::new(Shared { authenticator: Authenticator::new(), platform, hosts, limits }) }
    }

    /// Serves connections until `stop` turns true.
    pub async fn serve(&self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, client)) => {
                    // Answers are small; waiting to fill a packet would cost 40 ms each.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    tokio::spawn(self.clone().connection(stream, client));
                }
                Err(error) => {
                    // Out of file descriptors: let some connections end first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self, stream: tokio::net::TcpStream, client: SocketAddr) {
        let service = hyper::service::service_fn(move |request| {
            let gateway = self.clone();
            async move { Ok::<_, Infallible>(gateway.answer(request, client).await) }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Limits::default().header_time);
        if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
            tracing::debug!(%client, %error, "a connection ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Response<Body> {
        let host = host_of(&request);
        if let Some(handler) = self.shared.hosts.iter().find(|h| h.takes(&host)) {
            return handler.handle(request, client).await;
        }
        let (head, body) = request.into_parts();
        let request_id = self.shared.platform.ids().uuid();
        match Limited::new(body, self.shared.limits.body).collect().await {
            Ok(body) => self.call(head, body.to_bytes(), &host, client, &request_id).await,
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                let text = format!("The request body exceeds {} bytes.", self.shared.limits.body);
                let error = Error::sender("RequestEntityTooLargeException", text).with_status(413);
                answer::error(name::protocol_guess(&head), None, &error, &request_id)
            }
            Err(error) => {
                tracing::debug!(%client, %error, "a request body broke off");
                let error = Error::sender("IncompleteBody", "The request body ended early.");
                answer::error(name::protocol_guess(&head), None, &error, &request_id)
            }
        }
    }

    async fn call(
        &self,
        head: http::request::Parts,
        body: Bytes,
        host: &str,
        client: SocketAddr,
        request_id: &str,
    ) -> Response<Body> {
        let platform = &self.shared.platform;
        let call = match name::name(platform, &head, &body, host) {
            Ok(call) => call,
            Err(refusal) => return answer::error(refusal.protocol, None, &refusal.error, request_id),
        };
        let refuse = |error: &Error| answer::error(call.protocol, Some(call.model), error, request_id);
        let who = match self.shared.authenticator.authenticate(platform, &call, &head, &body) {
            Ok(who) => who,
            Err(error) => return refuse(&error),
        };
        let Some(operation) = platform.operation(call.model.name, &call.operation) else {
            return refuse(&not_served(&call));
        };
        let value = match decode::decode(&call, operation, &head, &body) {
            Ok(value) => value,
            Err(error) => return refuse(&error),
        };
        let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
        let cx = Cx::new(platform.clone(), scope, who.caller, request_id).from_ip(client.ip()).via_host(host);
        match invoke(&cx, operation, value).await {
            Ok(value) => answer::success(&call, operation, &value, request_id),
            Err(error) => {
                if error.status >= 500 && error.status != 501 {
                    tracing::error!(service = call.model.name, operation = %call.operation, %error, "an operation failed");
                }
                refuse(&error)
            }
        }
    }
}

/// An operation AWS has and Kiln does not, or one nobody has: told apart by the model's list.
fn not_served(call: &name::Call<'_>) -> Error {
    let full = format!("{}:{}", call.model.signing_name, call.operation);
    if call.model.operations.contains(&call.operation.as_str()) {
        return Error::not_built(full);
    }
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::Cbor => {
            Error::sender("UnknownOperationException", format!("{full} is not an operation of this service."))
        }
        _ => {
            Error::sender("InvalidAction", format!("The action {} is not valid for this web service.", call.operation))
        }
    }
}

/// Host header or authority, lower case, without the port.
fn host_of<B>(request: &Request<B>) -> String {
    let host = request
        .uri()
        .host()
        .or_else(|| request.headers().get(http::header::HOST).and_then(|h: &HeaderValue| h.to_str().ok()))
        .unwrap_or("");
    let host = host.rsplit_once(':').map_or(
        host,
        |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
        },
    );
    host.to_ascii_lowercase()
}
