//! Keeps one listener in each network that is on the host, and carries out answers.
//!
//! The driver is asked which networks exist: at start, and whenever the network controller noted
//! that one came, changed or went. A listener of a network that went is dropped even if the network
//! is there again: its socket belongs to the old one.

use super::answer::{Answer, Asked, answer};
use super::group;
use super::role::{self, Sessions};
use super::tokens::{Presented, TOKEN_HEADER, TTL_HEADER, Tokens};
use super::world::World;
use crate::networks::records::NetworkStatus;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use kiln_doors::{Door, METADATA, Patient, Seldom, Ticket};
use kiln_machines_spec::{MachineDriver, VpcId};
use kiln_service_kit::{Commit, Error, Op, Platform};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
/// Back-off of a listener that could not be made: 0.1 s, doubled up to 10 s.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// A connection that asks nothing for so long is closed, also one that is in the middle of asking.
const IDLE: Duration = Duration::from_secs(20);
/// Hops that answers other than tokens may take.
const USUAL_HOPS: u32 = 64;

/// The methods of everything but tokens.
const READ: &str = "GET, HEAD";

/// What all listeners share.
struct Metadata {
    platform: Arc<Platform>,
    tokens: Tokens,
    sessions: Sessions,
}

/// Runs the metadata service as long as the server lives.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        let driver = platform.part::<Arc<dyn MachineDriver>>()?;
        // Subscribed before the networks are looked at, so nothing falls between the two.
        let feed = platform.store().feed();
        let metadata = Metadata { platform, tokens: Tokens::default(), sessions: Sessions::default() };
        tokio::spawn(keep_listening(Arc::new(metadata), driver, feed));
        Ok(())
    })
}

/// A listener's task; it and its connections end with it.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_listening(
    metadata: Arc<Metadata>,
    driver: Arc<dyn MachineDriver>,
    mut feed: broadcast::Receiver<Arc<Commit>>,
) {
    let mut open: BTreeMap<VpcId, Listening> = BTreeMap::new();
    let mut retry = FIRST_RETRY;
    loop {
        let retry_at = match listen_everywhere(&metadata, &*driver, &mut open).await {
            true => {
                retry = FIRST_RETRY;
                None
            }
            false => {
                let at = Instant::now() + retry;
                retry = (retry * 2).min(LAST_RETRY);
                Some(at)
            }
        };
        if !next_change(&mut feed, &mut open, retry_at).await {
            return;
        }
    }
}

/// Opens what is missing and drops what is gone; whether all is as it should be.
async fn listen_everywhere(
    metadata: &Arc<Metadata>,
    driver: &dyn MachineDriver,
    open: &mut BTreeMap<VpcId, Listening>,
) -> bool {
    let networks: BTreeSet<VpcId> = match driver.networks().await {
        Ok(networks) => networks.into_iter().map(|network| network.id).collect(),
        Err(error) => {
            tracing::warn!(error = error.chain(), "cannot see which networks need a metadata service");
            return false;
        }
    };
    open.retain(|vpc, _| networks.contains(vpc));
    let mut complete = true;
    for vpc in networks {
        if open.contains_key(&vpc) {
            continue;
        }
        match driver.listen(&vpc, ADDRESS).await {
            Ok(listener) => {
                tracing::debug!(%vpc, "the metadata service answers");
                let task = tokio::spawn(accept(listener, metadata.clone(), vpc.clone()));
                open.insert(vpc, Listening(task));
            }
            Err(error) => {
                tracing::warn!(%vpc, error = error.chain(), "the metadata service cannot listen; trying again");
                complete = false;
            }
        }
    }
    complete
}

/// Waits until the networks must be looked at again; false when the store is closed.
async fn next_change(
    feed: &mut broadcast::Receiver<Arc<Commit>>,
    open: &mut BTreeMap<VpcId, Listening>,
    retry_at: Option<Instant>,
) -> bool {
    loop {
        let received = match retry_at {
            None => feed.recv().await,
            Some(at) => match tokio::time::timeout_at(at, feed.recv()).await {
                Ok(received) => received,
                Err(_) => return true,
            },
        };
        match received {
            Ok(commit) => {
                let mut seen = false;
                for change in commit.changes.iter().filter(|change| change.is::<NetworkStatus>()) {
                    seen = true;
                    if change.op == Op::Delete {
                        open.remove(&VpcId::new(&*change.id));
                    }
                }
                if seen {
                    return true;
                }
            }
            Err(RecvError::Lagged(_)) => {
                // A network may have gone and come back unseen.
                open.clear();
                return true;
            }
            Err(RecvError::Closed) => return false,
        }
    }
}

