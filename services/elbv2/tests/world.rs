//! A platform with the service, a stand-in for EC2 and running controllers; servers and a client.

use crate::ec2;
use async_trait::async_trait;
use kiln_elbv2::{DataPlane, Dialer, HostDialer, Options, Stream, places};
use kiln_elbv2_shapes::*;
use kiln_reconcile::{Hooks, Runner};
use kiln_service_kit::{Caller, Clock, Cx, IdSource, Platform, PlatformBuilder, Scope, Store};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// The VPC's targets are this host's servers: of an address only the port counts.
struct ToThisHost;

#[async_trait]
impl Dialer for ToThisHost {
    async fn dial(&self, vpc: &str, _: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        HostDialer.dial(vpc, None, (Ipv4Addr::LOCALHOST, to.port()).into(), timeout).await
    }
}

pub struct World {
    pub cx: Cx,
    pub store: Store,
    _runner: Runner,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Store::in_memory(Clock::system()), Hooks::default()).await
    }

    /// On a store that may hold what an earlier platform left; controllers as `hooks` say.
    pub async fn with(store: Store, hooks: Hooks) -> Self {
        let scope = Scope::new("000000000000", "us-east-1");
        let plane = DataPlane::without_networks(Arc::new(ToThisHost), Options { workers: 0, ..Default::default() });
        let platform: Arc<Platform> = PlatformBuilder::new(store.clone(), Clock::system(), IdSource::from_os())
            .part::<Arc<DataPlane>>(plane.expect("a data plane"))
            .part(kiln_points::Points::in_memory(Clock::system()))
            .service(ec2::service())
            .service(kiln_elbv2::service())
            .build();
        for service in platform.services() {
            for start in &service.start {
                start(platform.clone()).await.expect("the service starts");
            }
        }
        let runner = Runner::start(platform.clone(), hooks);
        let cx = Cx::new(platform, scope, Caller::root("000000000000"), "test");
        let world = World { cx, store, _runner: runner };
        if world.store.get::<ec2::Rules>(world.cx.scope(), ec2::GROUP).expect("readable").is_none() {
            world.let_in(&["0.0.0.0/0"]).await;
        }
        world
    }

    /// The load balancer's security group lets these in from now on.
    pub async fn let_in(&self, blocks: &[&str]) {
        let rules = ec2::Rules(blocks.iter().map(|b| (*b).to_owned()).collect());
        self.store.write(|tx| tx.put(self.cx.scope(), ec2::GROUP, rules)).await.expect("written");
    }

    /// An instance is in this state from now on.
    pub async fn instance(&self, id: &str, state: &str) {
        let seen = ec2::StandIn { state: state.into(), ip: "10.0.0.6".into() };
        self.store.write(|tx| tx.put(self.cx.scope(), id, seen)).await.expect("written");
    }

    pub async fn load_balancer(&self, name: &str) -> LoadBalancer {
        let request = CreateLoadBalancerRequest {
            name: name.into(),
            subnets: ec2::SUBNETS[..2].iter().map(|s| s.0.to_owned()).collect(),
            security_groups: vec![ec2::GROUP.into()],
            ..Default::default()
        };
        self.cx.call(request).await.expect("a load balancer").load_balancers.remove(0)
    }

    pub async fn target_group(&self, name: &str, target_type: &str) -> String {
        let request = CreateTargetGroupRequest {
            name: name.into(),
            protocol: Some("HTTP".into()),
            port: Some(80),
            vpc_id: Some(ec2::VPC.into()),
            target_type: Some(target_type.into()),
            ..Default::default()
        };
        let made = self.cx.call(request).await.expect("a target group").target_groups.remove(0);
        made.target_group_arn.expect("an ARN")
    }

    pub async fn listener(&self, lb: &str, port: u16, actions: Vec<Action>) -> String {
        let request = CreateListenerRequest {
            load_balancer_arn: lb.into(),
            protocol: Some("HTTP".into()),
            port: Some(port.into()),
            default_actions: actions,
            ..Default::default()
        };
        let made = self.cx.call(request).await.expect("a listener").listeners.remove(0);
        made.listener_arn.expect("an ARN")
    }

    pub async fn register(&self, group: &str, id: &str, at: SocketAddr) {
        let target_group_arn = group.to_owned();
        self.cx
            .call(RegisterTargetsRequest { target_group_arn, targets: vec![target(id, at)] })
            .await
            .expect("registered");
    }

    pub async fn state(&self, lb: &str) -> String {
        let request = DescribeLoadBalancersRequest { load_balancer_arns: vec![lb.into()], ..Default::default() };
        let mut found = self.cx.call(request).await.expect("described");
        found.load_balancers.remove(0).state.and_then(|s| s.code).expect("a state")
    }

    /// `target state reason` of each target.
    pub async fn health(&self, group: &str) -> Vec<String> {
        let request = DescribeTargetHealthRequest { target_group_arn: group.into(), ..Default::default() };
        let found = self.cx.call(request).await.expect("described").target_health_descriptions;
        let text = |d: &TargetHealthDescription| {
            let (target, health) = (d.target.clone().expect("a target"), d.target_health.clone().expect("a health"));
            let reason = health.reason.map(|r| format!(" {r}")).unwrap_or_default();
            format!("{} {}{reason}", target.id, health.state.expect("a state"))
        };
        found.iter().map(text).collect()
    }

    /// Where a load balancer listens on this host.
    pub fn address(&self, lb: &str, port: u16) -> SocketAddr {
        let all = places(&self.store).expect("readable");
        SocketAddr::new(all.iter().find(|p| p.arn == lb).expect("a place").address.into(), port)
    }
}

pub fn target(id: &str, at: SocketAddr) -> TargetDescription {
    TargetDescription { id: id.into(), port: Some(at.port().into()), ..Default::default() }
}

pub fn forward(group: &str) -> Vec<Action> {
    vec![Action { r#type: "forward".into(), target_group_arn: Some(group.into()), ..Default::default() }]
}

pub fn fixed(status: &str, body: &str) -> Vec<Action> {
    let fixed = FixedResponseActionConfig {
        status_code: status.into(),
        content_type: Some("text/plain".into()),
        message_body: Some(body.into()),
    };
    vec![Action { r#type: "fixed-response".into(), fixed_response_config: Some(fixed), ..Default::default() }]
}

/// A server that answers `name`.
pub async fn server(name: &'static str) -> SocketAddr {
    let (address, mut requests) = holding_server(name).await;
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            // A client that hung up is fine.
            let _ = request.send(());
        }
    });
    address
}

/// A request that has come and waits for its answer.
pub type Held = oneshot::Sender<()>;

/// A server that answers `name` to each request when the test says so; health checks it answers at once.
pub async fn holding_server(name: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<Held>) {
    let (come, requests) = mpsc::unbounded_channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let come = come.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
                if !String::from_utf8_lossy(&buffer[..read]).contains("HealthChecker") {
                    let (answer, held) = oneshot::channel();
                    come.send(answer).expect("the test takes requests");
                    held.await.expect("the test lets it answer");
                }
                let length = name.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}");
                // A client that hung up is fine.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, requests)
}

/// One GET: status line's code and body; `None` when nothing answered.
pub async fn get(at: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(at).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop.example.org\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

/// Waits until `check` holds; fails naming what was waited for.
pub async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    for _ in 0..1000 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited 10 s for {what}");
}
