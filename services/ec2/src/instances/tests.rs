//! Stories of machines, through public operations, with all controllers running on a hand-moved
//! clock.

use crate::images::records::Image;
use kiln_ec2_shapes::*;
use kiln_machines_sim::Durations;
use kiln_machines_spec::{BaseRecipe, DriverError, MachineDriver, MachineId, NoProgress};
use kiln_service_kit::Error;
use kiln_testkit::{Builder, Testkit, break_each_step, simulate};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn platform() -> Builder {
    Testkit::new(7).service(crate::service()).durations(Durations::default())
}

async fn base(kit: &Testkit) -> String {
    let manifest = kit.machines().ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image");
    crate::register_base(kit.platform(), &manifest).await.expect("registered")
}

async fn run(kit: &Testkit, request: RunInstancesRequest) -> String {
    let image_id = Some(base(kit).await);
    let request =
        RunInstancesRequest { image_id, instance_type: Some("t3.micro".into()), min_count: 1, max_count: 1, ..request };
    let made = kit.call(request).await.expect("launched").instances;
    made.into_iter().next().and_then(|instance| instance.instance_id).expect("an id")
}

async fn show(kit: &Testkit, id: &str) -> Instance {
    let request = DescribeInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    let found = kit.call(request).await.expect("described").reservations;
    found.into_iter().flat_map(|r| r.instances).next().expect("the instance")
}

fn state(instance: &Instance) -> String {
    instance.state.as_ref().and_then(|s| s.name.clone()).unwrap_or_default()
}

fn reason(instance: &Instance) -> String {
    instance.state_reason.as_ref().and_then(|r| r.message.clone()).unwrap_or_default()
}

async fn until(kit: &Testkit, id: &str, wanted: &str) -> Instance {
    kit.until(wanted, MINUTE, || async { state(&show(kit, id).await) == wanted }).await;
    show(kit, id).await
}

