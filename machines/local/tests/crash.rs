//! `kill -9` of kiln at any moment: what runs is adopted, what was half made is
//! gone, and nothing leaks.

use crate::given::*;
use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_spec::*;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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
                let mut child = child(name, &state, &image, "");
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

/// What the child does again and again with the machine that it has.
const STORY: &str = "KILN_TEST_CRASH_STORY";

/// Not a test of its own either.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_has_one_machine_until_it_is_killed() {
    let (Some(state), Ok(story)) = (std::env::var_os(STATE), std::env::var(STORY)) else {
        return;
    };
    let image = ImageId(std::env::var(IMAGE).unwrap());
    let driver = LocalDriver::open(LocalConfig::new(PathBuf::from(state), Vec::new())).await.unwrap();
    driver.adopt().await.unwrap();
    driver.apply_network(&with(vpc(), &address(0), &["web"], machine("i-0"))).await.unwrap();
    let id: MachineId = "i-0".into();
    driver.launch(spec_of(&image, "i-0", &address(0))).await.unwrap();
    let keep = ExecRequest::new(["/bin/sh", "-c", "echo kept > /www/index.html; /bin/busybox sync"]);
    assert_eq!(driver.exec(&id, keep).await.unwrap().code, 0);
    println!("ready");
    for round in 0u32.. {
        match story.as_str() {
            "reboot" => driver.reboot(&id).await.unwrap(),
            "stop and start" => {
                driver.stop(&id, Duration::from_millis(10)).await.unwrap();
                driver.start(&id).await.unwrap();
            }
            "resize" => driver.resize(&id, 1.0, (64 << 20) + (u64::from(round % 2) << 24), 64).await.unwrap(),
            "capture" => drop(driver.capture(&id, "again").await.unwrap()),
            "cables" => {
                let secondary = (0..round % 3).map(|n| ip(&format!("10.0.1.{}", 40 + n))).collect();
                driver.set_interfaces(&id, secondary, vec![]).await.unwrap();
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_told_of_is_lost_in_no_step() {
    // Its first reboot, stop … among them: each round begins with a new machine.
    for (story, rounds, apart) in
        [("reboot", 12, 5), ("stop and start", 8, 7), ("resize", 3, 1), ("capture", 4, 9), ("cables", 4, 3)]
    {
        let mut given = given().await;
        for crash in 0..rounds {
            let (image, state) = (given.image.clone(), given.state());
            given
                .replace_driver(async |driver| {
                    drop(driver);
                    let name = "crash::child_that_has_one_machine_until_it_is_killed";
                    let mut child = child(name, &state, &image, story);
                    tokio::time::sleep(Duration::from_millis(1 + apart * crash)).await;
                    child.kill().unwrap();
                    assert_eq!(child.wait().unwrap().signal(), Some(9));
                })
                .await;
            let adopted = given.driver.adopt().await.unwrap();
            let what = format!("{story}, killed {} ms later", 1 + apart * crash);
            let [machine] = adopted.as_slice() else { panic!("{what}: {adopted:?}") };
            if matches!(story, "reboot") {
                // It was to run: it does, or it is said that it ended. It never rests as if asked to.
                assert!(!matches!(machine.state, MachineState::Stopped { .. }), "{what}: {machine:?}");
            }
            let id = machine.spec.id.clone();
            let page = page_of(&given, &id).await.unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(page.contains("kept"), "{what}: it has its disk: {page}");
            if story == "resize" {
                let status = given.driver.observe(&id).await.unwrap();
                let limit = memory_limit(&given.state(), id.as_str());
                assert_eq!(limit, status.spec.memory_bytes, "{what}: it has the size that is shown");
            }
            given.driver.terminate(&id).await.unwrap();
        }
        given.ends().await;
    }
}

/// What the machine serves, started if it does not run. One that was just being ended when kiln was
/// killed is found alive, and ends a moment later.
async fn page_of(given: &Given, id: &MachineId) -> Result<String, String> {
    let mut said = String::new();
    for _ in 0..5 {
        if !given.driver.observe(id).await.unwrap().is_running() {
            given.driver.start(id).await.map_err(|e| e.chain())?;
        }
        match given.get(None, "10.0.1.20:80").await {
            Err(error) => said = error,
            page => return page,
        }
    }
    Err(said)
}

/// A child that says that its machine runs.
fn child(name: &str, state: &std::path::Path, image: &ImageId, story: &str) -> Child {
    let until = Instant::now() + PATIENCE;
    loop {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(STATE, state)
            .env(IMAGE, image.as_str())
            .env(STORY, story)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        match ready(child) {
            Ok(child) => return child,
            // Our own driver's last step still held the state directory.
            Err(status) => assert!(status.code() == Some(101) && Instant::now() < until, "{status}"),
        }
    }
}

/// What the kernel holds the machine to.
fn memory_limit(state: &std::path::Path, id: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(state.canonicalize().unwrap().as_os_str().as_encoded_bytes());
    let top: String = digest[..4].iter().map(|b| format!("{b:02x}")).collect();
    let places = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let files = places
        .iter()
        .flat_map(|tree| ["memory.limit_in_bytes", "memory.max"].map(|file| format!("{tree}/kiln-{top}/{id}/{file}")));
    let text = files.filter_map(|file| std::fs::read_to_string(file).ok()).next().expect("a limit");
    text.trim().parse().unwrap()
}

/// Waits until the child says that its first machine runs; how it ended, if it did.
fn ready(mut child: Child) -> Result<Child, ExitStatus> {
    use std::io::{BufRead, BufReader};
    let out = child.stdout.take().unwrap();
    let (say, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let said = BufReader::new(out).lines().map_while(Result::ok).any(|line| line.ends_with("ready"));
        let _ = say.send(said);
    });
    match hear.recv_timeout(PATIENCE) {
        Ok(true) => return Ok(child),
        Ok(false) => {}
        Err(_) => {
            child.kill().unwrap();
            panic!("the child neither began nor ended: {:?}", child.wait());
        }
    }
    Err(child.wait().unwrap())
}
