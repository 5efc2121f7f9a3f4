//! The one disk of an instance: what its mapping asks for, and what of that there is not.

use crate::errors::refuse;
use crate::images::disk_size::DiskSize;
use crate::images::mappings::check_mappings;
use crate::images::records::Image;
use kiln_ec2_shapes::BlockDeviceMapping;
use kiln_service_kit::Error;

/// The root disk.
pub struct RootDisk {
    pub size_gib: i32,
    pub volume_type: String,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
}

/// The root disk that the mappings ask for, of an image.
pub fn root_disk(mappings: &[BlockDeviceMapping], image: &Image, snapshot_gib: i32) -> Result<RootDisk, Error> {
    check_mappings("RunInstances", mappings)?;
    let mut disk =
        RootDisk { size_gib: image.size_gib, volume_type: image.volume_type.clone(), iops: None, throughput: None };
    for mapping in mappings {
        let Some(device) = mapping.device_name.as_deref() else {
            return Err(Error::sender("InvalidBlockDeviceMapping", "Missing device name"));
        };
        if device != image.root_device {
            // Taking a device away that the image does not have changes nothing.
            if mapping.no_device.is_some() {
                continue;
            }
            return Err(Error::not_built(format!(
                "ec2:RunInstances with a second disk ({device}; the image's root device is {})",
                image.root_device
            )));
        }
        // Beside an `Ebs` it counts too: AWS has launched without a root device then.
        if mapping.no_device.is_some() || mapping.virtual_name.is_some() {
            return Err(Error::sender("InvalidBlockDeviceMapping", "The root device cannot be left out or replaced."));
        }
        let ebs = mapping.ebs.clone().unwrap_or_default();
        let other = |id: &String| *image.snapshot != **id;
        refuse("RunInstances", &[("Ebs.SnapshotId", ebs.snapshot_id.as_ref().is_some_and(other))])?;
        if let Some(kind) = ebs.volume_type {
            disk.volume_type = kind;
        }
        disk.size_gib = DiskSize {
            wanted: ebs.volume_size,
            usual: image.size_gib,
            snapshot: &image.snapshot,
            snapshot_gib,
            volume_type: &disk.volume_type,
        }
        .gib()?;
        disk.iops = ebs.iops;
        disk.throughput = ebs.throughput;
    }
    Ok(disk)
}