fn ids(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

async fn status(kit: &Testkit, id: &str) -> String {
    let request = DescribeInstanceStatusRequest {
        instance_ids: ids(id),
        include_all_instances: Some(true),
        ..Default::default()
    };
    let found = kit.call(request).await.expect("described").instance_statuses;
    found[0].instance_status.as_ref().and_then(|s| s.status.clone()).unwrap_or_default()
}

#[test]
fn an_instance_lives_through_every_state() {
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest::default()).await;
        assert_eq!(state(&show(&kit, &id).await), "pending");
        let running = until(&kit, &id, "running").await;
        assert_eq!(status(&kit, &id).await, "ok");
        assert!(running.public_ip_address.is_some() && running.network_interfaces.len() == 1);

        kit.call(RebootInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("rebooted");
        kit.settle().await;
        let machine = kit.machines().observe(&MachineId::new(id.as_str())).await.expect("a machine");
        assert_eq!((machine.boots, state(&show(&kit, &id).await).as_str()), (2, "running"));

        kit.call(StopInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("stopping");
        let stopped = until(&kit, &id, "stopped").await;
        assert_eq!(reason(&stopped), "Client.UserInitiatedShutdown: User initiated shutdown");
        assert!(stopped.state_transition_reason.expect("said").starts_with("User initiated (2026-01-01 00:0"));

        let larger = AttributeValue { value: Some("t3.small".into()) };
        let change = ModifyInstanceAttributeRequest {
            instance_id: id.clone(),
            instance_type: Some(larger),
            ..Default::default()
        };
        kit.call(change).await.expect("changed");
        kit.call(StartInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("starting");
        until(&kit, &id, "running").await;
        let machine = kit.machines().observe(&MachineId::new(id.as_str())).await.expect("a machine");
        assert_eq!(machine.spec.memory_bytes, 2 << 30);

        kit.call(TerminateInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("ending");
        let gone = until(&kit, &id, "terminated").await;
        assert!(gone.network_interfaces.is_empty() && gone.private_ip_address.is_none());
        assert!(kit.machines().list().await.expect("machines").is_empty());
        let console = kit.call(GetConsoleOutputRequest { instance_id: id.clone(), ..Default::default() }).await;
        assert!(console.expect("kept").output.is_some());

        kit.advance(Duration::from_secs(3700)).await;
        let request = DescribeInstancesRequest { instance_ids: ids(&id), ..Default::default() };
        let error = kit.call(request).await.expect_err("purged after an hour");
        assert_eq!(
            error,
            Error::sender("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
        );
    });
}

#[test]
fn a_console_that_an_earlier_kiln_kept_in_the_store_is_told_as_before_from_the_journal() {
    use crate::instances::records::ConsoleOutput;
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest::default()).await;
        until(&kit, &id, "running").await;
        kit.call(TerminateInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("ending");
        until(&kit, &id, "terminated").await;
        let console = async || {
            let asked = GetConsoleOutputRequest { instance_id: id.clone(), ..Default::default() };
            kit.call(asked).await.expect("the instance is shown")
        };
        // As that kiln left it: no history, and a record under the instance's id.
        kit.platform().history().forget::<ConsoleOutput>(&kit.scope(), &id).await.expect("forgotten");
        assert_eq!(console().await.output, None);
        let at = kit.now();
        let old = serde_json::json!({"output": "b2xk", "at": at});
        let old: ConsoleOutput = serde_json::from_value(old).expect("as it was written");
        kit.store().write(|tx| tx.put(&kit.scope(), &id, old)).await.expect("put");
        kit.advance(MINUTE).await;
        for round in 0..2 {
            super::moved::start(kit.platform().clone()).await.expect("moved");
            assert_eq!(kit.store().ids::<ConsoleOutput>(&kit.scope()).len(), 0, "round {round}");
            let told = console().await;
            assert_eq!((told.output.as_deref(), told.timestamp), (Some("b2xk"), Some(at)), "round {round}");
        }
        kit.advance(Duration::from_secs(3 * 3600)).await;
        let left = kit.platform().history().newest::<ConsoleOutput>(&kit.scope(), &id);
        assert_eq!(left.expect("read"), None, "and goes by its age");
    });
}

#[test]
fn a_public_address_is_given_back_at_stop_and_another_comes_at_start() {
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest::default()).await;
        let first = until(&kit, &id, "running").await.public_ip_address;
        let ip: std::net::Ipv4Addr = first.as_deref().and_then(|ip| ip.parse().ok()).expect("an address");
        assert!(ip.is_loopback() && ip.octets()[1] >= 128, "{ip}");
        kit.call(StopInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("stopping");
        let stopped = until(&kit, &id, "stopped").await;
        assert_eq!((stopped.public_ip_address, stopped.public_dns_name.as_deref()), (None, Some("")));
        kit.call(StartInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("starting");
        let second = until(&kit, &id, "running").await.public_ip_address;
        assert!(second.is_some() && second != first, "{second:?}");
        let allocated = kit.call(AllocateAddressRequest::default()).await.expect("an address");

        // An Elastic IP takes its place, also over a stop; taken away, another one comes.
        let give = AssociateAddressRequest {
            allocation_id: allocated.allocation_id.clone(),
            instance_id: Some(id.clone()),
            ..Default::default()
        };
        let association_id = kit.call(give).await.expect("associated").association_id;
        kit.call(StopInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("stopping");
        assert_eq!(until(&kit, &id, "stopped").await.public_ip_address, allocated.public_ip);
        kit.call(StartInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("starting");
        assert_eq!(until(&kit, &id, "running").await.public_ip_address, allocated.public_ip);
        let take = DisassociateAddressRequest { association_id, ..Default::default() };
        kit.call(take).await.expect("taken away");
        let last = show(&kit, &id).await.public_ip_address;
        assert!(last.is_some() && last != allocated.public_ip, "{last:?}");
    });
}

#[test]
fn the_power_is_cut_at_once_when_asked_for() {
    simulate(async {
        let slow = Durations { stop: Duration::from_secs(10), ..Durations::default() };
        let kit = Testkit::new(7).service(crate::service()).durations(slow).start().await;
        for (skip_os_shutdown, least, most) in [(None, 10, 11), (Some(true), 0, 1)] {
            let id = run(&kit, RunInstancesRequest::default()).await;
            until(&kit, &id, "running").await;
            let from = kit.now();
            let stop = StopInstancesRequest { instance_ids: ids(&id), skip_os_shutdown, ..Default::default() };
            kit.call(stop).await.expect("stopping");
            until(&kit, &id, "stopped").await;
            let took = kit.now().since(from).as_secs();
            assert!((least..=most).contains(&took), "{skip_os_shutdown:?} took {took} s");
        }
    });
}

/// AWS's `Force` gives the system its time; who cannot wait asks once more.
#[test]
fn the_power_of_a_machine_that_shuts_down_is_cut_when_asked_for() {
    simulate(async {
        let slow = Durations { stop: Duration::from_secs(10), ..Durations::default() };
        let kit = Testkit::new(7).service(crate::service()).durations(slow).start().await;
        let force = Some(true);
        let calls = [
            (None, None, true, false),
            (Some(true), None, true, false),
            (None, Some(true), true, false),
            (None, None, false, false),
            (Some(true), None, false, true),
            (None, Some(true), false, true),
        ];
        for (again_force, again_skip, first_forced, ends) in calls {
            let at_once = again_force.is_some() || again_skip.is_some();
            let id = run(&kit, RunInstancesRequest::default()).await;
            until(&kit, &id, "running").await;
            let from = kit.now();
            let asked = async |force: Option<bool>, skip_os_shutdown: Option<bool>| match ends {
                false => {
                    let stop =
                        StopInstancesRequest { instance_ids: ids(&id), force, skip_os_shutdown, ..Default::default() };
                    kit.call(stop).await.map(drop)
                }
                true => {
                    let end = TerminateInstancesRequest {
                        instance_ids: ids(&id),
                        force,
                        skip_os_shutdown,
                        ..Default::default()
                    };
                    kit.call(end).await.map(drop)
                }
            };
            asked(force.filter(|_| first_forced), None).await.expect("asked");
            kit.advance(Duration::from_secs(1)).await;
            let (on_the_way, at_rest) = if ends { ("shutting-down", "terminated") } else { ("stopping", "stopped") };
            assert_eq!(state(&show(&kit, &id).await), on_the_way, "its system has its time");
            if at_once {
                asked(again_force, again_skip).await.expect("asked again");
            }
            until(&kit, &id, at_rest).await;
            let took = kit.now().since(from).as_secs();
            let within = if at_once { 1..=2 } else { 9..=11 };
            // A terminated machine has 5 s, and 10 more for its end here.
            assert!(within.contains(&took) || ends && took < 15, "{again_force:?} {again_skip:?} took {took} s");
        }
    });
}

/// Whatever is asked for in quick succession, in every state, ends as the last call wants it, and
/// no reason is told that never happened.
#[test]
fn calls_in_quick_succession_end_as_the_last_one_wants() {
    simulate(async {
        let slow = Durations { boot: Duration::from_secs(2), stop: Duration::from_secs(2), ..Durations::default() };
        let kit = Testkit::new(7).service(crate::service()).durations(slow).start().await;
        // How long after each call the next one comes, from "at once" to "when all is done".
        for pause in [0, 1, 1500, 2500, 5000].map(Duration::from_millis) {
            for calls in
                ["stop start", "stop start stop", "reboot stop start", "stop start reboot", "stop start terminate"]
            {
                let id = run(&kit, RunInstancesRequest::default()).await;
                let mut wanted = "running";
                for call in calls.split(' ') {
                    kit.advance(pause).await;
                    // A start is refused while the machine still stops, and a reboot of one at rest.
                    let called = async || match call {
                        "stop" => {
                            let stop = StopInstancesRequest { instance_ids: ids(&id), ..Default::default() };
                            kit.call(stop).await.map(drop)
                        }
                        "start" => {
                            let start = StartInstancesRequest { instance_ids: ids(&id), ..Default::default() };
                            kit.call(start).await.map(drop)
                        }
                        "reboot" => {
                            let reboot = RebootInstancesRequest { instance_ids: ids(&id), ..Default::default() };
                            kit.call(reboot).await.map(drop)
                        }
                        _ => {
                            let end = TerminateInstancesRequest { instance_ids: ids(&id), ..Default::default() };
                            kit.call(end).await.map(drop)
                        }
                    };
                    if called().await.is_err() {
                        until(&kit, &id, "stopped").await;
                        called().await.unwrap_or_else(|e| panic!("{calls} {pause:?}: {call}: {e}"));
                    }
                    wanted = match call {
                        "stop" => "stopped",
                        "terminate" => "terminated",
                        _ => "running",
                    };
                }
                let shown = until(&kit, &id, wanted).await;
                kit.advance(Duration::from_secs(10)).await;
                assert_eq!(state(&show(&kit, &id).await), wanted, "{calls} {pause:?} stays so");
                let expected =
                    if wanted == "running" { "" } else { "Client.UserInitiatedShutdown: User initiated shutdown" };
                assert_eq!(reason(&shown), expected, "{calls} {pause:?}");
                if wanted == "running" {
                    assert_eq!(status(&kit, &id).await, "ok", "{calls} {pause:?}");
                }
            }
        }
    });
}

#[test]
fn an_attribute_changes_alone_and_only_where_it_has_an_effect() {
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest { instance_type: Some("t3.micro".into()), ..Default::default() }).await;
        until(&kit, &id, "running").await;
        let change = || ModifyInstanceAttributeRequest { instance_id: id.clone(), ..Default::default() };
        let on = || Some(AttributeBooleanValue { value: Some(true) });
        let small = Some(AttributeValue { value: Some("t3.small".into()) });
        let table = [
            (change(), "InvalidParameterCombination: No attributes specified.".to_owned()),
            (
                ModifyInstanceAttributeRequest { disable_api_stop: on(), ebs_optimized: on(), ..change() },
                "InvalidParameterCombination: Fields for multiple attribute types specified".to_owned(),
            ),
            (
                ModifyInstanceAttributeRequest { instance_type: small, ..change() },
                format!("IncorrectInstanceState: The instance '{id}' is not in the 'stopped' state."),
            ),
            (
                ModifyInstanceAttributeRequest { ebs_optimized: on(), ..change() },
                format!("IncorrectInstanceState: The instance '{id}' is not in the 'stopped' state."),
            ),
        ];
        for (request, expected) in table {
            assert_eq!(kit.call(request).await.expect_err("refused").to_string(), expected);
        }
        let watch = MonitorInstancesRequest { instance_ids: ids(&id), ..Default::default() };
        let state = kit.call(watch).await.expect("on").instance_monitorings.remove(0).monitoring;
        assert_eq!(state.and_then(|m| m.state).as_deref(), Some("enabled"));
        let filters = vec![Filter { name: Some("monitoring-state".into()), values: vec!["enabled".into()] }];
        let look = DescribeInstancesRequest { filters, ..Default::default() };
        assert_eq!(kit.call(look.clone()).await.expect("described").reservations.len(), 1);
        let unwatch = UnmonitorInstancesRequest { instance_ids: ids(&id), ..Default::default() };
        let state = kit.call(unwatch).await.expect("off").instance_monitorings.remove(0).monitoring;
        assert_eq!(state.and_then(|m| m.state).as_deref(), Some("disabled"));
        assert!(kit.call(look).await.expect("described").reservations.is_empty());
    });
}

