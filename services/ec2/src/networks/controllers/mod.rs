//! What makes the records real, one line per controller.

mod dns;
mod network;

use kiln_service_kit::AnyController;
use std::sync::Arc;

/// Every controller of the room.
pub fn all() -> Vec<Arc<dyn AnyController>> {
    vec![Arc::new(network::Network), Arc::new(dns::Dns::default())]
}
