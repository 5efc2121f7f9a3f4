//! The Linux facilities machines are made of, each behind a small safe interface.
//!
//! Nothing here knows images, machines or VPCs.

pub mod cgroup;
pub mod child;
pub mod files;
pub mod loops;
pub mod mounts;
pub mod netlink;
pub mod netns;
pub mod pidfd;
pub mod spawn;
pub mod steer;
pub mod userns;
