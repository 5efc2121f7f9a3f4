//! How the balancer reaches a target: a trait, because targets live in VPCs (router namespaces of
//! their own) in production, in memory in the simulation, and on loopback in tests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// Opens connections into a VPC.
#[async_trait]
pub trait Dialer: Send + Sync + 'static {
    /// Connects to `to` inside `vpc`, speaking from `from` if given, within `timeout`
    /// (`ErrorKind::TimedOut` after that). The stream must belong to the tokio runtime the call is
    /// made in: the balancer has one per core.
    async fn dial(&self, vpc: &str, from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream>;
}

/// Plain TCP in the host's own network; for tests, benchmarks and targets on the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostDialer;

#[async_trait]
impl Dialer for HostDialer {
    async fn dial(&self, _vpc: &str, from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let stream = tokio::time::timeout(timeout, socket.connect(to))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the connection timed out"))??;
        stream.set_nodelay(true)?;
        Ok(Stream::Tcp(stream))
    }
}

/// Anything bytes go through both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a target.
pub enum Stream {
    /// A real one.
    Tcp(TcpStream),
    /// One of the simulation.
    Memory(DuplexStream),
    /// Whatever else a dialer needs.
    Other(Box<dyn Duplex>),
}

macro_rules! each {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($io) => $call,
            Stream::Memory($io) => $call,
            Stream::Other($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(io) => io.is_write_vectored(),
            Stream::Memory(io) => io.is_write_vectored(),
            Stream::Other(io) => io.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
