//! Copies of machines, as backups have them: who goes away or takes the driver down leaves none standing still.

use crate::given::*;
use kiln_machines_spec::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// A machine whose disk takes a while to copy.
async fn large(given: &Given) {
    let network = with(vpc(), "10.0.1.10", &["web"], machine("i-1"));
    given.driver.apply_network(&network).await.unwrap();
    given.driver.launch(given.spec("i-1", "10.0.1.10")).await.unwrap();
    given.out("i-1", "/bin/busybox dd if=/dev/zero of=/big bs=1M count=800 2>&1; /bin/busybox sync").await;
}

/// A copy's disk is there once its machine holds still.
async fn begun(copy: &Path) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !copy.join("disk").exists() {
        assert!(tokio::time::Instant::now() < until, "no copy begins");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether the machine is held still.
async fn still(given: &Given) -> bool {
    let MachineState::Running { pid, .. } = given.driver.observe(&"i-1".into()).await.unwrap().state else {
        panic!("it does not run");
    };
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).expect("a group of version 2");
    let places = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(|tree| PathBuf::from(tree).join(group));
    let told = places.iter().find_map(|at| std::fs::read_to_string(at.join("cgroup.events")).ok());
    told.expect("its events").lines().any(|line| line == "frozen 1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_caller_goes_has_the_turn_to_its_end_which_is_soon() {
    let given = given().await;
    large(&given).await;
    let to = given.state().with_file_name("copy");
    // Closed when nothing is written to its place any more.
    let (place, mut written) = tokio::sync::mpsc::channel::<()>(1);
    let place: Kept = Arc::new(place);
    tokio::select! {
        biased;
        done = async { given.driver.copy(&"i-1".into(), &to, place.clone()).await } => {
            panic!("done before it was seen: {done:?}")
        }
        () = begun(&to) => {}
    }
    drop(place);
    assert_eq!(tokio::time::timeout(PATIENCE, written.recv()).await, Ok(None), "it goes on for nobody");
    assert!(!to.exists(), "nothing is left of it");
    // Whoever has the next turn finds a machine that goes on.
    given.driver.resize(&"i-1".into(), 1.0, 256 * MIB, 512).await.unwrap();
    assert!(!still(&given).await);
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    assert_eq!(given.driver.copy(&"i-1".into(), &to, Arc::new(())).await.unwrap(), Copied::Folder);
    assert!(!still(&given).await);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_is_left_leaves_no_machine_standing_still() {
    let given = given().await;
    large(&given).await;
    let to = given.state().with_file_name("copy");
    let (driver, at) = (given.driver.clone(), to.clone());
    let copying = tokio::spawn(async move { driver.copy(&"i-1".into(), &at, Arc::new(())).await });
    begun(&to).await;
    given.driver.shutdown(true).await.unwrap();
    assert!(!still(&given).await);
    let told = copying.await.unwrap().unwrap_err().chain();
    assert!(told.contains("i-1") && told.contains("kiln goes down"), "{told}");
    assert!(!to.exists());
    let refused = given.driver.capture(&"i-1".into(), "late").await.unwrap_err().chain();
    assert!(refused.contains("kiln goes down"), "{refused}");
    assert!(!still(&given).await);
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_console() {
    let given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    given.out("i-1", "echo it has said this > /proc/1/fd/1").await;
    let said = |to: &Path| std::fs::read_to_string(to.join("console")).unwrap();
    let (runs, stopped) = (given.state().with_file_name("runs"), given.state().with_file_name("stopped"));
    given.driver.copy(&"i-1".into(), &runs, Arc::new(())).await.unwrap();
    assert!(said(&runs).contains("it has said this"));
    given.driver.stop(&"i-1".into(), Duration::ZERO).await.unwrap();
    given.driver.copy(&"i-1".into(), &stopped, Arc::new(())).await.unwrap();
    assert!(said(&stopped).contains("it has said this"));
    given.ends().await;
}
