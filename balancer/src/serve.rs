//! Client connections: HTTP/1.1 or HTTP/2 with prior knowledge on the same port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kiln_doors::Ticket;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::forward;
use crate::headers::Forwarded;
use crate::idle::{ClientSide, Cut, IdleStream, Requests};
use crate::lb::Lb;
use crate::tally::Moves;
use crate::via::Via;

/// Bytes of a request head that are read at most: ALB's limit for the headers (64 K) and the request
/// line (16 K); `forward` holds each of them to its own limit.
const MAX_HEAD: usize = 80 * 1024;
/// ALB's limit for streams of one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// What a listener knows of one client connection, to end it.
#[derive(Default)]
pub(crate) struct ClientConnection {
    pub(crate) cut: Arc<Cut>,
    pub(crate) requests: Arc<Requests>,
}

/// A request being answered.
struct Busy<'a>(&'a Requests);

impl<'a> Busy<'a> {
    fn new(requests: &'a Requests) -> Self {
        requests.in_hand.fetch_add(1, Ordering::Relaxed);
        requests.begun.fetch_add(1, Ordering::Relaxed);
        Busy(requests)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Open<'a>(&'a Lb);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counters.active_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one client connection until it ends.
pub(crate) async fn connection<S>(
    lb: Arc<Lb>,
    port: u16,
    stream: S,
    client: SocketAddr,
    worker: usize,
    known: &ClientConnection,
    ticket: Option<Ticket>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    lb.counters.new_connections.fetch_add(1, Ordering::Relaxed);
    lb.counters.active_connections.fetch_add(1, Ordering::Relaxed);
    let open_lb = lb.clone();
    let _open = Open(&open_lb);
    // Not the plan itself: it would keep groups that are gone alive as long as the connection.
    let (idle, keep_alive, http2) = {
        let config = &lb.plan().config;
        (config.idle_timeout, config.client_keep_alive, config.http2)
    };
    let client_side = ClientSide { requests: known.requests.clone(), bytes: Moves { done: lb.done.clone(), worker } };
    let io = IdleStream::new(stream, idle, known.cut.clone(), Some(client_side), ticket);
    let forwarded = Forwarded::new(client, port);
    let via = Arc::new(Via { lb, port, public_port: port, forwarded, worker, stream_counts: true });
    let requests = &known.requests;
    let service = service_fn(|request: Request<Incoming>| {
        let (via, requests) = (via.clone(), requests.clone());
        async move {
            let _busy = Busy::new(&requests);
            let version = request.version();
            if version == Version::HTTP_2 {
                requests.without_heads.store(true, Ordering::Relaxed);
            }
            let mut response = forward::answer(&via, request).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                requests.without_heads.store(true, Ordering::Relaxed);
            }
            if version != Version::HTTP_2 && via.lb.plan().routes(via.port).is_none() {
                // The listener is gone: this was the last request of this connection.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(io);
    // No timer per request head: `IdleStream` watches, at a small part of the cost.
    let served = if http2 {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().max_buf_size(MAX_HEAD).header_read_timeout(None);
        builder.http2().max_concurrent_streams(MAX_STREAMS).timer(TokioTimer::new());
        let serving = pin!(builder.serve_connection_with_upgrades(io, service));
        for_a_while(serving, keep_alive, |serving| serving.graceful_shutdown()).await
    } else {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD).header_read_timeout(None);
        let serving = pin!(builder.serve_connection(io, service).with_upgrades());
        for_a_while(serving, keep_alive, |serving| serving.graceful_shutdown()).await.map_err(Into::into)
    };
    if let Err(error) = served {
        tracing::debug!(%client, %error, "a client connection ended early");
    }
}

/// Lets a connection live so long; what is under way then is finished.
async fn for_a_while<C: Future>(
    mut serving: Pin<&mut C>,
    keep_alive: Duration,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    match tokio::time::timeout(keep_alive, serving.as_mut()).await {
        Ok(served) => served,
        Err(_) => {
            shut_down(serving.as_mut());
            serving.await
        }
    }
}
