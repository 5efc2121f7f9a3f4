//! One machine, from its launch until it is forgotten.

use super::{base_image, run, state_of, subnets};
use crate::play::platform;
use kiln_ec2_shapes as ec2;
use kiln_machines_spec::{DriverError, MachineDriver, MachineId};
use kiln_testkit::{Broken, break_steps};
use std::sync::OnceLock;
use std::time::Duration;

/// Stopped, started, rebooted, given another interface, killed, lost; and one that never comes up.
pub fn lives() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_steps(
            platform,
            |step| step.starts_with("ec2/instance"),
            |kit| async move {
                let base = base_image(&kit).await;
                let subnet = subnets(&kit).await.remove(0);
                let id = run(&kit, &base, Some(&subnet)).await;
                let ids = || vec![id.clone()];
                let mut told = vec![state_of(&kit, &id).await];
                kit.call(ec2::StopInstancesRequest { instance_ids: ids(), ..Default::default() }).await.expect("begun");
                told.push(state_of(&kit, &id).await);
                kit.call(ec2::StartInstancesRequest { instance_ids: ids(), ..Default::default() })
                    .await
                    .expect("begun");
                told.push(state_of(&kit, &id).await);
                kit.call(ec2::RebootInstancesRequest { instance_ids: ids(), ..Default::default() })
                    .await
                    .expect("begun");
                told.push(state_of(&kit, &id).await);

                let request = ec2::CreateNetworkInterfaceRequest { subnet_id: subnet.clone(), ..Default::default() };
                let interface = kit.call(request).await.expect("made").network_interface.expect("shown");
                let network_interface_id = interface.network_interface_id.expect("an id");
                let instance_id = id.clone();
                let attach = ec2::AttachNetworkInterfaceRequest {
                    network_interface_id,
                    instance_id,
                    device_index: 1,
                    ..Default::default()
                };
                let attachment_id = kit.call(attach).await.expect("begun").attachment_id.expect("an id");
                told.push(state_of(&kit, &id).await);
                let detach = ec2::DetachNetworkInterfaceRequest { attachment_id, ..Default::default() };
                kit.call(detach).await.expect("begun");
                told.push(state_of(&kit, &id).await);

                kit.kill(&id).expect("it runs");
                told.push(state_of(&kit, &id).await);
                let lost = run(&kit, &base, Some(&subnet)).await;
                told.push(state_of(&kit, &lost).await);
                kit.machines().terminate(&MachineId::new(lost.as_str())).await.expect("it is there");
                told.push(state_of(&kit, &lost).await);

                // More than it is tried.
                for _ in 0..100 {
                    kit.machines()
                        .fail_next_launch(DriverError::failed("make the machine", "the disk is busy".to_owned()));
                }
                let never = run(&kit, &base, Some(&subnet)).await;
                told.push(state_of(&kit, &never).await);
                kit.call(ec2::TerminateInstancesRequest { instance_ids: ids(), ..Default::default() })
                    .await
                    .expect("begun");
                told.push(state_of(&kit, &id).await);
                kit.advance(Duration::from_secs(2 * 3600)).await;
                for each in [&id, &lost, &never] {
                    told.push(state_of(&kit, each).await);
                }
                let machines = kit.machines().list().await.expect("listed").len();
                format!("{}\n{machines} machines", told.join("\n"))
            },
        )
    })
}
