//! The control socket's client: one small HTTP request per command.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::io::ErrorKind;
use std::path::Path;
use tokio::net::UnixStream;

/// The socket's file name in the state directory.
pub const SOCKET: &str = "kiln.sock";

/// What `kiln up` leaves in the state directory for the other commands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub pid: u32,
    pub endpoint: String,
    pub region: String,
    pub account: String,
    pub access_key: String,
    pub secret: String,
}

/// Reaches the control socket.
pub async fn connect(state_dir: &Path) -> std::io::Result<UnixStream> {
    UnixStream::connect(state_dir.join(SOCKET)).await
}

/// Whether this says that no kiln runs.
pub fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Why the control socket cannot be reached, and what to do about it.
pub fn cannot_connect(state_dir: &Path, error: &std::io::Error) -> String {
    let socket = state_dir.join(SOCKET);
    match error.kind() {
        _ if is_absence(error) => {
            format!("kiln is not running (state directory {}). Start it with: kiln up --detach", state_dir.display())
        }
        ErrorKind::PermissionDenied => {
            format!("{} belongs to another user: run this as the user who started kiln (root)", socket.display())
        }
        _ => format!("failed to reach kiln at {}: {error}", socket.display()),
    }
}

/// Asks the running kiln. `Err` holds one line for the person at the terminal.
pub async fn ask(state_dir: &Path, method: &str, path: &str) -> Result<Json, String> {
    let stream = connect(state_dir).await.map_err(|error| cannot_connect(state_dir, &error))?;
    let broken = |error: &dyn std::fmt::Display| format!("kiln's control socket broke off: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "kiln")
        .body(Full::new(Bytes::new()))
        .map_err(|e| broken(&e))?;
    let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let good = response.status().is_success();
    let body = response.into_body().collect().await.map_err(|e| broken(&e))?.to_bytes();
    let value: Json = serde_json::from_slice(&body).map_err(|e| broken(&e))?;
    if good {
        Ok(value)
    } else {
        Err(value["error"].as_str().unwrap_or("kiln refused, and did not say why").to_owned())
    }
}

/// Percent-encodes one part of a path or query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => (b as char).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
