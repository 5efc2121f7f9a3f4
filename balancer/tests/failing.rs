//! Targets and clients that misbehave, and machines that die.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use kiln_balancer::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_registered_target_is_503_and_no_connection_is_502() {
    let mut world = World::new(vec![group("g", &[])]).await;
    let answer = world.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["server"], "awselb/2.0");
    assert_eq!(answer.headers["content-type"], "text/html");
    assert!(answer.text().contains("<h1>503 Service Temporarily Unavailable</h1>"));
    let dead = dead_address().await;
    world.change(|c| c.target_groups[0].targets = group("g", &[dead]).targets);
    let answer = world.get("/").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("<h1>502 Bad Gateway</h1>"));
    let total = world.balancer.counters(LB).unwrap().total;
    assert_eq!((total.requests, total.elb), (2, [0, 0, 2]));
    assert!(total.elb_codes.contains(&(502, 1)) && total.elb_codes.contains(&(503, 1)));
    assert_eq!(total.connection_errors, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_up_or_talks_nonsense_is_502() {
    for answer in ["", "nonsense\r\n\r\n"] {
        let server = raw_server(move |mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await;
        let world = World::new(vec![group("g", &[server.address])]).await;
        assert_eq!(world.get("/").await.status, 502, "after {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_silent_for_the_idle_timeout_is_504() {
    let server = http_server(|_| async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        text("late")
    })
    .await;
    let world = World::with(2, vec![group("g", &[server.address])], |c| {
        c.idle_timeout = Duration::from_millis(300);
    })
    .await;
    let began = Instant::now();
    let answer = world.get("/").await;
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("<h1>504 Gateway Time-out</h1>"));
    let took = began.elapsed();
    assert!((300..1_500).contains(&took.as_millis()), "took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_disconnected_and_an_unfinished_request_is_408() {
    let server = http_server(|request: Request<hyper::body::Incoming>| async {
        use http_body_util::BodyExt;
        let _ = request.into_body().collect().await;
        text("done")
    })
    .await;
    let world = World::with(2, vec![group("g", &[server.address])], |c| {
        c.idle_timeout = Duration::from_millis(300);
    })
    .await
    .healthy()
    .await;
    let silent = raw(world.address(), "").await;
    assert_eq!(silent, "");
    let half_head = raw(world.address(), "GET / HTTP/1.1\r\nhost: a\r\n").await;
    assert!(!half_head.contains("200"), "{half_head}");
    let half_body = raw(world.address(), "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc").await;
    assert!(half_body.starts_with("HTTP/1.1 408 "), "{half_body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_in_its_body_is_not_the_targets_fault() {
    let server = http_server(|request: Request<hyper::body::Incoming>| async {
        use http_body_util::BodyExt;
        let _ = request.into_body().collect().await;
        text("done")
    })
    .await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let mut stream = tokio::net::TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_two_lengths_is_passed_on_once_and_ends_the_connection() {
    let server = named("a").await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let smuggling = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
                     0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = raw(world.address(), smuggling).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let counted = world.balancer.counters(LB).unwrap().total;
    assert_eq!(counted.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_more_than_32_k_of_headers_is_502() {
    let server = http_server(|_| async {
        let mut answer = text("big");
        for i in 0..3 {
            answer.headers_mut().insert(
                http::HeaderName::from_bytes(format!("x-{i}").as_bytes()).unwrap(),
                "a".repeat(11 * 1024).parse().unwrap(),
            );
        }
        answer
    })
    .await;
    let world = World::new(vec![group("g", &[server.address])]).await;
    assert_eq!(world.get("/").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_get_albs_answers() {
    let server = named("a").await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let many = vec!["10.0.0.1"; 31].join(", ");
    let long = "a".repeat(17 * 1024);
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), 400),
        ("TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), 405),
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {many}\r\nconnection: close\r\n\r\n"), 463),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\nconnection: close\r\n\r\n"), 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef".to_owned(), 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n y\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET http://b/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), 200),
    ] {
        let answer = tokio::time::timeout(Duration::from_secs(3), raw(world.address(), &request));
        let answer = answer.await.unwrap_or_default();
        let line = answer.lines().next().unwrap_or_default();
        let shown = &request[..request.len().min(40)];
        assert!(line.contains(&format!(" {status}")), "{shown:?} got {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_counted_as_460_and_frees_its_place() {
    let server = http_server(|request: Request<_>| async move {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        text("")
    })
    .await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let mut client = TcpStream::connect(world.address()).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let in_flight = || world.balancer.health("g").unwrap()[0].in_flight;
    eventually("the request is under way", || in_flight() == 1).await;
    drop(client);
    eventually("its place is free", || in_flight() == 0).await;
    let total = world.balancer.counters(LB).unwrap().total;
    assert!(total.elb_codes.contains(&(460, 1)), "{total:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_goes_to_another_target_even_for_post() {
    let (a, b) = (named("a").await, named("b").await);
    let world = World::new(vec![group("g", &[a.address, b.address])]).await.healthy().await;
    drop(b);
    for _ in 0..6 {
        let request = Request::post("/order").body(Full::from("one book")).unwrap();
        let answer = send(world.address(), request).await;
        assert_eq!((answer.status, answer.text()), (200, "a"));
    }
}

/// Asks without pause over one connection; says how many were answered well and what else came.
async fn keep_asking(to: SocketAddr, stop: Arc<AtomicUsize>) -> (usize, Vec<String>) {
    let (mut good, mut bad) = (0, Vec::new());
    let mut sender = None;
    while stop.load(Ordering::SeqCst) == 0 {
        if sender.is_none() {
            let stream = TcpStream::connect(to).await.unwrap();
            let (s, connection) =
                hyper::client::conn::http1::handshake::<_, Full<bytes::Bytes>>(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender = Some(s);
        }
        let request = Request::get("/").header("host", "a").body(Full::default()).unwrap();
        let ready = sender.as_mut().unwrap();
        let answered = match ready.ready().await {
            Ok(()) => ready.send_request(request).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(response) => match collect(response).await {
                answer if answer.status == 200 => good += 1,
                answer => bad.push(answer.status.to_string()),
            },
            Err(error) => {
                bad.push(error.to_string());
                sender = None;
            }
        }
    }
    (good, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_killed_under_load_costs_no_more_than_what_it_was_answering() {
    let servers = [named("a").await, named("b").await, named("c").await];
    let addresses: Vec<_> = servers.iter().map(|s| s.address).collect();
    let world = World::new(vec![group("g", &addresses)]).await.healthy().await;
    let stop = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16).map(|_| tokio::spawn(keep_asking(world.address(), stop.clone()))).collect();
    let requests = || world.balancer.counters(LB).unwrap().total.requests;
    eventually("some requests", || requests() > 300).await;
    let [a, b, c] = servers;
    let in_flight = world.balancer.health("g").unwrap().iter().find(|t| t.port == a.address.port()).unwrap().in_flight;
    drop(a);
    let seen = requests();
    eventually("more requests", || requests() > seen + 600).await;
    stop.store(1, Ordering::SeqCst);
    let (mut good, mut bad) = (0, Vec::new());
    for client in clients {
        let (g, b) = client.await.unwrap();
        good += g;
        bad.extend(b);
    }
    drop((b, c));
    assert!(bad.len() <= in_flight, "{good} good, {in_flight} in flight, failed: {bad:?}");
    assert!(good > 900, "{good}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_reported_dead_is_left_at_once_and_its_waiting_requests_go_elsewhere() {
    // It accepts and never answers: what a machine looks like whose network has vanished.
    let hole = raw_server(|mut stream| async move {
        let mut request = vec![0; 4096];
        let n = stream.read(&mut request).await.unwrap_or(0);
        if String::from_utf8_lossy(&request[..n]).contains("HealthChecker") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        } else {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
    })
    .await;
    let mut g = group("g", &[hole.address]);
    g.targets[0].ip = "127.0.0.1".parse().unwrap();
    let mut world = World::new(vec![g]).await.healthy().await;
    let address = world.address();
    let get = tokio::spawn(async move { send(address, Request::get("/").body(Full::default()).unwrap()).await });
    let post = tokio::spawn(async move { send(address, Request::post("/").body(Full::from("x")).unwrap()).await });
    eventually("both wait", || world.balancer.health("g").unwrap()[0].in_flight == 2).await;
    // A second machine, at another address, takes over.
    let other = named("other").await;
    let listener = std::net::TcpListener::bind(("127.0.0.2", 0)).unwrap();
    let relay = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let behind = other.address;
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    world.change(|c| c.target_groups[0].targets.extend(group("g", &[relay]).targets));
    world.until("g", HealthState::Healthy).await;
    let began = Instant::now();
    world.balancer.target_gone("vpc-2", LOCAL);
    assert_eq!(world.states("g"), [HealthState::Healthy; 2], "another VPC's address");
    world.balancer.target_gone("vpc-1", LOCAL);
    let (get, post) = (get.await.unwrap(), post.await.unwrap());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((get.status, get.text()), (200, "other"), "a GET can be asked again");
    assert_eq!(post.status, 502, "a POST cannot");
    let health = &world.balancer.health("g").unwrap()[0].health;
    assert_eq!(*health, Health { state: HealthState::Unused, reason: Some(Reason::InvalidState) });
    for _ in 0..4 {
        assert_eq!(world.get("/").await.text(), "other");
    }
    // It is started again.
    world.balancer.target_back("vpc-1", LOCAL);
    world.until("g", HealthState::Healthy).await;
}
