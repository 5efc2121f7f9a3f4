//! What makes the records real, one line per controller.

mod instance_interfaces;
mod instances;
mod machine_events;

pub use machine_events::forward_machine_events;

use kiln_service_kit::AnyController;
use std::sync::Arc;

/// Every controller of the room.
pub fn all() -> Vec<Arc<dyn AnyController>> {
    vec![Arc::new(instances::Instances)]
}
