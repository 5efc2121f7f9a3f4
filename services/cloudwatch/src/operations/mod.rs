//! One file per kind of call.

pub mod alarms;
pub mod composite;
pub mod dashboards;
pub mod data;
pub mod describe;
pub mod history;
pub mod metrics;
pub mod put;
pub mod state;
pub mod statistics;
pub mod tags;
