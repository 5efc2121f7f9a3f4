//! A connection whose client must take what it asked for: one that does not read would hold its place, and
//! what is waiting to be sent, for ever. Who sends too slowly is found by the server that reads.

use crate::Ticket;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Ends when nothing can be sent for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client's stream, with its ticket.
pub struct Patient<S> {
    io: S,
    /// Runs while something waits to be sent.
    waiting: Option<Pin<Box<Sleep>>>,
    _ticket: Ticket,
}

impl<S> Patient<S> {
    pub fn new(io: S, ticket: Ticket) -> Self {
        Self { io, waiting: None, _ticket: ticket }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let timer = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read what it asked for")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, buf);
        this.judge(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.judge(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{API, Door};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_let_go_and_who_reads_slowly_is_not() {
        let door = Door::new(&API, "a test of patience");
        let ticket = || door.admit([127, 0, 0, 1].into()).expect("room");
        let (near, far) = tokio::io::duplex(16);
        let mut near = Patient::new(near, ticket());
        let began = tokio::time::Instant::now();
        let ended = near.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!((ended.kind(), began.elapsed()), (io::ErrorKind::TimedOut, PATIENCE));
        drop((near, far));

        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Patient::new(near, ticket());
        let reader = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(PATIENCE / 2).await;
                far.read_exact(&mut [0; 16]).await.expect("something to read");
            }
        });
        near.write_all(&[0; 64]).await.expect("it is read in the end");
        reader.await.expect("read");
    }
}
