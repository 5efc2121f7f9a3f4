//! The sentences in an activity's cause, as AWS words them. Each names its time; several are
//! joined by two blanks.

use crate::records::{Group, Unhealthy};
use kiln_service_kit::Timestamp;

/// `At 2026-01-02T03:04:05Z …`
pub fn at(now: Timestamp, what: &str) -> String {
    format!("At {} {what}", now.iso8601())
}

/// Two sentences.
pub fn join(first: Option<&str>, second: String) -> String {
    match first {
        Some(first) => format!("{first}  {second}"),
        None => second,
    }
}

pub fn created(desired: i32, now: Timestamp) -> String {
    at(now, &format!("a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}."))
}

/// UpdateAutoScalingGroup.
pub fn updated(group: &Group, before: i32, now: Timestamp) -> String {
    let what = format!(
        "a user request update of AutoScalingGroup constraints to min: {}, max: {}, desired: {} changing the desired capacity from {before} to {}.",
        group.min, group.max, group.desired, group.desired
    );
    at(now, &what)
}

/// SetDesiredCapacity.
pub fn set(before: i32, after: i32, now: Timestamp) -> String {
    at(
        now,
        &format!(
            "a user request explicitly set group desired capacity changing the desired capacity from {before} to {after}."
        ),
    )
}

pub fn started(from: usize, to: usize, now: Timestamp) -> String {
    at(
        now,
        &format!(
            "an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {from} to {to}."
        ),
    )
}

/// A launch that makes up for one that was found unhealthy.
pub fn replaced(now: Timestamp) -> String {
    at(now, "an instance was launched in response to an unhealthy instance needing to be replaced.")
}

pub fn rebalanced(zone: &str, now: Timestamp) -> String {
    at(
        now,
        &format!(
            "instances were launched to balance instances in zones {zone} with other zones resulting in more than desired number of instances in the group."
        ),
    )
}

pub fn shrunk(from: usize, to: usize, instance: &str, now: Timestamp) -> String {
    let taken = format!(
        "an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from {from} to {to}."
    );
    let selected = format!("instance {instance} was selected for termination.");
    format!("{}  {}", at(now, &taken), at(now, &selected))
}

pub fn unhealthy(why: Unhealthy, now: Timestamp) -> String {
    let check = match why {
        Unhealthy::Ec2 => "an EC2 health check indicating it has been terminated or stopped.",
        Unhealthy::Impaired => "an EC2 instance status checks failure.",
        Unhealthy::Elb => "an ELB system health check failure.",
        Unhealthy::User => "a user health-check.",
    };
    at(now, &format!("an instance was taken out of service in response to {check}"))
}

pub fn launch_failed(now: Timestamp) -> String {
    at(now, "an instance was taken out of service in response to a launch failure.")
}

pub fn group_deleted(instance: &str, now: Timestamp) -> String {
    at(
        now,
        &format!(
            "instance {instance} was taken out of service in response to a user request to delete its AutoScalingGroup."
        ),
    )
}
