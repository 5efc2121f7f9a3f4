//! Kiln's own sockets in the router's namespace.

use super::Router;
use crate::host::netns::SocketKind;
use kiln_machines_spec::{DriverError, DriverResult};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

impl Router {
    /// Opens a connection.
    pub async fn dial(&self, from: Option<Ipv4Addr>, to: SocketAddrV4, timeout: Duration) -> DriverResult<TcpStream> {
        let doing = || format!("connect to {to} in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        // The namespace would let itself be asked: the metadata, the API's door and DNS listen in it, and
        // load balancers, of which two could send a request round and round.
        if !self.state.lock().spec.can_be_a_machines(*to.ip()) {
            let text = "no machine of the VPC can have this address";
            return Err(failed(io::Error::new(io::ErrorKind::HostUnreachable, text)));
        }
        let socket = self.tcp_socket().await.map_err(failed)?;
        if let Some(from) = from {
            socket.bind(SocketAddr::from((from, 0))).map_err(failed)?;
        }
        let connect = tokio::time::timeout(timeout, socket.connect(to.into()));
        match connect.await {
            Ok(result) => result.map_err(failed),
            Err(_) => {
                let text = format!("no answer within {} ms", timeout.as_millis());
                Err(failed(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }

    async fn tcp_socket(&self) -> io::Result<TcpSocket> {
        let fd = self.sockets.socket(SocketKind::Tcp).await?;
        Ok(TcpSocket::from_std_stream(fd.into()))
    }

    /// Listens.
    pub async fn listen(&self, at: SocketAddrV4) -> DriverResult<TcpListener> {
        let doing = || format!("listen on {at} in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let socket = self.tcp_socket().await.map_err(failed)?;
        socket.set_reuseaddr(true).map_err(failed)?;
        socket.bind(at.into()).map_err(failed)?;
        socket.listen(1024).map_err(failed)
    }

    /// A UDP socket.
    pub async fn bind_udp(&self, at: SocketAddrV4) -> DriverResult<UdpSocket> {
        let doing = || format!("bind {at} (UDP) in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let fd = self.sockets.socket(SocketKind::Udp).await.map_err(failed)?;
        let address = nix::sys::socket::SockaddrIn::from(at);
        nix::sys::socket::bind(fd.as_raw_fd(), &address).map_err(|e| failed(e.into()))?;
        UdpSocket::from_std(fd.into()).map_err(failed)
    }
}
