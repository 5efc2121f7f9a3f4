//! A stream that notices silence and can be cut from outside.
//!
//! ALB has one idle timeout for both sides. A timer per request would cost more than the request,
//! so each connection keeps one coarse timer: progress only notes the time; when the timer fires
//! it either finds recent progress and sleeps for the rest, or ends the connection with
//! `TimedOut`. `Cut` ends it at once, from any thread (its machine died, its drain is over).
//!
//! A client that sends its request's head byte by byte is never silent. So a head has as long as a
//! connection may be silent, and at least a minute; that is looked at whenever some of it arrives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::tally::Moves;

/// Ends a connection from outside.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    done: AtomicBool,
    waker: AtomicWaker,
}

impl Cut {
    pub(crate) fn cut(&self) {
        self.done.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

/// The least time that a request's head may take.
const HEAD: Duration = Duration::from_secs(60);

/// What is known of the requests on a client's connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Being answered.
    pub(crate) in_hand: AtomicU32,
    /// So far.
    pub(crate) begun: AtomicU32,
    /// What arrives is no head any more: a tunnel, or HTTP/2, whose connection lives `client_keep_alive`
    /// at most and brings more than heads.
    pub(crate) without_heads: AtomicBool,
}

/// A head that has begun to arrive.
#[derive(Default)]
struct Head {
    since: Option<Instant>,
    /// Requests begun before it.
    after: u32,
}

impl Head {
    /// Some of it arrived; since when it does.
    fn arrives(&mut self, requests: &Requests, now: Instant) -> Option<Instant> {
        let begun = requests.begun.load(Ordering::Relaxed);
        let is_body = requests.in_hand.load(Ordering::Relaxed) > 0 || requests.without_heads.load(Ordering::Relaxed);
        if begun != self.after || is_body {
            *self = Head { since: None, after: begun };
        }
        if !is_body {
            self.since.get_or_insert(now);
        }
        self.since
    }
}

/// What a client's stream belongs to.
pub(crate) struct ClientSide {
    pub(crate) requests: Arc<Requests>,
    pub(crate) bytes: Moves,
}

/// A stream with an idle timeout. `kept` lives as long as the stream does.
pub(crate) struct IdleStream<S, K = ()> {
    io: S,
    idle: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
    /// Of a client's stream: while requests are in flight, silence from the reading side is not idleness
    /// (the target's own stream watches then), and its bytes are counted.
    client: Option<ClientSide>,
    head: Head,
    cut: Arc<Cut>,
    /// Whom the timer and `cut` wake already.
    waiting: Option<Waker>,
    _kept: K,
}

impl<S, K> IdleStream<S, K> {
    pub(crate) fn new(io: S, idle: Duration, cut: Arc<Cut>, client: Option<ClientSide>, kept: K) -> Self {
        let last = Instant::now();
        IdleStream {
            io,
            idle,
            last,
            timer: Box::pin(tokio::time::sleep_until(last + idle)),
            client,
            head: Head::default(),
            cut,
            waiting: None,
            _kept: kept,
        }
    }

    fn progress<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.last = Instant::now();
        }
        polled
    }

    fn moved(&self, bytes: usize) {
        if let Some(client) = &self.client {
            client.bytes.count(bytes);
        }
    }

    fn written(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.moved(bytes);
        }
        self.progress(polled)
    }

    fn head_is_late(&mut self) -> bool {
        let Some(client) = &self.client else { return false };
        let since = self.head.arrives(&client.requests, self.last);
        since.is_some_and(|since| self.last - since > self.idle.max(HEAD))
    }

    /// Called when nothing moved: is it time to give up?
    fn silent<T>(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<io::Result<T>> {
        let waits = self.waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !waits {
            self.cut.waker.register(cx.waker());
            self.waiting = Some(cx.waker().clone());
        }
        if self.cut.is_cut() {
            return Poll::Ready(Err(cut_error()));
        }
        if waits && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let busy = reading && self.client.as_ref().is_some_and(|c| c.requests.in_hand.load(Ordering::Relaxed) > 0);
            let now = Instant::now();
            if now < self.last + self.idle || busy {
                let until = if busy { now + self.idle } else { self.last + self.idle };
                self.timer.as_mut().reset(until);
            } else {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no byte moved within the idle timeout",
                )));
            }
        }
        Poll::Pending
    }
}

fn cut_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the balancer cut the connection")
}

impl<S: AsyncRead + Unpin, K: Unpin> AsyncRead for IdleStream<S, K> {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Pending => this.silent(cx, true),
            ready => {
                this.moved(buf.filled().len() - before);
                let ready = this.progress(ready);
                match this.head_is_late() {
                    true => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a head that takes too long"))),
                    false => ready,
                }
            }
        }
    }
}

/// Up to this many bytes copying several pieces into one costs less than handing them over apart.
const SMALL: usize = 2048;

/// The pieces as one, if they are few bytes or one piece anyway.
fn gather<'a>(pieces: &'a [io::IoSlice<'_>], small: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
    if let [whole] = pieces {
        return Some(whole);
    }
    let mut length = 0;
    for piece in pieces {
        small.get_mut(length..length + piece.len())?.copy_from_slice(piece);
        length += piece.len();
    }
    Some(&small[..length])
}

impl<S: AsyncWrite + Unpin, K: Unpin> AsyncWrite for IdleStream<S, K> {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(cx, buf) {
            Poll::Pending => this.silent(cx, false),
            ready => this.written(ready),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut small = [0; SMALL];
        let polled = match gather(bufs, &mut small) {
            Some(whole) => Pin::new(&mut this.io).poll_write(cx, whole),
            None => Pin::new(&mut this.io).poll_write_vectored(cx, bufs),
        };
        match polled {
            Poll::Pending => this.silent(cx, false),
            ready => this.written(ready),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
