//! Security groups: what is not allowed does not pass, from anywhere.

use crate::given::*;
use kiln_machines_spec::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Whether a machine can open a TCP connection; `nc` gives up after a second.
async fn reaches(given: &Given, from: &str, to: &str, port: u16) -> bool {
    let script = format!("echo | nc -w 1 {to} {port} >/dev/null 2>&1");
    given.sh(from, &script).await.code == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_not_opened_cannot_be_reached() {
    let given = given().await;
    given
        .launch(&[
            ("i-web", "10.0.1.10", &["web"]),
            ("i-shut", "10.0.1.11", &["closed"]),
            ("i-far", "10.0.2.12", &["closed"]),
        ])
        .await;
    // From the router, from the same subnet (bridged), from the other (routed).
    let shut = given.get(None, "10.0.1.11:80").await;
    assert!(shut.unwrap_err().contains("no answer"), "dropped, not refused");
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    assert!(!reaches(&given, "i-web", "10.0.1.11", 80).await);
    assert!(!reaches(&given, "i-far", "10.0.1.11", 80).await);
    assert!(reaches(&given, "i-shut", "10.0.1.10", 80).await);
    assert!(reaches(&given, "i-far", "10.0.1.10", 80).await);
    // Another port of the open machine, and the router itself.
    given.out("i-web", "httpd -p 81 -h /www; echo | nc -w 1 127.0.0.1 81").await;
    assert!(!reaches(&given, "i-shut", "10.0.1.10", 81).await);
    assert!(!reaches(&given, "i-web", "10.0.1.1", 22).await);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_may_admit_the_members_of_another() {
    let given = given().await;
    let mut network = vpc();
    let admit = vec![allow(Direction::Ingress, tcp(80), members("front"))];
    network.groups.push(group("back", admit));
    network.groups.push(group("front", vec![]));
    let network = with(network, "10.0.1.10", &["back"], machine("i-back"));
    let network = with(network, "10.0.1.11", &["front"], machine("i-front"));
    let network = with(network, "10.0.2.12", &["closed"], machine("i-other"));
    let network = with(network, "10.0.2.50", &["front"], InterfaceOwner::Router);
    let network = with(network, "10.0.2.51", &["closed"], InterfaceOwner::Router);
    given.driver.apply_network(&network).await.unwrap();
    for (id, at) in [("i-back", "10.0.1.10"), ("i-front", "10.0.1.11"), ("i-other", "10.0.2.12")] {
        given.driver.launch(given.spec(id, at)).await.unwrap();
    }
    assert!(given.get(Some("10.0.2.50"), "10.0.1.10:80").await.is_ok());
    assert!(given.get(Some("10.0.2.51"), "10.0.1.10:80").await.is_err());
    assert!(reaches(&given, "i-front", "10.0.1.10", 80).await);
    assert!(!reaches(&given, "i-other", "10.0.1.10", 80).await);
    // A machine that joins the group is admitted while it runs.
    let mut joined = network.clone();
    joined.interfaces[2].groups.push("front".into());
    given.driver.apply_network(&joined).await.unwrap();
    assert!(reaches(&given, "i-other", "10.0.1.10", 80).await);
    given.ends().await;
}

/// A connection from 10.0.2.50 to a machine at 10.0.1.10 that says what it hears.
async fn echo(given: &Given, network: &VpcSpec) -> tokio::net::TcpStream {
    given.driver.apply_network(network).await.unwrap();
    let mut spec = given.spec("i-1", "10.0.1.10");
    let echo = ["/bin/nc", "-ll", "-p", "80", "-e", "/bin/cat"];
    spec.entry = Some(Entry::Program(Program { argv: echo.map(String::from).to_vec(), ..Program::default() }));
    given.driver.launch(spec).await.unwrap();
    let (from, to) = (Some(ip("10.0.2.50")), "10.0.1.10:80".parse().unwrap());
    let mut stream = loop {
        match given.driver.dial(&VPC.into(), from, to, Duration::from_secs(1)).await {
            Ok(stream) => break stream,
            Err(e) if e.chain().contains("refused") => tokio::task::yield_now().await,
            Err(e) => panic!("{}", e.chain()),
        }
    };
    assert!(answers(&mut stream).await);
    stream
}

async fn answers(stream: &mut tokio::net::TcpStream) -> bool {
    let mut buffer = [0u8; 4];
    stream.write_all(b"ping").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_millis(700), stream.read_exact(&mut buffer));
    answer.await.is_ok_and(|read| read.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_all_that_is_taken_away_stops_connections_that_are_open() {
    let given = given().await;
    let network = with(vpc(), "10.0.2.50", &["closed"], InterfaceOwner::Router);
    let mut network = with(network, "10.0.1.10", &["web"], machine("i-1"));
    let mut stream = echo(&given, &network).await;
    network.groups[0].rules.retain(|r| r.direction == Direction::Egress);
    given.driver.apply_network(&network).await.unwrap();
    assert!(!answers(&mut stream).await, "the open connection went on");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_connection_outlives_its_rule_and_lets_nobody_else_in() {
    let given = given().await;
    let mut network = vpc();
    network.groups.push(group("back", vec![allow(Direction::Ingress, tcp(80), members("front"))]));
    network.groups.push(group("front", vec![]));
    let network = with(network, "10.0.2.50", &["front"], InterfaceOwner::Router);
    let mut network = with(network, "10.0.1.10", &["back"], machine("i-1"));
    let mut stream = echo(&given, &network).await;
    let back = network.groups.iter_mut().find(|g| g.id.as_str() == "back").unwrap();
    back.rules.retain(|r| r.direction == Direction::Egress);
    given.driver.apply_network(&network).await.unwrap();
    assert!(answers(&mut stream).await, "the open connection ended");
    assert!(given.get(Some("10.0.2.50"), "10.0.1.10:80").await.is_err(), "a new one came in");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_cannot_speak_with_an_address_that_is_not_its_own() {
    let given = given().await;
    given.launch(&[("i-web", "10.0.1.10", &["web"]), ("i-liar", "10.0.1.11", &["closed"])]).await;
    assert!(reaches(&given, "i-liar", "10.0.1.10", 80).await);
    let lie = "/bin/busybox ip address flush dev eth0 && \
               /bin/busybox ip address add 10.0.1.77/24 dev eth0";
    given.out("i-liar", lie).await;
    assert!(!reaches(&given, "i-liar", "10.0.1.10", 80).await);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_dns_are_always_reached_and_know_the_caller() {
    let given = given().await;
    let mut network = vpc();
    network.groups.push(SecurityGroupSpec { id: "mute".into(), rules: vec![] });
    let network = with(network, "10.0.1.10", &["mute"], machine("i-1"));
    given.driver.apply_network(&network).await.unwrap();
    given.driver.launch(given.spec("i-1", "10.0.1.10")).await.unwrap();
    let at = "169.254.169.254:80".parse().unwrap();
    let metadata = given.driver.listen(&VPC.into(), at).await.unwrap();
    let caller = tokio::spawn(async move {
        let (mut stream, caller) = metadata.accept().await.unwrap();
        stream.write_all(b"yes").await.unwrap();
        caller.ip()
    });
    let said = given.out("i-1", "echo | nc -w 2 169.254.169.254 80").await;
    assert_eq!(said, "yes");
    assert_eq!(caller.await.unwrap(), ip("10.0.1.10"));
    let dns = given.driver.bind_udp(&VPC.into(), "10.0.0.2:53".parse().unwrap()).await.unwrap();
    given.sh("i-1", "/bin/busybox nslookup x 10.0.0.2 & sleep 0.2").await;
    let mut buffer = [0u8; 512];
    let heard = tokio::time::timeout(Duration::from_secs(2), dns.recv_from(&mut buffer));
    assert_eq!(heard.await.unwrap().unwrap().1.ip(), ip("10.0.1.10"));
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_asks_nobody_but_machines() {
    let given = given().await;
    let mut network = vpc();
    network.groups.push(group("open", vec![allow(Direction::Ingress, tcp(80), anyone())]));
    let network = with(network, "10.0.2.50", &["web"], InterfaceOwner::Router);
    let network = with(network, "10.0.2.60", &["open"], InterfaceOwner::Router);
    given.driver.apply_network(&network).await.unwrap();
    let (from, soon) = (Some(ip("10.0.2.50")), Duration::from_millis(300));
    let mut doors = vec![];
    for at in ["169.254.169.254:80", "169.254.169.254:4566", "10.0.0.2:53", "10.0.2.60:80"] {
        doors.push(given.driver.listen(&VPC.into(), at.parse().unwrap()).await.unwrap());
    }
    let host = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let mut nowhere: Vec<String> = ["169.254.169.254:80", "169.254.169.254:4566", "10.0.0.2:53", "10.0.1.1:80"]
        .into_iter()
        // Itself and another load balancer: a request could go round for ever.
        .chain(["10.0.2.50:80", "10.0.2.60:80"])
        .chain(["10.0.1.255:80", "10.9.0.9:80", "198.51.100.1:80", "0.0.0.0:80", "224.0.0.1:80"])
        .map(str::to_owned)
        .collect();
    nowhere.push(format!("127.0.0.1:{port}"));
    for address in nix::ifaddrs::getifaddrs().unwrap() {
        let ip = address.address.and_then(|a| a.as_sockaddr_in().map(|a| a.ip()));
        nowhere.extend(ip.map(|ip| format!("{ip}:{port}")));
    }
    for to in nowhere {
        for from in [from, None] {
            let refused = given.driver.dial(&VPC.into(), from, to.parse().unwrap(), soon).await;
            let text = refused.err().unwrap_or_else(|| panic!("{to} was reached")).chain();
            assert!(text.contains("no machine of the VPC can have this address"), "{to}: {text}");
        }
    }
    drop(doors);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_can_be_cut_off_and_joined_again() {
    let given = given().await;
    given.launch(&[("i-a", "10.0.1.10", &["web"]), ("i-b", "10.0.2.10", &["web"])]).await;
    assert!(reaches(&given, "i-a", "10.0.2.10", 80).await);
    given.driver.cut_zone(&VPC.into(), &"b".into(), true).await.unwrap();
    assert!(!reaches(&given, "i-a", "10.0.2.10", 80).await);
    assert!(given.get(None, "10.0.2.10:80").await.is_err());
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    given.driver.cut_zone(&VPC.into(), &"b".into(), false).await.unwrap();
    assert!(reaches(&given, "i-a", "10.0.2.10", 80).await);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_subnet_with_a_gateway_leads_to_the_internet() {
    let given = given().await;
    let mut network = vpc();
    network.subnets[0].internet = true;
    let network = with(network, "10.0.1.10", &["web"], machine("i-out"));
    let mut network = with(network, "10.0.2.10", &["web"], machine("i-in"));
    given.driver.apply_network(&network).await.unwrap();
    for (id, at) in [("i-out", "10.0.1.10"), ("i-in", "10.0.2.10")] {
        given.driver.launch(given.spec(id, at)).await.unwrap();
    }
    // The far side of the way out answers pings itself; nothing leaves this host.
    let ping = "/bin/busybox ping -c 1 -W 2 198.19.255.2";
    given.out("i-out", ping).await;
    assert_ne!(given.sh("i-in", ping).await.code, 0);
    // What machines send makes some helper write lines: its log has an end, and it outlives that.
    let state = given.state().to_string_lossy().into_owned();
    let of_ours = |process: &std::path::PathBuf| {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        command.contains("slirp4netns\0") && command.contains(&state)
    };
    let helpers: Vec<_> =
        std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(of_ours).collect();
    assert_eq!(helpers.len(), 1, "{helpers:?}");
    let told = |file: &str, name: &str| {
        let text = std::fs::read_to_string(helpers[0].join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap()
    };
    let most = told("limits", "Max file size");
    assert_eq!(most.split_whitespace().next(), Some("1048576"), "{most}");
    let ignored = u64::from_str_radix(told("status", "SigIgn:").trim(), 16).unwrap();
    assert_ne!(ignored & 1 << (nix::libc::SIGXFSZ - 1), 0, "{ignored:x}");
    // Not to the host: neither its loopback, by whatever name, nor its own addresses.
    let host = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = host.local_addr().unwrap().port();
    assert!(!reaches(&given, "i-out", "198.19.255.2", port).await);
    for address in nix::ifaddrs::getifaddrs().unwrap() {
        let ip = address.address.and_then(|a| a.as_sockaddr_in().map(|a| a.ip()));
        if let Some(ip) = ip.filter(|ip| !ip.is_loopback()) {
            assert!(!reaches(&given, "i-out", &ip.to_string(), port).await, "{ip}");
        }
    }
    assert_eq!(given.driver.leftovers().await.unwrap().processes, 3);
    // Nor does a gateway help an interface that may not use it.
    network.interfaces[0].internet = false;
    given.driver.apply_network(&network).await.unwrap();
    assert_ne!(given.sh("i-out", ping).await.code, 0);
    network.interfaces[0].internet = true;
    given.driver.apply_network(&network).await.unwrap();
    given.out("i-out", ping).await;
    network.subnets[0].internet = false;
    given.driver.apply_network(&network).await.unwrap();
    assert_ne!(given.sh("i-out", ping).await.code, 0);
    assert_eq!(given.driver.leftovers().await.unwrap().processes, 2);
    given.ends().await;
}