/// The simulation has no counters: what they would say is no point. Whether a machine lives is known.
#[test]
fn what_is_known_of_a_machine_is_told_each_minute() {
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest::default()).await;
        until(&kit, &id, "running").await;
        let of = [("InstanceId", id.as_str())];
        kit.advance(2 * MINUTE).await;
        assert_eq!(kit.measured("AWS/EC2", "StatusCheckFailed", &of).await, [0.0, 0.0]);
        kit.kill(&id).expect("killed");
        kit.advance(MINUTE).await;
        assert_eq!(kit.measured("AWS/EC2", "StatusCheckFailed_Instance", &of).await, [0.0, 0.0, 1.0]);
        for name in ["CPUUtilization", "NetworkIn", "EBSReadOps"] {
            assert!(kit.measured("AWS/EC2", name, &of).await.is_empty(), "{name} was not measured");
        }
        kit.call(TerminateInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("ending");
        kit.advance(3 * MINUTE).await;
        assert_eq!(
            kit.measured("AWS/EC2", "StatusCheckFailed", &of).await.len(),
            3,
            "one that is gone is not measured"
        );
    });
}

#[test]
fn a_machine_that_ends_by_itself_is_shown_as_what_happened() {
    simulate(async {
        let kit = platform().start().await;
        let stays = run(&kit, RunInstancesRequest::default()).await;
        let goes = RunInstancesRequest {
            instance_initiated_shutdown_behavior: Some("terminate".into()),
            ..Default::default()
        };
        let goes = run(&kit, goes).await;
        let dies = run(&kit, RunInstancesRequest::default()).await;
        for id in [&stays, &goes, &dies] {
            until(&kit, id, "running").await;
        }
        kit.machines().power_off(&MachineId::new(stays.as_str())).expect("off");
        kit.machines().power_off(&MachineId::new(goes.as_str())).expect("off");
        kit.kill(&dies).expect("killed");

        let by_itself = "Client.InstanceInitiatedShutdown: Instance initiated shutdown";
        assert_eq!(reason(&until(&kit, &stays, "stopped").await), by_itself);
        assert_eq!(reason(&until(&kit, &goes, "terminated").await), by_itself);
        let dead = until(&kit, &dies, "stopped").await;
        assert_eq!(reason(&dead), "Server.InternalError: its first process was ended by signal 9 (SIGKILL)");
        assert_eq!(
            (status(&kit, &dies).await.as_str(), status(&kit, &stays).await.as_str()),
            ("impaired", "not-applicable")
        );
    });
}

