//! Health as checks find it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use kiln_balancer::*;

use crate::world::*;

fn quick(mut group: TargetGroupConfig) -> TargetGroupConfig {
    group.health_check.interval = Duration::from_millis(100);
    group.health_check.timeout = Duration::from_millis(200);
    group.health_check.healthy_threshold = 2;
    group.health_check.path = "/healthz".into();
    group.health_check.matcher = "200-204".into();
    group
}

/// A server whose `/healthz` answers what it is told.
async fn moody(status: &Arc<AtomicU16>) -> Server {
    let status = status.clone();
    http_server(move |request: http::Request<_>| {
        let status = status.load(Ordering::SeqCst);
        async move {
            assert_eq!(request.headers()["user-agent"], "ELB-HealthChecker/2.0");
            assert_eq!(request.uri().path(), "/healthz");
            let mut response: Response<Full<Bytes>> = text("");
            *response.status_mut() = status.try_into().unwrap();
            response
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_few_healthy_targets_the_ill_ones_serve_too() {
    let well = named("well").await;
    let ill = http_server(|request: http::Request<_>| async move {
        let mut response: Response<Full<Bytes>> = text("ill");
        if request.uri().path() == "/healthz" {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    })
    .await;
    let mut world = World::new(vec![quick(group("g", &[well.address, ill.address]))]).await;
    eventually("one to be healthy and one not", || {
        let mut states = world.states("g");
        states.sort_by_key(|state| state.to_string());
        states == [HealthState::Healthy, HealthState::Unhealthy]
    })
    .await;
    // One of two: 50 %.
    for (count, percent, serving) in [(1, 0, 1), (2, 0, 2), (1, 51, 2), (1, 50, 1), (2, 1, 2)] {
        world.change(|c| c.target_groups[0].healthy_at_least = AtLeast { count, percent });
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(world.get("/").await);
        }
        assert_eq!(tally(&answers).len(), serving, "{count}, {percent} %");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_goes_from_initial_to_healthy_to_unhealthy_and_back() {
    let status = Arc::new(AtomicU16::new(200));
    let server = moody(&status).await;
    let mut world = World::new(vec![quick(group("g", &[]))]).await;
    let mut changes = world.balancer.subscribe();
    world.change(|c| {
        c.target_groups[0].targets = group("g", &[server.address]).targets;
    });
    let mut story = Vec::new();
    let mut next = async |story: &mut Vec<String>| {
        let change = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await;
        let to = change.expect("a change within 5 s").unwrap().to;
        story.push(match &to.reason {
            Some(reason) => format!("{} {}: {}", to.state, reason.code(), reason.description()),
            None => to.state.to_string(),
        });
    };
    next(&mut story).await;
    next(&mut story).await;
    status.store(500, Ordering::SeqCst);
    next(&mut story).await;
    status.store(204, Ordering::SeqCst);
    next(&mut story).await;
    assert_eq!(
        story,
        [
            "initial Elb.RegistrationInProgress: Target registration is in progress",
            "healthy",
            "unhealthy Target.ResponseCodeMismatch: Health checks failed with these codes: [500]",
            "healthy",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_target_is_in_service_soon_after_it_starts_to_listen() {
    let address = dead_address().await;
    let mut g = group("g", &[address]);
    g.health_check.interval = Duration::from_secs(30);
    let world = World::new(vec![g]).await;
    // A check has failed before anybody listens.
    let looked = || world.balancer.health("g").unwrap()[0].health.reason == Some(Reason::InitialHealthChecking);
    eventually("a first check", looked).await;
    assert_eq!(world.states("g"), [HealthState::Initial]);
    let listener = std::net::TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    // Within the patience of tests, which is less than the interval.
    world.until("g", HealthState::Healthy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_failure_has_its_reason() {
    let silent = raw_server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    })
    .await;
    let rude = raw_server(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    let closed = dead_address().await;
    let g = quick(group("g", &[silent.address, rude.address, closed]));
    let world = World::new(vec![g]).await;
    world.until("g", HealthState::Unhealthy).await;
    let reasons: Vec<_> =
        world.balancer.health("g").unwrap().iter().map(|t| t.health.reason.as_ref().unwrap().code()).collect();
    assert_eq!(reasons, ["Target.Timeout", "Target.FailedHealthChecks", "Target.FailedHealthChecks"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_or_zone_that_gets_no_traffic_is_unused_and_not_checked() {
    let server = named("a").await;
    let mut elsewhere = group("zone", &[server.address]);
    elsewhere.targets[0].zone = "us-east-1c".into();
    let groups = vec![elsewhere, group("idle", &[server.address])];
    let world = World::with(2, groups, |c| {
        c.zones = vec![ZoneConfig { name: "us-east-1a".into(), source_ip: None }];
    })
    .await;
    let of = |id| world.balancer.health(id).unwrap()[0].health.clone();
    assert_eq!(of("idle").reason, Some(Reason::NotInUse));
    assert_eq!(of("zone").reason, Some(Reason::ZoneNotEnabled));
    assert_eq!(of("zone").reason.unwrap().code(), "Target.NotInUse");
    assert_eq!(world.get("/").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_targets_are_unhealthy_all_get_requests() {
    let status = Arc::new(AtomicU16::new(500));
    let (a, b) = (moody(&status).await, moody(&status).await);
    let world = World::new(vec![quick(group("g", &[a.address, b.address]))]).await;
    world.until("g", HealthState::Unhealthy).await;
    for _ in 0..4 {
        let request = http::Request::get("/healthz").header("user-agent", "ELB-HealthChecker/2.0");
        let answer = world.ask(request).await;
        assert_eq!(answer.status, 500);
        assert_ne!(answer.headers.get("server").map(|s| s.as_bytes()), Some(&b"awselb/2.0"[..]));
    }
    let counters = world.balancer.counters(LB).unwrap();
    assert!(counters.targets.values().all(|t| t.requests == 2), "{counters:?}");
}
