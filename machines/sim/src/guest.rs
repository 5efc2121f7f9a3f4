//! What a simulated machine answers when somebody connects to it.

use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

/// How the program in a simulated machine behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every HTTP request is answered with this status and the machine's id as body.
    Status(u16),
    /// Nothing listens: connections are refused.
    Refused,
    /// Connections are taken and never answered.
    Silent,
}

/// A connection whose other end is the simulated program.
pub async fn connect(answer: Answer, name: String) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    tokio::spawn(async move {
        // A broken connection ends the simulated program's side of it, as it would in a machine.
        let _ = speak(far, answer, name).await;
    });
    Ok(near)
}

/// What a connection in memory holds of what was not read yet.
const UNREAD: usize = 64 << 10;

/// The same without a connection of the host's.
pub fn connect_in_memory(answer: Answer, name: String) -> DuplexStream {
    let (near, far) = tokio::io::duplex(UNREAD);
    tokio::spawn(async move {
        // As above.
        let _ = speak(far, answer, name).await;
    });
    near
}

async fn speak(mut far: impl AsyncRead + AsyncWrite + Unpin, answer: Answer, name: String) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let read = far.read(&mut chunk).await?;
        if read == 0 || pending.len() > 1 << 20 {
            return Ok(());
        }
        pending.extend_from_slice(&chunk[..read]);
        while let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            pending.drain(..end + 4);
            match &answer {
                Answer::Status(status) => {
                    let text = format!("HTTP/1.1 {status} Simulated\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                    far.write_all(text.as_bytes()).await?;
                }
                Answer::Silent => {}
                Answer::Refused => return Ok(()),
            }
        }
    }
}
