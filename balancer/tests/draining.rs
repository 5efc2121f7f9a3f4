//! Targets that leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::Full;
use kiln_balancer::*;
use tokio::sync::Semaphore;

use crate::world::*;

/// A server whose `/slow` answers when told to.
async fn patient(go: &Arc<Semaphore>) -> Server {
    let go = go.clone();
    http_server(move |request: Request<_>| {
        let go = go.clone();
        async move {
            if request.uri().path() == "/slow" {
                let _ = go.acquire().await;
            }
            text("patient")
        }
    })
    .await
}

fn slow(world: &World) -> tokio::task::JoinHandle<Answer> {
    let request = Request::get("/slow").body(Full::default()).unwrap();
    tokio::spawn(send(world.address(), request))
}

async fn under_way(world: &World) {
    let in_flight = || world.balancer.health("g").unwrap()[0].in_flight;
    eventually("the request is under way", || in_flight() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_target_finishes_its_requests_and_gets_no_new_ones() {
    let go = Arc::new(Semaphore::new(0));
    let leaving = patient(&go).await;
    let staying = named("staying").await;
    let mut world = World::new(vec![group("g", &[leaving.address])]).await.healthy().await;
    let waiting = slow(&world);
    under_way(&world).await;
    world.change(|c| c.target_groups[0].targets.extend(group("g", &[staying.address]).targets));
    world.until("g", HealthState::Healthy).await;
    let mut changes = world.balancer.subscribe();

    world.change(|c| c.target_groups[0].targets[0].draining = true);
    let change = changes.recv().await.unwrap();
    assert_eq!(change.to.state, HealthState::Draining);
    assert_eq!(change.to.reason.unwrap().code(), "Target.DeregistrationInProgress");
    for _ in 0..6 {
        assert_eq!(world.get("/").await.text(), "staying");
    }
    assert_eq!(world.states("g"), [HealthState::Draining, HealthState::Healthy]);
    go.add_permits(1);
    assert_eq!(waiting.await.unwrap().text(), "patient");

    // Its last request is answered: no need to wait for the 300 s.
    let change = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.unwrap();
    assert_eq!(change.unwrap().to.reason, Some(Reason::NotRegistered));
    assert_eq!(world.states("g"), [HealthState::Unused, HealthState::Healthy]);
    // Registered again, it starts over.
    world.change(|c| c.target_groups[0].targets[0].draining = false);
    world.until("g", HealthState::Healthy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_left_out_of_the_config_drains_and_then_is_forgotten() {
    let go = Arc::new(Semaphore::new(0));
    let leaving = patient(&go).await;
    let mut world = World::new(vec![group("g", &[leaving.address])]).await.healthy().await;
    let waiting = slow(&world);
    under_way(&world).await;
    world.change(|c| c.target_groups[0].targets.clear());
    assert_eq!(world.states("g"), [HealthState::Draining]);
    assert_eq!(world.get("/").await.status, 503);
    go.add_permits(1);
    assert_eq!(waiting.await.unwrap().status, 200);
    eventually("the target is forgotten", || world.states("g").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_delay_is_over_what_is_left_is_cut_off() {
    let go = Arc::new(Semaphore::new(0));
    let leaving = patient(&go).await;
    let mut g = group("g", &[leaving.address]);
    g.deregistration_delay = Duration::from_millis(300);
    let mut world = World::new(vec![g]).await.healthy().await;
    let waiting = slow(&world);
    under_way(&world).await;
    let began = Instant::now();
    world.change(|c| c.target_groups[0].targets[0].draining = true);
    assert_eq!(waiting.await.unwrap().status, 502);
    let took = began.elapsed();
    assert!((300..1_500).contains(&took.as_millis()), "{took:?}");
    assert_eq!(world.states("g"), [HealthState::Unused]);
}
