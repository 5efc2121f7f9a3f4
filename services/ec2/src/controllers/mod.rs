//! What makes the records real, one line per controller.

mod discarded_images;
mod dns;
mod images;
mod instance_interfaces;
mod instances;
mod machine_events;
mod network;

pub use machine_events::forward_machine_events;

use kiln_service_kit::AnyController;
use std::sync::Arc;

/// Every controller of the service.
pub fn all() -> Vec<Arc<dyn AnyController>> {
    vec![
        Arc::new(network::Network),
        Arc::new(instances::Instances),
        Arc::new(images::Images),
        Arc::new(discarded_images::DiscardedImages),
        Arc::new(dns::Dns::default()),
    ]
}
