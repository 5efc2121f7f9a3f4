//! What an attachment may be: how many of a machine, with how many addresses, at which device index.

use crate::errors::invalid_value;
use crate::instance_types::InstanceType;
use crate::kinds;
use kiln_service_kit::Error;

/// The greatest device index.
const MOST_DEVICES: i32 = 31;

/// What can be a device's index at all.
pub fn check_device_index(index: i32) -> Result<(), Error> {
    match (0..=MOST_DEVICES).contains(&index) {
        true => Ok(()),
        false => Err(invalid_value(format!("Invalid device index: {index}. It must be between 0 and {MOST_DEVICES}."))),
    }
}

/// That an instance of this type can have so many interfaces.
pub fn check_interface_limit(kind: &InstanceType, count: usize) -> Result<(), Error> {
    let (most, _) = kind.interface_limits();
    match usize::try_from(most).is_ok_and(|most| count > most) {
        false => Ok(()),
        true => {
            let message = format!("Interface count {count} exceeds the limit for {}", kind.name());
            Err(Error::sender("AttachmentLimitExceeded", message))
        }
    }
}

/// That an interface of an instance of this type can have so many private addresses.
pub fn check_address_limit(kind: &InstanceType, count: usize) -> Result<(), Error> {
    let (_, most) = kind.interface_limits();
    match usize::try_from(most).is_ok_and(|most| count > most) {
        false => Ok(()),
        true => Err(Error::sender("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")),
    }
}

/// There is no such attachment.
pub fn no_attachment(id: &str) -> Error {
    let message = format!("The networkInterface attachment ID '{id}' does not exist");
    Error::sender(kinds::ATTACHMENT.not_found, message)
}
