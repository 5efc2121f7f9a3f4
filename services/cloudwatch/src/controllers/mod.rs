//! Who looks after alarms.

pub mod action;
pub mod alarm;
pub mod composite;
