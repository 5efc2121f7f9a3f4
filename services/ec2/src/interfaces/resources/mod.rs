//! CloudFormation types, one file each, one line each here.

mod address;
mod network_interface;
mod network_interface_attachment;

use kiln_service_kit::ResourceType;
use std::sync::Arc;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(address::EipType),
        Arc::new(address::EipAssociationType),
        Arc::new(network_interface::NetworkInterfaceType),
        Arc::new(network_interface_attachment::NetworkInterfaceAttachmentType),
    ]
}
