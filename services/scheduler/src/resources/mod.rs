//! CloudFormation types: schedules and their groups.

mod group;
mod schedule;

use kiln_service_kit::ResourceType;
use std::sync::Arc;

/// All of them.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(group::GroupType), Arc::new(schedule::ScheduleType)]
}
