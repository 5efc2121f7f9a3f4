//! One connection to a target, driven by whoever uses it.
//!
//! hyper's client wants its connection future spawned; every request then costs two task switches
//! more. Here the connection has no task: the request polls it while it waits for the head, the
//! body polls it while it is read, and at rest it lies in the target's pool unpolled (a closed one
//! is noticed when it is taken out). Measured: see docs/decisions/0003-load-balancer-library.md.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::connections::{Connections, Registered};
use crate::dial::Stream;
use crate::idle::{Cut, IdleStream};
use crate::request_body::RequestBody;

type Io = TokioIo<IdleStream<Stream, Registered>>;

/// hyper's own limit; ALB allows 64 K of response headers.
const READ_BUFFER: usize = 64 * 1024;

/// An HTTP/1.1 connection to a target.
pub(crate) struct Upstream {
    send: http1::SendRequest<RequestBody>,
    connection: http1::Connection<Io, RequestBody>,
    closed: bool,
    pub(crate) rested_at: Instant,
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(READ_BUFFER);
    builder
}

/// Makes a stream cuttable, as one of `connections`, and idle-limited.
fn guarded(connections: &Arc<Connections>, stream: Stream, idle: Duration) -> Io {
    let cut = Arc::new(Cut::default());
    let registered = connections.register(cut.clone());
    TokioIo::new(IdleStream::new(stream, idle, cut, None, registered))
}

impl Upstream {
    /// Speaks HTTP/1.1 over a fresh stream to the target that has these `connections`.
    pub(crate) async fn start(
        connections: &Arc<Connections>,
        stream: Stream,
        idle: Duration,
    ) -> hyper::Result<Box<Upstream>> {
        let (send, connection) = builder().handshake(guarded(connections, stream, idle)).await?;
        Ok(Box::new(Upstream { send, connection, closed: false, rested_at: Instant::now() }))
    }

    /// Moves bytes; after this the state is as new as it can be without waiting.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.closed && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.closed = true;
        }
    }

    /// Can it take a request now? (Notices that the target has hung up.)
    pub(crate) fn is_usable(&mut self) -> bool {
        if !self.closed && self.send.is_ready() {
            // Looks for an end of stream; nobody needs to be woken by it.
            self.drive(&mut Context::from_waker(Waker::noop()));
        }
        !self.closed && self.send.is_ready()
    }

    /// Has the last exchange ended, so that the connection can be kept?
    pub(crate) fn is_at_rest(&mut self) -> bool {
        if !self.closed && !self.send.is_ready() {
            self.drive(&mut Context::from_waker(Waker::noop()));
        }
        !self.closed && self.send.is_ready()
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let mut answer = pin!(self.send.try_send_request(request));
        let (connection, closed) = (&mut self.connection, &mut self.closed);
        after_the_others().await;
        std::future::poll_fn(|cx| {
            if !*closed && Pin::new(&mut *connection).poll(cx).is_ready() {
                *closed = true;
            }
            match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// A connection for one upgrade request: it has a task of its own, since the tunnel outlives the
/// request.
pub(crate) async fn exchange_for_upgrade(
    connections: &Arc<Connections>,
    stream: Stream,
    idle: Duration,
    request: Request<RequestBody>,
) -> hyper::Result<Response<Incoming>> {
    let (mut send, connection) = builder().handshake(guarded(connections, stream, idle)).await?;
    tokio::spawn(async move {
        // An error here is seen by the exchange or the tunnel, whichever is running.
        let _ = connection.with_upgrades().await;
    });
    send.send_request(request).await
}

/// Was silence the cause?
pub(crate) fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Lets all other tasks that are ready run first, so that writes come in batches. (`yield_now` would
/// wait for the system too, once more per request.)
pub(crate) async fn after_the_others() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
