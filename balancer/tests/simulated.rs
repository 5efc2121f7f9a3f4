//! The balancer with no network and a clock that jumps: what takes minutes is seen in milliseconds,
//! and exactly.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kiln_balancer::*;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::world::{Answer, LB, collect, group, text};

/// What a simulated machine does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Refusing,
    /// Nothing comes back.
    Unreachable,
    Broken,
    /// Answers checks at once, everything else after this many seconds.
    Slow(u64),
}

#[derive(Default)]
struct SimulatedMachines(Mutex<HashMap<SocketAddr, Mood>>);

#[async_trait::async_trait]
impl Dialer for SimulatedMachines {
    async fn dial(&self, vpc: &str, from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        assert_eq!((vpc, from), ("vpc-1", Some("10.0.0.4".parse().unwrap())));
        let mood = self.0.lock().get(&to).copied();
        let mood = mood.filter(|m| *m != Mood::Refusing);
        let mood = mood.ok_or(io::Error::from(io::ErrorKind::ConnectionRefused))?;
        if mood == Mood::Unreachable {
            tokio::time::sleep(timeout).await;
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| async move {
                let checked = request.headers()["user-agent"] == "ELB-HealthChecker/2.0";
                if let (Mood::Slow(seconds), false) = (mood, checked) {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                let mut response: Response<Full<Bytes>> = text("well");
                if mood == Mood::Broken {
                    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                }
                Ok::<_, Infallible>(response)
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service).await;
        });
        Ok(Stream::Memory(ours))
    }
}

struct Simulation {
    machines: Arc<SimulatedMachines>,
    balancer: Arc<Balancer>,
    config: LoadBalancerConfig,
}

fn machine(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, n], 80))
}

impl Simulation {
    /// Machines 1, 2, … with these moods behind one listener.
    async fn of(moods: &[Mood]) -> Self {
        let addresses: Vec<_> = (1..).map(machine).take(moods.len()).collect();
        let machines = Arc::new(SimulatedMachines::default());
        for (address, mood) in addresses.iter().zip(moods) {
            machines.0.lock().insert(*address, *mood);
        }
        let mut config = LoadBalancerConfig::new(LB);
        config.vpc_id = "vpc-1".into();
        config.zones = vec![ZoneConfig { name: "us-east-1a".into(), source_ip: Some("10.0.0.4".parse().unwrap()) }];
        config.listeners = vec![ListenerConfig {
            port: 80,
            clients: None,
            default_action: Action::Forward(Forward::to("g")),
            rules: vec![],
        }];
        config.target_groups = vec![group("g", &addresses)];
        let options = Options { ports: Ports::OfNoHost, workers: 0, ..Default::default() };
        let balancer = Arc::new(Balancer::new(machines.clone(), options).unwrap());
        balancer.apply(config.clone()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        Simulation { machines, balancer, config }
    }

    fn mood(&self, n: u8, mood: Mood) {
        self.machines.0.lock().insert(machine(n), mood);
    }

    fn states(&self) -> Vec<&'static str> {
        self.balancer.health("g").unwrap().iter().map(|t| t.health.state.as_str()).collect()
    }