#[test]
fn a_launch_is_tried_again_or_given_up_with_the_reason() {
    simulate(async {
        let kit = platform().start().await;
        kit.machines().fail_next_launch(DriverError::failed("mount a layer", std::io::Error::other("busy")));
        let later = run(&kit, RunInstancesRequest::default()).await;
        until(&kit, &later, "running").await;

        kit.machines().fail_next_launch(DriverError::Capacity("no memory is left".into()));
        let never = run(&kit, RunInstancesRequest::default()).await;
        let ended = until(&kit, &never, "terminated").await;
        assert_eq!(
            reason(&ended),
            "Server.InsufficientInstanceCapacity: not enough capacity on this host: no memory is left"
        );

        // It is tried seven times. The host's paths are for the log and for who asks on the host, not for callers.
        for _ in 0..7 {
            let cause = std::io::Error::other("permission denied");
            kit.machines().fail_next_launch(DriverError::failed("write /var/lib/kiln/machines/x", cause));
        }
        let hopeless = run(&kit, RunInstancesRequest::default()).await;
        let ended = until(&kit, &hopeless, "terminated").await;
        assert_eq!(reason(&ended), "Server.InternalError: an internal error occurred");
    });
}

/// Between two tries nothing is done, and the report says why the last one failed.
#[test]
fn what_waits_for_its_next_try_says_why() {
    simulate(async {
        let kit = platform().start().await;
        let report = |id: &str| {
            let all = kit.platform().reports().into_iter();
            all.filter(|(controller, name, ..)| *controller == "ec2/instance" && *name.id == *id).map(|r| r.3).next()
        };
        for _ in 0..4 {
            kit.machines().fail_next_launch(DriverError::failed("mount a layer", std::io::Error::other("busy")));
        }
        let id = run(&kit, RunInstancesRequest::default()).await;
        let waits = || async { report(&id).is_some_and(|r| r.waiting_for.is_some_and(|w| w.what.contains("4 times"))) };
        kit.until("it to wait for the fifth try", Duration::from_secs(10), waits).await;
        let failing = report(&id).and_then(|r| r.failing);
        assert!(failing.as_deref().is_some_and(|text| text.contains("mount a layer")), "{failing:?}");
        until(&kit, &id, "running").await;
        kit.settle().await;
        let rests = report(&id).map(|r| (r.at_rest, r.failing));
        assert_eq!(rests, Some((true, None)));
    });
}

