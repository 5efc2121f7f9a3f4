//! One file per kind of call.

pub mod attributes;
pub mod permissions;
pub mod publish;
pub mod subscribe;
pub mod subscriptions;
pub mod tags;
pub mod topics;
