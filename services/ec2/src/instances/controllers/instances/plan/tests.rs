use super::*;
use crate::instances::records::{Instance, InstanceOptions, MetadataOptions};
use kiln_machines_spec::{self as host, MacAddr, MachineId, MachineSpec};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_epoch_seconds(1_800_000_000);

fn record(wanted: Wanted, state: InstanceState) -> Instance {
    let id = |prefix: &str| format!("{prefix}00000000000000001");
    let ip = Ipv4Addr::new(10, 0, 0, 5);
    Instance {
        id: id("i-").parse().expect("an id"),
        reservation: id("r-").parse().expect("an id"),
        requester: None,
        launch_index: 0,
        client_token: None,
        image: id("ami-").parse().expect("an id"),
        machine_image: "img-1".to_owned(),
        architecture: "x86_64".to_owned(),
        instance_type: "t3.micro".to_owned(),
        key_name: None,
        ssh_keys: vec![],
        user_data: None,
        vpc: id("vpc-").parse().expect("an id"),
        subnet: id("subnet-").parse().expect("an id"),
        zone: "us-east-1a".to_owned(),
        ip,
        mac: MacAddr::from_ip(ip),
        interface: id("eni-").parse().expect("an id"),
        more_interfaces: vec![],
        volume: id("vol-").parse().expect("an id"),
        root_device: "/dev/xvda".to_owned(),
        profile: None,
        options: InstanceOptions::plain(),
        metadata: MetadataOptions { tokens_required: true, hop_limit: 1, enabled: true, tags_enabled: false },
        wanted,
        state,
        state_since: NOW,
        transition_reason: String::new(),
        reason: None,
        impaired: None,
        launched: state != InstanceState::Pending,
        boots: if state == InstanceState::Pending { 0 } else { 1 },
        reboot_wanted: false,
        skip_os_shutdown: false,
        launch_failures: 0,
        last_failure: None,
        last_reason: None,
        retry_at: None,
        captured_by: None,
        launch_time: NOW,
        tags: Default::default(),
    }
}

fn machine(state: MachineState, boots: u32) -> Option<MachineStatus> {
    let spec = MachineSpec {
        id: MachineId::new("i-1"),
        image: host::ImageId::new("img-1"),
        entry: None,
        cpus: 2.0,
        memory_bytes: 1 << 30,
        pids_max: 4096,
        disk_bytes: 1 << 30,
        hostname: "h".to_owned(),
        domain: String::new(),
        vpc: host::VpcId::new("vpc-1"),
        subnet: host::SubnetId::new("subnet-1"),
        private_ip: Ipv4Addr::new(10, 0, 0, 5),
        mac: MacAddr::from_ip(Ipv4Addr::new(10, 0, 0, 5)),
        secondary_ips: vec![],
        interfaces: vec![],
        user_data: None,
        ssh_authorized_keys: vec![],
        files: vec![],
        environment: BTreeMap::new(),
        labels: BTreeMap::new(),
    };
    Some(MachineStatus { spec: Arc::new(spec), state, boots })
}

#[test]
fn what_is_done_next() {
    use InstanceState as S;
    use Wanted as W;
    let running = |boots| machine(MachineState::Running { pid: 1, since_ms: 0 }, boots);
    let stopped = |boots| machine(MachineState::Stopped { since_ms: 0 }, boots);
    let exit = ExitInfo { cause: ExitCause::Signalled { signal: 9 }, at_ms: 0, text: "killed".to_owned() };
    let exited = |boots| machine(MachineState::Exited(exit.clone()), boots);
    let at_rest = |boots| Step::RecordStopped { boots: Some(boots) };
    let pending_again = || Instance { launched: true, boots: 1, ..record(W::Running, S::Pending) };
    let reboot = Instance { reboot_wanted: true, ..record(W::Running, S::Running) };
    let retried =
        Instance { launch_failures: 2, retry_at: Some(NOW + Duration::from_secs(1)), ..record(W::Running, S::Pending) };
    let hopeless = Instance { launch_failures: MOST_TRIES, ..record(W::Running, S::Pending) };
    let image = "ami-00000000000000002".parse().expect("an id");
    let captured = Instance { captured_by: Some(image), ..record(W::Running, S::Running) };
    let old = Instance { state_since: NOW - SHOWN_AFTER_END, ..record(W::Terminated, S::Terminated) };
    let table: Vec<(&str, Instance, Option<MachineStatus>, bool, Vec<Step>)> = vec![
        ("new, no network yet", record(W::Running, S::Pending), None, false, vec![]),
        ("new, network there", record(W::Running, S::Pending), None, true, vec![Step::Launch]),
        ("launched", record(W::Running, S::Pending), running(1), true, vec![Step::RecordRunning { boots: 1 }]),
        ("runs", record(W::Running, S::Running), running(1), true, vec![]),
        ("rebooted itself", record(W::Running, S::Running), running(2), true, vec![Step::RecordRunning { boots: 2 }]),
        ("rebooted, kiln was killed between its end and its start", reboot.clone(), exited(1), true, vec![Step::Start]),
        ("reboot asked", reboot, running(1), true, vec![Step::Reboot, Step::RecordRebooted]),
        ("died", record(W::Running, S::Running), exited(1), true, vec![Step::RecordExit(exit.clone())]),
        ("died unseen", record(W::Running, S::Pending), exited(1), true, vec![Step::RecordRunning { boots: 1 }]),
        ("vanished", record(W::Running, S::Running), None, true, vec![Step::RecordLost]),
        ("stop", record(W::Stopped, S::Stopping), running(1), true, vec![Step::Stop, at_rest(1)]),
        ("stop, launched unseen", record(W::Stopped, S::Stopping), stopped(1), true, vec![at_rest(1)]),
        ("start, launched and stopped unseen", pending_again(), stopped(1), true, vec![Step::Start]),
        ("stop, dead already", record(W::Stopped, S::Stopping), exited(1), true, vec![at_rest(1)]),
        (
            "stop, never launched",
            record(W::Stopped, S::Stopping),
            None,
            true,
            vec![Step::RecordStopped { boots: None }],
        ),
        ("rests", record(W::Stopped, S::Stopped), stopped(1), true, vec![]),
        ("start", pending_again(), stopped(1), true, vec![Step::Start]),
        ("start after a crash", pending_again(), exited(1), true, vec![Step::Start]),
        (
            "end",
            record(W::Terminated, S::ShuttingDown),
            running(1),
            true,
            vec![Step::Terminate, Step::RecordTerminated],
        ),
        ("end, no machine", record(W::Terminated, S::ShuttingDown), None, true, vec![Step::RecordTerminated]),
        ("ended", record(W::Terminated, S::Terminated), None, true, vec![]),
        ("an hour after", old, None, true, vec![Step::Purge]),
        ("failed, waits", retried, None, true, vec![]),
        ("failed too often", hopeless, None, true, vec![Step::GiveUp]),
        ("its image is taken", captured, stopped(1), true, vec![]),
    ];
    for (what, record, machine, network_ready, steps) in table {
        let missing = (!network_ready).then(|| "eni-1".to_owned());
        let interfaces = Interfaces { missing, ..Interfaces::default() };
        let plan = plan(&Seen { record: Arc::new(record), machine, interfaces }, NOW);
        assert_eq!(plan.steps, steps, "{what}");
        assert_eq!(plan.steps.is_empty(), plan.report.waiting_for.is_some(), "{what} says what it waits for");
    }
}
