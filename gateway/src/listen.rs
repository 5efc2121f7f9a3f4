//! The port: accepts connections, takes bodies with a bound, and walks the phases.

use crate::answer::{self, Body};
use crate::authenticate::{self, Authenticator};
use crate::body::{Bodies, Taken};
use crate::client::{Client, host_of};
use crate::directory::Directory;
use crate::finish::called;
use crate::rest::{self, RestCall};
use crate::{decode, name};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kiln_doors::{API, API_IN_VPC, Door, Patient, Seldom, Ticket};
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::{Cx, Platform, Scope, regions};
use kiln_signing::Body as SignedBody;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Takes over requests that are no API calls, by their Host header or path: load balancers on the
/// main port, URLs that the platform gave out.
pub trait HostHandler: Send + Sync {
    /// Whether this host name (see [`host_of`]) or this path is its own.
    fn takes(&self, host: &str, path: &str) -> bool;
    /// Answers the request.
    fn handle(
        &self,
        request: Request<Incoming>,
        client: Client,
    ) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

/// Bounds of what a client may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request body. The largest real ones are templates (1 MB) and policies.
    pub body: usize,
    /// Bytes of all request bodies in hand together; more wait for their turn.
    pub bodies: usize,
    /// Time a client has to send its first header, or its next one.
    pub header_time: Duration,
    /// Time a client has to send its body.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            // Eight of the largest.
            bodies: 128 << 20,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
        }
    }
}

/// A door of a platform: the host's own, or one in a network. Clones and further doors share everything
/// but who else answers there.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    hosts: Arc<[Arc<dyn HostHandler>]>,
    /// The network that the door stands in; none: the host's.
    vpc: Option<Arc<str>>,
    door: Arc<Door>,
}

/// What a connection does, to know when it does nothing.
#[derive(Default)]
struct Doing {
    in_hand: AtomicU32,
    begun: AtomicU64,
}

/// A request in hand, until it is answered or its client has gone.
struct InHand(Arc<Doing>);

