//! What cloudwatch keeps: alarms, what they are to set in motion, dashboards; and as history, what became of alarms.

mod action;
mod alarm;
mod dashboard;
mod history;

pub use action::Action;
pub use alarm::{Alarm, Composite, MetricAlarm, OfMetric, State, StateValue, Suppressed, SuppressedBy, What, arn};
pub use dashboard::Dashboard;
pub use history::Happened;
