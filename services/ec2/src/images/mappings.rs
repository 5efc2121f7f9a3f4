//! What a block device mapping may ask for, of a launch, a launch template or an image alike.

use crate::errors::{invalid_combination, refuse};
use kiln_ec2_shapes::{BlockDeviceMapping, EbsBlockDevice};
use kiln_service_kit::Error;

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