#[test]
fn a_client_token_launches_once() {
    simulate(async {
        let kit = platform().start().await;
        let request = RunInstancesRequest { client_token: Some("t".into()), ..Default::default() };
        let first = run(&kit, request.clone()).await;
        assert_eq!(run(&kit, request.clone()).await, first);
        let other = RunInstancesRequest { image_id: Some(base(&kit).await), min_count: 2, max_count: 2, ..request };
        assert_eq!(kit.call(other).await.expect_err("differs").code, "IdempotentParameterMismatch");
    });
}

#[test]
fn an_image_is_taken_and_launched() {
    simulate(async {
        let kit = platform().start().await;
        let id = run(&kit, RunInstancesRequest::default()).await;
        until(&kit, &id, "running").await;
        let request = CreateImageRequest { instance_id: id.clone(), name: "shop".into(), ..Default::default() };
        let image = kit.call(request.clone()).await.expect("begun").image_id.expect("an id");
        assert_eq!(kit.call(request).await.expect_err("once").code, "IncorrectInstanceState");
        let find = || async {
            let request = DescribeImagesRequest { image_ids: ids(&image), ..Default::default() };
            kit.call(request).await.expect("described").images.remove(0)
        };
        assert_eq!(find().await.state.as_deref(), Some("pending"));
        kit.until("available", MINUTE, || async { find().await.state.as_deref() == Some("available") }).await;
        kit.settle().await;
        // Without NoReboot the machine was shut down for it and started again.
        assert_eq!(state(&show(&kit, &id).await), "running");
        let launched = RunInstancesRequest {
            image_id: Some(image.clone()),
            instance_type: Some("t3.micro".into()),
            min_count: 1,
            max_count: 1,
            ..Default::default()
        };
        let made = kit.call(launched).await.expect("launched").instances.remove(0).instance_id.expect("an id");
        until(&kit, &made, "running").await;

        let snapshot = find().await.block_device_mappings.remove(0).ebs.and_then(|e| e.snapshot_id).expect("one");
        let delete = DeleteSnapshotRequest { snapshot_id: snapshot, ..Default::default() };
        assert_eq!(kit.call(delete.clone()).await.expect_err("in use").code, "InvalidSnapshot.InUse");
        kit.call(DeregisterImageRequest { image_id: image.clone(), ..Default::default() }).await.expect("gone");
        let held = kit.machines().images().await.expect("images").len();
        kit.call(delete).await.expect("gone");
        kit.settle().await;
        assert_eq!(kit.machines().images().await.expect("images").len(), held, "a machine is still made of it");
        kit.call(TerminateInstancesRequest { instance_ids: vec![id, made], ..Default::default() })
            .await
            .expect("ending");
        kit.settle().await;
        assert_eq!(kit.machines().images().await.expect("images").len(), held - 1);
    });
}

