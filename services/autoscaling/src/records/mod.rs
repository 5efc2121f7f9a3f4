//! What is kept: groups, their instances, the activities that tell what was done, launch
//! configurations.

pub mod activity;
mod group;
mod hook;
mod launch;
mod launch_configuration;
mod member;

pub use activity::{Activity, EVENT_SOURCE, Status};
pub use group::{Group, GroupTag, Notification, Process, Suspension, TargetGroup, TargetGroupState};
pub use hook::{Action, Hook, Transition, Verdict};
pub use launch::{Interface, Launch, Template};
pub use launch_configuration::{Device, LaunchConfiguration};
pub use member::{Health, Lifecycle, Member, Unhealthy};