impl InHand {
    fn new(doing: &Arc<Doing>) -> Self {
        doing.in_hand.fetch_add(1, Ordering::Relaxed);
        doing.begun.fetch_add(1, Ordering::Relaxed);
        Self(doing.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

static NOT_ACCEPTED: Seldom = Seldom::new();
/// Streams of one HTTP/2 connection: what AWS's clients use of it is one.
const MOST_STREAMS: u32 = 16;

struct Shared {
    platform: Arc<Platform>,
    directory: Directory,
    authenticator: Authenticator,
    limits: Limits,
    bodies: Bodies,
}

impl Gateway {
    /// The host's door; `hosts` answer there too. `directory` is that of the platform's services, made before
    /// anything is started: what cannot be told apart keeps all from starting.
    pub fn new(
        platform: Arc<Platform>,
        directory: Directory,
        hosts: Vec<Arc<dyn HostHandler>>,
        limits: Limits,
    ) -> Self {
        let (authenticator, bodies) = (Authenticator::new(), Bodies::new(limits));
        let shared = Arc::new(Shared { authenticator, platform, directory, limits, bodies });
        Self { shared, hosts: hosts.into(), vpc: None, door: Arc::new(Door::new(&API, "")) }
    }

    /// A door in the network `vpc`. Who answers at the host's door does not answer there, only `hosts`.
    pub fn in_network(&self, vpc: &str, hosts: Vec<Arc<dyn HostHandler>>) -> Self {
        let door = Arc::new(Door::new(&API_IN_VPC, vpc));
        Self { shared: self.shared.clone(), hosts: hosts.into(), vpc: Some(vpc.into()), door }
    }

    pub(crate) fn platform(&self) -> &Arc<Platform> {
        &self.shared.platform
    }
    pub(crate) fn directory(&self) -> &Directory {
        &self.shared.directory
    }
    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.shared.authenticator
    }
    pub(crate) fn limits(&self) -> Limits {
        self.shared.limits
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
                    let Some(ticket) = self.door.admit(client.ip()) else { continue };
                    // Answers are small; waiting to fill a packet would cost 40 ms each.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    tokio::spawn(self.clone().connection(stream, client, ticket));
                }
                Err(error) => {
                    // Out of file descriptors: let some connections end first.
                    if let Some(unsaid) = NOT_ACCEPTED.now() {
                        tracing::warn!(%error, unsaid, "cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self, stream: tokio::net::TcpStream, client: std::net::SocketAddr, ticket: Ticket) {
        let limits = self.shared.limits;
        let at = Client { address: client, vpc: self.vpc.clone() };
        let doing = Arc::<Doing>::default();
        let seen = doing.clone();
        let service = hyper::service::service_fn(move |request| {
            let in_hand = InHand::new(&seen);
            let (gateway, at) = (self.clone(), at.clone());
            async move {
                let _in_hand = in_hand;
                Ok::<_, Infallible>(gateway.respond(request, at).await)
            }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        // Also the time between two requests.
        server.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_time);
        server.http2().timer(TokioTimer::new()).keep_alive_interval(limits.header_time);
        server.http2().max_concurrent_streams(MOST_STREAMS);
        let connection = server.serve_connection_with_upgrades(TokioIo::new(Patient::new(stream, ticket)), service);
        let mut connection = std::pin::pin!(connection);
        // The header's own time limit begins once the version of HTTP is known, and HTTP/2 has none: a client
        // that asks for nothing would stay for ever.
        let (mut begun, mut ending) = (0, false);
        let ended = loop {
            tokio::select! {
                ended = &mut connection => break ended,
                () = tokio::time::sleep(limits.header_time) => {
                    let now = doing.begun.load(Ordering::Relaxed);
                    let idle = now == begun && doing.in_hand.load(Ordering::Relaxed) == 0;
                    begun = now;
                    if idle && now == 0 {
                        tracing::debug!(%client, "a connection asked for nothing");
                        return;
                    }
                    if idle && !ending {
                        // What is still being sent goes on.
                        ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%client, %error, "a connection ended early");
        }
    }

    /// Answers one request: somebody else who answers at this door, or the API.
    async fn respond(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let host = host_of(request.uri(), request.headers());
        match self.hosts.iter().find(|h| h.takes(&host, request.uri().path())) {
            Some(handler) => handler.handle(request, client).await,
            None => self.call_api(request, client).await,
        }
    }

    /// A refusal in the protocol that the request seems to speak.
    pub fn refusal(&self, head: &http::request::Parts, error: &Error) -> Response<Body> {
        answer::error(name::protocol_guess(self.directory(), head), None, error, &self.shared.platform.ids().uuid())
    }

    /// Answers one request to the API, whoever took the connection.
    pub async fn call_api(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let host = host_of(request.uri(), request.headers());
        let (head, body) = request.into_parts();
        let request_id = self.shared.platform.ids().uuid();
        if let Some((service, rules)) = rest::meant(self.platform(), self.directory(), &head, &host) {
            let rest = RestCall { service, rules, head, host: &host, client: &client, request_id: &request_id };
            let call = AssertUnwindSafe(self.rest(rest, body));
            return call.catch_unwind().await.unwrap_or_else(|_| {
                answer::error(service.model.protocol, Some(service.model), &broke_off(), &request_id)
            });
        }
        match self.shared.bodies.take(body).await {
            // The room is given back when the call is done.
            Ok(Taken { bytes, room: _room }) => {
                let protocol = name::protocol_guess(self.directory(), &head);
                let call = AssertUnwindSafe(self.call(head, bytes, &host, &client, &request_id));
                call.catch_unwind().await.unwrap_or_else(|_| {
                    // The panic hook has told the log what and where.
                    answer::error(protocol, None, &broke_off(), &request_id)
                })
            }
            Err(error) => {
                tracing::debug!(client = %client.address, %error, "a request body was not taken");
                answer::error(name::protocol_guess(self.directory(), &head), None, &error, &request_id)
            }
        }
    }

    async fn call(
        &self,
        head: http::request::Parts,
        body: Bytes,
        host: &str,
        client: &Client,
        request_id: &str,
    ) -> Response<Body> {
        let platform = &self.shared.platform;
        let call = match name::name(self.directory(), &head, &body, host) {
            Ok(call) => call,
            Err(refusal) => return answer::error(refusal.protocol, None, &refusal.error, request_id),
        };
        let refuse = |error: &Error| answer::error(call.protocol, Some(call.model), error, request_id);
        let by_path = matches!(call.protocol, Protocol::RestJson | Protocol::RestXml);
        if !by_path && !matches!(head.method, Method::GET | Method::POST) {
            return refuse(&wrong_method(&head.method));
        }
        let who = match self.shared.authenticator.authenticate(platform, &call, &head, SignedBody::Bytes(&body)) {
            Ok(who) => who,
            // Some of AWS's operations take no signature: what is not built says so first.
            Err(error) if error.code.starts_with("MissingAuthenticationToken") && is_unserved(platform, &call) => {
                return refuse(&not_served(&call));
            }
            Err(error) => {
                // Not among the calls: nobody has made it.
                let (service, operation, code) = (call.model.name, &call.operation, &error.code);
                tracing::info!(target: "kiln::calls", client = %client.address, service, operation, %code, "refused before it was a call");
                return refuse(&error);
            }
        };
        if regions::region(&who.region).is_none() {
            return refuse(&authenticate::no_such_region(&who.region, &call));
        }
        let Some(operation) = platform.operation(call.model.name, &call.operation) else {
            return refuse(&not_served(&call));
        };
        if let Some(version) = call.other_version() {
            return refuse(&no_such_operation(&call.operation, version));
        }
        let value = match decode::decode(&call, operation, &head, &body) {
            Ok(value) => value,
            Err(error) => return refuse(&error),
        };
        let scope = Scope::new(who.caller.account.as_str(), who.region.as_str());
        let cx = Cx::new(platform.clone(), scope, who.caller, request_id).in_protocol(call.protocol);
        let cx = client.tell(cx).via_host(host);
        match called(cx, operation, value).await {
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

fn broke_off() -> Error {
    Error::internal("the operation broke off. The log of kiln says why")
}

/// AWS names GET and POST for these calls, and no answer to other methods.
fn wrong_method(method: &Method) -> Error {
    let text = format!("The method {method} is not allowed for this service: use POST.");
    Error::sender("MethodNotAllowed", text).with_status(405)
}

/// Whether AWS has the operation and Kiln does not.
fn is_unserved(platform: &Platform, call: &name::Call) -> bool {
    call.model.operations.contains(&call.operation.as_str())
        && platform.operation(call.model.name, &call.operation).is_none()
}

fn no_such_operation(operation: &str, version: &str) -> Error {
    Error::sender("InvalidAction", format!("Could not find operation {operation} for version {version}"))
}

/// An operation AWS has and Kiln does not, or one nobody has: told apart by the model's list.
pub(crate) fn not_served(call: &name::Call) -> Error {
    let full = format!("{}:{}", call.model.signing_name, call.operation);
    if call.model.operations.contains(&call.operation.as_str()) {
        return Error::not_built(full);
    }
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::Cbor => {
            Error::sender("UnknownOperationException", format!("{full} is not an operation of this service."))
        }
        Protocol::Query => {
            no_such_operation(&call.operation, call.version.as_deref().unwrap_or(call.model.api_version))
        }
        Protocol::Ec2 | Protocol::RestXml => {
            Error::sender("InvalidAction", format!("The action {} is not valid for this web service.", call.operation))
        }
    }
}
