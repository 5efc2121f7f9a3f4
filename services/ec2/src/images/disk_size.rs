//! How large a volume may be: at least its snapshot, at most what its type has.

use crate::errors::invalid_value;
use kiln_service_kit::Error;

/// A volume's size in GiB: as wanted, else as its image or snapshot has it.
pub struct DiskSize<'a> {
    pub wanted: Option<i32>,
    pub usual: i32,
    pub snapshot: &'a str,
    pub snapshot_gib: i32,
    pub volume_type: &'a str,
}

impl DiskSize<'_> {
    /// It, if such a volume can be.
    pub fn gib(&self) -> Result<i32, Error> {
        let size = self.wanted.unwrap_or(self.usual);
        let (least, most) = (self.snapshot_gib, largest(self.volume_type));
        if size < least {
            return Err(Error::sender(
                "InvalidBlockDeviceMapping",
                format!(
                    "Volume of size {size}GB is smaller than snapshot '{}', expect size>= {least}GB",
                    self.snapshot
                ),
            ));
        }
        if size > most {
            return Err(invalid_value(format!(
                "Volume of {size}GiB is too large for volume type {}; maximum is {most}GiB",
                self.volume_type
            )));
        }
        Ok(size)
    }
}

fn largest(volume_type: &str) -> i32 {
    match volume_type {
        "standard" => 1_024,
        "gp3" => 65_536,
        _ => 16_384,
    }
}