#[test]
fn a_launch_template_is_merged_into_the_request() {
    simulate(async {
        let kit = platform().start().await;
        let tag = |value: &str| Tag { key: Some("Name".into()), value: Some(value.into()) };
        let template = CreateLaunchTemplateRequest {
            launch_template_name: "web".into(),
            launch_template_data: RequestLaunchTemplateData {
                image_id: Some(base(&kit).await),
                instance_type: Some("t3.nano".into()),
                metadata_options: Some(LaunchTemplateInstanceMetadataOptionsRequest {
                    http_tokens: Some("required".into()),
                    ..Default::default()
                }),
                tag_specifications: vec![LaunchTemplateTagSpecificationRequest {
                    resource_type: Some("instance".into()),
                    tags: vec![tag("one")],
                }],
                ..Default::default()
            },
            ..Default::default()
        };
        let id =
            kit.call(template).await.expect("made").launch_template.and_then(|t| t.launch_template_id).expect("id");
        let second = CreateLaunchTemplateVersionRequest {
            launch_template_id: Some(id.clone()),
            source_version: Some("1".into()),
            launch_template_data: RequestLaunchTemplateData {
                instance_type: Some("t3.small".into()),
                ..Default::default()
            },
            ..Default::default()
        };
        kit.call(second).await.expect("a second version");
        let launch = |version: Option<&str>| RunInstancesRequest {
            launch_template: Some(LaunchTemplateSpecification {
                launch_template_id: Some(id.clone()),
                launch_template_name: None,
                version: version.map(str::to_owned),
            }),
            min_count: 1,
            max_count: 1,
            ..Default::default()
        };
        let mut types = vec![];
        for version in [None, Some("$Latest"), Some("1")] {
            let made = kit.call(launch(version)).await.expect("launched").instances.remove(0);
            assert_eq!(made.metadata_options.and_then(|m| m.http_tokens).as_deref(), Some("required"));
            assert!(made.tags.contains(&tag("one")));
            types.push(made.instance_type.expect("a type"));
        }
        assert_eq!(types, ["t3.nano", "t3.small", "t3.nano"]);
        let all = kit.call(DescribeInstancesRequest::default()).await.expect("described").reservations;
        let instance_id = all[0].instances[0].instance_id.clone().expect("an id");
        let data = kit.call(GetLaunchTemplateDataRequest { instance_id, ..Default::default() }).await.expect("read");
        let data = data.launch_template_data.expect("data");
        assert_eq!(data.metadata_options.and_then(|m| m.http_tokens).as_deref(), Some("required"));
        let error = kit.call(launch(Some("9"))).await.expect_err("no such version");
        assert_eq!(error.code, "InvalidLaunchTemplateId.VersionNotFound");
    });
}

