//! The one disk of an instance: what its mapping asks for, and what of that there is not.

use crate::errors::{invalid_combination, refuse};
use crate::images::disk_size::DiskSize;
use crate::images::records::Image;
use kiln_ec2_shapes::{BlockDeviceMapping, EbsBlockDevice};
use kiln_service_kit::Error;

/// The root disk.
pub struct RootDisk {
    pub size_gib: i32,
    pub volume_type: String,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
}

/// What AWS gives every gp3 volume. No disk here is promised another speed.
const BASE_IOPS: i32 = 3_000;
const BASE_THROUGHPUT: i32 = 125;

/// Refuses what no disk has here, whatever its image.
pub fn check_mappings(operation: &str, mappings: &[BlockDeviceMapping]) -> Result<(), Error> {
    for mapping in mappings {
        // Nothing is made of a device that is left out, whatever else is said of it.
        if let (Some(ebs), None) = (&mapping.ebs, &mapping.no_device) {
            check_ebs(operation, mapping.device_name.as_deref().unwrap_or_default(), ebs)?;
        }
    }
    Ok(())
}

fn check_ebs(operation: &str, device: &str, ebs: &EbsBlockDevice) -> Result<(), Error> {
    let kind = ebs.volume_type.as_deref();
    refuse(
        operation,
        &[
            ("Ebs.Encrypted", ebs.encrypted == Some(true)),
            ("Ebs.KmsKeyId", ebs.kms_key_id.is_some()),
            ("Ebs.OutpostArn", ebs.outpost_arn.is_some()),
            ("Ebs.VolumeInitializationRate", ebs.volume_initialization_rate.is_some()),
            ("Ebs.AvailabilityZone", ebs.availability_zone.is_some() || ebs.availability_zone_id.is_some()),
            ("Ebs.EbsCardIndex", ebs.ebs_card_index.is_some_and(|index| index != 0)),
            (
                "Ebs.VolumeType other than gp2, gp3 and standard",
                kind.is_some_and(|kind| !matches!(kind, "gp2" | "gp3" | "standard")),
            ),
            ("DeleteOnTermination false for the root disk", ebs.delete_on_termination == Some(false)),
        ],
    )?;
    // AWS's documents have the rule, not its words; these are what callers report.
    if ebs.throughput.is_some() && matches!(kind, Some("gp2" | "standard")) {
        let text = format!("throughput cannot be specified with the volumeType of device '{device}'");
        return Err(Error::sender("InvalidBlockDeviceMapping", text));
    }
    // Of gp3 both can be chosen; what is chosen must be what it has anyway.
    for (name, given, base) in [("Iops", ebs.iops, BASE_IOPS), ("Throughput", ebs.throughput, BASE_THROUGHPUT)] {
        match (given, kind) {
            (None, _) => {}
            (Some(_), Some(kind @ ("gp2" | "standard"))) => {
                return Err(invalid_combination(format!(
                    "The parameter {} is not supported for {kind} volumes.",
                    name.to_lowercase()
                )));
            }
            (Some(given), _) if given != base => {
                return Err(Error::not_built(format!("ec2:{operation} with Ebs.{name} other than {base}")));
            }
            _ => {}
        }
    }
    Ok(())
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
