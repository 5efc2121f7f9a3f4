//! What makes the records real, one line per controller.

mod discarded_images;
mod images;

use kiln_service_kit::AnyController;
use std::sync::Arc;

/// Every controller of the room.
pub fn all() -> Vec<Arc<dyn AnyController>> {
    vec![Arc::new(images::Images), Arc::new(discarded_images::DiscardedImages)]
}