async fn accept(listener: TcpListener, metadata: Arc<Metadata>, vpc: VpcId) {
    static NOT_ACCEPTED: Seldom = Seldom::new();
    let door = Door::new(&METADATA, vpc.as_str());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, SocketAddr::V4(from))) => {
                if let Some(ticket) = door.admit((*from.ip()).into()) {
                    connections.spawn(serve(stream, ticket, *from.ip(), metadata.clone(), vpc.clone()));
                }
            }
            Ok((_, from)) => tracing::debug!(%vpc, %from, "not an IPv4 caller"),
            Err(error) => {
                if let Some(unsaid) = NOT_ACCEPTED.now() {
                    tracing::warn!(%vpc, %error, unsaid, "the metadata service cannot accept");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, ticket: Ticket, from: Ipv4Addr, metadata: Arc<Metadata>, vpc: VpcId) {
    // A second handle on the socket, for its hop limit.
    let pair = stream.into_std().and_then(|stream| Ok((TcpStream::from_std(stream.try_clone()?)?, stream)));
    let (stream, handle) = match pair {
        Ok((stream, handle)) => (stream, Arc::new(handle)),
        Err(error) => {
            tracing::warn!(%vpc, %error, "cannot serve a connection to the metadata service");
            return;
        }
    };
    let service = hyper::service::service_fn(move |request| {
        let (metadata, vpc, handle) = (metadata.clone(), vpc.clone(), handle.clone());
        async move { Ok::<_, Infallible>(respond(&metadata, &vpc, from, &handle, &request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE);
    if let Err(error) = server.serve_connection(TokioIo::new(Patient::new(stream, ticket)), service).await {
        tracing::debug!(%error, "a connection to the metadata service ended early");
    }
}

async fn respond(
    metadata: &Metadata,
    vpc: &VpcId,
    from: Ipv4Addr,
    handle: &std::net::TcpStream,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let done = match carry_out(metadata, vpc, from, handle, request).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%vpc, %from, path = request.uri().path(), error = error.chain(), "the metadata service failed");
            Done::refused(500)
        }
    };
    let length = done.body.len();
    let mut response = Response::new(Full::new(done.body));
    *response.status_mut() = done.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(done.kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    // Some clients know EC2 by it.
    headers.insert(SERVER, HeaderValue::from_static("EC2ws"));
    if done.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static(done.allowed));
    }
    if let Some(seconds) = done.ttl {
        headers.insert(TTL_HEADER, HeaderValue::from(seconds));
    }
    response
}

/// A response's parts.
struct Done {
    status: StatusCode,
    kind: &'static str,
    body: Bytes,
    /// What is left of the token's life.
    ttl: Option<u64>,
    /// The methods that would do, where this one does not.
    allowed: &'static str,
}

impl Done {
    fn ok(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind, body: body.into(), ttl: None, allowed: READ }
    }

    fn refused(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind: "text/plain", body: format!("{status}\n").into(), ttl: None, allowed: READ }
    }

    fn json(value: &serde_json::Value) -> Self {
        Self::ok("application/json", format!("{value:#}"))
    }
}

async fn carry_out(
    metadata: &Metadata,
    vpc: &VpcId,
    from: Ipv4Addr,
    handle: &std::net::TcpStream,
    request: &Request<Incoming>,
) -> Result<Done, Error> {
    let platform = &metadata.platform;
    let find = || World::find(platform, vpc.as_str(), from);
    let found = platform.store().counted_sync(|| "metadata".to_owned(), find)?;
    let Some(world) = found else { return Ok(Done::refused(404)) };
    let now = platform.clock().now();
    // A header that is not text is there all the same; it cannot be right.
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or(""));
    let asked = Asked {
        method: request.method().as_str(),
        path: request.uri().path(),
        token: metadata.tokens.judge(&world.instance.id, header(TOKEN_HEADER), now),
        ttl: header(TTL_HEADER),
        forwarded: request.headers().contains_key("x-forwarded-for"),
    };
    let left = match asked.token {
        Presented::Valid { left } => Some(left),
        Presented::Absent | Presented::Invalid => None,
    };
    let answer = answer(&world, &asked);
    let hops = match &answer {
        Answer::NewToken { .. } => u32::try_from(world.instance.metadata.hop_limit).unwrap_or(1).clamp(1, 64),
        _ => USUAL_HOPS,
    };
    handle.set_ttl(hops).map_err(|e| Error::failed("set the hop limit of an answer", e))?;
    let done = match answer {
        Answer::Text(text) => Done::ok("text/plain", text),
        Answer::Json(value) => Done::json(&value),
        Answer::Bytes(bytes) => Done::ok("application/octet-stream", bytes),
        Answer::Refused(status) => Done::refused(status),
        Answer::NewToken { seconds } => {
            let token = metadata.tokens.give(platform.ids(), &world.instance.id, seconds, now);
            Done { ttl: Some(seconds), ..Done::ok("text/plain", token) }
        }
        Answer::RoleName => {
            role::name(platform, &world).await?.map_or(Done::refused(404), |name| Done::ok("text/plain", name))
        }
        Answer::TargetLifecycleState => group::target_state(platform, &world)
            .await?
            .map_or(Done::refused(404), |state| Done::ok("text/plain", state)),
        Answer::ProfileInfo => role::info(platform, &world).await?.map_or(Done::refused(404), |info| Done::json(&info)),
        Answer::Credentials { role } => metadata
            .sessions
            .credentials(platform, &world, &role)
            .await?
            .map_or(Done::refused(404), |shown| Done::json(&shown)),
    };
    let allowed = if asked.path.trim_matches('/') == "latest/api/token" { "PUT" } else { READ };
    Ok(Done { ttl: done.ttl.or(left), allowed, ..done })
}
