//! Real endpoints on loopback: what each answer comes to.

use crate::carrier::{Carried, post};
use crate::{Parcel, Reach};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An endpoint that reads one request, answers these bytes and closes; with what it read.
async fn endpoint(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://127.0.0.1:{}/hook?a=b", listener.local_addr().expect("bound").port());
    let read = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.ends_with("hello") {
            let read = stream.read(&mut bytes).await.expect("reads");
            text += &String::from_utf8_lossy(&bytes[..read]);
        }
        stream.write_all(answer).await.expect("writes");
        text
    });
    (url, read)
}

fn parcel() -> Parcel {
    Parcel { headers: vec![("x-amz-sns-message-type".to_owned(), "Notification".to_owned())], ..Parcel::of("hello") }
}

#[tokio::test]
async fn an_answer_is_judged_by_its_status_alone() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], Carried::Taken),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", Carried::Taken),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\nabc", Carried::Taken),
        (
            b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
            Carried::Later("it answered 500 Internal Server Error".into()),
        ),
        (b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n", Carried::Later("it answered 429 Too Many Requests".into())),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", Carried::Never("it answered 404 Not Found".into())),
        (
            b"HTTP/1.1 302 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            Carried::Never("it answered 302 Found".into()),
        ),
    ] {
        let (url, read) = endpoint(answer).await;
        assert_eq!(post(&url, Reach::Host, &parcel()).await, expected);
        let text = read.await.expect("no panic");
        assert!(
            text.starts_with("POST /hook?a=b HTTP/1.1\r\n")
                && text.contains("x-amz-sns-message-type: Notification\r\n"),
            "{text}"
        );
    }
    for answer in [&b""[..], b"HTTP/1.1 2", b"garbage\r\n\r\n"] {
        let (url, read) = endpoint(answer).await;
        let carried = post(&url, Reach::Host, &parcel()).await;
        assert!(matches!(carried, Carried::Later(_)), "{carried:?}");
        read.await.expect("no panic");
    }
}

#[tokio::test]
async fn what_does_not_listen_is_tried_again_and_what_is_closed_to_the_caller_is_not() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
    let refused = post(&format!("http://127.0.0.1:{port}/"), Reach::Host, &parcel()).await;
    assert!(matches!(refused, Carried::Later(_)), "{refused:?}");
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let closed = post(&format!("http://{host}:{port}/"), Reach::Outside, &parcel()).await;
        assert!(matches!(&closed, Carried::Never(why) if why.contains("does not connect")), "{closed:?}");
    }
}

/// An endpoint that says nothing is left after its time, whatever the clock of the test says.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().expect("bound").port());
    let began = tokio::time::Instant::now();
    let hung = post(&url, Reach::Host, &parcel()).await;
    assert_eq!(hung, Carried::Later("no answer within 15 s".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(16));
}
