//! What arrives at a target, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kiln_balancer::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::*;

/// A server that answers with what it got: request line and headers.
async fn mirror() -> Server {
    http_server(|request: Request<Incoming>| async move {
        let mut seen = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
        for (name, value) in request.headers() {
            seen += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        seen += &format!("body: {}\n", body.len());
        let mut response = text(seen);
        response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
        response.headers_mut().insert("x-app", "1".parse().unwrap());
        response
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_sees_who_asked_and_no_hop_by_hop_headers() {
    let server = mirror().await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let request = Request::get("/a?b=c")
        .header("connection", "keep-alive, x-drop")
        .header("x-drop", "1")
        .header("te", "trailers")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678");
    let answer = world.ask(request).await;
    let seen = answer.text();
    assert!(seen.starts_with("GET /a?b=c HTTP/1.1\n"), "{seen}");
    assert!(seen.contains(&format!("\nhost: shop.elb.localhost:{}\n", world.port)), "{seen}");
    assert!(seen.contains("\nx-forwarded-for: 203.0.113.9, 127.0.0.1\n"), "{seen}");
    assert!(seen.contains("\nx-forwarded-proto: http\n"), "{seen}");
    assert!(seen.contains(&format!("\nx-forwarded-port: {}\n", world.port)), "{seen}");
    assert!(seen.contains("\nx-amzn-trace-id: Self=1-"), "{seen}");
    assert!(seen.contains(";Root=1-67891233-abcdef012345678912345678\n"), "{seen}");
    for gone in ["connection", "x-drop", "te"] {
        assert!(!seen.contains(&format!("\n{gone}:")), "{gone} in {seen}");
    }
    assert_eq!(answer.headers["x-app"], "1");
    assert!(!answer.headers.contains_key("keep-alive"));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_headers_are_treated_as_the_attributes_say() {
    let server = mirror().await;
    let world = World::with(2, vec![group("g", &[server.address])], |c| {
        c.request_headers = RequestHeaders {
            forwarded_for: ForwardedFor::Remove,
            keep_host: true,
            drop_invalid: true,
            ..RequestHeaders::default()
        };
    })
    .await
    .healthy()
    .await;
    let seen = world.ask(Request::get("/").header("x_odd", "1").header("x-forwarded-for", "203.0.113.9")).await;
    let seen = seen.text();
    assert!(seen.contains("\nhost: shop.elb.localhost\n"), "{seen}");
    assert!(!seen.contains("x-forwarded-for") && !seen.contains("x_odd"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_connection_ends_with_its_keep_alive_duration_but_not_in_a_request() {
    let server = http_server(|_| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        text("late")
    })
    .await;
    let world = World::with(2, vec![group("g", &[server.address])], |c| {
        c.client_keep_alive = Duration::from_millis(100);
    })
    .await;
    let answer = raw(world.address(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.contains("connection: close") && answer.ends_with("late"), "{answer}");
    assert_eq!(raw(world.address(), "").await, "", "one at rest is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_http2_its_preface_ends_the_connection() {
    let server = named("a").await;
    let world = World::with(2, vec![group("g", &[server.address])], |c| c.http2 = false).await.healthy().await;
    let answer = raw(world.address(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(answer, "");
    assert_eq!(world.get("/").await.text(), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_with_prior_knowledge_is_translated() {
    let server = mirror().await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let stream = TcpStream::connect(world.address()).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut answers = tokio::task::JoinSet::new();
    for i in 0..20 {
        let mut sender = sender.clone();
        let request = Request::post(format!("http://shop.example:81/{i}"))
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(Full::new(Bytes::from_static(b"hello")))
            .unwrap();
        answers.spawn(async move { collect(sender.send_request(request).await.unwrap()).await });
    }
    for answer in answers.join_all().await {
        let seen = answer.text();
        assert_eq!(answer.status, 200);
        assert!(seen.starts_with("POST /") && seen.contains("HTTP/1.1\n"), "{seen}");
        assert!(seen.contains("\nhost: shop.example:81\n"), "{seen}");
        assert!(seen.contains("\ncookie: a=1; b=2\n"), "{seen}");
        assert!(seen.contains("\nbody: 5\n"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_targets_are_kept() {
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = accepted.clone();
    let server = raw_server(move |mut stream| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer).await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let world = World::with(0, vec![group("g", &[server.address])], |_| {}).await.healthy().await;
    for _ in 0..20 {
        assert_eq!(world.get("/").await.text(), "ok");
    }
    // One for the health check, one for the 20 requests.
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn big_bodies_stream_both_ways_without_being_collected() {
    const SIZE: usize = 64 << 20;
    // Sends back each frame as it comes: a balancer that collected would never get the first.
    let server = raw_server(|stream| async move {
        let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
            Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    })
    .await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let stream = TcpStream::connect(world.address()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {SIZE}\r\n\r\n");
    writing.write_all(head.as_bytes()).await.unwrap();
    writing.write_all(&[b'a'; 1000]).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    while received < 1000 {
        let n = reading.read(&mut buffer).await.unwrap();
        assert_ne!(n, 0);
        received += buffer[..n].iter().filter(|b| **b == b'a').count();
    }
    let sending = tokio::spawn(async move {
        let chunk = vec![b'a'; 1 << 16];
        let mut left = SIZE - 1000;
        while left > 0 {
            let n = left.min(chunk.len());
            writing.write_all(&chunk[..n]).await.unwrap();
            left -= n;
        }
        writing
    });
    // The echo has no length of its own framing but content-length or chunks: count the payload.
    while received < SIZE {
        let n = reading.read(&mut buffer).await.unwrap();
        assert_ne!(n, 0, "ended after {received} bytes");
        received += buffer[..n].iter().filter(|b| **b == b'a').count();
    }
    sending.await.unwrap();
}

/// A server that switches to an echo protocol.
async fn echo_after_upgrade() -> Server {
    raw_server(|mut stream| async move {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        if !head.contains("upgrade: websocket") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            return;
        }
        assert!(head.contains("connection: upgrade"), "{head}");
        let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                      connection: upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    })
    .await
}

async fn open_websocket(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream
        .write_all(
            b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
        )
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_are_tunnelled_and_count_as_in_flight() {
    let server = echo_after_upgrade().await;
    let mut g = group("g", &[server.address]);
    g.deregistration_delay = Duration::from_millis(700);
    let mut world = World::new(vec![g]).await.healthy().await;
    let mut socket = open_websocket(&world).await;
    for message in ["one", "two"] {
        socket.write_all(message.as_bytes()).await.unwrap();
        let mut echo = vec![0; message.len()];
        socket.read_exact(&mut echo).await.unwrap();
        assert_eq!(echo, message.as_bytes());
    }
    assert_eq!(world.balancer.health("g").unwrap()[0].in_flight, 1);
    // Draining leaves it alone until the delay is over; then it ends.
    let began = std::time::Instant::now();
    world.change(|c| c.target_groups[0].targets[0].draining = true);
    assert_eq!(world.states("g"), [HealthState::Draining]);
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap_or(0), 0);
    let took = began.elapsed();
    assert!((690..2_000).contains(&took.as_millis()), "{took:?}");
    world.until("g", HealthState::Unused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_can_hand_requests_in() {
    let server = echo_after_upgrade().await;
    let mut world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let gateway = listener.local_addr().unwrap();
    let balancer = std::sync::Arc::new(std::mem::replace(
        &mut world.balancer,
        Balancer::new(std::sync::Arc::new(HostDialer), Options::default()).unwrap(),
    ));
    let port = world.port;
    tokio::spawn(async move {
        loop {
            let (stream, client) = listener.accept().await.unwrap();
            let balancer = balancer.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let balancer = balancer.clone();
                    async move {
                        let lb = if request.uri().path() == "/none" { "lb/none" } else { LB };
                        let answer = balancer.handle(lb, port, request, client).await;
                        Ok::<_, std::convert::Infallible>(answer.unwrap_or_else(Balancer::no_such_load_balancer))
                    }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await;
            });
        }
    });
    world.port = gateway.port();
    assert_eq!(world.get("/").await.status, 200);
    assert_eq!(world.get("/none").await.status, 503);
    let mut socket = open_websocket(&world).await;
    socket.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    socket.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"hello");
}
