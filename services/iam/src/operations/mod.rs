//! One file per kind of thing.

pub mod access_keys;
pub mod account;
pub mod boundaries;
pub mod details;
pub mod group_policies;
pub mod groups;
pub mod instance_profiles;
pub mod last_used;
mod named;
pub mod never_made;
mod permissions;
pub mod policies;
pub mod policy_versions;
pub mod role_policies;
pub mod roles;
pub mod service_linked_roles;
pub mod simulate;
pub mod user_policies;
pub mod users;
