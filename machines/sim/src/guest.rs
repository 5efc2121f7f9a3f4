//! What a simulated machine answers when somebody connects to it.

use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

async fn speak(mut far: TcpStream, answer: Answer, name: String) -> io::Result<()> {
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
