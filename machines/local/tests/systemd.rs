//! The base image, and machines whose first process is systemd. The image is
//! built once into a state directory under the build's own folder, and kept.

use crate::given::*;
use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_spec::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Lines;

impl Progress for Lines {
    fn step(&self, text: &str, fraction: Option<f32>) {
        println!("{:>4.0} % {text}", fraction.unwrap_or(0.0) * 100.0);
    }
}

async fn wait_for(what: &str, driver: &LocalDriver, id: &MachineId, command: &[&str]) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let done = driver.exec(id, ExecRequest::new(command.iter().copied())).await.unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.code == 0 {
            return text;
        }
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(Instant::now() < until, "{what}: {text} {said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debian_machine_boots_systemd_and_ssh_and_switches_itself_off() {
    let given = given().await;
    let base_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("base-state");
    // A guest that is only a script: what it prints must reach the console.
    let guest = b"#!/bin/sh\necho guest $1 of $(cat /run/kiln/seed.json | tr -d '\\n')\n";
    let driver = LocalDriver::open(LocalConfig::new(&base_dir, guest.to_vec())).await;
    let driver = Arc::new(driver.unwrap_or_else(|e| panic!("{}", e.chain())));
    driver.adopt().await.unwrap();
    for left in driver.list().await.unwrap() {
        driver.terminate(&left.spec.id).await.unwrap();
    }
    let recipe = BaseRecipe::default();
    let image = driver.ensure_base(&recipe, Arc::new(Lines)).await;
    let image = image.unwrap_or_else(|e| panic!("{}", e.chain()));
    let mut network = vpc();
    let ssh = allow(Direction::Ingress, tcp(22), anyone());
    network.groups.push(group("ssh", vec![ssh]));
    let network = with(network, "10.0.1.10", &["ssh"], machine("i-1"));
    driver.apply_network(&network).await.unwrap();
    let id: MachineId = "i-1".into();
    let mut spec = given.spec("i-1", "10.0.1.10");
    spec.image = image.id.clone();
    spec.memory_bytes = 512 << 20;
    spec.pids_max = 512;
    let started = Instant::now();
    let launched = driver.launch(spec).await;
    launched.unwrap_or_else(|e| panic!("{}", e.chain()));
    let at = "10.0.1.10:22".parse().unwrap();
    while let Err(e) = driver.dial(&VPC.into(), None, at, Duration::from_secs(1)).await {
        assert!(e.chain().contains("refused"), "{}", e.chain());
        assert!(started.elapsed() < Duration::from_secs(20), "{}", e.chain());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("ssh answers after {:?}", started.elapsed());
    let running = ["systemctl", "is-system-running"];
    let state = wait_for("systemd is up", &driver, &id, &running).await;
    assert_eq!(state.trim(), "running");
    let hostname = wait_for("hostname", &driver, &id, &["hostname"]).await;
    assert_eq!(hostname.trim(), "ip-10-0-1-10");
    let console = driver.console(&id).await.unwrap();
    let console = String::from_utf8_lossy(&console);
    assert!(console.contains("guest boot of") && console.contains("\"i-1\""), "{console}");
    // Restarting itself is a reboot, switching itself off is an end.
    let mut events = driver.events();
    driver.exec(&id, ExecRequest::new(["systemctl", "reboot"])).await.unwrap();
    let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
    assert_eq!(event.unwrap().unwrap(), MachineEvent::Rebooted { id: id.clone() });
    wait_for("systemd is up again", &driver, &id, &running).await;
    driver.exec(&id, ExecRequest::new(["systemctl", "poweroff"])).await.unwrap();
    let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
    let MachineEvent::Exited { exit, .. } = event.unwrap().unwrap() else {
        panic!("another event");
    };
    assert_eq!(exit.cause, ExitCause::PoweredOff, "{exit:?}");
    // Stopping from outside is orderly, and no slice of its systemd stays behind.
    driver.start(&id).await.unwrap();
    wait_for("systemd is up a third time", &driver, &id, &running).await;
    let asked = Instant::now();
    driver.stop(&id, Duration::from_secs(15)).await.unwrap();
    println!("stopped after {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(10));
    driver.terminate(&id).await.unwrap();
    driver.remove_network(&VPC.into()).await.unwrap();
    let left = driver.leftovers().await.unwrap();
    assert!(left.is_clean(), "{left:?}");
    driver.shutdown(false).await.unwrap();
    given.ends().await;
}
