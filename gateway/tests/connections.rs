//! What a client that is slow, greedy or broken gets: an answer or an end, never a place for ever.

use kiln_gateway::{Directory, Gateway, Limits};
use kiln_service_kit::{Clock, IdSource, PlatformBuilder, Store};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Short, so that running into one takes no time worth naming.
const SHORT: Duration = Duration::from_millis(200);
/// Far beyond every limit: reached only when a limit does not work.
const NEVER: Duration = Duration::from_secs(20);

struct Given {
    address: std::net::SocketAddr,
    _stop: watch::Sender<bool>,
    _state: tempfile::TempDir,
}

/// A gateway without services, in open mode.
async fn given(limits: Limits) -> Given {
    let state = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&state.path().join("kiln.db"), Clock::system()).expect("a store");
    let platform = PlatformBuilder::new(store, Clock::system(), IdSource::seeded(1)).open(true).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let directory = Directory::new(platform.services()).expect("no two services are alike");
    let gateway = Gateway::new(platform, directory, vec![], limits);
    tokio::spawn(async move { gateway.serve(listener, stopped).await });
    Given { address, _stop: stop, _state: state }
}

fn limits() -> Limits {
    Limits { header_time: SHORT, body_time: SHORT, ..Limits::default() }
}

/// Sends bytes and reads until the server ends the connection.
async fn ends(given: &Given, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(given.address).await.expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = vec![];
    let read = tokio::time::timeout(NEVER, stream.read_to_end(&mut answer)).await;
    read.expect("the server ends the connection").expect("in order");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_go_on_is_let_go() {
    let given = given(limits()).await;
    for begun in ["", "PRI * HTTP/2.0", "GET / HTTP/1.1\r\nHos"] {
        assert_eq!(ends(&given, begun.as_bytes()).await, "", "{begun:?}");
    }
    let answer = ends(&given, b"POST / HTTP/1.1\r\nHost: kiln\r\nContent-Length: 100\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_not_waited_for() {
    let given = given(Limits { body_time: NEVER, ..limits() }).await;
    let answer = ends(&given, b"POST / HTTP/1.1\r\nHost: kiln\r\nContent-Length: 99999999999\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunks = format!("{:x}\r\n{}\r\n", 600_000, "a".repeat(600_000));
    let small = Limits { body: 500_000, ..limits() };
    let given = self::given(small).await;
    let head = "POST / HTTP/1.1\r\nHost: kiln\r\nX-Amz-Target: A.B\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = ends(&given, format!("{head}{chunks}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(r#""__type":"RequestEntityTooLarge"#), "{answer}");
}

/// Room for one body: the second is read once the first has gone.
#[tokio::test]
async fn bodies_in_hand_are_bounded_together() {
    let limits = Limits { bodies: 200_000, body: 200_000, body_time: NEVER, header_time: NEVER };
    let given = given(limits).await;
    let head = "POST / HTTP/1.1\r\nHost: kiln\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n";
    let mut first = TcpStream::connect(given.address).await.expect("a connection");
    first.write_all(format!("{head}{}", "a".repeat(150_000)).as_bytes()).await.expect("sent");
    // A small request needs no room; once it is answered the first body has been read as well.
    let small = ends(&given, b"GET / HTTP/1.1\r\nHost: kiln\r\nConnection: close\r\n\r\n").await;
    assert!(small.contains("MissingAction"), "{small}");
    let whole = format!("{head}{}", "b".repeat(200_000));
    let second = ends(&given, whole.as_bytes());
    tokio::pin!(second);
    assert!(tokio::time::timeout(SHORT, &mut second).await.is_err(), "there is no room yet");
    // The first one's client gives up, and so makes room.
    drop(first);
    let answer = second.await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("MissingAction"), "{answer}");
}

#[tokio::test]
async fn a_broken_body_is_answered() {
    let given = given(limits()).await;
    let head = "POST / HTTP/1.1\r\nHost: kiln\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = ends(&given, format!("{head}ZZ\r\nabc\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("IncompleteBody"), "{answer}");
}
