//! A machine's life.

use crate::given::*;
use kiln_machines_spec::*;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_boots_answers_and_leaves_nothing_behind() {
    let given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    let answer = given.get(None, "10.0.1.10:80").await.unwrap();
    assert!(answer.contains("hello from a machine"), "{answer}");
    let again = given.driver.launch(given.spec("i-1", "10.0.1.10")).await.unwrap();
    assert_eq!(again.boots, 1, "launching twice is one launch");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_machine_is_noticed_and_starts_again_with_its_files() {
    let given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    given.out("i-1", "echo kept > /www/index.html").await;
    let mut events = given.driver.events();
    for boot in 2..8 {
        given.driver.kill(&"i-1".into()).await.unwrap();
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        let MachineEvent::Exited { id, exit } = event.unwrap().unwrap() else {
            panic!("another event");
        };
        assert_eq!(id.as_str(), "i-1");
        assert_eq!(exit.cause, ExitCause::Signalled { signal: 9 }, "{exit:?}");
        let status = given.driver.start(&"i-1".into()).await.unwrap();
        assert_eq!(status.boots, boot);
    }
    let answer = given.get(None, "10.0.1.10:80").await.unwrap();
    assert!(answer.contains("kept"), "{answer}");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_driver_adopts_what_the_first_left_running() {
    let mut given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"]), ("i-2", "10.0.1.11", &["web"])]).await;
    let before = given.driver.observe(&"i-1".into()).await.unwrap();
    let state = given.state();
    given.replace_driver(async |driver| drop(driver)).await;
    let adopted = given.driver.adopt().await.unwrap();
    assert_eq!(adopted.len(), 2, "{adopted:?}");
    assert_eq!(given.driver.observe(&"i-1".into()).await.unwrap(), before);
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    // It is watched again.
    let mut events = given.driver.events();
    given.driver.kill(&"i-1".into()).await.unwrap();
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    assert!(matches!(event, Ok(Ok(MachineEvent::Exited { .. }))), "{event:?}");
    // What was half made is gone after the next start.
    given
        .replace_driver(async |driver| {
            drop(driver);
            let record = state.join("machines/i-2/machine.json");
            let text = std::fs::read_to_string(&record).unwrap();
            let start = text.find("\"phase\": {").unwrap();
            let end = start + text[start..].find('}').unwrap() + 1;
            let half = format!("{}\"phase\": {{\"phase\": \"launching\"}}{}", &text[..start], &text[end..]);
            std::fs::write(&record, half).unwrap();
        })
        .await;
    let adopted = given.driver.adopt().await.unwrap();
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    assert_eq!(adopted[0].spec.id.as_str(), "i-1");
    assert!(matches!(adopted[0].state, MachineState::Exited(_)));
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_sees_neither_the_host_nor_more_than_its_share() {
    let given = given().await;
    given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    let status = given.driver.observe(&"i-1".into()).await.unwrap();
    let MachineState::Running { pid, .. } = status.state else { panic!("{status:?}") };
    let users = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    assert!(users.starts_with("         0 18790"), "root inside is nobody outside: {users}");
    let seen = given.out("i-1", "ls /dev; cat /proc/self/cgroup").await;
    assert!(!seen.contains("vda") && !seen.contains("loop"), "{seen}");
    let denied = given.sh("i-1", "/bin/busybox mknod /tmp/d b 8 0").await;
    assert_ne!(denied.code, 0);
    // 64 MiB of memory: more than that ends the asker, not the machine.
    let greedy = "x=0123456789abcdef; while :; do x=$x$x; done";
    assert_ne!(given.sh("i-1", greedy).await.code, 0);
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    let stats = given.driver.stats(&"i-1".into()).await.unwrap();
    assert!(stats.cpu_ns > Some(0) && stats.memory_bytes > Some(0) && stats.net_rx_bytes > Some(0), "{stats:?}");
    let slow = ExecRequest { timeout: Duration::from_millis(100), ..ExecRequest::new(["/bin/sleep", "100"]) };
    let done = given.driver.exec(&"i-1".into(), slow).await.unwrap();
    assert!(done.timed_out);
    given.ends().await;
}

/// The runtime makes the filter once; the machines after the first are given what it made.
#[tokio::test(flavor = "multi_thread")]
async fn every_machine_has_the_same_system_call_filter_and_so_has_what_is_run_in_it() {
    let given = given().await;
    let machines = [("i-1", "10.0.1.10"), ("i-2", "10.0.1.11")];
    given.launch(&machines.map(|(id, address)| (id, address, &["web"][..]))).await;
    let file = |path: String| std::fs::read(given.state().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let filters = machines.map(|(id, _)| file(format!("run/crun/{id}/seccomp.bpf")));
    assert!(filters[0].len() > 1000, "it names some hundred calls");
    assert!(filters[0] == filters[1]);
    let configs = machines.map(|(id, _)| file(format!("machines/{id}/config.json")));
    let configs = configs.map(|text| serde_json::from_slice::<serde_json::Value>(&text).unwrap());
    let given_back = configs.each_ref().map(|config| config["annotations"]["run.oci.seccomp_bpf_data"].is_string());
    assert_eq!(given_back, [false, true]);
    for (config, (id, _)) in configs.iter().zip(machines) {
        assert!(config["linux"]["seccomp"]["syscalls"].is_array(), "for a runtime that does not know the annotation");
        let status = given.out(id, "cat /proc/1/status /proc/self/status").await;
        assert_eq!(status.lines().filter(|line| *line == "Seccomp:\t2").count(), 2, "{status}");
        let refused = given.sh(id, "/bin/busybox date -s 2030-01-01").await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("Function not implemented"), "{said}");
    }
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_stopped_and_started_and_gets_its_files() {
    let given = given().await;
    given.driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    let mut spec = given.spec("i-1", "10.0.1.10");
    spec.files.push(InjectedFile { path: "/www/deep/file.txt".into(), mode: 0o640, content: b"injected".to_vec() });
    given.driver.launch(spec).await.unwrap();
    assert_eq!(given.out("i-1", "cat /www/deep/file.txt").await, "injected");
    assert_eq!(given.out("i-1", "/bin/busybox hostname").await, "ip-10-0-1-10\n");
    let id = "i-1".into();
    given.driver.stop(&id, Duration::from_secs(5)).await.unwrap();
    let status = given.driver.observe(&id).await.unwrap();
    assert!(matches!(status.state, MachineState::Stopped { .. }), "{status:?}");
    assert!(given.get(None, "10.0.1.10:80").await.is_err());
    assert_eq!(given.driver.leftovers().await.unwrap().cgroups, 0);
    given.driver.start(&id).await.unwrap();
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    assert_eq!(given.out("i-1", "cat /www/deep/file.txt").await, "injected");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_launched_is_refused_and_leaves_nothing() {
    let given = given().await;
    given.driver.apply_network(&vpc()).await.unwrap();
    let mut wrong = given.spec("i-1", "10.0.1.10");
    wrong.private_ip = ip("10.9.9.9");
    let error = given.driver.launch(wrong).await.unwrap_err();
    assert!(matches!(error, DriverError::Invalid(_)), "{error:?}");
    let mut wrong = given.spec("i-1", "10.0.1.10");
    wrong.image = "img-0".into();
    let error = given.driver.launch(wrong).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let mut wrong = given.spec("../x", "10.0.1.10");
    wrong.entry = None;
    assert!(given.driver.launch(wrong).await.is_err());
    let mut wrong = given.spec("i-1", "10.0.1.10");
    wrong.entry = Some(Entry::Program(Program { argv: vec!["/no/such/program".into()], ..Program::default() }));
    let error = given.driver.launch(wrong).await.unwrap_err();
    assert!(error.chain().contains("/no/such/program"), "{}", error.chain());
    assert!(given.driver.list().await.unwrap().is_empty());
    given.ends().await;
}
