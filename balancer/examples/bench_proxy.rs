//! A balancer in front of the given upstreams, for benchmarks: `bench_proxy LISTEN UPSTREAM…`.
//! Runs until its standard input ends.

use std::net::SocketAddr;
use std::sync::Arc;

use kiln_balancer::{
    Action, Balancer, Forward, HostDialer, ListenerConfig, LoadBalancerConfig, Options, TargetConfig, TargetGroupConfig,
};
use tokio::io::AsyncReadExt;

/// As in the binary `kiln`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addresses: Vec<SocketAddr> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let [listen, upstreams @ ..] = &addresses[..] else {
        return Err("usage: bench_proxy LISTEN UPSTREAM…".into());
    };
    let mut group = TargetGroupConfig::new("upstreams");
    group.targets = upstreams.iter().map(|u| TargetConfig::at(u.ip(), u.port())).collect();
    let balancer = Balancer::new(Arc::new(HostDialer), Options::default())?;
    balancer.apply(LoadBalancerConfig {
        listen_on: Some(listen.ip()),
        listeners: vec![ListenerConfig {
            port: listen.port(),
            clients: None,
            default_action: Action::Forward(Forward::to("upstreams")),
            rules: Vec::new(),
        }],
        target_groups: vec![group],
        ..LoadBalancerConfig::new("bench")
    })?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
