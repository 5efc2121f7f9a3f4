//! What the stories are made of: small servers that can be told to misbehave, a client, and a
//! balancer between them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kiln_balancer::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const LB: &str = "lb/shop";

/// A server on loopback; ends (with its connections) on drop.
pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves each connection with `serve`, in tasks that end with the server.
pub async fn raw_server<F, Fut>(serve: F) -> Server
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(serve(stream));
        }
    });
    Server { address, task }
}

/// An HTTP/1.1 server.
pub async fn http_server<F, Fut>(answer: F) -> Server
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    raw_server(move |stream| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            // Clients hang up as they like.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

pub fn text(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::new(Full::new(body.into()))
}

/// A server that says its name to every request.
pub async fn named(name: &'static str) -> Server {
    http_server(move |_| async move { text(name) }).await
}

/// An address where nothing listens.
pub async fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

pub fn group(id: &str, targets: &[SocketAddr]) -> TargetGroupConfig {
    let mut group = TargetGroupConfig::new(id);
    group.targets =
        targets.iter().map(|a| TargetConfig { id: a.to_string(), ..TargetConfig::at(a.ip(), a.port()) }).collect();
    group.health_check.interval = Duration::from_secs(30);
    group
}

pub fn forward(weights: &[(&str, u32)]) -> Action {
    Action::Forward(Forward {
        target_groups: weights.iter().map(|(id, w)| ((*id).to_owned(), *w)).collect(),
        stickiness: None,
    })
}

/// A balancer with one load balancer and one listener.
pub struct World {
    pub balancer: Balancer,
    pub config: LoadBalancerConfig,
    pub port: u16,
}

impl World {
    /// One listener that forwards to the first of `groups`.
    pub async fn new(groups: Vec<TargetGroupConfig>) -> Self {
        Self::with(2, groups, |_| {}).await
    }

    pub async fn with(
        workers: usize,
        groups: Vec<TargetGroupConfig>,
        change: impl FnOnce(&mut LoadBalancerConfig),
    ) -> Self {
        let port = dead_address().await.port();
        let mut config = LoadBalancerConfig::new(LB);
        config.dns_name = "shop.elb.localhost".into();
        config.vpc_id = "vpc-1".into();
        config.listeners = vec![ListenerConfig {
            port,
            clients: None,
            default_action: groups.first().map_or(
                Action::FixedResponse(FixedResponse { status: 200, content_type: None, body: "default".into() }),
                |group| forward(&[(&group.id, 1)]),
            ),
            rules: Vec::new(),
        }];
        config.target_groups = groups;
        change(&mut config);
        let options = Options { workers, ..Default::default() };
        let balancer = Balancer::new(Arc::new(HostDialer), options).unwrap();
        balancer.apply(config.clone()).unwrap();
        World { balancer, config, port }
    }

    pub fn change(&mut self, change: impl FnOnce(&mut LoadBalancerConfig)) {
        change(&mut self.config);
        self.balancer.apply(self.config.clone()).unwrap();
    }

    pub fn states(&self, group: &str) -> Vec<HealthState> {
        self.balancer.health(group).unwrap().iter().map(|t| t.health.state).collect()
    }

    /// Waits until every target of the group is in `state`.
    pub async fn until(&self, group: &str, state: HealthState) {
        let all = || self.states(group).iter().all(|s| *s == state);
        eventually(&format!("all targets of {group} {state}"), all).await;
    }

    pub async fn healthy(self) -> Self {
        for group in &self.config.target_groups {
            self.until(&group.id, HealthState::Healthy).await;
        }
        self
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(LOCAL, self.port)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path)).await
    }

    pub async fn ask(&self, request: http::request::Builder) -> Answer {
        let request = request.body(Full::default()).unwrap();
        send(self.address(), request).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// One request over a connection of its own.
pub async fn send(to: SocketAddr, mut request: Request<Full<Bytes>>) -> Answer {
    request.headers_mut().entry("host").or_insert(http::HeaderValue::from_static("shop.elb.localhost"));
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    collect(sender.send_request(request).await.unwrap()).await
}

pub async fn collect(response: Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// Sends bytes, reads until the other side closes (or 5 s pass).
pub async fn raw(to: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits for a condition, not for a time.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited 10 s in vain for: {what}");
}

/// Who answered how often.
pub fn tally(answers: &[Answer]) -> HashMap<&str, usize> {
    let mut tally = HashMap::new();
    for answer in answers {
        *tally.entry(answer.text()).or_insert(0) += 1;
    }
    tally
}