    fn ask(&self) -> tokio::task::JoinHandle<Answer> {
        let balancer = self.balancer.clone();
        tokio::spawn(async move {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let client = SocketAddr::from(([203, 0, 113, 9], 4711));
            tokio::spawn(async move { balancer.serve(LB, 80, theirs, client, None).await });
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("/")
                .header("host", "shop")
                .header("user-agent", "test")
                .body(Full::<Bytes>::default())
                .unwrap();
            collect(sender.send_request(request).await.unwrap()).await
        })
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn health_changes_at_the_second_the_thresholds_say() {
    // Checks every 30 s, unhealthy after 2 failures, healthy again after 5 passes.
    let s = Simulation::of(&[Mood::Well, Mood::Well, Mood::Refusing]).await;
    assert_eq!(s.states(), ["healthy", "healthy", "initial"]);
    s.mood(2, Mood::Broken);
    pass(59).await;
    assert_eq!(s.states(), ["healthy", "healthy", "initial"]);
    pass(2).await;
    assert_eq!(s.states(), ["healthy", "unhealthy", "unhealthy"]);
    s.mood(2, Mood::Well);
    pass(4 * 30).await;
    assert_eq!(s.states()[1], "unhealthy");
    pass(30).await;
    assert_eq!(s.states()[1], "healthy");
}

#[tokio::test(start_paused = true)]
async fn who_listens_on_no_host_takes_no_port_from_another() {
    let (one, other) = (Simulation::of(&[Mood::Well]).await, Simulation::of(&[Mood::Well]).await);
    let told = [(LB.to_owned(), vec!["127.0.0.1:80".parse().unwrap()])];
    assert_eq!((one.balancer.load_balancers(), other.balancer.load_balancers()), (told.to_vec(), told.to_vec()));
    assert_eq!(one.ask().await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_default_idle_timeout_is_sixty_seconds() {
    let s = Simulation::of(&[Mood::Slow(59)]).await;
    let began = Instant::now();
    assert_eq!(s.ask().await.unwrap().status, 200);
    assert_eq!(began.elapsed().as_secs(), 59);
    s.mood(1, Mood::Slow(600));
    s.balancer.target_gone("vpc-1", machine(1).ip());
    s.balancer.target_back("vpc-1", machine(1).ip());
    pass(1).await;
    let began = Instant::now();
    assert_eq!(s.ask().await.unwrap().status, 504);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_connection_under_way_to_a_machine_that_dies_is_given_up_at_once() {
    let s = Simulation::of(&[Mood::Well, Mood::Well]).await;
    s.mood(1, Mood::Unreachable);
    let began = Instant::now();
    let asked = [s.ask(), s.ask()];
    pass(1).await;
    s.balancer.target_gone("vpc-1", machine(1).ip());
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, 200, "the other machine answers");
    }
    assert_eq!(began.elapsed().as_secs(), 1, "nobody waits for the dead one's timeout");
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_the_last_request_and_no_longer() {
    let mut s = Simulation::of(&[Mood::Slow(40), Mood::Well]).await;
    let mut asked = Vec::new();
    for _ in 0..2 {
        asked.push(s.ask());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    s.config.target_groups[0].targets[0].draining = true;
    s.balancer.apply(s.config.clone()).unwrap();
    pass(39).await;
    assert_eq!(s.states(), ["draining", "healthy"]);
    pass(2).await;
    assert_eq!(s.states(), ["unused", "healthy"]);
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_target_grows_into_its_share_during_slow_start() {
    let mut s = Simulation::of(&[Mood::Well]).await;
    s.config.target_groups[0].slow_start = Duration::from_secs(100);
    s.balancer.apply(s.config.clone()).unwrap();
    pass(200).await;
    s.mood(2, Mood::Well);
    s.config.target_groups[0].targets = group("g", &[machine(1), machine(2)]).targets;
    s.balancer.apply(s.config.clone()).unwrap();
    let share = async |requests: u64| {
        let of_second = || {
            let counters = s.balancer.counters(LB).unwrap();
            counters.targets[&("g".into(), machine(2).to_string(), 80)].requests
        };
        let before = of_second();
        for _ in 0..requests {
            assert_eq!(s.ask().await.unwrap().status, 200);
        }
        of_second() - before
    };
    pass(25).await;
    assert_eq!(s.states(), ["healthy", "healthy"]);
    // A quarter of the time has passed: weights 100 and 25, so a fifth of the requests.
    let early = share(100).await;
    assert!((18..=22).contains(&early), "{early}");
    pass(100).await;
    assert_eq!(share(100).await, 50);
}

/// A connection whose client sends `head` and then a byte every ten seconds; what it reads until it is closed or
/// has an answer, and after how many seconds.
async fn drip(s: &Simulation, head: &str) -> (String, u64) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (balancer, client) = (s.balancer.clone(), SocketAddr::from(([203, 0, 113, 9], 4711)));
    let serving = tokio::spawn(async move { balancer.serve(LB, 80, theirs, client, None).await });
    let began = Instant::now();
    let (mut reading, mut writing) = tokio::io::split(ours);
    writing.write_all(head.as_bytes()).await.unwrap();
    let writer = tokio::spawn(async move {
        // Never closed: the balancer must not take its end for the reason.
        while writing.write_all(b"a").await.is_ok() {
            pass(10).await;
        }
        std::future::pending::<()>().await
    });
    let mut answer = vec![0; 4096];
    let read = reading.read(&mut answer).await.unwrap();
    let took = began.elapsed().as_secs();
    writer.abort();
    serving.abort();
    (String::from_utf8_lossy(&answer[..read]).into_owned(), took)
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for_for_ever() {
    let s = Simulation::of(&[Mood::Well]).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: shop\r\nX-Long: "] {
        let (answer, took) = drip(&s, begun).await;
        assert!((60..=81).contains(&took), "{begun:?} {took} {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{begun:?} {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_now_and_then_keeps_its_connection() {
    let s = Simulation::of(&[Mood::Well]).await;
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (balancer, client) = (s.balancer.clone(), SocketAddr::from(([203, 0, 113, 9], 4711)));
    tokio::spawn(async move { balancer.serve(LB, 80, theirs, client, None).await });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..5 {
        let request = Request::get("/").header("host", "shop").header("user-agent", "test");
        let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        assert_eq!(collect(answer).await.status, 200);
        pass(50).await;
    }
}
