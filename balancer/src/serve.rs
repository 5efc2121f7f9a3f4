//! Client connections: HTTP/1.1 or HTTP/2 with prior knowledge on the same port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::forward::{self, Via};
use crate::headers::Forwarded;
use crate::idle::{Cut, IdleStream};
use crate::lb::Lb;

/// ALB's limit for the whole request head.
const MAX_HEAD: usize = 64 * 1024;
/// ALB's limit for streams of one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// What a listener knows of one client connection, to end it.
#[derive(Default)]
pub(crate) struct ClientConnection {
    pub(crate) cut: Arc<Cut>,
    /// Requests being answered.
    pub(crate) busy: Arc<AtomicU32>,
}

struct Busy<'a>(&'a AtomicU32);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Busy(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    lb.counters.new_connections.fetch_add(1, Ordering::Relaxed);
    lb.counters.active_connections.fetch_add(1, Ordering::Relaxed);
    let open_lb = lb.clone();
    let _open = Open(&open_lb);
    let idle = lb.plan().config.idle_timeout;
    let io = IdleStream::new(stream, idle, known.cut.clone(), Some(known.busy.clone()), ());
    let via = Arc::new(Via { lb, port, forwarded: Forwarded::new(client.ip(), port), worker });
    let busy = &known.busy;
    let service = service_fn(|request: Request<Incoming>| {
        let (via, busy) = (via.clone(), busy.clone());
        async move {
            let _busy = Busy::new(&busy);
            let version = request.version();
            let mut response = forward::answer(&via, request).await;
            if version != Version::HTTP_2 && via.lb.plan().routes(via.port).is_none() {
                // The listener is gone: this was the last request of this connection.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // No timer per request head: `IdleStream` watches, at a small part of the cost.
    builder.http1().max_buf_size(MAX_HEAD).header_read_timeout(None);
    builder.http2().max_concurrent_streams(MAX_STREAMS).timer(TokioTimer::new());
    let served = builder.serve_connection_with_upgrades(TokioIo::new(io), service).await;
    if let Err(error) = served {
        tracing::debug!(%client, %error, "a client connection ended early");
    }
}