#[test]
fn what_is_not_built_or_not_there_is_said() {
    simulate(async {
        let kit = platform().start().await;
        let good = RunInstancesRequest {
            image_id: Some(base(&kit).await),
            instance_type: Some("t3.micro".into()),
            min_count: 1,
            max_count: 1,
            ..Default::default()
        };
        let disk = BlockDeviceMapping { device_name: Some("/dev/sdb".into()), ..Default::default() };
        let root = |ebs| {
            vec![BlockDeviceMapping { device_name: Some("/dev/xvda".into()), ebs: Some(ebs), ..Default::default() }]
        };
        let fast = EbsBlockDevice { iops: Some(6_000), ..Default::default() };
        let provisioned = EbsBlockDevice { volume_type: Some("io2".into()), ..Default::default() };
        let of = |gib, kind: &str| {
            root(EbsBlockDevice { volume_size: Some(gib), volume_type: Some(kind.into()), ..Default::default() })
        };
        let slowed = Some(CreditSpecificationRequest { cpu_credits: "standard".into() });
        let nowhere = Placement { availability_zone: Some("us-east-1z".into()), ..Default::default() };
        let host = Placement { host_id: Some("h-1".into()), ..Default::default() };
        let table: Vec<(RunInstancesRequest, &str)> = vec![
            (RunInstancesRequest { image_id: Some("ami-1".into()), ..good.clone() }, "InvalidAMIID.Malformed"),
            (RunInstancesRequest { image_id: Some("ami-12345678".into()), ..good.clone() }, "InvalidAMIID.NotFound"),
            (RunInstancesRequest { key_name: Some("none".into()), ..good.clone() }, "InvalidKeyPair.NotFound"),
            (RunInstancesRequest { user_data: Some("?".into()), ..good.clone() }, "InvalidUserData.Malformed"),
            (RunInstancesRequest { instance_type: Some("t4g.nano".into()), ..good.clone() }, "InvalidParameterValue"),
            (RunInstancesRequest { instance_type: Some("p5.48xlarge".into()), ..good.clone() }, "NotImplemented"),
            (RunInstancesRequest { block_device_mappings: vec![disk], ..good.clone() }, "NotImplemented"),
            (RunInstancesRequest { placement: Some(host), ..good.clone() }, "NotImplemented"),
            (RunInstancesRequest { placement: Some(nowhere), ..good.clone() }, "InvalidParameterValue"),
            (RunInstancesRequest { block_device_mappings: root(fast), ..good.clone() }, "NotImplemented"),
            (RunInstancesRequest { block_device_mappings: root(provisioned), ..good.clone() }, "NotImplemented"),
            (RunInstancesRequest { block_device_mappings: of(7, "gp3"), ..good.clone() }, "InvalidBlockDeviceMapping"),
            (
                RunInstancesRequest { block_device_mappings: of(1_025, "standard"), ..good.clone() },
                "InvalidParameterValue",
            ),
            (RunInstancesRequest { block_device_mappings: of(16_385, "gp2"), ..good.clone() }, "InvalidParameterValue"),
            (RunInstancesRequest { block_device_mappings: of(65_537, "gp3"), ..good.clone() }, "InvalidParameterValue"),
            (RunInstancesRequest { credit_specification: slowed, ..good.clone() }, "NotImplemented"),
            (
                RunInstancesRequest {
                    instance_type: Some("t2.micro".into()),
                    ebs_optimized: Some(true),
                    ..good.clone()
                },
                "InvalidParameterCombination",
            ),
            (
                RunInstancesRequest { subnet_id: Some("subnet-12345678".into()), ..good.clone() },
                "InvalidSubnetID.NotFound",
            ),
            (RunInstancesRequest { dry_run: Some(true), ..good.clone() }, "DryRunOperation"),
        ];
        for (request, code) in table {
            let error = kit.call(request.clone()).await.expect_err("refused");
            assert_eq!(error.code, code, "{error} for {request:?}");
        }
        assert!(kit.machines().list().await.expect("machines").is_empty());
    });
}

/// A machine is launched, its image taken, and it is terminated; whatever step fails or runs twice.
#[test]
fn every_step_may_run_twice_and_may_fail() {
    let broken = break_each_step(platform, |kit| async move {
        let id = run(&kit, RunInstancesRequest::default()).await;
        until(&kit, &id, "running").await;
        let request = CreateImageRequest { instance_id: id.clone(), name: "shop".into(), ..Default::default() };
        let image = kit.call(request).await.expect("begun").image_id.expect("an id");
        kit.settle().await;
        let taken = kit.store().get::<Image>(&kit.scope(), &image).expect("read").expect("kept");
        let before = state(&show(&kit, &id).await);
        kit.call(TerminateInstancesRequest { instance_ids: ids(&id), ..Default::default() }).await.expect("ending");
        kit.settle().await;
        let machines = kit.machines().list().await.expect("machines").len();
        let networks = kit.machines().networks().await.expect("networks").len();
        let after = state(&show(&kit, &id).await);
        format!("image {}, {before}, {after}, {machines} machines, {networks} networks", taken.state.name())
    });
    assert!(broken.steps.iter().any(|step| step.contains("Capture")), "{:?}", broken.steps);
}
