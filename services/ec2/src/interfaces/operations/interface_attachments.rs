//! Plugging network interfaces into instances and out of them. What is recorded here the instance
//! controller makes real: `attaching` until the machine has the interface, `detaching` until it has
//! it no longer.

use crate::errors::{invalid_combination, invalid_value, refuse};
use crate::instance_types;
use crate::instances::records::{Instance, InstanceState};
use crate::instances::targets::INSTANCE;
use crate::interfaces::allocation::of_instance;
use crate::interfaces::attaching::{check_address_limit, check_device_index, check_interface_limit, no_attachment};
use crate::interfaces::owner::check_owner;
use crate::interfaces::records::{Attachment, NetworkInterface};
use crate::interfaces::targets::{ATTACHED_INSTANCE, NETWORK_INTERFACE};
use crate::kinds;
use crate::lookup::need;
use crate::targets::things;
use kiln_ec2_shapes::{
    AttachNetworkInterfaceRequest, AttachNetworkInterfaceResponse, DetachNetworkInterfaceRequest,
    DetachNetworkInterfaceResponse,
};
use kiln_ids::AttachmentId;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(AttachNetworkInterface: attach_network_interface(AttachNetworkInterfaceRequest),
        on things![INSTANCE instance_id, NETWORK_INTERFACE network_interface_id]),
    operation!(DetachNetworkInterface: detach_network_interface(DetachNetworkInterfaceRequest),
        on things![ATTACHED_INSTANCE attachment_id, NETWORK_INTERFACE attachment_id]),
];

async fn attach_network_interface(
    cx: &Cx,
    request: AttachNetworkInterfaceRequest,
) -> Result<AttachNetworkInterfaceResponse, Error> {
    refuse(
        "AttachNetworkInterface",
        &[
            ("NetworkCardIndex", request.network_card_index.is_some_and(|index| index != 0)),
            ("EnaSrdSpecification", request.ena_srd_specification.is_some()),
            ("EnaQueueCount", request.ena_queue_count.is_some()),
        ],
    )?;
    let index = request.device_index;
    check_device_index(index)?;
    let id = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let interface = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            let instance = need::<Instance>(tx, cx.scope(), &request.instance_id)?;
            check_owner(cx, &interface)?;
            if interface.in_use() {
                let message = format!("Interface: [{}] in use.", interface.id);
                return Err(Error::sender("InvalidNetworkInterface.InUse", message));
            }
            if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
                return Err(Error::sender(
                    "IncorrectState",
                    format!("The instance '{}' is not in a valid state for this operation.", instance.id),
                ));
            }
            if interface.zone != instance.zone {
                return Err(invalid_combination(
                    "You may not attach a network interface to an instance if they are not in the same availability zone",
                ));
            }
            let attached = of_instance(tx, cx.scope(), &instance)?;
            let at = |i: &NetworkInterface| i.attachment.as_ref().is_some_and(|a| a.device_index == index);
            if attached.iter().any(|interface| at(interface)) {
                return Err(invalid_value(format!(
                    "Instance '{}' already has an interface attached at device index '{index}'.",
                    instance.id
                )));
            }
            let kind = instance_types::find(&instance.instance_type)
                .ok_or_else(|| Error::internal(format!("{} has an unknown type", instance.id)))?;
            check_interface_limit(&kind, attached.len() + 1)?;
            check_address_limit(&kind, interface.addresses().count())?;
            let id = AttachmentId::new(cx.ids());
            let mut interface = NetworkInterface::clone(&interface);
            interface.attachment = Some(Attachment {
                id: id.clone(),
                instance: instance.id.clone(),
                device_index: index,
                delete_on_termination: false,
                at: tx.now(),
                plugged: false,
                detaching: false,
            });
            let mut instance = Instance::clone(&instance);
            instance.more_interfaces.push(interface.id.clone());
            tx.put(cx.scope(), &interface.id.clone(), interface)?;
            tx.put(cx.scope(), &instance.id.clone(), instance)?;
            Ok(id)
        })
        .await?;
    Ok(AttachNetworkInterfaceResponse { attachment_id: Some(id.to_string()), network_card_index: Some(0) })
}

/// `Force` asks for no more than the usual way does here: the cable is pulled whatever the machine
/// makes of it.
async fn detach_network_interface(
    cx: &Cx,
    request: DetachNetworkInterfaceRequest,
) -> Result<DetachNetworkInterfaceResponse, Error> {
    kinds::ATTACHMENT.check(&request.attachment_id)?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let key = "attachment.attachment-id";
            let all = tx.by_key::<NetworkInterface>(cx.scope(), key, &request.attachment_id)?;
            let (id, found) = all.first().ok_or_else(|| no_attachment(&request.attachment_id))?;
            let mut interface = NetworkInterface::clone(found);
            for attachment in interface.attachment.iter_mut() {
                if attachment.device_index == 0 {
                    let message = "The network interface at device index 0 cannot be detached.";
                    return Err(Error::sender("OperationNotPermitted", message));
                }
                attachment.detaching = true;
            }
            tx.put_if_changed(cx.scope(), id, interface)?;
            Ok(())
        })
        .await?;
    Ok(DetachNetworkInterfaceResponse::default())
}
