//! AWS's errors that more than one operation gives, in its wording.

use kiln_service_kit::Error;

/// Auto Scaling's answer to most things that are wrong with a request.
pub fn validation(message: impl Into<String>) -> Error {
    Error::sender("ValidationError", message)
}

pub fn group_not_found(name: &str) -> Error {
    validation(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"))
}

/// What UpdateAutoScalingGroup says of a group that is not there.
pub fn group_to_update_not_found() -> Error {
    validation("AutoScalingGroup name not found - null")
}

/// What CreateOrUpdateTags and DeleteTags say of it.
pub fn tagged_group_not_found(name: &str) -> Error {
    validation(format!("AutoScalingGroup not found - AutoScaling Group {name} not found"))
}

pub fn group_exists(name: &str) -> Error {
    Error::sender(
        "AlreadyExists",
        format!("AutoScalingGroup by this name already exists - A group with the name {name} already exists"),
    )
}

pub fn configuration_not_found(name: &str) -> Error {
    validation(format!(
        "Launch configuration name not found - A launch configuration with the name: {name} does not exist"
    ))
}

/// The instance is in no group.
pub fn no_managed_instance(id: &str) -> Error {
    validation(format!("Instance Id not found - No managed instance found for instance ID: {id}"))
}

/// The instance is in another group or none.
pub fn not_part_of(id: &str, group: &str) -> Error {
    validation(format!("The instance {id} is not part of Auto Scaling group {group}."))
}

pub fn bad_token() -> Error {
    Error::sender("InvalidNextToken", "The token provided is not valid.")
}

pub fn pending_delete(name: &str) -> Error {
    Error::sender(
        "ScalingActivityInProgress",
        format!("AutoScalingGroup {name} is pending delete and cannot be changed."),
    )
}

/// Refuses a member that Kiln does not serve but that would change what the call does.
pub fn refuse(operation: &str, members: &[(&str, bool)]) -> Result<(), Error> {
    match members.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::not_built(format!("autoscaling:{operation} with {name}"))),
        None => Ok(()),
    }
}
