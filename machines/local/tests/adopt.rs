//! Adoption when the host does not let kiln see how a machine is.

use crate::given::*;
use kiln_machines_spec::*;
use serde_json::Value as Json;

/// A thread's number and when it started. The kernel shows it as it shows a process, and gives nobody hold of it:
/// as when there is no descriptor left for one that lives.
fn thread_of_ours(until: std::sync::mpsc::Receiver<()>) -> (u32, u64) {
    let (say, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        say.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
        // Until the other end is dropped.
        until.recv().unwrap_err();
    });
    let thread = hear.recv().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
    // The 22nd field; the name, which may hold anything, is the second.
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    (thread, started.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_cannot_be_taken_hold_of_is_not_called_ended() {
    let mut given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    let file = given.state().join("machines/i-1/machine.json");
    let noted = std::fs::read(&file).unwrap();
    let (ends, until) = std::sync::mpsc::channel();
    let (thread, started) = thread_of_ours(until);
    let mut record: Json = serde_json::from_slice(&noted).unwrap();
    assert_eq!(record["phase"]["phase"], "running");
    record["phase"]["pid"] = thread.into();
    record["phase"]["start_ticks"] = started.into();
    let strange = serde_json::to_vec(&record).unwrap();

    given
        .replace_driver(async |driver| {
            drop(driver);
            std::fs::write(&file, &strange).unwrap();
        })
        .await;
    let told = given.driver.adopt().await.unwrap_err().chain();
    assert!(told.contains("take hold of i-1"), "{told}");
    assert_eq!(std::fs::read(&file).unwrap(), strange, "nothing was noted of an end");
    drop(ends);

    // It went on all the while, and is found.
    given
        .replace_driver(async |driver| {
            drop(driver);
            std::fs::write(&file, &noted).unwrap();
        })
        .await;
    let adopted = given.driver.adopt().await.unwrap();
    assert!(adopted.iter().all(MachineStatus::is_running) && adopted.len() == 1, "{adopted:?}");
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    given.ends().await;
}
