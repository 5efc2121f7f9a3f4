//! What policies know of the room: see [`crate::targets`].

use crate::instances::records::Instance;
use crate::interfaces::records::{Address, NetworkInterface};
use crate::kinds;
use crate::targets::{Thing, by_id, by_id_or, first};

/// By its id, or by its attachment to an instance.
pub const NETWORK_INTERFACE: Thing = Thing {
    kind: &kinds::NETWORK_INTERFACE,
    find: |cx, text| by_id_or::<NetworkInterface>(cx, text, |interface| is_attached_by(interface, text)),
};

/// The instance that an attachment is to.
pub const ATTACHED_INSTANCE: Thing = Thing {
    kind: &kinds::INSTANCE,
    find: |cx, text| {
        let interface = first::<NetworkInterface>(cx, |interface| is_attached_by(interface, text))?;
        match interface.and_then(|(_, interface)| Some(interface.attachment.as_ref()?.instance.clone())) {
            Some(instance) => by_id::<Instance>(cx, &instance),
            None => Ok(None),
        }
    },
};

fn is_attached_by(interface: &NetworkInterface, attachment: &str) -> bool {
    interface.attachment.as_ref().is_some_and(|own| *own.id == *attachment)
}

/// By its allocation, its association, or as the address that it is.
pub const ADDRESS: Thing = Thing {
    kind: &kinds::ADDRESS,
    find: |cx, text| {
        by_id_or::<Address>(cx, text, |address| {
            address.ip.to_string() == text || address.association.as_ref().is_some_and(|(id, _)| **id == *text)
        })
    },
};
