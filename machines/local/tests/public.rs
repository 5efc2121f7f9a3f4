//! Public addresses: the host reaches a machine where its groups let the host in, and only there.

use crate::given::*;
use kiln_machines_spec::*;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PUBLIC: &str = "127.213.7.9";

/// What the host gets at that address: a page, or how it was refused.
async fn page(address: &str, port: u16) -> Result<String, ErrorKind> {
    let asked = async {
        let mut stream = TcpStream::connect((address, port)).await?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    };
    match tokio::time::timeout(Duration::from_secs(5), asked).await {
        Ok(done) => done.map_err(|e: std::io::Error| e.kind()),
        Err(_) => Err(ErrorKind::TimedOut),
    }
}

async fn serves(address: &str, port: u16) -> bool {
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        match page(address, port).await {
            Ok(text) => return text.contains("hello from a machine"),
            // Its web server does not listen yet: the machine refused, and so does its address.
            Err(ErrorKind::ConnectionReset) if tokio::time::Instant::now() < until => tokio::task::yield_now().await,
            Err(_) => return false,
        }
    }
}

fn from(block: &str) -> Peer {
    Peer::Cidr { cidr: block.parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_is_open_as_its_groups_say() {
    let mut given = given().await;
    let mut network = given.launch(&[("i-1", "10.0.1.10", &["shut"])]).await;
    network.groups.push(group("shut", vec![]));
    network.interfaces[0].public = Some(ip(PUBLIC));
    // What the host itself has on all addresses does not answer for a machine.
    let of_the_host = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let taken = of_the_host.local_addr().unwrap().port();
    let refused = Err(ErrorKind::ConnectionRefused);
    let shut = network.groups.len() - 1;
    let with_rule = |network: &VpcSpec, protocol, peer| {
        let mut changed = network.clone();
        changed.groups[shut] = group("shut", vec![allow(Direction::Ingress, protocol, peer)]);
        changed
    };
    given.driver.apply_network(&network).await.unwrap();
    assert_eq!(page(PUBLIC, 80).await, refused);
    assert_eq!(page(PUBLIC, taken).await, refused);
    // Who the host is to a rule: 127.0.0.1, not an address of the VPC, nor the one it has inside.
    for (block, open) in [
        ("127.0.0.1/32", true),
        ("0.0.0.0/1", true),
        ("10.0.0.0/16", false),
        ("198.18.0.0/15", false),
        ("203.0.113.7/32", false),
        ("0.0.0.0/0", true),
    ] {
        given.driver.apply_network(&with_rule(&network, tcp(80), from(block))).await.unwrap();
        if open {
            assert!(serves(PUBLIC, 80).await, "{block}");
        } else {
            assert_eq!(page(PUBLIC, 80).await, refused, "{block}");
        }
    }
    // A port that is open and has nobody behind it, and one of the host's.
    let all = with_rule(&network, Protocol::All, anyone());
    given.driver.apply_network(&all).await.unwrap();
    for port in [1, 81, taken, 65535] {
        assert_eq!(page(PUBLIC, port).await, Err(ErrorKind::ConnectionReset), "{port}");
    }
    assert!(serves(PUBLIC, 80).await);

    // After a kill the next kiln has it again; in between nobody answers.
    given
        .replace_driver(async |driver| {
            drop(driver);
            // A watcher's last step may hold it for a moment; what is cut then is not an answer that ends early.
            let until = tokio::time::Instant::now() + PATIENCE;
            while let Ok(text) = page(PUBLIC, 80).await {
                assert!(text.contains("hello from a machine"), "{text:?}");
                assert!(tokio::time::Instant::now() < until, "it still answers");
            }
        })
        .await;
    given.driver.adopt().await.unwrap();
    assert!(serves(PUBLIC, 80).await);

    // Given back, it cuts what was open.
    let mut open = TcpStream::connect((PUBLIC, 80)).await.unwrap();
    open.write_all(b"GET / ").await.unwrap();
    network.interfaces[0].public = None;
    given.driver.apply_network(&network).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, open.read_to_end(&mut rest)).await.expect("it ends");
    assert_eq!(ended.map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(page(PUBLIC, 80).await, refused);
    given.ends().await;
}

/// As AWS's tracked connections do.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_judged_as_the_rules_go() {
    let given = given().await;
    let mut network = given.launch(&[("i-0", "10.0.1.9", &["web"])]).await;
    network = with(network, "10.0.1.10", &["web"], machine("i-1"));
    network.interfaces[1].public = Some(ip("127.213.7.10"));
    given.driver.apply_network(&network).await.unwrap();
    let mut spec = given.spec("i-1", "10.0.1.10");
    let echo = ["/bin/nc", "-ll", "-p", "80", "-e", "/bin/cat"];
    spec.entry = Some(Entry::Program(Program { argv: echo.map(String::from).to_vec(), ..Program::default() }));
    given.driver.launch(spec).await.unwrap();
    let answers = async |stream: &mut TcpStream| {
        let mut buffer = [0u8; 4];
        let asked = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut buffer).await
        };
        tokio::time::timeout(Duration::from_millis(700), asked).await.is_ok_and(|done| done.is_ok())
    };
    let connect = async || loop {
        // Reset while nobody listens inside yet.
        let Ok(mut stream) = TcpStream::connect("127.213.7.10:80").await else { continue };
        if answers(&mut stream).await {
            return stream;
        }
    };
    // Open to all, and all may leave: not tracked. With a narrower rule: tracked.
    let mut untracked = connect().await;
    network.groups[0] = group("web", vec![allow(Direction::Ingress, tcp(80), from("127.0.0.1/32"))]);
    given.driver.apply_network(&network).await.unwrap();
    let mut tracked = connect().await;
    assert!(answers(&mut untracked).await, "another rule allows it now");
    network.groups[0] = group("web", vec![]);
    given.driver.apply_network(&network).await.unwrap();
    assert!(answers(&mut tracked).await, "it goes on until it ends");
    let new = TcpStream::connect("127.213.7.10:80").await;
    assert_eq!(new.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    given.ends().await;
}
