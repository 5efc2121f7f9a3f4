//! What cannot be done, and leaves nothing.

use super::*;

/// Every call about a machine that is not there, but the one that removes it.
pub async fn what_is_not_there_is_said_so(world: impl World) {
    let (driver, id): (_, MachineId) = (world.driver(), "i-none".into());
    let calls = [
        ("stop", driver.stop(&id, Duration::ZERO).await),
        ("start", driver.start(&id).await.map(drop)),
        ("reboot", driver.reboot(&id).await),
        ("kill", driver.kill(&id).await),
        ("observe", driver.observe(&id).await.map(drop)),
        ("resize", driver.resize(&id, 1.0, 64 << 20, 50).await),
        ("set_user_data", driver.set_user_data(&id, None).await),
        ("set_interfaces", driver.set_interfaces(&id, vec![], vec![]).await),
        ("exec", driver.exec(&id, ExecRequest::new(["/bin/true"])).await.map(drop)),
        ("console", driver.console(&id).await.map(drop)),
        ("stats", driver.stats(&id).await.map(drop)),
        ("shell_command", driver.shell_command(&id).await.map(drop)),
        ("copy", driver.copy(&id, std::path::Path::new("nowhere"), std::sync::Arc::new(())).await.map(drop)),
        ("capture", driver.capture(&id, "none").await.map(drop)),
        ("image", driver.image(&"sha256-0".into()).await.map(drop)),
        ("verify_image", driver.verify_image(&"sha256-0".into()).await),
        ("dial", driver.dial(&"vpc-none".into(), None, "10.0.1.10:80".parse().unwrap(), MOMENT).await.map(drop)),
        ("listen", driver.listen(&"vpc-none".into(), "10.0.1.10:80".parse().unwrap()).await.map(drop)),
        ("bind_udp", driver.bind_udp(&"vpc-none".into(), "10.0.1.10:80".parse().unwrap()).await.map(drop)),
    ];
    for (call, answer) in calls {
        assert!(answer.as_ref().is_err_and(|e| e.is_not_found()), "{call}: {answer:?}");
    }
    world.ends().await;
}

pub async fn what_makes_no_sense_is_refused_and_leaves_nothing(world: impl World) {
    let sound = || spec(&world, "i-1", "10.0.1.10");
    let early = world.driver().launch(sound()).await;
    assert!(early.as_ref().is_err_and(|e| e.is_not_found()), "no network yet: {early:?}");
    let network = with(vpc(), "10.0.1.10", &["web"], machine("i-1"));
    world.driver().apply_network(&network).await.unwrap();
    let senseless = [
        MachineSpec { id: "../x".into(), ..sound() },
        MachineSpec { cpus: 0.0, ..sound() },
        MachineSpec { cpus: f64::NAN, ..sound() },
        MachineSpec { memory_bytes: 1 << 20, ..sound() },
        MachineSpec { pids_max: 0, ..sound() },
        MachineSpec { disk_bytes: 1, ..sound() },
        MachineSpec { hostname: "a b".to_owned(), ..sound() },
        MachineSpec { private_ip: ip("10.9.9.9"), ..sound() },
    ];
    for wrong in senseless {
        let said = format!("{} {} {}", wrong.id, wrong.hostname, wrong.private_ip);
        let refused = world.driver().launch(wrong).await;
        assert!(matches!(refused, Err(DriverError::Invalid(_))), "{said}: {refused:?}");
    }
    for missing in [
        MachineSpec { image: "sha256-0".into(), ..sound() },
        MachineSpec { vpc: "vpc-none".into(), ..sound() },
        MachineSpec { subnet: "subnet-none".into(), ..sound() },
    ] {
        let said = format!("{} {} {}", missing.image, missing.vpc, missing.subnet);
        let refused = world.driver().launch(missing).await;
        assert!(refused.as_ref().is_err_and(|e| e.is_not_found()), "{said}: {refused:?}");
    }
    assert_eq!(world.driver().list().await.unwrap(), []);
    assert!(world.driver().launch(sound()).await.unwrap().is_running());
    world.ends().await;
}
