//! To an HTTP endpoint: one POST on a connection of its own, within 15 seconds, to an address that was judged
//! (`reach.rs`). Of the answer its status is read and nothing else; a redirect is no delivery and leads nowhere.
//! Source: Amazon SNS Developer Guide, "Message delivery retries" and "Fanout to HTTP/S endpoints".

use super::carried::Carried;
use crate::reach::own_addresses;
use crate::{Parcel, Reach};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// A whole attempt: as SNS gives an endpoint.
const WITHIN: Duration = Duration::from_secs(15);
/// Most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 4;
/// The head of an answer.
const MOST_HEAD: usize = 16 << 10;

/// Makes one attempt.
pub async fn post(url: &str, reach: Reach, parcel: &Parcel) -> Carried {
    match tokio::time::timeout(WITHIN, posted(url, reach, parcel)).await {
        Ok(carried) => carried,
        Err(_) => Carried::Later(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

async fn posted(url: &str, reach: Reach, parcel: &Parcel) -> Carried {
    let later = |what: &str, error: &dyn std::fmt::Display| Carried::Later(format!("{what}: {error}"));
    let uri: http::Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return Carried::Never(format!("the endpoint is no URL: {error}")),
    };
    let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
        return Carried::Never("the endpoint's URL has no host".to_owned());
    };
    let addresses = match resolve(host, uri.port_u16().unwrap_or(80)).await {
        Ok(addresses) => addresses,
        Err(error) => return later("its name does not resolve", &error),
    };
    let own = match own_addresses() {
        Ok(own) => own,
        Err(error) => return later("the host's own addresses cannot be read", &error),
    };
    if let Some(closed) = addresses.iter().find(|address| !reach.admits(address.ip(), &own)) {
        return Carried::Never(format!("kiln does not connect to {} for whoever named it", closed.ip()));
    }
    let stream = match connect(&addresses).await {
        Ok(stream) => stream,
        Err(error) => return later("cannot connect", &error),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // The name and the password of a URL are no part of the host.
    let shown = authority.as_str().rsplit('@').next().unwrap_or_default();
    let mut request = http::Request::post(path).header("host", shown);
    for (name, value) in &parcel.headers {
        request = request.header(name, value);
    }
    let request = match request.body(Full::new(Bytes::from(parcel.body.clone()))) {
        Ok(request) => request,
        Err(error) => return Carried::Never(format!("it cannot be put into a request: {error}")),
    };
    let mut client = hyper::client::conn::http1::Builder::new();
    client.max_buf_size(MOST_HEAD);
    let (mut sender, connection) = match client.handshake(TokioIo::new(stream)).await {
        Ok(both) => both,
        Err(error) => return later("the connection broke off", &error),
    };
    // The connection ends with this attempt, whatever more of an answer comes.
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may have ended with the answer; else the answer is an error that says so.
        _ = connection => answer.await,
    };
    match answer {
        Ok(answer) => judged(answer.status()),
        Err(error) => later("no answer", &error),
    }
}

/// What a status means. A client's fault is for good, except that there were too many requests.
fn judged(status: http::StatusCode) -> Carried {
    let text = format!("it answered {status}");
    match status.as_u16() {
        200..=299 => Carried::Taken,
        429 => Carried::Later(text),
        300..=499 => Carried::Never(text),
        _ => Carried::Later(text),
    }
}

async fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((bare, port)).await?;
    let found: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
    match found.is_empty() {
        true => Err(std::io::Error::other("it has no address")),
        false => Ok(found),
    }
}

async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::other("there is no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
