//! The port: accepts connections, ends those that ask for nothing, and knows who else answers there.

use crate::answer::{self, Body};
use crate::client::{Client, host_of};
use crate::directory::Directory;
use crate::limits::Limits;
use crate::shared::Shared;
use crate::{call, name};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kiln_doors::{API, API_IN_VPC, Door, Patient, Seldom, Ticket};
use kiln_protocol::Error;
use kiln_service_kit::Platform;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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

impl Gateway {
    /// The host's door; `hosts` answer there too. `directory` is that of the platform's services, made before
    /// anything is started: what cannot be told apart keeps all from starting.
    pub fn new(
        platform: Arc<Platform>,
        directory: Directory,
        hosts: Vec<Arc<dyn HostHandler>>,
        limits: Limits,
    ) -> Self {
        let shared = Arc::new(Shared::new(platform, directory, limits));
        Self { shared, hosts: hosts.into(), vpc: None, door: Arc::new(Door::new(&API, "")) }
    }

    /// A door in the network `vpc`. Who answers at the host's door does not answer there, only `hosts`.
    pub fn in_network(&self, vpc: &str, hosts: Vec<Arc<dyn HostHandler>>) -> Self {
        let door = Arc::new(Door::new(&API_IN_VPC, vpc));
        Self { shared: self.shared.clone(), hosts: hosts.into(), vpc: Some(vpc.into()), door }
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
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
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
        answer::error(
            name::protocol_guess(&self.shared.directory, head),
            None,
            error,
            &self.shared.platform.ids().uuid(),
        )
    }

    /// Answers one request to the API, whoever took the connection.
    pub async fn call_api(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        call::answer(&self.shared, request, client).await
    }
}
