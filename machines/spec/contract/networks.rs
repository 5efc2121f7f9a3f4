//! Networks, and who is reached in them.

use super::*;

/// Applied twice is once; what is applied later replaces it whole; it goes when nothing runs in it.
pub async fn a_network_is_as_it_was_applied_last(world: impl World) {
    let network = launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    world.driver().apply_network(&network).await.unwrap();
    assert_eq!(world.driver().networks().await.unwrap(), [network.clone()]);
    let mut changed = network.clone();
    changed.groups.push(group("more", vec![]));
    world.driver().apply_network(&changed).await.unwrap();
    assert_eq!(world.driver().networks().await.unwrap(), [changed]);
    let busy = world.driver().remove_network(&VPC.into()).await;
    assert!(matches!(busy, Err(DriverError::Conflict { .. })), "{busy:?}");
    world.driver().terminate(&"i-1".into()).await.unwrap();
    for _ in 0..2 {
        world.driver().remove_network(&VPC.into()).await.unwrap();
        assert_eq!(world.driver().networks().await.unwrap(), []);
    }
    world.ends().await;
}

pub async fn what_a_group_opens_is_reached_and_nothing_else(world: impl World) {
    let network = launched(&world, &[("i-web", "10.0.1.10", "web"), ("i-shut", "10.0.1.11", "closed")]).await;
    answers(&world, "10.0.1.10").await.unwrap();
    assert!(answers(&world, "10.0.1.11").await.is_err());
    let dial = async |to: &str| {
        let error = world.driver().dial(&VPC.into(), None, to.parse().unwrap(), Duration::from_millis(700)).await;
        error.map(drop).map_err(|e| e.chain())
    };
    assert!(dial("10.0.1.1:80").await.is_err(), "the router is no machine");
    assert!(dial("192.0.2.1:80").await.is_err(), "nothing out of the network is reached");
    // A rule holds from when it is applied, for machines that run.
    let mut opened = network.clone();
    opened.groups.iter_mut().filter(|g| g.id.as_str() == "closed").for_each(|g| {
        g.rules.push(allow(Direction::Ingress, tcp(80), anyone()));
    });
    world.driver().apply_network(&opened).await.unwrap();
    answers(&world, "10.0.1.11").await.unwrap();
    world.driver().apply_network(&network).await.unwrap();
    assert!(answers(&world, "10.0.1.11").await.is_err());
    world.ends().await;
}

pub async fn a_zone_that_is_cut_off_reaches_nobody(world: impl World) {
    launched(&world, &[("i-a", "10.0.1.10", "web"), ("i-b", "10.0.2.10", "web")]).await;
    answers(&world, "10.0.2.10").await.unwrap();
    for _ in 0..2 {
        world.driver().cut_zone(&VPC.into(), &"b".into(), true).await.unwrap();
        assert!(answers(&world, "10.0.2.10").await.is_err());
        assert!(world.driver().observe(&"i-b".into()).await.unwrap().is_running(), "it goes on");
    }
    answers(&world, "10.0.1.10").await.unwrap();
    world.driver().cut_zone(&VPC.into(), &"b".into(), false).await.unwrap();
    answers(&world, "10.0.2.10").await.unwrap();
    world.ends().await;
}
