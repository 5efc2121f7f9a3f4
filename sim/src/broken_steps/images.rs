//! Images of machines.

use super::{base_image, run, state_of};
use crate::play::platform;
use kiln_ec2_shapes as ec2;
use kiln_machines_spec::{MachineDriver, MachineId};
use kiln_testkit::{Broken, break_each_step};
use std::sync::OnceLock;

/// An image is taken of a machine, given up and its bytes freed once the machine made of it is gone.
pub fn comes_and_goes() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let base = base_image(&kit).await;
            let first = run(&kit, &base, None).await;
            kit.settle().await;
            let request =
                ec2::CreateImageRequest { instance_id: first.clone(), name: "taken".to_owned(), ..Default::default() };
            let image = kit.call(request).await.expect("begun").image_id.expect("an id");
            kit.settle().await;
            let second = run(&kit, &image, None).await;
            kit.settle().await;
            let describe = ec2::DescribeImagesRequest { image_ids: vec![image.clone()], ..Default::default() };
            let shown = kit.call(describe).await.expect("described").images.remove(0);
            let snapshot =
                shown.block_device_mappings.into_iter().find_map(|b| b.ebs?.snapshot_id).expect("a snapshot");
            let request = ec2::DeregisterImageRequest { image_id: image.clone(), ..Default::default() };
            kit.call(request).await.expect("deregistered");
            let request = ec2::DeleteSnapshotRequest { snapshot_id: snapshot, ..Default::default() };
            kit.call(request).await.expect("deleted");
            kit.settle().await;
            let used = kit.machines().images().await.expect("listed").len();
            let instance_ids = vec![first, second];
            kit.call(ec2::TerminateInstancesRequest { instance_ids, ..Default::default() }).await.expect("begun");
            kit.settle().await;
            let images = kit.machines().images().await.expect("listed").len();
            let machines = kit.machines().list().await.expect("listed").len();
            format!("image {:?}; {used} images while it is used, {images} after; {machines} machines", shown.state)
        })
    })
}

/// The machine is lost while its image is to be taken.
pub fn fails() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    DONE.get_or_init(|| {
        break_each_step(platform, |kit| async move {
            let base = base_image(&kit).await;
            let id = run(&kit, &base, None).await;
            kit.settle().await;
            let request =
                ec2::CreateImageRequest { instance_id: id.clone(), name: "lost".to_owned(), ..Default::default() };
            let image = kit.call(request).await.expect("begun").image_id.expect("an id");
            kit.machines().terminate(&MachineId::new(id.as_str())).await.expect("it is there");
            let instance = state_of(&kit, &id).await;
            let describe = ec2::DescribeImagesRequest { image_ids: vec![image], ..Default::default() };
            let shown = kit.call(describe).await.expect("described").images.remove(0);
            format!("image {:?}; instance {instance}", shown.state)
        })
    })
}
