//! `kill -9` of kiln at any moment: what runs is adopted, what was half made is
//! gone, and nothing leaks.

use crate::given::*;
use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_spec::*;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the child works; only the child has it.
const STATE: &str = "KILN_TEST_CRASH_STATE";
/// Which image it launches.
const IMAGE: &str = "KILN_TEST_CRASH_IMAGE";

/// Not a test of its own: the other test runs it in a process that it kills.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_launches_and_terminates_until_it_is_killed() {
    let Some(state) = std::env::var_os(STATE) else {
        return;
    };
    let image = ImageId(std::env::var(IMAGE).unwrap());
    let driver = LocalDriver::open(LocalConfig::new(PathBuf::from(state), Vec::new())).await.unwrap();
    driver.adopt().await.unwrap();
    let mut network = vpc();
    for n in 0..4 {
        network = with(network, &address(n), &["web"], machine(&format!("i-{n}")));
    }
    driver.apply_network(&network).await.unwrap();
    // The first stays; whoever is told that it runs must find it after the crash.
    driver.launch(spec_of(&image, "i-0", &address(0))).await.unwrap();
    println!("ready");
    for round in 0u32.. {
        let id = format!("i-{}", 1 + round % 3);
        driver.launch(spec_of(&image, &id, &address(1 + round % 3))).await.unwrap();
        if round % 2 == 0 {
            driver.terminate(&id.as_str().into()).await.unwrap();
        } else {
            driver.stop(&id.as_str().into(), Duration::from_millis(10)).await.unwrap();
            driver.start(&id.as_str().into()).await.unwrap();
            driver.terminate(&id.as_str().into()).await.unwrap();
        }
    }
}

fn address(n: u32) -> String {
    format!("10.0.1.{}", 20 + n)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_kiln_loses_no_machine_and_leaks_nothing() {
    let mut given = given().await;
    for crash in 0u64..8 {
        let (image, state) = (given.image.clone(), given.state());
        given
            .replace_driver(async |driver| {
                drop(driver);
                let name = "crash::child_that_launches_and_terminates_until_it_is_killed";
                let mut child = loop {
                    let child = Command::new(std::env::current_exe().unwrap())
                        .args(["--exact", name, "--nocapture"])
                        .env(STATE, &state)
                        .env(IMAGE, image.as_str())
                        .stdout(Stdio::piped())
                        .spawn()
                        .unwrap();
                    match ready(child) {
                        Ok(child) => break child,
                        // Our own driver's last step still held the state directory.
                        Err(status) => assert!(status.code() == Some(101), "{status}"),
                    }
                };
                // Each time a little later in a launch's 30 ms, and in what follows.
                tokio::time::sleep(Duration::from_millis(7 + 13 * crash)).await;
                child.kill().unwrap();
                assert_eq!(child.wait().unwrap().signal(), Some(9));
            })
            .await;
        let adopted = given.driver.adopt().await.unwrap();
        let first = adopted.iter().find(|m| m.spec.id.as_str() == "i-0");
        assert!(first.is_some_and(MachineStatus::is_running), "{adopted:?}");
        assert!(given.get(None, "10.0.1.20:80").await.is_ok());
        let running = adopted.iter().filter(|m| m.is_running()).count();
        let left = given.driver.leftovers().await.unwrap();
        let each = (left.cgroups, left.links, left.processes, left.loops);
        assert_eq!(each, (running, running, running, running), "{left:?}");
        assert_eq!(
            (left.namespaces, left.mounts),
            (1, 1 + running),
            "one router; one layer and their consoles: {left:?}"
        );
        for machine in adopted {
            given.driver.terminate(&machine.spec.id).await.unwrap();
        }
        assert_eq!(std::fs::read_dir(given.state().join("machines")).unwrap().count(), 0);
    }
    given.ends().await;
}

/// Waits until the child says that its first machine runs.
fn ready(mut child: std::process::Child) -> Result<std::process::Child, std::process::ExitStatus> {
    use std::io::{BufRead, BufReader};
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    if lines.any(|line| line.unwrap().ends_with("ready")) {
        return Ok(child);
    }
    Err(child.wait().unwrap())
}
